//! The layout that a compiler gives to a definition, adjusted to that of the
//! BTF.
//!
//! BTF records sizes and offsets, but neither alignment nor attributes, and the
//! alignment of scalars depends on the machine. So several ways of writing a
//! struct are tried, beginning with that of libbpf. The first one with the
//! right layout is used, for the minimum and the maximum alignment that a
//! machine may give to its members:
//!
//! * With 4-byte pointers, 8-byte types are aligned to 4 (i386) or 8 (arm,
//!   mips).
//! * 16-byte types are aligned to 8 (s390x) or 16 (x86-64).
//! * An unnamed bitfield affects the alignment of its struct only on arm.
//!
//! With `packed` and all gaps filled, any layout without overlapping members is
//! possible.
//!
//! Source: the psABIs; Itanium C++ ABI, "Bit-fields", as GCC and clang apply it to C.

use std::fmt;

use btf_types::{AnyEnum, Composite, Member, Type};

use super::{
    enumeration::is_definable,
    libbpf::Rules,
    padding::{Pad, Padding},
    printer::Printer,
    scalar::Spelling,
};
use crate::{Error, element::innermost};

/// Maximum number of nested structs.
const HOPS: u32 = 64;
/// Maximum alignment that an attribute can set, in bytes.
const MAX_ALIGN: u64 = 1 << 28;

/// Form of a struct or union, with its resulting alignment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) plan: Plan,
    /// Base-2 logarithms of the minimum and maximum alignment in bytes.
    low: u8,
    high: u8,
}

/// A way of writing a struct or union.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plan {
    /// Not computed yet.
    Unknown,
    /// With the padding that libbpf writes.
    AsLibbpf { packed: bool },
    /// In the order of offsets, with all gaps filled, without members that overlap
    /// others or cannot be declared.
    Filled { packed: bool },
    /// Union with an `aligned` attribute; the value is the base-2 logarithm of the alignment.
    Raised(u8),
}

impl Layout {
    pub(super) const UNKNOWN: Self = Self { plan: Plan::Unknown, low: 0, high: 0 };

    fn new(plan: Plan, low: u64, high: u64) -> Self {
        Self { plan, low: low.trailing_zeros() as u8, high: high.trailing_zeros() as u8 }
    }
}

/// Size and alignment in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Measure {
    pub(super) size: u64,
    low: u64,
    high: u64,
}

impl Measure {
    fn align(self, is_high: bool) -> u64 {
        if is_high { self.high } else { self.low }
    }
}

/// Measures of types, by id.
#[derive(Debug)]
pub(super) struct Measures(Vec<Kept>);

/// Compact form of a [`Measure`]: size, and base-2 logarithms of the alignments.
#[derive(Debug, Clone, Copy, Default)]
struct Kept {
    is_known: bool,
    low: u8,
    high: u8,
    size: u32,
}

impl Measures {
    pub(super) fn new(types: usize) -> Self {
        Self(vec![Kept::default(); types])
    }

    #[inline]
    pub(super) fn get(&self, id: u32) -> Option<Measure> {
        let kept = self.0.get(id as usize).filter(|kept| kept.is_known)?;
        Some(Measure { size: kept.size.into(), low: 1 << kept.low, high: 1 << kept.high })
    }

    fn keep(&mut self, id: u32, measure: Measure) {
        if let Some((place, size)) = self.0.get_mut(id as usize).zip(measure.size.try_into().ok()) {
            let [low, high] = [measure.low, measure.high].map(|align| align.trailing_zeros() as u8);
            *place = Kept { is_known: true, low, high, size };
        }
    }
}

/// Space of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Bytes(Measure),
    /// Bitfield with this type, and its width in bits.
    Bits(Measure, u64),
    /// Not declarable, for this reason.
    Out(&'static str),
}

/// A member, and its place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field<'btf> {
    pub(super) member: Member<'btf>,
    /// In bits.
    pub(super) offset: u64,
    pub(super) place: Place,
    /// Alignment in bytes by libbpf's rules.
    align: u8,
}

impl Field<'_> {
    /// Width in bits.
    pub(super) fn bits(&self) -> u64 {
        match self.place {
            Place::Bytes(measure) => measure.size.saturating_mul(8),
            Place::Bits(_, width) => width,
            Place::Out(_) => 0,
        }
    }

    fn measure(&self) -> Option<Measure> {
        match self.place {
            Place::Bytes(measure) | Place::Bits(measure, _) => Some(measure),
            Place::Out(_) => None,
        }
    }

    fn is_out(&self) -> bool {
        matches!(self.place, Place::Out(_))
    }
}

