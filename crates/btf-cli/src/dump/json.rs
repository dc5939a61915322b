//! JSON: the document of `bpftool -j btf dump` with two bugs fixed: values of
//! unsigned enumerators are unsigned, and names are escaped. (Bytes that are not
//! UTF-8 become U+FFFD.)

use std::io::{self, Write};

use btf_types::{Name, Type};

use super::Writer;
use crate::json::Json;

fn write_name<W: Write>(json: &mut Json<'_, W>, name: Name<'_>) -> io::Result<()> {
    json.key("name")?;
    json.name(if name.is_empty() { "(anon)".into() } else { name })
}

impl<W: Write> Writer for Json<'_, W> {
    fn begin(&mut self) -> io::Result<()> {
        self.begin_object()?;
        self.key("types")?;
        self.begin_array()
    }

    fn finish(&mut self) -> io::Result<()> {
        self.end_array()?;
        self.end_object()
    }

    fn ty(&mut self, id: u32, kind: &str, name: Name<'_>) -> io::Result<()> {
        self.begin_object()?;
        Writer::number(self, "id", id.into())?;
        self.word("kind", kind)?;
        write_name(self, name)
    }

    fn end_ty(&mut self) -> io::Result<()> {
        self.end_object()
    }

    fn number(&mut self, key: &str, value: i128) -> io::Result<()> {
        self.key(key)?;
        Json::number(self, value)
    }

    fn word(&mut self, key: &str, value: &str) -> io::Result<()> {
        self.key(key)?;
        self.str(value)
    }

    fn parts(&mut self, key: &str) -> io::Result<()> {
        self.key(key)?;
        self.begin_array()
    }

    fn part(&mut self, name: Option<Name<'_>>) -> io::Result<()> {
        self.begin_object()?;
        name.map_or(Ok(()), |name| write_name(self, name))
    }

    fn value(&mut self, value: i128, _: &str) -> io::Result<()> {
        Writer::number(self, "val", value)
    }

    fn entry(&mut self, _: Type<'_>) -> io::Result<()> {
        Ok(())
    }

    fn end_part(&mut self) -> io::Result<()> {
        self.end_object()
    }

    fn end_parts(&mut self) -> io::Result<()> {
        self.end_array()
    }
}
