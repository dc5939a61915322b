//! Bundles: archives that a program brings along.

use std::{
    collections::BTreeMap,
    error::Error as StdError,
    io::{self, Read, Write},
    panic::resume_unwind,
    path::Path,
    thread,
};

use btf_elf::Compression;
use btf_types::Btf;

use crate::{
    Archive, Entry, Error, Listed, OutputFile, alias, glob::matches, limits::Budget, machine, unpack::PACKAGE_JSON,
};

/// Any error of a transformation.
type AnyError = Box<dyn StdError + Send + Sync>;

/// A transformation of each kernel's BTF.
type Transform<'a> = dyn Fn(&Btf) -> Result<Vec<u8>, AnyError> + Sync + 'a;

/// A callback for progress: kernels done, and all.
type Progress<'a> = dyn Fn(usize, usize) + Sync + 'a;

/// Writes a bundle: kernels of an archive, in a tar.
///
/// Bundles are reproducible: the same kernels make the same bytes, whatever the
/// archive was; sorted, with no times and no owners, and plain BTF in a folder for each machine.
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
            transform: Box::new(|btf| Ok(btf.to_bytes(btf.byte_order())?)),
            progress: None,
        }
    }

    /// With a `package.json` beside the kernels.
    #[must_use]
    pub fn package_json(mut self, json: &'a [u8]) -> Self {
        self.package_json = Some(json);
        self
    }

    /// Only kernels of this distribution, by any of its names; of several, if
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

    /// Returns the compression that a bundle's name asks for: `.tar` is none,
    /// `.tar.gz` and `.tgz`, `.tar.xz` and `.txz`, `.tar.zst` and `.tzst`, in
    /// any case; also without `.tar`.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownEnding`] for any other name; [`Error::CannotCompress`] if
    /// it asks for what nothing here writes.
    pub fn compression_of(path: &Path) -> Result<Option<Compression>, Error> {
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_ascii_lowercase();
        let compression = match ending.as_str() {
            "tar" => return Ok(None),
            "gz" | "tgz" => Compression::Gzip,
            "xz" | "txz" => Compression::Xz,
            "zst" | "tzst" | "zstd" => Compression::Zstd,
            "bz2" | "tbz2" | "tbz" => Compression::Bzip2,
            "lz4" => Compression::Lz4,
            "lzma" | "tlz" => Compression::Lzma,
            _ => return Err(Error::UnknownEnding { path: path.into() }),
        };
        match compression {
            Compression::Gzip | Compression::Xz | Compression::Zstd => Ok(Some(compression)),
            compression => Err(Error::CannotCompress { compression }),
        }
    }

    /// Packs not each kernel's BTF, but what a function makes of it: trimmed,
    /// say. It is called on all cores.
    #[must_use]
    pub fn transform<E: Into<Box<dyn StdError + Send + Sync>>>(
        mut self,
        transform: impl Fn(&Btf) -> Result<Vec<u8>, E> + Sync + 'a,
    ) -> Self {
        self.transform = Box::new(move |btf| transform(btf).map_err(Into::into));
        self
    }

    /// Calls a function from time to time with the number of kernels that are
    /// done, and of all.
    #[must_use]
    pub fn progress(mut self, progress: impl Fn(usize, usize) + Sync + 'a) -> Self {
        self.progress = Some(Box::new(progress));
        self
    }

    fn wants(&self, entry: &Entry<'_>) -> bool {
        let any = |wanted: &[String], is: &dyn Fn(&str) -> bool| wanted.is_empty() || wanted.iter().any(|one| is(one));
        any(&self.distributions, &|name| alias::distributions(name).iter().any(|known| known == entry.distribution))
            && any(&self.machines, &|name| entry.machine.is_none_or(|machine| machine::names(name).contains(&machine)))
            && any(&self.releases, &|pattern| matches(pattern, entry.release))
    }

    /// Writes a bundle to a file, as [`OutputFile`] does, and returns the number
    /// of kernels in it.
    ///
    /// # Errors
    ///
    /// Those of [`Pack::write`]; after one, an older file is as it was.
    pub fn write_file(&self, archive: &Archive, path: impl AsRef<Path>) -> Result<usize, Error> {
        let mut file = OutputFile::create(path.as_ref())?;
        let count = self.write(archive, &mut file)?;
        file.commit()?;
        Ok(count)
    }

    /// Writes a bundle, and returns the number of kernels in it.
    ///
    /// # Errors
    ///
    /// [`Error::NoMatch`] if the archive has none that are wanted;
    /// [`Error::Conflict`] if a kernel is there twice, with other contents;
    /// those of [`Archive::list`] and [`Archive::read`]; [`Error::Transform`];
    /// [`Error::Write`]; [`Error::CannotCompress`].
    pub fn write(&self, archive: &Archive, writer: impl Write) -> Result<usize, Error> {
        let failed = |reason| Error::Write { reason };
        match self.compression {
            None => self.write_tar(archive, writer).map(|(_, count)| count),
            Some(Compression::Gzip) => {
                let encoder = flate2::GzBuilder::new().mtime(0).write(writer, flate2::Compression::best());
                let (encoder, count) = self.write_tar(archive, encoder)?;
                encoder.finish().map_err(failed)?;
                Ok(count)
            }
            Some(Compression::Xz) => {
                let options = lzma_rust2::XzOptions::with_preset(6);
                let encoder = lzma_rust2::XzWriter::new(writer, options).map_err(failed)?;
                let (encoder, count) = self.write_tar(archive, encoder)?;
                encoder.finish().map_err(failed)?;
                Ok(count)
            }
            Some(Compression::Zstd) => {
                // The encoder wants a reader: what is written goes to a file first.
                let mut spool = tempfile::tempfile().map_err(failed)?;
                let (_, count) = self.write_tar(archive, &mut spool)?;
                io::Seek::rewind(&mut spool).map_err(failed)?;
                let (mut reader, mut writer) = (Patient::new(io::BufReader::new(spool)), Patient::new(writer));
                let level = ruzstd::encoding::CompressionLevel::Fastest;
                ruzstd::encoding::compress(&mut reader, &mut writer, level);
                reader.finish().and_then(|_| writer.finish()).map_err(failed)?;
                Ok(count)
            }
            Some(compression) => Err(Error::CannotCompress { compression }),
        }
    }

    fn write_tar<W: Write>(&self, archive: &Archive, writer: W) -> Result<(W, usize), Error> {
        // A tar is unpacked first, so that each kernel is found without reading
        // all that are before it.
        let unpacked = if archive.is_folder() { None } else { Some(archive.unpack()?) };
        let folder = unpacked.as_ref().map(crate::Unpacked::archive).transpose()?;
        let name = archive.name();
        let archive = folder.as_ref().unwrap_or(archive);
        let budget = Budget::default();
        let mut wanted: BTreeMap<String, Listed> = BTreeMap::new();
        for listed in archive.list()?.into_iter().filter(|listed| !listed.is_link()) {
            let Some(entry) = listed.entry().filter(|entry| self.wants(entry)) else { continue };
            let name = format!("btfhub-archive/{entry}.btf");
            match wanted.get(&name) {
                None => _ = wanted.insert(name, listed),
                // Under another ending.
                Some(other) if archive.are_same(&[other.file(), listed.file()], &budget)? => {}
                Some(other) => {
                    return Err(Error::Conflict { member: other.path().into(), other: listed.path().into() });
                }
            }
        }
        if wanted.is_empty() {
            return Err(Error::NoMatch { wanted: self.to_string(), archive: name.into() });
        }
        let wanted: Vec<(String, Listed)> = wanted.into_iter().collect();
        let failed = |reason| Error::Write { reason };
        let mut builder = tar::Builder::new(writer);
        let mut append = |name: &str, bytes: &[u8]| {
            let mut header = tar::Header::new_gnu();
            header.set_mode(0o644);
            header.set_uid(0);
            header.set_gid(0);
            header.set_mtime(0);
            header.set_size(bytes.len() as u64);
            builder.append_data(&mut header, name, bytes).map_err(failed)
        };
        if let Some(json) = self.package_json {
            append(PACKAGE_JSON, json)?;
        }
        // As many at once as there are cores, and no more in memory.
        let cores = thread::available_parallelism().map_or(1, Into::into);
        for (index, group) in wanted.chunks(cores).enumerate() {
            if let Some(progress) = &self.progress {
                progress(index * cores, wanted.len());
            }
            for (bytes, (name, _)) in self.make(archive, group, &budget).into_iter().zip(group) {
                append(name, &bytes?)?;
            }
        }
        let count = wanted.len();
        Ok((builder.into_inner().map_err(failed)?, count))
    }

    /// Transforms some kernels, each on a thread of its own; in their order.
    fn make(&self, archive: &Archive, group: &[(String, Listed)], budget: &Budget) -> Vec<Result<Vec<u8>, Error>> {
        let one = |listed: &Listed| {
            let btf = archive.read_within(listed.file(), budget)?;
            (self.transform)(&btf).map_err(|reason| Error::Transform { member: listed.file().into(), reason })
        };
        thread::scope(|scope| {
            let made: Vec<_> = group.iter().map(|(_, listed)| scope.spawn(move || one(listed))).collect();
            made.into_iter().map(|made| made.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
        })
    }
}

