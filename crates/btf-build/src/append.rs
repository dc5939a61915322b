//! Appending one BTF to another, and merging many into one.

use btf_types::{Btf, BtfExt, Remap, RemapBuilder, format::Word};

use crate::{
    Builder, Error,
    layer_places::LayerPlaces,
    layers::{Layers, own_strings},
    string_map::StringMap,
    string_table::StringTable,
};

impl Builder {
    /// Appends the own types of a BTF: all of them, or none after an error. New
    /// ids follow the existing ones. Names are stored unless the builder
    /// already has them.
    ///
    /// The BTF is not split, or is split from the base of this builder, whose
    /// ids are unchanged. ([`Merge`] also takes BTF that is split from what was
    /// added before.)
    ///
    /// Equal types are not searched for, and each name is looked up once, so
    /// that the cost depends only on the size of the appended BTF.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_build::Error> {
    /// use btf_build::{Builder, IntEncoding};
    ///
    /// let mut a = Builder::new();
    /// a.int("int", 4, IntEncoding::SIGNED)?;
    /// let a = a.finish()?;
    ///
    /// let mut both = Builder::new();
    /// both.float("double", 8)?;
    /// let ids = both.append(&a)?;
    /// assert_eq!(ids.id(1), Some(2));
    /// assert_eq!(both.finish()?.types().count(), 2);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::OtherBase`] if it is split from another base;
    /// [`Error::ByteOrder`]; [`Error::Format`] if it has a type of an unknown
    /// kind; [`Error::TooLarge`].
    pub fn append(&mut self, btf: &Btf) -> Result<Remap, Error> {
        append(self, btf, None, &mut AddedLayers::default()).map(|(_, remap)| remap)
    }

    /// Appends the own types of the BTF of an object, as [`Builder::append`]
    /// does, and the strings that its `.BTF.ext` refers to: names of sections
    /// and files, source lines, access strings. The resulting
    /// [`Remap::remap_ext`] rewrites the `.BTF.ext`.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_build::Error> {
    /// use btf_build::{Builder, IntEncoding};
    /// use btf_types::BtfExt;
    ///
    /// # // A function `f` in the section "tc", and nothing else.
    /// # let mut b = Builder::new();
    /// # let proto = b.func_proto(0).finish()?;
    /// # let f = b.func("f", btf_types::Linkage::Global, proto)?;
    /// # let tc = b.string("tc")?;
    /// # let btf = b.finish()?;
    /// # let words = [0x1_eb9f, 24, 0, 20, 20, 0, 8, tc, 1, 0, f];
    /// # let words = words.map(|word: u32| word.to_le_bytes());
    /// # let ext = BtfExt::parse(words.concat(), &btf)?;
    /// # let mut b = Builder::new().byte_order(btf_types::ByteOrder::Little);
    /// # if cfg!(target_endian = "big") { return Ok(()) }
    /// b.int("int", 4, IntEncoding::SIGNED)?;
    /// let remap = b.append_with_ext(&btf, &ext)?;
    /// let all = b.finish()?;
    /// let ext = remap.remap_ext(&ext, &all)?;
    /// assert_eq!(ext.func_infos().next().unwrap().func().name(), "f");
    /// assert!(ext.section("tc").is_some());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`Builder::append`]; [`Error::OtherExt`] if the `.BTF.ext` was not
    /// opened with this BTF.
    pub fn append_with_ext(&mut self, btf: &Btf, ext: &BtfExt) -> Result<Remap, Error> {
        append(self, btf, Some(ext), &mut AddedLayers::default()).map(|(_, remap)| remap)
    }
}

/// Merges a base and BTF that is split from it into one BTF.
///
/// Each BTF is appended as by [`Builder::append`]. Split BTF is added after its
/// base. It then refers to the types that its base has become, which are not
/// duplicated.
///
/// This is not a linker: equal types of several modules stay separate, and so
/// do DATASECs of the same name.
///
/// ```
/// # fn main() -> Result<(), btf_build::Error> {
/// use btf_build::{Builder, IntEncoding, Merge};
/// use btf_types::Struct;
///
/// let mut b = Builder::new();
/// let int = b.int("int", 4, IntEncoding::SIGNED)?;
/// let vmlinux = b.finish()?;
/// let mut b = Builder::on(&vmlinux);
/// b.structure("peer", 4).member("id", int, 0).finish()?;
/// let module = b.finish()?;
///
/// let mut merge = Merge::new();
/// merge.add(&vmlinux)?;
/// merge.add(&module)?;
/// let one = merge.finish()?;
/// assert!(!one.is_split());
/// let peer: Struct<'_> = one.find("peer")?;
/// assert_eq!(peer.members().next().unwrap().ty().to_string(), "int");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Merge {
    /// `None` before the first BTF, which determines the byte order.
    builder: Option<Builder>,
    added: AddedLayers,
}

