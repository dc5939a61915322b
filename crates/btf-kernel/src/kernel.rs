//! Kernels, and where their BTF is.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::OnceLock,
};

use btf_elf::{BtfFile, Limits};
use btf_types::{Btf, Bytes};

use crate::{Attempt, Error, LoadedBtf, Root, host, module_index::ModuleIndex, sys};

/// Folder of sysfs that contains the BTF.
pub(crate) const SYSFS: &str = "/sys/kernel/btf";

/// Paths of kernels, some with debug information, and of bootable images; `{}`
/// is the release.
///
/// Source: `btf__load_vmlinux_btf` in `tools/lib/bpf/btf.c`, for the first seven.
const PLACES: [&str; 19] = [
    "/boot/vmlinux-{}",
    "/lib/modules/{}/vmlinux-{}",
    "/lib/modules/{}/build/vmlinux",
    "/usr/lib/modules/{}/kernel/vmlinux",
    "/usr/lib/debug/boot/vmlinux-{}",
    "/usr/lib/debug/boot/vmlinux-{}.debug",
    "/usr/lib/debug/lib/modules/{}/vmlinux",
    "/boot/vmlinuz-{}",
    "/lib/modules/{}/vmlinuz",
    "/usr/lib/modules/{}/vmlinuz",
    "/usr/lib/modules/{}/vmlinux",
    "/usr/lib/modules/{}/vmlinux.xz",
    "/usr/lib/modules/{}/vmlinux.zst",
    "/boot/vmlinux-{}.gz",
    "/boot/vmlinux-{}.xz",
    "/boot/vmlinux-{}.zst",
    "/boot/Image-{}",
    "/boot/image-{}",
    "/boot/kernel-{}",
];

/// Kernel and its modules, as a source of BTF.
///
/// It is the running kernel ([`Kernel::running`]), or one whose files are
/// elsewhere ([`Kernel::of`]). Everything is opened on first use and kept: to
/// see newly loaded modules, make another [`Kernel`].
///
/// ```
/// # fn main() -> Result<(), btf_kernel::Error> {
/// use btf_kernel::{Kernel, types::Struct};
///
/// # let image = "doc/root"; // "/mnt", "/proc/1/root"
/// let kernel = Kernel::of(image); // or `Kernel::running()`
/// assert_eq!((kernel.release()?, kernel.is_running()), ("6.12.0", false));
/// let sk_buff = kernel.btf()?.find::<Struct<'_>>("sk_buff").map(Struct::size);
/// assert_eq!(sk_buff, Ok(56));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Kernel {
    root: Root,
    given_release: Option<String>,
    release: OnceLock<String>,
    vmlinux: OnceLock<(Btf, Source)>,
    modules: ModuleIndex,
}

/// Source of a kernel's BTF.
///
/// ```
/// # fn main() -> Result<(), btf_kernel::Error> {
/// use btf_kernel::{Kernel, Source};
///
/// let kernel = Kernel::of("doc/root");
/// match kernel.source()? {
///     Source::Mapped(path) | Source::Read(path) => println!("the kernel's own, {}", path.display()),
///     Source::File(path) => assert_eq!(path, std::path::Path::new("doc/root/boot/vmlinux-6.12.0")),
///     _ => println!("from elsewhere"),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Source {
    /// File in `/sys/kernel/btf` that was mapped.
    Mapped(PathBuf),
    /// File that was read, as it cannot be mapped.
    Read(PathBuf),
    /// Kernel or kernel image on disk that contains the BTF.
    File(PathBuf),
}

impl Source {
    /// Path of the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::Mapped(path) | Self::Read(path) | Self::File(path) => path,
        }
    }
}

impl Kernel {
    /// Returns the running kernel.
    #[must_use]
    pub fn running() -> Self {
        Self::of(Root::system())
    }

