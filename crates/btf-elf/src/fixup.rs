//! DATASECs as a loader sees them.
//!
//! What the compiler leaves open, and the loader fills in before it hands BTF
//! to the kernel:
//!
//! * In clang's objects a DATASEC has the size 0, and its global variables the
//!   offset 0. The size is that of the ELF section, the offset that of the
//!   symbol. (Static variables have their offset; and where there is a size,
//!   the static linker has done all this.)
//! * A global variable whose symbol is hidden becomes static.
//! * `.kconfig` is no section of the file. Its variables are laid out by
//!   alignment, the largest first, then size, the smallest first, then name.
//! * In `.ksyms` are variables and functions of the kernel. To load as a
//!   DATASEC, each becomes a global variable of 4 bytes; for all functions it
//!   is one named `dummy_ksym`.
//! * Entries are sorted by offset.
//!
//! Source: `btf_fixup_datasec` and `bpf_object__collect_externs` in
//! `tools/lib/bpf/libbpf.c`. On purpose different: symbols are looked at
//! together with the section that they are in, so that a variable that lies in
//! another one is an error, and not an offset into the wrong section; and what
//! is wrong with one DATASEC keeps nobody from the others.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use btf_types::{
    Btf, Datasec, Kind, Linkage, Name, OwnedName, Type, Var,
    format::{self, Assembly, Data, Info, Param, RawBtf, Record, TypeRecord, VarSecinfo},
};

use crate::{DatasecFault, Elf, Error, Symbol, SymbolSection, strings};

/// What takes the place of a function in `.ksyms`, and its unnamed parameters
/// as their name.
const DUMMY: &[u8] = b"dummy_ksym";

/// What a loader fills in of the DATASECs of an object.
#[derive(Debug)]
pub struct Fixup {
    btf: Btf,
    datasecs: Vec<FixedDatasec>,
}

/// What a loader fills in of one DATASEC, or why it cannot.
#[derive(Debug)]
pub struct FixedDatasec {
    id: u32,
    name: OwnedName,
    layout: Result<DatasecLayout, DatasecFault>,
}

/// The size of a DATASEC, and where in it everything lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasecLayout {
    size: u32,
    entries: Vec<FixedEntry>,
    /// The ids of VARs that are hidden.
    hidden: Vec<u32>,
    extern_kind: Option<Extern>,
}

/// A variable, or in `.ksyms` a function, and where it lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FixedEntry {
    id: u32,
    offset: u32,
    size: u32,
}

/// The sections of what is defined elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extern {
    Kconfig,
    /// With the id of the integer that its variables become.
    Ksyms(u32),
}

impl Fixup {
    pub(crate) fn new(elf: &Elf, btf: &Btf) -> Result<Self, Error> {
        let datasecs: Vec<Datasec<'_>> = btf.types().filter_map(|ty| Datasec::try_from(ty).ok()).collect();
        let symbols = if datasecs.is_empty() { HashMap::new() } else { variables(elf)? };
        let fixed = datasecs.into_iter().map(|datasec| {
            let layout = Layouter { elf, btf, symbols: &symbols, datasec }.layout();
            FixedDatasec { id: datasec.id(), name: short(datasec.into()), layout }
        });
        Ok(Self { datasecs: fixed.collect(), btf: btf.clone() })
    }

    /// All DATASECs, in the order of their ids.
    #[must_use]
    pub fn datasecs(&self) -> &[FixedDatasec] {
        &self.datasecs
    }

    /// The DATASEC with this id.
    #[must_use]
    pub fn datasec(&self, id: u32) -> Option<&FixedDatasec> {
        let index = self.datasecs.binary_search_by_key(&id, FixedDatasec::id).ok()?;
        self.datasecs.get(index)
    }

    /// Why some DATASECs cannot be filled in.
    pub fn faults(&self) -> impl Iterator<Item = Error> + '_ {
        self.datasecs.iter().filter_map(|datasec| datasec.layout().err())
    }

    /// The BTF as a loader sees it. The ids of all types stay what they are.
    ///
    /// # Errors
    ///
    /// The first of [`Fixup::faults`]; those of [`Fixup::btf_as_far`].
    pub fn btf(&self) -> Result<Btf, Error> {
        match self.faults().next() {
            Some(fault) => Err(fault),
            None => self.btf_as_far(),
        }
    }

    /// The same, but where a DATASEC cannot be filled in, it stays what it is.
    ///
    /// # Errors
    ///
    /// [`Error::Types`], if the BTF has types or data in its header that nobody
    /// knows how to rewrite.
    pub fn btf_as_far(&self) -> Result<Btf, Error> {
        let layouts = self.datasecs.iter().filter_map(|datasec| Some((datasec.id, datasec.layout().ok()?)));
        Writer::new(&self.btf, layouts.collect()).write()
    }
}

