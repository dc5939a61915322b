//! Prediction of the result of BPF_BTF_LOAD.
//!
//! The passes are the kernel's: header and sections ([`header`]), single
//! records ([`meta`]), references ([`resolve`], with [`member`]s against their
//! structs), the order of type tags ([`tag_order`]), and special types
//! ([`special`]). Their order determines where the kernel stops, and with which
//! error number. [`limits`] has the differences between versions.
//!
//! Types are looked up often: [`types`] has the properties of all types in
//! arrays, and [`identifiers`] those of all names, so that neither costs more
//! than the bytes of the BTF.
//!
//! Source: `kernel/bpf/btf.c`.

mod bitmap;
mod direct;
mod header;
mod heads;
mod id_set;
mod identifiers;
mod kinds;
mod known;
mod limits;
mod member;
mod meta;
mod names;
mod reject;
mod resolve;
mod special;
mod strings;
mod tag_order;
mod types;
mod words;

use btf_types::{
    Btf, ByteOrder,
    format::{Feature, FeatureSet, KernelVersion},
};

use self::{header::Sections, resolve::Resolver, strings::Strings, types::Types};

pub(crate) use self::{
    identifiers::Identifiers,
    limits::{LOCATIONS, Limits},
    names::NameRule,
};

pub use reject::{Errno, Reject, Rule};

/// Predicts whether a kernel of this version loads a BTF, given as bytes.
///
/// Short for [`Verify::kernel`] and [`Verify::verify`].
///
/// ```
/// use btf_build::{Builder, Errno, IntEncoding, verify};
/// use btf_types::format::KernelVersion;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut b = Builder::new();
/// let int = b.int("int", 4, IntEncoding::SIGNED)?;
/// b.structure("core::fmt", 4).member("value", int, 0).finish()?;
/// let btf = b.finish()?;
///
/// let reject = verify(btf.as_bytes(), KernelVersion::new(6, 18)).unwrap_err();
/// assert_eq!(reject.id(), 2);
/// assert_eq!(reject.errno(), Errno::EINVAL);
/// assert_eq!(reject.rule().log(), "Invalid name");
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// [`Reject`] if the kernel would reject it.
pub fn verify(bytes: &[u8], version: KernelVersion) -> Result<(), Reject> {
    Verify::kernel(version).verify(bytes)
}

/// Predicts whether a kernel of this version accepts a module's BTF, given as
/// bytes, with the BTF of that kernel as its base.
///
/// Short for [`Verify::kernel`] and [`Verify::verify_module`].
///
/// ```
/// use btf_build::{Builder, Errno, IntEncoding, verify_module};
/// use btf_types::format::KernelVersion;
///
/// # fn main() -> Result<(), btf_build::Error> {
/// let mut b = Builder::new();
/// let int = b.int("int", 4, IntEncoding::SIGNED)?;
/// let kernel = b.finish()?;
/// let mut b = Builder::on(&kernel);
/// b.structure("veth_priv", 4).member("requested_headroom", int, 0).finish()?;
/// let module = b.finish()?;
///
/// assert!(verify_module(module.as_bytes(), &kernel, KernelVersion::new(6, 18)).is_ok());
/// let reject = verify_module(b"", &kernel, KernelVersion::new(6, 18)).unwrap_err();
/// assert_eq!(reject.errno(), Errno::EINVAL);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// [`Reject`] if the kernel would reject it.
pub fn verify_module(bytes: &[u8], base: &Btf, version: KernelVersion) -> Result<(), Reject> {
    Verify::kernel(version).verify_module(bytes, base)
}

/// Prediction of a kernel's verdict on BTF.
///
/// The parser ([`Btf::parse`]) accepts everything that can be read. A kernel is
/// stricter about what it loads, and this implements its rules. Those for Linux
/// 6.18 are compared with that kernel; those for other versions follow the
/// history of `kernel/bpf/btf.c` and are not verified
/// ([`is_proved`](Self::is_proved)). Distributions backport features: on the
/// machine itself, a probe is more reliable than a version
/// ([`features`](Self::features)).
///
/// Rules about the kernel's own types are not checked: the kernel rejects kptrs
/// to its types without a destructor, which this accepts.
///
/// ```
/// use btf_build::{Builder, Rule, Verify};
/// use btf_types::format::KernelVersion;
///
/// # fn main() -> Result<(), btf_build::Error> {
/// let mut b = Builder::new();
/// b.float("double", 8)?;
/// let btf = b.finish()?;
///
/// assert!(Verify::kernel(KernelVersion::new(5, 13)).verify(btf.as_bytes()).is_ok());
/// let reject = Verify::kernel(KernelVersion::new(5, 12)).verify(btf.as_bytes()).unwrap_err();
/// assert_eq!(reject.rule(), Rule::InfoBits);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy)]
#[must_use]
pub struct Verify {
    version: KernelVersion,
    features: FeatureSet,
    byte_order: ByteOrder,
    pointer_size: u8,
}

