//! Deduplication: of equal types one stays.
//!
//! | file | concept |
//! |---|---|
//! | `names.rs` | which names are equal; the strings of the result |
//! | `graph.rs` | the types in flat arrays |
//! | `cycles.rs` | which types lead to a cycle |
//! | `classes.rs` | which types are equal, as far as that is known |
//! | `equality.rs` | the comparison of two types and all that they refer to |
//! | `colors.rs` | which types need no comparison |
//! | `forward.rs` | forward declarations |
//! | `composites.rs` | structs, unions, typedefs |
//! | `references.rs` | what else refers to types |
//! | `output.rs` | the types that stay, and where the others went |
//!
//! Source: `btf__dedup` in `tools/lib/bpf/btf.c`, of which this has the rules but not
//! the limits.

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

/// Deduplicates a BTF (`btf__dedup`): of types that are equal, and whose references
/// are equal all the way down, the first stays, and all that referred to another
/// refers to it.
///
/// This is what makes one BTF of many: those of compilation units, or of BPF objects,
/// appended to each other ([`Builder::append`](crate::Builder::append),
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
/// # What is equal
///
/// Names, sizes, members, offsets, values, linkage and all else in a record. Tags of
/// declarations are none of it: types that are equal but for those become one, which
/// has the tags of both. Variables and sections (VAR, DATASEC) all stay.
///
/// A forward declaration of a struct or union becomes what it was compared with:
/// where two types are equal but that one has the declaration and the other the
/// struct. If it was compared with nothing, it becomes the only struct or union of
/// its name. A forward declaration of an enumeration becomes the first of its name.
///
/// # Split BTF
///
/// The base stays as it is; types that it has are left out. Where it has a
/// forward declaration of what the split BTF defines, it has another type.
///
/// # What stays
///
/// The types that stay do so in their order, and their ids are closed up. Strings
/// are stored once, in the order of their first use, and then those that no type has,
/// as `.BTF.ext` may have them. The [`Remap`] has the new ids and strings, and
/// rewrites `.BTF.ext`.
///
/// The result depends on nothing but the BTF, and deduplicating it again changes
/// nothing.
///
/// # Errors
///
/// [`Error::Format`] if there is a type of a kind, or data in the header, that is
/// unknown; [`Error::TooComplex`] if very many types look alike but are not;
/// [`Error::NamesShared`] if very many names share very long strings;
/// [`Error::TooLarge`].
pub fn dedup(btf: &Btf) -> Result<(Btf, Remap), Error> {
    with_hash(btf, &Hash::new(), LIMITS)
}

fn with_hash(btf: &Btf, hash: &Hash, limits: Limits) -> Result<(Btf, Remap), Error> {
    btf.check_known_header()?;
    let mut names = Names::new(btf, hash);
    let graph = Graph::new(btf, &mut names, hash)?;
    names.freeze();
    let mut classes = Classes::new(graph.first_own, graph.count());
    let mut comparison = Comparison::new(&graph, limits);
    merge_leaves(&graph, &mut classes);
    forward::merge_enums(&graph, &mut classes);
    // What a declaration turned out to mean can make more types equal.
    loop {
        comparison.begin()?;
        composites::merge(&graph, &mut classes, &mut comparison, hash)?;
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
