//! Where BTF comes from: a file, the running kernel, or one of its modules.

use std::{
    fmt,
    io::{self, Read},
    path::{Path, PathBuf},
};

use btf_elf::{BtfFile, Limits};
use btf_kernel::{Kernel, Root};
use btf_types::{Btf, format::Escaped};
use clap::{Args, ValueHint};

/// A source as given on the command line.
#[derive(Args, Debug, Clone, Default)]
pub(crate) struct Source {
    /// A file with BTF: raw, ELF, a module or a kernel image, also compressed;
    /// `-` for standard input; without one, the running kernel's.
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
    #[arg(long, value_name = "NAME", conflicts_with = "base", value_hint = ValueHint::Other)]
    module: Option<String>,
    #[command(flatten)]
    system: System,
}

impl Options {
    /// Whether a module is asked for.
    pub(crate) fn has_module(&self) -> bool {
        self.module.is_some()
    }

    /// The system whose kernel is asked for.
    pub(crate) fn system(&self) -> &System {
        &self.system
    }
}

/// Which system, where it is not this one.
#[derive(Args, Debug, Clone, Default)]
pub(crate) struct System {
    /// The kernel of another system, whose files are in this folder.
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// The kernel of this release, and not the one that runs.
    #[arg(long, value_name = "RELEASE", value_hint = ValueHint::Other)]
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
        self.open_file_or_say_what().map_err(|unopened| unopened.error)
    }

    /// The same, or the file whose BTF cannot be opened.
    pub(crate) fn open_file_or_say_what(&self) -> Result<Opened, Box<Unopened>> {
        let Some(source) = &self.source else { return Ok(self.open_kernel()?) };
        // Where the file is an argument like any other, clap cannot tell.
        let System { root, release } = &self.options.system;
        if self.options.module.is_some() || root.is_some() || release.is_some() {
            return Err(SourceError::FileAndKernel(source.clone()).into());
        }
        let base = open_bases(&self.options.base)?;
        let file = open_file(source)?;
        let name = SourceName::of(source);
        match open_btf(&file, source, base.as_ref()) {
            Ok(btf) => Ok(Opened { btf, file: Some(file), name }),
            Err(error) => Err(Box::new(Unopened { file: Some(file), name, error })),
        }
    }

    fn open_kernel(&self) -> Result<Opened, SourceError> {
        let kernel = self.options.system.kernel();
        let (btf, name) = match &self.options.module {
            None => (kernel.btf()?, kernel.source()?.path().display().to_string()),
            Some(module) => (kernel.module(module)?, format!("module {module}")),
        };
        Ok(Opened { btf, file: None, name: SourceName(name) })
    }
}

/// What a source is called; printed, it is safe.
#[derive(Debug, Clone, Default)]
pub(crate) struct SourceName(String);

impl SourceName {
    pub(crate) fn of(path: &Path) -> Self {
        Self(if is_stdin(path) { "standard input".into() } else { path.display().to_string() })
    }

    /// It as it is.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Escaped::new(&self.0).fmt(f)
    }
}

/// BTF, and what it was opened from.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) btf: Btf,
    /// `None` if it is the kernel's.
    pub(crate) file: Option<BtfFile>,
    pub(crate) name: SourceName,
}

/// What could not be opened.
#[derive(Debug)]
pub(crate) struct Unopened {
    /// The file, if that is sound, and its BTF is not.
    pub(crate) file: Option<BtfFile>,
    pub(crate) name: SourceName,
    pub(crate) error: SourceError,
}

impl From<SourceError> for Box<Unopened> {
    fn from(error: SourceError) -> Self {
        Self::new(Unopened { file: None, name: SourceName::default(), error })
    }
}

/// Opens bases, each on the one before.
pub(crate) fn open_bases(paths: &[PathBuf]) -> Result<Option<Btf>, SourceError> {
    let mut base: Option<Btf> = None;
    for path in paths {
        base = Some(open_on(path, base.as_ref())?);
    }
    Ok(base)
}

/// Opens a file on its base.
pub(crate) fn open_on(path: &Path, base: Option<&Btf>) -> Result<Btf, SourceError> {
    open_btf(&open_file(path)?, path, base)
}

