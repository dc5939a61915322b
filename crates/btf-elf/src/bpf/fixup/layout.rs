//! Sizes of DATASECs and offsets of their entries, as a loader computes them.

use std::{
    cell::OnceCell,
    cmp::Reverse,
    collections::{HashMap, hash_map::Entry},
};

use btf_types::{Btf, Datasec, Linkage, Name, Type, Var};

use crate::{
    DatasecFault, Elf, Error, Section, Symbol, SymbolSection,
    elf::strings::{NameBudget, NameIndex, NamesShared, short, short_name},
    elf::symbol::SymbolTable,
};

/// Size of a DATASEC, and the offsets of its entries.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DatasecLayout {
    pub(super) size: u32,
    pub(super) entries: Box<[EntryLayout]>,
    /// Ids of hidden VARs.
    pub(super) hidden: Box<[u32]>,
    pub(super) extern_kind: Option<Extern>,
}

/// Variable of a DATASEC, or function of `.ksyms`, with its offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EntryLayout {
    pub(super) id: u32,
    pub(super) offset: u32,
    pub(super) size: u32,
}

/// Section whose entries are defined outside the object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Extern {
    Kconfig,
    /// With the id of the INT that replaces the types of the entries.
    Ksyms(u32),
}

impl DatasecLayout {
    /// Size in **bytes**.
    #[must_use]
    pub fn size(&self) -> u32 {
        self.size
    }

    /// Entries of the section, by ascending offset.
    #[must_use]
    pub fn entries(&self) -> &[EntryLayout] {
        &self.entries
    }

    /// Returns `true` for a variable that counts as static because its symbol
    /// is hidden.
    #[must_use]
    pub fn is_hidden(&self, id: u32) -> bool {
        self.hidden.binary_search(&id).is_ok()
    }
}

impl EntryLayout {
    /// Id of the VAR, or of the VAR or FUNC in `.ksyms`.
    #[must_use]
    pub fn id(self) -> u32 {
        self.id
    }

    /// Offset from the start of the section in **bytes**.
    #[must_use]
    pub fn offset(self) -> u32 {
        self.offset
    }

    /// Size in **bytes**.
    #[must_use]
    pub fn size(self) -> u32 {
        self.size
    }
}

/// State for the layout of the DATASECs of one object. Names, sections and
/// symbols that they share are looked up once.
pub(super) struct Layouter<'a> {
    elf: &'a Elf,
    btf: &'a Btf,
    symbols: &'a SymbolTable,
    /// Variables visible to other files, by name.
    variables: OnceCell<NameIndex>,
    budget: NameBudget,
    /// Section index or symbol of a name, by the address of the name.
    section_of: HashMap<usize, Option<u32>>,
    symbol_of: HashMap<usize, Option<u32>>,
    /// INT that replaces the types of entries in `.ksyms`.
    int: OnceCell<Option<u32>>,
}

impl<'a> Layouter<'a> {
    pub(super) fn new(elf: &'a Elf, btf: &'a Btf) -> Result<Self, Error> {
        let strings = btf.layers().map(|layer| layer.as_bytes().len()).sum();
        Ok(Self {
            elf,
            btf,
            symbols: elf.symbol_table()?,
            variables: OnceCell::new(),
            budget: NameBudget::new(strings),
            section_of: HashMap::new(),
            symbol_of: HashMap::new(),
            int: OnceCell::new(),
        })
    }

    /// Returns the index of the section with the name of a DATASEC.
    pub(super) fn section_of(&mut self, datasec: Datasec<'a>) -> Result<Option<u32>, NamesShared> {
        let place = place_of(datasec.into());
        if let Some(known) = self.section_of.get(&place) {
            return Ok(*known);
        }
        let found = self.elf.indexed_section(self.budget.name(datasec.into())?.as_bytes())?;
        self.section_of.insert(place, found);
        Ok(found)
    }

