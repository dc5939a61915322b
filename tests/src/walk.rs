//! Makes all queries of BTF, ELF files and BPF objects.

use btf_elf::{BpfObject, DataKind, Elf, Holds, Instruction, Limits, Section};
use btf_types::{AnyEnum, Btf, Composite, Type, View};

/// Returns a type as text: kind, name, size, members, and kind and name of each type
/// that it refers to.
#[must_use]
pub fn describe(ty: Type<'_>) -> String {
    let mut text = format!("{:?} {:?} {:?}", ty.kind(), ty.name(), ty.size_of().ok());
    for reference in ty.references() {
        text += &format!(" {:?} {}", reference.kind(), reference.name());
    }
    let members = match ty {
        Type::Struct(s) => s.members(),
        Type::Union(u) => u.members(),
        _ => return text,
    };
    for member in members {
        text += &format!(" {} {:?}", member.name(), member.encoded());
    }
    text
}

/// Reads all contents of all own types, and returns a hash of them. Must not panic
/// for any BTF that can be opened.
#[must_use]
pub fn everything(btf: &Btf) -> u64 {
    let mut sum = Sum(0);
    assert_eq!(btf.types().len(), btf.own_ids().len());
    for (ty, id) in btf.types().zip(btf.own_ids()) {
        assert_eq!(ty.id(), id);
        assert_eq!(btf.type_by_id(id), Ok(ty));
        sum.ty(ty);
    }
    assert!(btf.types().rev().eq(btf.own_ids().rev().filter_map(|id| btf.type_by_id(id).ok())));
    assert!(btf.type_by_id(btf.type_count()).is_err());
    assert!(btf.type_by_id(u32::MAX).is_err());
    sum.0
}