/// Opens a file that is the base or one below it, is split from the base, or
/// stands alone.
pub(crate) fn open_any_on(path: &Path, base: Option<&Btf>) -> Result<Btf, SourceError> {
    let file = open_file(path)?;
    let error = |error| SourceError::Btf(path.into(), error);
    let bytes = file.btf_bytes().map_err(error)?;
    let is_that = |layer: &&Btf| layer.to_bytes(layer.byte_order()).is_ok_and(|layer| layer == bytes);
    if let Some(layer) = base.into_iter().flat_map(Btf::layers).find(is_that) {
        return Ok(layer.clone());
    }
    match (base, Btf::parse(bytes)) {
        (_, Ok(btf)) => Ok(btf),
        (base, Err(_)) => open_btf(&file, path, base),
    }
}

fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}

fn open_file(path: &Path) -> Result<BtfFile, SourceError> {
    if !is_stdin(path) {
        return Ok(BtfFile::open(path)?);
    }
    let limit = Limits::IMAGE.max_output();
    let mut bytes = Vec::new();
    io::stdin().lock().take(limit + 1).read_to_end(&mut bytes).map_err(SourceError::Stdin)?;
    if bytes.len() as u64 > limit {
        return Err(SourceError::TooLong { limit });
    }
    BtfFile::parse(bytes).map_err(|error| SourceError::Btf(path.into(), error))
}

fn open_btf(file: &BtfFile, path: &Path, base: Option<&Btf>) -> Result<Btf, SourceError> {
    let error = |error| SourceError::Btf(path.into(), error);
    let Some(base) = base else { return file.btf().map_err(error) };
    // Whatever is whole by itself is not split from anything, though by chance
    // it may make sense on a base.
    if Btf::parse(file.btf_bytes().map_err(error)?).is_ok() {
        return Err(SourceError::NotSplit(path.into()));
    }
    file.split_btf(base).map_err(error)
}

/// Why a source could not be opened.
#[derive(Debug)]
pub(crate) enum SourceError {
    /// No such file, or none with BTF.
    File(btf_elf::Error),
    /// What BTF there is, is damaged or lacks its base.
    Btf(PathBuf, btf_elf::Error),
    /// A base was given for what has none.
    NotSplit(PathBuf),
    /// Standard input cannot be read.
    Stdin(io::Error),
    /// There is more of standard input than of any kernel.
    TooLong {
        limit: u64,
    },
    Kernel(btf_kernel::Error),
    /// Both a file and what says which kernel.
    FileAndKernel(PathBuf),
}

impl From<btf_kernel::Error> for SourceError {
    fn from(error: btf_kernel::Error) -> Self {
        Self::Kernel(error)
    }
}

impl From<btf_kernel::Error> for Box<Unopened> {
    fn from(error: btf_kernel::Error) -> Self {
        SourceError::from(error).into()
    }
}

impl From<btf_elf::Error> for SourceError {
    fn from(error: btf_elf::Error) -> Self {
        Self::File(error)
    }
}

/// Whether BTF lacks its base.
fn lacks_base(error: &btf_elf::Error) -> bool {
    if let btf_elf::Error::Types(error) = error {
        return matches!(error, btf_types::Error::SplitWithoutBase);
    }
    let mut error: Option<&dyn std::error::Error> = Some(error);
    while let Some(cause) = error {
        if let Some(btf_types::Error::SplitWithoutBase) = cause.downcast_ref() {
            return true;
        }
        error = cause.source();
    }
    false
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(error) => write!(f, "{error}"),
            Self::Btf(path, error) if lacks_base(error) => {
                write!(
                    f,
                    "{}: this is split BTF, such as a module's; give its base with --base FILE",
                    SourceName::of(path)
                )
            }
            Self::Btf(path, _) => write!(f, "{}", SourceName::of(path)),
            Self::NotSplit(path) => {
                write!(f, "{}: this is not split BTF, and has no base; leave out --base", SourceName::of(path))
            }
            Self::Stdin(_) => f.write_str("cannot read standard input"),
            Self::TooLong { limit } => write!(f, "standard input has more than {limit} bytes"),
            Self::Kernel(error @ btf_kernel::Error::NoKernelBtf { .. }) => {
                write!(f, "{error}; name a file to look at")
            }
            Self::Kernel(error) => write!(f, "{error}"),
            Self::FileAndKernel(path) => {
                write!(f, "{}: a file, and --module, --root or --release: which?", SourceName::of(path))
            }
        }
    }
}

impl std::error::Error for SourceError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::File(error) => error.source(),
            Self::Btf(_, error) if lacks_base(error) => None,
            Self::Btf(_, error) => Some(error),
            Self::Stdin(error) => Some(error),
            Self::Kernel(error) => error.source(),
            Self::NotSplit(_) | Self::TooLong { .. } | Self::FileAndKernel(_) => None,
        }
    }
}
