//! `btf archive`: BTF for kernels that have none.

use std::{
    fs,
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
};

use btf_archive::{Archive, Chosen, Fetch, Listed, Pack, Packed, SelectOptions, Selection};
use btf_elf::Compression;
use btf_kernel::Host;
use btf_relocate::Trim;
use btf_types::{Btf, format::Escaped};
use clap::{Args, Subcommand, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use crate::{
    Result, escaped_lines,
    source::{System, in_file},
    target::open_object,
    with_causes,
};

/// Arguments of `btf archive`.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  btf archive ls bundle.tar.gz\n  btf archive select bundle.tar.gz --out vmlinux.btf\n  btf archive select btfhub-archive/ --distro rhel --distro-version 8.6 --machine x86_64 --release 4.18.0-147.8.1.el8_1.x86_64\n  btf archive fetch --distro ubuntu --distro-version 20.04 --release '5.4.0-4*'\n  btf archive pack --programs prog.bpf.o -- btfhub-archive/ bundle.tar.gz"
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Lists the kernels in an archive.
    Ls {
        /// A folder or a tar, plain or compressed; `-` for standard input.
        archive: PathBuf,
        /// List kernels also under paths through symbolic links.
        #[arg(long)]
        links: bool,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Selects the BTF for this system or a given one, and shows the reason.
    Select(Select),
    /// Unpacks a tar into a new or empty folder.
    Unpack {
        /// A tar, plain or compressed; `-` for standard input.
        archive: PathBuf,
        /// The folder to create, with its parents.
        folder: PathBuf,
    },
    /// Writes a bundle of kernels of an archive, whole or trimmed to the types
    /// that programs need.
    Pack(PackArguments),
    /// Fetches kernels from btfhub-archive into a cache, and prints the folder.
    Fetch(FetchArguments),
}

/// Options for the system.
#[derive(Args)]
struct Which {
    /// The distribution, as `ID` of os-release.
    #[arg(long)]
    distro: Option<String>,
    /// The version of the distribution, as `VERSION_ID` of os-release.
    #[arg(long)]
    distro_version: Option<String>,
    /// The machine, as `uname -m`.
    #[arg(long)]
    machine: Option<String>,
    #[command(flatten)]
    system: System,
}

impl Which {
    /// Returns `true` if any option is given.
    fn is_given(&self) -> bool {
        let Self { distro, distro_version, machine, system } = self;
        [distro.as_ref(), distro_version.as_ref(), machine.as_ref(), system.release()].iter().any(Option::is_some)
    }

    /// Returns the system, with the given options in place of detected values.
    fn host(&self) -> Result<Host> {
        let kernel = self.system.kernel();
        let mut options = Host::options().release(kernel.release()?);
        if let Some(machine) = &self.machine {
            options = options.machine(machine);
        }
        let mut host = options.of(kernel.root())?;
        if let Some(distribution) = &self.distro {
            if *distribution != host.distribution {
                (host.version, host.codename, host.like) = (None, None, Vec::new());
            }
            host.distribution.clone_from(distribution);
        }
        if let Some(version) = &self.distro_version {
            (host.version, host.codename) = (Some(version.clone()), None);
        }
        Ok(host)
    }
}

#[derive(Args)]
struct Select {
    /// A folder or a tar, plain or compressed; `-` for standard input.
    archive: PathBuf,
    #[command(flatten)]
    which: Which,
    /// Take the nearest release if there is no match. Its layouts may differ.
    #[arg(long)]
    nearest: bool,
    /// Use the archive even if the kernel has BTF of its own. By default, the
    /// kernel's BTF takes precedence unless one of the options above selects
    /// another system, and the archive is not read.
    #[arg(long)]
    no_kernel: bool,
    /// Require a type in the BTF. May be repeated.
    #[arg(long, value_name = "NAME")]
    with_type: Vec<String>,
    /// Write the BTF to this file; `-` for standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
#[command(
    override_usage = "btf archive pack [OPTIONS] [--programs <PROG.o>...] <SOURCE> <OUT>",
    after_help = "Examples:\n  btf archive pack --programs prog.bpf.o --distro ubuntu btfhub-archive/ bundle.tar.gz\n  btf archive pack --programs *.bpf.o --json package.json btfhub-archive/ bundle.tar\n  btf archive pack btfhub-archive/ bundle.tar.xz"
)]
struct PackArguments {
    /// An archive (a folder or a tar, plain or compressed; `-` for standard
    /// input), then the bundle to write: a tar, compressed by its name (.tar,
    /// .tar.gz, .tar.xz, .tar.zst); `-` for standard output.
    #[arg(value_names = ["SOURCE", "OUT"], num_args = 0..=3)]
    paths: Vec<PathBuf>,
    /// Pack only the types that these BPF objects need, a few kilobytes per
    /// kernel.
    #[arg(long, value_name = "PROG.o", num_args = 1.., conflicts_with = "full")]
    programs: Vec<PathBuf>,
    /// Also keep the types of this name, with all members. May be repeated.
    #[arg(long, value_name = "NAME", requires = "programs")]
    keep: Vec<String>,
    /// Use this compression, whatever the name. (zst is fast to write and to
    /// read, and 1.5 times as large as gzip.)
    #[arg(long, value_enum)]
    compress: Option<Compress>,
    /// Pack the whole BTF, unchanged: the default without --programs.
    #[arg(long)]
    full: bool,
    /// A `package.json` to add beside the kernels.
    #[arg(long, value_name = "FILE")]
    package_json: Option<PathBuf>,
    /// Only kernels of this distribution.
    #[arg(long)]
    distro: Vec<String>,
    /// Only kernels of this machine.
    #[arg(long, alias = "arch")]
    machine: Vec<String>,
    /// Only kernels whose release matches this pattern with `*` and `?`.
    #[arg(long, value_name = "GLOB")]
    release: Vec<String>,
    /// Print JSON. If followed by a FILE whose name ends in .json, add that
    /// beside the kernels instead, as --package-json does.
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true)]
    json: Option<Option<PathBuf>>,
}

