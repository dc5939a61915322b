//! The members of a tar archive, one after the other, and nothing that an
//! archive of BTF does not have.
//!
//! Names are put together here and not by the `tar` crate, which reads extended
//! headers of any length into memory: GNU's long names, and `path`, `linkpath`
//! and `size` of POSIX' extended headers.

use std::io::{self, Read};

use tar::{Archive, EntryType};

use crate::{Error, Limits};

/// As long an extended header can be.
const EXTENDED: u64 = 64 << 10;

/// A member.
pub(crate) enum Member<'a> {
    /// A file, with its size and contents.
    File {
        path: &'a str,
        size: u64,
        data: &'a mut dyn Read,
    },
    /// A symbolic or hard link; the path that it leads to is in the archive.
    Link {
        path: &'a str,
        target: String,
    },
    Folder,
}

/// Goes through all members, until `visit` says that it has seen enough.
///
/// Every file that is not read to its end is passed over.
pub(crate) fn each(
    reader: impl Read,
    limits: &Limits,
    mut visit: impl FnMut(Member<'_>) -> Result<Step, Error>,
) -> Result<(), Error> {
    let damaged = |source| Error::Tar { source };
    let mut archive = Archive::new(Bounded { reader, left: limits.bytes });
    let mut long = Extended::default();
    let mut count = 0;
    for entry in archive.entries().map_err(damaged)?.raw(true) {
        let mut entry = entry.map_err(|source| bounded(source, limits))?;
        count += 1;
        if count > limits.members {
            return Err(Error::Limit { what: "members of the archive", limit: limits.members });
        }
        let kind = entry.header().entry_type();
        let size = entry.size();
        match kind {
            EntryType::GNULongName => {
                long.path = Some(text(extended(&mut entry, size)?));
                continue;
            }
            EntryType::GNULongLink => {
                long.link = Some(text(extended(&mut entry, size)?));
                continue;
            }
            EntryType::XHeader => {
                long.read(&extended(&mut entry, size)?)?;
                continue;
            }
            // Of the whole archive, such as a commit's hash.
            EntryType::XGlobalHeader => {
                extended(&mut entry, size)?;
                continue;
            }
            _ => {}
        }
        let Extended { path, link, size: long_size } = std::mem::take(&mut long);
        let raw = path.unwrap_or_else(|| text(entry.path_bytes().into_owned()));
        if long_size.is_some_and(|long| long != size) {
            return Err(Error::Refused { member: raw, what: "two sizes" });
        }
        let path = inside(&raw, limits)?;
        let step = match kind {
            EntryType::Regular | EntryType::Continuous => {
                let mut whole = Counted { reader: &mut entry, count: 0 };
                let step = visit(Member::File { path: &path, size, data: &mut whole })?;
                io::copy(&mut whole, &mut io::sink()).map_err(|source| bounded(source, limits))?;
                if whole.count < size {
                    return Err(damaged(io::ErrorKind::UnexpectedEof.into()));
                }
                step
            }
            EntryType::Directory => visit(Member::Folder)?,
            EntryType::Symlink | EntryType::Link => {
                let to =
                    link.or_else(|| entry.link_name_bytes().map(|name| text(name.into_owned()))).unwrap_or_default();
                let base =
                    if kind == EntryType::Link { "" } else { path.rsplit_once('/').map_or("", |(folder, _)| folder) };
                let target = join(base, &to)
                    .ok_or_else(|| Error::Refused { member: raw.clone(), what: "a link out of the archive" })?;
                visit(Member::Link { path: &path, target })?
            }
            EntryType::GNUSparse => return Err(Error::Refused { member: raw, what: "a sparse file" }),
            EntryType::Block | EntryType::Char => return Err(Error::Refused { member: raw, what: "a device" }),
            EntryType::Fifo => return Err(Error::Refused { member: raw, what: "a pipe" }),
            _ => return Err(Error::Refused { member: raw, what: "of no known type" }),
        };
        if step == Step::Stop {
            return Ok(());
        }
    }
    Ok(())
}

/// Whether to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    On,
    Stop,
}

/// A path of a member, without `.`; refused if it leads out.
fn inside(raw: &str, limits: &Limits) -> Result<String, Error> {
    if raw.len() > limits.path {
        let start: String = raw.chars().take(100).collect();
        return Err(Error::Refused { member: format!("{start}..."), what: "a path that is too long" });
    }
    if raw.starts_with('/') {
        return Err(Error::Refused { member: raw.into(), what: "an absolute path" });
    }
    if raw.contains('\0') || raw.split('/').any(|part| part == "..") {
        return Err(Error::Refused { member: raw.into(), what: "a path that leads out of the archive" });
    }
    Ok(join("", raw).unwrap_or_default())
}

/// Where a link in a folder leads, if that is inside the archive.
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

/// What stands before a member of what does not fit its header.
#[derive(Default)]
struct Extended {
    path: Option<String>,
    link: Option<String>,
    size: Option<u64>,
}

impl Extended {
    /// Records of a length, a key and a value: `18 path=some/path\n`.
    fn read(&mut self, mut records: &[u8]) -> Result<(), Error> {
        let damaged =
            || Error::Tar { source: io::Error::new(io::ErrorKind::InvalidData, "an extended header is damaged") };
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
                    return Err(Error::Refused { member: text(key.to_vec()), what: "a sparse file" });
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn extended(entry: &mut impl Read, size: u64) -> Result<Vec<u8>, Error> {
    if size > EXTENDED {
        return Err(Error::Limit { what: "bytes of an extended header", limit: EXTENDED });
    }
    let mut bytes = Vec::new();
    entry.read_to_end(&mut bytes).map_err(|source| Error::Tar { source })?;
    if (bytes.len() as u64) < size {
        return Err(Error::Tar { source: io::ErrorKind::UnexpectedEof.into() });
    }
    Ok(bytes)
}

fn text(mut bytes: Vec<u8>) -> String {
    while bytes.last() == Some(&0) {
        bytes.pop();
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A reader that counts.
struct Counted<'a, R> {
    reader: &'a mut R,
    count: u64,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.count += read as u64;
        Ok(read)
    }
}

/// A reader that ends in an error where a limit is reached.
struct Bounded<R> {
    reader: R,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        match self.left.checked_sub(read as u64) {
            Some(left) => self.left = left,
            None => return Err(io::ErrorKind::FileTooLarge.into()),
        }
        Ok(read)
    }
}

/// What an error of reading means.
fn bounded(source: io::Error, limits: &Limits) -> Error {
    if source.kind() == io::ErrorKind::FileTooLarge {
        return Error::Limit { what: "bytes of the archive", limit: limits.bytes };
    }
    match source.downcast::<btf_elf::Error>() {
        Ok(source) => Error::Decode { member: "the archive".into(), source },
        Err(source) => Error::Tar { source },
    }
}
