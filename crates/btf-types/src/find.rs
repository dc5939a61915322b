//! Questions by name.

use alloc::vec::Vec;
use core::ops::ControlFlow;

use btf_format::Kind;

use crate::{Btf, Error, Name, Type, btf::Inner, view::Handle};

/// What a question by name can be answered with: the view of a kind, or
/// [`Type`] for any kind.
pub trait View<'btf>: Copy + Into<Type<'btf>> + sealed::Sealed {
    /// The kind; `None` for any.
    const KIND: Option<Kind>;

    /// The view, if the type is of this kind.
    fn of(ty: Type<'btf>) -> Option<Self>;
}

pub(crate) mod sealed {
    pub trait Sealed {}
}

impl sealed::Sealed for Type<'_> {}

impl<'btf> View<'btf> for Type<'btf> {
    const KIND: Option<Kind> = None;

    fn of(ty: Self) -> Option<Self> {
        Some(ty)
    }
}

/// How long a name may be to be looked at where all are, in bytes. A million
/// types may share one of megabytes.
const LONGEST: usize = 4096;

/// The name; empty if it is too long to be looked at.
#[inline]
fn short_name(ty: Type<'_>) -> Name<'_> {
    let Some(handle) = ty.handle() else { return Name::EMPTY };
    let tail = handle.btf.string_at(handle.record().name_off());
    let tail = tail.get(..=LONGEST).unwrap_or(tail);
    let end = memchr::memchr(0, tail).unwrap_or(0);
    Name::new(tail.get(..end).unwrap_or_default())
}

/// The view of a handle, if it is of the right kind.
fn view<'btf, K: View<'btf>>(handle: Handle<'btf>) -> Option<K> {
    // Most types of a name are of another kind: that is told by the record.
    let kind = handle.record().info().kind();
    if K::KIND.is_some() && K::KIND != kind { None } else { K::of(Type::of(handle)) }
}

impl Btf {
    /// The type of this name and kind, the nearest there is: an own one, or
    /// else one of the base.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_types::Error> {
    /// # use btf_types::{Btf, Struct, Type};
    /// # let bytes: &'static [u8] = include_bytes!("../doc/point.btf");
    /// # let btf = Btf::parse(bytes)?;
    /// let point: Struct<'_> = btf.find("point")?;
    /// let any_kind: Type<'_> = btf.find("point")?;
    /// assert_eq!(any_kind, point.into());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Cost: some tens of nanoseconds, after the first question by name: that
    /// one looks whether the types are sorted by name, and if not, makes an
    /// index and keeps it, one for functions and one for everything else. Of a
    /// kernel's BTF both together take less than a millisecond and half a
    /// megabyte.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchName`], or [`Error::Ambiguous`] if the nearest BTF that
    /// has any has several.
    pub fn find<'btf, K: View<'btf>>(&'btf self, name: impl AsRef<[u8]>) -> Result<K, Error> {
        let name = name.as_ref();
        for layer in self.inner().layers() {
            let (mut first, mut second) = (None, None);
            layer.named(name, K::KIND, |handle| match (view::<K>(handle), &first) {
                (None, _) => ControlFlow::Continue(()),
                (found, None) => {
                    first = found;
                    ControlFlow::Continue(())
                }
                (found, Some(_)) => {
                    second = found;
                    ControlFlow::Break(())
                }
            });
            match (first, second) {
                (Some(found), None) => return Ok(found),
                (Some(_), Some(_)) => {
                    let mut ids = Vec::new();
                    layer.each_named::<K>(name, |found| ids.push(found.into().id()));
                    return Err(Error::Ambiguous { name: name.into(), kind: K::KIND, ids });
                }
                (None, _) => {}
            }
        }
        Err(Error::NoSuchName { name: name.into(), kind: K::KIND })
    }

    /// The type of this name and kind with the lowest id, of the base before
    /// own ones: libbpf's answer (`btf__find_by_name_kind`).
    #[must_use]
    pub fn find_first<'btf, K: View<'btf>>(&'btf self, name: impl AsRef<[u8]>) -> Option<K> {
        let name = name.as_ref();
        let mut found = None;
        // The last layer to find anything is the lowest.
        for layer in self.inner().layers() {
            let mut first = None;
            layer.named(name, K::KIND, |handle| {
                first = view(handle);
                if first.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            found = first.or(found);
        }
        found
    }

    /// All types of this name and kind, own ones and then those of the base,
    /// each by rising id. [`Btf::layer_of`] tells whose each of them is.
    #[must_use]
    pub fn find_all<'btf, K: View<'btf>>(&'btf self, name: impl AsRef<[u8]>) -> Vec<K> {
        let mut all = Vec::new();
        for layer in self.inner().layers() {
            layer.each_named(name.as_ref(), |found| all.push(found));
        }
        all
    }

    /// The same of own types only.
    #[must_use]
    pub fn find_own<'btf, K: View<'btf>>(&'btf self, name: impl AsRef<[u8]>) -> Vec<K> {
        let mut all = Vec::new();
        self.inner().each_named(name.as_ref(), |found| all.push(found));
        all
    }

    /// All types whose essential name is this one, which is what CO-RE goes
    /// by: `foo` finds `foo`, `foo___v2` and `foo___old`. In the order of
    /// [`Btf::find_all`].
    ///
    /// Names of more than 4,096 bytes are passed over: no kernel allows more than
    /// 512.
    ///
    /// Cost: a walk over all types, even if they are sorted.
    #[must_use]
    pub fn find_flavors<'btf, K: View<'btf>>(&'btf self, essential: impl AsRef<[u8]>) -> Vec<K> {
        let essential = Name::new(essential.as_ref());
        if essential.is_empty() {
            return Vec::new();
        }
        self.layers()
            .flat_map(Btf::types)
            .filter(|ty| {
                let name = short_name(*ty);
                name.as_bytes().starts_with(essential.as_bytes()) && name.essential() == essential
            })
            .filter_map(K::of)
            .collect()
    }

    /// All types whose name a regular expression matches, of any kind, own
    /// ones and then those of the base, each by rising id. Names of more than
    /// 4,096 bytes are passed over: no kernel allows more than 512.
    #[cfg(feature = "regex")]
    pub fn find_matching<'btf>(&'btf self, regex: &regex::bytes::Regex) -> impl Iterator<Item = Type<'btf>> {
        self.layers().flat_map(Btf::types).filter(move |ty| {
            let name = short_name(*ty);
            !name.is_empty() && regex.is_match(name.as_bytes())
        })
    }

    /// Whether own types are sorted by name, as in kernels since 7.0. Nothing
    /// in the file says so; it is looked at, once.
    #[must_use]
    pub fn is_name_sorted(&self) -> bool {
        self.inner().sorted().is_some()
    }
}

impl Inner {
    fn each_named<'btf, K: View<'btf>>(&'btf self, name: &[u8], mut each: impl FnMut(K)) {
        self.named(name, K::KIND, |handle| {
            if let Some(found) = view(handle) {
                each(found);
            }
            ControlFlow::Continue(())
        });
    }
}
