//! Functions: FUNC, FUNC_PROTO, and parameters.
//!
//! Source: `Documentation/bpf/btf.rst`, "`BTF_KIND_FUNC`" and
//! "`BTF_KIND_FUNC_PROTO`".

use core::fmt;

use btf_format as raw;

use crate::{
    DeclTags, Linkage,
    view::{ShortName, elements, named, referring, views},
};

views! {
    /// A function.
    Func;
    /// Return type and parameters of a function.
    FuncProto;
}

referring! {
    /// The return type.
    FuncProto.return_type;
}

impl<'btf> Func<'btf> {
    /// Return type and parameters.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_types::Error> {
    /// use btf_types::{Btf, Func};
    ///
    /// # let vmlinux = Btf::parse(std::fs::read("doc/kernel.btf").unwrap())?;
    /// let func: Func<'_> = vmlinux.find("neigh_xmit")?;
    /// assert_eq!(func.proto().return_type().to_string(), "int");
    /// let params: Vec<_> = func.params().map(|param| param.to_string()).collect();
    /// assert_eq!(params, ["int index", "struct net_device *dev", "struct sk_buff *skb"]);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    #[inline]
    pub fn proto(self) -> FuncProto<'btf> {
        let proto = self.0.btf.handle_at(self.0.record().size_or_type());
        debug_assert!(
            proto.is_some_and(|proto| proto.record().info().kind() == Some(raw::Kind::FuncProto)),
            "that a FUNC refers to a FUNC_PROTO is checked at opening"
        );
        FuncProto(proto.unwrap_or(self.0))
    }

    /// Iterates over the parameters of [`Func::proto`].
    #[inline]
    pub fn params(self) -> Params<'btf> {
        self.proto().params()
    }

    /// DECL_TAGs of the parameter with this [`Param::index`]. (They belong to
    /// the function: others can share its prototype, but not its tags.)
    ///
    /// ```
    /// # fn main() -> Result<(), btf_types::Error> {
    /// use btf_types::{Btf, Func};
    ///
    /// # let vmlinux = Btf::parse(std::fs::read("doc/kernel.btf").unwrap())?;
    /// let acquire: Func<'_> = vmlinux.find("bpf_task_acquire")?;
    /// for param in acquire.params() {
    ///     let tags: Vec<_> = acquire.param_tags(param.index()).map(|tag| tag.name().to_string()).collect();
    ///     assert_eq!((param.to_string(), tags), ("struct task_struct *p".into(), vec!["arg:nonnull".into()]));
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn param_tags(self, index: u32) -> DeclTags<'btf> {
        self.0.btf.decl_tags(self.0.id, Some(index))
    }

    /// Linkage of the function.
    #[must_use]
    pub fn linkage(self) -> Linkage {
        self.0.record().info().vlen().into()
    }
}

impl<'btf> FuncProto<'btf> {
    /// Iterates over the parameters, in the order of declaration. The last one
    /// stands for `...` if [`Param::is_vararg`].
    #[inline]
    pub fn params(self) -> Params<'btf> {
        Params::new(self.0)
    }

    /// Returns `true` if the parameters end with `...`.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_types::Error> {
    /// use btf_types::{Btf, Func};
    ///
    /// # let vmlinux = Btf::parse(std::fs::read("doc/kernel.btf").unwrap())?;
    /// let printk: Func<'_> = vmlinux.find("_printk")?;
    /// assert!(printk.proto().is_variadic());
    /// assert!(printk.params().next_back().unwrap().is_vararg());
    /// assert!(!vmlinux.find::<Func<'_>>("consume_skb")?.proto().is_variadic());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn is_variadic(self) -> bool {
        self.params().next_back().is_some_and(Param::is_vararg)
    }
}

elements! {
    /// Iterator over the parameters of a function.
    Params over
    /// A parameter of a function.
    Param of raw::Param
}

named! {
    Param: "what has none, and for `...`", "; `void` for `...`";
}

impl<'btf> Param<'btf> {
    /// Returns `true` if this stands for `...`: it has neither name nor type.
    /// (Only meaningful for the last parameter.)
    #[must_use]
    pub fn is_vararg(self) -> bool {
        self.type_id() == 0 && self.is_anonymous()
    }
}

impl fmt::Display for Param<'_> {
    /// Writes the parameter as C declares it: `int len`, `...`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_vararg() { f.pad("...") } else { self.ty().declare(self.name()).fmt(f) }
    }
}

impl fmt::Debug for Param<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} type={}", ShortName(self.owner.btf, self.raw.name_off()), self.raw.type_id())
    }
}
