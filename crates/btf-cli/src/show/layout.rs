//! Structs and unions with the place of each member, as users of pahole know
//! them.

use std::{
    collections::BTreeMap,
    fmt::{self, Write},
    iter,
};

use btf_types::{Hole, Member, Members, Struct, Type, Union};

/// Bytes of a cache line.
const CACHE_LINE: u64 = 64;
/// How many members are shown of one type, with what is inside of them.
const MEMBERS: u32 = 100_000;
/// How deep what is inside is shown.
const DEPTH: usize = 64;
/// The column of the comments.
const COLUMN: usize = 56;

/// Shows a struct or union.
pub(super) fn show(ty: Type<'_>, expand: bool, text: &mut String) -> fmt::Result {
    let mut layout = Layout { text, expand, members: MEMBERS, line: 0 };
    layout.composite(ty, "", "", 0, 0, false)?;
    layout.text.push('\n');
    Ok(())
}

/// Writes a line with a comment at its end.
pub(super) fn line(text: &mut String, depth: usize, code: &str, comment: &str) {
    let width = depth * 8 + code.chars().count();
    let space = " ".repeat(COLUMN.saturating_sub(width).max(1));
    text.push_str(&format!("{}{code}{space}/* {comment} */\n", "\t".repeat(depth)));
}

struct Layout<'t> {
    text: &'t mut String,
    expand: bool,
    /// How many members may still be shown.
    members: u32,
    /// The cache line that was last told of.
    line: u64,
}

