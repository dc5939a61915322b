//! The common part of all views, and the macros that define them.
//!
//! A view holds the layer that owns the type, the offset of its record, and its
//! id: 16 bytes, `Copy`. Nothing is decoded in advance.

use core::{fmt, ptr};

use btf_format::{Kind, Name, Record, TypeRecord};

use crate::{Type, layer::Layer};

/// View of types of one or several kinds, which [`Btf::find`] can return.
///
/// [`Type`] is the view of any type, [`Composite`] that of structs and unions,
/// [`AnyEnum`] that of both kinds of enumerations.
///
/// [`Btf::find`]: crate::Btf::find
/// [`Composite`]: crate::Composite
/// [`AnyEnum`]: crate::AnyEnum
///
/// ```
/// # fn main() -> Result<(), btf_types::Error> {
/// use btf_types::{AnyEnum, Btf, Composite, View};
///
/// # let vmlinux = Btf::parse(std::fs::read("doc/kernel.btf").unwrap())?;
/// let count = |is: fn(&btf_types::Type<'_>) -> bool| vmlinux.types().filter(is).count();
/// assert_eq!(count(|ty| Composite::of(*ty).is_some()), 10);
/// assert_eq!(count(|ty| AnyEnum::of(*ty).is_some()), 2);
/// # Ok(())
/// # }
/// ```
pub trait View<'btf>: Copy + Into<Type<'btf>> + sealed::Sealed {
    /// The kinds of the view; empty for any kind.
    const KINDS: &'static [Kind];

    /// Returns the view of a type, if it is of one of these kinds.
    fn of(ty: Type<'btf>) -> Option<Self>;
}

pub(crate) mod sealed {
    pub trait Sealed {}
}

impl sealed::Sealed for Type<'_> {}

impl<'btf> View<'btf> for Type<'btf> {
    const KINDS: &'static [Kind] = &[];

    fn of(ty: Self) -> Option<Self> {
        Some(ty)
    }
}

/// Contents of every view.
#[derive(Clone, Copy)]
pub(crate) struct Handle<'btf> {
    /// The layer that owns the type.
    pub(crate) btf: &'btf Layer,
    /// Offset of its record in the layer's type section.
    pub(crate) offset: u32,
    pub(crate) id: u32,
}

impl<'btf> Handle<'btf> {
    #[inline(always)]
    pub(crate) fn record(self) -> TypeRecord {
        self.btf.record(self.offset)
    }

    /// Returns the bytes from the record to the end of the type section.
    #[inline]
    pub(crate) fn bytes(self) -> &'btf [u8] {
        self.btf.bytes_at(self.offset)
    }

    /// Returns the first 12 bytes of the record, and the rest of the type
    /// section.
    #[inline(always)]
    pub(crate) fn parts(self) -> (TypeRecord, &'btf [u8]) {
        self.btf.parts_at(self.offset)
    }

    /// Returns the bytes after the first 12 of the record, to the end of the
    /// type section.
    #[inline]
    pub(crate) fn rest(self) -> &'btf [u8] {
        self.parts().1
    }

    /// Returns the whole record.
    #[inline]
    pub(crate) fn whole_record(self) -> Option<Record<'btf>> {
        let offset = u64::from(self.offset) + self.btf.header.types().start as u64;
        Record::first(self.bytes(), offset, self.btf.layout()).ok()
    }

    #[inline]
    pub(crate) fn name(self) -> Name<'btf> {
        self.btf.name_at(self.record().name_off())
    }

    /// Returns the type as a view, if it is of the right kind.
    #[inline]
    pub(crate) fn view<K: View<'btf>>(self) -> Option<K> {
        // Most candidates are of another kind, which the record shows.
        let is_other = |kind: Kind| !K::KINDS.contains(&kind);
        if !K::KINDS.is_empty() && self.record().info().kind().is_none_or(is_other) {
            return None;
        }
        K::of(Type::of(self))
    }

    /// Returns the type that the third word of the record refers to.
    #[inline]
    pub(crate) fn referred(self) -> Type<'btf> {
        self.btf.type_of(self.record().size_or_type())
    }
}

/// Equal if it is the same type of the same layer.
impl PartialEq for Handle<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id && ptr::eq(self.btf, other.btf)
    }
}

impl Eq for Handle<'_> {}

impl core::hash::Hash for Handle<'_> {
    fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
        self.id.hash(state);
        ptr::from_ref(self.btf).hash(state);
    }
}

impl fmt::Debug for Handle<'_> {
    /// Shows only the record. Follows no references, so it cannot recurse.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let record = self.record();
        let info = record.info();
        write!(f, "[{}] ", self.id)?;
        match info.kind() {
            Some(kind) => write!(f, "{kind}")?,
            None => write!(f, "kind {}", info.kind_number())?,
        }
        let name = ShortName(self.btf, record.name_off());
        write!(f, " {name:?} vlen={} kind_flag={}", info.vlen(), info.kind_flag())?;
        write!(f, " size_or_type={}", record.size_or_type())
    }
}