/// Makes the queries that may be slow for the first `most` own types: walks through
/// the type graph, and look-ups by name.
pub fn questions(btf: &Btf, most: usize) {
    for ty in btf.types().take(most) {
        let align = ty.align_of();
        assert!(align.as_ref().map_or(true, |align| align.is_power_of_two()), "{ty:?}");
        let _ = format!("{} {align:?} {:?} {:?}", ty, ty.size_of(), ty.resolve());
        let _ = ty.declare("name").to_string();
        assert!(ty.chain().count() <= 64);
        let references = ty.references().count();
        assert!(ty.references().all(|reference| reference.id() < btf.type_count()));
        let reachable = ty.post_order().count();
        assert!(reachable >= 1 && (references == 0) <= (reachable == 1), "{ty:?}");
        assert_eq!(ty.post_order().last(), Some(ty));
        let _ = (ty.find_member("next"), ty.path("next[0].next->next"), ty.path("[1]"));
        assert_eq!(btf.record(ty.id()).map(|record| record.offset()), ty.record().map(|record| record.offset()));
        if let Some(composite) = Composite::of(ty) {
            assert!(composite.leaf_members().take(10_000).all(|leaf| leaf.is_ok() || composite.members().len() > 0));
        }
        if let Some(value) =
            AnyEnum::of(ty).and_then(|view| view.values().next()).filter(|value| !value.name().is_empty())
        {
            assert!(btf.find_all_enumerators(value.name()).contains(&value), "{value:?} is found by its name");
        }
        match ty {
            Type::Struct(s) => {
                let _ = (s.is_packed(), s.padding());
                for hole in s.holes() {
                    assert!(hole.bits > 0);
                }
            }
            Type::Union(u) => {
                let _ = (u.is_packed(), u.padding());
            }
            _ => {}
        }
        let _ = ty.decl_tags().count();
        assert_eq!(ty.is_anonymous(), ty.name().is_empty());
        if !ty.is_anonymous() {
            let name = ty.name();
            let all = btf.find_all::<Type<'_>>(name);
            assert!(all.contains(&ty), "{ty:?} is found by its name");
            assert!(btf.find_own::<Type<'_>>(name).contains(&ty));
            let first = btf.find_first::<Type<'_>>(name);
            assert_eq!(first.map(Type::id), all.iter().map(|ty| ty.id()).min(), "the lowest id");
            assert_eq!(btf.find::<Type<'_>>(name).is_ok(), btf.find_own::<Type<'_>>(name).len() == 1);
            assert!(btf.find_flavors::<Type<'_>>(name.essential()).contains(&ty));
        }
    }
}

struct Sum(u64);

impl Sum {
    fn add(&mut self, value: impl Into<u64>) {
        self.0 = self.0.wrapping_mul(31).wrapping_add(value.into());
    }

    fn text(&mut self, text: &str) {
        text.bytes().for_each(|byte| self.add(byte));
    }

    /// Adds the id and name of a referenced type, but not its contents.
    fn reference(&mut self, ty: Type<'_>) {
        self.add(ty.id());
        self.text(&ty.name().to_string());
    }

    fn ty(&mut self, ty: Type<'_>) {
        self.reference(ty);
        self.text(&format!("{ty:?}"));
        match ty {
            Type::Int(int) => {
                self.add(int.size());
                self.add(int.bits());
                self.add(int.bit_offset());
                self.add(int.encoding().bits());
            }
            Type::Array(array) => {
                self.reference(array.element());
                self.reference(array.index());
                self.add(array.nelems());
            }
            Type::Struct(s) => self.composite(s.size(), s.members()),
            Type::Union(u) => self.composite(u.size(), u.members()),
            Type::Enum(e) => {
                self.add(e.size());
                e.values().for_each(|value| self.text(&format!("{value:?}")));
            }
            Type::Enum64(e) => {
                self.add(e.size());
                e.values().for_each(|value| self.text(&format!("{value:?}")));
            }
            Type::Func(func) => {
                self.reference(func.proto().into());
                self.text(&func.linkage().to_string());
                assert!(func.params().map(btf_types::Param::ty).eq(func.proto().params().map(btf_types::Param::ty)));
                self.add(func.params().map(|param| func.param_tags(param.index()).count()).sum::<usize>() as u64);
            }
            Type::FuncProto(proto) => {
                self.reference(proto.return_type());
                self.add(proto.params().len() as u64);
                self.add(proto.is_variadic());
                for param in proto.params() {
                    self.reference(param.ty());
                    self.text(&format!("{param:?}"));
                }
            }
            Type::Datasec(section) => {
                self.add(section.size());
                for entry in section.entries() {
                    self.reference(entry.ty());
                    self.text(&format!("{entry:?}"));
                }
            }
            Type::Float(float) => self.add(float.size()),
            Type::Ptr(view) => self.reference(view.target()),
            Type::Typedef(view) => self.reference(view.target()),
            Type::Volatile(view) => self.reference(view.target()),
            Type::Const(view) => self.reference(view.target()),
            Type::Restrict(view) => self.reference(view.target()),
            Type::TypeTag(view) => self.reference(view.target()),
            Type::DeclTag(view) => {
                self.reference(view.target());
                self.add(view.component_idx().unwrap_or(u32::MAX));
                self.add(view.is_attribute());
            }
            Type::Fwd(fwd) => self.text(&fwd.declares().to_string()),
            Type::Var(var) => {
                self.reference(var.ty());
                self.text(&var.linkage().to_string());
            }
            Type::Unknown(unknown) => self.add(unknown.kind_number()),
            _ => {}
        }
    }

    fn composite(&mut self, size: u32, members: btf_types::Members<'_>) {
        self.add(size);
        self.add(members.len() as u64);
        assert_eq!(members.clone().rev().count(), members.len());
        for member in members {
            self.reference(member.ty());
            self.add(member.bit_offset());
            self.add(member.bitfield_size().unwrap_or(0));
            self.add(member.decl_tags().count() as u64);
            self.text(&format!("{member:?}"));
        }
    }
}

/// Makes all queries of an ELF file of `len` bytes.
///
/// # Panics
///
/// If two answers contradict each other.
pub fn elf(elf: &Elf, len: usize) {
    assert!(elf.sections().len() * 40 <= len);
    // Compressed sections count with their decompressed size.
    let most = match elf.sections().any(Section::is_compressed) {
        true => len + (Limits::RATIO_FROM as usize).max(len * Limits::IMAGE.max_ratio() as usize),
        false => len,
    };
    for section in elf.sections() {
        let name = section.name();
        assert!(elf.section(name).is_none_or(|first| first.index() <= section.index()));
        if let Ok(data) = section.data() {
            assert!(section.is_compressed() || data.len() <= len);
        }
        if let Ok(relocations) = section.relocations() {
            assert!(relocations.len() * 8 <= most);
            assert!(relocations.iter().is_sorted_by_key(btf_elf::Relocation::offset));
            let _ = relocations.iter().map(|relocation| relocation.name().as_bytes().len()).max();
        }
    }
    if let Ok(symbols) = elf.symbols() {
        assert!(symbols.len() * 16 <= most);
        for symbol in symbols {
            let _ = (symbol.name(), symbol.section().map(Section::name), symbol.offset(), symbol.is_hidden());
        }
    }
    if let Ok(Some(ids)) = elf.btf_ids() {
        let in_sets: usize = ids.sets().map(|set| set.ids().len()).sum();
        assert!(in_sets <= ids.as_words().len());
    }
    if let Ok(btf) = elf.btf() {
        assert_eq!(btf.byte_order(), elf.byte_order());
        let _ = elf.btf_ext(&btf);
        if let Ok(fixup) = elf.datasec_fixups(&btf) {
            assert_eq!(fixup.btf().is_err(), fixup.faults().next().is_some() || fixup.btf_lenient().is_err());
            if let Ok(fixed) = fixup.btf_lenient() {
                assert!(fixed.type_count() - btf.type_count() <= 1, "but for the dummy, ids stay");
                assert_eq!(fixed.byte_order(), btf.byte_order());
            }
        }
    }
}

/// Makes all queries of a BPF object.
///
/// # Panics
///
/// If two answers contradict each other.
pub fn object(object: &BpfObject) {
    let _ = object.license();
    let _ = object.btf_ext().map(|ext| ext.map_or(0, |ext| ext.func_infos().count()));
    for program in object.programs() {
        if let Ok(instructions) = program.instructions() {
            assert_eq!(instructions.len() * Instruction::SIZE, instructions.as_bytes().len());
            let order = object.elf().byte_order();
            let again: Vec<u8> = instructions.iter().flat_map(|instruction| instruction.to_bytes(order)).collect();
            assert_eq!(again, instructions.as_bytes());
            assert_eq!(instructions.at(0), instructions.iter().next());
        }
        if let Ok(functions) = program.functions() {
            assert!(functions.is_sorted_by_key(|function| function.offset()));
        }
    }
    if let Ok(maps) = object.maps() {
        assert!(maps.is_sorted_by_key(btf_elf::Map::offset));
        for map in &maps {
            assert!(map.values().is_empty() || map.holds().is_some());
            if let Some(Holds::Maps(inner)) = map.holds() {
                assert!(inner.holds().is_none());
            }
        }
    }
    for section in object.data_sections() {
        let _ = section.contents();
        if let Ok(variables) = section.variables() {
            let variables: Vec<_> = variables.collect();
            assert_eq!(variables.len(), section.datasec().entries().len());
            assert!(variables.is_sorted_by_key(|variable| variable.offset()) || section.kind() == DataKind::Other);
        }
    }
}
