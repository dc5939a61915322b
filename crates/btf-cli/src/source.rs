//! Where BTF comes from: a file, the running kernel, or one of its modules.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

use btf_kernel::Kernel;
use btf_types::Btf;
use clap::Args;

/// A source as given on the command line.
#[derive(Args, Debug, Clone, Default)]
pub(crate) struct Source {
    /// A file of raw BTF; without one, the running kernel's.
    #[arg(conflicts_with = "module")]
    source: Option<PathBuf>,
    #[command(flatten)]
    options: Options,
}

/// What says where BTF comes from, but for the file.
#[derive(Args, Debug, Clone, Default)]
pub(crate) struct Options {
    /// What split BTF is split from; more than once for more than one level,
    /// the lowest first.
    #[arg(long, value_name = "FILE")]
    base: Vec<PathBuf>,
    /// A module of the running kernel.
    #[arg(long, value_name = "NAME", conflicts_with = "base")]
    module: Option<String>,
}

impl Source {
    /// A file with these options: of a command that has other arguments before
    /// it.
    pub(crate) fn of(source: Option<&Path>, options: &Options) -> Self {
        Self { source: source.map(Into::into), options: options.clone() }
    }

    /// What it is called.
    pub(crate) fn name(&self) -> String {
        match (&self.source, &self.options.module) {
            (Some(path), _) => path.display().to_string(),
            (None, Some(module)) => format!("module {module}"),
            (None, None) => Kernel::running().path().display().to_string(),
        }
    }

    /// Opens it, on its bases.
    pub(crate) fn open(&self) -> Result<Btf, SourceError> {
        let kernel = Kernel::running();
        let Some(source) = &self.source else {
            return Ok(match &self.options.module {
                None => kernel.btf()?,
                Some(module) => kernel.module(module)?,
            });
        };
        let mut base: Option<Btf> = None;
        for path in &self.options.base {
            base = Some(open_file(path, base.as_ref())?);
        }
        open_file(source, base.as_ref())
    }
}

fn open_file(path: &Path, base: Option<&Btf>) -> Result<Btf, SourceError> {
    let bytes = fs::read(path).map_err(|error| SourceError::Read(path.into(), error))?;
    let opened = match base {
        None => Btf::parse(bytes),
        Some(base) => Btf::parse_split(bytes, base),
    };
    opened.map_err(|error| SourceError::Open(path.into(), error))
}

/// Why a source could not be opened.
#[derive(Debug)]
pub(crate) enum SourceError {
    Read(PathBuf, io::Error),
    Open(PathBuf, btf_types::Error),
    Kernel(btf_kernel::Error),
}

impl From<btf_kernel::Error> for SourceError {
    fn from(error: btf_kernel::Error) -> Self {
        Self::Kernel(error)
    }
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(path, _) | Self::Open(path, _) => write!(f, "{}", path.display()),
            Self::Kernel(error @ btf_kernel::Error::NotFound { path }) if path.ends_with("vmlinux") => {
                write!(f, "{error}; name a file to look at")
            }
            Self::Kernel(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for SourceError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Read(_, error) => Some(error),
            Self::Open(_, error) => Some(error),
            Self::Kernel(error) => error.source(),
        }
    }
}
