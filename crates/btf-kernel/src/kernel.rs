//! A kernel: its BTF, wherever that is.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::{Mutex, OnceLock},
};

use btf_elf::{BtfFile, Limits};
use btf_types::{Btf, Bytes};

use crate::{Attempt, Error, Root, host, map, modules::ModuleFiles};

/// Where a kernel shows its BTF.
pub(crate) const SYSFS: &str = "/sys/kernel/btf";

/// Where the kernel itself is, or was put with its debug information; `{}` is
/// the release.
///
/// Source: `btf__load_vmlinux_btf` in `tools/lib/bpf/btf.c`; where that and
/// others end, with `{vmlinuz}` the images that boot loaders load.
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

/// A kernel, and what of its BTF was opened.
///
/// Of the system that this runs on ([`Kernel::running`]) or of one whose files
/// are elsewhere ([`Kernel::of`]). Nothing is looked at before it is asked for;
/// what was opened is kept, so that another [`Kernel`] has to be made to see
/// that modules came and went.
#[derive(Debug)]
pub struct Kernel {
    root: Root,
    given_release: Option<String>,
    release: OnceLock<String>,
    vmlinux: OnceLock<(Btf, Source)>,
    pub(crate) opened: Mutex<BTreeMap<String, Btf>>,
    /// The files of modules: those that modules.dep lists, and all of them.
    pub(crate) listed: OnceLock<ModuleFiles>,
    pub(crate) files: OnceLock<ModuleFiles>,
}

/// How a kernel's BTF was come by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Source {
    /// Its file in `/sys/kernel/btf` was mapped.
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
    /// Its `/sys` is believed if its `/proc` says the release of the kernel that
    /// runs: in a container, both are those of the host. Of any other system,
    /// what is on disk counts.
    #[must_use]
    pub fn of(root: Root) -> Self {
        Self {
            root,
            given_release: None,
            release: OnceLock::new(),
            vmlinux: OnceLock::new(),
            opened: Mutex::default(),
            listed: OnceLock::new(),
            files: OnceLock::new(),
        }
    }

    /// A kernel of that system with this release, which need not be the one that
    /// it runs.
    #[must_use]
    pub fn with_release(self, release: impl Into<String>) -> Self {
        Self { given_release: Some(release.into()), ..Self::of(self.root) }
    }

    /// The system.
    #[must_use]
    pub fn root(&self) -> &Root {
        &self.root
    }

    /// Its release, as `uname -r` says it.
    ///
    /// # Errors
    ///
    /// [`Error::NoRelease`] if that cannot be told.
    pub fn release(&self) -> Result<&str, Error> {
        if let Some(release) = self.given_release.as_ref().or(self.release.get()) {
            return Ok(release);
        }
        let release = host::release_of(&self.root)?;
        Ok(self.release.get_or_init(|| release))
    }

    /// Whether this is the kernel that runs.
    #[must_use]
    pub fn is_running(&self) -> bool {
        let is_given = self.given_release.is_some() || !self.root.is_system();
        !is_given || self.release().is_ok_and(|release| release == host::running_release())
    }

    /// The kernel's own BTF: opened when first asked for, and kept.
    ///
    /// It is looked for in sysfs, then in a kernel or a kernel image on disk. A
    /// place that cannot be read, or has no sound BTF, is passed over.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] with all places and what is wrong with each;
    /// [`Error::NoRelease`].
    pub fn btf(&self) -> Result<Btf, Error> {
        self.vmlinux().map(|(btf, _)| btf.clone())
    }

    /// How the kernel's own BTF was come by.
    ///
    /// # Errors
    ///
    /// Those of [`Kernel::btf`].
    pub fn source(&self) -> Result<&Source, Error> {
        self.vmlinux().map(|(_, source)| source)
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
        for place in PLACES {
            let path = place.replace("{}", release);
            match self.on_disk(&path, None) {
                Ok(btf) => return Ok((btf, Source::File(self.root.outside(path)))),
                Err(error) => tried.push(Attempt { path: self.root.outside(path), error: error.into() }),
            }
        }
        Err(Error::NotFound { what: format!("kernel {release}"), tried })
    }

    /// A file of sysfs; on the kernel's BTF if it is a module's.
    pub(crate) fn in_sysfs(&self, name: &str, base: Option<&Btf>) -> Result<(Btf, Source), Attempt> {
        let inside = format!("{SYSFS}/{name}");
        let path = self.root.outside(&inside);
        let open = || {
            let file = self.root.open(&inside).map_err(|source| Error::Io { path: path.clone(), source })?;
            let (bytes, is_mapped) = contents(file).map_err(|source| Error::Io { path: path.clone(), source })?;
            let btf = match base {
                None => Btf::parse(bytes),
                Some(base) => Btf::parse_split(bytes, base),
            };
            let btf = btf.map_err(|source| Error::Btf { what: path.display().to_string(), source })?;
            Ok((btf, if is_mapped { Source::Mapped(path.clone()) } else { Source::Read(path.clone()) }))
        };
        open().map_err(|error: Error| Attempt { path: path.clone(), error: error.into() })
    }

    /// A file on disk: a kernel, an image of one, or on its BTF a module.
    pub(crate) fn on_disk(&self, inside: impl AsRef<Path>, base: Option<&Btf>) -> Result<Btf, Error> {
        let path = self.root.outside(&inside);
        let file = self.root.open(inside).map_err(|source| Error::Io { path: path.clone(), source })?;
        let open = || {
            let file = BtfFile::from_file(file, &Limits::IMAGE)?;
            match base {
                None => file.btf(),
                Some(base) => file.split_btf(base),
            }
        };
        open().map_err(|source| Error::File { path, source })
    }
}

/// What is in a file, and whether it was mapped.
fn contents(mut file: File) -> io::Result<(Bytes, bool)> {
    // Only what the kernel itself shows: anything else could change while it is
    // mapped.
    let is_sysfs = rustix::fs::fstatfs(&file).is_ok_and(|stat| stat.f_type as u64 == SYSFS_MAGIC);
    let len = usize::try_from(file.metadata()?.len()).ok().filter(|&len| is_sysfs && len > 0);
    if let Some(mapping) = len.and_then(|len| map::sysfs(&file, len).ok()) {
        return Ok((Bytes::from_owner(mapping), true));
    }
    let mut bytes = Vec::new();
    file.by_ref().take(Limits::BTF.output + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > Limits::BTF.output {
        Err(io::ErrorKind::FileTooLarge.into())
    } else {
        Ok((bytes.into(), false))
    }
}

/// What `statfs` says of sysfs: `SYSFS_MAGIC` in `include/uapi/linux/magic.h`.
const SYSFS_MAGIC: u64 = 0x6265_6572;
