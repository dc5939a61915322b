//! The kinds that only refer to another type: PTR, TYPEDEF, the qualifiers,
//! TYPE_TAG; and FWD, which refers to what is not there.
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
    /// A tag of a type (`btf_type_tag`); its name is the tag.
    TypeTag;
    /// A forward declaration of a structure or union.
    Fwd;
}

referring! {
    /// What it points to.
    Ptr.target;
    /// The type that it is a name for.
    Typedef.target;
    /// The type that it qualifies.
    Volatile.target;
    /// The type that it qualifies.
    Const.target;
    /// The type that it qualifies.
    Restrict.target;
    /// The type that it tags.
    TypeTag.target;
}

impl TypeTag<'_> {
    /// Whether the name is any attribute, `__attribute__((NAME))`, and not a
    /// `btf_type_tag("NAME")`. Since Linux 6.15.
    #[must_use]
    pub fn is_attribute(self) -> bool {
        self.0.record().info().kind_flag()
    }
}

impl Fwd<'_> {
    /// What is declared.
    #[must_use]
    pub fn declares(self) -> FwdKind {
        if self.0.record().info().kind_flag() { FwdKind::Union } else { FwdKind::Struct }
    }
}

/// What a FWD declares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FwdKind {
    /// A structure.
    Struct,
    /// A union.
    Union,
}

impl FwdKind {
    /// The keyword of C: `struct` or `union`.
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
