//! An archive: a folder, or a tar, plain or compressed.

use std::{
    fs::File,
    io::{self, Read, Seek, Write},
    path::{Path, PathBuf},
};

use btf_elf::Compression;
use btf_kernel::{Host, Kernel, Root};
use btf_types::{Btf, Bytes};

use crate::{
    Entry, Error, Limits, Rule,
    content::Content,
    index::{Index, Place},
    machine,
    members::{self, Member, Plain, Step},
    select::{Query, Verdict},
    unpack::PACKAGE_JSON,
    whole,
};

/// Bytes that are read at a time.
const BUFFER: usize = 64 << 10;

/// Kernels' BTF: a checkout of btfhub-archive, or a bundle made from it.
#[derive(Debug)]
pub struct Archive {
    source: Source,
    limits: Limits,
}

/// Where it is.
#[derive(Debug)]
enum Source {
    Folder(Root),
    File(PathBuf),
    Bytes(Bytes),
    /// What came from a reader, in a file that nobody else sees.
    Spooled(File),
}

/// How a kernel is selected.
#[derive(Debug, Clone, Default)]
pub struct SelectOptions {
    /// Whether another kernel may be taken, if there is none that is the host's:
    /// the nearest release. Its layouts may differ.
    pub nearest: bool,
    /// Types that the BTF must have, or else it is not what it says.
    pub types: Vec<String>,
}

/// The BTF that was selected, and why.
#[derive(Debug, Clone)]
pub struct Selection {
    path: String,
    file: String,
    rule: Rule,
    tried: Vec<String>,
    content: Content,
    btf: Btf,
}

/// The BTF for a host: the kernel's own, or out of an archive.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Chosen {
    /// The kernel's own.
    Kernel(Btf),
    /// The archive's.
    Archive(Box<Selection>),
}

/// A file in an archive that is a kernel's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Listed {
    /// Its path in the archive.
    pub path: String,
    /// Where it really lies, if that is over a link.
    pub file: String,
    /// Its size in the archive, in **bytes**.
    pub size: u64,
}

impl Listed {
    /// Which kernel it is.
    #[must_use]
    pub fn entry(&self) -> Option<Entry<'_>> {
        Entry::parse(&self.path)
    }

    /// Whether it is there over a link.
    #[must_use]
    pub fn is_link(&self) -> bool {
        self.path != self.file
    }
}

