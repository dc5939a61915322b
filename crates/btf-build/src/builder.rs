//! The BTF in the making: records, ids, and the strings that records share.

use btf_types::{
    Btf, BtfExt, ByteOrder, Kind,
    format::{Assembly, Field, Header, Info, Layout, RawBtfExt, RecordMut, Records, RecordsMut, TypeRecord, Word},
};

use crate::{Error, copy::Copies, define::Definition, string_table::StringTable};

/// A BTF in the making.
///
/// Each method that adds a type returns its id, which others may refer to. Ids
/// are checked when they are used: [`Builder::declare`] gives an id to a type
/// that is to be defined later, as is needed for types that refer to
/// themselves. An error leaves the builder as it was.
///
/// Everything that a record cannot hold is refused (ids that do not exist, too
/// many elements, offsets beside bitfields that do not fit, names with a NUL),
/// as are sizes that no kernel knows and names that are missing. Everything
/// else that a kernel asks for is not looked at here.
///
/// ```
/// # fn main() -> Result<(), btf_build::Error> {
/// use btf_build::{Builder, IntEncoding};
/// use btf_types::Struct;
///
/// let mut b = Builder::new();
/// let int = b.int("int", 4, IntEncoding::SIGNED)?;
/// let node = b.declare();
/// let ptr = b.ptr(node)?;
/// b.define(node)
///     .structure("node", 16)
///     .member("value", int, 0)
///     .bitfield("flags", int, 32, 3)
///     .member("next", ptr, 64)
///     .finish()?;
///
/// let btf = b.finish()?;
/// let node: Struct<'_> = btf.find("node")?;
/// assert_eq!(node.member("flags").unwrap().bitfield_size(), Some(3));
/// assert_eq!(node.member("next").unwrap().ty().to_string(), "struct node *");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Builder {
    base: Option<Btf>,
    byte_order: ByteOrder,
    pointer_size: Option<u8>,
    pub(crate) strings: StringTable,
    /// Room for the header, and the records in the order of their definition.
    types: Vec<u8>,
    /// Where in `types` the record of each own id begins, or [`UNDEFINED`].
    slots: Vec<u32>,
    first_id: u32,
    /// The size of the header.
    hdr_len: u32,
    /// What is finished of `types`, and of the strings.
    done: Mark,
    pub(crate) copies: Copies,
}

const UNDEFINED: u32 = u32::MAX;

/// How far a builder is.
#[derive(Debug, Clone, Copy)]
struct Mark {
    types: usize,
    strings: usize,
}

/// What a builder can be rolled back to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Checkpoint {
    done: Mark,
    slots: usize,
}

impl Default for Builder {
    fn default() -> Self {
        Self::new()
    }
}

impl Builder {
    /// Begins a BTF that stands alone.
    #[must_use]
    pub fn new() -> Self {
        Self::with_base(None)
    }

