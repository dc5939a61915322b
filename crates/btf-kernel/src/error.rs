//! Errors of searching for a kernel's BTF, and of bpf(2).

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

use btf_types::{Kind, format::Escaped};

use crate::BpfObjectKind;

/// Error of searching for a kernel's BTF, or of bpf(2).
///
/// Each message is complete: [`source`](std::error::Error::source) has nothing to
/// add.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// None of the places searched has BTF for the kernel.
    #[error("no BTF for kernel {}{}", Text(.release), Tried(.tried))]
    #[non_exhaustive]
    NoKernelBtf {
        /// Kernel release.
        release: String,
        /// Places that were tried, each with the reason why it failed.
        tried: Vec<Attempt>,
    },
    /// None of the places searched has BTF for the module.
    #[error("no BTF for module {}{}", Text(.name), Tried(.tried))]
    #[non_exhaustive]
    NoModuleBtf {
        /// Name of the module.
        name: String,
        /// Places that were tried, each with the reason why it failed.
        tried: Vec<Attempt>,
    },
    /// The kernel release of a system is unknown.
    #[error("unknown kernel release of {}: it has no proc/sys/kernel/osrelease, {}; give the release", Shown(.root), Releases(.found))]
    #[non_exhaustive]
    NoRelease {
        /// Folder of the system.
        root: PathBuf,
        /// Releases of the kernels in its `lib/modules` and `boot`: none, or
        /// several.
        found: Vec<String>,
    },
    /// The release is invalid: empty, too long, or with a `/`.
    #[error("invalid kernel release `{}`", Text(.release))]
    #[non_exhaustive]
    InvalidRelease {
        /// The release, or the start of it.
        release: String,
    },
    /// The machine of a system is unknown.
    #[error("unknown machine of {}: it has no proc/sys/kernel/arch; give the machine", Shown(.root))]
    #[non_exhaustive]
    NoMachine {
        /// Folder of the system.
        root: PathBuf,
    },
    /// The kernel is not the running one, so that its loaded modules are unknown.
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
    /// A file on disk has no BTF, or its BTF cannot be opened.
    #[error("cannot read BTF from {}: {error}", Shown(.path))]
    #[non_exhaustive]
    File {
        /// Path of the file.
        path: PathBuf,
        /// Reason.
        error: btf_elf::Error,
    },
    /// The BTF in a file of sysfs cannot be opened.
    #[error("cannot read BTF from {}: {error}", Shown(.path))]
    #[non_exhaustive]
    Sysfs {
        /// Path of the file.
        path: PathBuf,
        /// Reason.
        error: btf_types::Error,
    },
    /// The file was already tried under another path.
    #[error("{} is the same file as {}", Shown(.path), Shown(.first))]
    #[non_exhaustive]
    SameFile {
        /// Path of the file.
        path: PathBuf,
        /// Path under which it was tried.
        first: PathBuf,
    },
    /// A list of modules, or a tree of module files, is too long.
    #[error("more than {limit} modules in {}", Shown(.path))]
    #[non_exhaustive]
    TooManyModules {
        /// Path of the list or folder.
        path: PathBuf,
        /// Maximum number of modules.
        limit: usize,
    },
    /// The BTF of the modules is far larger than their files.
    #[error("cannot open {}: the modules so far have {len} bytes of BTF, far more than their files", Shown(.path))]
    #[non_exhaustive]
    TooMuchBtf {
        /// Path of the file at which the limit was reached.
        path: PathBuf,
        /// Size of the BTF of all modules that are open, in bytes.
        len: u64,
    },
    /// The name of a module is invalid.
    #[error("invalid module name `{}`", Text(.name))]
    #[non_exhaustive]
    ModuleName {
        /// The name.
        name: String,
    },
    /// Several modules have a type of the name.
    #[error("`{}` is ambiguous: {} modules have a {} of this name: {}", Text(.name), .modules.len(), KindName(.kind), Few(.modules))]
    #[non_exhaustive]
    AmbiguousModule {
        /// Name of the type.
        name: String,
        /// Kind of the type, if one was asked for.
        kind: Option<Kind>,
        /// Names of the modules.
        modules: Vec<String>,
    },
    /// The BTF of a module does not fit the collection.
    #[error("module {}: {error}", Text(.name))]
    #[non_exhaustive]
    Collection {
        /// Name of the module.
        name: String,
        /// Reason.
        error: btf_types::Error,
    },
    /// BTF cannot be rewritten for the running kernel.
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
    #[error("cannot read the BTF with id {id} from the kernel: {error}")]
    #[non_exhaustive]
    Loaded {
        /// Id of the BTF.
        id: u32,
        /// Reason.
        error: btf_types::Error,
    },
    /// A file descriptor is not one of BTF.
    #[error("file descriptor {number} is not BTF but {}", Shown(.is))]
    #[non_exhaustive]
    NotBtfDescriptor {
        /// Number of the descriptor.
        number: i32,
        /// Target of the descriptor's link in `/proc/self/fd`.
        is: PathBuf,
    },
    /// The caller lacks a privilege. This does not mean that the kernel lacks a
    /// feature.
    #[error("{operation} needs {needs}: {error}")]
    #[non_exhaustive]
    Permission {
        /// Operation that was tried.
        operation: &'static str,
        /// Privilege that it needs.
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
    #[error("the BTF has {len} bytes, more than the kernel's limit of {limit}")]
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
    /// The operation needs a running Linux kernel.
    #[error("{operation} is only possible on Linux")]
    #[non_exhaustive]
    NotLinux {
        /// Operation that was tried.
        operation: &'static str,
    },
    /// A system call failed for another reason.
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

    /// Returns the path of the file or folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the reason why it failed.
    #[must_use]
    pub fn error(&self) -> &Error {
        &self.error
    }

    /// Returns `true` if the file does not exist.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(&*self.error, Error::Io { error, .. } if is_missing(error))
    }
}

