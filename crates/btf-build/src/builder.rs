//! Builder of BTF: records, ids, and shared strings.

use btf_types::{
    Btf, BtfExt, ByteOrder, Kind,
    format::{Field, Header, Info, Layout, RawBtfExt, RecordMut, Records, RecordsMut, TypeRecord, Word},
};

use crate::{Error, copy::Copies, define::Definition, layers::complete, string_table::StringTable};

/// Builder of a BTF.
///
/// Each method that adds a type returns its id for later references. Ids are
/// checked on use: [`Builder::declare`] gives an id to a type that is defined
/// later, as needed for types that refer to themselves. An error leaves the
/// builder unchanged.
///
/// Everything that a record cannot hold is rejected (ids that do not exist, too
/// many elements, offsets that do not fit beside bitfields, names with a NUL),
/// and so are invalid sizes and missing names. The other rules of kernels are
/// not checked here.
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
    /// Space for the header, and the records in the order of their definition.
    types: Vec<u8>,
    /// Offset in `types` of the record of each own id, or [`UNDEFINED`].
    slots: Vec<u32>,
    first_id: u32,
    /// Size of the header.
    hdr_len: u32,
    /// Finished part of `types` and of the strings.
    done: Mark,
    pub(crate) copies: Copies,
}

const UNDEFINED: u32 = u32::MAX;

/// Position of a builder.
#[derive(Debug, Clone, Copy)]
struct Mark {
    types: usize,
    strings: usize,
}

/// State to which a builder can be rolled back.
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
    /// Starts BTF that is not split.
    #[must_use]
    pub fn new() -> Self {
        Self::with_base(None)
    }

    /// Starts split BTF, which continues the ids and strings of `base`. It can
    /// refer to types of the base, and does not store its strings again.
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

    /// Sets the byte order of the BTF. The default is that of the base, else
    /// native order.
    ///
    /// The offsets of bitfields depend on it: on big-endian machines they count
    /// from the most significant bit.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_build::Error> {
    /// use btf_build::{Builder, IntEncoding};
    /// use btf_types::ByteOrder;
    ///
    /// let mut b = Builder::new().byte_order(ByteOrder::Big); // for s390x
    /// b.int("int", 4, IntEncoding::SIGNED)?;
    /// let btf = b.finish()?;
    /// assert_eq!(btf.to_bytes(ByteOrder::Big)?[..2], [0xeb, 0x9f]);
    /// assert_eq!(btf.byte_order(), ByteOrder::Big);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn byte_order(self, byte_order: ByteOrder) -> Self {
        Self { byte_order, ..self }
    }

    /// Sets the size of a pointer in bytes, 4 or 8. The default is that of the
    /// base, else the size of the type `long`.
    #[must_use]
    pub fn pointer_size(self, bytes: u8) -> Self {
        Self { pointer_size: Some(bytes), ..self }
    }

    /// Starts BTF with the byte order, pointer size and header length of
    /// another one.
    pub(crate) fn like(btf: &Btf, base: Option<&Btf>) -> Self {
        let mut builder = Self::with_base(base);
        (builder.byte_order, builder.pointer_size) = (btf.byte_order(), btf.known_pointer_size());
        builder.hdr_len = btf.hdr_len();
        builder.types.resize(builder.hdr_len as usize, 0);
        builder.finished();
        builder
    }

    /// Returns the base of split BTF.
    #[must_use]
    pub fn base(&self) -> Option<&Btf> {
        self.base.as_ref()
    }

    pub(crate) fn target_byte_order(&self) -> ByteOrder {
        self.byte_order
    }

    /// Number of types so far: `void`, those of the base, and own ones,
    /// declared or defined. This is the id of the next type.
    #[must_use]
    pub fn type_count(&self) -> u32 {
        self.first_id.saturating_add(self.slots.len() as u32)
    }

    /// Reserves an id for a type to be defined later by [`Builder::define`].
    pub fn declare(&mut self) -> u32 {
        let id = self.type_count();
        self.slots.push(UNDEFINED);
        id
    }

    /// Starts the definition of a declared type.
    pub fn define(&mut self, id: u32) -> Definition<'_> {
        Definition::new(self, Some(id))
    }

    /// Adds a string, and returns its offset in the string section. An existing
    /// string is not added again.
    ///
    /// Names of types are added with their types. This is for other references
    /// to strings, such as those of `.BTF.ext`.
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

    /// Checks the whole BTF, and opens it.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_build::Error> {
    /// use btf_build::{Builder, Error};
    ///
    /// let mut b = Builder::new();
    /// let later = b.declare();
    /// b.ptr(later)?;
    /// assert!(matches!(b.finish(), Err(Error::Undefined { ids, .. }) if ids == [later]));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Undefined`] if declared types were not defined;
    /// [`Error::TooLarge`]; [`Error::Btf`] if a FUNC refers to a type that is
    /// not a FUNC_PROTO.
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
        let blob = complete(self.types, self.hdr_len, &[], &[&self.strings.into_bytes()])?;
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

/// Operations common to all definitions.
impl Builder {
    /// Reverts an unfinished definition.
    pub(crate) fn undo(&mut self) {
        self.types.truncate(self.done.types);
        self.strings.truncate(self.done.strings);
    }

    /// Returns the current state.
    pub(crate) fn checkpoint(&mut self) -> Checkpoint {
        self.undo();
        Checkpoint { done: self.done, slots: self.slots.len() }
    }

    /// Removes all types and strings added since. No declared types may have
    /// been defined meanwhile. Returns the first string offset that was
    /// removed.
    pub(crate) fn roll_back(&mut self, to: Checkpoint) -> u32 {
        self.slots.truncate(to.slots);
        self.done = to.done;
        self.undo();
        self.strings.end()
    }

    /// Checks that a type with this id exists.
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

    /// Returns `true` if an own id has a definition.
    pub(crate) fn is_defined(&self, id: u32) -> bool {
        id < self.first_id || self.slots.get((id - self.first_id) as usize).is_some_and(|&slot| slot != UNDEFINED)
    }

    /// Returns the kind of a type, if it is defined; `None` for `void` too.
    pub(crate) fn kind_of(&self, id: u32) -> Option<Kind> {
        let Some(index) = id.checked_sub(self.first_id) else {
            return self.base.as_ref()?.type_by_id(id).ok()?.kind();
        };
        let slot = *self.slots.get(index as usize)?;
        TypeRecord::first(self.types.get(slot as usize..)?)?.info().kind()
    }

    /// Appends to the current record.
    pub(crate) fn put(&mut self, bytes: &[u8]) {
        self.types.extend_from_slice(bytes);
    }

    /// Finishes the current record, as the definition of a declared id, or of
    /// the next one.
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
    /// with the next ids: all or none.
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

    /// Adds each string that `.BTF.ext` refers to by `add`.
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

    /// Adds a record, whose ids and names `change` rewrites, with the next id.
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

    /// Returns the offset of the next record.
    pub(crate) fn position(&self) -> u32 {
        self.types.len() as u32
    }

    /// Puts a record, whose ids and names `change` rewrites, to be committed
    /// later.
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

    /// Commits records that were put, each with its id and its offset. All ids
    /// below `count` are then declared.
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

    /// Marks everything up to here as finished.
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