impl Layout<'_> {
    /// Writes `struct NAME {`, the members, and `}`, but no end of line.
    fn composite(
        &mut self,
        ty: Type<'_>,
        before: &str,
        after: &str,
        depth: usize,
        start: u64,
        in_union: bool,
    ) -> fmt::Result {
        let (keyword, members, holes) = match ty {
            Type::Struct(s) => ("struct", s.members(), s.holes()),
            Type::Union(u) => ("union", u.members(), Vec::new()),
            _ => return Ok(()),
        };
        let name = ty.name();
        let space = if name.is_empty() { "" } else { " " };
        let tabs = "\t".repeat(depth);
        writeln!(self.text, "{tabs}{before}{keyword} {name}{space}{{")?;
        // One at most begins after each member.
        let after_member: BTreeMap<_, _> = holes.iter().map(|hole| (hole.after, hole.bits)).collect();
        self.hole(after_member.get(&None), depth + 1)?;
        let in_union = in_union || matches!(ty, Type::Union(_));
        for member in members.clone() {
            if self.members == 0 {
                writeln!(self.text, "{tabs}\t...")?;
                break;
            }
            self.members -= 1;
            self.member(member, depth + 1, start, in_union)?;
            self.hole(after_member.get(&Some(member.index())), depth + 1)?;
        }
        if depth == 0 {
            self.summary(ty, members, &holes)?;
        }
        write!(self.text, "{tabs}}}{after};")
    }

    fn member(&mut self, member: Member<'_>, depth: usize, start: u64, in_union: bool) -> fmt::Result {
        let offset = start + u64::from(member.bit_offset());
        if !in_union {
            self.cache_line(offset / 8, depth)?;
        }
        let size = member.ty().size_of();
        let place = match (member.bitfield_size(), &size) {
            (Some(bits), _) => format!("{:>5}:{:<2} {bits:>2} bits", offset / 8, offset % 8),
            (None, Ok(size)) => format!("{:>5} {size:>5}", offset / 8),
            (None, Err(_)) => format!("{:>5}     -", offset / 8),
        };
        if let Some((inner, before, after)) = self.inline(member, depth) {
            self.composite(inner, &before, &after, depth, offset, in_union)?;
            let code = self.text.rsplit('\n').next().unwrap_or_default().trim_start().to_owned();
            self.text.truncate(self.text.len() - depth - code.len());
            line(self.text, depth, &code, &place);
        } else {
            let bits = member.bitfield_size().map_or_else(String::new, |bits| format!(":{bits}"));
            let code = format!("{}{bits};", member.ty().declare(member.name()));
            line(self.text, depth, &code, &place);
        }
        Ok(())
    }

    /// The struct or union to be shown in place of a member's type, and what
    /// stands before and after it: if it has no name, or all are wanted.
    fn inline<'btf>(&self, member: Member<'btf>, depth: usize) -> Option<(Type<'btf>, String, String)> {
        let is_around = |ty: &Type<'_>| matches!(ty, Type::Array(_) | Type::Const(_) | Type::Volatile(_));
        let inner = iter::once(member.ty()).chain(member.ty().chain()).find(|ty| !is_around(ty))?;
        let is_composite = matches!(inner, Type::Struct(_) | Type::Union(_));
        if !is_composite || depth >= DEPTH || !(inner.name().is_empty() || self.expand) {
            return None;
        }
        let text = member.ty().declare(member.name()).to_string();
        let (before, after) = text.split_once(inner.to_string().as_str())?;
        Some((inner, before.into(), after.into()))
    }

    /// Tells of a hole of so many bits, if there is one.
    fn hole(&mut self, bits: Option<&u64>, depth: usize) -> fmt::Result {
        let Some(&bits) = bits else { return Ok(()) };
        let (size, unit) = match bits % 8 {
            0 => (bits / 8, "byte"),
            _ => (bits, "bit"),
        };
        let plural = if size == 1 { "" } else { "s" };
        writeln!(self.text, "\n{}/* XXX {size} {unit}{plural} hole */\n", "\t".repeat(depth))
    }

    fn cache_line(&mut self, offset: u64, depth: usize) -> fmt::Result {
        let line = offset / CACHE_LINE;
        if line <= self.line {
            return Ok(());
        }
        self.line = line;
        let ago = match offset % CACHE_LINE {
            0 => String::new(),
            ago => format!(" was {ago} bytes ago"),
        };
        let start = line * CACHE_LINE;
        writeln!(self.text, "{}/* --- cacheline {line} boundary ({start} bytes){ago} --- */", "\t".repeat(depth))
    }

    fn summary(&mut self, ty: Type<'_>, members: Members<'_>, holes: &[Hole]) -> fmt::Result {
        let size = ty.size_of().unwrap_or(0);
        let lines = size.div_ceil(CACHE_LINE);
        writeln!(self.text, "\n\t/* size: {size}, cachelines: {lines}, members: {} */", members.len())?;
        let (bytes, bits): (Vec<u64>, Vec<u64>) = holes.iter().map(|hole| hole.bits).partition(|bits| bits % 8 == 0);
        if !holes.is_empty() {
            let in_holes: u64 = holes.iter().map(|hole| hole.bits).sum();
            let padding = padding(ty);
            let in_members = (size * 8).saturating_sub(in_holes + padding) / 8;
            write!(self.text, "\t/* sum members: {in_members}")?;
            if !bytes.is_empty() {
                write!(self.text, ", holes: {}, sum holes: {}", bytes.len(), bytes.iter().sum::<u64>() / 8)?;
            }
            if !bits.is_empty() {
                write!(self.text, ", bit holes: {}, sum bit holes: {} bits", bits.len(), bits.iter().sum::<u64>())?;
            }
            writeln!(self.text, " */")?;
        }
        match padding(ty) {
            0 => {}
            bits if bits % 8 == 0 => writeln!(self.text, "\t/* padding: {} */", bits / 8)?,
            bits => writeln!(self.text, "\t/* padding: {bits} bits */")?,
        }
        if !size.is_multiple_of(CACHE_LINE) {
            writeln!(self.text, "\t/* last cacheline: {} bytes */", size % CACHE_LINE)?;
        }
        if is_packed(ty) {
            writeln!(self.text, "\t/* packed */")?;
        }
        Ok(())
    }
}

fn padding(ty: Type<'_>) -> u64 {
    match ty {
        Type::Struct(s) => Struct::padding(s),
        Type::Union(u) => Union::padding(u),
        _ => 0,
    }
}

fn is_packed(ty: Type<'_>) -> bool {
    match ty {
        Type::Struct(s) => s.is_packed().unwrap_or(false),
        Type::Union(u) => u.is_packed().unwrap_or(false),
        _ => false,
    }
}