/// Model of a compiler laying out a struct.
struct Compiler {
    /// Next free bit, and alignment of the struct in bits.
    at: u64,
    align: u64,
    packed: bool,
    is_high: bool,
    /// True as long as the layout is the same on all machines.
    is_for_all: bool,
}

impl Compiler {
    fn bytes(&mut self, measure: Measure) -> u64 {
        self.is_for_all &= measure.low == measure.high;
        let align = if self.packed { 8 } else { 8 * measure.align(self.is_high) };
        self.align = self.align.max(align);
        let start = self.at.next_multiple_of(align);
        self.at = start.saturating_add(measure.size.saturating_mul(8));
        start
    }

    /// Lays out a bitfield whose type has this measure, and returns its first bit.
    fn bits(&mut self, measure: Measure, width: u64, is_named: bool) -> u64 {
        self.is_for_all &= is_named && measure.low == measure.high;
        let (unit, align) = (8 * measure.size, 8 * measure.align(self.is_high));
        let align = if self.packed && width > 0 { 1 } else { align };
        if is_named || self.is_high {
            self.align = self.align.max(align);
        }
        if width == 0 || align > 1 && self.at % align + width > unit {
            self.at = self.at.next_multiple_of(align);
        }
        let start = self.at;
        self.at += width;
        start
    }

    fn pad(&mut self, pad: Pad, pointer_size: u8) {
        let size = pad.unit.bits(pointer_size) / 8;
        self.bits(Measure { size, low: size, high: size }, pad.bits, false);
    }
}

