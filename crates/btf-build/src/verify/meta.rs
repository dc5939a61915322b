//! The meta pass: checks of single records, by ascending id.

use btf_types::{
    Kind,
    format::{Feature, IntEncoding},
};

use super::{
    heads::Heads,
    limits::Limits,
    names::NameRule,
    reject::{Reject, Rule},
    special,
    strings::Strings,
    types::Types,
    words,
};

/// Checks each record, and adds it to the types.
pub(super) fn check(types: &mut Types<'_>) -> Result<(), Reject> {
    let (words, strings, limits) = (types.words(), &types.strings, types.limits);
    let heads = Heads::new(limits);
    let (mut kinds, mut starts) = types.empty();
    let mut special_structs = Vec::new();
    let (mut at, before) = (0, kinds.len());
    let id = |index: usize| types.first_id().saturating_add((index - before) as u32);
    let reject = |at, index, (rule, element)| Err(types.reject_record(at, id(index), rule, element));
    while let Some(record) = words.record(at) {
        let kind = record.info.kind();
        let len = match heads.accept(&record, strings) {
            Some(len) => len,
            None => match (Record { words: record, strings, limits }).check() {
                Ok(len) => {
                    // Now that the name is in the caches.
                    if kind == Some(Kind::Struct) && special::has_prefix(strings.tail(record.name_off)) {
                        special_structs.push(id(kinds.len()));
                    }
                    len
                }
                Err(violation) => return reject(at, kinds.len(), violation),
            },
        };
        kinds.push(kind);
        starts.push(at as u32);
        at += len;
    }
    if !words.end_at(at) {
        return reject(at, kinds.len(), (Rule::RecordFits, None));
    }
    types.fill(kinds, starts, special_structs);
    Ok(())
}

/// A rule, and the index of the element that violates it.
type Violation = (Rule, Option<u32>);

/// A record, and what it is checked against.
struct Record<'r, 'a> {
    words: words::Record<'a>,
    strings: &'r Strings<'a>,
    limits: &'a Limits,
}

impl Record<'_, '_> {
    /// Checks the record; returns how many words it has.
    fn check(&self) -> Result<usize, Violation> {
        let info = self.words.info;
        if info.word() & !self.limits.info_mask != 0 {
            return fail(Rule::InfoBits);
        }
        let number = info.kind_number();
        if number == 0 || number > self.limits.max_kind {
            return fail(Rule::KindKnown);
        }
        if !self.strings.contains(self.name_off()) {
            return fail(Rule::NameOffset);
        }
        let Some(kind) = info.kind() else { return fail(Rule::KindKnown) };
        let len = self.words.len(kind);
        if !self.words.has(len) {
            return fail(Rule::RecordFits);
        }
        match kind {
            Kind::Int => self.check_int(),
            Kind::Ptr | Kind::Const | Kind::Volatile | Kind::Restrict | Kind::Typedef | Kind::TypeTag => {
                self.check_reference(kind)
            }
            Kind::Array => self.check_array(),
            Kind::Struct | Kind::Union => return self.check_composite(kind).map(|()| len as usize),
            Kind::Enum | Kind::Enum64 => return self.check_enum(kind).map(|()| len as usize),
            Kind::Fwd => self.check_fwd(),
            Kind::FuncProto => self.check_func_proto(),
            Kind::Func => self.check_func(),
            Kind::Var => self.check_var(),
            Kind::Datasec => return self.check_datasec().map(|()| len as usize),
            Kind::Float => self.check_float(),
            Kind::DeclTag => self.check_decl_tag(),
            // Of kinds 20 to 22 no kernel's rules are known.
            _ => Ok(()),
        }
        .map_err(|rule| (rule, None))?;
        Ok(len as usize)
    }

    fn name_off(&self) -> u32 {
        self.words.name_off
    }

    fn size_or_type(&self) -> u32 {
        self.words.size_or_type
    }

    fn vlen(&self) -> u32 {
        self.words.info.vlen()
    }

    fn kind_flag(&self) -> bool {
        self.words.info.kind_flag()
    }

    #[inline]
    fn no_vlen(&self) -> Result<(), Rule> {
        require(self.vlen() == 0, Rule::VlenZero)
    }

    #[inline]
    fn no_kind_flag(&self) -> Result<(), Rule> {
        require(!self.kind_flag(), Rule::KindFlag)
    }

    fn no_name(&self) -> Result<(), Rule> {
        require(!self.limits.checks_names || self.name_off() == 0, Rule::NameAbsent)
    }

