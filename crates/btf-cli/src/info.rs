//! `btf info`: what BTF holds.

use std::io::{self, Write};

use btf_types::{Kind, Type};

use crate::{Result, source::Source};

pub(crate) fn run(source: &Source) -> Result {
    let btf = source.open()?;
    let header = btf.header();
    let mut out = io::BufWriter::new(io::stdout().lock());
    writeln!(out, "source      {}", source.name())?;
    writeln!(out, "byte order  {}", btf.byte_order())?;
    writeln!(out, "header      {} bytes", header.hdr_len())?;
    let own = btf.own_ids();
    if own.is_empty() {
        writeln!(out, "types       none")?;
    } else {
        let (first, last) = (own.start, own.end - 1);
        writeln!(out, "types       {} ({first} to {last}), {} bytes", own.len(), header.types().len())?;
    }
    writeln!(out, "strings     {} bytes", header.strings().len())?;
    if !header.layout().is_empty() {
        writeln!(out, "layout      {} kinds", header.layout().len() / 4)?;
    }
    if let Some(base) = btf.base() {
        writeln!(out, "base        {} types", base.type_count())?;
    }
    writeln!(out)?;
    for kind in Kind::ALL {
        let count = btf.types().filter(|ty| ty.kind() == Some(kind)).count();
        if count > 0 {
            writeln!(out, "{kind:<12}{count:>8}")?;
        }
    }
    let unknown = btf.types().filter(|ty| matches!(ty, Type::Unknown(_))).count();
    if unknown > 0 {
        writeln!(out, "{:<12}{unknown:>8}", "unknown")?;
    }
    out.flush()?;
    Ok(())
}
