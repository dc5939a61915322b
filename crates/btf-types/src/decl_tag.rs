//! Declaration tags: DECL_TAG, and the table of tags by declaration.
//!
//! Source: `Documentation/bpf/btf.rst`, "`BTF_KIND_DECL_TAG`".

use alloc::{boxed::Box, vec::Vec};
use core::{fmt, iter::FusedIterator, slice};

use btf_format as raw;

use crate::{
    Type,
    layer::Layer,
    view::{debug_first, referring, views},
};

views! {
    /// Tag of a declaration, member or parameter (`btf_decl_tag`). Its name is
    /// the tag.
    DeclTag;
}

referring! {
    /// The tagged declaration, or the one whose member or parameter is tagged.
    DeclTag.target;
}

impl DeclTag<'_> {
    /// Index of the tagged member or parameter of [`DeclTag::target`]
    /// (`component_idx`), from 0; `None` for the declaration itself.
    #[must_use]
    pub fn component_idx(self) -> Option<u32> {
        let data = raw::DeclTag::first(self.0.rest());
        debug_assert!(data.is_some(), "records lie within the type section");
        u32::try_from(data?.component_idx()).ok()
    }

    /// Returns `true` if the tag is an attribute, `__attribute__((NAME))`,
    /// instead of `btf_decl_tag("NAME")`. Since Linux 6.15.
    #[must_use]
    pub fn is_attribute(self) -> bool {
        self.0.record().info().kind_flag()
    }
}

/// Tags of one layer by declaration, made on first use.
pub(crate) struct TagTable(Box<[Entry]>);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    target: u32,
    /// `None` sorts first: the declaration comes before its components.
    component: Option<u32>,
    tag: u32,
}

impl TagTable {
    /// Makes the table from the own types of a layer. Takes memory only for the
    /// tags.
    pub(crate) fn new<'btf>(types: impl Iterator<Item = Type<'btf>>) -> Self {
        let mut entries: Vec<Entry> = types
            .filter_map(|ty| match ty {
                Type::DeclTag(tag) => {
                    Some(Entry { target: tag.target().id(), component: tag.component_idx(), tag: tag.id() })
                }
                _ => None,
            })
            .collect();
        entries.sort_unstable();
        Self(entries.into_boxed_slice())
    }

    /// Returns the tags of a declaration and of all of its components.
    pub(crate) fn of_all<'btf>(&'btf self, btf: &'btf Layer, target: u32) -> DeclTags<'btf> {
        let start = self.0.partition_point(|entry| entry.target < target);
        let end = self.0.partition_point(|entry| entry.target <= target);
        DeclTags { btf: Some(btf), entries: self.0.get(start..end).unwrap_or_default().iter() }
    }

    /// Returns the tags of a declaration, or of one of its components, by
    /// ascending id.
    pub(crate) fn of<'btf>(&'btf self, btf: &'btf Layer, target: u32, component: Option<u32>) -> DeclTags<'btf> {
        let wanted = (target, component);
        let start = self.0.partition_point(|entry| (entry.target, entry.component) < wanted);
        let end = self.0.partition_point(|entry| (entry.target, entry.component) <= wanted);
        DeclTags { btf: Some(btf), entries: self.0.get(start..end).unwrap_or_default().iter() }
    }
}

/// Iterator over the tags of a declaration, member or parameter, by ascending
/// id.
#[derive(Clone)]
#[must_use = "iterators are lazy"]
pub struct DeclTags<'btf> {
    /// `None` if there are no tags.
    btf: Option<&'btf Layer>,
    entries: slice::Iter<'btf, Entry>,
}

impl<'btf> Iterator for DeclTags<'btf> {
    type Item = DeclTag<'btf>;

    fn next(&mut self) -> Option<Self::Item> {
        let btf = self.btf?;
        self.entries.find_map(|entry| btf.handle_at(entry.tag).map(DeclTag))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.entries.size_hint()
    }
}

impl ExactSizeIterator for DeclTags<'_> {}
impl FusedIterator for DeclTags<'_> {}

impl fmt::Debug for DeclTags<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug_first(f, self.clone())
    }
}

impl<'btf> Type<'btf> {
    /// Iterates over the DECL_TAGs of this declaration (`btf_decl_tag`), by
    /// ascending id, without those of its members and parameters.
    ///
    /// Finds only tags of the BTF that owns the type.
    /// ([`Btf::decl_tags_of`](crate::Btf::decl_tags_of) of a module finds the
    /// module's tags of a type of its base.)
    ///
    /// ```
    /// # fn main() -> Result<(), btf_types::Error> {
    /// use btf_types::{Btf, Func, View};
    ///
    /// # let vmlinux = Btf::parse(std::fs::read("doc/kernel.btf").unwrap())?;
    /// // Kernels since 6.10 tag their kfuncs.
    /// let is_kfunc = |func: &Func<'_>| func.decl_tags().any(|tag| tag.name() == "bpf_kfunc");
    /// let kfuncs: Vec<_> = vmlinux.types().filter_map(Func::of).filter(is_kfunc).map(|f| f.name().to_string()).collect();
    /// assert_eq!(kfuncs, ["bpf_task_acquire", "bpf_task_release"]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn decl_tags(self) -> DeclTags<'btf> {
        match self.handle() {
            Some(handle) => handle.btf.decl_tags(handle.id, None),
            None => DeclTags { btf: None, entries: [].iter() },
        }
    }
}
