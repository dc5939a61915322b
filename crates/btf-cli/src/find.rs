//! `btf find`: types by name, exactly, by pattern, or by regular expression.

use std::{
    io::{self, Write},
    path::PathBuf,
};

use btf_types::{Btf, Kind, Type};
use clap::Args;
use regex::bytes::Regex;
use serde_json::json;

use crate::{
    Result,
    source::{Opened, Options, Source},
};

/// What `btf find` takes.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  btf find task_struct\n  btf find 'tcp_*' --kind func\n  btf find --regex '^bpf_.*_ops$' vmlinux.btf"
)]
pub(crate) struct Arguments {
    /// A name, in which `*` stands for anything and `?` for any one byte.
    pattern: String,
    /// A file of raw BTF; without one, the running kernel's.
    source: Option<PathBuf>,
    /// The pattern is a regular expression, to be found anywhere in a name.
    #[arg(long)]
    regex: bool,
    /// Only types of this kind: struct, func, enum64 and so on.
    #[arg(long)]
    kind: Option<Kind>,
    /// Print JSON, one array of all types.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    options: Options,
}

pub(crate) fn run(arguments: &Arguments) -> Result {
    let source = Source::of(arguments.source.as_deref(), &arguments.options);
    let Opened { btf, name, .. } = source.open_file()?;
    let found: Vec<Type<'_>> = types(&btf, arguments)?
        .into_iter()
        .filter(|ty| arguments.kind.is_none() || ty.kind() == arguments.kind)
        .collect();
    let mut out = io::BufWriter::new(io::stdout().lock());
    if arguments.json {
        let all: Vec<_> = found.iter().map(|ty| as_json(&btf, &name, *ty)).collect();
        writeln!(out, "{}", serde_json::Value::from(all))?;
    } else {
        for ty in &found {
            let size = ty.size_of().map_or_else(|_| "-".into(), |size| size.to_string());
            let kind = ty.kind().map_or("UNKNOWN", Kind::as_str);
            write!(out, "{:>8} {kind:<10} {size:>8} {}", format!("#{}", ty.id()), ty.name())?;
            writeln!(
                out,
                "{}",
                if btf.is_split() { format!("  ({})", object(&btf, &name, *ty)) } else { String::new() }
            )?;
        }
    }
    out.flush()?;
    if found.is_empty() { Err(format!("{name}: no type is named {}", arguments.pattern).into()) } else { Ok(()) }
}

fn types<'btf>(btf: &'btf Btf, arguments: &Arguments) -> Result<Vec<Type<'btf>>> {
    let pattern = &arguments.pattern;
    let regex = if arguments.regex {
        Regex::new(pattern)?
    } else if pattern.contains(['*', '?']) {
        let escaped = regex::escape(pattern).replace(r"\*", ".*").replace(r"\?", ".");
        Regex::new(&format!("(?s-u)^{escaped}$"))?
    } else {
        return Ok(btf.find_all(pattern));
    };
    Ok(btf.find_matching(&regex).collect())
}

fn as_json(btf: &Btf, name: &str, ty: Type<'_>) -> serde_json::Value {
    json!({
        "id": ty.id(),
        "kind": ty.kind().map_or("UNKNOWN", Kind::as_str),
        "name": String::from_utf8_lossy(ty.name().as_bytes()),
        "size": ty.size_of().ok(),
        "object": object(btf, name, ty),
    })
}

/// Whose type it is: the source's, or its base's.
fn object(btf: &Btf, name: &str, ty: Type<'_>) -> String {
    match btf.layer_of(ty) {
        Some(layer) if !layer.is_same(btf) => "base".into(),
        _ => name.into(),
    }
}
