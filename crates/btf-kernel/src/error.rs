//! Errors of looking for a kernel's BTF, and of asking the kernel.

use std::{
    error, fmt, io,
    path::{Path, PathBuf},
};

use btf_types::{Kind, format::Escaped};

use crate::BpfObjectKind;

/// Error of looking for a kernel's BTF, or of bpf(2).
///
/// Each message stands alone: the reason is part of it, and not to be had again
/// from [`source`](error::Error::source).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No place has BTF for the kernel.
    #[error("no BTF for kernel {}{}", Text(.release), Tried(.tried))]
    #[non_exhaustive]
    NoKernelBtf {
        /// Kernel release.
        release: String,
        /// Places that were tried, with the reason why each failed.
        tried: Vec<Attempt>,
    },
    /// No place has BTF for the module.
    #[error("no BTF for module {}{}", Text(.name), Tried(.tried))]
    #[non_exhaustive]
    NoModuleBtf {
        /// Name of the module.
        name: String,
        /// Places that were tried, with the reason why each failed.
        tried: Vec<Attempt>,
    },
    /// The kernel release of a system is unknown.
    #[error("{}: unknown kernel release: no proc/sys/kernel/osrelease, {}; give the release", Shown(.root), Releases(.found))]
    #[non_exhaustive]
    NoRelease {
        /// Folder of the system.
        root: PathBuf,
        /// Releases of the kernels in its `lib/modules` and `boot`: none, or
        /// several.
        found: Vec<String>,
    },
    /// The release cannot be one: empty, too long, or with a `/`.
    #[error("not a kernel release: {}", Text(.release))]
    #[non_exhaustive]
    InvalidRelease {
        /// The release, or the start of it.
        release: String,
    },
    /// The machine of a system is unknown.
    #[error("{}: unknown machine: no proc/sys/kernel/arch; give the machine", Shown(.root))]
    #[non_exhaustive]
    NoMachine {
        /// Folder of the system.
        root: PathBuf,
    },
    /// The kernel is not the one that runs, so that nobody knows what it has
    /// loaded.
    #[error("kernel {} is not running: its loaded modules are unknown", Text(.release))]
    #[non_exhaustive]
    NotRunning {
        /// Kernel release.
        release: String,
    },
    /// A file or folder cannot be read.
    #[error("cannot read {}: {error}", Shown(.path))]
    #[non_exhaustive]
    Io {
        /// Path of the file.
        path: PathBuf,
        /// Reason.
        error: io::Error,
    },
    /// A file on disk has no BTF, or none that can be opened.
    #[error("no usable BTF in {}: {}", Shown(.path), Chain(.error))]
    #[non_exhaustive]
    File {
        /// Path of the file.
        path: PathBuf,
        /// Reason.
        error: btf_elf::Error,
    },
    /// A file of sysfs has BTF that cannot be opened.
    #[error("invalid BTF in {}: {}", Shown(.path), Chain(.error))]
    #[non_exhaustive]
    Sysfs {
        /// Path of the file.
        path: PathBuf,
        /// Reason.
        error: btf_types::Error,
    },
    /// The file is one that was tried before, under another path.
    #[error("{} is the same file as {}", Shown(.path), Shown(.first))]
    #[non_exhaustive]
    SameFile {
        /// Path of the file.
        path: PathBuf,
        /// Path under which it was tried.
        first: PathBuf,
    },
    /// A list of modules, or a tree of their files, is too long.
    #[error("{}: more than {limit} modules", Shown(.path))]
    #[non_exhaustive]
    TooManyModules {
        /// Path of the list or folder.
        path: PathBuf,
        /// Maximum number of modules.
        limit: usize,
    },
    /// The modules' BTF is out of proportion to their files.
    #[error("{}: the modules so far have {len} bytes of BTF, out of proportion to their files", Shown(.path))]
    #[non_exhaustive]
    TooMuchBtf {
        /// Path of the file that is one too many.
        path: PathBuf,
        /// Size of the BTF of all modules that are open, in bytes.
        len: u64,
    },
    /// A name that no module can have.
    #[error("not the name of a module: {}", Text(.name))]
    #[non_exhaustive]
    ModuleName {
        /// The name.
        name: String,
    },
    /// Several modules have a type of the name.
    #[error("{} modules have a {} named {}: {}", .modules.len(), KindName(.kind), Text(.name), Few(.modules))]
    #[non_exhaustive]
    AmbiguousModule {
        /// Name of the type.
        name: String,
        /// Kind of the type, if one was asked for.
        kind: Option<Kind>,
        /// Names of the modules.
        modules: Vec<String>,
    },
    /// A module's BTF does not go with that of the others.
    #[error("module {}: {}", Text(.name), Chain(.error))]
    #[non_exhaustive]
    Collection {
        /// Name of the module.
        name: String,
        /// Reason.
        error: btf_types::Error,
    },
    /// BTF cannot be rewritten so that the kernel loads it.
    #[cfg(feature = "sanitize")]
    #[error("cannot sanitize the BTF for the running kernel: {error}")]
    #[non_exhaustive]
    Sanitize {
        /// Reason.
        error: Box<btf_build::Error>,
    },
    /// The kernel has no such object.
    #[error("the kernel has no {object} with id {id}")]
    #[non_exhaustive]
    NoSuchId {
        /// Kind of object.
        object: BpfObjectKind,
        /// The id.
        id: u32,
    },
    /// A program or map was loaded without BTF.
    #[error("{object} {id} was loaded without BTF")]
    #[non_exhaustive]
    WithoutBtf {
        /// Kind of object.
        object: BpfObjectKind,
        /// Id of the object.
        id: u32,
    },
    /// BTF that was read back from the kernel cannot be opened.
    #[error("invalid BTF in the kernel, id {id}: {}", Chain(.error))]
    #[non_exhaustive]
    Loaded {
        /// Id of the BTF.
        id: u32,
        /// Reason.
        error: btf_types::Error,
    },
    /// A file descriptor is not one of BTF.
    #[error("file descriptor {number} is not BTF, but {}", Shown(.is))]
    #[non_exhaustive]
    NotBtfDescriptor {
        /// Number of the descriptor.
        number: i32,
        /// Target of the descriptor's link in `/proc/self/fd`.
        is: PathBuf,
    },
    /// The caller lacks a right. This does not mean that the kernel lacks a
    /// feature.
    #[error("{operation} needs {needs}: {error}")]
    #[non_exhaustive]
    Permission {
        /// Operation that was tried.
        operation: &'static str,
        /// Right that it needs.
        needs: &'static str,
        /// `EPERM` or `EACCES`.
        error: io::Error,
    },
    /// The kernel's verifier rejects the BTF.
    #[error("the kernel rejects the BTF: {}", Verdict(.log, .error))]
    #[non_exhaustive]
    Rejected {
        /// Error of the system call.
        error: io::Error,
        /// The verifier's log, or its end; empty if there is none.
        log: String,
    },
    /// The BTF is larger than the kernel accepts.
    #[error("{len} bytes of BTF: the kernel accepts at most {limit}")]
    #[non_exhaustive]
    TooLarge {
        /// Size of the BTF in bytes.
        len: usize,
        /// Maximum size in bytes.
        limit: usize,
    },
    /// Split BTF cannot be loaded.
    #[error("split BTF cannot be loaded: the kernel accepts only BTF without a base")]
    SplitBtf,
    /// This system is not Linux: no kernel that could be asked runs here.
    #[error("{operation} is only possible on Linux")]
    #[non_exhaustive]
    NotLinux {
        /// Operation that was tried.
        operation: &'static str,
    },
    /// A system call failed in another way.
    #[error("{operation} failed: {error}")]
    #[non_exhaustive]
    System {
        /// Operation that was tried.
        operation: &'static str,
        /// Reason.
        error: io::Error,
    },
}

