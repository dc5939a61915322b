//! Packing bundles: archives that programs ship.

use std::{
    collections::BTreeMap,
    error::Error as StdError,
    io::{self, Read, Write},
    path::Path,
};

use btf_elf::{Compression, in_order, types::format::glob_matches};
#[cfg(feature = "trim")]
use btf_relocate::Trim;
#[cfg(feature = "trim")]
use btf_types::Collection;
use btf_types::{Btf, Bytes};

use crate::{
    Archive, Entry, Error, LeftOut, Listed, OutputFile, Packed, alias,
    content::{Content, modules_path},
    limits::Budget,
    machine,
    unpack::PACKAGE_JSON,
};

/// Error of a transformation.
type AnyError = Box<dyn StdError + Send + Sync>;

/// Transformation of each kernel's BTF.
type Transform<'a> = dyn Fn(&Btf) -> Result<Vec<u8>, AnyError> + Sync + 'a;

/// Work to do for each kernel.
enum Work<'a> {
    Whole,
    Transformed(Box<Transform<'a>>),
    #[cfg(feature = "trim")]
    Trimmed(Trim),
}

/// Progress callback: takes the numbers of finished kernels and of all kernels.
type Progress<'a> = dyn Fn(usize, usize) + Sync + 'a;

/// Writes a bundle: a tar with kernels of an archive.
///
/// Bundles are reproducible: the same kernels give the same bytes, whatever the
/// archive. Files are sorted, without times and owners, and contain plain BTF:
/// `btfhub-archive/ubuntu/20.04/x86_64/5.4.0-42-generic.btf`. If the archive
/// has the BTF of the kernel's modules, it is in a tar beside,
/// `5.4.0-42-generic.btf.modules.tar`, where [`Selection::module`] finds it.
///
/// Kernels are read on all cores, and only a few are in memory at a time.
///
/// [`Selection::module`]: crate::Selection::module
///
/// ```
/// # fn main() -> Result<(), btf_archive::Error> {
/// use btf_archive::{Archive, Pack, elf::Compression};
///
/// let mut bundle = Vec::new();
/// let pack = Pack::new().release("6.1.*").compression(Compression::Zstd);
/// let packed = pack.write(&Archive::open("doc/btfhub")?, &mut bundle)?;
/// assert!(packed.left_out.is_empty());
///
/// let bundle = Archive::parse(bundle)?; // what a program embeds
/// assert_eq!(bundle.list()?.len(), 1);
/// # Ok(())
/// # }
/// ```
pub struct Pack<'a> {
    package_json: Option<&'a [u8]>,
    distributions: Vec<String>,
    machines: Vec<String>,
    releases: Vec<String>,
    compression: Option<Compression>,
    work: Work<'a>,
    progress: Option<Box<Progress<'a>>>,
}

