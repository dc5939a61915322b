//! Archives and their contents.

use std::{
    collections::HashSet,
    io::{self, Read, Seek, Write},
    path::Path,
};

use btf_kernel::Root;
use btf_types::{Btf, Bytes};

#[cfg(feature = "pack")]
use crate::content::modules_path;
use crate::{
    Entry, Error, Limits,
    content::Content,
    detect::{BLOCK, why_not},
    index::{Index, Place},
    limits::Budget,
    members::{Member, Scope, Step},
    source::{self, Source},
    unpack::PACKAGE_JSON,
};

/// Archive of BTF for many kernels: a checkout of btfhub-archive, or a bundle
/// made from it.
///
/// ```
/// # fn main() -> Result<(), btf_archive::Error> {
/// use btf_archive::{Archive, types::Struct};
///
/// let archive = Archive::open("doc/btfhub")?; // a checkout of btfhub-archive, or "bundle.tar.zst"
/// let releases: Vec<String> = archive.list()?.iter().filter_map(|file| Some(file.entry()?.release.into())).collect();
/// assert_eq!(releases, ["5.10.0-8-amd64", "6.1.0-9-amd64"]);
///
/// let btf = archive.read("debian/12/x86_64/6.1.0-9-amd64.btf")?;
/// assert!(btf.find::<Struct<'_>>("sk_buff").is_ok());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Archive {
    source: Source,
    /// Name for errors.
    name: String,
    limits: Limits,
}

/// File of a kernel in an archive.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Listed {
    place: Place,
    size: u64,
}

impl Listed {
    /// Path in the archive.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.place.path
    }

    /// Path of the file, which differs from [`path`](Self::path) if that is
    /// reached through a link.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.place.file
    }

    /// Size in the archive, in **bytes**.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Kernel named by the path.
    #[must_use]
    pub fn entry(&self) -> Option<Entry<'_>> {
        Entry::parse(self.path())
    }

    /// Returns `true` if the path is reached through a link.
    #[must_use]
    pub fn is_link(&self) -> bool {
        self.place.is_link()
    }
}

