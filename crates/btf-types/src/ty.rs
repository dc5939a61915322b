//! A type: which kind it is, and the view that belongs to it.

use core::{fmt, ptr};

use btf_format::{Kind, Name, TypeRecord};

use crate::{
    Array, Const, Datasec, DeclTag, Enum, Enum64, Float, Func, FuncProto, Fwd, Int, Ptr, Restrict, Struct, TypeTag,
    Typedef, Union, Unknown, Var, Volatile, btf::Inner,
};

/// What every view is: the layer that owns the type, its record, and its id.
#[derive(Clone, Copy)]
pub(crate) struct Handle<'btf> {
    pub(crate) btf: &'btf Inner,
    pub(crate) offset: u32,
    pub(crate) id: u32,
}

impl<'btf> Handle<'btf> {
    #[inline(always)]
    pub(crate) fn record(self) -> &'btf TypeRecord {
        self.btf.record(self.offset)
    }

    #[inline]
    pub(crate) fn name(self) -> Name<'btf> {
        self.btf.name_at(self.record().name_off())
    }

    /// The type that the third word of the record refers to.
    #[inline]
    pub(crate) fn referred(self) -> Type<'btf> {
        self.btf.type_of(self.record().size_or_type())
    }

    /// What follows the record, up to the end of the type section.
    #[inline]
    pub(crate) fn rest(self) -> &'btf [u8] {
        self.btf.rest_at(self.offset)
    }
}

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

/// Defines [`Type`] from the list of its views.
macro_rules! types {
    ($($(#[$doc:meta])* $kind:ident,)*) => {
        /// A type, by its kind.
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
            /// A kind that this library does not model, but knows the size
            /// of: 20 to 22, or one that the layout section sizes.
            Unknown(Unknown<'btf>),
        }

        impl<'btf> Type<'btf> {
            #[inline(always)]
            pub(crate) fn of(handle: Handle<'btf>) -> Self {
                #[allow(non_upper_case_globals)]
                mod number { $(pub(super) const $kind: u8 = super::Kind::$kind.number();)* }
                match handle.record().info().kind_number() {
                    $(number::$kind => Self::$kind($kind(handle)),)*
                    _ => Self::Unknown(Unknown(handle)),
                }
            }

            /// What there is of any type but `void`.
            #[inline]
            pub(crate) fn handle(self) -> Option<Handle<'btf>> {
                match self {
                    Self::Void => None,
                    $(Self::$kind(view) => Some(view.0),)*
                    Self::Unknown(view) => Some(view.0),
                }
            }
        }

        $(impl<'btf> From<$kind<'btf>> for Type<'btf> {
            fn from(view: $kind<'btf>) -> Self {
                Self::$kind(view)
            }
        })*
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
    /// The variables of an ELF section.
    Datasec,
    /// A floating-point number.
    Float,
    /// A tag of a declaration, member or parameter.
    DeclTag,
    /// A tag of a type.
    TypeTag,
    /// An enumeration with 64-bit values.
    Enum64,
}

impl<'btf> Type<'btf> {
    /// The id: 0 for `void`.
    #[must_use]
    #[inline]
    pub fn id(self) -> u32 {
        self.handle().map_or(0, |handle| handle.id)
    }

    /// The kind; `None` for `void` and kinds that this library does not model.
    #[must_use]
    #[inline]
    pub fn kind(self) -> Option<Kind> {
        self.handle().and_then(|handle| handle.record().info().kind())
    }

    /// The name; empty for what has none.
    #[must_use]
    #[inline]
    pub fn name(self) -> Name<'btf> {
        self.handle().map_or(Name::EMPTY, Handle::name)
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

impl fmt::Debug for Handle<'_> {
    /// Never follows a reference: cannot recurse.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let info = self.record().info();
        write!(f, "[{}] ", self.id)?;
        match info.kind() {
            Some(kind) => write!(f, "{kind}")?,
            None => write!(f, "kind {}", info.kind_number())?,
        }
        write!(f, " {:?} vlen={} kind_flag={}", self.name(), info.vlen(), info.kind_flag())?;
        write!(f, " size_or_type={}", self.record().size_or_type())
    }
}
