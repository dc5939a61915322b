//! `btf archive`: the right BTF for a kernel that has none.

use std::{
    fs,
    io::{self, IsTerminal, Write},
    path::PathBuf,
};

use btf_archive::{Archive, Chosen, Fetch, Pack, SelectOptions, Selection};
use btf_elf::Compression;
use btf_kernel::Host;
use btf_types::Btf;
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use crate::{Result, source::System};

/// What `btf archive` takes.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  btf archive ls bundle.tar.gz\n  btf archive select bundle.tar.gz --out vmlinux.btf\n  btf archive select btfhub-archive/ --distro rhel --distro-version 8.6 --machine x86_64 --release 4.18.0-147.8.1.el8_1.x86_64\n  btf archive fetch --distro ubuntu --distro-version 20.04 --release '5.4.0-4*'\n  btf archive pack --full --distro ubuntu btfhub-archive/ bundle.tar.gz"
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Lists the kernels in an archive.
    Ls {
        /// A folder, or a tar, plain or compressed.
        archive: PathBuf,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Selects the kernel that is this system's, or another's, and says why.
    Select(Select),
    /// Unpacks a tar into a new folder.
    Unpack {
        /// A tar, plain or compressed.
        archive: PathBuf,
        /// The folder, which must not be there.
        folder: PathBuf,
    },
    /// Writes a bundle of the kernels of an archive.
    Pack(PackArguments),
    /// Gets kernels out of btfhub-archive, into a cache; prints its folder.
    Fetch(FetchArguments),
}

/// What says which system it is.
#[derive(Args)]
struct Which {
    /// The distribution, as `ID` of os-release has it.
    #[arg(long)]
    distro: Option<String>,
    /// Its version, as `VERSION_ID` of os-release has it.
    #[arg(long)]
    distro_version: Option<String>,
    /// The machine, as `uname -m` has it.
    #[arg(long)]
    machine: Option<String>,
    #[command(flatten)]
    system: System,
}

impl Which {
    /// Whether anything says which system it is.
    fn is_given(&self) -> bool {
        let Self { distro, distro_version, machine, system } = self;
        [distro.as_ref(), distro_version.as_ref(), machine.as_ref(), system.release()].iter().any(Option::is_some)
    }

    /// What the system says of itself, but for what is given.
    fn host(&self) -> Result<Host> {
        let given = [self.distro.as_ref(), self.machine.as_ref(), self.system.release()].iter().all(Option::is_some);
        let mut host = match Host::of(&self.system.tree()) {
            Ok(host) => host,
            // All that it could say is given.
            Err(_) if given => Host::default(),
            Err(btf_kernel::Error::NoRelease { .. }) if self.system.release().is_some() => Host::default(),
            Err(error) => return Err(error.into()),
        };
        if let Some(distribution) = &self.distro {
            if *distribution != host.distribution {
                (host.version, host.codename, host.like) = (None, None, Vec::new());
            }
            host.distribution.clone_from(distribution);
        }
        if let Some(version) = &self.distro_version {
            (host.version, host.codename) = (Some(version.clone()), None);
        }
        if let Some(machine) = &self.machine {
            host.machine.clone_from(machine);
        }
        if let Some(release) = self.system.release() {
            host.release.clone_from(release);
        }
        Ok(host)
    }
}

#[derive(Args)]
struct Select {
    /// A folder, or a tar, plain or compressed.
    archive: PathBuf,
    #[command(flatten)]
    which: Which,
    /// If there is none, take the nearest release: its layouts may differ.
    #[arg(long)]
    nearest: bool,
    /// Take the archive's BTF even where the kernel has its own, which otherwise
    /// goes first if none of the above says which system it is.
    #[arg(long)]
    no_kernel: bool,
    /// A type that the BTF must have.
    #[arg(long, value_name = "NAME")]
    with_type: Vec<String>,
    /// Write the BTF to this file.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct PackArguments {
    /// A folder, or a tar, plain or compressed.
    source: PathBuf,
    /// The bundle: a tar, compressed if its name ends in .gz, .xz or .zst.
    out: PathBuf,
    /// Whole BTF, and not just what programs need.
    #[arg(long, required_unless_present = "programs", conflicts_with = "programs")]
    full: bool,
    /// BTF trimmed to what this program needs; more than once for several. Not
    /// there yet: `--full` is.
    #[arg(long, value_name = "PROG.o")]
    programs: Vec<PathBuf>,
    /// A `package.json` to put beside the kernels.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Only kernels of this distribution.
    #[arg(long)]
    distro: Vec<String>,
    /// Only kernels of this machine.
    #[arg(long)]
    arch: Vec<String>,
    /// Only kernels whose release is like this, with `*` and `?`.
    #[arg(long, value_name = "GLOB")]
    release: Vec<String>,
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
    /// Only releases like this, with `*` and `?`.
    #[arg(long, value_name = "GLOB")]
    release: Option<String>,
    /// The repository, an address or a path, and not $BTFHUB_REPO.
    #[arg(long)]
    repo: Option<String>,
    /// The cache, and not $BTFHUB_CACHE.
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
    /// All of it, which is 7 GB.
    #[arg(long)]
    all: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result {
    let mut out = io::BufWriter::new(io::stdout().lock());
    match &arguments.command {
        Command::Ls { archive, json } => list(&Archive::open(archive)?, *json, &mut out)?,
        Command::Select(arguments) => select(arguments, &mut out)?,
        Command::Unpack { archive, folder } => {
            let _working = working("unpacking");
            Archive::open(archive)?.unpack_into(folder)?;
        }
        Command::Pack(arguments) => pack(arguments, &mut out)?,
        Command::Fetch(arguments) => fetch(arguments, &mut out)?,
    }
    out.flush()?;
    Ok(())
}

/// A bar on stderr; hidden where that is no terminal.
fn bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len}, {eta}");
    ProgressBar::no_length().with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// That something is being done, of which nobody knows how long it takes; gone