    /// Begins split BTF, which continues the ids and strings of `base`: ids of
    /// the base can be referred to, and strings that the base has are not
    /// stored again.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_build::Error> {
    /// use btf_build::{Builder, IntEncoding};
    ///
    /// let mut b = Builder::new();
    /// let int = b.int("int", 4, IntEncoding::SIGNED)?;
    /// let vmlinux = b.finish()?;
    /// let mut b = Builder::on(&vmlinux);
    /// let td = b.typedef("module_int", int)?;
    /// let module = b.finish()?;
    /// assert_eq!((td, module.own_ids()), (2, 2..3));
    /// assert!(module.base().unwrap().is_same(&vmlinux));
    /// assert_eq!(module.as_bytes()[module.string_section()], *b"module_int\0");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn on(base: &Btf) -> Self {
        Self::with_base(Some(base))
    }

    fn with_base(base: Option<&Btf>) -> Self {
        let strings = StringTable::new(base);
        Self {
            base: base.cloned(),
            byte_order: base.map_or(ByteOrder::NATIVE, Btf::byte_order),
            pointer_size: None,
            done: Mark { types: Header::SIZE as usize, strings: strings.as_bytes().len() },
            copies: Copies::default(),
            strings,
            types: vec![0; Header::SIZE as usize],
            slots: Vec::new(),
            first_id: base.map_or(1, Btf::type_count),
            hdr_len: Header::SIZE,
        }
    }

    /// Sets the byte order that the BTF is for; by default that of the base,
    /// or of the machine that this runs on.
    ///
    /// The offsets of bitfields depend on it: they count from the most
    /// significant bit on big-endian.
    #[must_use]
    pub fn byte_order(self, byte_order: ByteOrder) -> Self {
        Self { byte_order, ..self }
    }

    /// Sets the size of a pointer in bytes, 4 or 8; by default that of the
    /// base, or of the type `long`.
    #[must_use]
    pub fn pointer_size(self, bytes: u8) -> Self {
        Self { pointer_size: Some(bytes), ..self }
    }

    /// Begins one with the byte order, size of pointers and length of the header
    /// of another BTF.
    pub(crate) fn like(btf: &Btf, base: Option<&Btf>) -> Self {
        let mut builder = Self::with_base(base);
        (builder.byte_order, builder.pointer_size) = (btf.byte_order(), btf.known_pointer_size());
        builder.hdr_len = btf.hdr_len();
        builder.types.resize(builder.hdr_len as usize, 0);
        builder.finished();
        builder
    }

    /// The BTF that this continues.
    #[must_use]
    pub fn base(&self) -> Option<&Btf> {
        self.base.as_ref()
    }

    pub(crate) fn target_byte_order(&self) -> ByteOrder {
        self.byte_order
    }

    /// The number of types so far: `void`, those of the base, and own ones,
    /// declared or defined. The next type gets this id.
    #[must_use]
    pub fn type_count(&self) -> u32 {
        self.first_id.saturating_add(self.slots.len() as u32)
    }

    /// Gives an id to a type that [`Builder::define`] is to define.
    pub fn declare(&mut self) -> u32 {
        let id = self.type_count();
        self.slots.push(UNDEFINED);
        id
    }

    /// Begins the definition of a declared type.
    pub fn define(&mut self, id: u32) -> Definition<'_> {
        Definition::new(self, Some(id))
    }

    /// Adds a string, and returns its offset in the string section. A string
    /// that is there is not added again.
    ///
    /// Names of types are added with their types; this is for what else refers
    /// to the strings, such as `.BTF.ext`.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_build::Error> {
    /// let mut b = btf_build::Builder::new();
    /// let path = b.string("/src/main.c")?;
    /// assert_eq!(b.string("/src/main.c")?, path);
    /// assert_eq!(b.finish()?.string_at(path).unwrap(), "/src/main.c");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NulInName`]; [`Error::TooLarge`].
    pub fn string(&mut self, string: impl AsRef<[u8]>) -> Result<u32, Error> {
        self.undo();
        let offset = self.strings.intern(string.as_ref())?;
        self.done.strings = self.strings.as_bytes().len();
        Ok(offset)
    }

    /// Ends it: checks the whole, and opens it.
    ///
    /// # Errors
    ///
    /// [`Error::Undefined`] if there are declared types that were not defined;
    /// [`Error::TooLarge`]; [`Error::Btf`] if a FUNC refers to what turned out
    /// not to be a FUNC_PROTO.
    pub fn finish(mut self) -> Result<Btf, Error> {
        self.undo();
        let undefined: Vec<u32> =
            (self.first_id..).zip(&self.slots).filter(|&(_, &slot)| slot == UNDEFINED).map(|(id, _)| id).collect();
        if !undefined.is_empty() {
            return Err(Error::Undefined { ids: undefined });
        }
        if !self.slots.is_sorted() {
            self.types = self.in_order_of_ids();
        }
        drop((self.copies, self.slots));
        let (mut blob, strings) = (self.types, self.strings.into_bytes());
        let mut header = Vec::with_capacity(self.hdr_len as usize);
        let (room, types) = blob.split_at_mut_checked(self.hdr_len as usize).unwrap_or_default();
        Assembly::new(types, &strings).hdr_len(self.hdr_len).write_header(|part| header.extend_from_slice(part))?;
        room.iter_mut().zip(header).for_each(|(to, from)| *to = from);
        blob.reserve_exact(strings.len());
        blob.extend_from_slice(&strings);
        drop(strings);
        Ok(Btf::from_native(blob, self.base.as_ref(), self.byte_order, self.pointer_size)?)
    }

    fn in_order_of_ids(&self) -> Vec<u8> {
        let mut types = Vec::with_capacity(self.types.len() + self.strings.as_bytes().len());
        types.resize(self.hdr_len as usize, 0);
        for &slot in &self.slots {
            let rest = self.types.get(slot as usize..).unwrap_or_default();
            if let Some(Ok(record)) = Records::new(rest, 0, Layout::NONE).next() {
                types.extend_from_slice(record.as_bytes());
            }
        }
        debug_assert_eq!(types.len(), self.types.len(), "each record has a slot");
        types
    }
}

