//! Declarations to which decl tags apply.

use std::fmt;

use btf_types::{DeclTag, Kind, Name, Type};

/// Text of the declaration, member or parameter to which a tag applies.
pub(crate) struct Tagged<'btf>(pub(crate) DeclTag<'btf>);

impl fmt::Display for Tagged<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let target = self.0.target();
        if let Some(index) = self.0.component_idx() {
            let part = match target {
                Type::Func(_) | Type::FuncProto(_) => "parameter",
                _ => "member",
            };
            write!(f, "{part} {index} ")?;
            match component(self.0) {
                Some(name) if !name.is_empty() => write!(f, "({name}) of ")?,
                _ => f.write_str("of ")?,
            }
        }
        let kind = target.kind().map_or("type", Kind::as_str);
        match target.is_anonymous() {
            true => write!(f, "{kind} #{}", target.id()),
            false => write!(f, "{kind} {}", target.name()),
        }
    }
}

/// Returns the name of the tagged member or parameter.
pub(crate) fn component(tag: DeclTag<'_>) -> Option<Name<'_>> {
    let index = usize::try_from(tag.component_idx()?).ok()?;
    match tag.target() {
        Type::Struct(s) => s.members().nth(index).map(btf_types::Member::name),
        Type::Union(u) => u.members().nth(index).map(btf_types::Member::name),
        Type::Func(func) => func.params().nth(index).map(btf_types::Param::name),
        _ => None,
    }
}