/// when it is done.
fn working(what: &'static str) -> ProgressBar {
    let spinner = ProgressBar::new_spinner().with_message(what).with_finish(indicatif::ProgressFinish::AndClear);
    spinner.enable_steady_tick(std::time::Duration::from_millis(100));
    spinner
}

fn list(archive: &Archive, json: bool, out: &mut impl Write) -> Result {
    let listed = archive.list()?;
    if json {
        let rows = listed.iter().filter_map(|listed| {
            let entry = listed.entry()?;
            Some(json!({
                "path": listed.path,
                "file": listed.file,
                "bytes": listed.size,
                "distribution": entry.distribution,
                "version": entry.version,
                "machine": entry.machine,
                "release": entry.release,
            }))
        });
        return Ok(writeln!(out, "{}", serde_json::Value::from_iter(rows))?);
    }
    for listed in &listed {
        let Some(entry) = listed.entry() else { continue };
        let link = if listed.is_link() { format!(" -> {}", listed.file) } else { String::new() };
        let machine = entry.machine.unwrap_or("-");
        writeln!(
            out,
            "{:<10} {:<10} {machine:<8} {:<48} {:>9}{link}",
            entry.distribution, entry.version, entry.release, listed.size
        )?;
    }
    Ok(())
}

fn select(arguments: &Select, out: &mut impl Write) -> Result {
    let archive = Archive::open(&arguments.archive)?;
    let kernel = arguments.which.system.kernel();
    if !arguments.no_kernel
        && !arguments.which.is_given()
        && let Ok(btf) = kernel.btf()
    {
        if let Some(file) = &arguments.out {
            Chosen::Kernel(btf.clone()).write_file(file)?;
        }
        let path = kernel.source()?.path().display().to_string();
        let text = match arguments.json {
            true => kernel_json(&path, &btf, arguments.which.host().ok().as_ref()).to_string(),
            false => format!("path    {path}\nrule    kernel\ntypes   {}", btf.type_count()),
        };
        return Ok(writeln!(out, "{text}")?);
    }
    let host = arguments.which.host()?;
    let options = SelectOptions { nearest: arguments.nearest, types: arguments.with_type.clone() };
    let working = working("looking through the archive");
    let selected = archive.select_with(&host, &options);
    drop(working);
    let selection = match selected {
        Ok(selection) => selection,
        Err(error) => {
            if let Some(document) = miss_json(&error, &host).filter(|_| arguments.json) {
                writeln!(out, "{document}")?;
                out.flush()?;
            }
            return Err(error.into());
        }
    };
    if let Some(file) = &arguments.out {
        selection.write_file(file)?;
    }
    match arguments.json {
        true => writeln!(out, "{}", selection_json(&selection, &host))?,
        false => {
            writeln!(out, "path    {}", selection.path())?;
            if selection.path() != selection.file() {
                writeln!(out, "file    {}", selection.file())?;
            }
            writeln!(out, "rule    {}", selection.rule())?;
            writeln!(out, "types   {}", selection.btf().type_count())?;
            let modules: Vec<_> = selection.modules().collect();
            if !modules.is_empty() {
                writeln!(out, "modules {}", modules.join(" "))?;
            }
        }
    }
    Ok(())
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

fn selection_json(selection: &Selection, host: &Host) -> serde_json::Value {
    json!({
        "path": selection.path(),
        "file": selection.file(),
        "rule": selection.rule().as_str(),
        "host": host_json(host),
        "tried": selection.tried(),
        "types": selection.btf().type_count(),
        "bytes": selection.bytes().len(),
        "modules": selection.modules().collect::<Vec<_>>(),
    })
}

/// The same of the kernel's own BTF.
fn kernel_json(path: &str, btf: &Btf, host: Option<&Host>) -> serde_json::Value {
    json!({
        "path": path,
        "file": path,
        "rule": "kernel",
        "host": host.map(host_json),
        "tried": [],
        "types": btf.type_count(),
        "bytes": btf.as_bytes().len(),
        "modules": [],
    })
}

/// Why there is none, if it is not that something is wrong with the archive.
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
    let archive = Archive::open(&arguments.source)?;
    let json = arguments.json.as_ref().map(fs::read).transpose()?;
    let mut pack = Pack::new();
    if let Some(json) = &json {
        pack = pack.package_json(json);
    }
    for name in &arguments.distro {
        pack = pack.distribution(name);
    }
    for name in &arguments.arch {
        pack = pack.machine(name);
    }
    for pattern in &arguments.release {
        pack = pack.release(pattern);
    }
    let compression = Pack::compression_of(&arguments.out);
    if let Some(compression) = compression {
        pack = pack.compression(compression);
    }
    if !arguments.programs.is_empty() {
        return Err("trimming BTF to what programs need is to come; `--full` packs all of it".into());
    }
    let bar = bar();
    let pack = pack.progress(|done, all| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    });
    let count = pack.write_file(&archive, &arguments.out)?;
    bar.finish_and_clear();
    let way = compression.map_or("tar", Compression::as_str);
    Ok(writeln!(out, "{}: {count} kernels ({way})", arguments.out.display())?)
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
    Ok(writeln!(out, "{}: {} kernels", fetched.folder.display(), fetched.kernels.len())?)
}