/// BTF that was added.
#[derive(Debug)]
struct Added {
    btf: Btf,
    map: LayerMap,
}

/// All BTF that was added, in order.
#[derive(Debug, Default)]
struct AddedLayers {
    layers: Vec<Added>,
    places: LayerPlaces,
}

impl AddedLayers {
    fn push(&mut self, added: Added) {
        self.places.insert(&added.btf, self.layers.len());
        self.layers.push(added);
    }
}

impl Default for Merge {
    fn default() -> Self {
        Self::new()
    }
}

impl Merge {
    /// Merges into BTF that is not split.
    #[must_use]
    pub fn new() -> Self {
        Self { builder: None, added: AddedLayers::default() }
    }

    /// Merges into split BTF, so that BTF split from `base` stays so.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_build::Error> {
    /// # use btf_build::{Builder, IntEncoding};
    /// use btf_build::Merge;
    ///
    /// # let mut b = Builder::new();
    /// # let int = b.int("int", 4, IntEncoding::SIGNED)?;
    /// # let vmlinux = b.finish()?;
    /// # let module = |name: &str| {
    /// #     let mut b = Builder::on(&vmlinux);
    /// #     b.typedef(name, int)?;
    /// #     b.finish()
    /// # };
    /// # let (veth, vxlan) = (module("veth_t")?, module("vxlan_t")?);
    /// let mut merge = Merge::on(&vmlinux);
    /// merge.add(&veth)?;
    /// let ids = merge.add(&vxlan)?;
    /// let both = merge.finish()?;
    /// assert!(both.base().unwrap().is_same(&vmlinux));
    /// assert_eq!((both.own_ids(), ids.id(2)), (2..4, Some(3)));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn on(base: &Btf) -> Self {
        Self { builder: Some(Builder::on(base)), added: AddedLayers::default() }
    }

    /// Appends the own types of a BTF, and returns their new ids.
    ///
    /// # Errors
    ///
    /// As for [`Builder::append`]; [`Error::OtherBase`] if its base was neither
    /// added before nor given to [`Merge::on`].
    pub fn add(&mut self, btf: &Btf) -> Result<Remap, Error> {
        self.append(btf, None)
    }

    /// Appends the own types of the BTF of an object, and the strings that its
    /// `.BTF.ext` refers to, as [`Builder::append_with_ext`] does.
    ///
    /// # Errors
    ///
    /// As for [`Merge::add`]; [`Error::OtherExt`] if the `.BTF.ext` was not opened
    /// with this BTF.
    pub fn add_with_ext(&mut self, btf: &Btf, ext: &BtfExt) -> Result<Remap, Error> {
        self.append(btf, Some(ext))
    }

    fn append(&mut self, btf: &Btf, ext: Option<&BtfExt>) -> Result<Remap, Error> {
        let builder = self.builder.get_or_insert_with(|| Builder::new().byte_order(btf.byte_order()));
        let (map, remap) = append(builder, btf, ext, &mut self.added)?;
        self.added.push(Added { btf: btf.clone(), map });
        Ok(remap)
    }

    /// Checks the result, and opens it.
    ///
    /// # Errors
    ///
    /// As for [`Builder::finish`].
    pub fn finish(self) -> Result<Btf, Error> {
        drop(self.added);
        self.builder.unwrap_or_default().finish()
    }
}

/// New places of the types and strings of a layer.
#[derive(Debug)]
struct LayerMap {
    first_id: u32,
    new_first_id: u32,
    strings: StringMap,
}

impl LayerMap {
    fn id(&self, id: u32) -> u32 {
        id - self.first_id + self.new_first_id
    }

    /// Adds the new places of the layer's own ids and strings.
    fn add_to(&self, layer: &Btf, remap: &mut RemapBuilder) {
        remap.push_ids(layer.own_ids(), self.new_first_id);
        self.strings.for_each(layer, |old, new| remap.push_strings(old, new));
    }
}

/// Layers below one that is appended.
struct Below<'a> {
    /// Ids below this one are unchanged: those of the builder's base.
    first_id: u32,
    /// String offsets below this one are unchanged.
    first_string: u32,
    added: &'a mut AddedLayers,
    /// Indices of the layers below, from the lowest.
    chain: Vec<usize>,
}

