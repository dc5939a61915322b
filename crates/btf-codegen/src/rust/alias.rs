//! Typedefs, and the check for cycles in them.

use btf_types::{Type, Typedef};

use super::{
    generator::{Generator, put},
    naming::NAME,
};
use crate::Error;

/// The type has not been visited.
const NEW: u8 = 0;
/// The target is being visited.
const OPEN: u8 = 1;
/// The target does not lead back.
const DONE: u8 = 2;

impl<'btf> Generator<'btf, '_> {
    /// Writes a typedef.
    pub(super) fn alias(&mut self, typedef: Typedef<'btf>) -> Result<(), Error> {
        let name = self.name_of(typedef.into());
        self.put("    /// Typedef: ");
        self.put_declaration(typedef.target(), typedef.as_type().name_start(NAME), None);
        put!(self, "\n    pub type {name} = ");
        self.put_any_type(typedef.target(), 0)?;
        self.put(";\n\n");
        Ok(())
    }

    /// Rejects typedefs that refer to themselves, other than through a struct or union.
    pub(super) fn refuse_cycles(&mut self) -> Result<(), Error> {
        let mut states = vec![NEW; self.btf.type_count() as usize];
        for ty in self.selection.types.clone() {
            if matches!(ty, Type::Typedef(_)) {
                self.refuse_cycle(ty, &mut states)?;
            }
        }
        Ok(())
    }

    fn refuse_cycle(&mut self, start: Type<'btf>, states: &mut [u8]) -> Result<(), Error> {
        self.current = start;
        let mut open = vec![Visit::Enter(start)];
        while let Some(visit) = open.pop() {
            self.step()?;
            let (Visit::Enter(ty) | Visit::Leave(ty)) = visit;
            let Some(state) = states.get_mut(ty.id() as usize) else { continue };
            match (visit, *state) {
                (Visit::Leave(_), _) => *state = DONE,
                (Visit::Enter(_), NEW) => {
                    *state = OPEN;
                    open.push(Visit::Leave(ty));
                    match ty {
                        Type::FuncProto(proto) => {
                            open.push(Visit::Enter(proto.return_type()));
                            open.extend(proto.params().map(|param| Visit::Enter(param.ty())));
                        }
                        Type::Array(array) => open.push(Visit::Enter(array.element())),
                        _ => open.extend(ty.target().map(Visit::Enter)),
                    }
                }
                (Visit::Enter(_), OPEN) => return Err(Error::Cycle { ty: ty.into() }),
                (Visit::Enter(_), _) => {}
            }
        }
        Ok(())
    }
}

/// A step of the walk over the types in the spelling of a type.
#[derive(Clone, Copy)]
enum Visit<'btf> {
    Enter(Type<'btf>),
    Leave(Type<'btf>),
}
