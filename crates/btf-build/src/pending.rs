//! A record that is being defined.

use btf_types::{
    Kind, OwnedName,
    format::{self, Info, TypeRecord},
};

use crate::{Builder, Error};

/// A builder, and the id that a type gets: one that was declared, or `None` for the
/// next one.
pub(crate) type Target<'b> = (&'b mut Builder, Option<u32>);

/// A record that is being defined.
#[derive(Debug)]
pub(crate) struct Pending<'b> {
    builder: &'b mut Builder,
    id: Option<u32>,
    kind: Kind,
    name_off: u32,
    vlen: u32,
    error: Option<Error>,
}

impl<'b> Pending<'b> {
    /// Begins a record of a kind that needs no name.
    pub(crate) fn new(to: Target<'b>, kind: Kind, name: &[u8], size_or_type: u32) -> Self {
        let (builder, id) = to;
        builder.undo();
        let mut pending = Self { builder, id, kind, name_off: 0, vlen: 0, error: None };
        if let Some(id) = id
            && let Err(error) = pending.builder.check_declared(id)
        {
            pending.fail(error);
        }
        pending.name_off = pending.name(name);
        pending.put(TypeRecord::new(pending.name_off, Info::of(kind).word(), size_or_type).as_bytes());
        pending
    }

    /// Begins a record of a kind that needs a name.
    pub(crate) fn named(to: Target<'b>, kind: Kind, name: &[u8], size_or_type: u32) -> Self {
        let mut pending = Self::new(to, kind, name, size_or_type);
        if name.is_empty() {
            pending.fail(Error::NameMissing { kind });
        }
        pending
    }

    /// Begins a record whose third word is an id.
    pub(crate) fn referring(to: Target<'b>, kind: Kind, name: &[u8], id: u32) -> Self {
        let mut pending = Self::new(to, kind, name, id);
        pending.id(id);
        pending
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// Keeps the first error; nothing is defined then.
    pub(crate) fn fail(&mut self, error: Error) {
        self.error.get_or_insert(error);
    }

    pub(crate) fn put(&mut self, bytes: &[u8]) {
        if self.error.is_none() {
            self.builder.put(bytes);
        }
    }

    /// The offset of a name.
    pub(crate) fn name(&mut self, name: &[u8]) -> u32 {
        if self.error.is_some() {
            return 0;
        }
        self.builder.strings.intern(name).unwrap_or_else(|error| {
            self.fail(error);
            0
        })
    }

    /// Checks an id.
    pub(crate) fn id(&mut self, id: u32) -> u32 {
        if let Err(error) = self.builder.check_id(id) {
            self.fail(error);
        }
        id
    }

    /// Appends an element.
    pub(crate) fn element(&mut self, bytes: &[u8]) {
        if self.vlen == Info::MAX_VLEN {
            let name = self.own_name();
            self.fail(Error::TooManyElements { kind: self.kind, name });
            return;
        }
        self.vlen += 1;
        self.put(bytes);
    }

    /// The name of the type, for an error.
    pub(crate) fn own_name(&self) -> OwnedName {
        self.string(self.name_off)
    }

    /// A string that was added, for an error.
    pub(crate) fn string(&self, offset: u32) -> OwnedName {
        self.builder.strings.get(offset).into()
    }

    /// Ends the record.
    pub(crate) fn finish(self, kind_flag: bool) -> Result<u32, Error> {
        let vlen = self.vlen;
        self.finish_with(vlen, kind_flag)
    }

    pub(crate) fn finish_with(mut self, vlen: u32, kind_flag: bool) -> Result<u32, Error> {
        let info = Info::of(self.kind).with_kind_flag(kind_flag).with_vlen(vlen)?;
        let result = match self.error.take() {
            Some(error) => Err(error),
            None => self.builder.commit(info, self.id),
        };
        if result.is_err() {
            self.builder.undo();
        }
        result
    }

    pub(crate) fn size(&mut self, size: u32, sizes: &[u32], expected: &'static str) {
        if !sizes.contains(&size) {
            let name = self.own_name();
            self.fail(Error::Size { kind: self.kind, name, size, expected });
        }
    }

    pub(crate) fn with_enum_size(mut self, size: u32) -> Self {
        self.size(size, &[1, 2, 4, 8], "1, 2, 4 or 8");
        self
    }

    pub(crate) fn decl_tag(to: Target<'b>, value: &[u8], target: u32, component: Option<u32>) -> Self {
        let mut pending = Self::named(to, Kind::DeclTag, value, target);
        pending.id(target);
        let index = match component.map(|component| (component, i32::try_from(component))) {
            None => -1,
            Some((_, Ok(index))) => index,
            Some((component, Err(_))) => {
                pending.fail(Error::Component { name: value.into(), component });
                -1
            }
        };
        pending.put(format::DeclTag::new(index).as_bytes());
        pending
    }

    pub(crate) fn proto(&mut self, name: &[u8], id: u32) {
        self.id(id);
        let kind = self.builder.kind_of(id);
        if self.builder.is_defined(id) && kind != Some(Kind::FuncProto) {
            self.fail(Error::FuncWithoutProto { name: name.into(), id, kind });
        }
    }
}
