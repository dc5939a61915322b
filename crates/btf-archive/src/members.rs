//! Members of a tar archive. Kinds of members that an archive of BTF does not
//! have are rejected.
//!
//! Headers are parsed by the `tar` crate. The iteration is implemented here:
//! that crate reads extended headers of any length into memory, and clears 32
//! KiB for every skipped member. Supported are GNU's long names, and `path`,
//! `linkpath` and `size` of POSIX extended headers.

use std::{
    borrow::Cow,
    io::{self, Read},
};

use tar::{EntryType, Header};

use crate::{
    Error, Limits,
    detect::{BLOCK, is_end, is_sound, why_not},
    limits::Budget,
    stream::{Bounded, Source},
};

/// Maximum size of an extended header in bytes.
const EXTENDED: u64 = 64 << 10;

/// Maximum depth of a path.
const DEPTH: usize = 64;

/// Context of reading an archive: its name for errors, limits and budget.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scope<'a> {
    pub(crate) name: &'a str,
    pub(crate) limits: &'a Limits,
    pub(crate) budget: &'a Budget,
}

impl Scope<'_> {
    fn damaged(&self, reason: &'static str) -> Error {
        Error::Damaged { archive: self.name.into(), reason }
    }

    fn no_archive(&self, start: &[u8]) -> Error {
        let found = why_not(start).unwrap_or("it is compressed twice");
        Error::NotAnArchive { archive: self.name.into(), found }
    }

    /// Converts an I/O error of reading.
    pub(crate) fn unreadable(&self, error: io::Error) -> Error {
        match error.kind() {
            io::ErrorKind::FileTooLarge => Error::Limit { what: "bytes in the archive", limit: self.limits.bytes },
            io::ErrorKind::UnexpectedEof => self.damaged("it ends early"),
            _ => match error.downcast::<btf_elf::Error>() {
                Ok(btf_elf::Error::OutputLimit { limit, .. }) if limit == self.limits.bytes => {
                    Error::Limit { what: "bytes in the archive", limit }
                }
                Ok(btf_elf::Error::OutputLimit { .. }) => self.budget.exhausted(),
                Ok(reason) => Error::Decode { member: self.name.into(), reason },
                Err(reason) => Error::Io { operation: "read", path: self.name.into(), reason },
            },
        }
    }
}

/// Member of an archive.
pub(crate) enum Member<'a> {
    /// File, with its size and contents.
    File {
        path: &'a str,
        size: u64,
        data: &'a mut dyn Read,
    },
    /// Symbolic or hard link, with its target in the archive.
    Link {
        path: &'a str,
        target: String,
    },
    Folder,
}

