//! Sources of BTF: a file, the running kernel, or one of its modules.

use std::{
    error::Error,
    fmt,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use btf_archive::Archive;
use btf_elf::{BtfFile, Limits};
use btf_kernel::{Kernel, LoadedBtf, Modules, Root};
use btf_types::{Btf, Bytes, format::Escaped};
use clap::{Args, ValueHint};

use crate::{
    hint::{KernelError, similar_modules},
    output::is_dash,
    with_causes,
};

/// Maximum number of modules in a hint.
const MODULES: usize = 3;

/// Source given on the command line.
#[derive(Args, Debug, Clone, Default)]
pub(crate) struct Source {
    /// A file with BTF: raw, ELF, a module or a kernel image, also compressed;
    /// `-` for standard input. Default: the running kernel.
    #[arg(conflicts_with_all = ["module", "root", "release", "id", "prog", "map"])]
    source: Option<PathBuf>,
    #[command(flatten)]
    options: Options,
}

/// Options for the source of BTF, other than the file.
#[derive(Args, Debug, Clone, Default)]
pub(crate) struct Options {
    /// The base of split BTF. Repeat for deeper chains, lowest first.
    #[arg(long, value_name = "FILE")]
    base: Vec<PathBuf>,
    /// Use a module of the kernel.
    #[arg(long, value_name = "NAME", conflicts_with = "base", value_hint = ValueHint::Other)]
    module: Option<String>,
    /// Use the kernel at this path of the file, which is an archive; `btf
    /// archive ls --json` lists the paths.
    #[arg(long, value_name = "PATH", conflicts_with_all = ["base", "module"], value_hint = ValueHint::Other)]
    member: Option<String>,
    #[command(flatten)]
    loaded: Loaded,
    #[command(flatten)]
    system: System,
}

impl Options {
    /// Returns `true` if the options select BTF other than the kernel's: a
    /// module's, or loaded BTF.
    pub(crate) fn is_not_kernel(&self) -> bool {
        self.module.is_some() || self.loaded.is_given()
    }

    /// Returns `true` if any option selects BTF.
    pub(crate) fn is_given(&self) -> bool {
        self.is_not_kernel() || self.member.is_some() || self.system.root.is_some() || self.system.release.is_some()
    }

    /// Rejects a base for the kernel's BTF.
    pub(crate) fn refuse_base(&self) -> Result<(), SourceError> {
        if self.base.is_empty() { Ok(()) } else { Err(SourceError::BaseWithoutFile) }
    }

    /// Returns the system of the kernel.
    pub(crate) fn system(&self) -> &System {
        &self.system
    }
}

/// BTF in the running kernel.
#[derive(Args, Debug, Clone, Default)]
struct Loaded {
    /// Use BTF that is loaded in the kernel, by its id.
    #[arg(long, value_name = "ID", conflicts_with_all = ["base", "module", "member", "root", "release", "prog", "map"])]
    id: Option<u32>,
    /// Use the BTF of a loaded program, by the id of the program.
    #[arg(long, value_name = "ID", conflicts_with_all = ["base", "module", "member", "root", "release", "map"])]
    prog: Option<u32>,
    /// Use the BTF of a map, by the id of the map.
    #[arg(long, value_name = "ID", conflicts_with_all = ["base", "module", "member", "root", "release"])]
    map: Option<u32>,
}

impl Loaded {
    /// Opens the loaded BTF, if an option selects it, with its name.
    fn open(&self) -> Result<Option<(LoadedBtf, String)>, SourceError> {
        Ok(match (self.id, self.prog, self.map) {
            (Some(id), ..) => Some((LoadedBtf::by_id(id)?, format!("BTF {id}"))),
            (_, Some(id), _) => Some((LoadedBtf::of_program(id)?, format!("BTF of program {id}"))),
            (.., Some(id)) => Some((LoadedBtf::of_map(id)?, format!("BTF of map {id}"))),
            _ => None,
        })
    }

    fn is_given(&self) -> bool {
        self.id.or(self.prog).or(self.map).is_some()
    }
}

/// Options for another system.
#[derive(Args, Debug, Clone, Default)]
pub(crate) struct System {
    /// Use the kernel of another system, whose files are in this folder.
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// Use this kernel release instead of the running one.
    #[arg(long, value_name = "RELEASE", value_hint = ValueHint::Other)]
    release: Option<String>,
}

impl System {
    pub(crate) fn new(root: Option<&str>, release: Option<&str>) -> Self {
        Self { root: root.map(Into::into), release: release.map(Into::into) }
    }

    /// Returns the kernel.
    pub(crate) fn kernel(&self) -> Kernel {
        let kernel = Kernel::of(self.tree());
        match &self.release {
            Some(release) => kernel.with_release(release),
            None => kernel,
        }
    }

    /// Returns the given release.
    pub(crate) fn release(&self) -> Option<&String> {
        self.release.as_ref()
    }

    /// Returns the file tree.
    pub(crate) fn tree(&self) -> Root {
        self.root.as_ref().map_or_else(Root::system, Root::new)
    }
}

impl Source {
    /// Creates a source from a file and these options, for commands with other
    /// arguments before the file.
    pub(crate) fn of(source: Option<&Path>, options: &Options) -> Self {
        Self { source: source.map(Into::into), options: options.clone() }
    }

    /// Returns the name of the file.
    pub(crate) fn name(&self) -> SourceName {
        self.source.as_deref().map(SourceName::of).unwrap_or_default()
    }

    /// Opens the BTF with its bases.
    pub(crate) fn open(&self) -> Result<Btf, SourceError> {
        self.open_file().map(|opened| opened.btf)
    }

    /// Opens the BTF with its bases, and returns the file too.
    pub(crate) fn open_file(&self) -> Result<Opened, SourceError> {
        self.open_file_or_say_what().map_err(|unopened| unopened.error)
    }

    /// Opens the BTF with its bases; on failure, returns the file if it could
    /// be opened.
    pub(crate) fn open_file_or_say_what(&self) -> Result<Opened, Box<Unopened>> {
        let Some(source) = &self.source else { return Ok(self.open_kernel()?) };
        self.open_nothing_else(source)?;
        if let Some(member) = &self.options.member {
            return Ok(open_member(source, member)?);
        }
        let base = open_bases(&self.options.base)?;
        let file = open_file(source)?;
        let name = SourceName::of(source);
        match open_btf(&file, source, base.as_ref()) {
            Ok(btf) => Ok(Opened { btf, file: Some(file), name }),
            Err(error) => Err(Box::new(Unopened { file: Some(file), name, error })),
        }
    }

    /// Rejects a file together with a kernel. clap cannot check it if the file
    /// is one of several arguments.
    fn open_nothing_else(&self, source: &Path) -> Result<(), SourceError> {
        let Options { module, loaded, system: System { root, release }, .. } = &self.options;
        let is_kernel = module.is_some() || root.is_some() || release.is_some() || loaded.is_given();
        if is_kernel { Err(SourceError::FileAndKernel(source.into())) } else { Ok(()) }
    }

    /// Returns the bytes unchanged. Split BTF needs no base.
    pub(crate) fn bytes(&self) -> Result<Vec<u8>, SourceError> {
        match (&self.source, &self.options) {
            (Some(source), Options { member: None, .. }) => {
                self.open_nothing_else(source)?;
                let file = open_file(source)?;
                Ok(file.btf_bytes().map_err(|error| SourceError::Btf(source.clone(), error))?.to_vec())
            }
            (None, Options { loaded, .. }) if loaded.is_given() => {
                Ok(loaded.open()?.map(|(loaded, _)| loaded.bytes()).transpose()?.unwrap_or_default())
            }
            _ => {
                let btf = self.open()?;
                let error = |error| SourceError::Btf("the kernel".into(), btf_elf::Error::from(error));
                btf.to_bytes(btf.byte_order()).map_err(error)
            }
        }
    }

    /// Returns the bytes to load into a kernel: for a BPF object, the BTF as a
    /// loader computes it, unless `as_is`; for any other file, its bytes.
    pub(crate) fn blob(&self, as_is: bool) -> Result<Blob, SourceError> {
        let Some(path) = self.source.as_ref().filter(|_| self.options.member.is_none()) else {
            let Opened { btf, name, .. } = self.open_file()?;
            let error = |error| SourceError::Btf(name.as_str().into(), btf_elf::Error::from(error));
            let bytes = btf.to_bytes(btf.byte_order()).map_err(error)?.into();
            return Ok(Blob { bytes, base: btf.base().cloned(), name });
        };
        self.open_nothing_else(path)?;
        let base = open_bases(&self.options.base)?;
        let name = SourceName::of(path);
        let error = |error| SourceError::Btf(path.clone(), error);
        let stdin = if is_dash(path) { Some(Bytes::from(read(path)?)) } else { None };
        let file = match &stdin {
            Some(bytes) => BtfFile::parse(bytes.clone()),
            None => btf_kernel::open_file(path),
        };
        let bytes = match file {
            Ok(file) => {
                let bytes = file.btf_bytes().map_err(error)?;
                match if as_is { None } else { fixed_up(file).map_err(error)? } {
                    Some(btf) => btf.to_bytes(btf.byte_order()).map_err(|cause| error(cause.into()))?.into(),
                    None => bytes,
                }
            }
            // Malformed BTF is passed on, for the verdict of the verifier.
            Err(cause) if is_not_recognized(&cause) => match stdin {
                Some(bytes) => bytes,
                None => read(path)?.into(),
            },
            Err(cause) => return Err(cause.into()),
        };
        Ok(Blob { bytes, base, name })
    }

    /// Returns the selected kernel, or the running one.
    pub(crate) fn kernel(&self) -> Kernel {
        self.options.system.kernel()
    }

    /// Opens the kernel and all of its modules.
    pub(crate) fn open_modules(&self) -> Result<Modules, SourceError> {
        match &self.source {
            Some(source) => Err(SourceError::FileAndKernel(source.clone())),
            None => {
                self.options.refuse_base()?;
                Ok(self.options.system.kernel().open_all_modules()?)
            }
        }
    }

    /// Returns a hint that names modules with a type that the kernel lacks.
    pub(crate) fn hint_to_modules(&self, name: &str) -> String {
        let is_kernel = self.source.is_none() && self.options.module.is_none() && !self.options.loaded.is_given();
        if !is_kernel {
            return String::new();
        }
        let modules = self.options.system.kernel().find_all_modules_of(name, None).unwrap_or_default();
        let first: Vec<_> = modules.iter().take(MODULES).map(btf_kernel::Module::name).collect();
        match (first.as_slice(), modules.len() > MODULES) {
            ([], _) => String::new(),
            ([module], _) => format!("; module {module} has it: --module {module}"),
            (names, more) => format!("; modules have it: {}{}", names.join(", "), if more { ", ..." } else { "" }),
        }
    }

    fn open_kernel(&self) -> Result<Opened, SourceError> {
        if let Some(member) = &self.options.member {
            return Err(SourceError::NoArchive(member.clone()));
        }
        self.options.refuse_base()?;
        let kernel = self.options.system.kernel();
        if let Some((loaded, name)) = self.options.loaded.open()? {
            return Ok(Opened { btf: kernel.read_loaded(&loaded)?, file: None, name: SourceName(name) });
        }
        let (btf, name) = match &self.options.module {
            None => (kernel.btf()?, kernel.source()?.path().display().to_string()),
            Some(module) => {
                let error = |error| SourceError::Module(Box::new(error), similar_modules(&kernel, module));
                (kernel.module(module).map_err(error)?, format!("module {module}"))
            }
        };
        Ok(Opened { btf, file: None, name: SourceName(name) })
    }
}

/// Name of a source, escaped when printed.
#[derive(Debug, Clone, Default)]
pub(crate) struct SourceName(String);

impl SourceName {
    pub(crate) fn of(path: &Path) -> Self {
        Self(if is_dash(path) { "standard input".into() } else { path.display().to_string() })
    }

    /// Returns the unescaped name.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for SourceName {
    fn from(name: &str) -> Self {
        Self(name.into())
    }
}

impl fmt::Display for SourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Escaped::new(&self.0).fmt(f)
    }
}

