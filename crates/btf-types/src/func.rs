//! FUNC, FUNC_PROTO, and parameters.

use core::fmt;

use btf_format as raw;

use crate::{
    Name, Type,
    btf::Inner,
    view::{elements, referring, views},
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
}

impl<'btf> FuncProto<'btf> {
    /// The parameters, in the order of their declaration.
    #[must_use]
    #[inline]
    pub fn params(self) -> Params<'btf> {
        Params::of(self.0)
    }
}

elements! {
    /// Iterator over the parameters of a function.
    Params over Param of raw::Param
}

/// A parameter of a function.
#[derive(Clone, Copy)]
pub struct Param<'btf> {
    btf: &'btf Inner,
    raw: &'btf raw::Param,
    #[expect(dead_code, reason = "of no meaning in a FUNC_PROTO")]
    kind_flag: bool,
}

impl<'btf> Param<'btf> {
    /// The name; may be empty.
    #[must_use]
    #[inline]
    pub fn name(self) -> Name<'btf> {
        self.btf.name_at(self.raw.name_off())
    }

    /// The type; `void` with no name, in the last parameter, means `...`.
    #[must_use]
    #[inline]
    pub fn ty(self) -> Type<'btf> {
        self.btf.type_of(self.raw.type_id())
    }
}

impl fmt::Debug for Param<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} type={}", self.name(), self.raw.type_id())
    }
}
