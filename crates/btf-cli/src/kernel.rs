//! `btf kernel`: the kernel itself.

use std::io::{self, Write};

use btf_kernel::{Error, Feature, Host, LoadOptions, LoadedBtf, Source as BtfSource, is_supported};
use clap::{Args, Subcommand};
use serde_json::json;

use crate::{
    Result,
    source::{Source, System},
};

/// What `btf kernel` takes.
#[derive(Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  btf kernel\n  btf kernel modules --root /host\n  btf kernel features --json\n  btf kernel load prog.btf"
)]
pub(crate) struct Arguments {
    /// Without one: `info`.
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    options: Options,
}

/// What most of its commands take.
#[derive(Args, Default)]
struct Options {
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    system: System,
}

#[derive(Subcommand)]
enum Command {
    /// Says which kernel it is, and where its BTF comes from.
    Info(Options),
    /// Lists the modules: which are loaded, which the kernel shows the BTF of,
    /// and where their files are.
    Modules(Options),
    /// Says what the running kernel knows of BTF, asking it.
    Features {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Loads BTF into the running kernel, to see whether it takes it.
    Load {
        #[command(flatten)]
        source: Source,
        /// Print the verifier's whole log if it does not.
        #[arg(long)]
        log: bool,
    },
    /// Lists the BTF that is in the running kernel.
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

pub(crate) fn run(arguments: &Arguments) -> Result {
    let mut out = io::BufWriter::new(io::stdout().lock());
    match &arguments.command {
        None => info(&arguments.options, &mut out)?,
        Some(Command::Info(options)) => info(options, &mut out)?,
        Some(Command::Modules(options)) => modules(options, &mut out)?,
        Some(Command::Features { json }) => features(*json, &mut out)?,
        Some(Command::Load { source, log }) => load(source, *log, &mut out)?,
        Some(Command::List { json }) => list(*json, &mut out)?,
    }
    out.flush()?;
    Ok(())
}

/// How BTF was come by, in a word.
fn way(source: &BtfSource) -> &'static str {
    match source {
        BtfSource::Mapped(_) => "mapped",
        BtfSource::Read(_) => "read",
        _ => "file",
    }
}

fn info(options: &Options, out: &mut impl Write) -> Result {
    let kernel = options.system.kernel();
    let release = kernel.release()?.to_owned();
    let host = Host::of(kernel.root()).ok();
    let (btf, source) = (kernel.btf()?, kernel.source()?);
    let in_sysfs = kernel.modules().ok().map(|modules| modules.len());
    let on_disk = kernel.module_files().ok().map(std::collections::BTreeMap::len);
    let system = host.as_ref().map(|host| {
        let version = host.version.as_ref().or(host.codename.as_ref());
        [Some(&host.distribution), version].into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join(" ")
    });
    if options.json {
        let document = json!({
            "release": release,
            "is_running": kernel.is_running(),
            "machine": host.as_ref().map(|host| &host.machine),
            "distribution": host.as_ref().map(|host| &host.distribution),
            "version": host.as_ref().and_then(|host| host.version.as_ref()),
            "source": source.path().display().to_string(),
            "way": way(source),
            "types": btf.type_count(),
            "bytes": btf.as_bytes().len(),
            "byte_order": btf.byte_order().to_string(),
            "name_sorted": btf.is_name_sorted(),
            "modules_in_sysfs": in_sysfs,
            "modules_on_disk": on_disk,
        });
        return Ok(writeln!(out, "{document}")?);
    }
    writeln!(out, "release      {release}{}", if kernel.is_running() { "" } else { " (does not run)" })?;
    if let (Some(host), Some(system)) = (host, system) {
        writeln!(out, "machine      {}", host.machine)?;
        writeln!(out, "system       {}", system.trim())?;
    }
    writeln!(out, "BTF          {} ({})", source.path().display(), way(source))?;
    writeln!(out, "types        {}, {} bytes, {}", btf.type_count(), btf.as_bytes().len(), btf.byte_order())?;
    writeln!(out, "name-sorted  {}", if btf.is_name_sorted() { "yes" } else { "no" })?;
    let number = |count: Option<usize>| count.map_or("unknown".into(), |count| count.to_string());
    writeln!(out, "modules      {} with BTF in sysfs, {} on disk", number(in_sysfs), number(on_disk))?;
    Ok(())
}

fn modules(options: &Options, out: &mut impl Write) -> Result {
    let kernel = options.system.kernel();
    let in_sysfs = kernel.modules().unwrap_or_default();
    let loaded = if kernel.is_running() { kernel.loaded_modules().unwrap_or_default() } else { Vec::new() };
    let files = match kernel.module_files() {
        Ok(files) => files.clone(),
        // Neither loaded nor on disk: then that is an error.
        Err(error) if in_sysfs.is_empty() && loaded.is_empty() => return Err(error.into()),
        Err(_) => std::collections::BTreeMap::new(),
    };
    let mut names: Vec<&String> = files.keys().chain(&in_sysfs).chain(&loaded).collect();
    names.sort();
    names.dedup();
    let rows = names.into_iter().map(|name| {
        let path = files.get(name).and_then(|paths| paths.first()).map(|path| kernel.root().outside(path));
        let path = path.map(|path| path.display().to_string());
        (name, loaded.binary_search(name).is_ok(), in_sysfs.binary_search(name).is_ok(), path)
    });
    if options.json {
        let rows = rows.map(|(name, loaded, in_sysfs, path)| {
            json!({"name": name, "is_loaded": loaded, "is_in_sysfs": in_sysfs, "file": path})
        });
        return Ok(writeln!(out, "{}", serde_json::Value::from_iter(rows))?);
    }
    for (name, loaded, in_sysfs, path) in rows {
        let state = match (loaded, in_sysfs) {
            (_, true) => "BTF in sysfs",
            (true, false) => "loaded",
            (false, false) => "-",
        };
        writeln!(out, "{name:<32} {state:<12} {}", path.as_deref().unwrap_or("-"))?;
    }
    Ok(())
}

fn features(json: bool, out: &mut impl Write) -> Result {
    let answers: Vec<_> = Feature::ALL.iter().map(|&feature| (feature, is_supported(feature))).collect();
    if json {
        let document = answers.iter().map(|(feature, answer)| {
            let error = answer.as_ref().err().map(|error| crate::with_causes(error));
            json!({
                "name": feature.as_str(),
                "since": feature.since().to_string(),
                "is_supported": answer.as_ref().ok(),
                "error": error,
            })
        });
        writeln!(out, "{}", serde_json::Value::from_iter(document))?;
    } else {
        for (feature, answer) in &answers {
            let answer = match answer {
                Ok(true) => "yes",
                Ok(false) => "no",
                Err(_) => "unknown",
            };
            writeln!(out, "{feature:<18}{answer:<9}since Linux {}", feature.since())?;
        }
    }
    out.flush()?;
    // That nothing could be asked is a failure, and why is the same for all.
    match answers.into_iter().find_map(|(_, answer)| answer.err()) {
        Some(error) => Err(error.into()),
        None => Ok(()),
    }
}

fn load(source: &Source, whole_log: bool, out: &mut impl Write) -> Result {
    let opened = source.open_file()?;
    match LoadOptions::new().load(&opened.btf) {
        Ok(loaded) => {
            let info = loaded.info()?;
            writeln!(out, "{}: the kernel takes it (id {}, {} bytes)", opened.name, info.id, info.size)?;
            Ok(())
        }
        Err(Error::Refused { source, log }) if whole_log => {
            io::stderr().write_all(log.as_bytes())?;
            Err(format!("{}: the kernel refuses the BTF: {source}", opened.name).into())
        }
        Err(error) => Err(format!("{}: {}", opened.name, crate::with_causes(&error)).into()),
    }
}

fn list(json: bool, out: &mut impl Write) -> Result {
    let all = LoadedBtf::all().map(|found| found.map(|(_, info)| info)).collect::<std::result::Result<Vec<_>, _>>()?;
    if json {
        let rows = all
            .iter()
            .map(|info| json!({"id": info.id, "name": info.name, "size": info.size, "is_kernel": info.is_kernel}));
        return Ok(writeln!(out, "{}", serde_json::Value::from_iter(rows))?);
    }
    for info in all {
        let name = match (info.name.as_str(), info.is_kernel) {
            ("", _) => "(a program's)",
            (name, _) => name,
        };
        writeln!(out, "{:>6} {name:<32} {:>9} bytes", info.id, info.size)?;
    }
    Ok(())
}