impl Default for Pack<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a> Pack<'a> {
    /// Packs all kernels unchanged, without compression.
    #[must_use]
    pub fn new() -> Self {
        Self {
            package_json: None,
            distributions: Vec::new(),
            machines: Vec::new(),
            releases: Vec::new(),
            compression: None,
            work: Work::Whole,
            progress: None,
        }
    }

    /// Adds a `package.json` beside the kernels.
    #[must_use]
    pub fn package_json(mut self, json: &'a [u8]) -> Self {
        self.package_json = Some(json);
        self
    }

    /// Packs only kernels of this distribution, by any of its names. Repeat for
    /// several.
    #[must_use]
    pub fn distribution(mut self, name: impl Into<String>) -> Self {
        self.distributions.push(name.into());
        self
    }

    /// Packs only kernels of this machine, by any of its names. Repeat for
    /// several.
    #[must_use]
    pub fn machine(mut self, name: impl Into<String>) -> Self {
        self.machines.push(name.into());
        self
    }

    /// Packs only kernels whose release matches a glob pattern with `*` and
    /// `?`. Repeat for several.
    #[must_use]
    pub fn release(mut self, pattern: impl Into<String>) -> Self {
        self.releases.push(pattern.into());
        self
    }

    /// Sets the compression: gzip, xz or zstd.
    #[must_use]
    pub fn compression(mut self, compression: Compression) -> Self {
        self.compression = Some(compression);
        self
    }

    /// Returns the compression by the name of a bundle: none for `.tar`, else
    /// `.tar.gz` and `.tgz`, `.tar.xz` and `.txz`, `.tar.zst` and `.tzst`, also
    /// without `.tar`. Case is ignored.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownEnding`] for any other name; [`Error::CannotCompress`]
    /// for a compression that cannot be written.
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

    /// Packs only the types that programs need, of each kernel and its modules:
    /// a few kilobytes.
    ///
    /// Kernels for which a relocation is ambiguous are left out.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use btf_archive::{Archive, Pack, elf::{BpfObject, Compression}, relocate::Trim};
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let bundle = folder.path().join("min_core_btfs.tar.gz");
    /// let trim = Trim::new().object(&BpfObject::open("doc/probe.bpf.o")?)?;
    /// let pack = Pack::new().trim(&trim).compression(Compression::Gzip);
    /// let packed = pack.write_file(&Archive::open("doc/btfhub")?, &bundle)?;
    /// assert!(packed.left_out.is_empty(), "{:?}", packed.left_out);
    ///
    /// let trimmed = Archive::open(&bundle)?.read("btfhub-archive/debian/12/x86_64/6.1.0-9-amd64.btf")?;
    /// assert!(trimmed.path("task_struct.pid").is_ok()); // what the program reads
    /// assert!(trimmed.path("task_struct.comm").is_err()); // and no more
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "trim")]
    #[must_use]
    pub fn trim(mut self, trim: &Trim) -> Self {
        self.work = Work::Trimmed(trim.clone());
        self
    }

    /// Packs the result of a function for each kernel's BTF. It is called on
    /// all cores. Modules are left out, as they refer to types of the kernel by
    /// id.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_archive::Error> {
    /// use btf_archive::{Archive, Pack, types::ByteOrder};
    ///
    /// let pack = Pack::new().transform(|btf| btf.to_bytes(ByteOrder::Big));
    /// let mut bundle = Vec::new();
    /// pack.write(&Archive::open("doc/btfhub")?, &mut bundle)?;
    /// let btf = Archive::parse(bundle)?.read("btfhub-archive/debian/12/x86_64/6.1.0-9-amd64.btf")?;
    /// assert_eq!(btf.byte_order(), ByteOrder::Big);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn transform<E: Into<Box<dyn StdError + Send + Sync>>>(
        mut self,
        transform: impl Fn(&Btf) -> Result<Vec<u8>, E> + Sync + 'a,
    ) -> Self {
        self.work = Work::Transformed(Box::new(move |btf| transform(btf).map_err(Into::into)));
        self
    }

    /// Sets a function that is called from time to time with the number of
    /// finished kernels and of all kernels.
    #[must_use]
    pub fn progress(mut self, progress: impl Fn(usize, usize) + Sync + 'a) -> Self {
        self.progress = Some(Box::new(progress));
        self
    }

    fn wants(&self, entry: &Entry<'_>) -> bool {
        let any = |wanted: &[String], is: &dyn Fn(&str) -> bool| wanted.is_empty() || wanted.iter().any(|one| is(one));
        any(&self.distributions, &|name| alias::distributions(name).iter().any(|known| known == entry.distribution))
            && any(&self.machines, &|name| entry.machine.is_none_or(|machine| machine::names(name).contains(&machine)))
            && any(&self.releases, &|pattern| glob_matches(pattern, entry.release))
    }

    /// Writes a bundle to a file, which is replaced atomically by
    /// [`OutputFile`].
    ///
    /// # Errors
    ///
    /// Those of [`Pack::write`]. An existing file is then unchanged.
    pub fn write_file(&self, archive: &Archive, path: impl AsRef<Path>) -> Result<Packed, Error> {
        let mut file = OutputFile::create(path.as_ref())?;
        let packed = self.write(archive, &mut file)?;
        file.commit()?;
        Ok(packed)
    }

    /// Writes a bundle.
    ///
    /// Kernels that are damaged, or cannot be trimmed or transformed, are left
    /// out: [`Packed::left_out`] has the reasons.
    ///
    /// # Errors
    ///
    /// [`Error::NoMatch`] if no kernel matches; the first reason if all
    /// matching kernels are left out; [`Error::Conflict`] if a kernel occurs
    /// twice with different contents; those of [`Archive::list`];
    /// [`Error::Write`]; [`Error::CannotCompress`].
    pub fn write(&self, archive: &Archive, writer: impl Write) -> Result<Packed, Error> {
        let failed = |reason| Error::Write { reason };
        match self.compression {
            None => self.write_tar(archive, writer).map(|(_, packed)| packed),
            Some(Compression::Gzip) => {
                let encoder = flate2::GzBuilder::new().mtime(0).write(writer, flate2::Compression::best());
                let (encoder, packed) = self.write_tar(archive, encoder)?;
                encoder.finish().map_err(failed)?;
                Ok(packed)
            }
            Some(Compression::Xz) => {
                let options = lzma_rust2::XzOptions::with_preset(6);
                let encoder = lzma_rust2::XzWriter::new(writer, options).map_err(failed)?;
                let (encoder, packed) = self.write_tar(archive, encoder)?;
                encoder.finish().map_err(failed)?;
                Ok(packed)
            }
            Some(Compression::Zstd) => {
                // The encoder needs a reader, so the tar is written to a file
                // first.
                let mut spool = tempfile::tempfile().map_err(failed)?;
                let (_, packed) = self.write_tar(archive, &mut spool)?;
                io::Seek::rewind(&mut spool).map_err(failed)?;
                let (mut reader, mut writer) = (Patient::new(io::BufReader::new(spool)), Patient::new(writer));
                let level = ruzstd::encoding::CompressionLevel::Fastest;
                ruzstd::encoding::compress(&mut reader, &mut writer, level);
                reader.finish().and_then(|_| writer.finish()).map_err(failed)?;
                Ok(packed)
            }
            Some(compression) => Err(Error::CannotCompress { compression }),
        }
    }

    fn write_tar<W: Write>(&self, archive: &Archive, writer: W) -> Result<(W, Packed), Error> {
        // A tar is unpacked first, so that a kernel is found without reading
        // all those before it.
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
                // The same kernel in a file with another ending.
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
        if let Some(json) = self.package_json {
            append(&mut builder, PACKAGE_JSON, json).map_err(failed)?;
        }
        let mut packed = Packed { kernels: 0, left_out: Vec::new(), without_types: Vec::new() };
        let mut done = 0;
        let make = |(_, listed): &(String, Listed)| self.make(archive, listed.file(), &budget);
        in_order(&wanted, make, |(name, listed), made| {
            done += 1;
            if let Some(progress) = &self.progress {
                progress(done, wanted.len());
            }
            let left_out = |module, reason| LeftOut { path: listed.file().into(), module, reason };
            match made {
                Ok(made) => {
                    append(&mut builder, name, &made.vmlinux).map_err(failed)?;
                    if !made.modules.is_empty() {
                        let path = modules_path(name).unwrap_or_default();
                        append(&mut builder, &path, &tar_of(&made.modules).map_err(failed)?).map_err(failed)?;
                    }
                    let faults = made.faults.into_iter();
                    packed.left_out.extend(faults.map(|(module, reason)| left_out(Some(module), reason)));
                    packed.kernels += 1;
                    if !made.has_types {
                        packed.without_types.push(listed.file().into());
                    }
                }
                Err(reason) if reason.is_of_one_file() => packed.left_out.push(left_out(None, reason)),
                Err(error) => return Err(error),
            }
            Ok(())
        })?;
        if packed.kernels == 0
            && let Some(first) = packed.left_out.drain(..).next()
        {
            return Err(first.reason);
        }
        Ok((builder.into_inner().map_err(failed)?, packed))
    }

    /// Makes the packed files of a kernel.
    fn make(&self, archive: &Archive, file: &str, budget: &Budget) -> Result<Made, Error> {
        let Content { vmlinux, modules, .. } = archive.content(file, budget)?;
        let btf = Btf::parse(vmlinux.clone()).map_err(|reason| Error::Btf { member: file.into(), reason })?;
        match &self.work {
            Work::Whole => Ok(Made { vmlinux, modules, faults: Vec::new(), has_types: true }),
            Work::Transformed(transform) => {
                let transformed = transform(&btf);
                let vmlinux = transformed.map_err(|reason| Error::Transform { member: file.into(), reason })?;
                Ok(Made { vmlinux: vmlinux.into(), modules: Vec::new(), faults: Vec::new(), has_types: true })
            }
            #[cfg(feature = "trim")]
            Work::Trimmed(trim) => trimmed(file, trim, btf, modules),
        }
    }
}

