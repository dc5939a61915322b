//! Linear chains: qualifiers, typedefs and tags of a type.
//!
//! A chain is followed for at most [`HOPS`] types. No compiler writes a longer
//! one; damaged BTF may, or may contain a cycle.

use crate::{Const, DeclTag, Error, Ptr, Restrict, Type, TypeTag, Typedef, Volatile, view::Handle};

/// Maximum number of types of a chain.
pub(crate) const HOPS: u32 = 64;

impl<'btf> Type<'btf> {
    /// Returns the type that a reference refers to: PTR, TYPEDEF, VOLATILE,
    /// CONST, RESTRICT, TYPE_TAG, or DECL_TAG. Other kinds have methods of
    /// their own: [`Array::element`](crate::Array::element),
    /// [`Var::ty`](crate::Var::ty), [`Func::proto`](crate::Func::proto),
    /// [`FuncProto::return_type`](crate::FuncProto::return_type).
    ///
    /// ```
    /// # fn main() -> Result<(), btf_types::Error> {
    /// use btf_types::Btf;
    ///
    /// # let vmlinux = Btf::parse(std::fs::read("doc/kernel.btf").unwrap())?;
    /// let data = vmlinux.path("sk_buff.data")?.ty();
    /// assert_eq!(data.target().unwrap().to_string(), "const u8");
    /// assert!(vmlinux.type_by_id(1)?.target().is_none()); // an integer refers to nothing
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    #[inline]
    pub fn target(self) -> Option<Self> {
        self.referring().map(Handle::referred)
    }

    /// Returns the id of [`Type::target`], which is not looked up; 0 for `void`.
    #[must_use]
    #[inline]
    pub fn target_id(self) -> Option<u32> {
        self.referring().map(|handle| handle.record().size_or_type())
    }

    /// Returns the handle of a type that has a target.
    #[inline]
    fn referring(self) -> Option<Handle<'btf>> {
        match self {
            Type::Ptr(Ptr(handle))
            | Type::Typedef(Typedef(handle))
            | Type::Volatile(Volatile(handle))
            | Type::Const(Const(handle))
            | Type::Restrict(Restrict(handle))
            | Type::TypeTag(TypeTag(handle))
            | Type::DeclTag(DeclTag(handle)) => Some(handle),
            _ => None,
        }
    }

    /// Returns the next type of a chain: [`Type::target`], the element of an
    /// array, the type of a variable, or the return type of a prototype.
    #[inline]
    pub(crate) fn inner(self) -> Option<Self> {
        match self {
            Type::Array(array) => Some(array.element()),
            Type::Var(var) => Some(var.ty()),
            Type::FuncProto(proto) => Some(proto.return_type()),
            _ => self.target(),
        }
    }

    /// Repeats [`Type::target`], at most 64 times, without this type itself.
    /// `const char *` yields `const char`, `char`.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_types::Error> {
    /// use btf_types::Btf;
    ///
    /// # let vmlinux = Btf::parse(std::fs::read("doc/kernel.btf").unwrap())?;
    /// let data = vmlinux.path("sk_buff.data")?.ty();
    /// let chain: Vec<_> = data.chain().map(|ty| ty.to_string()).collect();
    /// assert_eq!(chain, ["const u8", "u8", "unsigned char"]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn chain(self) -> impl Iterator<Item = Self> {
        core::iter::successors(self.target(), |ty| ty.target()).take(HOPS as usize)
    }

    /// Skips `const`, `volatile` and `restrict`.
    ///
    /// Like all `peel_` methods, it returns the type where it stopped if the
    /// chain has more than 64 types.
    #[must_use]
    pub fn peel_qualifiers(self) -> Self {
        self.peel(|ty| matches!(ty, Type::Const(_) | Type::Volatile(_) | Type::Restrict(_)))
    }

    /// Skips typedefs.
    #[must_use]
    pub fn peel_typedefs(self) -> Self {
        self.peel(|ty| matches!(ty, Type::Typedef(_)))
    }

    /// Skips TYPE_TAGs.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_types::Error> {
    /// use btf_types::{Btf, Ptr, Type};
    ///
    /// # let vmlinux = Btf::parse(std::fs::read("doc/kernel.btf").unwrap())?;
    /// // struct task_struct __rcu *real_parent;
    /// let parent = vmlinux.path("task_struct.real_parent")?.ty();
    /// let Type::Ptr(parent) = parent else { panic!("it is a pointer") };
    /// assert!(matches!(parent.target(), Type::TypeTag(tag) if tag.name() == "rcu"));
    /// assert_eq!(parent.target().peel_tags(), vmlinux.find("task_struct")?);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn peel_tags(self) -> Self {
        self.peel(|ty| matches!(ty, Type::TypeTag(_)))
    }

    /// Skips qualifiers, typedefs and TYPE_TAGs.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_types::Error> {
    /// use btf_types::{Btf, Type};
    ///
    /// # let vmlinux = Btf::parse(std::fs::read("doc/kernel.btf").unwrap())?;
    /// let element = vmlinux.path("sk_buff.data[0]")?.ty(); // const u8
    /// assert!(matches!(element.peel_modifiers(), Type::Int(int) if int.name() == "unsigned char"));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn peel_modifiers(self) -> Self {
        self.peel(Self::is_modifier)
    }

    /// Skips qualifiers, typedefs and TYPE_TAGs; returns an error if the chain
    /// is too long.
    ///
    /// # Errors
    ///
    /// [`Error::TooDeep`] after 64 types.
    pub fn resolve(self) -> Result<Self, Error> {
        let end = self.peel_modifiers();
        if end.is_modifier() { Err(Error::TooDeep { ty: self.into(), limit: HOPS }) } else { Ok(end) }
    }

    /// Returns `true` for kinds that only modify or name another type: `const`,
    /// `volatile`, `restrict`, TYPE_TAG, `typedef`.
    #[must_use]
    #[inline]
    pub fn is_modifier(self) -> bool {
        matches!(self, Type::Const(_) | Type::Volatile(_) | Type::Restrict(_) | Type::TypeTag(_) | Type::Typedef(_))
    }

    /// Returns the keyword of a qualifier: `const`, `volatile` or `restrict`;
    /// `None` for other kinds.
    #[must_use]
    #[inline]
    pub fn qualifier(self) -> Option<&'static str> {
        match self {
            Type::Const(_) => Some("const"),
            Type::Volatile(_) => Some("volatile"),
            Type::Restrict(_) => Some("restrict"),
            _ => None,
        }
    }

    /// Skips the types for which `is_peel` returns `true`.
    #[inline]
    pub(crate) fn peel(self, is_peel: impl Fn(Self) -> bool) -> Self {
        let mut ty = self;
        for _ in 0..HOPS {
            match ty.inner() {
                Some(target) if is_peel(ty) => ty = target,
                _ => break,
            }
        }
        ty
    }
}
