//! Selection of BTF for a host or a kernel.

use std::{
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
};

use btf_elf::Machine;
use btf_kernel::{Host, Kernel};
use btf_types::{Btf, Bytes};

use crate::{
    Archive, Entry, Error, OutputFile, Rule,
    content::{Content, modules_path},
    limits::Budget,
    partial::{CONTENT, Partial},
    rules::{Query, Verdict},
    source,
};

/// Options for selecting a kernel.
///
/// ```
/// use btf_archive::SelectOptions;
///
/// let options = SelectOptions::new().nearest(true).require_type("task_struct");
/// ```
#[derive(Debug, Clone, Default)]
pub struct SelectOptions {
    nearest: bool,
    types: Vec<String>,
}

impl SelectOptions {
    /// Selects only the host's own kernel, without required types.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Allows the kernel with the nearest release if the host's is missing. Its
    /// layouts may differ.
    #[must_use]
    pub fn nearest(mut self, nearest: bool) -> Self {
        self.nearest = nearest;
        self
    }

    /// Requires a type: BTF without it is rejected. Repeat for several.
    #[must_use]
    pub fn require_type(mut self, name: impl Into<String>) -> Self {
        self.types.push(name.into());
        self
    }
}

/// Selected BTF, and the reason for its selection.
///
/// ```
/// # fn main() -> Result<(), btf_archive::Error> {
/// use btf_archive::{Archive, Rule, kernel::Host};
///
/// # let host = Host {
/// #     distribution: "debian".into(),
/// #     version: Some("12".into()),
/// #     machine: "x86_64".into(),
/// #     release: "6.1.0-9-amd64".into(),
/// #     ..Host::default()
/// # };
/// let selection = Archive::open("doc/btfhub")?.select(&host)?;
/// assert_eq!(selection.path(), "debian/12/x86_64/6.1.0-9-amd64.btf");
/// assert_eq!(selection.rule(), Rule::Exact);
/// assert_eq!(selection.btf().as_bytes(), selection.bytes());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Selection {
    path: Arc<str>,
    file: Arc<str>,
    rule: Rule,
    tried: Vec<String>,
    content: Content,
    btf: Btf,
}

/// BTF for a host: that of its kernel, or of an archive.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Chosen {
    /// BTF of the kernel itself.
    Kernel(Btf),
    /// BTF of the archive.
    Archive(Box<Selection>),
}

/// BTF in a temporary file, for functions that take a path. The file is removed
/// on drop.
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
/// let file = Archive::open("doc/btfhub")?.select(&host)?.temp_file()?;
/// let path = file.path().to_owned(); // libbpf's `btf_custom_path`
/// assert!(path.exists());
/// drop(file);
/// assert!(!path.exists());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct TempFile {
    path: PathBuf,
    _partial: Partial,
}

