//! Members through anonymous structs and unions, as C accesses them.

use alloc::vec::Vec;
use core::{fmt, iter::FusedIterator};

use crate::{Composite, Error, Member, Members, Name, Type, peel::HOPS, view::debug_first};

/// Maximum number of members for one query.
const STEPS: u32 = 1_000_000;

/// Member of a struct or union, or of an anonymous one inside it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct LeafMember<'btf> {
    member: Member<'btf>,
    bit_offset: u64,
}

impl<'btf> LeafMember<'btf> {
    /// The member, whose own offset is relative to the type that declares it.
    #[must_use]
    pub fn member(self) -> Member<'btf> {
        self.member
    }

    /// The name; empty for an unnamed bitfield.
    #[must_use]
    pub fn name(self) -> Name<'btf> {
        self.member.name()
    }

    /// The type.
    #[must_use]
    pub fn ty(self) -> Type<'btf> {
        self.member.ty()
    }

    /// Offset from the start of the outermost struct or union in **bits**.
    #[must_use]
    pub fn bit_offset(self) -> u64 {
        self.bit_offset
    }

    /// Width in **bits** if the member is a bitfield.
    #[must_use]
    pub fn bitfield_size(self) -> Option<u8> {
        self.member.bitfield_size()
    }
}

impl fmt::Display for LeafMember<'_> {
    /// Writes the member as C declares it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.member.fmt(f)
    }
}

impl fmt::Debug for LeafMember<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} at bit {}", self.member, self.bit_offset)
    }
}

/// Iterator over members through anonymous structs and unions, in the order of
/// declaration: see [`Struct::leaf_members`](crate::Struct::leaf_members).
///
/// An item is an error, and the last, if anonymous types are more than 64 deep
/// inside each other ([`Error::TooDeep`]), or there are more than a million
/// members ([`Error::TooComplex`]): no compiler writes such types, but 40 types
/// in a hostile file can have 2^40 members.
///
/// ```
/// # fn main() -> Result<(), btf_types::Error> {
/// use btf_types::{Btf, Struct};
///
/// # let vmlinux = Btf::parse(std::fs::read("doc/kernel.btf").unwrap())?;
/// let sk_buff: Struct<'_> = vmlinux.find("sk_buff")?;
/// let mut names = Vec::new();
/// for member in sk_buff.leaf_members() {
///     names.push(member?.name().to_string());
/// }
/// assert_eq!(names[..4], ["next", "prev", "list", "dev"]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "iterators are lazy"]
pub struct LeafMembers<'btf> {
    root: Type<'btf>,
    /// Types on the current path, each with its remaining members and its
    /// offset.
    open: Vec<(Members<'btf>, u64)>,
    steps: u32,
}

impl<'btf> LeafMembers<'btf> {
    pub(crate) fn new(composite: Composite<'btf>) -> Self {
        Self { root: composite.into(), open: Vec::from([(composite.members(), 0)]), steps: STEPS }
    }

    fn fail(&mut self, error: Error) -> Result<LeafMember<'btf>, Error> {
        self.open.clear();
        Err(error)
    }
}

impl<'btf> Iterator for LeafMembers<'btf> {
    type Item = Result<LeafMember<'btf>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let depth = self.open.len();
            let (members, start) = self.open.last_mut()?;
            let Some(member) = members.next() else {
                self.open.pop();
                continue;
            };
            let bit_offset = *start + u64::from(member.bit_offset());
            let Some(steps) = self.steps.checked_sub(1) else {
                return Some(self.fail(Error::TooComplex { ty: self.root.into(), limit: STEPS }));
            };
            self.steps = steps;
            match member.anonymous() {
                None => return Some(Ok(LeafMember { member, bit_offset })),
                Some(_) if depth >= HOPS as usize => {
                    return Some(self.fail(Error::TooDeep { ty: self.root.into(), limit: HOPS }));
                }
                Some(inner) => self.open.push((inner.members(), bit_offset)),
            }
        }
    }
}

impl FusedIterator for LeafMembers<'_> {}

impl fmt::Debug for LeafMembers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug_first(f, self.clone())
    }
}
