//! Errors of reading, selecting from, writing and fetching archives.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    time::Duration,
};

use btf_elf::Compression;
use btf_types::format::Escaped;

/// Error of reading, selecting from, writing or fetching an archive.
///
/// Each message is complete: [`source`](std::error::Error::source) has nothing to
/// add. Paths and names from files are escaped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An operation on a file or folder failed.
    #[error("cannot {operation} {}: {reason}", shown_path(.path))]
    #[non_exhaustive]
    Io {
        /// The operation: `open`, `read`, `write`, `create`.
        operation: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        reason: io::Error,
    },
    /// A file is not an archive.
    #[error("{} is not an archive of BTF: {found}", Escaped::new(.archive))]
    #[non_exhaustive]
    NotAnArchive {
        /// The file's path, or a description of where the bytes are from.
        archive: String,
        /// The content that was found instead.
        found: &'static str,
    },
    /// An archive is damaged or truncated.
    #[error("{} is damaged: {reason}", Escaped::new(.archive))]
    #[non_exhaustive]
    Damaged {
        /// The archive.
        archive: String,
        /// The first fault found.
        reason: &'static str,
    },
    /// An archive, or a file in it, cannot be decompressed.
    #[error("cannot decode {}: {reason}", Escaped::new(.member))]
    #[non_exhaustive]
    Decode {
        /// The archive, or the path in it.
        member: String,
        /// The decoder's error.
        reason: btf_elf::Error,
    },
    /// A bundle cannot be written.
    #[error("cannot write the bundle: {reason}")]
    #[non_exhaustive]
    Write {
        /// The system's error.
        reason: io::Error,
    },
    /// An archive has a member that does not belong in an archive of BTF.
    #[error("refusing {}: {reason}", Escaped::new(.member))]
    #[non_exhaustive]
    Refused {
        /// The member's path.
        member: String,
        /// The kind of the member, or the reason why its path is invalid.
        reason: &'static str,
    },
    /// An archive exceeds its [`Limits`](crate::Limits).
    #[error("too many {what}: the limit is {limit}")]
    #[non_exhaustive]
    Limit {
        /// The quantity that is limited.
        what: &'static str,
        /// The maximum.
        limit: u64,
    },
    /// The archive has no file with this path.
    #[error("{} is not in the archive", Escaped::new(.member))]
    #[non_exhaustive]
    NoMember {
        /// The path.
        member: String,
    },
    /// The archive has no BTF for this module of the selected kernel.
    #[error("no BTF for module {} in {}", Escaped::new(.module), Escaped::new(.member))]
    #[non_exhaustive]
    NoModule {
        /// The file's path in the archive.
        member: String,
        /// The module.
        module: String,
    },
    /// A kernel's file does not contain BTF.
    #[error("no kernel BTF in {}: {reason}", Escaped::new(.member))]
    #[non_exhaustive]
    NoBtf {
        /// The file's path in the archive.
        member: String,
        /// The content that was found instead.
        reason: &'static str,
    },
    /// The BTF of a kernel cannot be opened.
    #[error("cannot read BTF from {}: {reason}", Escaped::new(.member))]
    #[non_exhaustive]
    Btf {
        /// The file's path in the archive.
        member: String,
        /// The parser's error.
        reason: btf_types::Error,
    },
    /// The selected BTF is for another machine than the host.
    #[error("{} cannot be BTF for {}: {found}", Escaped::new(.member), Escaped::new(.machine))]
    #[non_exhaustive]
    OtherMachine {
        /// The file's path in the archive.
        member: String,
        /// The host's machine.
        machine: String,
        /// The property that does not fit.
        found: &'static str,
    },
    /// The selected BTF lacks a required type.
    #[error("{} has no type {}: it is not BTF for a kernel, or is for another kernel", Escaped::new(.member), Escaped::new(.name))]
    #[non_exhaustive]
    NoType {
        /// The file's path in the archive.
        member: String,
        /// The type's name.
        name: String,
    },
    /// The archive has no BTF for the host's kernel.
    #[error("no BTF for {}{}", Escaped::new(.host), Nearest(.nearest))]
    #[non_exhaustive]
    NotFound {
        /// The host: `kernel 5.4.0 of debian 10 on x86_64`.
        host: String,
        /// The paths that were tried, without their endings, best first.
        tried: Vec<String>,
        /// Paths of similar releases, the nearest first.
        nearest: Vec<String>,
    },
    /// Several kernels in the archive match the host, and their BTF differs.
    #[error(
        "release {} is ambiguous: several kernels match: {}; give the distribution and its version",
        Escaped::new(.release),
        ShownList(.candidates)
    )]
    #[non_exhaustive]
    Ambiguous {
        /// The release.
        release: String,
        /// Their paths.
        candidates: Vec<String>,
    },
    /// No kernel in the archive matches the filters.
    #[error("no kernel in {} matches {}", Escaped::new(.archive), Escaped::new(.wanted))]
    #[non_exhaustive]
    NoMatch {
        /// The patterns: `release 5.4*, machine x86_64`.
        wanted: String,
        /// The archive.
        archive: String,
    },
    /// The archive has two different files for one kernel.
    #[error("{} and {} are for the same kernel, but their BTF differs", Escaped::new(.member), Escaped::new(.other))]
    #[non_exhaustive]
    Conflict {
        /// The path of one.
        member: String,
        /// The path of the other.
        other: String,
    },
    /// The function of `Pack::transform` failed.
    #[error("cannot transform {}: {}", Escaped::new(.member), Causes(&**.reason))]
    #[non_exhaustive]
    Transform {
        /// The file's path in the archive.
        member: String,
        /// The function's error.
        reason: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The BTF of a kernel cannot be trimmed.
    #[cfg(feature = "trim")]
    #[error("cannot trim {}: {reason}", Escaped::new(.member))]
    #[non_exhaustive]
    Trim {
        /// The file's path in the archive.
        member: String,
        /// The reason.
        reason: Box<btf_relocate::TrimError>,
    },
    /// A BPF object cannot be read, or its relocations are damaged.
    #[cfg(feature = "trim")]
    #[error("cannot use the BPF object {}: {reason}", shown_path(.path))]
    #[non_exhaustive]
    Program {
        /// The object file.
        path: PathBuf,
        /// The reason.
        reason: Box<btf_relocate::TrimError>,
    },
    /// A bundle to be embedded was not packed by a build script.
    #[cfg(feature = "trim")]
    #[error("OUT_DIR is not set: embedded bundles are packed by build scripts, which Cargo runs")]
    NoOutDir,
    /// Bundles cannot be written with this compression.
    #[error("cannot write bundles with {compression}, only with gzip, xz and zstd")]
    #[non_exhaustive]
    CannotCompress {
        /// The compression.
        compression: Compression,
    },
    /// The ending of a bundle's name does not give its compression.
    #[error(
        "cannot tell from the name of {} how to compress it: use .tar, .tar.gz, .tar.xz or .tar.zst, or give the compression",
        shown_path(.path)
    )]
    #[non_exhaustive]
    UnknownEnding {
        /// The bundle.
        path: PathBuf,
    },
    /// The running system, or one under another root, cannot be examined.
    #[error(transparent)]
    Kernel(#[from] btf_kernel::Error),
    /// git failed.
    #[error("cannot fetch from {}: {}", Escaped::new(.url), Escaped::new(.said))]
    #[non_exhaustive]
    Git {
        /// The repository's address.
        url: String,
        /// The last line of git's message.
        said: String,
    },
    /// git is not installed, or cannot be started.
    #[error("cannot run git: {reason}")]
    #[non_exhaustive]
    NoGit {
        /// The system's error.
        reason: io::Error,
    },
    /// The lock of a killed git cannot be removed.
    #[error("cannot remove {}, the lock of a git that was killed {} ago: {reason}", shown_path(.path), Age(*.age))]
    #[non_exhaustive]
    StaleLock {
        /// The lock.
        path: PathBuf,
        /// The time since it was made.
        age: Duration,
        /// The system's error.
        reason: io::Error,
    },
    /// The folder in the cache was not made by this user's [`Fetch`](crate::Fetch).
    #[error("refusing to use the cache folder {}: {reason}; give another cache", shown_path(.folder))]
    #[non_exhaustive]
    Foreign {
        /// The folder.
        folder: PathBuf,
        /// The reason to refuse it.
        reason: &'static str,
    },
    /// There is no default folder for the cache, as `$HOME` is not set.
    #[error("no folder for the cache, as $HOME is not set: give the folder")]
    NoCache,
    /// [`Fetch`](crate::Fetch) has no filter, and was not asked for everything.
    #[error("fetching everything takes about 7 GB: ask for a distribution, version, machine or release, or for all")]
    Everything,
    /// The folder to unpack into already exists.
    #[error("{} already exists", shown_path(.path))]
    #[non_exhaustive]
    Exists {
        /// The folder.
        path: PathBuf,
    },
}