/// A shortened name for `Debug`, as millions of items can share a long one.
pub(crate) struct ShortName<'btf>(pub(crate) &'btf Layer, pub(crate) u32);

impl fmt::Debug for ShortName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 128;
        let Self(btf, offset) = *self;
        let name = btf.name_start(offset, SHOWN + 1);
        match name.as_bytes().get(..SHOWN) {
            Some(start) if name.as_bytes().len() > SHOWN => write!(f, "{:?}...", Name::new(start)),
            _ => name.fmt(f),
        }
    }
}

/// Shows the first items of an iterator.
pub(crate) fn debug_first<T: fmt::Debug>(
    f: &mut fmt::Formatter<'_>,
    mut elements: impl Iterator<Item = T>,
) -> fmt::Result {
    const SHOWN: usize = 16;
    let mut list = f.debug_list();
    list.entries(elements.by_ref().take(SHOWN));
    if elements.next().is_some() { list.finish_non_exhaustive() } else { list.finish() }
}

/// Defines views.
macro_rules! views {
    ($($(#[$doc:meta])* $kind:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $kind<'btf>(pub(crate) $crate::view::Handle<'btf>);

        impl<'btf> $kind<'btf> {
            /// The id.
            #[must_use]
            #[inline]
            pub fn id(self) -> u32 {
                self.0.id
            }

            /// The name; empty if there is none.
            #[must_use]
            #[inline]
            pub fn name(self) -> $crate::Name<'btf> {
                self.0.name()
            }

            /// Returns the type.
            #[must_use]
            #[inline]
            pub fn as_type(self) -> $crate::Type<'btf> {
                self.into()
            }

            /// Returns the size in **bytes**: see
            /// [`Type::size_of`](crate::Type::size_of).
            ///
            /// # Errors
            ///
            /// As for [`Type::size_of`](crate::Type::size_of).
            pub fn size_of(self) -> Result<u64, $crate::Error> {
                self.as_type().size_of()
            }

            /// Returns the alignment in **bytes**: see
            /// [`Type::align_of`](crate::Type::align_of).
            ///
            /// # Errors
            ///
            /// As for [`Type::align_of`](crate::Type::align_of).
            pub fn align_of(self) -> Result<u64, $crate::Error> {
                self.as_type().align_of()
            }

            /// Returns the alignment: see
            /// [`Type::alignment`](crate::Type::alignment).
            ///
            /// # Errors
            ///
            /// As for [`Type::alignment`](crate::Type::alignment).
            pub fn alignment(self) -> Result<$crate::Alignment, $crate::Error> {
                self.as_type().alignment()
            }

            /// Iterates over the DECL_TAGs of the declaration: see
            /// [`Type::decl_tags`](crate::Type::decl_tags).
            pub fn decl_tags(self) -> $crate::DeclTags<'btf> {
                self.as_type().decl_tags()
            }

            /// Iterates over the types that the record refers to: see
            /// [`Type::references`](crate::Type::references).
            #[must_use]
            pub fn references(self) -> $crate::References<'btf> {
                self.as_type().references()
            }

            /// Iterates over all reachable types: see
            /// [`Type::post_order`](crate::Type::post_order).
            #[must_use]
            pub fn post_order(self) -> $crate::PostOrder<'btf> {
                self.as_type().post_order()
            }
        }

        impl core::fmt::Display for $kind<'_> {
            /// Writes the type as C does: see [`Type`](crate::Type).
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                self.as_type().fmt(f)
            }
        }

        impl core::fmt::Debug for $kind<'_> {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

/// Makes views convertible to and from types, and usable with `find`.
macro_rules! converting {
    ($($kind:ident of [$($variant:ident)*] as [$($of:expr),*];)*) => {$(
        impl<'btf> TryFrom<$crate::Type<'btf>> for $kind<'btf> {
            type Error = $crate::WrongKind;

            fn try_from(ty: $crate::Type<'btf>) -> Result<Self, $crate::WrongKind> {
                let wrong = $crate::WrongKind { expected: <Self as $crate::View>::KINDS, found: ty.kind() };
                <Self as $crate::View>::of(ty).ok_or(wrong)
            }
        }

        impl $crate::view::sealed::Sealed for $kind<'_> {}

        impl<'btf> $crate::View<'btf> for $kind<'btf> {
            const KINDS: &'static [$crate::Kind] = &[$($of),*];

            #[inline]
            fn of(ty: $crate::Type<'btf>) -> Option<Self> {
                match ty {
                    $($crate::Type::$variant(view) => Some(Self(view.0)),)*
                    _ => None,
                }
            }
        }
    )*};
}

/// Defines the size of views that have one in their record.
macro_rules! sized {
    ($($kind:ident)*) => {$(
        impl $kind<'_> {
            /// Size in bytes.
            #[must_use]
            #[inline]
            pub fn size(self) -> u32 {
                self.0.record().size_or_type()
            }
        }
    )*};
}

