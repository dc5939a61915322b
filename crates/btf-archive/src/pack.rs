//! Bundles: archives that a program brings along.

use std::{
    collections::BTreeSet,
    io::{self, BufWriter, Write},
    path::Path,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
};

use btf_elf::Compression;
use btf_types::Btf;

use crate::{Archive, Entry, Error, Listed, content::Content, machine};

/// What becomes of each kernel's BTF.
type Transform<'a> = dyn Fn(&Btf) -> Result<Vec<u8>, String> + Sync + 'a;

/// What is told of how far it is: kernels done, of how many.
type Progress<'a> = dyn Fn(usize, usize) + Sync + 'a;

/// Writes a bundle: kernels of an archive, in a tar.
///
/// The same kernels make the same bytes, whatever the archive was: sorted, with
/// no times and no owners, and plain BTF in a folder for each machine.
pub struct Pack<'a> {
    package_json: Option<&'a [u8]>,
    distributions: Vec<String>,
    machines: Vec<String>,
    releases: Vec<String>,
    compression: Option<Compression>,
    transform: Box<Transform<'a>>,
    progress: Option<Box<Progress<'a>>>,
}

impl Default for Pack<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a> Pack<'a> {
    /// All kernels, as they are, not compressed.
    #[must_use]
    pub fn new() -> Self {
        Self {
            package_json: None,
            distributions: Vec::new(),
            machines: Vec::new(),
            releases: Vec::new(),
            compression: None,
            transform: Box::new(|btf| btf.to_bytes(btf.byte_order()).map_err(|error| error.to_string())),
            progress: None,
        }
    }

    /// With a `package.json` beside the kernels.
    #[must_use]
    pub fn package_json(mut self, json: &'a [u8]) -> Self {
        self.package_json = Some(json);
        self
    }

    /// Only kernels of this distribution, by its folder's name; of several, if
    /// called for several.
    #[must_use]
    pub fn distribution(mut self, name: impl Into<String>) -> Self {
        self.distributions.push(name.into());
        self
    }

    /// Only kernels of this machine, by any of its names; likewise.
    #[must_use]
    pub fn machine(mut self, name: impl Into<String>) -> Self {
        self.machines.push(name.into());
        self
    }

    /// Only kernels whose release is like a pattern, in which `*` stands for
    /// anything and `?` for one character; likewise.
    #[must_use]
    pub fn release(mut self, pattern: impl Into<String>) -> Self {
        self.releases.push(pattern.into());
        self
    }

    /// Compressed with gzip, xz or zstd.
    #[must_use]
    pub fn compression(mut self, compression: Compression) -> Self {
        self.compression = Some(compression);
        self
    }

    /// Not each kernel's BTF, but what this makes of it: trimmed, say. It is
    /// called on all cores.
    #[must_use]
    pub fn transform(mut self, transform: impl Fn(&Btf) -> Result<Vec<u8>, String> + Sync + 'a) -> Self {
        self.transform = Box::new(transform);
        self
    }

    /// Tells from time to time how many kernels are done, and of how many.
    #[must_use]
    pub fn progress(mut self, progress: impl Fn(usize, usize) + Sync + 'a) -> Self {
        self.progress = Some(Box::new(progress));
        self
    }

    fn wants(&self, entry: &Entry<'_>) -> bool {
        let any = |wanted: &[String], is: &dyn Fn(&str) -> bool| wanted.is_empty() || wanted.iter().any(|one| is(one));
        any(&self.distributions, &|name| name == entry.distribution)
            && any(&self.machines, &|name| entry.machine.is_none_or(|machine| machine::names(name).contains(&machine)))
            && any(&self.releases, &|pattern| matches(pattern.as_bytes(), entry.release.as_bytes()))
    }

    /// Writes a bundle to a file: beside it first, and under its name when it is
    /// whole. Returns how many kernels there are in it.
    ///
    /// # Errors
    ///
    /// Those of [`Pack::write`]; after one, an older file is as it was.
    pub fn write_file(&self, archive: &Archive, path: impl AsRef<Path>) -> Result<usize, Error> {
        let path = path.as_ref();
        let error = |source| Error::Io { path: path.into(), source };
        let folder = path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
        let file = tempfile::NamedTempFile::new_in(folder).map_err(error)?;
        let mut writer = BufWriter::new(file);
        let count = self.write(archive, &mut writer)?;
        let file = writer.into_inner().map_err(|failed| error(failed.into_error()))?;
        // Made for its owner alone; a bundle is for everybody.
        #[cfg(unix)]
        let _ = file.as_file().set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644));
        file.persist(path).map_err(|failed| error(failed.error))?;
        Ok(count)
    }

    /// Writes a bundle. Returns how many kernels there are in it.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] if the archive has none that are wanted; those of
    /// [`Archive::list`] and [`Archive::read`]; [`Error::Member`] with what
    /// [`Pack::transform`] says; [`Error::Tar`] if it cannot be written;
    /// [`Error::Refused`] for a compression that nothing here writes.
    pub fn write(&self, archive: &Archive, writer: impl Write) -> Result<usize, Error> {
        let damaged = |source| Error::Tar { source };
        match self.compression {
            None => self.write_tar(archive, writer).map(|(_, count)| count),
            Some(Compression::Gzip) => {
                let encoder = flate2::GzBuilder::new().mtime(0).write(writer, flate2::Compression::best());
                let (encoder, count) = self.write_tar(archive, encoder)?;
                encoder.finish().map_err(damaged)?;
                Ok(count)
            }
            Some(Compression::Xz) => {
                let options = lzma_rust2::XzOptions::with_preset(6);
                let encoder = lzma_rust2::XzWriter::new(writer, options).map_err(damaged)?;
                let (encoder, count) = self.write_tar(archive, encoder)?;
                encoder.finish().map_err(damaged)?;
                Ok(count)
            }
            Some(Compression::Zstd) => {
                // The encoder wants a reader: what is written goes to a file first.
                let mut spool = tempfile::tempfile().map_err(damaged)?;
                let (_, count) = self.write_tar(archive, &mut spool)?;
                io::Seek::rewind(&mut spool).map_err(damaged)?;
                let level = ruzstd::encoding::CompressionLevel::Fastest;
                ruzstd::encoding::compress(io::BufReader::new(spool), writer, level);
                Ok(count)
            }
            Some(other) => Err(Error::Refused { member: other.to_string(), what: "a compression that is not written" }),
        }
    }

    fn write_tar<W: Write>(&self, archive: &Archive, writer: W) -> Result<(W, usize), Error> {
        // A tar is unpacked first, so that each kernel is found without reading
        // all that are before it.
        let unpacked = match archive.folder() {
            Some(_) => None,
            None => Some(archive.unpack()?),
        };
        let folder = unpacked.as_ref().map(crate::Unpacked::archive).transpose()?;
        let archive = folder.as_ref().unwrap_or(archive);
        let mut wanted: Vec<(String, Listed)> = Vec::new();
        let mut names = BTreeSet::new();
        for listed in archive.list()?.into_iter().filter(|listed| listed.path == listed.file) {
            let Some(entry) = listed.entry().filter(|entry| self.wants(entry)) else { continue };
            let name = format!("btfhub-archive/{entry}.btf");
            if !names.insert(name.clone()) {
                return Err(Error::Refused { member: listed.path, what: "there twice, under another ending" });
            }
            wanted.push((name, listed));
        }
        if wanted.is_empty() {
            let host = "any kernel that is asked for".into();
            return Err(Error::NotFound { host, tried: Vec::new(), nearest: Vec::new() });
        }
        wanted.sort();
        let damaged = |source| Error::Tar { source };
        let mut builder = tar::Builder::new(writer);
        let mut append = |name: &str, bytes: &[u8]| {
            let mut header = tar::Header::new_gnu();
            header.set_mode(0o644);
            header.set_uid(0);
            header.set_gid(0);
            header.set_mtime(0);
            header.set_size(bytes.len() as u64);
            builder.append_data(&mut header, name, bytes).map_err(damaged)
        };
        if let Some(json) = self.package_json {
            append("package.json", json)?;
        }
        // As many at once as there are cores, and no more in memory.
        let cores = thread::available_parallelism().map_or(1, Into::into);
        for (index, group) in wanted.chunks(cores).enumerate() {
            if let Some(progress) = &self.progress {
                progress(index * cores, wanted.len());
            }
            for (bytes, (name, _)) in self.make(archive, group).into_iter().zip(group) {
                append(name, &bytes?)?;
            }
        }
        let count = wanted.len();
        Ok((builder.into_inner().map_err(damaged)?, count))
    }

    /// What becomes of some kernels, each on a thread of its own; in their order.
    fn make(&self, archive: &Archive, group: &[(String, Listed)]) -> Vec<Result<Vec<u8>, Error>> {
        let one = |listed: &Listed| {
            let member = || listed.file.clone();
            let bytes = archive.bytes_of(&listed.file)?;
            let content = Content::unpack(&listed.file, bytes, archive.limits())?;
            let btf = Btf::parse(content.vmlinux).map_err(|source| Error::Btf { member: member(), source })?;
            (self.transform)(&btf).map_err(|what| Error::Member { member: member(), what })
        };
        let next = AtomicUsize::new(0);
        let made = Mutex::new(Vec::new());
        let work = || {
            loop {
                let index = next.fetch_add(1, Relaxed);
                let Some((_, listed)) = group.get(index) else { return };
                let result = one(listed);
                made.lock().unwrap_or_else(PoisonError::into_inner).push((index, result));
            }
        };
        thread::scope(|scope| {
            (1..group.len()).for_each(|_| _ = scope.spawn(work));
            work();
        });
        let mut made = made.into_inner().unwrap_or_else(PoisonError::into_inner);
        made.sort_by_key(|(index, _)| *index);
        made.into_iter().map(|(_, result)| result).collect()
    }
}

