//! Root types: requested types, by name or id.

use btf_types::{AnyEnum, Btf, Composite, Fwd, Type, Typedef, View};

use crate::Error;

/// A requested type, which is written with its dependencies.
#[derive(Debug, Clone)]
pub(crate) enum Root {
    Id(u32),
    Name(String),
}

impl Root {
    /// Returns the types that some roots select.
    pub(crate) fn all<'btf>(roots: &[Self], btf: &'btf Btf) -> Result<Vec<Type<'btf>>, Error> {
        let mut types = Vec::with_capacity(roots.len());
        for root in roots {
            root.types(btf, &mut types)?;
        }
        Ok(types)
    }

    /// Adds the types that a root selects.
    fn types<'btf>(&self, btf: &'btf Btf, to: &mut Vec<Type<'btf>>) -> Result<(), Error> {
        let name = match self {
            Self::Id(id) => {
                let ty = btf.type_by_id(*id).map_err(|_| Error::NoSuchRoot { root: format!("#{id}") })?;
                to.push(ty);
                return Ok(());
            }
            Self::Name(name) => name,
        };
        let (word, bare) = match name.split_once(' ') {
            Some((word @ ("struct" | "union" | "enum" | "typedef"), bare)) => (Some(word), bare.trim_start()),
            _ => (None, name.as_str()),
        };
        let is_meant = |ty: &Type<'_>| keyword(*ty).is_some_and(|keyword| word.is_none_or(|word| word == keyword));
        let meant: Vec<_> = btf.layers().flat_map(|layer| definable(layer, bare)).filter(is_meant).collect();
        // A definition makes forward declarations superfluous.
        let is_definition = |ty: &Type<'_>| !matches!(ty, Type::Fwd(_));
        let has_definition = meant.iter().any(is_definition);
        if meant.is_empty() {
            return Err(match btf.find_all::<Type<'_>>(bare).first() {
                Some(other) if word.is_none() => Error::NotDefinable { root: name.clone(), kind: other.kind() },
                _ => Error::NoSuchRoot { root: name.clone() },
            });
        }
        to.extend(meant.into_iter().filter(|ty| !has_definition || is_definition(ty)));
        Ok(())
    }
}

/// Returns the own types with a name that have a keyword, by ascending id. Functions are not
/// searched: indexing their names would take as long as indexing all others.
fn definable<'btf>(layer: &'btf Btf, name: &str) -> Vec<Type<'btf>> {
    fn add<'btf, K: View<'btf>>(layer: &'btf Btf, name: &str, to: &mut Vec<Type<'btf>>) {
        to.extend(layer.find_own::<K>(name).into_iter().map(Into::into));
    }
    let mut found = Vec::new();
    add::<Composite<'_>>(layer, name, &mut found);
    add::<Fwd<'_>>(layer, name, &mut found);
    add::<AnyEnum<'_>>(layer, name, &mut found);
    add::<Typedef<'_>>(layer, name, &mut found);
    found.sort_by_key(|ty| ty.id());
    found
}

/// Returns the C keyword of a type's definition; `None` if it has no definition.
fn keyword(ty: Type<'_>) -> Option<&'static str> {
    Some(match ty {
        Type::Struct(_) => "struct",
        Type::Union(_) => "union",
        Type::Fwd(fwd) => fwd.declares().as_str(),
        Type::Enum(_) | Type::Enum64(_) => "enum",
        Type::Typedef(_) => "typedef",
        _ => return None,
    })
}
