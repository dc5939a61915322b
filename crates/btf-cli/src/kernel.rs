//! `btf kernel`: information about the kernel, and loading BTF.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    path::Path,
};

use btf_kernel::{
    BtfUser, Error, Feature, Host, LoadOptions, LoadedBtf, ModuleFiles, Source as BtfSource, is_supported,
};
use btf_types::format::Escaped;
use clap::{Args, Subcommand};
use serde_json::json;

use crate::{
    Result,
    source::{Opened, Source, System, fixed_up},
};

/// Arguments of `btf kernel`.
#[derive(Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  btf kernel\n  btf kernel modules --root /host\n  btf kernel features --json\n  btf kernel load prog.bpf.o\n  btf kernel list"
)]
pub(crate) struct Arguments {
    /// The default is `info`.
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    options: Options,
}

/// Options of most subcommands.
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
    /// Prints the kernel's release, and the source of its BTF.
    Info(Options),
    /// Lists the modules: whether they are loaded, whether sysfs has their BTF,
    /// and their files.
    Modules(Options),
    /// Probes which features of BTF the running kernel supports.
    Features {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Loads BTF into the running kernel to test whether it is accepted. BPF
    /// objects have their DATASECs fixed up, as by a loader. BTF of the other
    /// byte order is converted.
    Load {
        #[command(flatten)]
        source: Source,
        /// Load the bytes of the file unchanged.
        #[arg(long)]
        as_is: bool,
        /// Rewrite types that the kernel does not support, by probing, before
        /// loading.
        #[arg(long, conflicts_with = "as_is")]
        sanitize: bool,
        /// Print the verifier's whole log if the BTF is rejected.
        #[arg(long)]
        log: bool,
    },
    /// Lists the BTF in the running kernel, and the programs and maps that use
    /// it.
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
        Some(Command::Load { source, as_is, sanitize, log }) => {
            load(source, *as_is, *sanitize, *log, &mut out)?;
        }
        Some(Command::List { json }) => list(*json, &mut out)?,
    }
    out.flush()?;
    Ok(())
}

/// Escapes a path for printing.
fn shown(path: &Path) -> Escaped<'_> {
    Escaped::new(path.as_os_str().as_encoded_bytes())
}

/// Returns a word for the source of BTF.
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
    let in_sysfs = kernel.sysfs_module_names().ok().map(|names| names.len());
    let on_disk = kernel.module_files().ok().map(ModuleFiles::len);
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
            "types": btf.types().len(),
            "bytes": btf.as_bytes().len(),
            "byte_order": btf.byte_order().to_string(),
            "name_sorted": btf.is_name_sorted(),
            "modules_in_sysfs": in_sysfs,
            "modules_on_disk": on_disk,
        });
        return Ok(writeln!(out, "{document}")?);
    }
    let state = if kernel.is_running() { "" } else { " (does not run)" };
    writeln!(out, "release      {}{state}", Escaped::new(&release))?;
    if let (Some(host), Some(system)) = (host, system) {
        writeln!(out, "machine      {}", Escaped::new(&host.machine))?;
        writeln!(out, "system       {}", Escaped::new(system.trim()))?;
    }
    writeln!(out, "BTF          {} ({})", shown(source.path()), way(source))?;
    writeln!(out, "types        {}, {} bytes, {}", btf.types().len(), btf.as_bytes().len(), btf.byte_order())?;
    writeln!(out, "name-sorted  {}", if btf.is_name_sorted() { "yes" } else { "no" })?;
    let number = |count: Option<usize>| count.map_or("unknown".into(), |count| count.to_string());
    writeln!(out, "modules      {} with BTF in sysfs, {} on disk", number(in_sysfs), number(on_disk))?;
    Ok(())
}