/// Place where BTF was looked for, with the reason why it failed.
///
/// ```
/// # fn main() -> Result<(), btf_kernel::Error> {
/// use btf_kernel::{Error, Kernel};
///
/// let error = Kernel::of("doc/root").with_release("5.4.0").btf().unwrap_err();
/// let Error::NoKernelBtf { tried, .. } = error else { panic!("{error}") };
/// let first = &tried[0];
/// assert_eq!(first.path().to_str(), Some("doc/root/boot/vmlinux-5.4.0"));
/// assert!(first.is_missing());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Attempt {
    path: PathBuf,
    error: Box<Error>,
}

impl Attempt {
    pub(crate) fn new(path: PathBuf, error: Error) -> Self {
        Self { path, error: error.into() }
    }

    /// The place: the path of a file or folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reason why it failed.
    #[must_use]
    pub fn error(&self) -> &Error {
        &self.error
    }

    /// Returns whether there is no such file.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(&*self.error, Error::Io { error, .. } if is_missing(error))
    }
}

/// Returns whether the error says that there is no such file.
pub(crate) fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Text that comes from a file or a caller, in a message.
struct Text<'a>(&'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Escaped::new(self.0).fmt(f)
    }
}

/// A path in a message.
struct Shown<'a>(&'a Path);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Escaped::new(self.0.as_os_str().as_encoded_bytes()).fmt(f)
    }
}

/// An error of another crate and its causes, in a message.
struct Chain<'a>(&'a dyn error::Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        std::iter::successors(self.0.source(), |error| error.source()).try_for_each(|error| write!(f, ": {error}"))
    }
}

/// Attempts, in a message: first what was there, then what was not.
struct Tried<'a>(&'a [Attempt]);

impl fmt::Display for Tried<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for attempt in self.0.iter().filter(|attempt| !attempt.is_missing()) {
            write!(f, "; {}", attempt.error)?;
        }
        let mut missing = self.0.iter().filter(|attempt| attempt.is_missing());
        if let Some(first) = missing.next() {
            write!(f, "; not there: {}", Shown(&first.path))?;
        }
        missing.try_for_each(|attempt| write!(f, ", {}", Shown(&attempt.path)))
    }
}

/// Releases that were found in place of one, in a message.
struct Releases<'a>(&'a [String]);

impl fmt::Display for Releases<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [] => f.write_str("and no kernel in lib/modules or boot"),
            several => write!(f, "but {} kernels in lib/modules and boot: {}", several.len(), Few(several)),
        }
    }
}

/// Names, at most 20 of them, in a message.
struct Few<'a>(&'a [String]);

impl fmt::Display for Few<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const FEW: usize = 20;
        for (index, name) in self.0.iter().take(FEW).enumerate() {
            write!(f, "{}{}", if index == 0 { "" } else { ", " }, Text(name))?;
        }
        if self.0.len() > FEW { f.write_str(", ...") } else { Ok(()) }
    }
}

/// A kind that was asked for, in a message.
struct KindName<'a>(&'a Option<Kind>);

impl fmt::Display for KindName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => f.write_str("type"),
            Some(kind) => kind.fmt(f),
        }
    }
}

/// The last line of a verifier's log, and the error of the system call.
struct Verdict<'a>(&'a str, &'a io::Error);

impl fmt::Display for Verdict<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(log, error) = self;
        // What went wrong comes last; before it are all types that are sound.
        match log.lines().rev().find(|line| !line.trim().is_empty()) {
            None => error.fmt(f),
            Some(line) => write!(f, "{} ({error})", Text(line.trim())),
        }
    }
}