    pub(super) fn layout(&mut self, datasec: Datasec<'a>) -> Result<DatasecLayout, DatasecFault> {
        const LONGEST: usize = b".kconfig".len();
        match Type::from(datasec).name_start(LONGEST + 1).as_bytes() {
            b".kconfig" => self.kconfig(datasec),
            b".ksyms" => self.ksyms(datasec),
            _ => self.section(datasec),
        }
    }

    /// Lays out a section of the file.
    fn section(&mut self, datasec: Datasec<'a>) -> Result<DatasecLayout, DatasecFault> {
        let section = match datasec.size() {
            0 => {
                let index = self.section_of(datasec)?;
                let section = index.and_then(|index| self.elf.section_by_index(index));
                Some(section.filter(|section| section.size() > 0).ok_or(DatasecFault::NoSection)?)
            }
            _ => None,
        };
        let size = match section {
            Some(section) => fit("size", section.size())?,
            None => datasec.size(),
        };
        let (mut entries, mut hidden) = (Vec::with_capacity(datasec.entries().len()), Vec::new());
        for entry in datasec.entries() {
            let var = as_var(entry.ty())?;
            let mut offset = entry.offset();
            if !matches!(var.linkage(), Linkage::Static | Linkage::Extern) {
                let symbol = self.symbol(var)?;
                if let Some(section) = section {
                    offset = self.offset(var, symbol, section.index())?;
                }
                if symbol.is_hidden() {
                    hidden.push(var.id());
                }
            }
            entries.push(EntryLayout { id: var.id(), offset, size: entry.size() });
        }
        entries.sort_by_key(|entry| entry.offset);
        hidden.sort_unstable();
        Ok(DatasecLayout { size, entries: entries.into(), hidden: hidden.into(), extern_kind: None })
    }

    /// Lays out `.kconfig`.
    fn kconfig(&mut self, datasec: Datasec<'a>) -> Result<DatasecLayout, DatasecFault> {
        let ranks = self.ranks(datasec)?;
        let mut vars = Vec::with_capacity(datasec.entries().len());
        for entry in datasec.entries() {
            let var = as_var(entry.ty())?;
            if !is_of_kconfig(var.ty()) {
                return Err(wrong_entry(var.ty(), "an integer, an enum, or an array of integers"));
            }
            let rank = ranks.get(&place_of(var.into())).copied();
            vars.push((Reverse(var.ty().align_of()?.max(1)), var.ty().size_of()?, rank, var.id(), entry.size()));
        }
        vars.sort_by_key(|&(align, size, rank, ..)| (align, size, rank));
        let mut end = 0u64;
        let mut entries = Vec::with_capacity(vars.len());
        for (Reverse(align), size, _, id, entry_size) in vars {
            let offset = end.checked_next_multiple_of(align).unwrap_or(u64::MAX);
            entries.push(EntryLayout { id, offset: fit("offset", offset)?, size: entry_size });
            end = offset.saturating_add(size);
        }
        let size = fit("size", end)?;
        let extern_kind = Some(Extern::Kconfig);
        Ok(DatasecLayout { size, entries: entries.into(), hidden: Box::default(), extern_kind })
    }

    /// Returns the rank of each variable's name in alphabetical order, by the
    /// address of the name.
    fn ranks(&mut self, datasec: Datasec<'a>) -> Result<HashMap<usize, usize>, DatasecFault> {
        let mut names: HashMap<usize, Name<'a>> = HashMap::new();
        for entry in datasec.entries() {
            let place = place_of(entry.ty());
            if let Entry::Vacant(vacant) = names.entry(place) {
                vacant.insert(self.budget.name(entry.ty())?);
            }
        }
        let mut places: Vec<_> = names.into_iter().collect();
        places.sort_unstable_by_key(|&(_, name)| name);
        let groups = places.chunk_by(|(_, one), (_, other)| one == other).enumerate();
        Ok(groups.flat_map(|(rank, group)| group.iter().map(move |&(place, _)| (place, rank))).collect())
    }