impl<'a> Below<'a> {
    fn new(builder: &Builder, btf: &Btf, added: &'a mut AddedLayers) -> Result<Self, Error> {
        let (found, expected) = (btf.byte_order(), builder.target_byte_order());
        if found != expected {
            return Err(Error::ByteOrder { found, expected });
        }
        let mut below = Self { first_id: 1, first_string: 0, added, chain: Vec::new() };
        let base: Vec<&Btf> = builder.base().into_iter().flat_map(Btf::layers).collect();
        let height = btf.layers().count();
        for (depth, layer) in btf.layers().enumerate().skip(1) {
            // A shared layer has equally many layers below in both.
            let of_base = base.len().checked_sub(height - depth).and_then(|place| base.get(place));
            if of_base.is_some_and(|own| own.is_same(layer)) {
                below.first_id = layer.type_count();
                below.first_string = Layers::new(layer).strings_len();
                break;
            }
            let place = below.added.places.get(layer).ok_or(Error::OtherBase)?;
            below.chain.push(place);
        }
        below.chain.reverse();
        Ok(below)
    }

    /// Returns the new id of a type of a lower layer.
    fn id(&self, id: u32) -> u32 {
        if id < self.first_id {
            return id;
        }
        let is_below = |&place: &usize| self.added.layers.get(place).is_some_and(|added| added.map.first_id <= id);
        let owner = self.chain.partition_point(is_below).checked_sub(1).and_then(|place| self.chain.get(place));
        owner.and_then(|&place| self.added.layers.get(place)).map_or(id, |added| added.map.id(id))
    }

    /// Returns the new offset of a string of a lower layer.
    fn string(&mut self, offset: u32, table: &mut StringTable) -> Result<u32, Error> {
        if offset < self.first_string {
            return Ok(offset);
        }
        let is_below =
            |&place: &usize| self.added.layers.get(place).is_some_and(|added| added.map.strings.first() <= offset);
        let owner = self.chain.partition_point(is_below).checked_sub(1).and_then(|place| self.chain.get(place));
        match owner.and_then(|&place| self.added.layers.get_mut(place)) {
            Some(Added { btf, map }) => map.strings.map(btf, offset, table),
            None => Ok(offset),
        }
    }
}

/// Appends the own types of a BTF and the strings of its `.BTF.ext`: all or
/// nothing.
fn append(
    builder: &mut Builder,
    btf: &Btf,
    ext: Option<&BtfExt>,
    added: &mut AddedLayers,
) -> Result<(LayerMap, Remap), Error> {
    if ext.is_some_and(|ext| !ext.btf().is_same(btf)) {
        return Err(Error::OtherExt);
    }
    let mut below = Below::new(builder, btf, added)?;
    let before = builder.checkpoint();
    let result = append_layer(builder, btf, ext, &mut below);
    if result.is_err() {
        let strings = builder.roll_back(before);
        below.added.layers.iter_mut().for_each(|added| added.map.strings.forget(strings));
    }
    let map = result?;
    let mut remap = Remap::builder(below.first_id, below.first_string);
    for added in below.chain.iter().filter_map(|&place| below.added.layers.get(place)) {
        added.map.add_to(&added.btf, &mut remap);
    }
    map.add_to(btf, &mut remap);
    Ok((map, remap.finish()))
}

fn append_layer(
    builder: &mut Builder,
    btf: &Btf,
    ext: Option<&BtfExt>,
    below: &mut Below<'_>,
) -> Result<LayerMap, Error> {
    let first_id = btf.own_ids().start;
    let new_first_id = builder.type_count();
    let last_id = u64::from(new_first_id) + btf.own_ids().len() as u64;
    if last_id > u64::from(u32::MAX) {
        return Err(Error::TooLarge { what: "types" });
    }
    let first_string = btf.base().map_or(0, Btf::string_len);
    let mut map = LayerMap { first_id, new_first_id, strings: StringMap::new(btf, first_string) };
    // At most one name for each element of 8 bytes or more.
    let names = btf.type_section().len() / 8;
    builder.strings.reserve(map.strings.len().min(names), own_strings(btf).len());
    let mut change = |table: &mut StringTable, holds, value| match holds {
        Word::Id if value >= first_id => Ok(value - first_id + new_first_id),
        Word::Id => Ok(below.id(value)),
        _ if value >= first_string => map.strings.map(btf, value, table),
        _ => below.string(value, table),
    };
    builder.append_section(btf, |table, field, value| change(table, field.holds, value))?;
    if let Some(ext) = ext {
        builder.add_strings(ext, |table, value| change(table, Word::Name, value))?;
    }
    Ok(map)
}