impl Archive {
    /// Opens a folder, or a file that is a tar, plain or compressed with gzip,
    /// xz, zstd or bzip2.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if there is no such thing. Whether it is an archive shows
    /// when it is asked for something.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let metadata = std::fs::metadata(path).map_err(|source| Error::Io { path: path.into(), source })?;
        let source = if metadata.is_dir() { Source::Folder(Root::new(path)) } else { Source::File(path.into()) };
        Ok(Self { source, limits: Limits::default() })
    }

    /// A tar in memory: what `include_bytes!` has put into a program.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), btf_archive::Error> {
    /// use btf_archive::{Archive, Chosen, kernel::Kernel};
    ///
    /// static BUNDLE: &[u8] = b""; // include_bytes!("min_core_btfs.tar.gz")
    /// // Where the kernel has none of its own: a file, for loaders that take one.
    /// if let Chosen::Archive(selection) = Archive::from_bytes(BUNDLE).choose(&Kernel::running())? {
    ///     selection.write_file("/run/prog/vmlinux.btf")?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn from_bytes(bytes: impl Into<Bytes>) -> Self {
        Self { source: Source::Bytes(bytes.into()), limits: Limits::default() }
    }

    /// A tar that a reader yields. It is put into a temporary file first.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if it cannot be read or written; [`Error::Limit`].
    pub fn from_reader(reader: impl Read) -> Result<Self, Error> {
        Self::from_reader_within(reader, Limits::default())
    }

    /// The same, with other limits: of a reader that has no end, as many bytes
    /// are taken.
    ///
    /// # Errors
    ///
    /// Those of [`Archive::from_reader`].
    pub fn from_reader_within(reader: impl Read, limits: Limits) -> Result<Self, Error> {
        let error = |source| Error::Io { path: std::env::temp_dir(), source };
        let mut file = tempfile::tempfile().map_err(error)?;
        let len = io::copy(&mut reader.take(limits.bytes.saturating_add(1)), &mut file).map_err(error)?;
        if len > limits.bytes {
            return Err(Error::Limit { what: "bytes of the archive", limit: limits.bytes });
        }
        file.flush().map_err(error)?;
        Ok(Self { source: Source::Spooled(file), limits })
    }

    /// With other limits.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// All kernels in it, sorted by path; those that are there over a link too.
    ///
    /// # Errors
    ///
    /// [`Error::Tar`], [`Error::Decode`], [`Error::Refused`], [`Error::Limit`],
    /// [`Error::Io`].
    pub fn list(&self) -> Result<Vec<Listed>, Error> {
        let index = self.index(|_, _| Ok(()))?;
        let size = |file: &str| index.size(file).unwrap_or(0);
        let listed = |place: Place| Listed { size: size(&place.file), path: place.path, file: place.file };
        Ok(index.places(|_| true).into_iter().map(listed).collect())
    }

    /// What its `package.json` is, if it has one, beside the folder of kernels:
    /// what a bundle of bpf-compatible says of the program that it is for.
    ///
    /// # Errors
    ///
    /// Those of [`Archive::list`].
    pub fn package_json(&self) -> Result<Option<Bytes>, Error> {
        match self.bytes_of(PACKAGE_JSON) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(Error::NoMember { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The BTF of a host's kernel.
    ///
    /// A tar is read once, from start to end, and only what is selected is kept
    /// of it and decoded; twice, if it is found over a link, or among several
    /// whose contents are to be compared.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] with what would have been it, and what is near;
    /// [`Error::Ambiguous`]; those of [`Archive::list`] and [`Archive::read`].
    pub fn select(&self, host: &Host) -> Result<Selection, Error> {
        self.select_with(host, &SelectOptions::default())
    }

    /// The same, with options.
    ///
    /// # Errors
    ///
    /// Those of [`Archive::select`]; [`Error::Member`] if it lacks a type.
    pub fn select_with(&self, host: &Host, options: &SelectOptions) -> Result<Selection, Error> {
        let query = Query::new(host);
        // The only one of the host's release, so far; most often, it is it.
        let mut seen: Option<(String, Bytes)> = None;
        let index = self.index(|path, data| {
            if seen.is_none()
                && path.contains(&host.release)
                && Entry::parse(path).is_some_and(|entry| entry.release == host.release)
            {
                seen = Some((path.to_owned(), self.take(data)?));
            }
            Ok(())
        })?;
        // Most are of another release, and looked at only if none is of this one.
        let verdict = match query.select(&index.places(|path| query.may_be(path)), false) {
            Err(Error::NotFound { .. }) => query.select(&index.places(|_| true), options.nearest),
            verdict => verdict,
        };
        let verdict = verdict?;
        self.check_same(&host.release, &verdict)?;
        let Verdict { place, rule, .. } = verdict;
        let bytes = match seen {
            Some((path, bytes)) if path == place.file => bytes,
            _ => self.bytes_of(&place.file)?,
        };
        let content = Content::unpack(&place.file, bytes, &self.limits)?;
        let btf = check(&place.file, &content, &host.machine, &options.types)?;
        Ok(Selection { path: place.path, file: place.file, rule, tried: query.tried(), content, btf })
    }

    /// The BTF for a kernel: its own if it has any, and else the archive's.
    ///
    /// # Errors
    ///
    /// Those of [`Archive::select`]; [`Error::Kernel`] if it cannot be told which
    /// system it is.
    pub fn choose(&self, kernel: &Kernel) -> Result<Chosen, Error> {
        if let Ok(btf) = kernel.btf() {
            return Ok(Chosen::Kernel(btf));
        }
        let host = Host { release: kernel.release()?.into(), ..Host::of(kernel.root())? };
        self.select(&host).map(|selection| Chosen::Archive(selection.into()))
    }

    /// Of several kernels of one release, all have to be the same.
    fn check_same(&self, release: &str, Verdict { place, others, .. }: &Verdict) -> Result<(), Error> {
        for other in others {
            if !self.is_same(&place.file, &other.file)? {
                let candidates = std::iter::once(place).chain(others).map(|place| place.path.clone()).collect();
                return Err(Error::Ambiguous { release: release.into(), candidates });
            }
        }
        Ok(())
    }

    /// The BTF at a path of the archive, unpacked.
    ///
    /// # Errors
    ///
    /// [`Error::NoMember`]; [`Error::Decode`], [`Error::Member`] and
    /// [`Error::Btf`] if it is not what it should be; those of [`Archive::list`].
    pub fn read(&self, path: &str) -> Result<Btf, Error> {
        Btf::parse(self.content_of(path)?.vmlinux).map_err(|source| Error::Btf { member: path.into(), source })
    }

    /// Whether two files have the same BTF in them.
    pub(crate) fn is_same(&self, one: &str, other: &str) -> Result<bool, Error> {
        Ok(self.content_of(one)?.vmlinux == self.content_of(other)?.vmlinux)
    }

    /// What is in a file, unpacked.
    fn content_of(&self, path: &str) -> Result<Content, Error> {
        Content::unpack(path, self.bytes_of(path)?, &self.limits)
    }

    /// The bytes of a file, as they are in the archive.
    fn bytes_of(&self, path: &str) -> Result<Bytes, Error> {
        if let Source::Folder(root) = &self.source {
            return match root.open(path) {
                Ok(mut file) => self.take(&mut file),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Error::NoMember { member: path.into() }),
                Err(source) => Err(Error::Io { path: root.outside(path), source }),
            };
        }
        let mut found = None;
        self.each(|member| {
            if let Member::File { path: is, data, .. } = member
                && is == path
            {
                found = Some(self.take(data)?);
                return Ok(Step::Stop);
            }
            Ok(Step::On)
        })?;
        found.ok_or_else(|| Error::NoMember { member: path.into() })
    }

    /// All of a file's bytes, within the limit.
    fn take(&self, data: &mut dyn Read) -> Result<Bytes, Error> {
        let limit = self.limits.member;
        let mut bytes = Vec::new();
        data.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(|source| Error::Tar { source })?;
        if bytes.len() as u64 > limit {
            return Err(Error::Limit { what: "bytes of a kernel's file", limit });
        }
        Ok(bytes.into())
    }

    /// Goes through all of it, and shows each file.
    fn index(&self, mut show: impl FnMut(&str, &mut dyn Read) -> Result<(), Error>) -> Result<Index, Error> {
        let mut index = Index::default();
        if let Source::Folder(root) = &self.source {
            self.walk(root, &mut index)?;
            return index.finish();
        }
        self.each(|member| {
            match member {
                Member::File { path, size, data } => {
                    index.file(path, size);
                    show(path, data)?;
                }
                Member::Link { path, target } => index.link(path, target)?,
                Member::Folder => {}
            }
            Ok(Step::On)
        })?;
        index.finish()
    }

    /// Goes through a folder. Links are not followed, but remembered.
    fn walk(&self, root: &Root, index: &mut Index) -> Result<(), Error> {
        const DEPTH: usize = 12;
        let mut open = vec![(String::new(), 0)];
        let mut count = 0;
        while let Some((folder, depth)) = open.pop() {
            let error = |source| Error::Io { path: root.outside(&folder), source };
            for (name, is_folder) in root.list(&folder).map_err(error)? {
                count += 1;
                if count > self.limits.members {
                    return Err(Error::Limit { what: "members of the archive", limit: self.limits.members });
                }
                let Ok(name) = name.into_string() else { continue };
                let path = members::join(&folder, &name).unwrap_or_default();
                match is_folder {
                    // git's own, and the like.
                    true if name.starts_with('.') => {}
                    true if depth < DEPTH => open.push((path, depth + 1)),
                    true => {}
                    false => {
                        let outside = root.outside(&path);
                        let metadata = std::fs::symlink_metadata(&outside);
                        let metadata = metadata.map_err(|source| Error::Io { path: outside.clone(), source })?;
                        if metadata.is_symlink() {
                            let target = std::fs::read_link(&outside).ok().and_then(|to| to.to_str().map(Into::into));
                            let target = target.and_then(|to: String| members::join(&folder, &to));
                            let what = "a link out of the archive";
                            let target = target.ok_or(Error::Refused { member: path.clone(), what })?;
                            index.link(&path, target)?;
                        } else if metadata.is_file() {
                            index.file(&path, metadata.len());
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Goes through the members of a tar.
    pub(crate) fn each(&self, visit: impl FnMut(Member<'_>) -> Result<Step, Error>) -> Result<(), Error> {
        let read = |path: &Path| {
            let path = path.to_owned();
            move |source| Error::Io { path, source }
        };
        match &self.source {
            Source::Folder(root) => {
                Err(Error::Member { member: root.folder().display().to_string(), what: "is no tar".into() })
            }
            Source::File(path) => self.each_of_file(path, File::open(path).map_err(read(path))?, visit),
            Source::Bytes(bytes) => match Compression::detect(bytes) {
                None => members::each(&bytes[..], &self.limits, visit),
                Some(compression) => self.each_decoded(compression, &bytes[..], visit),
            },
            Source::Spooled(file) => {
                let path = std::env::temp_dir();
                self.each_of_file(&path, file.try_clone().map_err(read(&path))?, visit)
            }
        }
    }

    fn each_of_file(
        &self,
        path: &Path,
        mut file: File,
        visit: impl FnMut(Member<'_>) -> Result<Step, Error>,
    ) -> Result<(), Error> {
        let error = |source| Error::Io { path: path.into(), source };
        let mut start = Vec::new();
        file.rewind().map_err(error)?;
        (&file).take(Compression::DETECT_BYTES as u64).read_to_end(&mut start).map_err(error)?;
        file.rewind().map_err(error)?;
        match Compression::detect(&start) {
            None => members::each(Plain::new(file).map_err(error)?, &self.limits, visit),
            Some(compression) => self.each_decoded(compression, file, visit),
        }
    }

    fn each_decoded(
        &self,
        compression: Compression,
        reader: impl Read,
        visit: impl FnMut(Member<'_>) -> Result<Step, Error>,
    ) -> Result<(), Error> {
        // Of thousands of trimmed kernels, each like the next, a thousandfold is
        // not suspicious.
        let within = btf_elf::Limits::IMAGE.output(self.limits.bytes).ratio(u64::MAX);
        let decoder = compression.decoder(reader, &within);
        let decoder = decoder.map_err(|source| Error::Decode { member: "the archive".into(), source })?;
        members::each(io::BufReader::with_capacity(BUFFER, decoder), &self.limits, visit)
    }

    /// The folder, if it is one.
    #[cfg(feature = "pack")]
    pub(crate) fn folder(&self) -> Option<&Root> {
        match &self.source {
            Source::Folder(root) => Some(root),
            _ => None,
        }
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }
}

/// Whether what was selected is BTF of the host's machine.
fn check(member: &str, content: &Content, machine: &str, types: &[String]) -> Result<Btf, Error> {
    let fault = |what: String| Error::Member { member: member.into(), what };
    let btf = Btf::parse(content.vmlinux.clone()).map_err(|source| Error::Btf { member: member.into(), source })?;
    if let Some((order, pointer_size)) = machine::shape(machine) {
        if btf.byte_order() != order {
            return Err(fault(format!("{} BTF, but {machine} is {order}", btf.byte_order())));
        }
        if btf.known_pointer_size().is_some_and(|size| size != pointer_size) {
            return Err(fault(format!("pointers of {} bytes, but {machine} has {pointer_size}", btf.pointer_size())));
        }
    }
    for name in types {
        if btf.find_first::<btf_types::Type<'_>>(name).is_none() {
            return Err(fault(format!("has no type {name}: not the BTF of a kernel, or of another than it says")));
        }
    }
    Ok(btf)
}

impl Selection {
    /// The BTF. (A clone of it, which is a pointer.)
    #[must_use]
    pub fn btf(&self) -> Btf {
        self.btf.clone()
    }

    /// Its bytes, unpacked: for loaders that take a file.
    #[must_use]
    pub fn bytes(&self) -> Bytes {
        self.content.vmlinux.clone()
    }

    /// Writes it to a file, unpacked. After an error, an older file is as it was.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn write_file(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        whole::write_bytes(path.as_ref(), &self.content.vmlinux)
    }

    /// Whether its file in the archive is plain BTF, neither compressed nor in a
    /// tar of its own.
    pub(crate) fn is_plain(&self) -> bool {
        self.content.is_plain
    }

    /// The path in the archive that says which kernel it is.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The file that it really is, where the path leads over links.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// By which rule it was selected.
    #[must_use]
    pub fn rule(&self) -> Rule {
        self.rule
    }

    /// The paths that would have been it, without their endings, best first.
    #[must_use]
    pub fn tried(&self) -> &[String] {
        &self.tried
    }

    /// The names of the modules that are with it.
    pub fn modules(&self) -> impl Iterator<Item = &str> {
        self.content.modules.iter().map(|(name, _)| name.as_str())
    }

    /// The BTF of a module that is with it, split from it.
    ///
    /// # Errors
    ///
    /// [`Error::NoMember`]; [`Error::Btf`] if it is not sound, or not split from
    /// it.
    pub fn module(&self, name: &str) -> Result<Btf, Error> {
        let found = self.content.modules.iter().find(|(known, _)| known == name);
        let (_, bytes) = found.ok_or_else(|| Error::NoMember { member: format!("{}: {name}", self.file) })?;
        let member = || format!("{}: {name}", self.file);
        Btf::parse_split(bytes.clone(), &self.btf).map_err(|source| Error::Btf { member: member(), source })
    }
}

impl Chosen {
    /// The BTF.
    #[must_use]
    pub fn btf(&self) -> Btf {
        match self {
            Self::Kernel(btf) => btf.clone(),
            Self::Archive(selection) => selection.btf(),
        }
    }

    /// Writes it to a file, in the byte order that it was in. After an error, an
    /// older file is as it was.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]; [`Error::Btf`] if the kernel's has what nobody knows how to
    /// convert.
    pub fn write_file(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        match self {
            Self::Kernel(btf) => {
                let bytes = btf.to_bytes(btf.byte_order());
                let bytes = bytes.map_err(|source| Error::Btf { member: "the kernel's BTF".into(), source })?;
                whole::write_bytes(path.as_ref(), &bytes)
            }
            Self::Archive(selection) => selection.write_file(path),
        }
    }
}