/// Returns `true` if the error means that the file does not exist.
pub(crate) fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Text from a file or a caller, escaped for a message.
struct Text<'a>(&'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Escaped::new(self.0).fmt(f)
    }
}

/// Path, escaped for a message.
struct Shown<'a>(&'a Path);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Escaped::new(self.0.as_os_str().as_encoded_bytes()).fmt(f)
    }
}

/// Attempts in a message: first the files that exist, then those that do not.
struct Tried<'a>(&'a [Attempt]);

impl fmt::Display for Tried<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for attempt in self.0.iter().filter(|attempt| !attempt.is_missing()) {
            write!(f, "; {}", attempt.error)?;
        }
        let mut missing = self.0.iter().filter(|attempt| attempt.is_missing());
        if let Some(first) = missing.next() {
            write!(f, "; not found: {}", Shown(&first.path))?;
        }
        missing.try_for_each(|attempt| write!(f, ", {}", Shown(&attempt.path)))
    }
}

/// Releases found in `lib/modules` and `boot`, in a message.
struct Releases<'a>(&'a [String]);

impl fmt::Display for Releases<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [] => f.write_str("and no kernel in lib/modules or boot"),
            several => write!(f, "but {} kernels in lib/modules and boot: {}", several.len(), Few(several)),
        }
    }
}

/// List of names in a message, truncated to 20.
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

/// Requested kind in a message: `type` if none was requested.
struct KindName<'a>(&'a Option<Kind>);

impl fmt::Display for KindName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => f.write_str("type"),
            Some(kind) => kind.fmt(f),
        }
    }
}

/// Last line of a verifier's log, and the error of the system call.
struct Verdict<'a>(&'a str, &'a io::Error);

