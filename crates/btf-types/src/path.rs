//! Named paths into types: `task_struct.mm.pgd`.

use alloc::{collections::BTreeMap, vec::Vec};

use crate::{Btf, Composite, Error, Type, Typedef, composite::TooMany};

/// Path from an object to something inside it, or behind its pointers: see
/// [`Type::path`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Path<'btf> {
    steps: Vec<Step<'btf>>,
}

/// Step of a path without a dereference: from the start of an object to
/// something inside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Step<'btf> {
    /// The type of the object.
    pub from: Type<'btf>,
    /// Offset from its start in **bits**.
    pub bit_offset: u64,
    /// Width in **bits**, if the target is a bitfield.
    pub bitfield_size: Option<u8>,
    /// Type of the target. In all steps but the last, it is a pointer to the
    /// object where the next step begins.
    pub to: Type<'btf>,
}

impl<'btf> Path<'btf> {
    /// The steps: one more than the number of pointers that are followed.
    #[must_use]
    pub fn steps(&self) -> &[Step<'btf>] {
        &self.steps
    }

    /// Type of the target of the path.
    #[must_use]
    pub fn ty(&self) -> Type<'btf> {
        self.steps.last().map_or(Type::Void, |step| step.to)
    }
}

/// Maximum number of members for one path.
const MEMBERS: u32 = 1_000_000;

/// Maximum number of visited members for which a search is repeated instead of
/// cached.
const FEW: u64 = 16;

/// Part of the text of a path.
enum Part<'p> {
    Member(&'p [u8]),
    Index(u64),
}

/// Splits the next part off the text, which is not empty. `first` is true for
/// the first part of a path. Returns `None` if the part is invalid.
fn next_part<'p>(text: &mut &'p [u8], first: bool) -> Option<Part<'p>> {
    if let Some(rest) = text.strip_prefix(b"[") {
        let end = memchr::memchr(b']', rest)?;
        let (number, rest) = rest.split_at_checked(end)?;
        *text = rest.get(1..)?;
        return core::str::from_utf8(number).ok()?.parse().ok().map(Part::Index);
    }
    let rest = match text.strip_prefix(b".").or(text.strip_prefix(b"->")) {
        Some(rest) => rest,
        None if first => text,
        None => return None,
    };
    let end = rest.iter().enumerate().position(|(at, byte)| {
        matches!(byte, b'.' | b'[') || rest.get(at..).is_some_and(|rest| rest.starts_with(b"->"))
    });
    let (name, rest) = rest.split_at_checked(end.unwrap_or(rest.len()))?;
    *text = rest;
    (!name.is_empty()).then_some(Part::Member(name))
}

