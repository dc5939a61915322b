//! Types, and the views of each kind.

use core::fmt;

use btf_format::{Kind, Name, Record};

use crate::{
    Array, Btf, Const, Datasec, DeclTag, Enum, Enum64, Float, Func, FuncProto, Fwd, Int, Ptr, Restrict, Struct,
    TypeTag, Typedef, Union, Unknown, Var, Volatile,
    error::Kinds,
    view::{Handle, converting},
};

/// Defines [`Type`] from the list of its views.
macro_rules! types {
    ($($(#[$doc:meta])* $kind:ident,)*) => {
        /// A type, as a view by its kind.
        ///
        /// Two types are equal if they are the same type of the same BTF: a
        /// type of vmlinux reached through a module equals the one reached
        /// directly.
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Type<'btf> {
            /// `void`, which has the id 0 and no record.
            Void,
            $($(#[$doc])* $kind($kind<'btf>),)*
            /// A kind that this library does not model but whose size is known:
            /// 20 to 22, or one in the layout section.
            Unknown(Unknown<'btf>),
        }

        impl<'btf> Type<'btf> {
            #[inline(always)]
            pub(crate) fn of(handle: Handle<'btf>) -> Self {
                Self::of_kind(handle, handle.record().info().kind_number())
            }

            /// Makes a type from its handle and kind number.
            #[inline(always)]
            pub(crate) fn of_kind(handle: Handle<'btf>, number: u8) -> Self {
                #[allow(non_upper_case_globals)]
                mod number { $(pub(super) const $kind: u8 = super::Kind::$kind.number();)* }
                match number {
                    $(number::$kind => Self::$kind($kind(handle)),)*
                    _ => Self::Unknown(Unknown(handle)),
                }
            }

            /// The kind; `None` for `void` and kinds that this library does not model.
            #[must_use]
            #[inline]
            pub fn kind(self) -> Option<Kind> {
                match self {
                    $(Self::$kind(_) => Some(Kind::$kind),)*
                    Self::Void | Self::Unknown(_) => None,
                }
            }

            /// Returns the handle of any type but `void`.
            #[inline]
            pub(crate) fn handle(self) -> Option<Handle<'btf>> {
                match self {
                    Self::Void => None,
                    $(Self::$kind(view) => Some(view.0),)*
                    Self::Unknown(view) => Some(view.0),
                }
            }
        }

        $(
            impl<'btf> From<$kind<'btf>> for Type<'btf> {
                #[inline]
                fn from(view: $kind<'btf>) -> Self {
                    Self::$kind(view)
                }
            }
        )*

        converting! {
            $($kind of [$kind] as [Kind::$kind];)*
        }
    };
}

types! {
    /// An integer, boolean or character.
    Int,
    /// A pointer.
    Ptr,
    /// An array.
    Array,
    /// A structure.
    Struct,
    /// A union.
    Union,
    /// An enumeration with 32-bit values.
    Enum,
    /// A forward declaration of a structure or union.
    Fwd,
    /// A `typedef`.
    Typedef,
    /// `volatile`.
    Volatile,
    /// `const`.
    Const,
    /// `restrict`.
    Restrict,
    /// A function.
    Func,
    /// Return type and parameters of a function.
    FuncProto,
    /// A variable.
    Var,
    /// Variables of an ELF section.
    Datasec,
    /// A floating-point number.
    Float,
    /// Tag of a declaration, member or parameter.
    DeclTag,
    /// Tag of a type.
    TypeTag,
    /// An enumeration with 64-bit values.
    Enum64,
}

impl<'btf> From<Unknown<'btf>> for Type<'btf> {
    fn from(view: Unknown<'btf>) -> Self {
        Self::Unknown(view)
    }
}

converting! {
    Unknown of [Unknown] as [];
}

/// Error of converting a type to a view of another kind.
///
/// ```
/// # fn main() -> Result<(), btf_types::Error> {
/// use btf_types::{Btf, Enum, Kind, Struct, Type};
///
/// # let vmlinux = Btf::parse(std::fs::read("doc/kernel.btf").unwrap())?;
/// let ty: Type<'_> = vmlinux.find("sk_buff")?;
/// assert!(Struct::try_from(ty).is_ok());
/// assert_eq!(Enum::try_from(ty).unwrap_err().found, Some(Kind::Struct));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("wrong kind of type: expected {}, found {}", Kinds(.expected), .found.map_or("void or an unknown kind", Kind::as_str))]
#[non_exhaustive]
pub struct WrongKind {
    /// The kinds of the view; empty for [`Unknown`].
    pub expected: &'static [Kind],
    /// The kind of the type; `None` for `void` and unknown kinds.
    pub found: Option<Kind>,
}

impl<'btf> Type<'btf> {
    /// Returns the BTF that owns the type: the one that was queried, or a base
    /// of it. `None` for `void`.
    ///
    /// Keep it together with the id to store a type beyond the lifetime of the
    /// view.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_types::Error> {
    /// # use btf_types::Btf;
    /// # let btf = Btf::parse(std::fs::read("doc/point.btf").unwrap())?;
    /// let ty = btf.type_by_id(1)?;
    /// assert!(ty.btf().unwrap().is_same(&btf));
    /// assert!(btf.type_by_id(0)?.btf().is_none());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn btf(self) -> Option<Btf> {
        self.handle().and_then(|handle| Btf::of_layer(handle.btf))
    }

    /// The id: 0 for `void`.
    #[must_use]
    #[inline]
    pub fn id(self) -> u32 {
        self.handle().map_or(0, |handle| handle.id)
    }

    /// The record in the type section; `None` for `void`, which has none.
    #[must_use]
    pub fn record(self) -> Option<Record<'btf>> {
        let record = self.handle()?.whole_record();
        debug_assert!(record.is_some(), "records are checked at opening");
        record
    }

    /// Returns `true` if the type has no name, without reading it.
    #[must_use]
    #[inline]
    pub fn is_anonymous(self) -> bool {
        let string = |handle: Handle<'btf>| handle.btf.string_at(handle.record().name_off());
        self.handle().is_none_or(|handle| string(handle).first() == Some(&0))
    }

    /// The name; empty if there is none.
    #[must_use]
    #[inline]
    pub fn name(self) -> Name<'btf> {
        self.handle().map_or(Name::EMPTY, Handle::name)
    }

    /// The name, or its first `limit` bytes.
    ///
    /// Reading a name takes time in proportion to its length, and in a hostile
    /// file millions of types can share a name of megabytes. (Kernels allow 512
    /// bytes.)
    #[must_use]
    #[inline]
    pub fn name_start(self, limit: usize) -> Name<'btf> {
        let Some(handle) = self.handle() else { return Name::EMPTY };
        handle.btf.name_start(handle.record().name_off(), limit)
    }

    /// Returns `true` if the type has this name, in O(`name.len()`). Comparing
    /// with [`Type::name`] takes O(length of the type's name).
    #[must_use]
    pub fn is_named(self, name: impl AsRef<[u8]>) -> bool {
        let name = name.as_ref();
        self.name_start(name.len() + 1) == *name
    }
}

impl fmt::Debug for Type<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.handle() {
            None => f.write_str("Void"),
            Some(handle) => handle.fmt(f),
        }
    }
}