impl Verify {
    /// Predicts for a kernel of this version, with native byte order and
    /// pointers of 8 bytes.
    pub fn kernel(version: KernelVersion) -> Self {
        Self { version, features: FeatureSet::of(version), byte_order: ByteOrder::NATIVE, pointer_size: 8 }
    }

    /// Sets the features that the kernel supports, as found by probes. The
    /// default is those of the version.
    ///
    /// ```
    /// use btf_build::{Builder, Verify};
    /// use btf_types::format::{Feature, FeatureSet, KernelVersion};
    ///
    /// # fn main() -> Result<(), btf_build::Error> {
    /// let mut b = Builder::new();
    /// b.float("double", 8)?;
    /// let btf = b.finish()?;
    ///
    /// // A distribution's kernel that took FLOAT back.
    /// let version = KernelVersion::new(5, 10);
    /// let mut probed = FeatureSet::of(version);
    /// probed.insert(Feature::Float);
    /// assert!(Verify::kernel(version).verify(btf.as_bytes()).is_err());
    /// assert!(Verify::kernel(version).features(probed).verify(btf.as_bytes()).is_ok());
    /// # Ok(())
    /// # }
    /// ```
    pub fn features(self, features: FeatureSet) -> Self {
        Self { features, ..self }
    }

    /// Sets the byte order of the kernel. BTF of the other order is rejected.
    pub fn byte_order(self, byte_order: ByteOrder) -> Self {
        Self { byte_order, ..self }
    }

    /// Sets the size of the kernel's pointers in bytes: 8, or 4 for a 32-bit
    /// machine.
    pub fn pointer_size(self, bytes: u8) -> Self {
        Self { pointer_size: bytes, ..self }
    }

    /// Returns `true` if the prediction is compared with a real kernel of this
    /// version: only Linux 6.18 with its own features, on a 64-bit machine.
    #[must_use]
    pub fn is_proved(&self) -> bool {
        let version = KernelVersion::new(self.version.major(), self.version.minor());
        version == limits::PROVED && self.features == FeatureSet::of(version) && self.pointer_size == 8
    }

    /// Predicts the result of BPF_BTF_LOAD.
    ///
    /// # Errors
    ///
    /// [`Reject`] if the kernel would reject it. (A kernel without BTF support
    /// rejects everything with EINVAL.)
    pub fn verify(&self, bytes: &[u8]) -> Result<(), Reject> {
        let limits = self.limits()?;
        let sections = Sections::new(bytes, false, self.is_swapped(), &limits).map_err(Reject::of_blob)?;
        let words = sections.native_types();
        let mut types = Types::new(&words, Strings::new(sections.strings(), None, &limits), None, &limits);
        meta::check(&mut types)?;
        Resolver::new(&types, u32::from(self.pointer_size)).check()?;
        tag_order::check(&types)?;
        if limits.special_fields { special::check(&types) } else { Ok(()) }
    }

    /// Predicts the result for a module's BTF when the module is loaded. The
    /// kernel checks only single records of it, not references.
    ///
    /// This prediction is not compared with a kernel, as it would need a module
    /// to load.
    ///
    /// ```
    /// use btf_build::{Builder, Rule, Verify};
    /// use btf_types::format::KernelVersion;
    ///
    /// # fn main() -> Result<(), btf_build::Error> {
    /// let mut b = Builder::new();
    /// b.float("double", 8)?;
    /// let kernel = b.finish()?;
    /// let mut b = Builder::on(&kernel);
    /// b.structure("vec<f64>", 8).member("x", 1, 0).finish()?;
    /// let module = b.finish()?;
    ///
    /// let verify = Verify::kernel(KernelVersion::new(6, 18));
    /// let reject = verify.verify_module(module.as_bytes(), &kernel).unwrap_err();
    /// assert_eq!(reject.rule(), Rule::Identifier);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Reject`] if the kernel would reject it.
    pub fn verify_module(&self, bytes: &[u8], base: &Btf) -> Result<(), Reject> {
        let limits = self.limits()?;
        let sections = Sections::new(bytes, true, self.is_swapped(), &limits).map_err(Reject::of_blob)?;
        let words = sections.native_types();
        let mut types = Types::new(&words, Strings::new(sections.strings(), Some(base), &limits), Some(base), &limits);
        meta::check(&mut types)?;
        tag_order::check(&types)
    }

    fn is_swapped(&self) -> bool {
        !self.byte_order.is_native()
    }

    fn limits(&self) -> Result<Limits, Reject> {
        match self.features.contains(Feature::Btf) {
            true => Ok(Limits::new(self.version, self.features)),
            false => Err(Reject::of_blob(Rule::BtfSupported)),
        }
    }
}