    /// Lays out `.ksyms`.
    fn ksyms(&self, datasec: Datasec<'a>) -> Result<DatasecLayout, DatasecFault> {
        const SIZE: u32 = 4;
        let is_int = |ty: &Type<'_>| matches!(ty, Type::Int(int) if int.bits() == 32);
        let int = *self.int.get_or_init(|| self.btf.types().find(is_int).map(Type::id));
        let int = int.ok_or(DatasecFault::NoInt)?;
        let mut entries = Vec::with_capacity(datasec.entries().len());
        for entry in datasec.entries() {
            if !matches!(entry.ty(), Type::Var(_) | Type::Func(_)) {
                return Err(wrong_entry(entry.ty(), "VAR or FUNC"));
            }
            let offset = fit("offset", u64::from(SIZE) * entries.len() as u64)?;
            entries.push(EntryLayout { id: entry.ty().id(), offset, size: SIZE });
        }
        let size = fit("size", u64::from(SIZE) * entries.len() as u64)?;
        let extern_kind = Some(Extern::Ksyms(int));
        Ok(DatasecLayout { size, entries: entries.into(), hidden: Box::default(), extern_kind })
    }

    /// Returns the symbol of a variable that is visible to other files.
    fn symbol(&mut self, var: Var<'a>) -> Result<Symbol<'a>, DatasecFault> {
        let place = place_of(var.into());
        let number = match self.symbol_of.get(&place) {
            Some(known) => *known,
            None => {
                let name = self.budget.name(var.into())?;
                let found = self.variables().get(self.symbols.names(), name.as_bytes())?;
                self.symbol_of.insert(place, found);
                found
            }
        };
        let symbol = number.and_then(|number| self.symbols.get(self.elf, number));
        symbol.ok_or_else(|| DatasecFault::NoSymbol { variable: short_name(var.into()) })
    }

    fn variables(&self) -> &NameIndex {
        self.variables.get_or_init(|| {
            let symbols = (0..self.symbols.len()).filter_map(|number| self.symbols.get(self.elf, number));
            let variables = symbols.filter(|symbol| symbol.is_object() && !symbol.is_local());
            NameIndex::new(self.symbols.names(), variables.map(|symbol| (symbol.name_offset(), symbol.index())))
        })
    }

    /// Returns the offset of a variable in the section with this index.
    fn offset(&self, var: Var<'_>, symbol: Symbol<'_>, section: u32) -> Result<u32, DatasecFault> {
        let variable = || short_name(var.into());
        match (symbol.symbol_section(), symbol.section(), symbol.offset()) {
            (_, Some(found), Some(offset)) if found.index() == section => fit("offset", offset),
            (SymbolSection::Index(section), None, _) => {
                let count = self.elf.section_count();
                Err(DatasecFault::SymbolSection { variable: variable(), section, count })
            }
            (_, found, _) => {
                let found = found.map_or_else(|| "no section".into(), Section::name);
                Err(DatasecFault::Elsewhere { variable: variable(), found: short(found) })
            }
        }
    }
}

/// Returns the address of a type's name, which is equal for all types that
/// share the string.
fn place_of(ty: Type<'_>) -> usize {
    ty.name_start(1).as_bytes().as_ptr().addr()
}

fn as_var(ty: Type<'_>) -> Result<Var<'_>, DatasecFault> {
    Var::try_from(ty).map_err(|_| wrong_entry(ty, "VAR"))
}

fn wrong_entry(ty: Type<'_>, expected: &'static str) -> DatasecFault {
    DatasecFault::Entry { ty: ty.into(), expected }
}

fn fit(what: &'static str, value: u64) -> Result<u32, DatasecFault> {
    u32::try_from(value).map_err(|_| DatasecFault::TooLarge { what, value })
}

/// Returns `true` if a variable in `.kconfig` can have this type.
fn is_of_kconfig(ty: Type<'_>) -> bool {
    let is_int = |ty: Type<'_>| matches!(ty.peel_modifiers(), Type::Int(_));
    match ty.peel_modifiers() {
        Type::Array(array) => is_int(array.element()),
        Type::Enum(_) | Type::Enum64(_) => true,
        ty => is_int(ty),
    }
}