/// What all definitions are made of.
impl Builder {
    /// Takes back what was begun and not finished.
    pub(crate) fn undo(&mut self) {
        self.types.truncate(self.done.types);
        self.strings.truncate(self.done.strings);
    }

    /// Where the builder is now.
    pub(crate) fn checkpoint(&mut self) -> Checkpoint {
        self.undo();
        Checkpoint { done: self.done, slots: self.slots.len() }
    }

    /// Takes back all types and strings since, of which no declared ones were
    /// defined. Returns the first string offset that is gone.
    pub(crate) fn roll_back(&mut self, to: Checkpoint) -> u32 {
        self.slots.truncate(to.slots);
        self.done = to.done;
        self.undo();
        self.strings.end()
    }

    /// Checks that `void`, the base, or this has a type of this id.
    pub(crate) fn check_id(&self, id: u32) -> Result<(), Error> {
        let count = self.type_count();
        if id < count { Ok(()) } else { Err(Error::NoSuchId { id, count }) }
    }

    /// Checks that an id is declared and not defined.
    pub(crate) fn check_declared(&self, id: u32) -> Result<(), Error> {
        match id.checked_sub(self.first_id).and_then(|index| self.slots.get(index as usize)) {
            Some(&UNDEFINED) => Ok(()),
            Some(_) => Err(Error::AlreadyDefined { id }),
            None => Err(Error::NotDeclared { id }),
        }
    }

    /// Returns whether an own id has a definition.
    pub(crate) fn is_defined(&self, id: u32) -> bool {
        id < self.first_id || self.slots.get((id - self.first_id) as usize).is_some_and(|&slot| slot != UNDEFINED)
    }

    /// The kind of a type, if that is known already; `None` for `void` too.
    pub(crate) fn kind_of(&self, id: u32) -> Option<Kind> {
        let Some(index) = id.checked_sub(self.first_id) else {
            return self.base.as_ref()?.type_by_id(id).ok()?.kind();
        };
        let slot = *self.slots.get(index as usize)?;
        TypeRecord::first(self.types.get(slot as usize..)?)?.info().kind()
    }

    /// Appends to the record that is being defined.
    pub(crate) fn put(&mut self, bytes: &[u8]) {
        self.types.extend_from_slice(bytes);
    }

    /// Ends the record that was put since the last one: as the definition of a
    /// declared id, or of the next one.
    pub(crate) fn commit(&mut self, info: Info, id: Option<u32>) -> Result<u32, Error> {
        let start = self.done.types;
        let end = u32::try_from(self.types.len()).ok().filter(|&end| end < UNDEFINED);
        end.ok_or(Error::TooLarge { what: "types" })?;
        let id = match id {
            Some(id) => {
                self.check_declared(id)?;
                if let Some(slot) = self.slots.get_mut((id - self.first_id) as usize) {
                    *slot = start as u32;
                }
                id
            }
            None => {
                let id = self.type_count();
                self.slots.push(start as u32);
                id
            }
        };
        if let Some(word) = self.types.get_mut(start + 4..start + 8) {
            word.copy_from_slice(&info.word().to_ne_bytes());
        }
        self.finished();
        Ok(id)
    }

