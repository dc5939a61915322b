//! Definitions, with one method for each kind.

use btf_types::{
    FwdKind, IntEncoding, Kind, Linkage,
    format::{self, Info, IntData},
};

use crate::{
    Builder, Error,
    composite::CompositeBuilder,
    datasec::DatasecBuilder,
    enumeration::EnumBuilder,
    func_proto::FuncProtoBuilder,
    pending::{Pending, Target},
};

/// Definition of a declared type: see [`Builder::define`]. It has a method for
/// each kind, as [`Builder`] has, which returns the declared id.
///
/// ```
/// # fn main() -> Result<(), btf_build::Error> {
/// use btf_build::{Builder, Error};
///
/// let mut b = Builder::new();
/// let [list, link] = [b.declare(), b.declare()];
/// b.define(list).structure("list", 8).member("next", link, 0).finish()?;
/// b.define(link).ptr(list)?;
/// assert!(matches!(b.define(link).ptr(0), Err(Error::AlreadyDefined { id: 2, .. })));
/// assert_eq!(b.finish()?.type_by_id(link)?.to_string(), "struct list *");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "nothing is defined before the kind is chosen"]
pub struct Definition<'b> {
    builder: &'b mut Builder,
    /// `None`: the next id.
    id: Option<u32>,
}

