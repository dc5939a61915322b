//! Finds the BTF of a kernel: of the running one, or of a mounted system.
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
//! When you need the BTF of a kernel, and its location has to be found: on the
//! machine itself, from a container, or in a mounted image. For kernels that
//! were built without BTF, use `btf-archive`; to read a given file, `btf-elf`.
//! The resulting [`types::Btf`] answers queries about types.
//!
//! # Journeys
//!
//! A system in another folder (a container's host, an image): its properties,
//! and the BTF of its kernel with the source.
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
//! The module that defines a function, which the attach target of a program
//! needs; and the kernel with all of its modules, queried together:
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
//! [`Error::NoKernelBtf`] and [`Error::NoModuleBtf`] list every place that was
//! tried, with the reason why it failed. [`Attempt::is_missing`] distinguishes
//! a missing file from one that is damaged or cannot be read.
//!
//! ```
//! let kernel = btf_kernel::Kernel::of("doc/root").with_release("5.4.0");
//! let message = kernel.btf().unwrap_err().to_string();
//! assert!(message.contains("5.4.0"));
//! ```
//!
//! # Overview
//!
//! * [`Kernel`]: the kernel's BTF, in sysfs or on disk; that of its modules,
//!   loaded or on disk; all of them together ([`Kernel::open_all_modules`]), or
//!   the one that defines a function ([`Kernel::find_module_of`]).
//! * [`open_file`]: a file that contains BTF, which may be the running kernel's.
//! * [`Root`]: the file tree of a system. A container passes the folder where
//!   the host's files are mounted.
//! * [`Host`], [`OsRelease`]: distribution, machine and kernel release of a
//!   system.
//! * [`LoadedBtf`]: loads BTF into the kernel, and finds BTF in the kernel by
//!   its id, or by that of a program or map ([`BtfUser`]).
//! * [`is_supported`], [`supported_features`]: probe the kernel for one or all
//!   [`Feature`]s of BTF.
//! * [`Token`]: BPF tokens, which delegate the privilege to load to a
//!   container.
//!
//! The kernel exposes its BTF, and that of each loaded module, as files in
//! `/sys/kernel/btf`. A file that the kernel can map (vmlinux, since Linux
//! 6.16) is not copied; [`Kernel::source`] shows whether it was mapped.
//!
//! # Privileges
//!
//! Reading files needs no privileges. Loading BTF and probing for features
//! needs CAP_BPF or a [`Token`]; looking up BTF, programs and maps by id needs
//! CAP_SYS_ADMIN. A lack of privileges is [`Error::Permission`], and never
//! mistaken for a kernel without a feature.
//!
//! # Other systems
//!
//! On systems other than Linux, [`Kernel`] and [`Host`] read the file tree of a
//! Linux system, for build scripts. Everything that needs a running kernel
//! fails with [`Error::NotLinux`], and tokens are missing.
//!
//! # Hostile trees
//!
//! A file tree may be hostile. Paths are resolved inside it; only regular files
//! are read; a file is opened once, however many links lead to it; lists of
//! modules, and the BTF of all modules together, are bounded; and messages
//! contain no control characters.

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
mod open_file;
mod os_release;
#[cfg(not(all(target_os = "linux", not(btf_portable))))]
mod portable;
mod root;

// Only this module depends on the system: on others than Linux, a kernel's BTF
// is only read from files. (`--cfg btf_portable` compiles that on Linux.)
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
pub use open_file::open_file;
pub use os_release::OsRelease;
pub use root::Root;
pub use sys::{LoadOptions, LoadedBtf, is_supported, supported_features};
