//! Types in C syntax with the position of each member, as in pahole.

use std::{
    collections::HashMap,
    fmt,
    io::{self, Write},
};

use btf_types::{Datasec, EnumValues, Member, Members, Name, Type};

use super::{
    declare,
    gaps::{Gap, Gaps, Place, padding_within},
};
use crate::output::Output;

/// Bytes of a cache line.
const CACHE_LINE: u64 = 64;
/// Maximum number of members of one type, including nested ones.
const MEMBERS: u32 = 100_000;
/// Maximum number of bytes of output for one type, as names can be long.
const BYTES: u64 = 64 << 20;
/// Maximum nesting.
const DEPTH: usize = 64;
/// The column of the comments.
const COLUMN: usize = 57;

/// Options of the output.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    /// Members that are structs include their own members.
    pub(super) expand: bool,
    /// Offsets and sizes are hexadecimal.
    pub(super) hex: bool,
}

impl Style {
    /// Formats an offset or size.
    pub(super) fn number(self, number: u64) -> Number {
        Number { number, hex: self.hex }
    }
}

/// Number formatted by the style.
#[derive(Debug, Clone, Copy)]
pub(super) struct Number {
    number: u64,
    hex: bool,
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.hex, f.width()) {
            (false, _) => self.number.fmt(f),
            (true, None) => write!(f, "{:#x}", self.number),
            (true, Some(width)) => write!(f, "{:>#width$x}", self.number),
        }
    }
}

/// Writes a struct, union or enum.
pub(super) fn show<W: Write>(out: &mut Output<W>, style: Style, ty: Type<'_>) -> io::Result<()> {
    let mut layout = Layout::new(out, style);
    match Body::of(ty) {
        Some(body) => layout.body(Inline { base: ty, ty, body, is_behind_pointer: false }, ty, Name::EMPTY, 0, 0)?,
        None => write!(layout.out, "{ty}")?,
    }
    layout.out.text(";\n")
}

/// Writes a declaration after a keyword: `typedef`. Anonymous types are written
/// with their body.
pub(super) fn declaration<W: Write>(
    out: &mut Output<W>,
    style: Style,
    word: &str,
    ty: Type<'_>,
    name: Name<'_>,
) -> io::Result<()> {
    let mut layout = Layout::new(out, style);
    layout.out.text(word)?;
    match layout.inline(ty, 0) {
        Some(inline) => {
            layout.body(inline, ty, name, 0, 0)?;
            layout.out.text(";\n")
        }
        None => {
            write!(layout.out, "{};", ty.declare(name))?;
            if let Ok(size) = ty.size_of() {
                layout.out.text(" ")?;
                layout.out.comment(format_args!("size: {}", style.number(size)))?;
            }
            layout.out.text("\n")
        }
    }
}

/// Writes the variables of a section.
pub(super) fn section<W: Write>(out: &mut Output<W>, style: Style, section: Datasec<'_>) -> io::Result<()> {
    let mut layout = Layout::new(out, style);
    writeln!(layout.out, "SEC(\"{}\") {{", section.name())?;
    for entry in section.entries() {
        let (ty, name) = match entry.ty() {
            Type::Var(var) => (var.ty(), var.name()),
            ty => (ty, Name::EMPTY),
        };
        if !layout.may_go_on() {
            layout.out.text("\t...\n")?;
            break;
        }
        let place = Where::Bytes { offset: entry.offset().into(), size: Some(entry.size().into()) };
        layout.line(ty, name, 1, u64::from(entry.offset()) * 8, None, place)?;
    }
    layout.out.text("\n\t")?;
    let (size, count) = (style.number(section.size().into()), section.entries().len());
    layout.out.comment(format_args!("size: {size}, variables: {count}"))?;
    layout.out.text("\n};\n")
}

/// Types that have a body.
#[derive(Clone)]
enum Body<'btf> {
    Members { keyword: &'static str, members: Members<'btf> },
    Values(EnumValues<'btf>),
}

impl<'btf> Body<'btf> {
    fn of(ty: Type<'btf>) -> Option<Self> {
        Some(match ty {
            Type::Struct(s) => Self::Members { keyword: "struct", members: s.members() },
            Type::Union(u) => Self::Members { keyword: "union", members: u.members() },
            Type::Enum(e) => Self::Values(e.values()),
            Type::Enum64(e) => Self::Values(e.values()),
            _ => return None,
        })
    }
}

