//! Layouts of structs and unions. Each has three: that of the BTF, which is the goal; that
//! which C gives to the members, which determines the alignment; and that which rustc gives
//! to the generated code, computed in advance for the minimum and the maximum alignment of
//! scalars on all machines.
//!
//! Nothing is left to the compiler: gaps are filled, bitfields are held in fields of bytes,
//! and alignment is explicit where that of the fields depends on the machine. A struct
//! that does not follow C's alignment is packed; if rustc would not reproduce the layout of
//! the BTF, it is bytes, with accessors in place of fields. So is each union: bytes outside
//! the active member of a Rust union may be uninitialized, and reading a member is unsafe.

use btf_types::{Alignment, AnyEnum, Composite, Member, Name, Type, View};

use super::{
    generator::{Generator, HOPS},
    naming::NAME,
    scalar::{Scalar, WIDE},
};
use crate::{Error, element::innermost};

/// Layout of a struct or union.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) plan: Plan,
    /// Base-2 logarithm of the alignment in bytes.
    align: u8,
    /// True if it, or a type inside, has an explicit alignment: no packed type
    /// may contain it.
    pub(super) is_raised: bool,
}

/// A way of writing a struct or union.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plan {
    /// Not computed yet.
    Unknown,
    /// Being computed.
    Pending,
    /// `repr(C)`, with explicit alignment if machines differ.
    Fields { is_aligned: bool },
    /// `repr(C, packed)`.
    Packed,
    /// Bytes, with accessors for the members.
    Opaque,
}

impl Layout {
    pub(super) const UNKNOWN: Self = Self { plan: Plan::Unknown, align: 0, is_raised: false };

    /// Alignment in bytes.
    pub(super) fn align(self) -> u64 {
        1 << self.align
    }
}

/// Space of a type by value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Measure {
    /// Size in bytes.
    pub(super) size: u64,
    /// Alignment in C, in bytes.
    pub(super) align: u64,
    /// Minimum and maximum alignment of the generated type on all machines, in bytes.
    host: (u64, u64),
    pub(super) is_raised: bool,
}

impl Measure {
    fn scalar(size: u32, align: u64, host: (u64, u64)) -> Self {
        Self { size: size.into(), align, host, is_raised: false }
    }

    /// Returns `true` if it must be wrapped, so that no machine aligns it to
    /// more than the BTF.
    fn is_lowered(self) -> bool {
        self.host == WIDE && self.align == 4
    }
}

/// Position of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Bytes(Measure),
    /// Bitfield with this type, and its width in bits.
    Bits(Measure, u64),
    /// Not written: the type has no size, or cannot have such a bitfield.
    Nowhere,
}

/// A member of a struct or union, or a variable of a section, and its place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field<'btf> {
    pub(super) ty: Type<'btf>,
    pub(super) name: Name<'btf>,
    /// Index in the BTF.
    pub(super) index: u32,
    /// In bits.
    pub(super) offset: u64,
    pub(super) place: Place,
}

impl Field<'_> {
    fn align(&self) -> u64 {
        match self.place {
            Place::Bytes(measure) | Place::Bits(measure, _) => measure.align,
            Place::Nowhere => 1,
        }
    }

    /// Returns `true` if the offset follows the alignment rules of C.
    fn is_in_place(&self) -> bool {
        match self.place {
            Place::Bytes(measure) => self.offset.is_multiple_of(8 * measure.align),
            Place::Bits(unit, width) => self.offset % (8 * unit.size) + width <= 8 * unit.size,
            Place::Nowhere => true,
        }
    }
}

/// A field of the generated struct, with offset and size in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Item<'btf> {
    pub(super) offset: u64,
    pub(super) size: u64,
    pub(super) what: What<'btf>,
}

/// Contents of a generated field.
#[derive(Debug, Clone, Copy)]
pub(super) enum What<'btf> {
    Field(Field<'btf>, Measure, Writing),
    /// Bytes with bitfields in them.
    Bits,
    Padding,
}

/// Form of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Writing {
    Plain,
    /// Wrapped, to align to 4 on all machines.
    Lowered,
    /// Bytes: its alignment is explicit, and the containing type is packed.
    Bytes,
}

/// A struct or union as it will be written.
#[derive(Debug)]
pub(super) struct Body<'btf> {
    pub(super) layout: Layout,
    /// All members, sorted by offset.
    pub(super) fields: Vec<Field<'btf>>,
    /// Fields of the generated struct; none if it is opaque.
    pub(super) items: Vec<Item<'btf>>,
}