/// Files given to `btf archive pack`.
struct PackFiles {
    programs: Vec<PathBuf>,
    package_json: Option<PathBuf>,
    is_json: bool,
    source: PathBuf,
    out: PathBuf,
}

impl PackArguments {
    /// Separates the positional arguments. Files after `--programs` and
    /// `--json` belong to these options, except SOURCE and OUT at the end.
    fn files(&self) -> Result<PackFiles> {
        let usage = || -> usize { bad_usage("an archive and the bundle to be written are needed: SOURCE OUT") };
        let (mut paths, mut programs) = (self.paths.clone(), self.programs.clone());
        let mut package_json = self.package_json.clone();
        let is_of_json = |path: &Path| path.extension().is_some_and(|ending| ending == "json");
        let is_json = match &self.json {
            Some(Some(file)) => {
                package_json = Some(file.clone());
                false
            }
            Some(None) => match paths.iter().position(|path| is_of_json(path)) {
                Some(at) => {
                    package_json = Some(paths.remove(at));
                    false
                }
                None => true,
            },
            None => false,
        };
        let missing = 2usize.checked_sub(paths.len()).unwrap_or_else(usage);
        let theirs = programs.len().checked_sub(missing).unwrap_or_else(usage);
        let ours = programs.split_off(theirs);
        if !self.programs.is_empty() && programs.is_empty() {
            bad_usage("--programs needs a BPF object beside SOURCE and OUT");
        }
        // If OUT was forgotten, the last program must not be overwritten.
        if let Some(out) = ours.last().filter(|out| !is_stdout(out)) {
            Pack::compression_of(out)?;
        }
        paths.extend(ours);
        let Ok([source, out]) = <[PathBuf; 2]>::try_from(paths) else {
            bad_usage("SOURCE and OUT are all that is needed")
        };
        Ok(PackFiles { programs, package_json, is_json, source, out })
    }
}

/// Exits as for arguments that the parser rejects.
fn bad_usage(message: &str) -> ! {
    clap::Error::raw(clap::error::ErrorKind::WrongNumberOfValues, format!("{message}\n")).exit()
}

/// Compression of a bundle.
#[derive(Clone, Copy, ValueEnum)]
enum Compress {
    None,
    Gzip,
    Xz,
    Zstd,
}

impl Compress {
    fn compression(self) -> Option<Compression> {
        match self {
            Self::None => None,
            Self::Gzip => Some(Compression::Gzip),
            Self::Xz => Some(Compression::Xz),
            Self::Zstd => Some(Compression::Zstd),
        }
    }
}