/// Defines the type that the record of a view refers to.
macro_rules! referring {
    ($($(#[$doc:meta])* $kind:ident.$method:ident;)*) => {$(
        impl<'btf> $kind<'btf> {
            $(#[$doc])*
            #[must_use]
            #[inline]
            pub fn $method(self) -> $crate::Type<'btf> {
                self.0.referred()
            }
        }
    )*};
}

/// Defines the elements of a kind's records, and an exact-size, double-ended
/// iterator over them. An element holds the type that it belongs to (`owner`)
/// and its index.
macro_rules! elements {
    (
        $(#[$iter_doc:meta])*
        $iter:ident over
        $(#[$doc:meta])*
        $element:ident of $raw:ty
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub struct $element<'btf> {
            owner: $crate::view::Handle<'btf>,
            raw: &'btf $raw,
            index: u32,
            #[allow(dead_code, reason = "not of meaning in all kinds")]
            kind_flag: bool,
        }

        impl $element<'_> {
            /// Index of the element, from 0.
            #[must_use]
            #[inline]
            pub fn index(self) -> u32 {
                self.index
            }
        }

        /// Equal if it is the same element of the same type.
        impl PartialEq for $element<'_> {
            fn eq(&self, other: &Self) -> bool {
                (self.owner, self.index) == (other.owner, other.index)
            }
        }

        impl Eq for $element<'_> {}

        impl core::hash::Hash for $element<'_> {
            fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
                (self.owner, self.index).hash(state);
            }
        }

        $(#[$iter_doc])*
        #[derive(Clone)]
        #[must_use = "iterators are lazy"]
        pub struct $iter<'btf> {
            owner: $crate::view::Handle<'btf>,
            raw: core::slice::Iter<'btf, $raw>,
            /// Index of the next element from the front.
            index: u32,
            kind_flag: bool,
        }

        impl<'btf> $iter<'btf> {
            #[inline]
            fn new(owner: $crate::view::Handle<'btf>) -> Self {
                let (record, rest) = owner.parts();
                let info = record.info();
                let raw = <$raw>::list(rest, info.vlen()).iter();
                debug_assert_eq!(raw.len(), info.vlen() as usize, "records lie within the type section");
                Self { owner, raw, index: 0, kind_flag: info.kind_flag() }
            }
        }

        impl<'btf> Iterator for $iter<'btf> {
            type Item = $element<'btf>;

            #[inline]
            fn next(&mut self) -> Option<Self::Item> {
                let raw = self.raw.next()?;
                let index = self.index;
                self.index += 1;
                Some($element { owner: self.owner, raw, index, kind_flag: self.kind_flag })
            }

            /// Takes constant time, like [`next`](Iterator::next).
            #[inline]
            fn nth(&mut self, n: usize) -> Option<Self::Item> {
                self.index += n.min(self.raw.len()) as u32;
                self.raw = self.raw.as_slice().get(n..).unwrap_or_default().iter();
                self.next()
            }

            #[inline]
            fn size_hint(&self) -> (usize, Option<usize>) {
                self.raw.size_hint()
            }
        }

        impl DoubleEndedIterator for $iter<'_> {
            #[inline]
            fn next_back(&mut self) -> Option<Self::Item> {
                let raw = self.raw.next_back()?;
                let index = self.index + self.raw.len() as u32;
                Some($element { owner: self.owner, raw, index, kind_flag: self.kind_flag })
            }
        }

        impl ExactSizeIterator for $iter<'_> {}
        impl core::iter::FusedIterator for $iter<'_> {}

        impl core::fmt::Debug for $iter<'_> {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                $crate::view::debug_first(f, self.clone())
            }
        }
    };
}

/// Defines the name and the type of elements.
macro_rules! named {
    ($($element:ident: $unnamed:literal, $type:literal;)*) => {$(
        impl<'btf> $element<'btf> {
            #[doc = concat!("The name; empty for ", $unnamed, ".")]
            #[must_use]
            #[inline]
            pub fn name(self) -> $crate::Name<'btf> {
                self.owner.btf.name_at(self.raw.name_off())
            }

            /// Returns `true` if there is no name, without reading it.
            #[must_use]
            #[inline]
            pub fn is_anonymous(self) -> bool {
                self.owner.btf.string_at(self.raw.name_off()).first() == Some(&0)
            }

            /// The name, or its first `limit` bytes: see
            /// [`Type::name_start`](crate::Type::name_start).
            #[must_use]
            #[inline]
            pub fn name_start(self, limit: usize) -> $crate::Name<'btf> {
                self.owner.btf.name_start(self.raw.name_off(), limit)
            }

            /// The id of the type, which is not looked up; 0 for `void`.
            #[must_use]
            #[inline]
            pub fn type_id(self) -> u32 {
                self.raw.type_id()
            }

            #[doc = concat!("The type", $type, ".")]
            #[must_use]
            #[inline]
            pub fn ty(self) -> $crate::Type<'btf> {
                self.owner.btf.type_of(self.raw.type_id())
            }
        }
    )*};
}

pub(crate) use {converting, elements, named, referring, sized, views};