    /// Returns the kernel of the system whose files are in a folder.
    ///
    /// `<root>/sys` is trusted only if `<root>/proc` reports the running
    /// release: in a container, both are those of the host. For any other
    /// system, only files on disk are used.
    #[must_use]
    pub fn of(root: impl Into<Root>) -> Self {
        Self {
            root: root.into(),
            given_release: None,
            release: OnceLock::new(),
            vmlinux: OnceLock::new(),
            modules: ModuleIndex::default(),
        }
    }

    /// Sets the release of the kernel, which need not be the running one of the
    /// system.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_kernel::Error> {
    /// use btf_kernel::{Error, Kernel};
    ///
    /// // The kernel that was installed, and will run after the next boot.
    /// let kernel = Kernel::of("doc/root").with_release("6.13.0");
    /// let error = kernel.btf().unwrap_err();
    /// assert!(matches!(&error, Error::NoKernelBtf { tried, .. } if tried.iter().all(|attempt| attempt.is_missing())));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn with_release(self, release: impl Into<String>) -> Self {
        Self { given_release: Some(release.into()), ..Self::of(self.root) }
    }

    /// Returns the system.
    #[must_use]
    pub fn root(&self) -> &Root {
        &self.root
    }

    /// Kernel release as in `uname -r`: the one that was set, else that of the
    /// system's `/proc`, else that of the only kernel in its `lib/modules` and
    /// `boot`.
    ///
    /// # Errors
    ///
    /// [`Error::NoRelease`] if there is no such kernel, or several;
    /// [`Error::InvalidRelease`].
    pub fn release(&self) -> Result<&str, Error> {
        if let Some(release) = self.release.get() {
            return Ok(release);
        }
        let release = match &self.given_release {
            Some(release) => host::valid(release.clone())?,
            None => host::release(&self.root)?,
        };
        Ok(self.release.get_or_init(|| release))
    }

    /// Returns `true` if this is the running kernel.
    #[must_use]
    pub fn is_running(&self) -> bool {
        let is_given = self.given_release.is_some() || !self.root.is_system();
        !is_given || self.release().is_ok_and(host::is_running)
    }

    /// Returns the kernel's own BTF, which is opened on first use and kept.
    ///
    /// It is searched in sysfs, then in kernels and kernel images on disk.
    /// Places that cannot be read, or have no valid BTF, are skipped.
    ///
    /// # Errors
    ///
    /// [`Error::NoKernelBtf`] with all places and the reasons; those of
    /// [`Kernel::release`].
    pub fn btf(&self) -> Result<Btf, Error> {
        self.vmlinux().map(|(btf, _)| btf.clone())
    }

    /// Returns the source of the kernel's own BTF.
    ///
    /// # Errors
    ///
    /// Those of [`Kernel::btf`].
    pub fn source(&self) -> Result<&Source, Error> {
        self.vmlinux().map(|(_, source)| source)
    }

    /// Reads back BTF of the running kernel. The base of a module's BTF is
    /// [`Kernel::btf`]; all other BTF has none.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), btf_kernel::Error> {
    /// use btf_kernel::{Kernel, LoadedBtf};
    ///
    /// let kernel = Kernel::running();
    /// let of_program = kernel.read_loaded(&LoadedBtf::of_program(17)?)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`LoadedBtf::btf`], and for a module those of [`Kernel::btf`].
    pub fn read_loaded(&self, loaded: &LoadedBtf) -> Result<Btf, Error> {
        let info = loaded.info()?;
        match info.is_kernel && info.name != "vmlinux" {
            true => loaded.btf(Some(&self.btf()?)),
            false => loaded.btf(None),
        }
    }

    fn vmlinux(&self) -> Result<&(Btf, Source), Error> {
        if let Some(vmlinux) = self.vmlinux.get() {
            return Ok(vmlinux);
        }
        let vmlinux = self.find_vmlinux()?;
        // If another thread was first, its result is kept.
        Ok(self.vmlinux.get_or_init(|| vmlinux))
    }

    fn find_vmlinux(&self) -> Result<(Btf, Source), Error> {
        let mut tried = Vec::new();
        if self.is_running() {
            match self.in_sysfs("vmlinux", None) {
                Ok(found) => return Ok(found),
                Err(attempt) => tried.push(attempt),
            }
        }
        let release = self.release()?;
        // A file that failed is not tried again under another path.
        let mut failed = HashMap::new();
        for place in PLACES {
            let inside = place.replace("{}", release);
            let path = self.root.outside(&inside);
            let opened = self.open(&inside).and_then(|file| {
                let identity = sys::identity(&file).ok();
                match identity.and_then(|file| failed.get(&file)) {
                    Some(first) => Err(Error::SameFile { path: path.clone(), first: PathBuf::clone(first) }),
                    None => parse(file, &path, None).inspect_err(|_| {
                        failed.extend(identity.map(|file| (file, path.clone())));
                    }),
                }
            });
            match opened {
                Ok(btf) => return Ok((btf, Source::File(path))),
                Err(error) => tried.push(Attempt::new(path, error)),
            }
        }
        Err(Error::NoKernelBtf { release: release.into(), tried })
    }

    /// Opens the BTF in a file of sysfs. A module needs the kernel's as its base.
    pub(crate) fn in_sysfs(&self, name: &str, base: Option<&Btf>) -> Result<(Btf, Source), Attempt> {
        let inside = format!("{SYSFS}/{name}");
        let path = self.root.outside(&inside);
        let open = || {
            let file = self.open(&inside)?;
            let (bytes, is_mapped) = contents(file).map_err(|error| Error::Io { path: path.clone(), error })?;
            let btf = match base {
                None => Btf::parse(bytes),
                Some(base) => Btf::parse_split(bytes, base),
            };
            let btf = btf.map_err(|error| Error::Sysfs { path: path.clone(), error })?;
            Ok((btf, if is_mapped { Source::Mapped(path.clone()) } else { Source::Read(path.clone()) }))
        };
        open().map_err(|error| Attempt::new(path.clone(), error))
    }

    /// Opens the BTF in a module file, with the kernel's as its base.
    pub(crate) fn module_on_disk(&self, inside: &Path, base: &Btf) -> Result<Btf, Error> {
        let path = self.root.outside(inside);
        let file = self.open(inside)?;
        let identity = sys::identity(&file).ok();
        match identity.and_then(|file| self.modules.of_file(file)) {
            Some(Ok(btf)) => return Ok(btf),
            Some(Err(first)) => return Err(Error::SameFile { path, first }),
            None => {}
        }
        let len = file.metadata().map_or(0, |metadata| metadata.len());
        let result = parse(file, &path, Some(base));
        self.modules.keep_file(identity, &path, len, result)
    }

    /// Returns the index of the modules that were looked up.
    pub(crate) fn module_index(&self) -> &ModuleIndex {
        &self.modules
    }

    fn open(&self, inside: impl AsRef<Path>) -> Result<File, Error> {
        let inside = inside.as_ref();
        self.root.open_regular(inside).map_err(|error| Error::Io { path: self.root.outside(inside), error })
    }
}

/// Opens the BTF in a file on disk: a kernel, a kernel image, or a module with
/// its base.
fn parse(file: File, path: &Path, base: Option<&Btf>) -> Result<Btf, Error> {
    let parse = || {
        let file = BtfFile::options().open_file(file)?;
        match base {
            None => file.btf(),
            Some(base) => file.split_btf(base),
        }
    };
    parse().map_err(|error| Error::File { path: path.into(), error })
}

/// Returns the bytes of a file of sysfs, and `true` if it was mapped.
fn contents(file: File) -> io::Result<(Bytes, bool)> {
    if let Some(mapping) = sys::map_vmlinux(&file) {
        return Ok((mapping, true));
    }
    let mut bytes = Vec::new();
    file.take(Limits::BTF.max_output() + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > Limits::BTF.max_output() {
        Err(io::ErrorKind::FileTooLarge.into())
    } else {
        Ok((bytes.into(), false))
    }
}
