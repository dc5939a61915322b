//! BTF of a kernel: of the one that runs, or of a system that is mounted
//! somewhere.
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
//! # What is here
//!
//! * [`Kernel`]: the kernel's BTF, in sysfs, or in a kernel or an image of it on
//!   disk; that of its modules, loaded or on disk; all of them as one
//!   ([`Kernel::collection`]), or just the one that defines a function
//!   ([`Kernel::find_module_of`]).
//! * [`Root`]: the tree of files that is looked at. A container that looks at its
//!   host gives the folder where the host's files are mounted.
//! * [`Host`], [`OsRelease`]: which system that is.
//! * [`LoadedBtf`]: BTF loaded into the kernel, and what is in it, by id.
//! * [`is_supported`]: features of BTF that the running kernel supports.
//! * [`Token`]: the right to load, lent to a container.
//!
//! The kernel shows its BTF, and that of each loaded module, as files in
//! `/sys/kernel/btf`. Where the kernel can map such a file (vmlinux, since
//! Linux 6.16), nothing is copied; [`Kernel::source`] says which it was.
//!
//! # Rights
//!
//! Files are for everybody to read. Loading BTF and asking for features needs
//! CAP_BPF or a [`Token`], looking at what others have loaded CAP_SYS_ADMIN; without, there is
//! [`Error::Permission`], which is never taken for a kernel that cannot.

#![deny(unsafe_code)]

mod error;
mod feature;
mod host;
mod kernel;
mod loaded;
mod map;
mod modules;
mod os_release;
mod root;
mod syscall;
mod token;

#[doc(no_inline)]
pub use btf_elf as elf;
#[doc(no_inline)]
pub use btf_types as types;
#[doc(no_inline)]
pub use btf_types::format::{Feature, FeatureSet, KernelVersion};
pub use error::{Attempt, Error};
pub use feature::{is_supported, is_supported_with};
pub use host::Host;
pub use kernel::{Kernel, Source};
pub use loaded::{LoadOptions, LoadedBtf, LoadedInfo};
pub use modules::{Modules, modules_dep};
pub use os_release::OsRelease;
pub use root::Root;
pub use token::Token;
