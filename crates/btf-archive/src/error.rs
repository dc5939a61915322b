//! Why there is no BTF in an archive, or none that belongs to a system.

use std::{io, path::PathBuf};

/// Why an archive could not be read, or has nothing for a system.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder could not be read or written.
    #[error("{}", .path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// The archive could not be read: it is no tar, cut off, or damaged.
    #[error("damaged archive")]
    Tar {
        /// What is wrong with it.
        source: io::Error,
    },
    /// What an archive, or something in it, is compressed with cannot be decoded.
    #[error("{member}")]
    Decode {
        /// What is compressed.
        member: String,
        /// What is wrong with it.
        source: btf_elf::Error,
    },
    /// A bundle could not be written.
    #[error("the bundle cannot be written")]
    Write {
        /// What went wrong.
        source: io::Error,
    },
    /// Something is in it that no archive of BTF has.
    #[error("{member}: {what}: refused")]
    Refused {
        /// Its path.
        member: String,
        /// What it is.
        what: &'static str,
    },
    /// Something is more than the limits allow.
    #[error("{what}: more than the limit of {limit}")]
    Limit {
        /// What there is too much of.
        what: &'static str,
        /// The most that is allowed.
        limit: u64,
    },
    /// There is nothing at this path of the archive.
    #[error("{member} is not in the archive")]
    NoMember {
        /// The path.
        member: String,
    },
    /// A kernel in the archive is not made as it should be.
    #[error("{member}: {what}")]
    Member {
        /// Its path.
        member: String,
        /// What is wrong with it.
        what: String,
    },
    /// A kernel in the archive is no sound BTF.
    #[error("{member}")]
    Btf {
        /// Its path.
        member: String,
        /// What is wrong with it.
        source: btf_types::Error,
    },
    /// Nothing in the archive is of this kernel.
    #[error("no BTF of {host}{}", Nearest(.nearest))]
    NotFound {
        /// The system, in a text.
        host: String,
        /// The paths that would have been it, without their endings.
        tried: Vec<String>,
        /// Paths of releases that are like it.
        nearest: Vec<String>,
    },
    /// Several kernels in the archive could be the one of this release, and
    /// nothing says which of them is meant.
    #[error("several kernels could be {release}, and nothing says which: {}", .candidates.join(", "))]
    Ambiguous {
        /// The release.
        release: String,
        /// Their paths.
        candidates: Vec<String>,
    },
    /// It cannot be told which system it is, or what its kernel has.
    #[error(transparent)]
    Kernel(#[from] btf_kernel::Error),
    /// A repository could not be had.
    #[error("{url}: {what}")]
    Git {
        /// Its address.
        url: String,
        /// What git says.
        what: String,
    },
    /// Nothing was asked for, and everything is 7 GB.
    #[error("neither distribution, version, machine nor release is given, and all of it is large: say that it is all")]
    Everything,
    /// A folder to be written to is there, and is not empty.
    #[error("{}: is there already", .path.display())]
    Exists {
        /// The folder.
        path: PathBuf,
    },
}

/// What is like it, in a text.
struct Nearest<'a>(&'a [String]);

impl std::fmt::Display for Nearest<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            [] => Ok(()),
            nearest => write!(f, "; the nearest are {}", nearest.join(", ")),
        }
    }
}