/// Visits all members, until `visit` stops.
///
/// The unread part of a file is skipped. An archive ends with two blocks of
/// zeros, or at the end of the file between two members.
pub(crate) fn each(
    reader: impl Source,
    scope: Scope<'_>,
    mut visit: impl FnMut(Member<'_>) -> Result<Step, Error>,
) -> Result<(), Error> {
    let limits = scope.limits;
    let mut reader = Bounded::new(reader, limits.bytes);
    let mut long = Extended::default();
    let mut count = 0;
    while let Some(header) = header(&mut reader, count == 0, scope)? {
        count += 1;
        if count > limits.members {
            return Err(Error::Limit { what: "members in the archive", limit: limits.members });
        }
        let size = header.entry_size().map_err(|_| scope.damaged("a size is not a number"))?;
        let kind = header.entry_type();
        let padded = size.checked_next_multiple_of(BLOCK as u64).ok_or_else(|| scope.damaged("a size is too large"))?;
        let mut data = reader.by_ref().take(size);
        match kind {
            EntryType::GNULongName | EntryType::GNULongLink | EntryType::XHeader | EntryType::XGlobalHeader => {
                let contents = extended(&mut data, size, scope)?;
                match kind {
                    EntryType::GNULongName => long.path = Some(text(contents)),
                    EntryType::GNULongLink => long.link = Some(text(contents)),
                    EntryType::XHeader => long.read(&contents, scope)?,
                    // Data of the whole archive, such as the hash of a commit.
                    _ => {}
                }
                pass(&mut reader, padded - size, scope)?;
                continue;
            }
            _ => {}
        }
        let Extended { path, link, size: long_size } = std::mem::take(&mut long);
        let own = header.path_bytes();
        let raw = match (path, std::str::from_utf8(&own)) {
            (Some(path), _) => Cow::Owned(path),
            (None, Ok(own)) => Cow::Borrowed(own),
            (None, Err(_)) => String::from_utf8_lossy(&own),
        };
        let refused = |reason| Error::Refused { member: raw.clone().into_owned(), reason };
        if long_size.is_some_and(|long| long != size) {
            return Err(refused("two sizes"));
        }
        let path = inside(&raw, limits)?;
        let step = match kind {
            _ if path.is_empty() && kind != EntryType::Directory => {
                return Err(refused("a member without a name"));
            }
            EntryType::Regular | EntryType::Continuous => visit(Member::File { path: &path, size, data: &mut data })?,
            EntryType::Directory => visit(Member::Folder)?,
            EntryType::Symlink | EntryType::Link => {
                let to = link.or_else(|| header.link_name_bytes().map(|name| text(name.into_owned())));
                let base =
                    if kind == EntryType::Link { "" } else { path.rsplit_once('/').map_or("", |(folder, _)| folder) };
                let target = join(base, &to.unwrap_or_default())
                    .ok_or_else(|| refused("a link that leads out of the archive"))?;
                visit(Member::Link { path: &path, target })?
            }
            EntryType::GNUSparse => return Err(refused("a sparse file")),
            EntryType::Block | EntryType::Char => return Err(refused("a device")),
            EntryType::Fifo => return Err(refused("a pipe")),
            _ => return Err(refused("of no known type")),
        };
        let left = data.limit();
        pass(&mut reader, left + (padded - size), scope)?;
        if step == Step::Stop {
            return Ok(());
        }
    }
    Ok(())
}

/// Reads the header of the next member; `None` at the end.
fn header(reader: &mut impl Read, is_first: bool, scope: Scope<'_>) -> Result<Option<Header>, Error> {
    let mut header = Header::new_old();
    let mut filled = 0;
    while filled < BLOCK {
        let rest = header.as_mut_bytes().get_mut(filled..).unwrap_or_default();
        match reader.read(rest) {
            Ok(0) if filled == 0 && !is_first => return Ok(None),
            Ok(0) if is_first => {
                return Err(scope.no_archive(header.as_bytes().get(..filled).unwrap_or_default()));
            }
            Ok(0) => return Err(scope.damaged("it ends early")),
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(scope.unreadable(error)),
        }
    }
    if is_end(&header) {
        return Ok(None);
    }
    if !is_sound(&header) {
        if is_first {
            return Err(scope.no_archive(header.as_bytes()));
        }
        return Err(scope.damaged("a header has a wrong checksum"));
    }
    Ok(Some(header))
}

/// Skips bytes, which must exist.
fn pass(reader: &mut Bounded<impl Source>, mut left: u64, scope: Scope<'_>) -> Result<(), Error> {
    if reader.jump(left).map_err(|error| scope.unreadable(error))? {
        return Ok(());
    }
    while left > 0 {
        let available = match io::BufRead::fill_buf(reader) {
            Ok(available) => available.len(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(scope.unreadable(error)),
        };
        if available == 0 {
            return Err(scope.damaged("it ends early"));
        }
        let passed = usize::try_from(left).unwrap_or(usize::MAX).min(available);
        io::BufRead::consume(reader, passed);
        left -= passed as u64;
    }
    Ok(())
}

/// Decision to continue or to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    On,
    Stop,
}

/// Normalizes the path of a member: relative, without `.`. Rejected if it leads
/// outside. Empty for the archive's root folder.
fn inside<'a>(raw: &'a str, limits: &Limits) -> Result<Cow<'a, str>, Error> {
    let refused = |reason| Err(Error::Refused { member: raw.into(), reason });
    if raw.len() > limits.path {
        let start: String = raw.chars().take(100).collect();
        return Err(Error::Refused { member: format!("{start}..."), reason: "a path that is too long" });
    }
    if raw.starts_with('/') {
        return refused("an absolute path");
    }
    let mut is_plain = !raw.is_empty();
    for (depth, part) in raw.as_bytes().split(|&byte| byte == b'/').enumerate() {
        match part {
            b".." => return refused("a path that leads out of the archive"),
            _ if part.contains(&0) => return refused("a path with a NUL in it"),
            _ if depth > DEPTH => return refused("a path through too many folders"),
            b"" | b"." => is_plain = false,
            _ => {}
        }
    }
    Ok(if is_plain { raw.into() } else { join("", raw).unwrap_or_default().into() })
}

/// Returns the target of a link in a folder, if it is inside the archive.
pub(crate) fn join(folder: &str, target: &str) -> Option<String> {
    if target.starts_with('/') || target.is_empty() {
        return None;
    }
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => _ = parts.pop()?,
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Values of an extended header that do not fit the header of the next member.
#[derive(Default)]
struct Extended {
    path: Option<String>,
    link: Option<String>,
    size: Option<u64>,
}

impl Extended {
    /// Reads records of a length, a key and a value: `18 path=some/path
    /// `.
    fn read(&mut self, mut records: &[u8], scope: Scope<'_>) -> Result<(), Error> {
        let damaged = || scope.damaged("an extended header is damaged");
        while !records.is_empty() {
            let space = records.iter().position(|&byte| byte == b' ').ok_or_else(damaged)?;
            let (digits, _) = records.split_at(space);
            let len: usize =
                std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()).ok_or_else(damaged)?;
            let (record, rest) = records.split_at_checked(len).ok_or_else(damaged)?;
            records = rest;
            let record = record.get(space + 1..).and_then(|record| record.strip_suffix(b"\n")).ok_or_else(damaged)?;
            let equals = record.iter().position(|&byte| byte == b'=').ok_or_else(damaged)?;
            let (key, value) = record.split_at(equals);
            let value = text(value.get(1..).unwrap_or_default().to_vec());
            match key {
                b"path" => self.path = Some(value),
                b"linkpath" => self.link = Some(value),
                b"size" => self.size = Some(value.parse().map_err(|_| damaged())?),
                key if key.starts_with(b"GNU.sparse") => {
                    return Err(Error::Refused { member: text(key.to_vec()), reason: "a sparse file" });
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn extended(entry: &mut impl Read, size: u64, scope: Scope<'_>) -> Result<Vec<u8>, Error> {
    if size > EXTENDED {
        return Err(Error::Limit { what: "bytes in an extended header", limit: EXTENDED });
    }
    let mut bytes = Vec::new();
    entry.read_to_end(&mut bytes).map_err(|error| scope.unreadable(error))?;
    if (bytes.len() as u64) < size {
        return Err(scope.damaged("it ends early"));
    }
    Ok(bytes)
}

fn text(mut bytes: Vec<u8>) -> String {
    while bytes.last() == Some(&0) {
        bytes.pop();
    }
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}