impl FixedDatasec {
    /// The id of the DATASEC.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Its size, and where in it everything lies.
    ///
    /// # Errors
    ///
    /// [`Error::Datasec`] with why that cannot be told.
    pub fn layout(&self) -> Result<&DatasecLayout, Error> {
        let error =
            |fault: &DatasecFault| Error::Datasec { id: self.id, name: self.name.clone(), fault: fault.clone() };
        self.layout.as_ref().map_err(error)
    }
}

impl DatasecLayout {
    /// Size in **bytes**.
    #[must_use]
    pub fn size(&self) -> u32 {
        self.size
    }

    /// What lies in the section, by rising offset.
    #[must_use]
    pub fn entries(&self) -> &[FixedEntry] {
        &self.entries
    }

    /// Whether a variable counts as static because its symbol is hidden.
    #[must_use]
    pub fn is_hidden(&self, id: u32) -> bool {
        self.hidden.binary_search(&id).is_ok()
    }
}

impl FixedEntry {
    /// The id of the VAR, or in `.ksyms` of the FUNC or VAR as it was declared.
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

/// The symbols of variables that other files can see, by name.
fn variables(elf: &Elf) -> Result<HashMap<&[u8], Symbol<'_>>, Error> {
    let mut variables = HashMap::new();
    for symbol in elf.symbols()?.filter(|symbol| symbol.is_object() && !symbol.is_local()) {
        variables.entry(symbol.name().as_bytes()).or_insert(symbol);
    }
    Ok(variables)
}

/// What one DATASEC is laid out with.
struct Layouter<'a> {
    elf: &'a Elf,
    btf: &'a Btf,
    symbols: &'a HashMap<&'a [u8], Symbol<'a>>,
    datasec: Datasec<'a>,
}

impl<'a> Layouter<'a> {
    fn layout(&self) -> Result<DatasecLayout, DatasecFault> {
        match bounded(self.datasec.into()).as_bytes() {
            b".kconfig" => self.kconfig(),
            b".ksyms" => self.ksyms(),
            _ => self.section(),
        }
    }

    /// A section of the file.
    fn section(&self) -> Result<DatasecLayout, DatasecFault> {
        let datasec = self.datasec;
        let section = match datasec.size() {
            0 => {
                let section = self.elf.section(bounded(datasec.into())).filter(|section| section.size() > 0);
                Some(section.ok_or(DatasecFault::NoSection)?)
            }
            _ => None,
        };
        let size = match section {
            Some(section) => fit("size", section.size())?,
            None => datasec.size(),
        };
        let (mut entries, mut hidden) = (Vec::new(), Vec::new());
        for entry in datasec.entries() {
            let var = self.var(entry.ty())?;
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
            entries.push(FixedEntry { id: var.id(), offset, size: entry.size() });
        }
        entries.sort_by_key(|entry| entry.offset);
        hidden.sort_unstable();
        Ok(DatasecLayout { size, entries, hidden, extern_kind: None })
    }

    /// What the kernel's configuration says.
    fn kconfig(&self) -> Result<DatasecLayout, DatasecFault> {
        let mut vars = Vec::new();
        for entry in self.datasec.entries() {
            let var = self.var(entry.ty())?;
            if !is_of_kconfig(var.ty()) {
                return Err(wrong_entry(var.ty(), "an integer, an enum, or an array of integers"));
            }
            vars.push((var.ty().align_of()?.max(1), var.ty().size_of()?, var, entry.size()));
        }
        vars.sort_by_key(|&(align, size, var, _)| (std::cmp::Reverse(align), size, bounded(var.into())));
        let mut end = 0u64;
        let mut entries = Vec::new();
        for (align, size, var, entry_size) in vars {
            let offset = end.checked_next_multiple_of(align).unwrap_or(u64::MAX);
            entries.push(FixedEntry { id: var.id(), offset: fit("offset", offset)?, size: entry_size });
            end = offset.saturating_add(size);
        }
        let size = fit("size", end)?;
        Ok(DatasecLayout { size, entries, hidden: Vec::new(), extern_kind: Some(Extern::Kconfig) })
    }

