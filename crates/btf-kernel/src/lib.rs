//! BTF of a kernel: of the one that runs, or of a system that is mounted
//! somewhere.
//!
//! ```
//! # fn main() -> Result<(), btf_kernel::Error> {
//! # /*
//! let kernel = btf_kernel::Kernel::running();
//! # */
//! # let kernel = btf_kernel::Kernel::of("doc/root");
//! let vmlinux = kernel.btf()?;         // opened once, kept by `kernel`
//! let veth = kernel.module("veth")?;   // split; its base is that same `vmlinux`
//! assert!(veth.base().unwrap().is_same(&vmlinux));
//! # Ok(())
//! # }
//! ```
//!
//! # When to use it
//!
//! When the BTF of a kernel is wanted, and where it is has to be found out: on the
//! machine itself, from a container, or in an image that is mounted. For kernels that
//! were built without BTF there is `btf-archive`; for a file that is at hand,
//! `btf-elf`. Questions about types are asked of the [`types::Btf`] that comes back.
//!
//! # Journeys
//!
//! The system in another folder (a container's host, an image): which it is, its
//! kernel's BTF and where that was found.
//!
//! ```
//! # fn main() -> Result<(), btf_kernel::Error> {
//! use btf_kernel::{Host, Kernel, Root};
//!
//! let root = Root::new("doc/root"); // "/host", "/mnt"
//! let host = Host::of(&root)?;
//! assert_eq!((host.distribution.as_str(), host.machine.as_str()), ("debian", "x86_64"));
//! let kernel = Kernel::of(root);
//! assert_eq!(kernel.source()?.path().to_str(), Some("doc/root/boot/vmlinux-6.12.0"));
//! # Ok(())
//! # }
//! ```
//!
//! The module that has a function, which is what a program's attach target is named by,
//! and the kernel with all of its modules, asked as one:
//!
//! ```
//! # fn main() -> Result<(), btf_kernel::Error> {
//! use btf_kernel::{Kernel, types::{Kind, Struct}};
//!
//! # let kernel = Kernel::of("doc/root");
//! let module = kernel.find_module_of("veth_xmit", Kind::Func)?;
//! assert_eq!(module.as_ref().map(|module| module.name()), Some("veth"));
//!
//! let all = kernel.open_all_modules()?.into_collection();
//! let private = all.find::<Struct<'_>>("veth_priv").map(|found| found.object.name());
//! assert_eq!(private, Ok("veth"));
//! # Ok(())
//! # }
//! ```
//!
//! # Errors
//!
//! [`Error::NoKernelBtf`] and [`Error::NoModuleBtf`] list every place that was tried,
//! and why it failed; a place that is just missing is told from one that is damaged or
//! cannot be read ([`Attempt::is_missing`]).
//!
//! ```
//! let kernel = btf_kernel::Kernel::of("doc/root").with_release("5.4.0");
//! let message = kernel.btf().unwrap_err().to_string();
//! assert!(message.contains("5.4.0"));
//! ```
//!
//! # What is here
//!
//! * [`Kernel`]: the kernel's BTF, in sysfs, or in a kernel or an image of it on
//!   disk; that of its modules, loaded or on disk; all of them as one
//!   ([`Kernel::open_all_modules`]), or just the one that defines a function
//!   ([`Kernel::find_module_of`]).
//! * [`Root`]: the tree of files that is looked at. A container that looks at its
//!   host gives the folder where the host's files are mounted.
//! * [`Host`], [`OsRelease`]: distribution, machine and kernel release of a
//!   system.
//! * [`LoadedBtf`]: loads BTF into the kernel; BTF in the kernel by its id, or by
//!   that of a program or map ([`BtfUser`]).
//! * [`is_supported`], [`supported_features`]: probe the kernel for a [`Feature`]
//!   of BTF, or for all.
//! * [`Token`]: lends a container the right to load.
//!
//! The kernel shows its BTF, and that of each loaded module, as files in
//! `/sys/kernel/btf`. Where the kernel can map such a file (vmlinux, since
//! Linux 6.16), nothing is copied; [`Kernel::source`] says whether it was mapped.
//!
//! # Rights
//!
//! Reading files needs no privileges. Loading BTF and probing for features needs
//! CAP_BPF or a [`Token`], looking up BTF, programs and maps by id CAP_SYS_ADMIN.
//! Without, there is [`Error::Permission`], which is never taken for a kernel
//! that lacks a feature.
//!
//! # Other systems
//!
//! On systems other than Linux, [`Kernel`] and [`Host`] read the tree of a Linux
//! system, for build scripts; all that asks a running kernel fails there with
//! [`Error::NotLinux`], and tokens are missing.
//!
//! # Hostile trees
//!
//! A tree of files may be anybody's. Paths are resolved inside of it; only
//! regular files are read; a file is opened once, however many links lead to it;
//! lists of modules and the BTF of all modules together are bounded; and messages
//! have no control characters of it.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(not(test), warn(clippy::disallowed_methods, clippy::disallowed_types))]

/// The examples of the README, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod bpf;
mod error;
mod host;
mod kernel;
#[cfg(all(target_os = "linux", not(btf_portable)))]
mod linux;
mod module_files;
mod module_index;
mod modules;
mod os_release;
#[cfg(not(all(target_os = "linux", not(btf_portable))))]
mod portable;
mod root;

// The one place that knows systems: on all but Linux a kernel's BTF is read from
// files, and that is all. (`--cfg btf_portable` compiles that on Linux.)
#[cfg(all(target_os = "linux", not(btf_portable)))]
use linux as sys;
#[cfg(not(all(target_os = "linux", not(btf_portable))))]
use portable as sys;

pub use bpf::{BpfObjectKind, BtfUser, LoadedInfo};
#[doc(no_inline)]
pub use btf_elf as elf;
#[doc(no_inline)]
pub use btf_types as types;
#[doc(no_inline)]
pub use btf_types::format::{Feature, FeatureSet, KernelVersion};
pub use error::{Attempt, Error};
pub use host::{Host, HostOptions};
pub use kernel::{Kernel, Source};
#[cfg(all(target_os = "linux", not(btf_portable)))]
pub use linux::{Token, is_supported_with, supported_features_with};
pub use module_files::{ModuleFiles, ModuleFilesIter, modules_dep};
pub use modules::{Module, Modules};
pub use os_release::OsRelease;
pub use root::Root;
pub use sys::{LoadOptions, LoadedBtf, is_supported, supported_features};
