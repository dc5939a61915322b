//! Writing BTF with fixed-up DATASECs.

use std::collections::{BTreeMap, BTreeSet};

use btf_types::{
    Btf, Kind, Linkage, Type,
    format::{self, Assembly, Data, Info, Param, RawBtf, Record, TypeRecord, VarSecinfo},
};

use super::layout::{DatasecLayout, Extern};
use crate::Error;

/// Name of the variable that replaces the functions in `.ksyms`, and of their
/// unnamed parameters.
const DUMMY: &[u8] = b"dummy_ksym";

/// Writer of BTF with fixed-up DATASECs.
pub(super) struct Writer<'a> {
    btf: &'a Btf,
    datasecs: BTreeMap<u32, &'a DatasecLayout>,
    /// New linkage of VARs, and the new type of those in `.ksyms`.
    vars: BTreeMap<u32, (Linkage, Option<u32>)>,
    /// FUNCs in `.ksyms`.
    funcs: BTreeSet<u32>,
    /// Prototypes of `funcs`.
    protos: BTreeSet<u32>,
    /// Type of [`DUMMY`], if there are such FUNCs.
    dummy_type: Option<u32>,
    /// Output: the type section, and strings to append to the original ones.
    types: Vec<u8>,
    more_strings: Vec<u8>,
}

impl<'a> Writer<'a> {
    pub(super) fn new(btf: &'a Btf, datasecs: BTreeMap<u32, &'a DatasecLayout>) -> Self {
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

    pub(super) fn write(mut self) -> Result<Btf, Error> {
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

    /// Adds the name [`DUMMY`] and returns its offset.
    fn dummy_name(&mut self) -> u32 {
        self.more_strings.extend_from_slice(DUMMY);
        self.more_strings.push(0);
        self.btf.string_len()
    }

    /// Writes a record with its changes. `dummy` is the id, name and type of
    /// the variable that replaces functions.
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
                // A linkage always fits into vlen.
                let info = head.info().with_vlen(Linkage::Global.into()).unwrap_or(head.info());
                self.put(TypeRecord::new(head.name_off(), info.word(), head.size_or_type()).as_bytes());
            }
            _ => self.put(record.as_bytes()),
        }
    }

    /// Returns the whole blob in native byte order.
    fn blob(&self, raw: &RawBtf<'_>) -> Result<Vec<u8>, format::Error> {
        let layout = self.btf.as_bytes().get(raw.header().layout()).unwrap_or_default();
        let strings = [raw.strings().as_bytes(), &self.more_strings].concat();
        let mut blob = Vec::with_capacity(self.btf.as_bytes().len() + self.types.len());
        Assembly::new(&self.types, &strings).layout(layout).write(|part| blob.extend_from_slice(part))?;
        Ok(blob)
    }
}