impl std::fmt::Debug for Pack<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pack")
            .field("distributions", &self.distributions)
            .field("machines", &self.machines)
            .field("releases", &self.releases)
            .field("compression", &self.compression)
            .finish_non_exhaustive()
    }
}

/// Whether a text is like a pattern with `*` and `?`. Takes no longer than both
/// are long, multiplied.
pub(crate) fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    // Where the last star was, and what it stood for so far.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == b'?' || text.get(t) == Some(c) => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern.get(p..).unwrap_or_default().iter().all(|c| *c == b'*')
}

impl Pack<'_> {
    /// The compression that a file's name asks for: `.gz`, `.xz`, `.zst`.
    #[must_use]
    pub fn compression_of(path: &Path) -> Option<Compression> {
        match path.extension()?.to_str()? {
            "gz" | "tgz" => Some(Compression::Gzip),
            "xz" => Some(Compression::Xz),
            "zst" => Some(Compression::Zstd),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, text, expected) in [
            ("5.4.*", "5.4.0-42-generic", true),
            ("*-aws", "5.4.0-1029-aws", true),
            ("*-aws", "5.4.0-1029-azure", false),
            ("?.4*", "5.4", true),
            ("", "", true),
            ("*", "", true),
            ("a", "", false),
            ("*a*b*c", "xaxbxbxc", true),
        ] {
            assert_eq!(matches(pattern.as_bytes(), text.as_bytes()), expected, "{pattern} {text}");
        }
        let long = "*a".repeat(2000);
        assert!(!matches(long.as_bytes(), "b".repeat(20_000).as_bytes()));
    }
}
