//! Members at an offset of a type: `task_struct+0x7a8`.

use std::io::{self, Write};

use btf_types::{Composite, Member, Members, Name, Type, View};

use super::layout::Style;
use crate::output::Output;

/// Maximum number of members to show for an offset. (Unions have several.)
const SHOWN: usize = 64;
/// Maximum number of members to visit.
const STEPS: u32 = 1_000_000;
/// Maximum nesting of members.
const DEPTH: usize = 64;

/// Member or element, with its path.
pub(super) struct Place<'btf> {
    pub(super) path: Vec<Part<'btf>>,
    pub(super) ty: Type<'btf>,
    /// Offset from the start of the outermost type in **bits**.
    pub(super) bit_offset: u64,
    pub(super) bitfield_size: Option<u8>,
}

#[derive(Clone, Copy)]
pub(super) enum Part<'btf> {
    Member(Name<'btf>),
    Element(u64),
}

/// Returns the innermost members at an offset, in the order of declaration, and
/// `true` if there are more.
pub(super) fn places(ty: Type<'_>, offset: u64) -> (Vec<Place<'_>>, bool) {
    let mut search = Search { offset, found: Vec::new(), path: Vec::new(), open: Vec::new() };
    search.enter(ty, 0, None);
    let mut steps = STEPS;
    while let Some(Open { members, start, path }) = search.open.last_mut() {
        search.path.truncate(*path);
        let Some(member) = members.next() else {
            search.open.pop();
            continue;
        };
        if steps == 0 || search.found.len() == SHOWN {
            return (search.found, true);
        }
        steps -= 1;
        let bit_offset = start.saturating_add(member.bit_offset().into());
        if search.is_in(member, bit_offset) {
            search.path.push(Part::Member(member.name()));
            search.enter(member.ty(), bit_offset, member.bitfield_size());
        }
    }
    (search.found, false)
}

/// Search for the members at an offset.
struct Search<'btf> {
    offset: u64,
    found: Vec<Place<'btf>>,
    path: Vec<Part<'btf>>,
    open: Vec<Open<'btf>>,
}

/// Struct or union whose members are visited.
struct Open<'btf> {
    members: Members<'btf>,
    /// Offset in bits from the start of the outermost type.
    start: u64,
    /// Length of its path.
    path: usize,
}

impl<'btf> Search<'btf> {
    /// Returns `true` if a member contains the byte.
    fn is_in(&self, member: Member<'_>, bit_offset: u64) -> bool {
        let bits = match member.bitfield_size() {
            Some(bits) => bits.into(),
            None => member.ty().size_of().unwrap_or(0).saturating_mul(8),
        };
        let byte = self.offset.saturating_mul(8);
        bit_offset < byte.saturating_add(8) && bit_offset.saturating_add(bits) > byte
    }

    /// Continues inside the type at the end of the path, or adds it as a
    /// result.
    fn enter(&mut self, ty: Type<'btf>, bit_offset: u64, bitfield_size: Option<u8>) {
        let (mut ty, mut bit_offset) = (ty, bit_offset);
        while let Type::Array(array) = ty.peel_modifiers()
            && self.path.len() < DEPTH
            && let Some(size) = array.element().size_of().ok().filter(|size| *size > 0)
        {
            let index = self.offset.saturating_sub(bit_offset / 8) / size;
            bit_offset = bit_offset.saturating_add(index.saturating_mul(size).saturating_mul(8));
            ty = array.element();
            self.path.push(Part::Element(index));
        }
        let path = self.path.len();
        match Composite::of(ty.peel_modifiers()).map(Composite::members).filter(|_| self.open.len() < DEPTH) {
            Some(members) => self.open.push(Open { members, start: bit_offset, path }),
            None if path == 0 => {}
            None => self.found.push(Place { path: self.path.clone(), ty, bit_offset, bitfield_size }),
        }
    }
}

impl Place<'_> {
    pub(super) fn write_path<W: Write>(&self, out: &mut Output<W>) -> io::Result<()> {
        for part in &self.path {
            match part {
                Part::Member(name) if name.is_empty() => {}
                Part::Member(name) => write!(out, ".{name}")?,
                Part::Element(index) => write!(out, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// Shows the members at an offset of a type with this name.
pub(super) fn show<W: Write>(
    out: &mut Output<W>,
    style: Style,
    name: &str,
    ty: Type<'_>,
    offset: u64,
) -> io::Result<()> {
    let (places, more) = places(ty, offset);
    for place in &places {
        write!(out, "{}", Name::from(name))?;
        place.write_path(out)?;
        let byte = place.bit_offset / 8;
        write!(out, " at offset {}", style.number(byte))?;
        if let Some(bits) = place.bitfield_size {
            write!(out, ", bit {}, {bits} bits", place.bit_offset % 8)?;
        } else if offset > byte {
            write!(out, " + {}", style.number(offset - byte))?;
        }
        writeln!(out, ": {}", place.ty)?;
    }
    if more {
        return out.text("...\n");
    }
    if places.is_empty() { writeln!(out, "a hole or padding of {ty}") } else { Ok(()) }
}