#[derive(Args)]
struct FetchArguments {
    /// Only this distribution.
    #[arg(long)]
    distro: Option<String>,
    /// Only this version of it.
    #[arg(long)]
    distro_version: Option<String>,
    /// Only this machine.
    #[arg(long)]
    machine: Option<String>,
    /// Only releases that match this pattern with `*` and `?`.
    #[arg(long, value_name = "GLOB")]
    release: Option<String>,
    /// The repository, an address or a path, instead of $BTFHUB_REPO.
    #[arg(long)]
    repo: Option<String>,
    /// The cache folder, instead of $BTFHUB_CACHE.
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
    /// Everything, which has 7 GB.
    #[arg(long)]
    all: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result {
    let mut out = io::BufWriter::new(io::stdout().lock());
    match &arguments.command {
        Command::Ls { archive, links, json } => list(&open(archive)?, *links, *json, &mut out)?,
        Command::Select(arguments) => select(arguments, &mut out)?,
        Command::Unpack { archive, folder } => {
            let _working = working("unpacking");
            open(archive)?.unpack_into(folder)?;
        }
        Command::Pack(arguments) => pack(arguments, &mut out)?,
        Command::Fetch(arguments) => fetch(arguments, &mut out)?,
    }
    out.flush()?;
    Ok(())
}

fn open(path: &Path) -> Result<Archive> {
    if path == Path::new("-") {
        return Ok(Archive::from_reader(io::stdin().lock())?);
    }
    Ok(Archive::open(path)?)
}

/// Returns `true` for this command's own standard output, which must then
/// contain nothing else.
fn is_stdout(path: &Path) -> bool {
    ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"].iter().any(|name| path == Path::new(name))
}

/// Escapes text from an archive for a terminal.
fn shown(text: &str) -> Escaped<'_> {
    Escaped::new(text)
}

/// Makes a progress bar on stderr, hidden if it is not a terminal.
fn bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len}, {eta}");
    ProgressBar::no_length().with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// Shows a spinner for work of unknown duration, until it is dropped.
fn working(what: &'static str) -> ProgressBar {
    let spinner = ProgressBar::new_spinner().with_message(what).with_finish(indicatif::ProgressFinish::AndClear);
    spinner.enable_steady_tick(std::time::Duration::from_millis(100));
    spinner
}

fn list(archive: &Archive, links: bool, json: bool, out: &mut impl Write) -> Result {
    let mut listed = archive.list()?;
    if !links {
        listed.retain(|listed| !listed.is_link());
    }
    match json {
        true => list_json(&listed, out)?,
        false => list_text(&listed, out)?,
    }
    if listed.is_empty() {
        out.flush()?;
        return Err(format!("no kernels in {}", shown(archive.name())).into());
    }
    Ok(())
}

/// Prints a list as JSON, one entry at a time.
fn list_json(listed: &[Listed], out: &mut impl Write) -> Result {
    let mut before = "[";
    for listed in listed {
        let Some(entry) = listed.entry() else { continue };
        let row = json!({
            "path": listed.path(),
            "file": listed.file(),
            "bytes": listed.size(),
            "distribution": entry.distribution,
            "version": entry.version,
            "machine": entry.machine,
            "release": entry.release,
        });
        write!(out, "{before}{row}")?;
        before = ",";
    }
    Ok(writeln!(out, "{}]", if before == "[" { "[" } else { "" })?)
}

fn list_text(listed: &[Listed], out: &mut impl Write) -> Result {
    for listed in listed {
        let Some(entry) = listed.entry() else { continue };
        let [distribution, version, machine, release] =
            [entry.distribution, entry.version, entry.machine.unwrap_or_default(), entry.release]
                .map(|text| shown(if text.is_empty() { "-" } else { text }));
        let link = if listed.is_link() { format!(" -> {}", shown(listed.file())) } else { String::new() };
        writeln!(out, "{distribution:<10} {version:<10} {machine:<8} {release:<48} {:>9}{link}", listed.size())?;
    }
    Ok(())
}