impl<'btf> Printer<'btf, '_> {
    /// Returns the form of a struct or union.
    pub(super) fn layout(&mut self, ty: Composite<'btf>) -> Result<Layout, fmt::Error> {
        let known = self.layouts.get(ty.id() as usize).copied().unwrap_or(Layout::UNKNOWN);
        if known.plan != Plan::Unknown {
            return Ok(known);
        }
        if self.layout_depth == HOPS {
            self.fail(Error::TooDeep { ty: Type::from(ty).into(), limit: HOPS })?;
        }
        self.layout_depth += 1;
        let layout = if ty.is_union() { self.layout_union(ty)? } else { self.layout_struct(ty)? };
        self.layout_depth -= 1;
        if let Some(known) = self.layouts.get_mut(ty.id() as usize) {
            *known = layout;
        }
        Ok(layout)
    }

    fn layout_struct(&mut self, ty: Composite<'btf>) -> Result<Layout, fmt::Error> {
        let mut fields = self.fields(ty)?;
        let is_as_encoded =
            |field: &Field<'_>| field.member.encoded() == (field.member.bit_offset(), field.member.bitfield_size());
        if fields.iter().all(|field| !field.is_out() && is_as_encoded(field)) {
            let packed = self.as_libbpf(ty.into())?.packed;
            if let Some((low, high)) = self.try_out(ty, &fields, packed, None)? {
                return Ok(Layout::new(Plan::AsLibbpf { packed }, low, high));
            }
        }
        arrange(&mut fields, ty.size());
        let largest = largest_unit(&fields);
        if let Some((low, high)) = self.try_out(ty, &fields, false, Some(largest))? {
            return Ok(Layout::new(Plan::Filled { packed: false }, low, high));
        }
        Ok(Layout::new(Plan::Filled { packed: true }, 1, 1))
    }

    /// Returns the minimum and maximum alignment of a struct, if this form gives it the right
    /// layout. `largest` is the size of the largest filling unit in bits; `None` stands for
    /// libbpf's padding.
    fn try_out(
        &mut self,
        ty: Composite<'btf>,
        fields: &[Field<'btf>],
        packed: bool,
        largest: Option<u64>,
    ) -> Result<Option<(u64, u64)>, fmt::Error> {
        let Some((low, is_for_all)) = self.compile(ty, fields, packed, largest, false)? else { return Ok(None) };
        if is_for_all {
            return Ok(Some((low, low)));
        }
        let high = self.compile(ty, fields, packed, largest, true)?;
        Ok(high.map(|(high, _)| (low, high)))
    }

    /// Returns the alignment of a struct for the minimum or maximum alignment of its members,
    /// if the layout is right, and whether the layout is the same on all machines.
    fn compile(
        &mut self,
        ty: Composite<'btf>,
        fields: &[Field<'btf>],
        packed: bool,
        largest: Option<u64>,
        is_high: bool,
    ) -> Result<Option<(u64, bool)>, fmt::Error> {
        let pointer_size = self.btf.pointer_size();
        let padding = |at, end, align, in_bitfield| match largest {
            Some(largest) => Padding::filling(at, end, largest, pointer_size),
            None => Padding::as_libbpf(at, end, align, in_bitfield, pointer_size),
        };
        let mut compiler = Compiler { at: 0, align: 8, packed, is_high, is_for_all: true };
        let (mut at, mut is_bitfield) = (0, false);
        for field in fields.iter().filter(|field| !field.is_out()) {
            let is_next_bitfield = matches!(field.place, Place::Bits(..));
            let align = if packed { 1 } else { field.align.into() };
            if at < field.offset {
                for pad in padding(at, field.offset, align, is_bitfield && is_next_bitfield) {
                    self.step()?;
                    compiler.pad(pad, pointer_size);
                }
            }
            let start = match field.place {
                Place::Bytes(measure) => compiler.bytes(measure),
                Place::Bits(unit, width) => compiler.bits(unit, width, !field.member.is_anonymous()),
                Place::Out(_) => continue,
            };
            if start != field.offset {
                return Ok(None);
            }
            at = field.offset + field.bits();
            is_bitfield = is_next_bitfield;
        }
        let size = 8 * u64::from(ty.size());
        let align = if largest.is_some() { 1 } else { self.as_libbpf(ty.into())?.align.into() };
        for pad in padding(at, size, align, false) {
            self.step()?;
            compiler.pad(pad, pointer_size);
        }
        let is_right = compiler.at.next_multiple_of(compiler.align) == size;
        Ok(is_right.then_some((compiler.align / 8, compiler.is_for_all)))
    }

    fn layout_union(&mut self, ty: Composite<'btf>) -> Result<Layout, fmt::Error> {
        let mut fields = self.fields(ty)?;
        arrange_union(&mut fields, ty.size());
        let size = u64::from(ty.size());
        let largest = largest_of(&fields);
        if fields.iter().any(Field::is_out) {
            return Ok(Layout::new(Plan::Filled { packed: true }, 1, 1));
        }
        let align = |is_high| fields.iter().filter_map(Field::measure).map(|m| m.align(is_high)).max().unwrap_or(1);
        let (low, high) = (align(false), align(true));
        let is = |align: u64| largest.next_multiple_of(align) == size;
        if is(low) && is(high) {
            return Ok(Layout::new(Plan::AsLibbpf { packed: false }, low, high));
        }
        if largest == size {
            return Ok(Layout::new(Plan::AsLibbpf { packed: true }, 1, 1));
        }
        let mut raised =
            std::iter::successors(Some(high), |align| Some(align * 2)).take_while(|align| *align <= MAX_ALIGN);
        Ok(match raised.find(|align| is(*align)) {
            Some(align) => Layout::new(Plan::Raised(align.trailing_zeros() as u8), align, align),
            None => Layout::new(Plan::Filled { packed: true }, 1, 1),
        })
    }

    /// Returns the members of a struct or union with their places.
    pub(super) fn fields(&mut self, ty: Composite<'btf>) -> Result<Vec<Field<'btf>>, fmt::Error> {
        let mut fields = Vec::with_capacity(ty.members().len());
        for member in ty.members() {
            self.step()?;
            let place = self.place(member)?;
            let align = self.as_libbpf(member.ty())?.align;
            fields.push(Field { member, offset: member.bit_offset().into(), place, align });
        }
        let rules = Rules::of(ty, fields.iter().map(|field| Ok((field.member, field.align))))?;
        self.keep_rules(ty.into(), rules);
        Ok(fields)
    }

    fn place(&mut self, member: Member<'btf>) -> Result<Place, fmt::Error> {
        let ty = member.ty();
        let Some(measure) = self.measure(ty)? else { return Ok(Place::Out(" is left out: C cannot declare it")) };
        let Some(width) = member.bitfield_size() else {
            let has_members = || matches!(ty.peel_modifiers(), Type::Struct(_) | Type::Union(_));
            return Ok(match !member.is_anonymous() || has_members() {
                true => Place::Bytes(measure),
                false => Place::Out(" is left out: it has no name"),
            });
        };
        let most = match ty.peel_modifiers() {
            Type::Int(int) if self.spelling(int) == Spelling::Bytes => 0,
            Type::Int(int) if int.is_bool() => 1,
            Type::Int(_) | Type::Enum(_) | Type::Enum64(_) => 8 * measure.size,
            _ => 0,
        };
        Ok(match (1..=most).contains(&width.into()) {
            true => Place::Bits(measure, width.into()),
            false => Place::Out(" is left out: C has no such bitfield"),
        })
    }

    /// Returns the size and alignment of a type as it is written; `None` if it cannot be used
    /// where C needs a complete type.
    #[inline]
    pub(super) fn measure(&mut self, ty: Type<'btf>) -> Result<Option<Measure>, fmt::Error> {
        match self.measures.get(ty.id()) {
            Some(known) => Ok(Some(known)),
            None => self.measure_first(ty),
        }
    }

    #[inline(never)]
    fn measure_first(&mut self, ty: Type<'btf>) -> Result<Option<Measure>, fmt::Error> {
        let Some((inner, count)) = innermost(ty) else { return Ok(None) };
        let one = match inner {
            Type::Int(int) => match self.spelling(int) {
                Spelling::Bytes => Measure { size: int.size().into(), low: 1, high: 1 },
                _ => self.scalar(inner, int.size()),
            },
            Type::Float(float) => match Spelling::of_float(float) {
                Spelling::Bytes => Measure { size: float.size().into(), low: 1, high: 1 },
                _ => self.scalar(inner, float.size()),
            },
            Type::Enum(e) if is_definable(e.into()) => self.scalar(inner, e.size()),
            Type::Enum64(e) if is_definable(e.into()) => self.scalar(inner, e.size()),
            Type::Enum(_) | Type::Enum64(_) => match AnyEnum::try_from(inner) {
                // It is written as an `int`.
                Ok(any) if inner.is_anonymous() && any.size() == 4 => self.scalar(inner, 4),
                _ => return Ok(None),
            },
            Type::Ptr(_) => {
                let size = self.btf.pointer_size().into();
                Measure { size, low: size, high: size }
            }
            Type::Struct(s) => self.measure_composite(s.into())?,
            Type::Union(u) => self.measure_composite(u.into())?,
            _ => return Ok(None),
        };
        let measured = one.size.checked_mul(count).map(|size| Measure { size, ..one });
        if let Some(measure) = measured {
            self.measures.keep(ty.id(), measure);
        }
        Ok(measured)
    }

    fn measure_composite(&mut self, ty: Composite<'btf>) -> Result<Measure, fmt::Error> {
        let layout = self.layout(ty)?;
        Ok(Measure { size: ty.size().into(), low: 1 << layout.low, high: 1 << layout.high })
    }

    fn scalar(&self, ty: Type<'_>, size: u32) -> Measure {
        let pointer_size = u64::from(self.btf.pointer_size());
        let (low, high) = match size {
            1 | 2 | 4 => (size.into(), size.into()),
            8 if pointer_size == 8 => (8, 8),
            8 => (4, ty.align_of().unwrap_or(8).clamp(4, 8)),
            16 => (pointer_size.clamp(4, 8), 16),
            12 => (4, 4),
            _ => (1, 1),
        };
        Measure { size: size.into(), low, high }
    }
}

/// Returns the size of the largest padding unit that does not raise the alignment of the
/// struct, in bits.
pub(super) fn largest_unit(fields: &[Field<'_>]) -> u64 {
    8 * fields.iter().filter_map(Field::measure).map(|measure| measure.low).max().unwrap_or(1)
}

/// Sorts members by offset. Leaves out those that overlap others, do not begin at a byte,
/// or extend beyond the end.
pub(super) fn arrange(fields: &mut [Field<'_>], size: u32) {
    fields.sort_by_key(|field| field.offset);
    let mut at = 0;
    for field in fields.iter_mut() {
        let end = field.offset + field.bits();
        let is_split = matches!(field.place, Place::Bytes(_)) && field.offset % 8 != 0;
        if field.is_out() {
        } else if field.offset < at {
            field.place = Place::Out(" is left out: it overlaps another member");
        } else if is_split {
            field.place = Place::Out(" is left out: it does not begin at a byte");
        } else if end > 8 * u64::from(size) {
            field.place = Place::Out(" is left out: it is beyond the end");
        } else {
            at = end;
        }
    }
}

/// Leaves out members of a union that have an offset or are larger than the union.
pub(super) fn arrange_union(fields: &mut [Field<'_>], size: u32) {
    for field in fields.iter_mut().filter(|field| !field.is_out()) {
        if field.offset != 0 || field.bits() > 8 * u64::from(size) {
            field.place = Place::Out(" is left out: it does not fit into the union");
        }
    }
}

/// Returns the size of the largest member of a union in bytes.
pub(super) fn largest_of(fields: &[Field<'_>]) -> u64 {
    fields.iter().map(|field| field.bits().div_ceil(8)).max().unwrap_or(0)
}