impl fmt::Display for Verdict<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(log, error) = self;
        // The last line names the fault; the lines before it list valid types.
        match log.lines().rev().find(|line| !line.trim().is_empty()) {
            None => error.fmt(f),
            Some(line) => write!(f, "{} ({error})", Text(line.trim())),
        }
    }
}

#[cfg(test)]
mod tests {
    use btf_messages::{Messages, examples};

    use super::*;

    #[test]
    fn messages_stand_alone() {
        let io = |kind: io::ErrorKind| io::Error::from(kind);
        let names = || vec!["openvswitch".to_owned(), "veth".to_owned()];
        let path = || PathBuf::from("/boot/vmlinux-6.1.0");
        let missing = || Error::Io { path: path(), error: io(io::ErrorKind::NotFound) };
        let tried = || {
            let file = Error::File { path: path(), error: btf_elf::Error::NoBtf };
            vec![Attempt::new(path(), missing()), Attempt::new(path(), file)]
        };
        let mut messages = Messages::new(env!("CARGO_MANIFEST_DIR"));
        messages.allow_ids("objects in the kernel are known by their id", &["Error::NoSuchId", "Error::Loaded"]);
        examples!(messages: Error {
            NoKernelBtf => Error::NoKernelBtf { release: "6.1.0".into(), tried: tried() },
            NoModuleBtf => Error::NoModuleBtf { name: "veth".into(), tried: tried() },
            NoRelease => Error::NoRelease { root: "/mnt".into(), found: vec!["6.1.0".into(), "6.6.1".into()] },
            InvalidRelease => Error::InvalidRelease { release: "6.1/0".into() },
            NoMachine => Error::NoMachine { root: "/mnt".into() },
            NotRunning => Error::NotRunning { release: "6.1.0".into() },
            Io => missing(),
            File => Error::File { path: path(), error: btf_elf::Error::NoBtf },
            Sysfs => Error::Sysfs { path: "/sys/kernel/btf/veth".into(), error: btf_types::Error::SplitWithoutBase },
            SameFile => Error::SameFile { path: path(), first: "/usr/lib/debug/boot/vmlinux-6.1.0".into() },
            TooManyModules => Error::TooManyModules { path: "/proc/modules".into(), limit: 65_536 },
            TooMuchBtf => Error::TooMuchBtf { path: "/lib/modules/6.1.0/veth.ko".into(), len: 1 << 30 },
            ModuleName => Error::ModuleName { name: "../veth".into() },
            AmbiguousModule => Error::AmbiguousModule { name: "port".into(), kind: Some(Kind::Struct), modules: names() },
            Collection => Error::Collection { name: "veth".into(), error: btf_types::Error::NotSplit },
            #[cfg(feature = "sanitize")]
            Sanitize => Error::Sanitize { error: btf_build::Error::OtherBase.into() },
            NoSuchId => Error::NoSuchId { object: BpfObjectKind::Map, id: 7 },
            WithoutBtf => Error::WithoutBtf { object: BpfObjectKind::Program, id: 7 },
            Loaded => Error::Loaded { id: 7, error: btf_types::Error::SplitWithoutBase },
            NotBtfDescriptor => Error::NotBtfDescriptor { number: 3, is: "/dev/null".into() },
            Permission => Error::Permission {
                operation: "loading BTF",
                needs: "CAP_BPF",
                error: io(io::ErrorKind::PermissionDenied),
            },
            Rejected => Error::Rejected {
                error: io(io::ErrorKind::InvalidInput),
                log: "[1] INT int\n[2] STRUCT bad name Invalid name\n".into(),
            },
            TooLarge => Error::TooLarge { len: 1 << 25, limit: 1 << 24 },
            SplitBtf => Error::SplitBtf,
            NotLinux => Error::NotLinux { operation: "loading BTF" },
            System => Error::System { operation: "loading BTF", error: io(io::ErrorKind::OutOfMemory) },
        });
        messages.check(cfg!(feature = "sanitize"));
    }
}