impl<'btf> Body<'btf> {
    /// Lays out a type of `size` bytes with these members, which are sorted by offset.
    pub(super) fn of(fields: Vec<Field<'btf>>, size: u64, is_union: bool) -> Self {
        let natural = fields.iter().map(Field::align).max().unwrap_or(1);
        let is_natural = size.is_multiple_of(natural) && fields.iter().all(Field::is_in_place);
        let align = if is_natural { natural } else { 1 };
        let items = if is_union { None } else { struct_items(&fields, size) };
        let (plan, items) = match items {
            Some(items) => Truth { size, align }.plan(items, natural > align),
            None => (Plan::Opaque, Vec::new()),
        };
        let layout = Layout {
            plan,
            align: align.trailing_zeros() as u8,
            is_raised: match plan {
                Plan::Fields { is_aligned } => is_aligned || items.iter().any(Item::is_raised),
                Plan::Opaque => align > 1,
                _ => false,
            },
        };
        Self { layout, fields, items }
    }
}

impl<'btf> Generator<'btf, '_> {
    /// Returns the layout of a struct or union.
    pub(super) fn layout(&mut self, ty: Composite<'btf>, depth: u32) -> Result<Layout, Error> {
        let known = self.layouts.get(ty.id() as usize).copied().unwrap_or(Layout::UNKNOWN);
        match known.plan {
            Plan::Unknown => {}
            Plan::Pending => return Err(Error::Cycle { ty: Type::from(ty).into() }),
            _ => return Ok(known),
        }
        if depth == HOPS {
            return Err(Error::TooDeep { ty: Type::from(ty).into(), limit: HOPS });
        }
        self.keep(ty.id(), Layout { plan: Plan::Pending, ..Layout::UNKNOWN });
        let layout = self.body(ty, depth)?.layout;
        self.keep(ty.id(), layout);
        Ok(layout)
    }

    fn keep(&mut self, id: u32, layout: Layout) {
        if let Some(known) = self.layouts.get_mut(id as usize) {
            *known = layout;
        }
    }

    /// Returns a struct or union in a form that rustc lays out as in the BTF.
    pub(super) fn body(&mut self, ty: Composite<'btf>, depth: u32) -> Result<Body<'btf>, Error> {
        Ok(Body::of(self.fields(ty, depth)?, ty.size().into(), ty.is_union()))
    }

    /// Returns the members of a struct or union, sorted by offset, with their places.
    fn fields(&mut self, ty: Composite<'btf>, depth: u32) -> Result<Vec<Field<'btf>>, Error> {
        let mut fields = Vec::with_capacity(ty.members().len());
        for member in ty.members() {
            self.step()?;
            let place = self.place(member, depth)?;
            let (ty, name, offset) = (member.ty(), member.name_start(NAME), member.bit_offset().into());
            fields.push(Field { ty, name, index: member.index(), offset, place });
        }
        fields.sort_by_key(|field| field.offset);
        Ok(fields)
    }

    fn place(&mut self, member: Member<'btf>, depth: u32) -> Result<Place, Error> {
        let Some(measure) = self.measure(member.ty(), depth)? else { return Ok(Place::Nowhere) };
        let Some(width) = member.bitfield_size().map(u64::from) else { return Ok(Place::Bytes(measure)) };
        let has_bits = matches!(member.ty().peel_modifiers(), Type::Int(_) | Type::Enum(_) | Type::Enum64(_));
        Ok(match has_bits && width <= 8 * measure.size.min(16) {
            true => Place::Bits(measure, width),
            false => Place::Nowhere,
        })
    }

    /// Returns the size and alignment of a type; `None` if it cannot be used by value.
    pub(super) fn measure(&mut self, ty: Type<'btf>, depth: u32) -> Result<Option<Measure>, Error> {
        let Some((inner, count)) = innermost(ty) else { return Ok(None) };
        let one = match inner {
            Type::Int(int) => scalar(inner, int.size(), Scalar::of_int(int)),
            Type::Float(float) => scalar(inner, float.size(), Scalar::of_float(float)),
            Type::Enum(_) | Type::Enum64(_) => match AnyEnum::of(inner) {
                Some(any) => scalar(inner, any.size(), Scalar::of_enum(any)),
                None => return Ok(None),
            },
            Type::Ptr(_) => {
                let size = self.btf.pointer_size();
                let host = if size == 8 { WIDE } else { (4, 4) };
                Measure::scalar(size.into(), size.into(), host)
            }
            Type::Struct(s) => self.measure_composite(s.into(), depth)?,
            Type::Union(u) => self.measure_composite(u.into(), depth)?,
            _ => return Ok(None),
        };
        let size = one.size.checked_mul(count).filter(|size| *size <= u32::MAX.into());
        Ok(size.map(|size| Measure { size, ..one }))
    }

    fn measure_composite(&mut self, ty: Composite<'btf>, depth: u32) -> Result<Measure, Error> {
        let layout = self.layout(ty, depth + 1)?;
        let (size, align) = (ty.size().into(), layout.align());
        Ok(Measure { size, align, host: (align, align), is_raised: layout.is_raised })
    }
}

fn scalar(ty: Type<'_>, size: u32, scalar: Scalar) -> Measure {
    let align = match size {
        0 => 1,
        // Of the machines with 4-byte pointers, some align these to 8.
        _ if size % 16 == 8 => ty.alignment().map_or(1, Alignment::least),
        _ => 1 << size.trailing_zeros().min(4),
    };
    Measure::scalar(size, align, scalar.host_align())
}

impl Item<'_> {
    fn is_raised(&self) -> bool {
        matches!(self.what, What::Field(_, measure, _) if measure.is_raised)
    }

    fn lower(&mut self) {
        if let What::Field(_, measure, writing) = &mut self.what
            && measure.is_lowered()
        {
            *writing = Writing::Lowered;
        }
    }

    fn hide_raised(&mut self) {
        if let What::Field(_, measure, writing) = &mut self.what
            && measure.is_raised
        {
            *writing = Writing::Bytes;
        }
    }

    /// Returns the minimum or maximum alignment that rustc gives to the field on all machines.
    fn host_align(&self, is_most: bool) -> u64 {
        match self.what {
            What::Field(_, measure, Writing::Plain) if is_most => measure.host.1,
            What::Field(_, measure, Writing::Plain) => measure.host.0,
            What::Field(_, _, Writing::Lowered) => 4,
            _ => 1,
        }
    }
}