    /// Returns whether the name is not empty.
    fn has_text(&self) -> bool {
        !self.strings.is_empty(self.name_off())
    }

    /// Checks that the name is there, and an identifier.
    #[inline]
    fn identifier(&self) -> Result<(), Rule> {
        require(!self.limits.checks_names || self.name_off() != 0, Rule::NamePresent)?;
        self.no_name_or_identifier(self.name_off())
    }

    /// Checks that a name that is there is an identifier. (An offset other than
    /// 0 is a name, even if that is empty.)
    #[inline]
    fn no_name_or_identifier(&self, name_off: u32) -> Result<(), Rule> {
        let is_fine = !self.limits.checks_names || name_off == 0 || self.strings.is_identifier(name_off);
        require(is_fine, Rule::Identifier)
    }

    /// Checks the range of an id that must not be void.
    #[inline]
    fn some_type(&self, id: u32, rule: Rule) -> Result<(), Rule> {
        require(self.is_some_type(id), rule)
    }

    #[inline]
    fn is_some_type(&self, id: u32) -> bool {
        id.wrapping_sub(1) < self.limits.max_type_id
    }

    fn check_int(&self) -> Result<(), Rule> {
        self.no_vlen()?;
        self.no_kind_flag()?;
        let data = self.words.word(0);
        require(data & 0xf000_0000 == 0, Rule::IntData)?;
        let bits = (data & 0xff) + (data >> 16 & 0xff);
        require(bits <= self.limits.int_bits, Rule::IntBits)?;
        require(bits.div_ceil(8) <= self.size_or_type(), Rule::IntSize)?;
        let encoding = IntEncoding::from_bits((data >> 24) as u8);
        require(encoding.bits().count_ones() <= 1 && encoding.bits() < 8, Rule::IntEncoding)
    }

    fn check_reference(&self, kind: Kind) -> Result<(), Rule> {
        self.no_vlen()?;
        if kind != Kind::TypeTag || !self.limits.features.contains(Feature::TypeAttribute) {
            self.no_kind_flag()?;
        }
        require(self.size_or_type() <= self.limits.max_type_id, Rule::TypeIdRange)?;
        match kind {
            Kind::Typedef => self.identifier(),
            Kind::TypeTag => require(self.has_text(), Rule::NamePresent),
            _ => self.no_name(),
        }
    }

    fn check_array(&self) -> Result<(), Rule> {
        self.no_name()?;
        self.no_vlen()?;
        self.no_kind_flag()?;
        require(self.size_or_type() == 0, Rule::SizeWordZero)?;
        self.some_type(self.words.word(0), Rule::ArrayElement)?;
        self.some_type(self.words.word(1), Rule::ArrayIndex)
    }

    fn check_composite(&self, kind: Kind) -> Result<(), Violation> {
        let without_kind_flag = !self.limits.features.contains(Feature::Func);
        let head = self.no_name_or_identifier(self.name_off());
        head.and_then(|()| if without_kind_flag { self.no_kind_flag() } else { Ok(()) })
            .map_err(|rule| (rule, None))?;
        let offset_bits = if self.kind_flag() { 0x00ff_ffff } else { u32::MAX };
        let end = if kind == Kind::Union { 0 } else { u64::from(self.size_or_type()) * 8 };
        let mut last = 0;
        for (index, [name_off, type_id, word]) in (0..).zip(self.words.elements_from(0)) {
            let offset = word & offset_bits;
            let is_placed = (last <= offset) & (u64::from(offset) <= end);
            // Most members are sound, which this tells in fewer steps.
            if !(is_placed & self.is_some_type(type_id) && self.strings.is_empty_or_identifier(name_off)) {
                self.check_member(kind, last, (name_off, type_id, offset)).map_err(|rule| (rule, Some(index)))?;
            }
            last = offset;
        }
        Ok(())
    }

    /// Checks a member: its name, type and offset, given that of the one before.
    #[cold]
    fn check_member(&self, kind: Kind, last: u32, (name_off, type_id, offset): (u32, u32, u32)) -> Result<(), Rule> {
        require(self.strings.contains(name_off), Rule::MemberNameOffset)?;
        self.no_name_or_identifier(name_off)?;
        self.some_type(type_id, Rule::TypeIdRange)?;
        require(kind != Kind::Union || offset == 0, Rule::MemberOrder)?;
        require(last <= offset, Rule::MemberOrder)?;
        require(offset.div_ceil(8) <= self.size_or_type(), Rule::MemberStart)
    }