impl<'btf> Type<'btf> {
    /// Follows a path: names of members (through anonymous structs and unions),
    /// and indices of arrays and pointers in brackets. Each pointer begins a
    /// new step. `.` and `->` are interchangeable.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_types::Error> {
    /// use btf_types::{Btf, Type};
    ///
    /// # let vmlinux = Btf::parse(std::fs::read("doc/kernel.btf").unwrap())?;
    /// let task: Type<'_> = vmlinux.find("task_struct")?;
    /// let path = task.path("mm->pgd[2].pgd")?;
    /// // From the task to `mm`, from there to `pgd`, from there to its third element.
    /// let steps: Vec<_> = path.steps().iter().map(|step| (step.from.to_string(), step.bit_offset / 8)).collect();
    /// assert_eq!(steps, [("struct task_struct".into(), 8), ("struct mm_struct".into(), 0), ("struct {...}".into(), 16)]);
    /// assert_eq!(path.ty().to_string(), "u64");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchMember`] if there is no such member or element, or the
    /// path is invalid; those of [`Type::size_of`] where an index is used;
    /// [`Error::TooComplex`] after a million members.
    pub fn path(self, path: impl AsRef<[u8]>) -> Result<Path<'btf>, Error> {
        let path = path.as_ref();
        self.follow(path, path)
    }

    /// Follows `text`, which is the end of `path` or all of it.
    fn follow(self, text: &[u8], path: &[u8]) -> Result<Path<'btf>, Error> {
        let whole = text;
        let mut text = text;
        let mut steps = Vec::new();
        let mut steps_left = MEMBERS.into();
        let mut known = BTreeMap::new();
        let mut step = Step { from: self.peel_modifiers(), bit_offset: 0, bitfield_size: None, to: self };
        while !text.is_empty() {
            let before = text;
            let error = |ty: Type<'_>| Error::NoSuchMember { ty: ty.into(), path: path.into(), rest: before.into() };
            let first = text.len() == whole.len();
            let part = next_part(&mut text, first).ok_or_else(|| error(step.to))?;
            let mut object = step.to.peel_modifiers();
            if let Type::Ptr(ptr) = object {
                steps.push(step);
                object = ptr.target().peel_modifiers();
                step = Step { from: object, bit_offset: 0, bitfield_size: None, to: object };
                if let Part::Index(index) = part {
                    // A pointer is treated as an unbounded array.
                    step.bit_offset = bits(index, object)?;
                    continue;
                }
            }
            match part {
                Part::Member(name) => {
                    // A path may look up the same member many times.
                    let found = match known.get(&(object.id(), name)) {
                        Some(&found) => found,
                        None => {
                            let before = steps_left;
                            let found = object.search_member(name, &mut steps_left);
                            let found =
                                found.map_err(|TooMany| Error::TooComplex { ty: self.into(), limit: MEMBERS })?;
                            let found = found.ok_or_else(|| error(object))?;
                            if before - steps_left > FEW {
                                known.insert((object.id(), name), found);
                            }
                            found
                        }
                    };
                    let (member, offset) = found;
                    step.bit_offset += offset;
                    step.bitfield_size = member.bitfield_size();
                    step.to = member.ty();
                }
                Part::Index(index) => {
                    let Type::Array(array) = object else { return Err(error(object)) };
                    // An array without elements is flexible.
                    if array.nelems() != 0 && index >= array.nelems().into() {
                        return Err(error(object));
                    }
                    step.bit_offset += bits(index, array.element())?;
                    step.to = array.element();
                }
            }
        }
        steps.push(step);
        Ok(Path { steps })
    }
}

/// Returns the offset of an element in bits.
fn bits(index: u64, element: Type<'_>) -> Result<u64, Error> {
    let limit = u32::MAX.into();
    let bytes = element.size_of()?.checked_mul(index).filter(|&bytes| bytes <= limit);
    bytes.map(|bytes| bytes * 8).ok_or_else(|| Error::TypeTooLarge { ty: element.into(), limit })
}

impl Btf {
    /// Follows a path that begins with the name of a struct, union or typedef:
    /// `task_struct.mm.pgd`, as [`Type::path`] does.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_types::Error> {
    /// use btf_types::{Btf, Error};
    ///
    /// # let vmlinux = Btf::parse(std::fs::read("doc/kernel.btf").unwrap())?;
    /// let mtu = vmlinux.path("sk_buff.dev->mtu")?;
    /// assert_eq!((mtu.steps().len(), mtu.ty().to_string()), (2, "unsigned int".into()));
    /// assert!(matches!(vmlinux.path("sk_buff.dev->mtuu"), Err(Error::NoSuchMember { .. })));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`Btf::find`] and [`Type::path`].
    pub fn path(&self, path: impl AsRef<[u8]>) -> Result<Path<'_>, Error> {
        let path = path.as_ref();
        let end = path.iter().position(|byte| matches!(byte, b'.' | b'[' | b'-')).unwrap_or(path.len());
        let (name, rest) = path.split_at_checked(end).unwrap_or((path, &[]));
        let root = match self.find::<Composite<'_>>(name) {
            Err(Error::NoSuchName { .. }) => self.find::<Typedef<'_>>(name)?.into(),
            found => Type::from(found?),
        };
        root.follow(rest, path)
    }
}