/// BTF, with the file from which it was opened.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) btf: Btf,
    /// `None` for the kernel's BTF.
    pub(crate) file: Option<BtfFile>,
    pub(crate) name: SourceName,
}

/// Bytes to load into a kernel.
#[derive(Debug)]
pub(crate) struct Blob {
    pub(crate) bytes: Bytes,
    /// Base of a module's BTF.
    pub(crate) base: Option<Btf>,
    pub(crate) name: SourceName,
}

/// Returns the BTF of a BPF object with its DATASECs fixed up, as a loader
/// loads it; `None` for other files.
pub(crate) fn fixed_up(file: BtfFile) -> Result<Option<Btf>, btf_elf::Error> {
    if file.elf().is_none() {
        return Ok(None);
    }
    match file.into_object() {
        Ok(object) => object.datasec_fixups().btf().map(Some),
        // The ELF file is a kernel or a module.
        Err(btf_elf::Error::NotBpf { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Returns `true` if the file is not of a kind that can contain BTF.
fn is_not_recognized(error: &btf_elf::Error) -> bool {
    matches!(error.without_file(), btf_elf::Error::NotRecognized { .. })
}

/// Source that could not be opened.
#[derive(Debug)]
pub(crate) struct Unopened {
    /// The file, if only its BTF cannot be opened.
    pub(crate) file: Option<BtfFile>,
    pub(crate) name: SourceName,
    pub(crate) error: SourceError,
}

impl From<SourceError> for Box<Unopened> {
    fn from(error: SourceError) -> Self {
        Self::new(Unopened { file: None, name: SourceName::default(), error })
    }
}

/// Opens bases, each with the previous one as its base.
pub(crate) fn open_bases(paths: &[PathBuf]) -> Result<Option<Btf>, SourceError> {
    let mut base: Option<Btf> = None;
    for path in paths {
        base = Some(match &base {
            Some(below) => open_split_on(path, below)?,
            None => open_on(path, None)?,
        });
    }
    Ok(base)
}

/// Opens a file with its base.
pub(crate) fn open_on(path: &Path, base: Option<&Btf>) -> Result<Btf, SourceError> {
    open_btf(&open_file(path)?, path, base)
}

/// Opens a file with its base; of a BPF object, the BTF as a loader computes it.
pub(crate) fn open_fixed_up_on(path: &Path, base: Option<&Btf>) -> Result<Btf, SourceError> {
    let file = open_file(path)?;
    let btf = open_btf(&file, path, base)?;
    let fixed = fixed_up(file).map_err(|error| SourceError::Btf(path.into(), error))?;
    Ok(fixed.unwrap_or(btf))
}

/// Opens a file that must be split BTF.
pub(crate) fn open_split_on(path: &Path, base: &Btf) -> Result<Btf, SourceError> {
    open_on(path, Some(base)).map_err(|error| match error {
        SourceError::NotSplit(path) => SourceError::NeedsSplit(path),
        error => error,
    })
}

/// Opens a file: a copy of the base or of a layer below it, BTF that is split
/// from the base, or BTF that is not split. A copy is opened as that layer.
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

/// Returns `true` if an argument is a file and not a name. A file that is named
/// like a type must contain BTF.
pub(crate) fn is_file(name: &str) -> bool {
    let could_be_type = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    name == "-" || name.contains('/') || Path::new(name).is_file() && (!could_be_type || BtfFile::open(name).is_ok())
}

fn open_member(path: &Path, member: &str) -> Result<Opened, SourceError> {
    let archive = match is_dash(path) {
        true => Archive::from_reader(io::stdin().lock()),
        false => Archive::open(path),
    };
    let btf = archive.and_then(|archive| read_member(&archive, member)).map_err(SourceError::Archive)?;
    Ok(Opened { btf, file: None, name: SourceName(format!("{}: {member}", path.display())) })
}

/// Returns the BTF at a path of an archive, with or without the archive's top
/// folder.
fn read_member(archive: &Archive, member: &str) -> Result<Btf, btf_archive::Error> {
    let is_meant =
        |path: &str| path.strip_suffix(member).is_some_and(|before| before.is_empty() || before.ends_with('/'));
    let listed = archive.list()?.into_iter().find(|listed| is_meant(listed.path()));
    archive.read(listed.as_ref().map_or(member, btf_archive::Listed::file))
}

fn open_file(path: &Path) -> Result<BtfFile, SourceError> {
    if !is_dash(path) {
        return Ok(btf_kernel::open_file(path)?);
    }
    BtfFile::parse(read(path)?).map_err(|error| SourceError::Btf(path.into(), error))
}

/// Adds the name of a file to an error.
pub(crate) fn in_file(path: &Path, error: &(dyn Error + 'static)) -> Box<dyn Error> {
    format!("{}: {}", SourceName::of(path), with_causes(error)).into()
}

/// Reads a whole file; `-` is standard input.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, SourceError> {
    let error = |error| SourceError::Read(path.into(), error);
    let limit = Limits::IMAGE.max_output();
    let mut bytes = Vec::new();
    match is_dash(path) {
        true => io::stdin().lock().take(limit + 1).read_to_end(&mut bytes),
        false => File::open(path).and_then(|file| file.take(limit + 1).read_to_end(&mut bytes)),
    }
    .map_err(error)?;
    if bytes.len() as u64 > limit {
        return Err(SourceError::TooLong { path: path.into(), limit });
    }
    Ok(bytes)
}

fn open_btf(file: &BtfFile, path: &Path, base: Option<&Btf>) -> Result<Btf, SourceError> {
    let error = |error| SourceError::Btf(path.into(), error);
    let Some(base) = base else { return file.btf().map_err(error) };
    // BTF that opens without a base is not split, even if it happens to be
    // valid with one.
    if Btf::parse(file.btf_bytes().map_err(error)?).is_ok() {
        return Err(SourceError::NotSplit(path.into()));
    }
    file.split_btf(base).map_err(error)
}

/// Error of opening a source.
#[derive(Debug)]
pub(crate) enum SourceError {
    /// The file does not exist, or has no BTF.
    File(btf_elf::Error),
    /// The BTF is damaged, or lacks its base.
    Btf(PathBuf, btf_elf::Error),
    /// A base was given for BTF that is not split.
    NotSplit(PathBuf),
    /// BTF that must be split is not.
    NeedsSplit(PathBuf),
    /// A base was given without a file.
    BaseWithoutFile,
    /// A file, or standard input, cannot be read.
    Read(PathBuf, io::Error),
    /// The file is larger than any kernel image.
    TooLong {
        path: PathBuf,
        limit: u64,
    },
    Kernel(btf_kernel::Error),
    /// The kernel has no such module, or no BTF for it; with a hint.
    Module(Box<btf_kernel::Error>, String),
    Archive(btf_archive::Error),
    /// A member was given without an archive.
    NoArchive(String),
    /// A file was given together with a kernel.
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

/// Returns `true` for split BTF without its base.
fn lacks_base(error: &btf_elf::Error) -> bool {
    matches!(error.btf_error(), Some(btf_types::Error::SplitWithoutBase))
}

impl SourceError {
    /// Returns `true` for split BTF without its base.
    pub(crate) fn lacks_base(&self) -> bool {
        matches!(self, Self::Btf(_, error) if lacks_base(error))
    }
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
            Self::NeedsSplit(path) => {
                write!(f, "{}: this is not split BTF, such as a module's, and has no base", SourceName::of(path))
            }
            Self::BaseWithoutFile => {
                f.write_str("--base needs a file with BTF that is split from it; the running kernel's BTF has no base")
            }
            Self::Read(path, _) => write!(f, "cannot read {}", SourceName::of(path)),
            Self::TooLong { path, limit } => write!(f, "{} has more than {limit} bytes", SourceName::of(path)),
            Self::Kernel(error) => KernelError::new(error).fmt(f),
            Self::Module(error, hint) => KernelError::new(error).with_hint(hint).fmt(f),
            Self::Archive(error) => write!(f, "{error}"),
            Self::NoArchive(member) => write!(f, "name the archive that has {}", Escaped::new(member)),
            Self::FileAndKernel(path) => {
                write!(f, "{}: a file, and an option that says which kernel: which?", SourceName::of(path))
            }
        }
    }
}

impl Error for SourceError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::File(error) => error.source(),
            Self::Btf(_, error) if lacks_base(error) => None,
            Self::Btf(_, error) => Some(error),
            Self::Read(_, error) => Some(error),
            Self::Kernel(error) => error.source(),
            Self::Module(error, _) => error.source(),
            Self::Archive(error) => error.source(),
            Self::NoArchive(_)
            | Self::NotSplit(_)
            | Self::NeedsSplit(_)
            | Self::BaseWithoutFile
            | Self::TooLong { .. }
            | Self::FileAndKernel(_) => None,
        }
    }
}