impl Archive {
    /// Opens a folder or a tar file: plain, or compressed with gzip, xz, zstd,
    /// lz4, lzma or bzip2. A pipe is read into a temporary file.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if it cannot be opened; [`Error::NotAnArchive`] if it is
    /// not an archive, which some files only show when they are read.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let error = |reason| Error::Io { operation: "open", path: path.into(), reason };
        let name = path.display().to_string();
        let limits = Limits::default();
        let metadata = std::fs::metadata(path).map_err(error)?;
        if metadata.is_dir() {
            return Ok(Self { source: Source::Folder(Root::new(path)), name, limits });
        }
        let mut file = std::fs::File::open(path).map_err(error)?;
        if !metadata.is_file() {
            return Self::spool(file, name, limits);
        }
        let source = Source::File(path.into());
        Self { source, name, limits }.checked(&mut file)
    }

    /// Opens a tar in memory, such as that of `include_bytes!`.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_archive::Error> {
    /// use btf_archive::{Archive, kernel::Host};
    ///
    /// # let host = Host {
    /// #     distribution: "debian".into(),
    /// #     version: Some("12".into()),
    /// #     machine: "x86_64".into(),
    /// #     release: "6.1.0-9-amd64".into(),
    /// #     ..Host::default()
    /// # };
    /// # let mut bundle = Vec::new();
    /// # btf_archive::Pack::new().write(&Archive::open("doc/btfhub")?, &mut bundle)?;
    /// // include_bytes!("min_core_btfs.tar.gz")
    /// let archive = Archive::parse(bundle)?;
    /// let file = archive.select(&host)?.temp_file()?; // for loaders that take a path
    /// assert!(file.path().is_file());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotAnArchive`] if it is not an archive, which some bytes only
    /// show when they are read.
    pub fn parse(bytes: impl Into<Bytes>) -> Result<Self, Error> {
        let bytes = bytes.into();
        let name = "the archive in memory".into();
        Self { source: Source::Bytes(bytes.clone()), name, limits: Limits::default() }.checked(&mut &bytes[..])
    }

    /// Reads a tar from a reader into a temporary file.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if it cannot be read or written; [`Error::Limit`];
    /// [`Error::NotAnArchive`].
    pub fn from_reader(reader: impl Read) -> Result<Self, Error> {
        Self::from_reader_within(reader, Limits::default())
    }

    /// Reads a tar from a reader into a temporary file, and no more than the
    /// limits allow.
    ///
    /// # Errors
    ///
    /// Those of [`Archive::from_reader`].
    pub fn from_reader_within(reader: impl Read, limits: Limits) -> Result<Self, Error> {
        Self::spool(reader, "the archive from a reader".into(), limits)
    }

    /// Copies a reader to a temporary file, if it begins like an archive, up to
    /// the end of the archive.
    fn spool(reader: impl Read, name: String, limits: Limits) -> Result<Self, Error> {
        let mut reader = reader.take(limits.bytes.saturating_add(1));
        let start = start(&name, &mut reader)?;
        let error = |reason| Error::Io { operation: "write", path: std::env::temp_dir(), reason };
        let mut file = tempfile::tempfile().map_err(error)?;
        file.write_all(&start).map_err(error)?;
        // (A block of zeros ends a tar.)
        if start.iter().any(|byte| *byte != 0) {
            let len = io::copy(&mut reader, &mut file).map_err(error)?;
            if len.saturating_add(start.len() as u64) > limits.bytes {
                return Err(Error::Limit { what: "bytes in the archive", limit: limits.bytes });
            }
        }
        file.flush().and_then(|()| file.rewind()).map_err(error)?;
        Ok(Self { source: Source::Spooled(file), name, limits })
    }

    /// Checks that the start is that of an archive.
    fn checked(self, reader: &mut dyn Read) -> Result<Self, Error> {
        start(&self.name, reader).map(|_| self)
    }

    /// Sets the limits.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_archive::Error> {
    /// use btf_archive::{Archive, Limits};
    ///
    /// let archive = Archive::open("doc/btfhub")?.with_limits(Limits::default().members(1));
    /// assert!(archive.list().is_err()); // it has two
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Name for messages: the path of the file or folder, or a description of
    /// the source.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns all kernels, sorted by path, including those reached through
    /// links.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_archive::Error> {
    /// use btf_archive::Archive;
    ///
    /// let files = Archive::open("doc/btfhub")?.list()?;
    /// assert_eq!(files[0].path(), "debian/12/x86_64/5.10.0-8-amd64.btf");
    /// assert_eq!((files[0].size(), files[0].is_link()), (1029, false));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotAnArchive`], [`Error::Damaged`], [`Error::Decode`],
    /// [`Error::Refused`], [`Error::Limit`], [`Error::Io`].
    pub fn list(&self) -> Result<Vec<Listed>, Error> {
        let budget = Budget::default();
        let index = self.index(&budget, |_, _| Ok(()))?;
        let listed = |place: Place| Listed { size: index.size(&place.file).unwrap_or(0), place };
        Ok(index.places(|_| true)?.into_iter().map(listed).collect())
    }

    /// Returns the contents of `package.json` beside the folder of kernels, if
    /// there is one: in bundles of bpf-compatible, it describes the program
    /// that they are for.
    ///
    /// # Errors
    ///
    /// Those of [`Archive::list`].
    pub fn package_json(&self) -> Result<Option<Bytes>, Error> {
        match self.bytes_of(PACKAGE_JSON, &Budget::default()) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(Error::NoMember { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns the BTF at a path of the archive, unpacked.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_archive::Error> {
    /// use btf_archive::{Archive, Error};
    ///
    /// let archive = Archive::open("doc/btfhub")?;
    /// assert_eq!(archive.read("debian/12/x86_64/6.1.0-9-amd64.btf")?.types().len(), 60);
    /// assert!(archive.read("debian/12/x86_64/6.1.0-10-amd64.btf").is_err());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NoMember`]; [`Error::Decode`], [`Error::NoBtf`] and
    /// [`Error::Btf`] if the file is damaged or does not contain BTF; those of
    /// [`Archive::list`].
    pub fn read(&self, path: &str) -> Result<Btf, Error> {
        self.read_within(path, &Budget::default())
    }

    /// Returns the BTF at a path, within a budget for decoding.
    fn read_within(&self, path: &str, budget: &Budget) -> Result<Btf, Error> {
        let content = Content::unpack(path, self.bytes_of(path, budget)?, self.scope(budget))?;
        Btf::parse(content.vmlinux).map_err(|reason| Error::Btf { member: path.into(), reason })
    }

    /// Returns the BTF at a path with that of the kernel's modules.
    #[cfg(feature = "pack")]
    pub(crate) fn content(&self, path: &str, budget: &Budget) -> Result<Content, Error> {
        let scope = self.scope(budget);
        let mut content = Content::unpack(path, self.bytes_of(path, budget)?, scope)?;
        if let Some(path) = modules_path(path) {
            match self.bytes_of(&path, budget) {
                Ok(bytes) => content.add_modules(&path, bytes, scope)?,
                Err(Error::NoMember { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(content)
    }

    /// Compares the BTF in several files, which are read in one pass.
    pub(crate) fn are_same(&self, files: &[&str], budget: &Budget) -> Result<bool, Error> {
        let scope = self.scope(budget);
        let mut first: Option<Bytes> = None;
        let mut are_same = true;
        self.source.read(&files.iter().copied().collect(), scope, |path, bytes| {
            let btf = Content::unpack(path, bytes, scope)?.vmlinux;
            are_same = *first.get_or_insert_with(|| btf.clone()) == btf;
            Ok(if are_same { Step::On } else { Step::Stop })
        })?;
        Ok(are_same)
    }

    /// Returns the bytes of a file, as stored in the archive.
    pub(crate) fn bytes_of(&self, path: &str, budget: &Budget) -> Result<Bytes, Error> {
        let mut found = None;
        self.source.read(&HashSet::from([path]), self.scope(budget), |_, bytes| {
            found = Some(bytes);
            Ok(Step::Stop)
        })?;
        found.ok_or_else(|| Error::NoMember { member: path.into() })
    }

    /// Visits all files of the archive.
    pub(crate) fn index(
        &self,
        budget: &Budget,
        mut show: impl FnMut(&str, &mut dyn Read) -> Result<(), Error>,
    ) -> Result<Index, Error> {
        if let Source::Folder(root) = &self.source {
            return source::walk(root, &self.limits);
        }
        let mut index = Index::default();
        self.each(budget, |member| {
            match member {
                Member::File { path, size, data } => {
                    index.file(path, size);
                    show(path, data)?;
                }
                Member::Link { path, target } => index.link(path, &target)?,
                Member::Folder => {}
            }
            Ok(Step::On)
        })?;
        index.finish()
    }

    /// Visits the members of a tar.
    pub(crate) fn each(
        &self,
        budget: &Budget,
        visit: impl FnMut(Member<'_>) -> Result<Step, Error>,
    ) -> Result<(), Error> {
        self.source.each(self.scope(budget), visit)
    }

    /// Returns the reading context, with the budget for decoding.
    pub(crate) fn scope<'a>(&'a self, budget: &'a Budget) -> Scope<'a> {
        Scope { name: &self.name, limits: &self.limits, budget }
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Returns `true` for a folder.
    #[cfg(feature = "pack")]
    pub(crate) fn is_folder(&self) -> bool {
        matches!(self.source, Source::Folder(_))
    }
}

/// Returns the first bytes of an archive, after checking them.
fn start(name: &str, reader: &mut dyn Read) -> Result<Vec<u8>, Error> {
    let mut start = Vec::new();
    let read = reader.take(BLOCK as u64).read_to_end(&mut start);
    read.map_err(|reason| Error::Io { operation: "read", path: name.into(), reason })?;
    match why_not(&start) {
        Some(found) => Err(Error::NotAnArchive { archive: name.into(), found }),
        None => Ok(start),
    }
}