    /// Variables and functions of the kernel.
    fn ksyms(&self) -> Result<DatasecLayout, DatasecFault> {
        const SIZE: u32 = 4;
        let is_int = |ty: &Type<'_>| matches!(ty, Type::Int(int) if int.bits() == 32);
        let int = self.btf.types().find(is_int).ok_or(DatasecFault::NoInt)?;
        let mut entries = Vec::new();
        for entry in self.datasec.entries() {
            if !matches!(entry.ty(), Type::Var(_) | Type::Func(_)) {
                return Err(wrong_entry(entry.ty(), "VAR or FUNC"));
            }
            let offset = fit("offset", u64::from(SIZE) * entries.len() as u64)?;
            entries.push(FixedEntry { id: entry.ty().id(), offset, size: SIZE });
        }
        let size = fit("size", u64::from(SIZE) * entries.len() as u64)?;
        Ok(DatasecLayout { size, entries, hidden: Vec::new(), extern_kind: Some(Extern::Ksyms(int.id())) })
    }

    fn var(&self, ty: Type<'a>) -> Result<Var<'a>, DatasecFault> {
        Var::try_from(ty).map_err(|_| wrong_entry(ty, "VAR"))
    }

    fn symbol(&self, var: Var<'_>) -> Result<Symbol<'a>, DatasecFault> {
        let symbol = self.symbols.get(bounded(var.into()).as_bytes()).copied();
        symbol.ok_or_else(|| DatasecFault::NoSymbol { variable: short(var.into()) })
    }

    /// Where in the section with this number a variable lies.
    fn offset(&self, var: Var<'_>, symbol: Symbol<'_>, section: u32) -> Result<u32, DatasecFault> {
        let variable = || short(var.into());
        match (symbol.place(), symbol.section(), symbol.offset()) {
            (_, Some(found), Some(offset)) if found.index() == section => fit("offset", offset),
            (SymbolSection::Index(section), None, _) => {
                let count = self.elf.section_count();
                Err(DatasecFault::SymbolSection { variable: variable(), section, count })
            }
            (_, found, _) => {
                let found = found.map_or_else(|| "no section".into(), super::section::Section::name);
                Err(DatasecFault::Elsewhere { variable: variable(), found: found.into() })
            }
        }
    }
}

fn wrong_entry(ty: Type<'_>, expected: &'static str) -> DatasecFault {
    DatasecFault::Entry { id: ty.id(), kind: ty.kind(), expected }
}

fn fit(what: &'static str, value: u64) -> Result<u32, DatasecFault> {
    u32::try_from(value).map_err(|_| DatasecFault::TooLarge { what, value })
}

/// The name of a type, as far as a symbol can have it.
fn bounded(ty: Type<'_>) -> Name<'_> {
    ty.name_start(strings::LEN + 1)
}

/// The name of a type for an error, which is kept: a million DATASECs could
/// share one of megabytes.
fn short(ty: Type<'_>) -> OwnedName {
    const LEN: usize = 128;
    let name = ty.name_start(LEN + 1);
    match name.as_bytes().get(..LEN).filter(|start| start.len() < name.as_bytes().len()) {
        Some(start) => [start, b"..."].concat().into(),
        None => name.into(),
    }
}

/// Whether a variable that the kernel's configuration sets can be of a type.
fn is_of_kconfig(ty: Type<'_>) -> bool {
    let is_int = |ty: Type<'_>| matches!(ty.peel_modifiers(), Type::Int(_));
    match ty.peel_modifiers() {
        Type::Array(array) => is_int(array.element()),
        Type::Enum(_) | Type::Enum64(_) => true,
        ty => is_int(ty),
    }
}

/// Writes BTF with DATASECs, and what is in them, changed.
struct Writer<'a> {
    btf: &'a Btf,
    datasecs: BTreeMap<u32, &'a DatasecLayout>,
    /// The VARs whose linkage, and in `.ksyms` type, changes.
    vars: BTreeMap<u32, (Linkage, Option<u32>)>,
    /// The FUNCs in `.ksyms`.
    funcs: BTreeSet<u32>,
    /// Their prototypes.
    protos: BTreeSet<u32>,
    /// The type of [`DUMMY`], if there are such FUNCs.
    dummy_type: Option<u32>,
    /// What is written: the type section, and what comes after the strings.
    types: Vec<u8>,
    more_strings: Vec<u8>,
}

impl<'a> Writer<'a> {
    fn new(btf: &'a Btf, datasecs: BTreeMap<u32, &'a DatasecLayout>) -> Self {
        let mut writer = Self {
            btf,
            vars: BTreeMap::new(),
            funcs: BTreeSet::new(),
            protos: BTreeSet::new(),
            dummy_type: None,
            types: Vec::new(),
            more_strings: Vec::new(),
            datasecs: BTreeMap::new(),
        };
        for layout in datasecs.values() {
            writer.vars.extend(layout.hidden.iter().map(|&id| (id, (Linkage::Static, None))));
            for entry in &layout.entries {
                match (layout.extern_kind, btf.type_by_id(entry.id)) {
                    (Some(Extern::Kconfig), Ok(Type::Var(_))) => {
                        writer.vars.insert(entry.id, (Linkage::Global, None));
                    }
                    (Some(Extern::Ksyms(int)), Ok(Type::Var(_))) => {
                        writer.vars.insert(entry.id, (Linkage::Global, Some(int)));
                    }
                    (Some(Extern::Ksyms(int)), Ok(Type::Func(func))) => {
                        writer.funcs.insert(entry.id);
                        writer.protos.insert(func.proto().id());
                        writer.dummy_type = Some(int);
                    }
                    _ => {}
                }
            }
        }
        writer.datasecs = datasecs;
        writer
    }

    fn write(mut self) -> Result<Btf, Error> {
        let blob = self.btf.as_bytes();
        let raw = RawBtf::parse(blob).map_err(btf_types::Error::from)?;
        raw.header().check_known().map_err(btf_types::Error::from)?;
        let dummy = self.dummy_type.map(|ty| (self.btf.type_count(), self.dummy_name(), ty));
        for (record, ty) in raw.records().zip(self.btf.types()) {
            self.record(ty.id(), &record.map_err(btf_types::Error::from)?, dummy);
        }
        if let Some((_, name, ty)) = dummy {
            self.put(TypeRecord::new(name, Info::of(Kind::Var).word(), ty).as_bytes());
            self.put(format::Var::new(Linkage::Global.into()).as_bytes());
        }
        let (base, pointer_size) = (self.btf.base(), self.btf.known_pointer_size());
        let bytes = self.blob(&raw).map_err(btf_types::Error::from)?;
        Ok(Btf::from_native(bytes, base, self.btf.byte_order(), pointer_size)?)
    }

    fn put(&mut self, bytes: &[u8]) {
        self.types.extend_from_slice(bytes);
    }

    /// Adds the name [`DUMMY`]; returns its offset.
    fn dummy_name(&mut self) -> u32 {
        self.more_strings.extend_from_slice(DUMMY);
        self.more_strings.push(0);
        self.btf.layers().map(|layer| layer.header().strings().len()).sum::<usize>() as u32
    }

    /// Writes a record, changed where it has to be. `dummy` is the id, name and
    /// type of what stands for functions.
    fn record(&mut self, id: u32, record: &Record<'_>, dummy: Option<(u32, u32, u32)>) {
        let head = record.head();
        let (dummy_id, dummy_name) = dummy.map_or((0, 0), |(id, name, _)| (id, name));
        match record.data() {
            Data::Secinfos(secinfos) => {
                let Some(&layout) = self.datasecs.get(&id) else { return self.put(record.as_bytes()) };
                debug_assert_eq!(secinfos.len(), layout.entries.len());
                self.put(TypeRecord::new(head.name_off(), head.info_word(), layout.size).as_bytes());
                for entry in &layout.entries {
                    let ty = if self.funcs.contains(&entry.id) { dummy_id } else { entry.id };
                    self.put(VarSecinfo::new(ty, entry.offset, entry.size).as_bytes());
                }
            }
            Data::Var(_) => {
                let Some(&(linkage, ty)) = self.vars.get(&id) else { return self.put(record.as_bytes()) };
                let ty = ty.unwrap_or(head.size_or_type());
                self.put(TypeRecord::new(head.name_off(), head.info_word(), ty).as_bytes());
                self.put(format::Var::new(linkage.into()).as_bytes());
            }
            Data::Params(params) if self.protos.contains(&id) => {
                self.put(head.as_bytes());
                for param in params {
                    let is_nameless = param.name_off() == 0 && param.type_id() != 0;
                    let name = if is_nameless { dummy_name } else { param.name_off() };
                    self.put(Param::new(name, param.type_id()).as_bytes());
                }
            }
            _ if self.funcs.contains(&id) => {
                // A linkage fits where any vlen does.
                let info = head.info().with_vlen(Linkage::Global.into()).unwrap_or(head.info());
                self.put(TypeRecord::new(head.name_off(), info.word(), head.size_or_type()).as_bytes());
            }
            _ => self.put(record.as_bytes()),
        }
    }

    /// The whole blob in native byte order.
    fn blob(&self, raw: &RawBtf<'_>) -> Result<Vec<u8>, format::Error> {
        let layout = self.btf.as_bytes().get(raw.header().layout()).unwrap_or_default();
        let strings = [raw.strings().as_bytes(), &self.more_strings].concat();
        let mut blob = Vec::with_capacity(self.btf.as_bytes().len() + self.types.len());
        Assembly::new(&self.types, &strings).layout(layout).write(|part| blob.extend_from_slice(part))?;
        Ok(blob)
    }
}
