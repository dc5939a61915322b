//! `btf find --uses`: uses of a type in members, pointers, and functions that
//! take or return it.

use std::collections::{HashMap, HashSet};

use btf_types::{Composite, FuncProto, Member, Name, Type, View};

/// Maximum length of a chain of pointers, arrays, qualifiers and typedefs.
const HOPS: usize = 64;

/// Use of a type.
#[derive(Clone, Copy)]
pub(super) struct Use<'btf> {
    /// Declaration with the use.
    pub(super) of: Type<'btf>,
    pub(super) part: Part<'btf>,
    /// Type as it is used.
    pub(super) ty: Type<'btf>,
}

/// Part of a declaration that uses a type.
#[derive(Clone, Copy)]
pub(super) enum Part<'btf> {
    Member(Member<'btf>),
    Parameter {
        index: usize,
        name: Name<'btf>,
    },
    Return,
    /// The whole declaration: a typedef or variable.
    Whole,
}

impl Part<'_> {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Member(_) => "member",
            Self::Parameter { .. } => "parameter",
            Self::Return => "return",
            Self::Whole => "declaration",
        }
    }
}

/// Search for uses of some types.
pub(super) struct Uses {
    targets: HashSet<u32>,
    /// Results by id of the prototype: `true` if it uses a target. Many
    /// declarations may share a prototype.
    protos: HashMap<u32, bool>,
}

impl Uses {
    pub(super) fn of(targets: HashSet<u32>) -> Self {
        Self { targets, protos: HashMap::new() }
    }

    /// Yields the uses in a declaration.
    pub(super) fn each<'btf, E>(
        &mut self,
        of: Type<'btf>,
        mut each: impl FnMut(Use<'btf>) -> Result<(), E>,
    ) -> Result<(), E> {
        match of {
            Type::Struct(_) | Type::Union(_) => {
                for member in Composite::of(of)
                    .into_iter()
                    .flat_map(Composite::members)
                    .filter(|member| self.is_used_by(member.ty()))
                {
                    each(Use { of, part: Part::Member(member), ty: member.ty() })?;
                }
                Ok(())
            }
            Type::Func(func) => {
                let returned = func.proto().return_type();
                if self.is_used_by(returned) {
                    each(Use { of, part: Part::Return, ty: returned })?;
                }
                for (index, param) in func.params().enumerate().filter(|(_, param)| self.is_used_by(param.ty())) {
                    each(Use { of, part: Part::Parameter { index, name: param.name() }, ty: param.ty() })?;
                }
                Ok(())
            }
            Type::Var(var) if self.is_used_by(var.ty()) => each(Use { of, part: Part::Whole, ty: var.ty() }),
            Type::Typedef(typedef) if self.is_used_by(typedef.target()) => {
                each(Use { of, part: Part::Whole, ty: typedef.target() })
            }
            _ => Ok(()),
        }
    }

    /// Returns `true` if a type is a target, or refers to one.
    fn is_used_by(&mut self, ty: Type<'_>) -> bool {
        match self.follow(ty) {
            End::Target => true,
            End::Proto(proto) => match self.protos.get(&proto.id()) {
                Some(known) => *known,
                None => {
                    let mut types = proto.params().map(btf_types::Param::ty).chain([proto.return_type()]);
                    let uses = types.any(|ty| matches!(self.follow(ty), End::Target));
                    self.protos.insert(proto.id(), uses);
                    uses
                }
            },
            End::Other => false,
        }
    }

    fn follow<'btf>(&self, ty: Type<'btf>) -> End<'btf> {
        let mut next = ty;
        for _ in 0..HOPS {
            if self.targets.contains(&next.id()) && !matches!(next, Type::Void) {
                return End::Target;
            }
            next = match next {
                Type::FuncProto(proto) => return End::Proto(proto),
                Type::Array(array) => array.element(),
                Type::Ptr(_)
                | Type::Const(_)
                | Type::Volatile(_)
                | Type::Restrict(_)
                | Type::TypeTag(_)
                | Type::Typedef(_) => match next.target() {
                    Some(target) => target,
                    None => return End::Other,
                },
                _ => return End::Other,
            };
        }
        End::Other
    }
}

/// The end of a chain of types.
enum End<'btf> {
    Target,
    Proto(FuncProto<'btf>),
    Other,
}
