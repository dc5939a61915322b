//! Where BTF comes from: a file, or the running kernel.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

use btf_types::Btf;
use clap::Args;

const RUNNING_KERNEL: &str = "/sys/kernel/btf/vmlinux";

/// A source as given on the command line.
#[derive(Args, Debug, Clone, Default)]
pub(crate) struct Source {
    /// A file of raw BTF; without one, the running kernel's.
    source: Option<PathBuf>,
    /// What split BTF is split from; more than once for more than one level,
    /// the lowest first.
    #[arg(long, value_name = "FILE")]
    base: Vec<PathBuf>,
}

impl Source {
    /// The file.
    pub(crate) fn path(&self) -> &Path {
        self.source.as_deref().unwrap_or(Path::new(RUNNING_KERNEL))
    }

    /// Reads and opens it, on its bases.
    pub(crate) fn open(&self) -> Result<Btf, SourceError> {
        let mut base: Option<Btf> = None;
        for path in self.base.iter().map(PathBuf::as_path).chain([self.path()]) {
            let bytes = fs::read(path).map_err(|error| SourceError::new(path, Cause::Read(error)))?;
            let opened = match &base {
                None => Btf::parse(bytes),
                Some(base) => Btf::parse_split(bytes, base),
            };
            base = Some(opened.map_err(|error| SourceError::new(path, Cause::Open(error)))?);
        }
        base.ok_or_else(|| SourceError::new(self.path(), Cause::Read(io::ErrorKind::NotFound.into())))
    }
}

/// Why a source could not be opened.
#[derive(Debug)]
pub(crate) struct SourceError {
    path: PathBuf,
    cause: Cause,
}

#[derive(Debug)]
enum Cause {
    Read(io::Error),
    Open(btf_types::Error),
}

impl SourceError {
    fn new(path: &Path, cause: Cause) -> Self {
        Self { path: path.to_owned(), cause }
    }
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        match &self.cause {
            Cause::Read(error) if error.kind() == io::ErrorKind::NotFound && self.path == Path::new(RUNNING_KERNEL) => {
                write!(f, ": this kernel has no BTF there; name a file to look at")
            }
            _ => Ok(()),
        }
    }
}

impl std::error::Error for SourceError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(match &self.cause {
            Cause::Read(error) => error,
            Cause::Open(error) => error,
        })
    }
}
