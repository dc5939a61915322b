//! Kinds that only refer to another type: PTR, TYPEDEF, the qualifiers,
//! TYPE_TAG; and FWD, a declaration without a definition.
//!
//! Source: `Documentation/bpf/btf.rst`, the kinds of these names.

use core::fmt;

use crate::view::{referring, views};

views! {
    /// A pointer.
    Ptr;
    /// A `typedef`.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_types::Error> {
    /// use btf_types::{Btf, Type, Typedef};
    ///
    /// # let vmlinux = Btf::parse(std::fs::read("doc/kernel.btf").unwrap())?;
    /// let work_func_t: Typedef<'_> = vmlinux.find("work_func_t")?;
    /// assert_eq!(work_func_t.target().to_string(), "void (*)(struct work_struct *work)");
    /// let Type::Ptr(pointer) = work_func_t.target() else { panic!("it is a pointer") };
    /// assert!(matches!(pointer.target(), Type::FuncProto(proto) if proto.params().len() == 1));
    /// # Ok(())
    /// # }
    /// ```
    Typedef;
    /// The qualifier `volatile`.
    Volatile;
    /// The qualifier `const`.
    Const;
    /// The qualifier `restrict`.
    Restrict;
    /// Tag of a type (`btf_type_tag`). Its name is the tag.
    TypeTag;
    /// A forward declaration of a structure or union.
    Fwd;
}

referring! {
    /// The pointee.
    Ptr.target;
    /// The aliased type.
    Typedef.target;
    /// The qualified type.
    Volatile.target;
    /// The qualified type.
    Const.target;
    /// The qualified type.
    Restrict.target;
    /// The tagged type.
    TypeTag.target;
}

impl TypeTag<'_> {
    /// Returns `true` if the tag is an attribute, `__attribute__((NAME))`,
    /// instead of `btf_type_tag("NAME")`. Since Linux 6.15.
    #[must_use]
    pub fn is_attribute(self) -> bool {
        self.0.record().info().kind_flag()
    }
}

impl Fwd<'_> {
    /// The kind of the declared type (`btf_fwd_kind`).
    #[must_use]
    pub fn declares(self) -> FwdKind {
        if self.0.record().info().kind_flag() { FwdKind::Union } else { FwdKind::Struct }
    }
}

/// Kind of the type that a FWD declares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FwdKind {
    /// A structure.
    Struct,
    /// A union.
    Union,
}

impl FwdKind {
    /// The C keyword: `struct` or `union`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Struct => "struct",
            Self::Union => "union",
        }
    }
}

impl fmt::Display for FwdKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
