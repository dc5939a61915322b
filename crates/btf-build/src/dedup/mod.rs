//! Deduplication: one of several equal types stays.
//!
//! | file | concept |
//! |---|---|
//! | `names.rs` | equal names; the strings of the result |
//! | `graph.rs` | the types in flat arrays |
//! | `cycles.rs` | types that lead to a cycle |
//! | `classes.rs` | classes of types that are known to be equal |
//! | `equality.rs` | comparison of two types with all that they refer to |
//! | `colors.rs` | types that need no comparison |
//! | `forward.rs` | forward declarations |
//! | `composites.rs` | structs, unions, typedefs |
//! | `references.rs` | other types that refer to types |
//! | `output.rs` | the types that stay, and the map of the others |
//!
//! Source: `btf__dedup` in `tools/lib/bpf/btf.c`. The rules are the same,
//! without its limits.

mod classes;
mod colors;
mod composites;
mod cycles;
mod equality;
mod forward;
mod graph;
mod names;
mod output;
mod references;
#[cfg(test)]
mod tests;

use btf_types::{Btf, Remap};

use self::{
    classes::Classes,
    equality::{Comparison, LIMITS, Limits},
    graph::{Graph, Role},
    names::Names,
};
use crate::{Error, hash_table::Hash};

/// Deduplicates a BTF (`btf__dedup`): of several types that are equal,
/// including everything that they refer to, the first one stays and replaces
/// the others.
///
/// Use it after appending the BTF of compilation units, or of BPF objects, to
/// each other ([`Builder::append`](crate::Builder::append),
/// [`Merge`](crate::Merge)).
///
/// ```
/// # fn main() -> Result<(), btf_build::Error> {
/// use btf_build::{Builder, IntEncoding, dedup};
///
/// let unit = |has_definition: bool| {
///     let mut b = Builder::new();
///     let int = b.int("int", 4, IntEncoding::SIGNED)?;
///     let task = match has_definition {
///         true => b.structure("task", 4).member("pid", int, 0).finish()?,
///         false => b.fwd("task", btf_types::FwdKind::Struct)?,
///     };
///     let ptr = b.ptr(task)?;
///     b.structure("node", 8).member("task", ptr, 0).finish()?;
///     b.finish()
/// };
/// let mut both = Builder::new();
/// both.append(&unit(false)?)?;
/// both.append(&unit(true)?)?;
///
/// let (btf, ids) = dedup(&both.finish()?)?;
/// let types: Vec<_> = btf.types().map(|ty| ty.to_string()).collect();
/// assert_eq!(types, ["int", "struct task *", "struct node", "struct task"]);
/// assert_eq!([4, 8].map(|node| ids.id(node)), [Some(3); 2]);
/// assert_eq!([2, 6].map(|task| ids.id(task)), [Some(4); 2], "the declaration is the definition");
/// # Ok(())
/// # }
/// ```
///
/// # Equality
///
/// Two types are equal if their names, sizes, members, offsets, values, linkage
/// and all other data of their records are. DECL_TAGs are not compared: types
/// that differ only in these become one, with the tags of both. Variables and
/// sections (VAR, DATASEC) all stay.
///
/// A forward declaration of a struct or union becomes the struct or union that
/// it was compared with: where two types are equal, except that one refers to
/// the declaration and the other to the definition. If there is no such
/// comparison, it becomes the only struct or union of its name. A forward
/// declaration of an enumeration becomes the first one of its name. An anonymous
/// enumeration without values is not a declaration, and remains.
///
/// # Split BTF
///
/// The base is unchanged, and types that it already has are removed. A type of
/// the base with a forward declaration differs from one with the definition in
/// the split BTF.
///
/// # Order
///
/// The remaining types keep their order, with consecutive ids. Strings are
/// stored once, in the order of their first use, followed by those that no type
/// uses, as `.BTF.ext` may. The [`Remap`] has the new ids and strings, and
/// rewrites `.BTF.ext`.
///
/// The result depends only on the BTF, and deduplicating it again changes
/// nothing.
///
/// # Errors
///
/// [`Error::Format`] if a type has an unknown kind, or the header unknown
/// fields; [`Error::TooComplex`] if very many types are similar but not equal;
/// [`Error::NamesShared`] if very many names share very long strings;
/// [`Error::TooLarge`].
pub fn dedup(btf: &Btf) -> Result<(Btf, Remap), Error> {
    with_hash(btf, &Hash::new(), LIMITS)
}

fn with_hash(btf: &Btf, hash: &Hash, limits: Limits) -> Result<(Btf, Remap), Error> {
    btf.check_known_header()?;
    let mut names = Names::new(btf, hash);
    let mut graph = Graph::new(btf, &mut names, hash)?;
    names.freeze();
    cycles::mark(&mut graph);
    let mut classes = Classes::new(graph.first_own, graph.count());
    let mut comparison = Comparison::new(&graph, limits);
    merge_leaves(&graph, &mut classes);
    forward::merge_enums(&graph, &mut classes);
    let mut colors = Vec::new();
    // What a declaration turned out to mean can make more types equal.
    loop {
        comparison.begin()?;
        colors = composites::merge(&graph, &mut classes, &mut comparison, hash, colors)?;
        comparison.resolved += forward::resolve_unique(&graph, &mut classes);
        if comparison.is_settled() {
            break;
        }
        references::merge(&graph, &mut classes, hash);
        if comparison.resolved == 0 {
            break;
        }
    }
    output::write(btf, graph, classes, &names)
}

/// Types that refer to nothing are equal to those of the same shape.
fn merge_leaves(graph: &Graph, classes: &mut Classes) {
    for id in 1..graph.count() {
        let shape = graph.shape(id);
        if shape != id && graph.role(id) == Role::Leaf {
            classes.put_into(id, shape);
        }
    }
    classes.commit();
}