fn select(arguments: &Select, out: &mut impl Write) -> Result {
    // A file that is not an archive is an error even if the kernel's BTF takes
    // precedence.
    let archive = open(&arguments.archive)?;
    let chosen = match own_btf(arguments) {
        Some((path, btf)) => {
            eprintln!(
                "btf: the kernel has BTF of its own, and {} was not read (--no-kernel reads it)",
                shown(archive.name())
            );
            Ok((Chosen::Kernel(btf), path, arguments.which.host().ok()))
        }
        None => from_archive(&archive, arguments, out).map(|(selection, host)| {
            let path = selection.path().to_owned();
            (Chosen::Archive(selection.into()), path, Some(host))
        }),
    };
    let (chosen, path, host) = chosen?;
    let text = match (&chosen, arguments.json) {
        (Chosen::Archive(selection), true) => format!("{}\n", selection_json(selection, host.as_ref())),
        (Chosen::Archive(selection), false) => selection_text(selection),
        (_, true) => format!("{}\n", kernel_json(&path, &chosen.btf(), host.as_ref())),
        (_, false) => format!("path    {}\nrule    kernel\ntypes   {}\n", shown(&path), chosen.btf().types().len()),
    };
    match &arguments.out {
        Some(file) if is_stdout(file) => {
            out.write_all(&chosen.bytes()?)?;
            eprint!("{text}");
        }
        Some(file) => {
            chosen.write_file(file)?;
            out.write_all(text.as_bytes())?;
        }
        None => out.write_all(text.as_bytes())?,
    }
    Ok(())
}

/// Returns the kernel's own BTF and its path, if it takes precedence.
fn own_btf(arguments: &Select) -> Option<(String, Btf)> {
    if arguments.no_kernel || arguments.which.is_given() {
        return None;
    }
    let kernel = arguments.which.system.kernel();
    let btf = kernel.btf().ok()?;
    Some((kernel.source().ok()?.path().display().to_string(), btf))
}

/// Selects from the archive. With --json, a failure to find BTF is printed as
/// JSON.
fn from_archive(archive: &Archive, arguments: &Select, out: &mut impl Write) -> Result<(Selection, Host)> {
    let host = arguments.which.host()?;
    let options = SelectOptions::new().nearest(arguments.nearest);
    let options = arguments.with_type.iter().fold(options, SelectOptions::require_type);
    let working = working("looking through the archive");
    let selected = archive.select_with(&host, &options);
    drop(working);
    match selected {
        Ok(selection) => Ok((selection, host)),
        Err(error) => {
            if let Some(document) = miss_json(&error, &host).filter(|_| arguments.json) {
                writeln!(out, "{document}")?;
                out.flush()?;
            }
            Err(error.into())
        }
    }
}

fn selection_text(selection: &Selection) -> String {
    let mut text = format!("path    {}\n", shown(selection.path()));
    if selection.path() != selection.file() {
        text += &format!("file    {}\n", shown(selection.file()));
    }
    text += &format!("rule    {}\ntypes   {}\n", selection.rule(), selection.btf().types().len());
    let modules: Vec<String> = selection.module_names().map(|name| shown(name).to_string()).collect();
    if !modules.is_empty() {
        text += &format!("modules {}\n", modules.join(" "));
    }
    text
}

fn host_json(host: &Host) -> serde_json::Value {
    json!({
        "distribution": host.distribution,
        "like": host.like,
        "version": host.version,
        "codename": host.codename,
        "machine": host.machine,
        "release": host.release,
    })
}

fn selection_json(selection: &Selection, host: Option<&Host>) -> serde_json::Value {
    json!({
        "path": selection.path(),
        "file": selection.file(),
        "rule": selection.rule().as_str(),
        "host": host.map(host_json),
        "tried": selection.tried(),
        "types": selection.btf().types().len(),
        "bytes": selection.bytes().len(),
        "modules": selection.module_names().collect::<Vec<_>>(),
    })
}

/// Returns the JSON of a selection of the kernel's own BTF.
fn kernel_json(path: &str, btf: &Btf, host: Option<&Host>) -> serde_json::Value {
    json!({
        "path": path,
        "file": path,
        "rule": "kernel",
        "host": host.map(host_json),
        "tried": [],
        "types": btf.types().len(),
        "bytes": btf.as_bytes().len(),
        "modules": [],
    })
}

/// Returns the JSON of a failure to find BTF; `None` for any other error.
fn miss_json(error: &btf_archive::Error, host: &Host) -> Option<serde_json::Value> {
    let host = host_json(host);
    match error {
        btf_archive::Error::NotFound { tried, nearest, .. } => {
            Some(json!({"path": null, "host": host, "tried": tried, "nearest": nearest}))
        }
        btf_archive::Error::Ambiguous { candidates, .. } => {
            Some(json!({"path": null, "host": host, "candidates": candidates}))
        }
        _ => None,
    }
}

