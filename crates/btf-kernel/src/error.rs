//! Why there is no BTF to be had, or why the kernel does not take it.

use std::{fmt, io, path::PathBuf};

/// Why something could not be had of a kernel.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No place has it.
    #[error("no BTF of {what}{}", Tried(.tried))]
    NotFound {
        /// What was looked for.
        what: String,
        /// Where it was looked for, and why it was not there.
        tried: Vec<Attempt>,
    },
    /// The system does not say which kernel it runs.
    #[error("{}: no release of a kernel in proc/sys/kernel/osrelease; give one", .root.display())]
    NoRelease {
        /// The system's folder.
        root: PathBuf,
    },
    /// The system does not say which machine it is.
    #[error("{}: no machine in proc/sys/kernel/arch; give one", .root.display())]
    NoMachine {
        /// The system's folder.
        root: PathBuf,
    },
    /// A file could not be read.
    #[error("{}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// A file has no BTF, or none that can be opened.
    #[error("{}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: btf_elf::Error,
    },
    /// BTF of the kernel's could not be opened.
    #[error("{what}")]
    Btf {
        /// Which: a file, or an id.
        what: String,
        /// What is wrong with it.
        source: btf_types::Error,
    },
    /// A name that no module has.
    #[error("{name:?} is no name of a module")]
    ModuleName {
        /// The name.
        name: String,
    },
    /// There is no BTF, program or map with this id.
    #[error("the kernel has no {what} {id}")]
    NoSuchId {
        /// What it would be the id of.
        what: &'static str,
        /// The id.
        id: u32,
    },
    /// A program or map was loaded without BTF.
    #[error("{what} {id} has no BTF")]
    WithoutBtf {
        /// Whether a program or a map.
        what: &'static str,
        /// Its id.
        id: u32,
    },
    /// The caller may not. This does not mean that the kernel cannot.
    #[error("{what} needs {needs}")]
    Permission {
        /// What was tried.
        what: &'static str,
        /// The right that it needs.
        needs: &'static str,
        /// What the kernel said: `EPERM` or `EACCES`.
        source: io::Error,
    },
    /// The kernel does not take the BTF.
    #[error("the kernel refuses the BTF: {source}{}", Log(.log))]
    Refused {
        /// What the kernel said.
        source: io::Error,
        /// The verifier's log, or its end; empty if there was none to be had.
        log: String,
    },
    /// The BTF is larger than the kernel takes.
    #[error("{len} bytes of BTF, the kernel takes {limit}")]
    TooLarge {
        /// Its length in bytes.
        len: usize,
        /// The most bytes that the kernel takes.
        limit: usize,
    },
    /// A system call failed in another way.
    #[error("{what}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
}

/// A place where something was looked for.
#[derive(Debug)]
pub struct Attempt {
    /// The place.
    pub path: PathBuf,
    /// Why it was not there.
    pub error: Box<Error>,
}

impl Attempt {
    /// Whether there is no such file.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        let is = |error: &io::Error| matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory);
        match &*self.error {
            Error::Io { source, .. } => is(source),
            _ => false,
        }
    }
}

/// Attempts, in a text: first what was there, then what was not.
struct Tried<'a>(&'a [Attempt]);

impl fmt::Display for Tried<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for attempt in self.0.iter().filter(|attempt| !attempt.is_missing()) {
            write!(f, "; {}", attempt.error)?;
            let mut cause = std::error::Error::source(&*attempt.error);
            while let Some(error) = cause {
                write!(f, ": {error}")?;
                cause = error.source();
            }
        }
        let mut missing = self.0.iter().filter(|attempt| attempt.is_missing());
        if let Some(first) = missing.next() {
            write!(f, "; not there: {}", first.path.display())?;
        }
        missing.try_for_each(|attempt| write!(f, ", {}", attempt.path.display()))
    }
}

/// The last lines of a log, in a text.
struct Log<'a>(&'a str);

impl fmt::Display for Log<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What went wrong comes last; before it are all types that were sound.
        let last = self.0.lines().rev().find(|line| !line.trim().is_empty());
        last.map_or(Ok(()), |line| write!(f, ": {}", line.trim()))
    }
}
