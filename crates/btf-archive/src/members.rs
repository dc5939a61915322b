//! The members of a tar archive, one after the other, and nothing that an
//! archive of BTF does not have.
//!
//! Headers are the `tar` crate's. Going from one to the next is done here, as that
//! crate reads extended headers of any length into memory, and clears 32 KiB for
//! every member that it passes over: GNU's long names, and `path`, `linkpath`
//! and `size` of POSIX' extended headers.

use std::{
    borrow::Cow,
    fs::File,
    io::{self, BufRead, BufReader, Read},
    ops::Range,
    os::unix::fs::FileExt,
};

use tar::{EntryType, Header};

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
/// What is not read of a file is passed over. Two blocks of zeros end an archive,
/// and so does the end of the file between two members.
pub(crate) fn each(
    reader: impl Source,
    limits: &Limits,
    mut visit: impl FnMut(Member<'_>) -> Result<Step, Error>,
) -> Result<(), Error> {
    let mut reader = Bounded { reader, left: limits.bytes };
    let mut long = Extended::default();
    let mut count = 0;
    while let Some(header) = header(&mut reader, limits)? {
        count += 1;
        if count > limits.members {
            return Err(Error::Limit { what: "members of the archive", limit: limits.members });
        }
        let size = header.entry_size().map_err(damaged)?;
        let kind = header.entry_type();
        let padded = size.checked_next_multiple_of(BLOCK as u64).ok_or_else(|| damaged_by("a size without end"))?;
        let mut data = reader.by_ref().take(size);
        match kind {
            EntryType::GNULongName | EntryType::GNULongLink | EntryType::XHeader | EntryType::XGlobalHeader => {
                let contents = extended(&mut data, size)?;
                match kind {
                    EntryType::GNULongName => long.path = Some(text(contents)),
                    EntryType::GNULongLink => long.link = Some(text(contents)),
                    EntryType::XHeader => long.read(&contents)?,
                    // Of the whole archive, such as a commit's hash.
                    _ => {}
                }
                pass(&mut reader, padded - size, limits)?;
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
        let refused = |what| Error::Refused { member: raw.clone().into_owned(), what };
        if long_size.is_some_and(|long| long != size) {
            return Err(refused("two sizes"));
        }
        let path = inside(&raw, limits)?;
        let step = match kind {
            EntryType::Regular | EntryType::Continuous => visit(Member::File { path: &path, size, data: &mut data })?,
            EntryType::Directory => visit(Member::Folder)?,
            EntryType::Symlink | EntryType::Link => {
                let to = link.or_else(|| header.link_name_bytes().map(|name| text(name.into_owned())));
                let base =
                    if kind == EntryType::Link { "" } else { path.rsplit_once('/').map_or("", |(folder, _)| folder) };
                let target = join(base, &to.unwrap_or_default()).ok_or_else(|| refused("a link out of the archive"))?;
                visit(Member::Link { path: &path, target })?
            }
            EntryType::GNUSparse => return Err(refused("a sparse file")),
            EntryType::Block | EntryType::Char => return Err(refused("a device")),
            EntryType::Fifo => return Err(refused("a pipe")),
            _ => return Err(refused("of no known type")),
        };
        let left = data.limit();
        pass(&mut reader, left + (padded - size), limits)?;
        if step == Step::Stop {
            return Ok(());
        }
    }
    Ok(())
}

/// Bytes of a block, of which an archive is made.
const BLOCK: usize = 512;

/// The next member's header; `None` at the end.
fn header(reader: &mut impl Read, limits: &Limits) -> Result<Option<Header>, Error> {
    let mut header = Header::new_old();
    let mut filled = 0;
    while filled < BLOCK {
        let rest = header.as_mut_bytes().get_mut(filled..).unwrap_or_default();
        match reader.read(rest) {
            Ok(0) if filled == 0 => return Ok(None),
            Ok(0) => return Err(damaged(io::ErrorKind::UnexpectedEof.into())),
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(bounded(error, limits)),
        }
    }
    let bytes = header.as_bytes();
    if bytes.iter().all(|&byte| byte == 0) {
        return Ok(None);
    }
    // The checksum's own bytes, 148 to 155, count as spaces.
    let sum = |bytes: &[u8]| bytes.iter().map(|&byte| u32::from(byte)).sum::<u32>();
    let own = bytes.get(148..156).unwrap_or_default();
    let expected = sum(bytes) - sum(own) + 8 * u32::from(b' ');
    if header.cksum().map_err(damaged)? != expected {
        return Err(damaged_by("a header with a wrong checksum"));
    }
    Ok(Some(header))
}

/// Passes over bytes, which have to be there.
fn pass(reader: &mut Bounded<impl Source>, mut left: u64, limits: &Limits) -> Result<(), Error> {
    if reader.jump(left).map_err(damaged)? {
        return Ok(());
    }
    while left > 0 {
        let available = match reader.fill_buf() {
            Ok(available) => available.len(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(bounded(error, limits)),
        };
        if available == 0 {
            return Err(damaged(io::ErrorKind::UnexpectedEof.into()));
        }
        let passed = usize::try_from(left).unwrap_or(usize::MAX).min(available);
        reader.consume(passed);
        left -= passed as u64;
    }
    Ok(())
}

fn damaged(source: io::Error) -> Error {
    Error::Tar { source }
}

fn damaged_by(what: &'static str) -> Error {
    damaged(io::Error::new(io::ErrorKind::InvalidData, what))
}

/// Whether to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    On,
    Stop,
}

/// What is wrong with a path that is none of the archive's.
const OUT: &str = "a path that leads out of the archive";

/// A path of a member, without `.`; refused if it leads out.
fn inside<'a>(raw: &'a str, limits: &Limits) -> Result<Cow<'a, str>, Error> {
    if raw.len() > limits.path {
        let start: String = raw.chars().take(100).collect();
        return Err(Error::Refused { member: format!("{start}..."), what: "a path that is too long" });
    }
    if raw.starts_with('/') {
        return Err(Error::Refused { member: raw.into(), what: "an absolute path" });
    }
    let mut is_plain = !raw.is_empty();
    for part in raw.as_bytes().split(|&byte| byte == b'/') {
        match part {
            b".." => return Err(Error::Refused { member: raw.into(), what: OUT }),
            b"" | b"." => is_plain = false,
            part if part.contains(&0) => return Err(Error::Refused { member: raw.into(), what: OUT }),
            _ => {}
        }
    }
    Ok(if is_plain { raw.into() } else { join("", raw).unwrap_or_default().into() })
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
        let damaged = || damaged_by("an extended header is damaged");
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
    entry.read_to_end(&mut bytes).map_err(damaged)?;
    if (bytes.len() as u64) < size {
        return Err(damaged(io::ErrorKind::UnexpectedEof.into()));
    }
    Ok(bytes)
}

fn text(mut bytes: Vec<u8>) -> String {
    while bytes.last() == Some(&0) {
        bytes.pop();
    }
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// What an archive is read from.
pub(crate) trait Source: BufRead {
    /// Passes over bytes without reading them, if that can be done and is worth
    /// it.
    fn jump(&mut self, _count: u64) -> io::Result<bool> {
        Ok(false)
    }
}

impl Source for &[u8] {}
impl<R: Read> Source for BufReader<btf_elf::Decoder<R>> {}

/// A file that is no more than a tar: read where there is something to read, and
/// not between.
pub(crate) struct Plain {
    file: File,
    len: u64,
    /// Where in the file what is behind the buffer begins.
    position: u64,
    buffer: Vec<u8>,
    /// What of the buffer is not consumed yet.
    ready: Range<usize>,
}

/// A header, and a little: most often, what comes next is passed over.
const BUFFER: usize = 2 * BLOCK;

impl Plain {
    /// A file, from its start.
    pub(crate) fn new(file: File) -> io::Result<Self> {
        let len = file.metadata()?.len();
        Ok(Self { file, len, position: 0, buffer: vec![0; BUFFER], ready: 0..0 })
    }
}

impl Read for Plain {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.ready.is_empty() && buffer.len() >= BUFFER {
            let read = self.file.read_at(buffer, self.position)?;
            self.position += read as u64;
            return Ok(read);
        }
        let available = self.fill_buf()?;
        let len = available.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..len), available.get(..len)) {
            to.copy_from_slice(from);
        }
        self.consume(len);
        Ok(len)
    }
}

