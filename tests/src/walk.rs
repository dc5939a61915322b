//! Asks BTF everything that can be asked.

use btf_types::{Btf, Type};

/// Goes through all own types of `btf` and everything they say, and sums it
/// up. Whatever was opened must survive this.
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

struct Sum(u64);

impl Sum {
    fn add(&mut self, value: impl Into<u64>) {
        self.0 = self.0.wrapping_mul(31).wrapping_add(value.into());
    }

    fn text(&mut self, text: &str) {
        text.bytes().for_each(|byte| self.add(byte));
    }

    /// A type that is referred to: its id and name, no further.
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
                self.add(int.encoding());
            }
            Type::Array(array) => {
                self.reference(array.element());
                self.reference(array.index());
                self.add(array.count());
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
            Type::Func(func) => self.reference(func.proto().into()),
            Type::FuncProto(proto) => {
                self.reference(proto.return_type());
                self.add(proto.params().len() as u64);
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
            Type::DeclTag(view) => self.reference(view.target()),
            Type::Var(var) => self.reference(var.ty()),
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
            self.add(member.bitfield_size());
            self.text(&format!("{member:?}"));
        }
    }
}
