//! A kernel: its BTF, wherever that is.

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

/// Folder in which a kernel shows its BTF.
pub(crate) const SYSFS: &str = "/sys/kernel/btf";

/// Paths of the kernel itself, also with its debug information, and of images
/// that boot loaders load; `{}` is the release.
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

/// A kernel and its modules, as a source of BTF.
///
/// Of the system that this runs on ([`Kernel::running`]) or of one whose files
/// are elsewhere ([`Kernel::of`]). Nothing is looked at before it is asked for;
/// what was opened is kept, so that another [`Kernel`] has to be made to see
/// that modules came and went.
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
    /// File in `/sys/kernel/btf`, which was mapped.
    Mapped(PathBuf),
    /// The file was read, as it could not be mapped.
    Read(PathBuf),
    /// It was taken out of a file on disk: the kernel itself, or an image of it.
    File(PathBuf),
}

impl Source {
    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::Mapped(path) | Self::Read(path) | Self::File(path) => path,
        }
    }
}

impl Kernel {
    /// The running kernel.
    #[must_use]
    pub fn running() -> Self {
        Self::of(Root::system())
    }

    /// The kernel of the system whose files are in a folder.
    ///
    /// `<root>/sys` is trusted only if `<root>/proc` reports the release of the
    /// kernel that runs: in a container, both are those of the host. Of any other
    /// system, only files on disk are looked at.
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

    /// A kernel of that system with this release, which need not be the one that
    /// it runs.
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

    /// The system.
    #[must_use]
    pub fn root(&self) -> &Root {
        &self.root
    }

    /// Kernel release as in `uname -r`: the one that was given, else that of the
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

    /// Returns whether this is the kernel that runs.
    #[must_use]
    pub fn is_running(&self) -> bool {
        let is_given = self.given_release.is_some() || !self.root.is_system();
        !is_given || self.release().is_ok_and(host::is_running)
    }

    /// The kernel's own BTF: opened when first asked for, and kept.
    ///
    /// It is looked for in sysfs, then in a kernel or a kernel image on disk. A
    /// place that cannot be read, or has no sound BTF, is passed over.
    ///
    /// # Errors
    ///
    /// [`Error::NoKernelBtf`] with all places and the reason why each failed;
    /// those of [`Kernel::release`].
    pub fn btf(&self) -> Result<Btf, Error> {
        self.vmlinux().map(|(btf, _)| btf.clone())
    }

    /// Source of the kernel's own BTF, and whether it is mapped.
    ///
    /// # Errors
    ///
    /// Those of [`Kernel::btf`].
    pub fn source(&self) -> Result<&Source, Error> {
        self.vmlinux().map(|(_, source)| source)
    }

    /// Reads back BTF of the running kernel, on its base: that of a module is
    /// split from [`Kernel::btf`], all other has none.
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
        // Another thread may have been faster; then its is kept.
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
        // A file that is no good is no better under another path.
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

    /// A file of sysfs; on the kernel's BTF if it is a module's.
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

    /// The BTF in the file of a module, on the kernel's BTF.
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

    /// Modules as far as they were looked up.
    pub(crate) fn module_index(&self) -> &ModuleIndex {
        &self.modules
    }

    fn open(&self, inside: impl AsRef<Path>) -> Result<File, Error> {
        let inside = inside.as_ref();
        self.root.open_regular(inside).map_err(|error| Error::Io { path: self.root.outside(inside), error })
    }
}

/// The BTF in a file on disk: of a kernel, an image of one, or on its BTF of a
/// module.
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

/// The bytes of a file of sysfs, and whether it was mapped.
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