/// Trims a kernel and its modules.
#[cfg(feature = "trim")]
fn trimmed(file: &str, trim: &Trim, btf: Btf, modules: Vec<(String, Bytes)>) -> Result<Made, Error> {
    let mut kernel = Collection::new("", btf.clone());
    let mut faults = Vec::new();
    for (module, bytes) in modules {
        let added = Btf::parse_split(bytes, &btf).and_then(|split| kernel.add(module.as_str(), split));
        if let Err(reason) = added {
            let member = format!("{file}: {module}");
            faults.push((module, Error::Btf { member, reason }));
        }
    }
    let trimmed = trim.trim_modules(&kernel);
    let trimmed = trimmed.map_err(|reason| Error::Trim { member: file.into(), reason: reason.into() })?;
    let bytes = |btf: &Btf| {
        let bytes = btf.to_bytes(btf.byte_order());
        bytes.map(Bytes::from).map_err(|reason| Error::Btf { member: file.into(), reason })
    };
    let has_types = trimmed.objects().any(|object| object.btf().types().len() != 0);
    let modules = trimmed.objects().skip(1).map(|object| Ok((object.name().into(), bytes(object.btf())?)));
    Ok(Made { vmlinux: bytes(trimmed.base())?, modules: modules.collect::<Result<_, Error>>()?, faults, has_types })
}

/// Packed files of a kernel.
struct Made {
    vmlinux: Bytes,
    /// Sorted by name.
    modules: Vec<(String, Bytes)>,
    /// Modules that are left out.
    faults: Vec<(String, Error)>,
    /// `false` if trimming left no types.
    has_types: bool,
}

/// Adds a file to a tar, with a constant header.
fn append(builder: &mut tar::Builder<impl Write>, name: &str, bytes: &[u8]) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(bytes.len() as u64);
    builder.append_data(&mut header, name, bytes)
}

/// Makes a tar of the modules' BTF.
fn tar_of(modules: &[(String, Bytes)]) -> io::Result<Vec<u8>> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in modules {
        append(&mut builder, &format!("{name}.btf"), bytes)?;
    }
    builder.into_inner()
}

impl std::fmt::Display for Pack<'_> {
    /// Shows the filters.
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

/// Reader or writer that stores errors until they are asked for, as zstd's
/// encoder panics on errors.
struct Patient<T> {
    inner: T,
    fault: Option<io::Error>,
}

impl<T> Patient<T> {
    fn new(inner: T) -> Self {
        Self { inner, fault: None }
    }

    /// Returns the first error.
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
