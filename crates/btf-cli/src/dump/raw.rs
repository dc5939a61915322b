//! Text: a line a type, and behind a tab one for each part, byte for byte what
//! `bpftool btf dump` prints. Names stand as they are, whatever they consist of.

use btf_types::{Kind, Name, Type};

use super::Writer;

#[derive(Default)]
pub(super) struct Raw {
    text: Vec<u8>,
    number: itoa::Buffer,
    /// Whether nothing stands before what comes next in its line.
    begins: bool,
}

impl Raw {
    fn push(&mut self, text: &str) {
        self.text.extend_from_slice(text.as_bytes());
    }

    fn key(&mut self, key: &str) {
        if !self.begins {
            self.text.push(b' ');
        }
        self.begins = false;
        self.push(key);
        self.text.push(b'=');
    }

    fn name(&mut self, name: Name<'_>) {
        self.text.push(b'\'');
        self.text.extend_from_slice(if name.is_empty() { b"(anon)" } else { name.as_bytes() });
        self.text.push(b'\'');
        self.begins = false;
    }
}

impl Writer for Raw {
    fn text(&mut self) -> &mut Vec<u8> {
        &mut self.text
    }

    fn ty(&mut self, id: u32, kind: &str, name: Name<'_>) {
        self.text.push(b'[');
        self.text.extend_from_slice(self.number.format(id).as_bytes());
        self.push("] ");
        self.push(kind);
        self.text.push(b' ');
        self.name(name);
    }

    fn end_ty(&mut self) {
        self.text.push(b'\n');
    }

    fn number(&mut self, key: &str, value: i128) {
        self.key(key);
        self.text.extend_from_slice(self.number.format(value).as_bytes());
    }

    fn word(&mut self, key: &str, value: &str) {
        self.key(key);
        self.push(value);
    }

    fn comma(&mut self) {
        self.text.push(b',');
    }

    fn parts(&mut self, _: &str) {}

    fn part(&mut self, name: Option<Name<'_>>) {
        self.push("\n\t");
        self.begins = true;
        if let Some(name) = name {
            self.name(name);
        }
    }

    fn value(&mut self, value: i128, suffix: &str) {
        self.number("val", value);
        self.push(suffix);
    }

    fn entry(&mut self, ty: Type<'_>) {
        self.push(" (");
        self.push(ty.kind().map_or("UNKNOWN", Kind::as_str));
        self.text.push(b' ');
        self.name(ty.name());
        self.text.push(b')');
    }

    fn end_part(&mut self) {}

    fn end_parts(&mut self) {}
}
