//! JSON: the document that `bpftool -j btf dump` prints, less its two faults:
//! values of unsigned enumerators are what they are, and names are escaped as
//! JSON wants it. (Bytes that are not UTF-8 become U+FFFD.)

use btf_types::{Name, Type};

use super::Writer;

#[derive(Default)]
pub(super) struct Json {
    text: Vec<u8>,
    number: itoa::Buffer,
}

impl Json {
    fn push(&mut self, text: &str) {
        self.text.extend_from_slice(text.as_bytes());
    }

    /// A comma, if something stands before what comes next in its braces.
    fn separate(&mut self) {
        if !matches!(self.text.last(), None | Some(b'{' | b'[')) {
            self.text.push(b',');
        }
    }

    fn key(&mut self, key: &str) {
        self.separate();
        self.text.push(b'"');
        self.push(key);
        self.push("\":");
    }

    fn name(&mut self, name: Name<'_>) {
        let bytes = if name.is_empty() { b"(anon)" } else { name.as_bytes() };
        self.key("name");
        let is_plain = |byte: &u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
        if bytes.iter().all(is_plain) {
            self.text.push(b'"');
            self.text.extend_from_slice(bytes);
            self.text.push(b'"');
        } else {
            let text = serde_json::Value::from(String::from_utf8_lossy(bytes)).to_string();
            self.push(&text);
        }
    }
}

impl Writer for Json {
    fn text(&mut self) -> &mut Vec<u8> {
        &mut self.text
    }

    fn begin(&mut self) {
        self.push("{\"types\":[");
    }

    fn end(&mut self) {
        self.push("]}\n");
    }

    fn ty(&mut self, id: u32, kind: &str, name: Name<'_>) {
        // What was taken away ended with a type, and so wants a comma too.
        if self.text.is_empty() {
            self.text.push(b',');
        } else {
            self.separate();
        }
        self.text.push(b'{');
        self.number("id", id.into());
        self.word("kind", kind);
        self.name(name);
    }

    fn end_ty(&mut self) {
        self.text.push(b'}');
    }

    fn number(&mut self, key: &str, value: i128) {
        self.key(key);
        self.text.extend_from_slice(self.number.format(value).as_bytes());
    }

    fn word(&mut self, key: &str, value: &str) {
        self.key(key);
        self.text.push(b'"');
        self.push(value);
        self.text.push(b'"');
    }

    fn parts(&mut self, key: &str) {
        self.key(key);
        self.text.push(b'[');
    }

    fn part(&mut self, name: Option<Name<'_>>) {
        self.separate();
        self.text.push(b'{');
        if let Some(name) = name {
            self.name(name);
        }
    }

    fn value(&mut self, value: i128, _: &str) {
        self.number("val", value);
    }

    fn entry(&mut self, _: Type<'_>) {}

    fn end_part(&mut self) {
        self.text.push(b'}');
    }

    fn end_parts(&mut self) {
        self.text.push(b']');
    }
}