fn modules(options: &Options, out: &mut impl Write) -> Result {
    let kernel = options.system.kernel();
    let files = kernel.module_files()?;
    let (in_sysfs, loaded) = match kernel.is_running() {
        true => (kernel.sysfs_module_names()?, kernel.loaded_module_names()?),
        false => (Vec::new(), Vec::new()),
    };
    let mut names: Vec<&str> = files.names().chain(in_sysfs.iter().chain(&loaded).map(String::as_str)).collect();
    names.sort_unstable();
    names.dedup();
    let is_in = |list: &[String], name: &str| list.binary_search_by(|other| other.as_str().cmp(name)).is_ok();
    let rows = names.into_iter().map(|name| {
        let path = files.get(name).first().map(|path| kernel.root().outside(path));
        (name, is_in(&loaded, name), is_in(&in_sysfs, name), path)
    });
    if options.json {
        let rows = rows.map(|(name, loaded, in_sysfs, path)| {
            let path = path.map(|path| path.display().to_string());
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
        writeln!(out, "{:<32} {state:<12} {}", Escaped::new(name), shown(path.as_deref().unwrap_or("-".as_ref())))?;
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
    // If probing fails, the reason is the same for all features.
    match answers.into_iter().find_map(|(_, answer)| answer.err()) {
        Some(error) => Err(error.into()),
        None => Ok(()),
    }
}

fn load(source: &Source, as_is: bool, is_rewritten: bool, whole_log: bool, out: &mut impl Write) -> Result {
    let opened = source.open_file().map_err(|error| match error.lacks_base() {
        true => format!("{}: {}", source.name(), Error::SplitBtf).into(),
        false => Box::<dyn std::error::Error>::from(error),
    })?;
    let name = opened.name.clone();
    let fault = |error: String| format!("{name}: {error}");
    let Opened { btf, file, .. } = opened;
    let fixed = file.filter(|_| !as_is).map(fixed_up).transpose().map_err(|error| fault(crate::with_causes(&error)))?;
    let btf = fixed.flatten().unwrap_or(btf);
    let result = LoadOptions::new().sanitize(is_rewritten).load(&btf);
    let errno = match &result {
        Ok(_) => Some(None),
        Err(Error::Rejected { error, .. }) => Some(error.raw_os_error()),
        Err(_) => None,
    };
    // The prediction is for the original BTF, not for the rewritten one.
    let errno = errno.filter(|_| !is_rewritten);
    if let Some(difference) = errno.and_then(|errno| crate::verify::difference(btf.as_bytes(), errno)) {
        eprintln!("btf: {}", fault(difference));
    }
    match result {
        Ok(loaded) => {
            let info = loaded.info()?;
            let converted = if btf.byte_order().is_native() {
                String::new()
            } else {
                format!(", converted from {}", btf.byte_order())
            };
            writeln!(
                out,
                "{}",
                fault(format!("the kernel accepts it (id {}, {} bytes{converted})", info.id, info.size))
            )?;
            Ok(())
        }
        Err(Error::Rejected { error, log, .. }) if whole_log && !log.is_empty() => {
            for line in log.lines() {
                eprintln!("{}", Escaped::new(line));
            }
            Err(fault(format!("the kernel rejects the BTF ({error})")).into())
        }
        Err(error) => Err(fault(crate::with_causes(&error)).into()),
    }
}

fn list(json: bool, out: &mut impl Write) -> Result {
    let all = LoadedBtf::all().map(|found| found.map(|(_, info)| info)).collect::<std::result::Result<Vec<_>, _>>()?;
    let [programs, maps] = [by_btf(BtfUser::programs())?, by_btf(BtfUser::maps())?];
    let of = |users: &BTreeMap<u32, Vec<BtfUser>>, id: u32| users.get(&id).cloned().unwrap_or_default();
    if json {
        let users = |users: Vec<BtfUser>| -> serde_json::Value {
            users
                .iter()
                .map(|user| json!({"id": user.id, "name": user.name, "attach_btf_id": user.attach_btf_id}))
                .collect()
        };
        let rows = all.iter().map(|info| {
            json!({
                "id": info.id,
                "name": info.name,
                "size": info.size,
                "is_kernel": info.is_kernel,
                "programs": users(of(&programs, info.id)),
                "maps": users(of(&maps, info.id)),
            })
        });
        return Ok(writeln!(out, "{}", serde_json::Value::from_iter(rows))?);
    }
    for info in all {
        let name = match (info.name.as_str(), info.is_kernel) {
            ("", _) => "(a program's)",
            (name, _) => name,
        };
        write!(out, "{:>6} {:<32} {:>9} bytes", info.id, Escaped::new(name), info.size)?;
        for (title, users) in [("programs", of(&programs, info.id)), ("maps", of(&maps, info.id))] {
            let users: Vec<String> = users.iter().map(named).collect();
            if !users.is_empty() {
                write!(out, "  {title} {}", users.join(", "))?;
            }
        }
        writeln!(out)?;
    }
    Ok(())
}

/// Groups programs or maps by the id of their BTF.
fn by_btf(
    users: impl Iterator<Item = std::result::Result<BtfUser, Error>>,
) -> std::result::Result<BTreeMap<u32, Vec<BtfUser>>, Error> {
    let mut by_btf = BTreeMap::<u32, Vec<BtfUser>>::new();
    for user in users {
        let user = user?;
        if let Some(id) = user.btf_id {
            by_btf.entry(id).or_default().push(user);
        }
    }
    Ok(by_btf)
}

/// Returns the id of a program or map, with its name if it has one.
fn named(user: &BtfUser) -> String {
    match user.name.as_str() {
        "" => user.id.to_string(),
        name => format!("{} ({})", user.id, Escaped::new(name)),
    }
}