/// Nested type written in place of a member's type.
struct Inline<'btf> {
    /// Base of the declaration.
    base: Type<'btf>,
    /// Type that is written: with --expand, the base without its typedefs.
    ty: Type<'btf>,
    body: Body<'btf>,
    /// True if the member is a pointer to it, and so does not contain it.
    is_behind_pointer: bool,
}

/// Comment of a member.
#[derive(Clone, Copy)]
enum Where {
    Bytes { offset: u64, size: Option<u64> },
    Bits { offset: u64, bit: u64, size: u64 },
}

impl Where {
    /// Makes the comment of a member in a struct that begins at a bit.
    fn of(member: Member<'_>, start: u64) -> Self {
        let place = Place::of(member);
        match place.unit {
            None => Self::Bytes { offset: (start + place.start) / 8, size: member.ty().size_of().ok() },
            Some((unit, size)) => Self::Bits { offset: (start + unit) / 8, bit: place.start - unit, size: size / 8 },
        }
    }

    fn write<W: Write>(self, out: &mut Output<W>, style: Style) -> io::Result<()> {
        out.pad_to(COLUMN, 1)?;
        match self {
            Self::Bytes { offset, size: Some(size) } => {
                out.comment(format_args!("{:>5} {:>5}", style.number(offset), style.number(size)))
            }
            Self::Bytes { offset, size: None } => out.comment(format_args!("{:>5}     -", style.number(offset))),
            Self::Bits { offset, bit, size } => {
                out.comment(format_args!("{:>5}:{bit:>2} {:>2}", style.number(offset), style.number(size)))
            }
        }
    }
}

struct Layout<'o, 'btf, W: Write> {
    out: &'o mut Output<W>,
    style: Style,
    /// Remaining number of members.
    members: u32,
    /// Value of `Output::written` at which the output is cut off.
    end: u64,
    /// Last cache line that was marked.
    line: u64,
    /// Types that are being written, from outer to inner.
    open: Vec<Type<'btf>>,
    /// Padding of types of members, by id.
    paddings: HashMap<u32, u64>,
    /// Packed types, by id.
    packed: HashMap<u32, bool>,
}

impl<'o, 'btf, W: Write> Layout<'o, 'btf, W> {
    fn new(out: &'o mut Output<W>, style: Style) -> Self {
        let end = out.written().saturating_add(BYTES);
        Self {
            out,
            style,
            members: MEMBERS,
            end,
            line: 0,
            open: Vec::new(),
            paddings: HashMap::new(),
            packed: HashMap::new(),
        }
    }

    /// Returns `true` if another member may be written.
    fn may_go_on(&mut self) -> bool {
        let may = self.members > 0 && self.out.written() < self.end;
        self.members = self.members.saturating_sub(1);
        may
    }

