//! FUNC, FUNC_PROTO, and parameters.
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
    /// What the function returns.
    FuncProto.return_type;
}

impl<'btf> Func<'btf> {
    /// Return type and parameters.
    #[must_use]
    #[inline]
    pub fn proto(self) -> FuncProto<'btf> {
        // That it refers to a FUNC_PROTO was checked at opening; and what is
        // none, taken for one, harms nobody.
        FuncProto(self.0.btf.handle_at(self.0.record().size_or_type()).unwrap_or(self.0))
    }

    /// The parameters, as [`FuncProto::params`]; these know which function
    /// they belong to, and so have [`Param::decl_tags`].
    #[must_use]
    pub fn params(self) -> Params<'btf> {
        Params::new(self.0, self.proto().0)
    }

    /// Who can see the function.
    #[must_use]
    pub fn linkage(self) -> Linkage {
        self.0.record().info().vlen().into()
    }
}

impl<'btf> FuncProto<'btf> {
    /// The parameters, in the order of their declaration. For `...` there is
    /// one too, the last, which [`Param::is_vararg`].
    #[must_use]
    #[inline]
    pub fn params(self) -> Params<'btf> {
        Params::new(self.0, self.0)
    }

    /// Whether the parameters end with `...`.
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
    /// Whether this stands for `...`: it has neither name nor type. (It means
    /// that only of the last parameter.)
    #[must_use]
    pub fn is_vararg(self) -> bool {
        self.raw.name_off() == 0 && self.raw.type_id() == 0
    }

    /// The tags that were put on this parameter (`btf_decl_tag`). They belong
    /// to a function, so there are none unless the parameter came from
    /// [`Func::params`].
    #[must_use]
    pub fn decl_tags(self) -> DeclTags<'btf> {
        self.owner.btf.decl_tags(self.owner.id, Some(self.index))
    }
}

impl fmt::Debug for Param<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} type={}", ShortName(self.owner.btf, self.raw.name_off()), self.raw.type_id())
    }
}