#[cfg(feature = "pack")]
impl Error {
    /// Returns `true` for an error of one kernel's file, which leaves the others
    /// usable.
    pub(crate) fn is_of_one_file(&self) -> bool {
        match self {
            #[cfg(feature = "trim")]
            Self::Trim { .. } => true,
            Self::Decode { .. } | Self::Refused { .. } | Self::NoBtf { .. } | Self::Btf { .. } => true,
            Self::Transform { .. } => true,
            _ => false,
        }
    }
}

/// A path, escaped for printing.
fn shown_path(path: &Path) -> Escaped<'_> {
    Escaped::new(path.as_os_str().as_encoded_bytes())
}

/// Escaped texts, separated by commas.
struct ShownList<'a>(&'a [String]);

impl fmt::Display for ShownList<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, text) in self.0.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { ", " })?;
            Escaped::new(text).fmt(f)?;
        }
        Ok(())
    }
}

/// Similar releases, in a message.
struct Nearest<'a>(&'a [String]);

impl fmt::Display for Nearest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [] => Ok(()),
            nearest => write!(f, "; the nearest are {}", ShownList(nearest)),
        }
    }
}

/// An error of the caller and its causes, in a message.
struct Causes<'a>(&'a (dyn std::error::Error + 'static));

impl fmt::Display for Causes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        std::iter::successors(self.0.source(), |error| error.source()).try_for_each(|error| write!(f, ": {error}"))
    }
}

