//! Sizes of types.
//!
//! Source: `btf__resolve_size` in `tools/lib/bpf/btf.c`.

use crate::{Datasec, Enum, Enum64, Error, Float, Int, Struct, Type, Union, peel::HOPS};

/// Maximum size of a type in bytes, as in the kernel and libbpf.
const LIMIT: u64 = u32::MAX as u64;

impl Type<'_> {
    /// Returns the size in **bytes**. Pointers have
    /// [`Btf::pointer_size`](crate::Btf::pointer_size), arrays the size of all
    /// elements. Qualifiers, typedefs, tags and variables have the size of the
    /// type that they refer to.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_types::Error> {
    /// use btf_types::{Btf, Error, Func};
    ///
    /// # let vmlinux = Btf::parse(std::fs::read("doc/kernel.btf").unwrap())?;
    /// assert_eq!(vmlinux.path("task_struct.comm")?.ty().size_of()?, 16); // char [16]
    /// assert_eq!(vmlinux.path("task_struct.mm")?.ty().size_of()?, 8); // a pointer
    /// let func: Func<'_> = vmlinux.find("consume_skb")?;
    /// assert!(matches!(func.size_of(), Err(Error::Unsized { .. })));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Unsized`] for `void`, functions and forward declarations;
    /// [`Error::TypeTooLarge`] beyond 4 GiB; [`Error::TooDeep`] after 64 types.
    pub fn size_of(self) -> Result<u64, Error> {
        let mut count = 1u64;
        let mut ty = self;
        for _ in 0..=HOPS {
            let size = match ty {
                Type::Int(Int(handle))
                | Type::Float(Float(handle))
                | Type::Struct(Struct(handle))
                | Type::Union(Union(handle))
                | Type::Enum(Enum(handle))
                | Type::Enum64(Enum64(handle))
                | Type::Datasec(Datasec(handle)) => handle.record().size_or_type().into(),
                Type::Ptr(view) => view.0.btf.pointer_size().into(),
                Type::Array(array) => {
                    // The elements of an empty array may have any size, but must
                    // have one.
                    count = count.checked_mul(array.nelems().into()).ok_or_else(|| self.too_large())?;
                    ty = array.element();
                    continue;
                }
                Type::Var(var) => {
                    ty = var.ty();
                    continue;
                }
                _ => match ty.target() {
                    Some(target) => {
                        ty = target;
                        continue;
                    }
                    None => return Err(Error::Unsized { ty: ty.into() }),
                },
            };
            return count.checked_mul(size).filter(|&size| size <= LIMIT).ok_or_else(|| self.too_large());
        }
        Err(Error::TooDeep { ty: self.into(), limit: HOPS })
    }

    fn too_large(self) -> Error {
        Error::TypeTooLarge { ty: self.into(), limit: LIMIT }
    }
}