/// Returns the fields of a struct; `None` if members overlap, do not begin at a byte, or
/// extend beyond its end.
fn struct_items<'btf>(fields: &[Field<'btf>], size: u64) -> Option<Vec<Item<'btf>>> {
    let mut items: Vec<Item<'btf>> = Vec::with_capacity(fields.len());
    // In bits.
    let mut end = 0;
    for field in fields {
        let start = field.offset / 8;
        match field.place {
            Place::Nowhere => continue,
            Place::Bits(_, width) => {
                if field.offset < end {
                    return None;
                }
                end = field.offset + width;
                let last = end.div_ceil(8);
                match items.last_mut() {
                    Some(bits) if matches!(bits.what, What::Bits) && bits.offset + bits.size >= start => {
                        bits.size = last - bits.offset;
                    }
                    _ => {
                        pad(&mut items, start)?;
                        items.push(Item { offset: start, size: last - start, what: What::Bits });
                    }
                }
            }
            Place::Bytes(measure) => {
                if !field.offset.is_multiple_of(8) {
                    return None;
                }
                pad(&mut items, start)?;
                let what = What::Field(*field, measure, Writing::Plain);
                items.push(Item { offset: start, size: measure.size, what });
                end = 8 * (start + measure.size);
            }
        }
    }
    pad(&mut items, size)?;
    Some(items)
}

/// Adds padding up to byte `to`; `None` if the items extend beyond it.
fn pad(items: &mut Vec<Item<'_>>, to: u64) -> Option<()> {
    let at = items.last().map_or(0, |item| item.offset + item.size);
    let gap = to.checked_sub(at)?;
    if gap > 0 {
        items.push(Item { offset: at, size: gap, what: What::Padding });
    }
    Some(())
}

/// Layout in the BTF.
struct Truth {
    size: u64,
    align: u64,
}

impl Truth {
    /// Returns the fields in a form that rustc lays out exactly like this.
    fn plan<'btf>(&self, mut items: Vec<Item<'btf>>, is_packed: bool) -> (Plan, Vec<Item<'btf>>) {
        if is_packed {
            items.iter_mut().for_each(Item::hide_raised);
            if self.holds(&items, true, 1) {
                return (Plan::Packed, items);
            }
            return (Plan::Opaque, Vec::new());
        }
        items.iter_mut().for_each(Item::lower);
        if self.holds(&items, false, 1) {
            return (Plan::Fields { is_aligned: false }, items);
        }
        if self.holds(&items, false, self.align) {
            return (Plan::Fields { is_aligned: true }, items);
        }
        (Plan::Opaque, Vec::new())
    }

    /// Returns `true` if rustc gives the fields exactly this layout on all
    /// machines.
    fn holds(&self, items: &[Item<'_>], is_packed: bool, stated: u64) -> bool {
        [false, true].into_iter().all(|is_most| {
            let (mut end, mut align) = (0u64, stated);
            for item in items {
                let of_item = if is_packed { 1 } else { item.host_align(is_most) };
                align = align.max(of_item);
                let at = end.next_multiple_of(of_item);
                if at != item.offset {
                    return false;
                }
                end = at + item.size;
            }
            align == self.align && end.next_multiple_of(align) == self.size
        })
    }
}