/// A time in its largest unit.
struct Age(Duration);

impl fmt::Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_secs() {
            seconds @ 0..60 => write!(f, "{seconds} s"),
            seconds @ 60..3600 => write!(f, "{} min", seconds / 60),
            seconds @ 3600..86_400 => write!(f, "{} h", seconds / 3600),
            seconds => write!(f, "{} days", seconds / 86_400),
        }
    }
}

#[cfg(test)]
mod tests {
    use btf_messages::{Messages, examples};

    use super::*;

    #[test]
    fn messages_stand_alone() {
        let io = || io::Error::from(io::ErrorKind::PermissionDenied);
        let (member, archive) = (|| "debian/12/x86_64/6.1.0.btf".to_owned(), || "bundle.tar.gz".to_owned());
        let path = || PathBuf::from("out/bundle.tar.gz");
        let mut messages = Messages::new(env!("CARGO_MANIFEST_DIR"));
        examples!(messages: Error {
            Io => Error::Io { operation: "open", path: path(), reason: io() },
            NotAnArchive => Error::NotAnArchive { archive: archive(), found: "it is raw BTF" },
            Damaged => Error::Damaged { archive: archive(), reason: "it ends early" },
            Decode => Error::Decode { member: member(), reason: btf_elf::Error::NotElf },
            Write => Error::Write { reason: io() },
            Refused => Error::Refused { member: member(), reason: "a device" },
            Limit => Error::Limit { what: "members in the archive", limit: 1000 },
            NoMember => Error::NoMember { member: member() },
            NoModule => Error::NoModule { member: member(), module: "veth".into() },
            NoBtf => Error::NoBtf { member: member(), reason: "neither BTF nor a tar of it, packed or not" },
            Btf => Error::Btf { member: member(), reason: btf_types::Error::SplitWithoutBase },
            OtherMachine => Error::OtherMachine { member: member(), machine: "x86_64".into(), found: "it is big-endian" },
            NoType => Error::NoType { member: member(), name: "task_struct".into() },
            NotFound => Error::NotFound {
                host: "kernel 6.1.2 of debian 12 on x86_64".into(),
                tried: vec![member()],
                nearest: vec![member()],
            },
            Ambiguous => Error::Ambiguous { release: "6.1.0".into(), candidates: vec![member(), "6.1.0.btf".into()] },
            NoMatch => Error::NoMatch { wanted: "release 5.4*, machine x86_64".into(), archive: archive() },
            Conflict => Error::Conflict { member: member(), other: "debian/12/x86_64/6.1.0.btf.tar.xz".into() },
            Transform => Error::Transform { member: member(), reason: io().into() },
            #[cfg(feature = "trim")]
            Trim => Error::Trim { member: member(), reason: btf_relocate::TrimError::NoExt.into() },
            #[cfg(feature = "trim")]
            Program => Error::Program { path: "prog.bpf.o".into(), reason: btf_relocate::TrimError::NoExt.into() },
            #[cfg(feature = "trim")]
            NoOutDir => Error::NoOutDir,
            CannotCompress => Error::CannotCompress { compression: Compression::Bzip2 },
            UnknownEnding => Error::UnknownEnding { path: "bundle.rar".into() },
            Kernel => btf_kernel::Error::SplitBtf.into(),
            Git => Error::Git { url: "https://example.org/archive".into(), said: "fatal: repository not found".into() },
            NoGit => Error::NoGit { reason: io() },
            StaleLock => Error::StaleLock { path: "cache/shallow.lock".into(), age: Duration::from_secs(7200), reason: io() },
            Foreign => Error::Foreign { folder: "/tmp/cache".into(), reason: "it belongs to another user" },
            NoCache => Error::NoCache,
            Everything => Error::Everything,
            Exists => Error::Exists { path: "out/bundle".into() },
        });
        messages.check(cfg!(feature = "trim"));
    }

    #[test]
    fn causes_of_the_callers_error_are_not_lost() {
        let inner = "x".parse::<u8>().unwrap_err();
        let reason = Outer(inner).into();
        let error = Error::Transform { member: "a.btf".into(), reason };
        assert_eq!(error.to_string(), "cannot transform a.btf: outer: invalid digit found in string");
    }

    #[derive(Debug, thiserror::Error)]
    #[error("outer")]
    struct Outer(#[source] std::num::ParseIntError);
}