/// Defines methods twice: of [`Builder`], for the next id, and of
/// [`Definition`], for a declared one.
macro_rules! definitions {
    (
        defined at once {$(
            $(#[$doc:meta])*
            fn $method:ident($definition:ident $(, $arg:ident: $ty:ty)*) $body:block
        )*}
        defined by elements {$(
            $(#[$list_doc:meta])*
            fn $list_method:ident($list_definition:ident $(, $list_arg:ident: $list_ty:ty)*)
                -> $list:ident $list_body:block
        )*}
    ) => {
        /// Kinds of types: each method returns the id of the new type.
        ///
        /// ```
        /// # fn main() -> Result<(), btf_build::Error> {
        /// use btf_build::{Builder, IntEncoding};
        /// use btf_types::{FwdKind, Linkage};
        ///
        /// let mut b = Builder::new();
        /// let int = b.int("int", 4, IntEncoding::SIGNED)?;
        /// b.int_with_bits("old bitfield", 4, IntEncoding::NONE, 0, 3)?;
        /// b.float("double", 8)?;
        /// let volatile = b.volatile(int)?;
        /// let ptr = b.ptr(volatile)?;
        /// b.restrict(ptr)?;
        /// let constant = b.const_(ptr)?;
        /// b.array(constant, int, 16)?;
        /// let td = b.typedef("counter_t", int)?;
        /// b.decl_tag("exported", td, None)?;
        /// b.decl_attribute("aligned(8)", td, None)?;
        /// b.type_tag("user", int)?;
        /// b.type_attribute("noderef", int)?;
        /// b.fwd("inode", FwdKind::Struct)?;
        /// b.structure("s", 4).member("value", int, 0).finish()?;
        /// b.union("u", 4).member("value", int, 0).finish()?;
        /// b.enumeration("e", 4).value("ZERO", 0).finish()?;
        /// b.enumeration64("e64", 8).value("ONE", 1).finish()?;
        /// let proto = b.func_proto(int).param("value", ptr).finish()?;
        /// b.func("read", Linkage::Static, proto)?;
        /// let var = b.var("count", td, Linkage::Global)?;
        /// b.datasec(".data", 4).var(var, 0, 4).finish()?;
        ///
        /// let btf = b.finish()?;
        /// let kinds: std::collections::BTreeSet<_> = btf.types().filter_map(|ty| ty.kind()).collect();
        /// assert_eq!(kinds.len(), 19);
        /// assert_eq!(btf.type_by_id(8)?.to_string(), "volatile int *const[16]");
        /// # Ok(())
        /// # }
        /// ```
        impl Builder {
            $(
                $(#[$doc])*
                pub fn $method(&mut self $(, $arg: $ty)*) -> Result<u32, Error> {
                    Definition::new(self, None).$method($($arg),*)
                }
            )*
            $(
                $(#[$list_doc])*
                pub fn $list_method(&mut self $(, $list_arg: $list_ty)*) -> $list<'_> {
                    Definition::new(self, None).$list_method($($list_arg),*)
                }
            )*
        }

        /// Kinds of types: each method returns the id that was declared.
        impl<'b> Definition<'b> {
            $(
                $(#[$doc])*
                pub fn $method(self $(, $arg: $ty)*) -> Result<u32, Error> {
                    let $definition = self;
                    $body
                }
            )*
            $(
                $(#[$list_doc])*
                pub fn $list_method(self $(, $list_arg: $list_ty)*) -> $list<'b> {
                    let $list_definition = self;
                    $list_body
                }
            )*
        }
    };
}

definitions! {
    defined at once {
        /// An INT of 1, 2, 4, 8 or 16 bytes, all bits of which are used.
        ///
        /// # Errors
        ///
        /// [`Error::Size`]; [`Error::NameMissing`], and others as for all
        /// definitions: [`Error::NulInName`], [`Error::TooLarge`],
        /// [`Error::NotDeclared`], [`Error::AlreadyDefined`].
        fn int(definition, name: impl AsRef<[u8]>, size: u32, encoding: IntEncoding) {
            // An invalid size is rejected, whatever its number of bits.
            let bits = size.checked_mul(8).and_then(|bits| u8::try_from(bits).ok()).unwrap_or(0);
            definition.int_with_bits(name, size, encoding, 0, bits)
        }

        /// An INT of which not all bits are used, as bitfields were written
        /// before Linux 5.0: `bits` of them from `bit_offset` on.
        ///
        /// # Errors
        ///
        /// [`Error::IntBits`] if they go beyond the size, and as for `int`.
        fn int_with_bits(
            definition,
            name: impl AsRef<[u8]>,
            size: u32,
            encoding: IntEncoding,
            bit_offset: u8,
            bits: u8
        ) {
            let name = name.as_ref();
            let mut pending = Pending::named(definition.target(), Kind::Int, name, size);
            pending.size(size, &[1, 2, 4, 8, 16], "1, 2, 4, 8 or 16");
            if u32::from(bit_offset) + u32::from(bits) > size.saturating_mul(8) {
                pending.fail(Error::IntBits { name: name.into(), size, bit_offset, bits });
            }
            pending.put(IntData::encode(encoding, bit_offset, bits).as_bytes());
            pending.finish(false)
        }

        /// A FLOAT of 2, 4, 8, 12 or 16 bytes.
        ///
        /// # Errors
        ///
        /// [`Error::Size`]; [`Error::NameMissing`]; others as for `int`.
        fn float(definition, name: impl AsRef<[u8]>, size: u32) {
            let mut pending = Pending::named(definition.target(), Kind::Float, name.as_ref(), size);
            pending.size(size, &[2, 4, 8, 12, 16], "2, 4, 8, 12 or 16");
            pending.finish(false)
        }

        /// A PTR to a type; to `void` with id 0.
        ///
        /// # Errors
        ///
        /// [`Error::NoSuchId`] if there is no type `target`.
        fn ptr(definition, target: u32) {
            Pending::referring(definition.target(), Kind::Ptr, b"", target).finish(false)
        }

        /// A VOLATILE, the qualifier.
        ///
        /// # Errors
        ///
        /// [`Error::NoSuchId`] if there is no type `target`.
        fn volatile(definition, target: u32) {
            Pending::referring(definition.target(), Kind::Volatile, b"", target).finish(false)
        }

        /// A CONST, the qualifier.
        ///
        /// # Errors
        ///
        /// [`Error::NoSuchId`] if there is no type `target`.
        fn const_(definition, target: u32) {
            Pending::referring(definition.target(), Kind::Const, b"", target).finish(false)
        }

        /// A RESTRICT, the qualifier.
        ///
        /// # Errors
        ///
        /// [`Error::NoSuchId`] if there is no type `target`.
        fn restrict(definition, target: u32) {
            Pending::referring(definition.target(), Kind::Restrict, b"", target).finish(false)
        }

        /// A TYPEDEF: another name of a type.
        ///
        /// # Errors
        ///
        /// [`Error::NoSuchId`] if there is no type `target`;
        /// [`Error::NameMissing`]; [`Error::NulInName`].
        fn typedef(definition, name: impl AsRef<[u8]>, target: u32) {
            let mut pending = Pending::named(definition.target(), Kind::Typedef, name.as_ref(), target);
            pending.id(target);
            pending.finish(false)
        }

        /// A TYPE_TAG, `btf_type_tag("VALUE")`. It stands between a PTR and
        /// what that points to.
        ///
        /// # Errors
        ///
        /// [`Error::NoSuchId`] if there is no type `target`;
        /// [`Error::NameMissing`]; [`Error::NulInName`].
        fn type_tag(definition, value: impl AsRef<[u8]>, target: u32) {
            let mut pending = Pending::named(definition.target(), Kind::TypeTag, value.as_ref(), target);
            pending.id(target);
            pending.finish(false)
        }

        /// A TYPE_TAG with `kind_flag`: any attribute of a type,
        /// `__attribute__((VALUE))`. Since Linux 6.15.
        ///
        /// # Errors
        ///
        /// As for `type_tag`.
        fn type_attribute(definition, value: impl AsRef<[u8]>, target: u32) {
            let mut pending = Pending::named(definition.target(), Kind::TypeTag, value.as_ref(), target);
            pending.id(target);
            pending.finish(true)
        }

        /// A DECL_TAG, `btf_decl_tag("VALUE")`, of a struct, union, function,
        /// variable or typedef; or with `component`, of its member or
        /// parameter of that number, counted from 0.
        ///
        /// # Errors
        ///
        /// [`Error::NoSuchId`] if there is no type `target`;
        /// [`Error::NameMissing`]; [`Error::NulInName`]; [`Error::Component`] if
        /// its number has more than 31 bits.
        fn decl_tag(definition, value: impl AsRef<[u8]>, target: u32, component: Option<u32>) {
            Pending::decl_tag(definition.target(), value.as_ref(), target, component).finish(false)
        }

        /// A DECL_TAG with `kind_flag`: any attribute of a declaration,
        /// `__attribute__((VALUE))`. Since Linux 6.15.
        ///
        /// # Errors
        ///
        /// As for `decl_tag`.
        fn decl_attribute(definition, value: impl AsRef<[u8]>, target: u32, component: Option<u32>) {
            Pending::decl_tag(definition.target(), value.as_ref(), target, component).finish(true)
        }

        /// An ARRAY: of `nelems` elements, 0 for a flexible array.
        ///
        /// # Errors
        ///
        /// [`Error::NoSuchId`] if there is no type `element` or `index`.
        fn array(definition, element: u32, index: u32, nelems: u32) {
            let mut pending = Pending::new(definition.target(), Kind::Array, b"", 0);
            let array = format::Array::new(pending.id(element), pending.id(index), nelems);
            pending.put(array.as_bytes());
            pending.finish(false)
        }

        /// A FWD: the forward declaration of a struct or union. (That of an
        /// enum is an `enumeration` without values.)
        ///
        /// # Errors
        ///
        /// [`Error::NameMissing`]; [`Error::NulInName`].
        fn fwd(definition, name: impl AsRef<[u8]>, declares: FwdKind) {
            Pending::named(definition.target(), Kind::Fwd, name.as_ref(), 0).finish(declares == FwdKind::Union)
        }

        /// A FUNC: a name for a FUNC_PROTO.
        ///
        /// # Errors
        ///
        /// [`Error::FuncWithoutProto`] if `proto` is not the id of a
        /// FUNC_PROTO; [`Error::NoSuchId`]; [`Error::NameMissing`];
        /// [`Error::NulInName`]; [`Error::Linkage`] if its number has more than
        /// 24 bits. (If `proto` is not defined yet, it is checked when the
        /// builder finishes.)
        fn func(definition, name: impl AsRef<[u8]>, linkage: Linkage, proto: u32) {
            let name = name.as_ref();
            let mut pending = Pending::named(definition.target(), Kind::Func, name, proto);
            pending.proto(name, proto);
            let linkage = u32::from(linkage);
            if linkage > Info::MAX_VLEN {
                pending.fail(Error::Linkage { name: name.into(), linkage });
            }
            pending.finish_with(linkage.min(Info::MAX_VLEN), false)
        }

        /// A VAR: a variable.
        ///
        /// # Errors
        ///
        /// [`Error::NoSuchId`] if there is no type `ty`;
        /// [`Error::NameMissing`]; [`Error::NulInName`].
        fn var(definition, name: impl AsRef<[u8]>, ty: u32, linkage: Linkage) {
            let mut pending = Pending::named(definition.target(), Kind::Var, name.as_ref(), ty);
            pending.id(ty);
            pending.put(format::Var::new(linkage.into()).as_bytes());
            pending.finish(false)
        }
    }
    defined by elements {
        /// A STRUCT of `size` bytes; it may have no name.
        fn structure(definition, name: impl AsRef<[u8]>, size: u32) -> CompositeBuilder {
            CompositeBuilder::new(Pending::new(definition.target(), Kind::Struct, name.as_ref(), size))
        }

        /// A UNION of `size` bytes; it may have no name.
        fn union(definition, name: impl AsRef<[u8]>, size: u32) -> CompositeBuilder {
            CompositeBuilder::new(Pending::new(definition.target(), Kind::Union, name.as_ref(), size))
        }

        /// An ENUM of 1, 2, 4 or 8 bytes, with values of 32 bits; it may have no
        /// name. Without values it is a forward declaration.
        fn enumeration(definition, name: impl AsRef<[u8]>, size: u32) -> EnumBuilder {
            EnumBuilder::new(Pending::new(definition.target(), Kind::Enum, name.as_ref(), size).with_enum_size(size))
        }

        /// An ENUM64 of 1, 2, 4 or 8 bytes, with values of 64 bits; it may have
        /// no name. Since Linux 6.0.
        fn enumeration64(definition, name: impl AsRef<[u8]>, size: u32) -> EnumBuilder {
            EnumBuilder::new(Pending::new(definition.target(), Kind::Enum64, name.as_ref(), size).with_enum_size(size))
        }

        /// A FUNC_PROTO: the type that a function returns, `void` with id 0, and
        /// its parameters.
        fn func_proto(definition, return_type: u32) -> FuncProtoBuilder {
            FuncProtoBuilder::new(Pending::referring(definition.target(), Kind::FuncProto, b"", return_type))
        }

        /// A DATASEC: the variables of an ELF section of `size` bytes.
        fn datasec(definition, name: impl AsRef<[u8]>, size: u32) -> DatasecBuilder {
            DatasecBuilder::new(Pending::named(definition.target(), Kind::Datasec, name.as_ref(), size))
        }
    }
}

impl<'b> Definition<'b> {
    fn target(self) -> Target<'b> {
        (self.builder, self.id)
    }

    pub(crate) fn new(builder: &'b mut Builder, id: Option<u32>) -> Self {
        Self { builder, id }
    }
}
