//! Errors of reading, selecting from, writing and fetching archives.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    time::Duration,
};

use btf_elf::Compression;
use btf_types::format::Escaped;

/// Why an archive could not be read, written or fetched, or has nothing for a
/// system.
///
/// Each prints as one whole sentence, with its cause; paths and names from
/// files are escaped.
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
    /// A file is something else than an archive.
    #[error("{} is not an archive of BTF: {found}", Escaped::new(.archive))]
    #[non_exhaustive]
    NotAnArchive {
        /// The file's path, or a description of where the bytes are from.
        archive: String,
        /// The content that was found instead.
        found: &'static str,
    },
    /// An archive is damaged or cut off.
    #[error("{} is damaged: {reason}", Escaped::new(.archive))]
    #[non_exhaustive]
    Damaged {
        /// The archive.
        archive: String,
        /// The first fault found.
        reason: &'static str,
    },
    /// A file of an archive, or the archive itself, could not be decompressed.
    #[error("cannot decode {}: {reason}", Escaped::new(.member))]
    #[non_exhaustive]
    Decode {
        /// The archive, or the path in it.
        member: String,
        /// The decoder's error.
        reason: btf_elf::Error,
    },
    /// A bundle could not be written.
    #[error("cannot write the bundle: {reason}")]
    #[non_exhaustive]
    Write {
        /// The system's error.
        reason: io::Error,
    },
    /// An archive has a member that no archive of BTF has.
    #[error("refusing {}: {reason}", Escaped::new(.member))]
    #[non_exhaustive]
    Refused {
        /// The member's path.
        member: String,
        /// Kind of the member, or the fault of its path.
        reason: &'static str,
    },
    /// An archive needs more than [`Limits`](crate::Limits) allow.
    #[error("too many {what}: the limit is {limit}")]
    #[non_exhaustive]
    Limit {
        /// The quantity that is limited.
        what: &'static str,
        /// The maximum.
        limit: u64,
    },
    /// An archive has no file of this path.
    #[error("{} is not in the archive", Escaped::new(.member))]
    #[non_exhaustive]
    NoMember {
        /// The path.
        member: String,
    },
    /// BTF was selected that has no BTF of this module beside it.
    #[error("there is no BTF for module {} in {}", Escaped::new(.module), Escaped::new(.member))]
    #[non_exhaustive]
    NoModule {
        /// The file's path in the archive.
        member: String,
        /// The module.
        module: String,
    },
    /// A kernel's file has something else in it than BTF.
    #[error("{} has no BTF of a kernel in it: {reason}", Escaped::new(.member))]
    #[non_exhaustive]
    NoBtf {
        /// The file's path in the archive.
        member: String,
        /// The content that was found instead.
        reason: &'static str,
    },
    /// The BTF of a kernel is damaged.
    #[error("the BTF in {} is damaged: {reason}", Escaped::new(.member))]
    #[non_exhaustive]
    Btf {
        /// The file's path in the archive.
        member: String,
        /// The parser's error.
        reason: btf_types::Error,
    },
    /// BTF was selected that was made for another machine than the host.
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
    /// BTF was selected that lacks a type that it must have.
    #[error("{} has no type {}: not BTF of a kernel, or of another kernel than it says", Escaped::new(.member), Escaped::new(.name))]
    #[non_exhaustive]
    NoType {
        /// The file's path in the archive.
        member: String,
        /// The type's name.
        name: String,
    },
    /// No kernel in an archive is the host's.
    #[error("no BTF for {}{}", Escaped::new(.host), Nearest(.nearest))]
    #[non_exhaustive]
    NotFound {
        /// The host: `kernel 5.4.0 of debian 10 on x86_64`.
        host: String,
        /// The paths that were looked for, without their endings, best first.
        tried: Vec<String>,
        /// Paths of similar releases, the nearest first.
        nearest: Vec<String>,
    },
    /// Several kernels in an archive could be the host's, and differ.
    #[error(
        "several kernels could be {}: {}; give the distribution and its version",
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
    /// No kernel in an archive is one that was asked for.
    #[error("no kernel in {} matches {}", Escaped::new(.archive), Escaped::new(.wanted))]
    #[non_exhaustive]
    NoMatch {
        /// The patterns: `release 5.4*, machine x86_64`.
        wanted: String,
        /// The archive.
        archive: String,
    },
    /// An archive has two different files for one kernel.
    #[error("{} and {} are the same kernel, and their BTF differs", Escaped::new(.member), Escaped::new(.other))]
    #[non_exhaustive]
    Conflict {
        /// The path of one.
        member: String,
        /// The path of the other.
        other: String,
    },
    /// The function of `Pack::transform` failed.
    #[error("cannot transform {}: {reason}", Escaped::new(.member))]
    #[non_exhaustive]
    Transform {
        /// The file's path in the archive.
        member: String,
        /// The function's error.
        reason: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The BTF of a kernel could not be trimmed.
    #[cfg(feature = "trim")]
    #[error("cannot trim {}: {reason}", Escaped::new(.member))]
    #[non_exhaustive]
    Trim {
        /// The file's path in the archive.
        member: String,
        /// The reason.
        reason: Box<btf_relocate::TrimError>,
    },
    /// A BPF object has relocations that are damaged, or none that could be read.
    #[cfg(feature = "trim")]
    #[error("{}: {reason}", shown_path(.path))]
    #[non_exhaustive]
    Program {
        /// The object file.
        path: PathBuf,
        /// The reason.
        reason: Box<btf_relocate::TrimError>,
    },
    /// A bundle that is to be embedded was not packed by a build script.
    #[cfg(feature = "trim")]
    #[error("OUT_DIR is not set: this is for build scripts, which Cargo runs")]
    NoOutDir,
    /// Bundles cannot be written with this compression.
    #[error("cannot write bundles with {compression}, only with gzip, xz and zstd")]
    #[non_exhaustive]
    CannotCompress {
        /// The compression.
        compression: Compression,
    },
    /// The name of a bundle does not say how to compress it.
    #[error(
        "cannot tell from the name of {} how to compress it: use .tar, .tar.gz, .tar.xz or .tar.zst, or give the compression",
        shown_path(.path)
    )]
    #[non_exhaustive]
    UnknownEnding {
        /// The bundle.
        path: PathBuf,
    },
    /// The running system, or one under another root, could not be examined.
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
    /// git is not installed, or could not be started.
    #[error("cannot run git: {reason}")]
    #[non_exhaustive]
    NoGit {
        /// The system's error.
        reason: io::Error,
    },
    /// A killed git has left a lock, which could not be removed.
    #[error("{} was left by a git that was killed {} ago, and cannot be removed: {reason}", shown_path(.path), Age(*.age))]
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
        /// The evidence.
        reason: &'static str,
    },
    /// There is no folder for the cache: no home directory.
    #[error("$HOME is not set: give a folder for the cache")]
    NoCache,
    /// [`Fetch`](crate::Fetch) was not asked for anything in particular.
    #[error("fetching everything takes about 7 GB: ask for a distribution, version, machine or release, or for all")]
    Everything,
    /// A folder to unpack into is already there.
    #[error("{} already exists", shown_path(.path))]
    #[non_exhaustive]
    Exists {
        /// The folder.
        path: PathBuf,
    },
}

#[cfg(feature = "pack")]
impl Error {
    /// Returns `true` if it is an error in one kernel's file, and all others may be
    /// sound.
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

/// A path as it can be printed.
fn shown_path(path: &Path) -> Escaped<'_> {
    Escaped::new(path.as_os_str().as_encoded_bytes())
}

/// Texts as they can be printed, with commas between.
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

/// Similar releases, in a text.
struct Nearest<'a>(&'a [String]);

impl fmt::Display for Nearest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [] => Ok(()),
            nearest => write!(f, "; the nearest are {}", ShownList(nearest)),
        }
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
