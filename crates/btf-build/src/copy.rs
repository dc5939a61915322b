//! Copying types from other BTF.

use std::collections::HashSet;

use btf_types::{
    Btf, Kind, Type,
    format::{Info, Record, TypeRecord, Word},
};

use crate::{
    Builder, Error, layer_places::LayerPlaces, layers::Layers, string_map::StringMap, string_table::StringTable,
};

impl Builder {
    /// Copies one type from any BTF, with its name, its members, and the
    /// DECL_TAGs of both. Returns its id.
    ///
    /// The types that it refers to are not copied. The copy refers to existing
    /// copies of them; all others are [declared](Builder::declare), and must be
    /// copied before the builder finishes. A type that was already copied, or
    /// that belongs to the base of this builder, is not copied again.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_build::Error> {
    /// use btf_build::{Builder, IntEncoding};
    /// use btf_types::{Int, Struct};
    ///
    /// # let mut b = Builder::new();
    /// # let int = b.int("int", 4, IntEncoding::SIGNED)?;
    /// # let dev = b.structure("net_device", 4).member("mtu", int, 0).finish()?;
    /// # b.decl_tag("tag", dev, Some(0))?;
    /// # let vmlinux = b.finish()?;
    /// let mut b = Builder::new();
    /// let dev = b.copy(vmlinux.find::<Struct<'_>>("net_device")?)?;
    /// // Its one member is an `int`, which has an id by now.
    /// let int = b.copy(vmlinux.find::<Int<'_>>("int")?)?;
    /// assert_eq!([dev, int], [1, 2]);
    /// let btf = b.finish()?;
    /// let kinds: Vec<_> = btf.types().map(|ty| ty.kind().unwrap().to_string()).collect();
    /// assert_eq!(kinds, ["STRUCT", "INT", "DECL_TAG"]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Format`] if it is of a kind that is unknown;
    /// [`Error::TooLarge`].
    pub fn copy<'a>(&mut self, ty: impl Into<Type<'a>>) -> Result<u32, Error> {
        self.copy_in(ty.into(), Mode::One)
    }

    /// Copies a type from any BTF, with all types that can be reached from it
    /// and their DECL_TAGs. Returns its id.
    ///
    /// Where possible, types follow those that they refer to, as kernels
    /// resolve at most 32 forward references. Types that were already copied,
    /// or that belong to the base of this builder, are not copied again.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_build::Error> {
    /// # use btf_build::{Builder, IntEncoding};
    /// use btf_types::Struct;
    ///
    /// # let mut b = Builder::new();
    /// # let int = b.int("int", 4, IntEncoding::SIGNED)?;
    /// # let dev = b.structure("net_device", 4).member("mtu", int, 0).finish()?;
    /// # let ptr = b.ptr(dev)?;
    /// # b.structure("sk_buff", 16).member("dev", ptr, 0).member("len", int, 64).finish()?;
    /// # let vmlinux = b.finish()?;
    /// let mut b = Builder::new();
    /// let skb = b.copy_reachable(vmlinux.find::<Struct<'_>>("sk_buff")?)?;
    /// let btf = b.finish()?;
    /// assert_eq!(btf.type_by_id(skb)?.name(), "sk_buff");
    /// assert_eq!(btf.find::<Struct<'_>>("net_device")?.members().count(), 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Format`] if a type is of a kind that is unknown;
    /// [`Error::TooLarge`].
    pub fn copy_reachable<'a>(&mut self, ty: impl Into<Type<'a>>) -> Result<u32, Error> {
        self.copy_in(ty.into(), Mode::Reachable)
    }

    /// Copies a type from any BTF, with the types that it contains, as
    /// [`Builder::copy_reachable`] does, but replaces named structs and unions
    /// behind pointers by FWDs.
    ///
    /// If a type that was copied with a FWD inside is later needed whole, it is
    /// copied again, with its DECL_TAGs.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_build::Error> {
    /// # use btf_build::{Builder, IntEncoding};
    /// use btf_types::{Fwd, Struct};
    ///
    /// # let mut b = Builder::new();
    /// # let int = b.int("int", 4, IntEncoding::SIGNED)?;
    /// # let dev = b.structure("net_device", 4).member("mtu", int, 0).finish()?;
    /// # let ptr = b.ptr(dev)?;
    /// # b.structure("sk_buff", 16).member("dev", ptr, 0).member("len", int, 64).finish()?;
    /// # let vmlinux = b.finish()?;
    /// let mut b = Builder::new();
    /// b.copy_shallow(vmlinux.find::<Struct<'_>>("sk_buff")?)?;
    /// let btf = b.finish()?;
    /// assert_eq!(btf.find::<Fwd<'_>>("net_device")?.to_string(), "struct net_device");
    /// assert!(btf.find::<Struct<'_>>("net_device").is_err());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`Builder::copy_reachable`].
    pub fn copy_shallow<'a>(&mut self, ty: impl Into<Type<'a>>) -> Result<u32, Error> {
        self.copy_in(ty.into(), Mode::Shallow)
    }

    fn copy_in(&mut self, ty: Type<'_>, mode: Mode) -> Result<u32, Error> {
        let Some(btf) = ty.btf() else { return Ok(0) };
        self.undo();
        let mut copies = std::mem::take(&mut self.copies);
        let chain = copies.chain(self, &btf);
        let result = Copying { builder: self, btf: &btf, copies: &mut copies, chain: &chain, mode }.copy(ty.id());
        copies.last = Some((btf, chain));
        self.copies = copies;
        result
    }
}

