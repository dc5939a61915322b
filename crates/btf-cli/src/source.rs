//! Where BTF comes from: a file, the running kernel, or one of its modules.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use btf_elf::BtfFile;
use btf_kernel::{Kernel, Root};
use btf_types::Btf;
use clap::Args;

/// A source as given on the command line.
#[derive(Args, Debug, Clone, Default)]
pub(crate) struct Source {
    /// A file with BTF: raw, ELF, a module or a kernel image, also compressed;
    /// without one, the running kernel's.
    #[arg(conflicts_with_all = ["module", "root", "release"])]
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
    /// A module of the kernel.
    #[arg(long, value_name = "NAME", conflicts_with = "base")]
    module: Option<String>,
    #[command(flatten)]
    system: System,
}

/// Which system, where it is not this one.
#[derive(Args, Debug, Clone, Default)]
pub(crate) struct System {
    /// The kernel of another system, whose files are in this folder.
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// The kernel of this release, and not the one that runs.
    #[arg(long, value_name = "RELEASE")]
    release: Option<String>,
}

impl System {
    /// Its kernel.
    pub(crate) fn kernel(&self) -> Kernel {
        let kernel = Kernel::of(self.tree());
        match &self.release {
            Some(release) => kernel.with_release(release),
            None => kernel,
        }
    }

    /// The release that was given.
    pub(crate) fn release(&self) -> Option<&String> {
        self.release.as_ref()
    }

    /// Its files.
    pub(crate) fn tree(&self) -> Root {
        self.root.as_ref().map_or_else(Root::system, Root::new)
    }
}

impl Source {
    /// A file with these options: of a command that has other arguments before
    /// it.
    pub(crate) fn of(source: Option<&Path>, options: &Options) -> Self {
        Self { source: source.map(Into::into), options: options.clone() }
    }

    /// Opens it, on its bases.
    pub(crate) fn open(&self) -> Result<Btf, SourceError> {
        self.open_file().map(|opened| opened.btf)
    }

    /// The same, with the file that it is from.
    pub(crate) fn open_file(&self) -> Result<Opened, SourceError> {
        let Some(source) = &self.source else {
            let kernel = self.options.system.kernel();
            let (btf, name) = match &self.options.module {
                None => (kernel.btf()?, kernel.source()?.path().display().to_string()),
                Some(module) => (kernel.module(module)?, format!("module {module}")),
            };
            return Ok(Opened { btf, file: None, name });
        };
        // Where the file is an argument like any other, clap cannot tell.
        let System { root, release } = &self.options.system;
        if self.options.module.is_some() || root.is_some() || release.is_some() {
            return Err(SourceError::FileAndKernel(source.clone()));
        }
        let mut base: Option<Btf> = None;
        for path in &self.options.base {
            base = Some(open_file(path, base.as_ref())?.btf);
        }
        open_file(source, base.as_ref())
    }
}

/// BTF, and what it was opened from.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) btf: Btf,
    /// `None` if it is the kernel's.
    pub(crate) file: Option<BtfFile>,
    /// What it is called.
    pub(crate) name: String,
}

fn open_file(path: &Path, base: Option<&Btf>) -> Result<Opened, SourceError> {
    let file = BtfFile::open(path)?;
    let btf = match base {
        None => file.btf(),
        Some(base) => file.split_btf(base),
    };
    let btf = btf.map_err(|error| SourceError::Btf(path.into(), error))?;
    Ok(Opened { btf, file: Some(file), name: path.display().to_string() })
}

/// Why a source could not be opened.
#[derive(Debug)]
pub(crate) enum SourceError {
    /// No such file, or none with BTF.
    File(btf_elf::Error),
    /// What BTF there is, is damaged or lacks its base.
    Btf(PathBuf, btf_elf::Error),
    Kernel(btf_kernel::Error),
    /// Both a file and what says which kernel.
    FileAndKernel(PathBuf),
}

impl From<btf_kernel::Error> for SourceError {
    fn from(error: btf_kernel::Error) -> Self {
        Self::Kernel(error)
    }
}

impl From<btf_elf::Error> for SourceError {
    fn from(error: btf_elf::Error) -> Self {
        Self::File(error)
    }
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(error) => write!(f, "{error}"),
            Self::Btf(path, _) => write!(f, "{}", path.display()),
            Self::Kernel(error @ btf_kernel::Error::NoKernelBtf { .. }) => {
                write!(f, "{error}; name a file to look at")
            }
            Self::Kernel(error) => write!(f, "{error}"),
            Self::FileAndKernel(path) => {
                write!(f, "{}: a file, and --module, --root or --release: which?", path.display())
            }
        }
    }
}

impl std::error::Error for SourceError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::File(error) => error.source(),
            Self::Btf(_, error) => Some(error),
            Self::Kernel(error) => error.source(),
            Self::FileAndKernel(_) => None,
        }
    }
}