    fn check_enum(&self, kind: Kind) -> Result<(), Violation> {
        let size = self.size_or_type();
        let has_size = if self.limits.enum_sizes { matches!(size, 1 | 2 | 4 | 8) } else { size == 4 };
        let head = if self.limits.features.contains(Feature::Enum64) { Ok(()) } else { self.no_kind_flag() };
        head.and_then(|()| require(has_size, Rule::EnumSize))
            .and_then(|()| self.no_name_or_identifier(self.name_off()))
            .map_err(|rule| (rule, None))?;
        let value = |name_off: u32| {
            require(self.strings.contains(name_off), Rule::ValueNameOffset)?;
            require(!self.limits.checks_names || name_off != 0, Rule::NamePresent)?;
            self.no_name_or_identifier(name_off)
        };
        match kind {
            Kind::Enum => self.elements(|[name_off, _]: [u32; 2]| value(name_off)),
            _ => self.elements(|[name_off, ..]: [u32; 3]| value(name_off)),
        }
    }

    fn check_fwd(&self) -> Result<(), Rule> {
        if !self.limits.features.contains(Feature::Func) {
            self.no_kind_flag()?;
        }
        self.no_vlen()?;
        require(self.size_or_type() == 0, Rule::TypeWordZero)?;
        self.identifier()
    }

    fn check_func_proto(&self) -> Result<(), Rule> {
        self.no_name()?;
        self.no_kind_flag()
    }

    #[inline]
    fn check_func(&self) -> Result<(), Rule> {
        self.identifier()?;
        match self.limits.func_linkage {
            true => require(self.vlen() <= 1, Rule::FuncLinkage)?,
            false => self.no_vlen()?,
        }
        self.no_kind_flag()
    }

    fn check_var(&self) -> Result<(), Rule> {
        self.no_vlen()?;
        self.no_kind_flag()?;
        require(self.name_off() != 0, Rule::NamePresent)?;
        require(self.strings.accepts(NameRule::Variable, self.name_off()), Rule::Identifier)?;
        self.some_type(self.size_or_type(), Rule::TypeIdRange)?;
        require(self.words.word(0) <= 1, Rule::VarLinkage)
    }

    fn check_datasec(&self) -> Result<(), Violation> {
        let size = u64::from(self.size_or_type());
        let head = || {
            let is_empty = self.vlen() == 0 && !self.limits.features.contains(Feature::EmptyDatasec);
            require(!is_empty, Rule::DatasecNonEmpty)?;
            require(size != 0, Rule::DatasecSize)?;
            self.no_kind_flag()?;
            let name_off = self.name_off();
            require(name_off != 0 && self.strings.accepts(NameRule::Section, name_off), Rule::SectionName)
        };
        head().map_err(|rule| (rule, None))?;
        let (mut end, mut sum) = (0, 0);
        self.elements(|[type_id, offset, entry_size]| {
            let (offset, entry_size) = (u64::from(offset), u64::from(entry_size));
            self.some_type(type_id, Rule::TypeIdRange)?;
            require(offset >= end && offset < size, Rule::EntryOffset)?;
            require(entry_size != 0 && entry_size <= size, Rule::EntrySize)?;
            end = offset + entry_size;
            require(end <= size, Rule::EntryEnd)?;
            sum += entry_size;
            Ok(())
        })?;
        require(sum <= size, Rule::EntriesSize).map_err(|rule| (rule, None))
    }

    fn check_float(&self) -> Result<(), Rule> {
        self.no_vlen()?;
        self.no_kind_flag()?;
        require(matches!(self.size_or_type(), 2 | 4 | 8 | 12 | 16), Rule::FloatSize)
    }

    fn check_decl_tag(&self) -> Result<(), Rule> {
        require(self.has_text(), Rule::TagValue)?;
        self.no_vlen()?;
        if !self.limits.features.contains(Feature::TypeAttribute) {
            self.no_kind_flag()?;
        }
        require(self.words.word(0).cast_signed() >= -1, Rule::Component)
    }

    /// Checks elements of N words.
    #[inline]
    fn elements<const N: usize>(&self, mut check: impl FnMut([u32; N]) -> Result<(), Rule>) -> Result<(), Violation> {
        for (index, element) in (0..).zip(self.words.elements_from(0)) {
            check(element).map_err(|rule| (rule, Some(index)))?;
        }
        Ok(())
    }
}

/// The rule, unless it holds.
pub(super) fn require(holds: bool, rule: Rule) -> Result<(), Rule> {
    if holds { Ok(()) } else { Err(rule) }
}

fn fail<T>(rule: Rule) -> Result<T, Violation> {
    Err((rule, None))
}