/// Extent of a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    One,
    Reachable,
    Shallow,
}

/// Types that were copied so far.
#[derive(Debug, Default)]
pub(crate) struct Copies {
    sources: Vec<Source>,
    places: LayerPlaces,
    /// The BTF that was copied from last.
    last: Option<(Btf, Chain)>,
    /// Of types that are not copied.
    nothing: Copied,
    /// Numbers each walk over the types.
    walks: u32,
}

/// A layer that types were copied from.
#[derive(Debug)]
struct Source {
    layer: Btf,
    first_id: u32,
    strings: StringMap,
    has_decl_tags: bool,
    /// By number of the own type.
    types: Vec<Copied>,
}

/// State of a type of a source.
#[derive(Debug, Clone, Copy, Default)]
struct Copied {
    /// The id of the copy whose references are copies as well, or declared; 0
    /// for none.
    id: u32,
    /// True if everything that the copy refers to was copied.
    is_closed: bool,
    /// The id of the copy whose references may be FWDs; 0 for none.
    shallow: u32,
    /// True if the shallow copy can be part of a struct.
    is_sized: bool,
    /// The id of the FWD; 0 for none.
    fwd: u32,
    /// Number of the walk that visited the type last.
    seen: u32,
    /// Use of the type in that walk.
    need: Need,
}

/// The layers of a BTF that is copied from.
#[derive(Debug)]
struct Chain {
    /// Ids below this one stay, as they are those of the builder's base.
    first_id: u32,
    /// String offsets below this one are unchanged.
    first_string: u32,
    /// The numbers of the sources, from the lowest layer.
    sources: Vec<usize>,
}

impl Copies {
    /// The layers of a BTF, which become sources if they are not.
    fn chain(&mut self, builder: &Builder, btf: &Btf) -> Chain {
        if let Some((_, chain)) = self.last.take().filter(|(last, _)| last.is_same(btf)) {
            return chain;
        }
        let mut chain = Chain { first_id: 1, first_string: 0, sources: Vec::new() };
        for (first_string, layer) in Layers::new(btf).iter() {
            if builder.base().is_some_and(|base| base.layers().any(|own| own.is_same(layer))) {
                chain.first_id = layer.type_count();
                chain.first_string = first_string + layer.string_section().len() as u32;
                continue;
            }
            let known = self.places.get(layer);
            chain.sources.push(known.unwrap_or(self.sources.len()));
            if known.is_none() {
                self.places.insert(layer, self.sources.len());
                self.sources.push(Source::new(layer, first_string));
            }
        }
        chain
    }
}

impl Source {
    fn new(layer: &Btf, first_string: u32) -> Self {
        let ids = layer.own_ids();
        Self {
            layer: layer.clone(),
            first_id: ids.start,
            strings: StringMap::new(layer, first_string),
            has_decl_tags: layer.types().any(|ty| matches!(ty, Type::DeclTag(_))),
            types: vec![Copied::default(); ids.len()],
        }
    }
}