    /// Appends the own types of a BTF, whose ids and names `change` rewrites,
    /// and gives them the next ids; all of them or none.
    pub(crate) fn append_section(
        &mut self,
        btf: &Btf,
        mut change: impl FnMut(&mut StringTable, Field, u32) -> Result<u32, Error>,
    ) -> Result<(), Error> {
        btf.check_known_kinds()?;
        let before = self.checkpoint();
        let start = self.types.len();
        let section = btf.as_bytes().get(btf.type_section()).unwrap_or_default();
        if (start + section.len()) as u64 >= u64::from(UNDEFINED) {
            return Err(Error::TooLarge { what: "types" });
        }
        self.types.extend_from_slice(section);
        self.slots.reserve(btf.own_ids().len());
        let section = self.types.get_mut(start..).unwrap_or_default();
        let result = RecordsMut::new(section, start as u64, Layout::NONE).try_for_each(|record| {
            let mut record = record?;
            self.slots.push(record.offset() as u32);
            rewrite(&mut record, |field, value| change(&mut self.strings, field, value))
        });
        match result {
            Ok(()) => self.finished(),
            Err(_) => _ = self.roll_back(before),
        }
        result
    }

    /// Adds each string that `.BTF.ext` refers to, by `add`.
    pub(crate) fn add_strings(
        &mut self,
        ext: &BtfExt,
        mut add: impl FnMut(&mut StringTable, u32) -> Result<u32, Error>,
    ) -> Result<(), Error> {
        RawBtfExt::parse(ext.as_bytes())?.try_for_each_field(|field, value| match field.holds {
            Word::Name => add(&mut self.strings, value).map(drop),
            _ => Ok(()),
        })?;
        self.finished();
        Ok(())
    }

    /// Adds a record whose ids and names `change` rewrites, and gives it the next
    /// id.
    pub(crate) fn add_rewritten(
        &mut self,
        record: &[u8],
        change: impl FnMut(&mut StringTable, Field, u32) -> Result<u32, Error>,
    ) -> Result<(), Error> {
        let start = self.position();
        self.put_rewritten(record, change)?;
        self.slots.push(start);
        self.finished();
        Ok(())
    }

    /// Where the next record begins.
    pub(crate) fn position(&self) -> u32 {
        self.types.len() as u32
    }

    /// Puts a record whose ids and names `change` rewrites, which is to be
    /// committed.
    pub(crate) fn put_rewritten(
        &mut self,
        record: &[u8],
        mut change: impl FnMut(&mut StringTable, Field, u32) -> Result<u32, Error>,
    ) -> Result<(), Error> {
        let start = self.types.len();
        if (start + record.len()) as u64 >= u64::from(UNDEFINED) {
            return Err(Error::TooLarge { what: "types" });
        }
        self.types.extend_from_slice(record);
        for record in RecordsMut::new(self.types.get_mut(start..).unwrap_or_default(), 0, Layout::NONE) {
            rewrite(&mut record?, |field, value| change(&mut self.strings, field, value))?;
        }
        Ok(())
    }

    /// Ends records that were put: each with its id, and where it begins. All
    /// ids below `count` are declared then.
    pub(crate) fn commit_all(&mut self, count: u32, records: &[(u32, u32)]) {
        let slots = (count - self.first_id) as usize;
        self.slots.resize(slots.max(self.slots.len()), UNDEFINED);
        for &(id, start) in records {
            if let Some(slot) = self.slots.get_mut((id - self.first_id) as usize) {
                *slot = start;
            }
        }
        self.finished();
    }

    /// Everything up to here stays.
    fn finished(&mut self) {
        self.done = Mark { types: self.types.len(), strings: self.strings.as_bytes().len() };
    }
}

/// Replaces the ids and names of a record.
#[inline]
fn rewrite(record: &mut RecordMut<'_>, mut change: impl FnMut(Field, u32) -> Result<u32, Error>) -> Result<(), Error> {
    record.try_for_each_field(|field, value| {
        *value = change(field, *value)?;
        Ok(())
    })
}
