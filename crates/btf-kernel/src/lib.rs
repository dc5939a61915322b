//! BTF of the running kernel.
//!
//! ```no_run
//! # fn main() -> Result<(), btf_kernel::Error> {
//! let kernel = btf_kernel::Kernel::running();
//! let vmlinux = kernel.btf()?;             // opened once, kept by `kernel`
//! let ovs = kernel.module("openvswitch")?; // split; its base is that same `vmlinux`
//! # Ok(())
//! # }
//! ```
//!
//! The kernel shows its BTF, and that of each loaded module, as files in
//! `/sys/kernel/btf`. Where the kernel can map such a file (vmlinux, since
//! Linux 6.16), nothing is copied; [`Kernel::source`] says which it was.

#![deny(unsafe_code)]

mod error;
mod kernel;
mod map;

pub use error::Error;
pub use kernel::{Kernel, Source};