/// One copy that is being made: all of it, or nothing.
struct Copying<'a> {
    builder: &'a mut Builder,
    btf: &'a Btf,
    copies: &'a mut Copies,
    chain: &'a Chain,
    mode: Mode,
}

/// A type that is to be copied.
#[derive(Debug, Clone, Copy)]
struct Item {
    old: u32,
    form: Form,
    /// State before the copy.
    before: Copied,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Whole,
    Fwd,
    /// Not copied, but given an id.
    Declared,
}

/// A step of a walk in which types come after those that they refer to.
enum Visit {
    Enter(u32),
    Leave(u32),
}

/// Use of a type.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Need {
    #[default]
    Nothing,
    /// To be pointed to.
    Name,
    /// To be part of another.
    Size,
}

impl Copying<'_> {
    fn copy(&mut self, old: u32) -> Result<u32, Error> {
        if old < self.chain.first_id {
            return Ok(old);
        }
        let copied = *self.copied(old);
        if copied.is_closed || self.mode == Mode::Shallow && copied.shallow != 0 && copied.is_sized {
            return Ok(self.new_id(old));
        }
        if self.mode == Mode::Shallow {
            self.find_needs(old);
        }
        let mut items = match self.mode {
            Mode::One => self.one(old),
            Mode::Reachable | Mode::Shallow => self.all(old),
        };
        self.add_tags(&mut items);
        for item in &items {
            if let Some(record) = self.btf.record(item.old) {
                record.check_roles()?;
            }
        }
        let result = self.put(&mut items);
        if result.is_err() {
            self.builder.undo();
            let gone = self.builder.strings.end();
            self.copies.sources.iter_mut().for_each(|source| source.strings.forget(gone));
            for item in items.iter().rev() {
                *self.copied(item.old) = item.before;
            }
        }
        result.map(|()| self.new_id(old))
    }

    /// The type, if it was not copied, and declarations of those that it refers
    /// to.
    fn one(&mut self, old: u32) -> Vec<Item> {
        if self.is_whole(old) {
            return Vec::new();
        }
        let mut items = vec![self.item(old, Form::Whole)];
        let mut referred = Vec::new();
        self.references(old, |id| referred.push(id));
        referred.sort_unstable();
        referred.dedup();
        for id in referred {
            if id >= self.chain.first_id && id != old && self.copied(id).id == 0 {
                items.push(self.item(id, Form::Declared));
            }
        }
        items
    }

    /// All types that are needed and were not copied, after those that they
    /// refer to.
    fn all(&mut self, old: u32) -> Vec<Item> {
        let walk = self.next_walk();
        let mut pending = vec![Visit::Enter(old)];
        let mut items = Vec::new();
        while let Some(visit) = pending.pop() {
            let old = match visit {
                Visit::Leave(old) => {
                    items.push(self.item(old, Form::Whole));
                    continue;
                }
                Visit::Enter(old) => old,
            };
            if old < self.chain.first_id || std::mem::replace(&mut self.copied(old).seen, walk) == walk {
                continue;
            }
            match self.form(old) {
                None => continue,
                Some(Form::Whole) => {}
                Some(form) => {
                    items.push(self.item(old, form));
                    continue;
                }
            }
            pending.push(Visit::Leave(old));
            let first = pending.len();
            self.references(old, |id| pending.push(Visit::Enter(id)));
            // The last that is pushed comes first.
            pending.get_mut(first..).unwrap_or_default().reverse();
        }
        items
    }

    /// In what form a type is to be copied; `None` if there is a copy that does.
    fn form(&mut self, old: u32) -> Option<Form> {
        let copied = *self.copied(old);
        if copied.is_closed {
            return None;
        }
        if self.mode == Mode::Reachable {
            return Some(Form::Whole);
        }
        let is_pointed_to = copied.need != Need::Size;
        let is_fwd = is_pointed_to && self.is_named_composite(old);
        if copied.shallow != 0 && (copied.is_sized || is_pointed_to) || is_fwd && copied.fwd != 0 {
            return None;
        }
        Some(if is_fwd { Form::Fwd } else { Form::Whole })
    }

    /// Finds out what each type is needed for.
    fn find_needs(&mut self, old: u32) {
        let walk = self.next_walk();
        let mut pending = vec![(old, Need::Size)];
        while let Some((old, need)) = pending.pop() {
            if old < self.chain.first_id {
                continue;
            }
            let copied = self.copied(old);
            let known = if copied.seen == walk { copied.need } else { Need::Nothing };
            if known >= need {
                continue;
            }
            (copied.seen, copied.need) = (walk, need);
            let Some(record) = self.btf.record(old) else { continue };
            let need = match record.kind() {
                Some(Kind::Ptr) => Need::Name,
                Some(Kind::Typedef | Kind::Const | Kind::Volatile | Kind::Restrict | Kind::TypeTag) => need,
                Some(Kind::Struct | Kind::Union) if need == Need::Name && record.head().name_off() != 0 => continue,
                // Parameters and elements need a size.
                _ => Need::Size,
            };
            references(&record, |id| pending.push((id, need)));
        }
    }

    fn next_walk(&mut self) -> u32 {
        self.copies.walks = self.copies.walks.wrapping_add(1);
        self.copies.walks
    }

    /// Adds the tags of the types that are copied, unless this copy of the type has
    /// them.
    fn add_tags(&mut self, items: &mut Vec<Item>) {
        let sources = self.chain.sources.iter().filter_map(|&number| self.copies.sources.get(number));
        let tagging: Vec<Btf> =
            sources.filter(|source| source.has_decl_tags).map(|source| source.layer.clone()).collect();
        if tagging.is_empty() {
            return;
        }
        // A tag may be what is copied, or lead to it.
        let mut seen: HashSet<u32> = items.iter().map(|item| item.old).collect();
        for index in 0..items.len() {
            let Some(&Item { old, form: Form::Whole, before }) = items.get(index) else { continue };
            // Those of a copy that gives way to this one stay on it.
            let is_again = self.mode == Mode::Shallow && before.shallow != 0;
            let Ok(ty) = self.btf.type_by_id(old) else { continue };
            for tag in tagging.iter().flat_map(|layer| layer.all_decl_tags_of(ty)) {
                let copied = *self.copied(tag.id());
                let is_copied = match self.mode {
                    Mode::Shallow => copied.shallow != 0 && !is_again,
                    Mode::One | Mode::Reachable => self.is_whole(tag.id()),
                };
                if !is_copied && !copied.is_closed && seen.insert(tag.id()) {
                    items.push(self.item(tag.id(), Form::Whole));
                }
            }
        }
    }

    /// Gives ids to what is copied, and puts it.
    fn put(&mut self, items: &mut [Item]) -> Result<(), Error> {
        let mut next = self.builder.type_count();
        for item in &*items {
            let mode = self.mode;
            let copied = self.copied(item.old);
            let id = match (mode, item.form) {
                (Mode::Shallow, Form::Fwd) => &mut copied.fwd,
                (Mode::Shallow, _) => {
                    // A copy that cannot be part of a struct gives way to one
                    // that can.
                    if item.before.shallow != 0 && item.before.shallow == copied.shallow {
                        copied.shallow = 0;
                    }
                    &mut copied.shallow
                }
                _ => &mut copied.id,
            };
            if *id == 0 {
                *id = next;
                next = next.checked_add(1).ok_or(Error::TooLarge { what: "types" })?;
            }
        }
        let mut records = Vec::with_capacity(items.len());
        for item in &*items {
            let start = self.builder.position();
            let new = match item.form {
                Form::Declared => continue,
                Form::Fwd => self.put_fwd(item.old)?,
                Form::Whole if self.is_defined(item.old) => continue,
                Form::Whole => self.put_whole(item.old)?,
            };
            records.push((new, start));
        }
        self.builder.commit_all(next, &records);
        let mode = self.mode;
        for item in &*items {
            let copied = self.copied(item.old);
            match mode {
                Mode::One => {}
                Mode::Reachable => copied.is_closed = true,
                // (Tags are not needed for anything.)
                Mode::Shallow => copied.is_sized = item.form == Form::Whole && item.before.need != Need::Name,
            }
        }
        Ok(())
    }

    fn put_whole(&mut self, old: u32) -> Result<u32, Error> {
        let new = self.new_id(old);
        if let Some(record) = self.btf.record(old) {
            let Self { builder, copies, chain, mode, .. } = self;
            builder.put_rewritten(record.as_bytes(), |table, field, value| match field.holds {
                Word::Id => Ok(new_id(copies, chain, *mode, value)),
                _ => string(copies, chain, value, table),
            })?;
        }
        Ok(new)
    }

    fn put_fwd(&mut self, old: u32) -> Result<u32, Error> {
        let new = self.copied(old).fwd;
        if let Some(record) = self.btf.record(old) {
            let info = Info::of(Kind::Fwd).with_kind_flag(record.kind() == Some(Kind::Union));
            let fwd = TypeRecord::new(record.head().name_off(), info.word(), 0);
            let Self { builder, copies, chain, .. } = self;
            builder.put_rewritten(fwd.as_bytes(), |table, _, value| string(copies, chain, value, table))?;
        }
        Ok(new)
    }

    fn item(&mut self, old: u32, form: Form) -> Item {
        Item { old, form, before: *self.copied(old) }
    }

    fn new_id(&self, old: u32) -> u32 {
        new_id(self.copies, self.chain, self.mode, old)
    }

    fn is_whole(&mut self, old: u32) -> bool {
        let id = self.copied(old).id;
        id != 0 && self.builder.is_defined(id)
    }

    /// Returns whether the id that a type has been given has a definition.
    fn is_defined(&mut self, old: u32) -> bool {
        let new = self.new_id(old);
        self.builder.is_defined(new)
    }

    fn is_named_composite(&self, old: u32) -> bool {
        let record = self.btf.record(old);
        record.is_some_and(|record| {
            matches!(record.kind(), Some(Kind::Struct | Kind::Union)) && record.head().name_off() != 0
        })
    }

    fn references(&self, old: u32, visit: impl FnMut(u32)) {
        if let Some(record) = self.btf.record(old) {
            references(&record, visit);
        }
    }

    fn copied(&mut self, old: u32) -> &mut Copied {
        let Copies { sources, nothing, .. } = &mut *self.copies;
        let number = self.chain.source_of_id(sources, old);
        let source = number.and_then(|number| sources.get_mut(number));
        let copied = source.and_then(|source| source.types.get_mut((old - source.first_id) as usize));
        debug_assert!(copied.is_some(), "types of the base are not copied: {old}");
        copied.unwrap_or(nothing)
    }
}