impl Archive {
    /// Selects the BTF for a host's kernel.
    ///
    /// A tar is read once, and only the selected file is stored and decoded. It
    /// is read twice if the file is found through a link, or if the contents of
    /// several files are compared.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_archive::Error> {
    /// use btf_archive::{Archive, Error, kernel::Host};
    ///
    /// # let host = Host {
    /// #     distribution: "debian".into(),
    /// #     version: Some("12".into()),
    /// #     machine: "x86_64".into(),
    /// #     release: "6.1.0-9-amd64".into(),
    /// #     ..Host::default()
    /// # };
    /// let host = Host { release: "6.1.0-18-amd64".into(), ..host };
    /// let error = Archive::open("doc/btfhub")?.select(&host).unwrap_err();
    /// assert!(matches!(error, Error::NotFound { .. }));
    /// assert!(error.to_string().contains("6.1.0-9-amd64")); // which is near
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] with the tried and the nearest paths;
    /// [`Error::Ambiguous`]; those of [`Archive::list`] and [`Archive::read`].
    pub fn select(&self, host: &Host) -> Result<Selection, Error> {
        self.select_with(host, &SelectOptions::default())
    }

    /// Selects the BTF for a host's kernel, with options.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_archive::Error> {
    /// use btf_archive::{Archive, Error, Rule, SelectOptions, kernel::Host};
    ///
    /// # let host = Host {
    /// #     distribution: "debian".into(),
    /// #     version: Some("12".into()),
    /// #     machine: "x86_64".into(),
    /// #     release: "6.1.0-9-amd64".into(),
    /// #     ..Host::default()
    /// # };
    /// let archive = Archive::open("doc/btfhub")?;
    /// let no_type = archive.select_with(&host, &SelectOptions::new().require_type("bpf_iter_num"));
    /// assert!(matches!(no_type, Err(Error::NoType { .. })));
    ///
    /// let host = Host { release: "6.1.0-18-amd64".into(), ..host };
    /// let nearest = archive.select_with(&host, &SelectOptions::new().nearest(true))?;
    /// assert_eq!((nearest.path(), nearest.rule()), ("debian/12/x86_64/6.1.0-9-amd64.btf", Rule::Nearest));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`Archive::select`]; [`Error::NoType`] if a required type is
    /// missing.
    pub fn select_with(&self, host: &Host, options: &SelectOptions) -> Result<Selection, Error> {
        let query = Query::new(host)?;
        let budget = Budget::default();
        let scope = self.scope(&budget);
        // The first file with the host's release, which is most often the right
        // one.
        let mut seen: Option<(String, Bytes)> = None;
        let mut seen_modules: Option<(String, Bytes)> = None;
        let index = self.index(&budget, |path, data| {
            if let Some((kernel, _)) = &seen {
                if seen_modules.is_none() && modules_path(kernel).is_some_and(|modules| modules == path) {
                    seen_modules = Some((path.to_owned(), source::take(data, scope)?));
                }
            } else if path.contains(&host.release)
                && Entry::parse(path).is_some_and(|entry| entry.release == host.release)
            {
                seen = Some((path.to_owned(), source::take(data, scope)?));
            }
            Ok(())
        })?;
        // Most files have other releases, and are only considered if none has
        // this one.
        let verdict = match query.select(&index.places(|file| query.may_be(file))?, false) {
            Err(Error::NotFound { .. }) => query.select(&index.places(|_| true)?, options.nearest),
            verdict => verdict,
        };
        let verdict = verdict?;
        self.check_same(&host.release, &verdict, &budget)?;
        let Verdict { place, rule, .. } = verdict;
        let bytes = match seen {
            Some((path, bytes)) if *path == *place.file => bytes,
            _ => self.bytes_of(&place.file, &budget)?,
        };
        let mut content = Content::unpack(&place.file, bytes, scope)?;
        if let Some(path) = modules_path(&place.file).filter(|path| index.size(path).is_some()) {
            let bytes = match seen_modules {
                Some((seen, bytes)) if seen == path => bytes,
                _ => self.bytes_of(&path, &budget)?,
            };
            content.add_modules(&path, bytes, scope)?;
        }
        let btf = check(&place.file, &content, &host.machine, &options.types)?;
        Ok(Selection { path: place.path, file: place.file, rule, tried: query.tried(), content, btf })
    }

    /// Returns the BTF for a kernel: its own if it has any, else that of the
    /// archive.
    ///
    /// # Errors
    ///
    /// Those of [`Archive::select`]; [`Error::Kernel`] if the system is
    /// unknown.
    pub fn choose(&self, kernel: &Kernel) -> Result<Chosen, Error> {
        if let Ok(btf) = kernel.btf() {
            return Ok(Chosen::Kernel(btf));
        }
        let host = Host::options().release(kernel.release()?).of(kernel.root())?;
        self.select(&host).map(|selection| Chosen::Archive(selection.into()))
    }

    /// Checks that several kernels of one release have the same contents.
    fn check_same(&self, release: &str, verdict: &Verdict, budget: &Budget) -> Result<(), Error> {
        let Verdict { place, others, .. } = verdict;
        if others.is_empty() {
            return Ok(());
        }
        let places = || std::iter::once(place).chain(others);
        let files: Vec<&str> = places().map(|place| &*place.file).collect();
        if self.are_same(&files, budget)? {
            return Ok(());
        }
        let candidates = places().map(|place| place.path.to_string()).collect();
        Err(Error::Ambiguous { release: release.into(), candidates })
    }
}

/// Opens the selected BTF, and checks that it fits the host's machine and has
/// the required types.
fn check(member: &str, content: &Content, machine: &str, types: &[String]) -> Result<Btf, Error> {
    let btf = Btf::parse(content.vmlinux.clone());
    let btf = btf.map_err(|reason| Error::Btf { member: member.into(), reason })?;
    // (Both byte orders of MIPS have one name.)
    if let Some(known) = machine.parse().ok().filter(|_| !machine.starts_with("mips")) {
        let known: Machine = known;
        let other = |found| Error::OtherMachine { member: member.into(), machine: machine.into(), found };
        if btf.byte_order() != known.byte_order() {
            return Err(other(match btf.byte_order() {
                btf_types::ByteOrder::Big => "it is big-endian",
                btf_types::ByteOrder::Little => "it is little-endian",
            }));
        }
        if btf.known_pointer_size().is_some_and(|size| size != known.pointer_size()) {
            let is_64 = btf.pointer_size() == 8;
            return Err(other(if is_64 { "its pointers have 8 bytes" } else { "its pointers have 4 bytes" }));
        }
    }
    match types.iter().find(|name| btf.find_first::<btf_types::Type<'_>>(name).is_none()) {
        Some(name) => Err(Error::NoType { member: member.into(), name: name.clone() }),
        None => Ok(btf),
    }
}