    /// Returns the nested type for a declaration: if it is anonymous, or with
    /// --expand.
    fn inline(&self, ty: Type<'btf>, depth: usize) -> Option<Inline<'btf>> {
        let (base, is_behind_pointer) = declare::base(ty)?;
        let expands = self.style.expand && !is_behind_pointer;
        let shown = if expands { base.peel_modifiers() } else { base };
        if depth >= DEPTH || !(expands || shown.is_anonymous()) || self.open.contains(&shown) {
            return None;
        }
        let body = Body::of(shown)?;
        // --expand writes members only, not the values of a named enum.
        if !shown.is_anonymous() && matches!(body, Body::Values(_)) {
            return None;
        }
        Some(Inline { base, ty: shown, body, is_behind_pointer })
    }

    /// Writes a declaration with the body of its type, up to the semicolon.
    fn body(
        &mut self,
        inline: Inline<'btf>,
        ty: Type<'btf>,
        name: Name<'_>,
        depth: usize,
        start: u64,
    ) -> io::Result<()> {
        let Inline { base, ty: shown, body, is_behind_pointer } = inline;
        ty.declarator().base_qualifiers().try_for_each(|qualifier| write!(self.out, "{qualifier} "))?;
        if base != shown {
            self.out.comment(format_args!("typedef {}", base.name()))?;
            self.out.text(" ")?;
        }
        let keyword = match &body {
            Body::Members { keyword, .. } => keyword,
            Body::Values(_) => "enum",
        };
        let space = if shown.is_anonymous() { "" } else { " " };
        writeln!(self.out, "{keyword} {}{space}{{", shown.name())?;
        let line = self.line;
        if is_behind_pointer {
            self.line = 0;
        }
        self.open.push(shown);
        match body {
            Body::Members { members, .. } => {
                self.members(shown, members, depth, if is_behind_pointer { 0 } else { start })?;
            }
            Body::Values(values) => self.values(shown, values, depth)?,
        }
        self.open.pop();
        if is_behind_pointer {
            self.line = line;
        }
        self.out.tabs(depth)?;
        self.out.text("}")?;
        if *self.packed.entry(shown.id()).or_insert_with(|| is_packed(shown)) {
            self.out.text(" __attribute__((__packed__))")?;
        }
        declare::behind_base(self.out, ty, name)
    }

    fn members(&mut self, ty: Type<'btf>, members: Members<'btf>, depth: usize, start: u64) -> io::Result<()> {
        let is_union = matches!(ty, Type::Union(_));
        let size = ty.size_of().unwrap_or(0);
        let gaps = if is_union { Gaps::of_union(size, members.clone()) } else { Gaps::of(size, members.clone()) };
        self.hole(gaps.after(None), depth + 1)?;
        let line = self.line;
        let mut paddings = Paddings::default();
        for member in members.clone() {
            if !self.may_go_on() {
                self.out.tabs(depth + 1)?;
                self.out.text("...\n")?;
                break;
            }
            if is_union {
                self.line = line;
            }
            self.member(member, depth + 1, start)?;
            if !is_union {
                self.padding_of(member, depth + 1, &mut paddings)?;
                self.hole(gaps.after(Some(member.index())), depth + 1)?;
            }
        }
        if is_union {
            self.line = line;
        }
        if depth == 0 { self.summary(size, members.len(), &gaps, &paddings) } else { Ok(()) }
    }

    fn values(&mut self, ty: Type<'btf>, values: EnumValues<'btf>, depth: usize) -> io::Result<()> {
        let count = values.len();
        for value in values {
            self.out.tabs(depth + 1)?;
            if !self.may_go_on() {
                self.out.text("...\n")?;
                break;
            }
            writeln!(self.out, "{} = {},", value.name(), value.value())?;
        }
        if depth > 0 {
            return Ok(());
        }
        self.out.text("\n\t")?;
        let size = self.style.number(ty.size_of().unwrap_or(0));
        self.out.comment(format_args!("size: {size}, values: {count}"))?;
        self.out.text("\n")
    }

    fn member(&mut self, member: Member<'btf>, depth: usize, start: u64) -> io::Result<()> {
        let offset = start.saturating_add(member.bit_offset().into());
        self.cache_line(offset / 8, depth)?;
        self.line(member.ty(), member.name(), depth, offset, member.bitfield_size(), Where::of(member, start))
    }

    /// Writes a member or variable with its position.
    fn line(
        &mut self,
        ty: Type<'btf>,
        name: Name<'_>,
        depth: usize,
        start: u64,
        bitfield_size: Option<u8>,
        place: Where,
    ) -> io::Result<()> {
        match self.inline(ty, depth) {
            Some(inline) => {
                self.out.tabs(depth)?;
                self.body(inline, ty, name, depth, start)?;
            }
            None => declare::in_columns(self.out, ty, name, depth)?,
        }
        match bitfield_size {
            Some(bits) => write!(self.out, ":{bits};")?,
            None => self.out.text(";")?,
        }
        place.write(self.out, self.style)?;
        self.out.text("\n")
    }

    /// Writes the padding inside a member.
    fn padding_of(&mut self, member: Member<'btf>, depth: usize, paddings: &mut Paddings) -> io::Result<()> {
        let ty = member.ty();
        let bytes = *self.paddings.entry(ty.id()).or_insert_with(|| padding_within(ty));
        if bytes == 0 {
            return Ok(());
        }
        paddings.count += 1;
        paddings.bytes += bytes;
        self.out.text("\n")?;
        self.out.tabs(depth)?;
        let (number, s) = (self.style.number(bytes), plural(bytes));
        self.out.comment(format_args!("XXX last struct has {number} byte{s} of padding"))?;
        self.out.text("\n\n")
    }

    fn hole(&mut self, gap: Gap, depth: usize) -> io::Result<()> {
        if gap == Gap::default() {
            return Ok(());
        }
        self.out.text("\n")?;
        for (size, unit) in [(gap.bits, "bit"), (gap.bytes, "byte")].into_iter().filter(|(size, _)| *size > 0) {
            self.out.tabs(depth)?;
            let (number, s) = (self.style.number(size), plural(size));
            self.out.comment(format_args!("XXX {number} {unit}{s} hole, try to pack"))?;
            self.out.text("\n")?;
        }
        self.out.text("\n")
    }

    fn cache_line(&mut self, offset: u64, depth: usize) -> io::Result<()> {
        let line = offset / CACHE_LINE;
        if line <= self.line {
            return Ok(());
        }
        self.line = line;
        self.out.tabs(depth)?;
        let start = self.style.number(line * CACHE_LINE);
        match offset % CACHE_LINE {
            0 => self.out.comment(format_args!("--- cacheline {line} boundary ({start} bytes) ---"))?,
            ago => {
                let (number, s) = (self.style.number(ago), plural(ago));
                let was = format_args!("--- cacheline {line} boundary ({start} bytes) was {number} byte{s} ago ---");
                self.out.comment(was)?;
            }
        }
        self.out.text("\n")
    }

    fn summary(&mut self, size: u64, members: usize, gaps: &Gaps, paddings: &Paddings) -> io::Result<()> {
        let style = self.style;
        let number = |number| style.number(number);
        let lines = size.div_ceil(CACHE_LINE);
        self.out.text("\n")?;
        self.remark(format_args!("size: {}, cachelines: {lines}, members: {members}", number(size)))?;
        let ((holes, bytes), (bit_holes, bits)) = gaps.sums();
        let sum = number(gaps.member_bytes);
        match (holes, bit_holes) {
            (0, 0) => {}
            (0, _) => self.remark(format_args!("sum members: {sum}"))?,
            _ => self.remark(format_args!("sum members: {sum}, holes: {holes}, sum holes: {}", number(bytes)))?,
        }
        let sum = number(gaps.bitfield_bits);
        if bit_holes > 0 {
            self.remark(format_args!(
                "sum bitfield members: {sum} bits, bit holes: {bit_holes}, sum bit holes: {} bits",
                number(bits)
            ))?;
        } else if holes > 0 && gaps.bitfield_bits > 0 {
            let bytes = number(gaps.bitfield_bits / 8);
            self.remark(format_args!("sum bitfield members: {sum} bits ({bytes} bytes)"))?;
        }
        if gaps.padding.bytes > 0 {
            self.remark(format_args!("padding: {}", number(gaps.padding.bytes)))?;
        }
        if paddings.count > 0 {
            let Paddings { count, bytes } = paddings;
            self.remark(format_args!("paddings: {count}, sum paddings: {}", number(*bytes)))?;
        }
        if gaps.padding.bits > 0 {
            self.remark(format_args!("bit_padding: {} bits", number(gaps.padding.bits)))?;
        }
        match size % CACHE_LINE {
            0 => Ok(()),
            rest => self.remark(format_args!("last cacheline: {} bytes", number(rest))),
        }
    }

    /// Writes a comment on a line of its own.
    fn remark(&mut self, text: fmt::Arguments<'_>) -> io::Result<()> {
        self.out.text("\t")?;
        self.out.comment(text)?;
        self.out.text("\n")
    }
}

/// Number of members with padding inside, and its sum in bytes.
#[derive(Default)]
struct Paddings {
    count: u32,
    bytes: u64,
}

fn plural(count: u64) -> &'static str {
    if count == 1 { "" } else { "s" }
}

fn is_packed(ty: Type<'_>) -> bool {
    match ty {
        Type::Struct(s) => s.is_packed().unwrap_or(false),
        Type::Union(u) => u.is_packed().unwrap_or(false),
        _ => false,
    }
}
