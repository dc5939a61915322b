//! Fuzz target of C headers.

use std::fmt;

use btf_codegen::{Error, c::Header};
use btf_types::Btf;

use crate::fuzz::{bounded_with, len_of, within_tables_with};

/// Writes C headers for the input, if it is BTF.
pub fn c_header(input: &[u8]) {
    let Ok(btf) = Btf::parse(input.to_vec()) else { return };
    check(&btf);
}

/// Writes C headers for BTF with several options.
///
/// # Panics
///
/// If a header has unbalanced brackets, or fails with an error that cannot be caused by
/// the BTF.
pub fn check(btf: &Btf) {
    for header in [
        Header::new(),
        Header::new().static_asserts(true),
        Header::new().unsorted(true),
        Header::new().own(true),
        Header::new().root_id(btf.own_ids().start),
        Header::new().root_id(btf.type_count() - 1),
    ] {
        let write = || {
            let mut brackets = Brackets::default();
            (header.write(btf, &mut brackets), brackets)
        };
        let (written, brackets) = bounded_with("header", write, |(_, brackets)| len_of(btf) + brackets.written);
        match written {
            // Unsorted headers, like bpftool's, contain names unchanged.
            Ok(()) => assert!(brackets.are_closed() || format!("{header:?}").contains("unsorted: true"), "{header:?}"),
            Err(Error::Cycle { .. } | Error::TooDeep { .. } | Error::TooComplex { .. }) => {}
            Err(Error::NoSuchRoot { .. }) if btf.own_ids().is_empty() => {}
            Err(error) => panic!("{error}"),
        }
    }
    for ty in btf.types().take(4) {
        for header in [Header::new(), Header::new().unsorted(true)] {
            let len = |text: &Result<String, Error>| len_of(btf) + text.as_ref().map_or(0, String::len);
            let _ = within_tables_with("c::Header::definition", || header.definition(ty), len);
            let _ = within_tables_with("c::Header::definition", || header.declaration(ty, "name"), len);
        }
    }
}

/// Writer that checks for balanced brackets outside of comments and strings.
#[derive(Debug, Default)]
struct Brackets {
    open: Vec<u8>,
    /// Number of bytes written.
    written: usize,
    /// Last byte, and the token in which it is.
    last: u8,
    inside: Inside,
    is_wrong: bool,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Inside {
    #[default]
    Code,
    Comment,
    Text,
}

impl Brackets {
    fn are_closed(&self) -> bool {
        !self.is_wrong && self.open.is_empty() && self.inside == Inside::Code
    }

    fn byte(&mut self, byte: u8) {
        let last = std::mem::replace(&mut self.last, byte);
        match (&self.inside, byte) {
            (Inside::Comment, b'/') if last == b'*' => self.inside = Inside::Code,
            (Inside::Text, b'"') => self.inside = Inside::Code,
            (Inside::Comment | Inside::Text, _) => {}
            (Inside::Code, b'*') if last == b'/' => {
                self.inside = Inside::Comment;
                // `/*/` is not a complete comment.
                self.last = 0;
            }
            (Inside::Code, b'"') => self.inside = Inside::Text,
            (Inside::Code, b'{' | b'(' | b'[') => self.open.push(byte),
            (Inside::Code, b'}') => self.is_wrong |= self.open.pop() != Some(b'{'),
            (Inside::Code, b')') => self.is_wrong |= self.open.pop() != Some(b'('),
            (Inside::Code, b']') => self.is_wrong |= self.open.pop() != Some(b'['),
            (Inside::Code, _) => {}
        }
    }
}

impl fmt::Write for Brackets {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.written += text.len();
        text.bytes().for_each(|byte| self.byte(byte));
        Ok(())
    }
}