fn pack(arguments: &PackArguments, out: &mut impl Write) -> Result {
    let files = arguments.files()?;
    let is_stdout = is_stdout(&files.out);
    let compression = match arguments.compress {
        Some(compress) => compress.compression(),
        None if is_stdout || is_special(&files.out) => None,
        None => Pack::compression_of(&files.out)?,
    };
    let json = files.package_json.as_deref().map(package_json).transpose()?;
    let mut trim = Trim::new();
    for path in &files.programs {
        trim = trim.object(&open_object(path)?).map_err(|error| in_file(path, &error))?;
    }
    trim = arguments.keep.iter().fold(trim, Trim::keep);
    let archive = open(&files.source)?;
    let mut pack = Pack::new();
    if !files.programs.is_empty() {
        pack = pack.trim(&trim);
    }
    if let Some(json) = &json {
        pack = pack.package_json(json);
    }
    pack = arguments.distro.iter().fold(pack, Pack::distribution);
    pack = arguments.machine.iter().fold(pack, Pack::machine);
    pack = arguments.release.iter().fold(pack, Pack::release);
    if let Some(compression) = compression {
        pack = pack.compression(compression);
    }
    let bar = bar();
    let pack = pack.progress(|done, all| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    });
    let packed = if is_stdout { pack.write(&archive, &mut *out) } else { pack.write_file(&archive, &files.out) };
    bar.finish_and_clear();
    let packed = packed?;
    let text = match files.is_json {
        true => packed_json(&files.out, compression, &packed).to_string(),
        false => {
            packed
                .left_out
                .iter()
                .for_each(|left_out| eprintln!("btf: left out: {}", escaped_lines(&with_causes(&left_out.reason))));
            for path in &packed.without_types {
                let path = shown(path);
                eprintln!("btf: the programs need no type of {path}: what is packed has none, and no kernel loads it");
            }
            let way = compression.map_or("tar", Compression::as_str);
            let left_out = packed.left_out.iter().filter(|left_out| left_out.module.is_none()).count();
            let but = if left_out == 0 { String::new() } else { format!(", {left_out} left out") };
            format!("{}: {}{but} ({way})", shown(&files.out.display().to_string()), kernels(packed.kernels))
        }
    };
    if is_stdout {
        eprintln!("{text}");
        return Ok(());
    }
    Ok(writeln!(out, "{text}")?)
}

fn packed_json(path: &Path, compression: Option<Compression>, packed: &Packed) -> serde_json::Value {
    let left_out = packed.left_out.iter().map(
        |left_out| json!({"path": left_out.path, "module": left_out.module, "reason": left_out.reason.to_string()}),
    );
    json!({
        "path": path.display().to_string(),
        "kernels": packed.kernels,
        "compression": compression.map(Compression::as_str),
        "left_out": left_out.collect::<Vec<_>>(),
        "without_types": packed.without_types,
    })
}

fn kernels(count: usize) -> String {
    format!("{count} kernel{}", if count == 1 { "" } else { "s" })
}

/// Returns `true` if the path is not a regular file, such as a pipe.
fn is_special(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir())
}

/// Reads a `package.json`, which must be JSON.
fn package_json(path: &Path) -> Result<Vec<u8>> {
    let fault = |error: &dyn std::fmt::Display| format!("cannot read {}: {error}", path.display());
    let json = fs::read(path).map_err(|error| fault(&error))?;
    let parsed = serde_json::from_slice::<serde_json::Value>(&json);
    parsed.map_err(|error| fault(&format!("not JSON: {error}")))?;
    Ok(json)
}

fn fetch(arguments: &FetchArguments, out: &mut impl Write) -> Result {
    let mut fetch = Fetch::new();
    if let Some(name) = &arguments.distro {
        fetch = fetch.distribution(name);
    }
    if let Some(version) = &arguments.distro_version {
        fetch = fetch.version(version);
    }
    if let Some(machine) = &arguments.machine {
        fetch = fetch.machine(machine);
    }
    if let Some(release) = &arguments.release {
        fetch = fetch.release(release);
    }
    if let Some(url) = &arguments.repo {
        fetch = fetch.url(url);
    }
    if let Some(folder) = &arguments.cache {
        fetch = fetch.cache(folder);
    }
    if arguments.all {
        fetch = fetch.all();
    }
    if io::stderr().is_terminal() {
        fetch = fetch.progress();
    }
    let fetched = fetch.fetch()?;
    let folder = fetched.folder.display().to_string();
    if arguments.json {
        let paths: Vec<&str> = fetched.kernels.iter().map(Listed::path).collect();
        return Ok(writeln!(out, "{}", json!({"folder": folder, "kernels": paths}))?);
    }
    eprintln!("{}", kernels(fetched.kernels.len()));
    Ok(writeln!(out, "{folder}")?)
}