impl Selection {
    /// Returns the BTF. (A clone, which is a pointer.)
    #[must_use]
    pub fn btf(&self) -> Btf {
        self.btf.clone()
    }

    /// Returns the bytes of the BTF, unpacked.
    #[must_use]
    pub fn bytes(&self) -> Bytes {
        self.content.vmlinux.clone()
    }

    /// Writes the BTF to a file, unpacked. The file is replaced atomically by
    /// [`OutputFile`].
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn write_file(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        OutputFile::write_bytes(path.as_ref(), &self.content.vmlinux)
    }

    /// Writes the BTF to a temporary file, for loaders that take a path.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn temp_file(&self) -> Result<TempFile, Error> {
        TempFile::new(&self.content.vmlinux)
    }

    /// Returns `true` if the file in the archive is plain BTF, neither
    /// compressed nor in a tar.
    pub(crate) fn is_plain(&self) -> bool {
        self.content.is_plain
    }

    /// Path in the archive that names the kernel.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Path of the file, which differs from [`path`](Self::path) if that leads
    /// through links.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Rule by which the kernel was selected.
    #[must_use]
    pub fn rule(&self) -> Rule {
        self.rule
    }

    /// Paths that were tried, without their endings, best first.
    #[must_use]
    pub fn tried(&self) -> &[String] {
        &self.tried
    }

    /// Iterates over the names of the modules.
    pub fn module_names(&self) -> impl Iterator<Item = &str> {
        self.content.modules.iter().map(|(name, _)| name.as_str())
    }

    /// Returns the BTF of a module, with the selected BTF as its base.
    ///
    /// # Errors
    ///
    /// [`Error::NoModule`]; [`Error::Btf`] if it is damaged, or not split from
    /// this base.
    pub fn module(&self, name: &str) -> Result<Btf, Error> {
        let modules = &self.content.modules;
        let found = modules.binary_search_by(|(known, _)| known.as_str().cmp(name)).ok();
        let found = found.and_then(|index| modules.get(index));
        let missing = || Error::NoModule { member: self.file.to_string(), module: name.into() };
        let (_, bytes) = found.ok_or_else(missing)?;
        Btf::parse_split(bytes.clone(), &self.btf)
            .map_err(|reason| Error::Btf { member: format!("{}: {name}", self.file), reason })
    }
}

impl Chosen {
    /// Returns the BTF.
    #[must_use]
    pub fn btf(&self) -> Btf {
        match self {
            Self::Kernel(btf) => btf.clone(),
            Self::Archive(selection) => selection.btf(),
        }
    }

    /// Returns the bytes of the BTF, in its original byte order.
    ///
    /// # Errors
    ///
    /// [`Error::Btf`] if the kernel's BTF cannot be converted back.
    pub fn bytes(&self) -> Result<Bytes, Error> {
        match self {
            Self::Kernel(btf) => {
                let bytes = btf.to_bytes(btf.byte_order());
                bytes.map(Into::into).map_err(|reason| Error::Btf { member: "the kernel's own BTF".into(), reason })
            }
            Self::Archive(selection) => Ok(selection.bytes()),
        }
    }

    /// Writes the BTF to a file. The file is replaced atomically by
    /// [`OutputFile`].
    ///
    /// # Errors
    ///
    /// [`Error::Io`]; those of [`Chosen::bytes`].
    pub fn write_file(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        OutputFile::write_bytes(path.as_ref(), &self.bytes()?)
    }

    /// Writes the BTF to a temporary file, for loaders that take a path.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]; those of [`Chosen::bytes`].
    pub fn temp_file(&self) -> Result<TempFile, Error> {
        TempFile::new(&self.bytes()?)
    }
}

impl TempFile {
    fn new(bytes: &[u8]) -> Result<Self, Error> {
        let error = |reason| Error::Io { operation: "write", path: std::env::temp_dir(), reason };
        let partial = Partial::in_temporary_folder().map_err(error)?;
        let mut file = partial.inside().create_file(CONTENT).map_err(error)?;
        file.write_all(bytes).map_err(error)?;
        Ok(Self { path: partial.content(), _partial: partial })
    }

    /// Path of the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl AsRef<Path> for TempFile {
    fn as_ref(&self) -> &Path {
        &self.path
    }
}
