//! Arrays: ARRAY.
//!
//! Source: `Documentation/bpf/btf.rst`, "`BTF_KIND_ARRAY`".

use btf_format as raw;

use crate::{Type, view::views};

views! {
    /// An array. An array of several dimensions is an array of arrays,
    /// outermost first. (pahole before 1.31 writes a single array of all
    /// elements.)
    ///
    /// ```
    /// # fn main() -> Result<(), btf_types::Error> {
    /// use btf_types::{Btf, Type};
    ///
    /// # let vmlinux = Btf::parse(std::fs::read("doc/kernel.btf").unwrap())?;
    /// let Type::Array(comm) = vmlinux.path("task_struct.comm")?.ty() else { panic!("it is an array") };
    /// assert_eq!((comm.element().to_string(), comm.nelems()), ("char".into(), 16));
    /// # Ok(())
    /// # }
    /// ```
    Array;
}

impl<'btf> Array<'btf> {
    #[inline]
    fn data(self) -> raw::Array {
        let data = raw::Array::first(self.0.rest());
        debug_assert!(data.is_some(), "records lie within the type section");
        data.copied().unwrap_or(raw::Array::new(0, 0, 0))
    }

    /// The element type.
    #[must_use]
    #[inline]
    pub fn element(self) -> Type<'btf> {
        self.0.btf.type_of(self.data().type_id())
    }

    /// The index type, which has no meaning in C.
    #[must_use]
    #[inline]
    pub fn index(self) -> Type<'btf> {
        self.0.btf.type_of(self.data().index_type_id())
    }

    /// The number of elements (`nelems`); 0 for a flexible array.
    #[must_use]
    #[inline]
    pub fn nelems(self) -> u32 {
        self.data().nelems()
    }
}
