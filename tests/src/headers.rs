//! C headers of any BTF.

use std::fmt;

use btf_codegen::{Error, c::Header};
use btf_types::Btf;

use crate::fuzz::{bounded_with, len_of};

/// Writes headers of the input, if it is BTF.
pub fn c_header(input: &[u8]) {
    let Ok(btf) = Btf::parse(input.to_vec()) else { return };
    check(&btf);
}

/// Writes headers of BTF in all forms.
///
/// # Panics
///
/// If one that is written has brackets without their partners, or if writing it is
/// refused for something that BTF cannot be the cause of.
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
            // Names are what they are if the header is bpftool's.
            Ok(()) => assert!(brackets.are_closed() || format!("{header:?}").contains("unsorted: true"), "{header:?}"),
            Err(Error::Cycle { .. } | Error::TooDeep { .. } | Error::TooComplex { .. }) => {}
            Err(Error::NoSuchRoot { .. }) if btf.own_ids().is_empty() => {}
            Err(error) => panic!("{error}"),
        }
    }
    for ty in btf.types().take(4) {
        for header in [Header::new(), Header::new().unsorted(true)] {
            let len = |text: &Result<String, Error>| len_of(btf) + text.as_ref().map_or(0, String::len);
            let _ = bounded_with("definition", || header.definition(ty), len);
            let _ = bounded_with("declaration", || header.declaration(ty, "name"), len);
        }
    }
}

/// Counts brackets, outside of comments and strings.
#[derive(Debug, Default)]
struct Brackets {
    open: Vec<u8>,
    /// Bytes of the text.
    written: usize,
    /// The last byte, and what it is in.
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
                // `/*/` is no whole comment.
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