impl BufRead for Plain {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.ready.is_empty() {
            let read = self.file.read_at(&mut self.buffer, self.position)?;
            self.position += read as u64;
            self.ready = 0..read;
        }
        Ok(self.buffer.get(self.ready.clone()).unwrap_or_default())
    }

    fn consume(&mut self, count: usize) {
        self.ready.start = (self.ready.start + count).min(self.ready.end);
    }
}

impl Source for Plain {
    fn jump(&mut self, count: u64) -> io::Result<bool> {
        let beyond = match count.checked_sub(self.ready.len() as u64) {
            // Inside the buffer.
            None => return Ok(false),
            Some(beyond) => beyond,
        };
        let to = self.position.checked_add(beyond).filter(|&to| to <= self.len);
        if let Some(to) = to {
            self.position = to;
            self.ready = 0..0;
        }
        Ok(to.is_some())
    }
}

/// A reader that ends in an error where a limit is reached.
struct Bounded<R> {
    reader: R,
    left: u64,
}

impl<R: BufRead> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let allowed = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        if allowed == 0 {
            // At the limit there may be nothing more, which is fine.
            return if buffer.is_empty() { Ok(0) } else { self.fill_buf().map(<[u8]>::len) };
        }
        let read = self.reader.read(buffer.get_mut(..allowed).unwrap_or_default())?;
        self.left = self.left.saturating_sub(read as u64);
        Ok(read)
    }
}

impl<R: BufRead> BufRead for Bounded<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let available = self.reader.fill_buf()?;
        match usize::try_from(self.left) {
            Ok(0) if !available.is_empty() => Err(io::ErrorKind::FileTooLarge.into()),
            Ok(left) if left < available.len() => Ok(available.get(..left).unwrap_or_default()),
            _ => Ok(available),
        }
    }

    fn consume(&mut self, count: usize) {
        self.left = self.left.saturating_sub(count as u64);
        self.reader.consume(count);
    }
}

impl<R: Source> Source for Bounded<R> {
    fn jump(&mut self, count: u64) -> io::Result<bool> {
        let has_jumped = count <= self.left && self.reader.jump(count)?;
        if has_jumped {
            self.left -= count;
        }
        Ok(has_jumped)
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