impl Chain {
    /// The number of the source that owns an id.
    fn source_of_id(&self, sources: &[Source], id: u32) -> Option<usize> {
        let is_below = |&number: &usize| sources.get(number).is_some_and(|source| source.first_id <= id);
        self.sources.get(self.sources.partition_point(is_below).checked_sub(1)?).copied()
    }

    fn source_of_string(&self, sources: &[Source], offset: u32) -> Option<usize> {
        let is_below = |&number: &usize| sources.get(number).is_some_and(|source| source.strings.first() <= offset);
        self.sources.get(self.sources.partition_point(is_below).checked_sub(1)?).copied()
    }
}

/// The id of the copy of a type.
fn new_id(copies: &Copies, chain: &Chain, mode: Mode, old: u32) -> u32 {
    if old < chain.first_id {
        return old;
    }
    let source = chain.source_of_id(&copies.sources, old).and_then(|number| copies.sources.get(number));
    let copied = source.and_then(|source| source.types.get((old - source.first_id) as usize));
    copied.map_or(0, |copied| match mode {
        Mode::Shallow if copied.is_closed => copied.id,
        Mode::Shallow if copied.shallow != 0 => copied.shallow,
        Mode::Shallow => copied.fwd,
        Mode::One | Mode::Reachable => copied.id,
    })
}

/// The offset of the copy of a string.
fn string(copies: &mut Copies, chain: &Chain, old: u32, table: &mut StringTable) -> Result<u32, Error> {
    if old < chain.first_string {
        return Ok(old);
    }
    let number = chain.source_of_string(&copies.sources, old);
    match number.and_then(|number| copies.sources.get_mut(number)) {
        Some(Source { layer, strings, .. }) => strings.map(layer, old, table),
        None => Ok(0),
    }
}

/// Calls `visit` with each id in a record.
fn references(record: &Record<'_>, mut visit: impl FnMut(u32)) {
    record.for_each_field(|field, value| {
        if field.holds == Word::Id {
            visit(value);
        }
    });
}