impl std::fmt::Display for Pack<'_> {
    /// The kernels that are wanted.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let wanted = [("distribution", &self.distributions), ("machine", &self.machines), ("release", &self.releases)];
        let mut separator = "";
        for (name, patterns) in wanted.into_iter().filter(|(_, patterns)| !patterns.is_empty()) {
            write!(f, "{separator}{name} {}", patterns.join(" or "))?;
            separator = ", ";
        }
        if separator.is_empty() { f.write_str("any release") } else { Ok(()) }
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

/// Something to read from, or to write to, that keeps what goes wrong to itself
/// until it is asked: zstd's encoder panics on it.
struct Patient<T> {
    inner: T,
    fault: Option<io::Error>,
}

impl<T> Patient<T> {
    fn new(inner: T) -> Self {
        Self { inner, fault: None }
    }

    /// The first error.
    fn finish(self) -> io::Result<T> {
        self.fault.map_or(Ok(self.inner), Err)
    }
}

impl<R: Read> Read for Patient<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.inner.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.fault.get_or_insert(error);
                    return Ok(0);
                }
                read => return read,
            }
        }
    }
}

impl<W: Write> Write for Patient<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        if self.fault.is_none() {
            self.fault = self.inner.write_all(buffer).err();
        }
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.fault.is_none() {
            self.fault = self.inner.flush().err();
        }
        Ok(())
    }
}
