//! Probes for features of BTF. Each probe loads a small BTF blob.
//!
//! Source: the probes of `tools/lib/bpf/features.c`, and the kernel's history
//! for features without a probe there.

use std::{
    io,
    os::fd::BorrowedFd,
    sync::{Mutex, PoisonError},
};

use btf_types::format::{
    Assembly, Feature, FeatureSet, Info, IntData, Kind, LayoutEntry, Param, TypeRecord, Var, VarSecinfo,
};

use super::{loaded::CAP_BPF, syscall};
use crate::Error;

/// Results for the running kernel.
static ANSWERS: Mutex<Answers> = Mutex::new(Answers::NONE);

/// Probes whether the running kernel supports a feature of BTF.
///
/// The result is kept. An error is not, as another caller may have more
/// privileges.
///
/// ```
/// use btf_kernel::{Error, Feature, is_supported};
///
/// match is_supported(Feature::Enum64) {
///     Ok(supported) => println!("enum64: {supported}"),
///     Err(Error::Permission { needs, .. }) => println!("enum64: unknown without {needs}"),
///     Err(error) => println!("enum64: unknown: {error}"),
/// }
/// ```
///
/// # Errors
///
/// [`Error::Permission`] if the caller may not load BTF, whatever the kernel
/// supports; [`Error::System`].
pub fn is_supported(feature: Feature) -> Result<bool, Error> {
    probe(&[feature], None).map(|features| features.contains(feature))
}

/// Probes whether the running kernel supports a feature of BTF, with a BPF
/// token, which delegates the privilege to load.
///
/// # Errors
///
/// Those of [`is_supported`].
pub fn is_supported_with(feature: Feature, token: BorrowedFd<'_>) -> Result<bool, Error> {
    probe(&[feature], Some(token)).map(|features| features.contains(feature))
}

/// Probes which features of BTF the running kernel supports. Results are kept,
/// as by [`is_supported`].
///
/// ```
/// # fn main() -> Result<(), btf_kernel::Error> {
/// use btf_kernel::{Error, Feature, supported_features};
///
/// match supported_features() {
///     // A kernel with enum64 (Linux 6.0) has floats (5.13).
///     Ok(features) => assert!(features.contains(Feature::Float) || !features.contains(Feature::Enum64)),
///     Err(Error::Permission { needs, .. }) => println!("unknown without {needs}"),
///     Err(error) => println!("unknown: {error}"),
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// Those of [`is_supported`].
pub fn supported_features() -> Result<FeatureSet, Error> {
    probe(Feature::ALL, None)
}

/// Probes which features of BTF the running kernel supports, with a BPF token,
/// which delegates the privilege to load.
///
/// # Errors
///
/// Those of [`is_supported`].
pub fn supported_features_with(token: BorrowedFd<'_>) -> Result<FeatureSet, Error> {
    probe(Feature::ALL, Some(token))
}

/// Returns the features, out of these, that the running kernel supports.
fn probe(features: &[Feature], token: Option<BorrowedFd<'_>>) -> Result<FeatureSet, Error> {
    let mut answers = ANSWERS.lock().unwrap_or_else(PoisonError::into_inner);
    let kernel = Running { token };
    features
        .iter()
        .copied()
        .filter_map(|feature| answers.ask(feature, &kernel).map(|is| is.then_some(feature)).transpose())
        .collect()
}

/// Features that were probed, and those of them that are supported.
#[derive(Debug, Clone, Copy)]
struct Answers {
    asked: FeatureSet,
    supported: FeatureSet,
}

impl Answers {
    const NONE: Self = Self { asked: FeatureSet::EMPTY, supported: FeatureSet::EMPTY };

    /// Returns `true` if the kernel supports a feature. Each is probed once.
    fn ask(&mut self, feature: Feature, kernel: &impl Judge) -> Result<bool, Error> {
        if !self.asked.contains(feature) {
            // A kernel without BTF has no other feature, and this probe is the
            // simplest.
            let has_btf = feature == Feature::Btf || self.ask(Feature::Btf, kernel)?;
            if has_btf && feature.probe(kernel)? {
                self.supported.insert(feature);
            }
            self.asked.insert(feature);
        }
        Ok(self.supported.contains(feature))
    }
}

/// The probe of a feature.
trait Probe {
    fn probe(self, kernel: &impl Judge) -> Result<bool, Error>;
    fn blob(self) -> Vec<u8>;
}

impl Probe for Feature {
    fn probe(self, kernel: &impl Judge) -> Result<bool, Error> {
        let answer = match self {
            Self::ModuleBtf => kernel.tells_names(&self.blob()),
            _ => kernel.load(&self.blob()),
        };
        match answer {
            Ok(()) => Ok(true),
            Err(error) => match error.raw_os_error() {
                // Errors for unsupported features: E2BIG for a longer header;
                // 524 is the kernel's ENOTSUPP.
                Some(libc::EINVAL | libc::E2BIG | libc::EOPNOTSUPP | 524) => Ok(false),
                // The system call, or the command, does not exist.
                Some(libc::ENOSYS) => Ok(false),
                Some(libc::EPERM | libc::EACCES) => {
                    Err(Error::Permission { operation: "probing a BTF feature", needs: CAP_BPF, error })
                }
                _ => Err(Error::System { operation: "probing a BTF feature", error }),
            },
        }
    }

    /// Returns a minimal BTF with the feature.
    fn blob(self) -> Vec<u8> {
        let mut blob = Blob::default();
        // Id 1, to which everything else refers.
        blob.record("int", Kind::Int, 0, false, 4, IntData::new(0x0100_0020).as_bytes());
        match self {
            Self::Btf | Self::ModuleBtf => {}
            Self::Func | Self::FuncLinkage => {
                let linkage = u32::from(self == Self::FuncLinkage);
                let param = blob.string("a");
                blob.record("", Kind::FuncProto, 1, false, 0, Param::new(param, 1).as_bytes());
                blob.record("x", Kind::Func, linkage, false, 2, &[]);
            }
            Self::Datasec | Self::OptionalDatasec => {
                let name = if self == Self::Datasec { ".data" } else { "?.data" };
                blob.record("x", Kind::Var, 0, false, 1, Var::new(0).as_bytes());
                blob.record(name, Kind::Datasec, 1, false, 4, VarSecinfo::new(2, 0, 4).as_bytes());
            }
            Self::EmptyDatasec => blob.record(".data", Kind::Datasec, 0, false, 4, &[]),
            Self::Float => blob.record("float", Kind::Float, 0, false, 4, &[]),
            Self::DeclTag => {
                blob.record("x", Kind::Var, 0, false, 1, Var::new(0).as_bytes());
                blob.record("tag", Kind::DeclTag, 0, false, 2, &(-1i32).to_ne_bytes());
            }
            Self::TypeTag | Self::TypeAttribute => {
                blob.record("tag", Kind::TypeTag, 0, self == Self::TypeAttribute, 1, &[]);
                blob.record("", Kind::Ptr, 0, false, 2, &[]);
            }
            Self::Enum64 => blob.record("", Kind::Enum64, 0, false, 8, &[]),
            // Entries for `void` and for INT.
            Self::Layout => {
                blob.layout.extend_from_slice(LayoutEntry::new(0, 0, 0).as_bytes());
                blob.layout.extend_from_slice(LayoutEntry::new(4, 0, 0).as_bytes());
            }
            Self::LargeVlen => {
                const VLEN: u32 = 0x1_0000;
                let params = Param::new(0, 1).as_bytes().repeat(VLEN as usize);
                blob.record("", Kind::FuncProto, VLEN, false, 1, &params);
            }
            // A feature without a probe: BTF that every kernel rejects.
            _ => return Vec::new(),
        }
        blob.build()
    }
}

/// Kernel to probe.
trait Judge {
    /// Loads BTF.
    fn load(&self, btf: &[u8]) -> io::Result<()>;
    /// Loads BTF, then reads its info with a buffer for the name.
    fn tells_names(&self, btf: &[u8]) -> io::Result<()>;
}

struct Running<'fd> {
    token: Option<BorrowedFd<'fd>>,
}

impl Judge for Running<'_> {
    fn load(&self, btf: &[u8]) -> io::Result<()> {
        syscall::btf_load(btf, None, self.token).0.map(|_| ())
    }

    fn tells_names(&self, btf: &[u8]) -> io::Result<()> {
        let fd = syscall::btf_load(btf, None, self.token).0?;
        syscall::btf_info(&fd, &mut [], &mut [0; 64]).map(|_| ())
    }
}

/// BTF under construction.
#[derive(Default)]
struct Blob {
    types: Vec<u8>,
    layout: Vec<u8>,
    strings: Vec<u8>,
}

impl Blob {
    fn string(&mut self, text: &str) -> u32 {
        if self.strings.is_empty() {
            self.strings.push(0);
        }
        if text.is_empty() {
            return 0;
        }
        let offset = self.strings.len() as u32;
        self.strings.extend_from_slice(text.as_bytes());
        self.strings.push(0);
        offset
    }

    fn record(&mut self, name: &str, kind: Kind, vlen: u32, kind_flag: bool, size_or_type: u32, rest: &[u8]) {
        let name = self.string(name);
        let info = Info::new(kind.number(), vlen, kind_flag).map_or(0, Info::word);
        self.types.extend_from_slice(TypeRecord::new(name, info, size_or_type).as_bytes());
        self.types.extend_from_slice(rest);
    }

    fn build(&self) -> Vec<u8> {
        let mut blob = Vec::new();
        let assembly = Assembly::new(&self.types, &self.strings).layout(&self.layout);
        match assembly.write(|part| blob.extend_from_slice(part)) {
            Ok(()) => blob,
            // Unreachable, as the sections are small and aligned. Every kernel
            // rejects an empty BTF.
            Err(_) => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use btf_types::{Btf, Datasec, Linkage, Type, format::KernelVersion};

    use super::*;

    /// Probes a kernel without previous results.
    fn ask(feature: Feature, kernel: &impl Judge) -> Result<bool, Error> {
        Answers { ..Answers::NONE }.ask(feature, kernel)
    }

    #[test]
    fn a_kernel_is_asked_once_for_each_feature() {
        use std::cell::Cell;

        /// Number of loads, and the errno with which they fail, or 0.
        struct Counting(Cell<u32>, Cell<i32>);
        impl Judge for Counting {
            fn load(&self, _: &[u8]) -> io::Result<()> {
                self.0.set(self.0.get() + 1);
                match self.1.get() {
                    0 => Ok(()),
                    errno => Err(io::Error::from_raw_os_error(errno)),
                }
            }
            fn tells_names(&self, btf: &[u8]) -> io::Result<()> {
                self.load(btf)
            }
        }
        let kernel = Counting(Cell::new(0), Cell::new(0));
        let mut answers = Answers::NONE;
        for _ in 0..2 {
            for &feature in Feature::ALL {
                assert!(answers.ask(feature, &kernel).unwrap());
            }
        }
        assert_eq!(kernel.0.get() as usize, Feature::ALL.len());
        // A kernel without BTF is not probed further.
        let kernel = Counting(Cell::new(0), Cell::new(libc::EINVAL));
        let mut answers = Answers::NONE;
        assert!(Feature::ALL.iter().rev().all(|&feature| !answers.ask(feature, &kernel).unwrap()));
        assert_eq!(kernel.0.get(), 1);
        // An error is not a result: a caller with the privilege probes again.
        let kernel = Counting(Cell::new(0), Cell::new(libc::EPERM));
        let mut answers = Answers::NONE;
        assert!(answers.ask(Feature::Float, &kernel).is_err());
        kernel.1.set(0);
        assert!(answers.ask(Feature::Float, &kernel).unwrap());
    }

    /// Kernel of one version. It rejects later features with the errno of a
    /// real kernel.
    struct Old(KernelVersion);

    impl Old {
        fn refuse(&self, feature: Feature, errno: i32) -> io::Result<()> {
            if self.0 < feature.since() { Err(io::Error::from_raw_os_error(errno)) } else { Ok(()) }
        }
    }

    impl Judge for Old {
        fn load(&self, bytes: &[u8]) -> io::Result<()> {
            self.refuse(Feature::Btf, libc::EINVAL)?;
            let btf = Btf::parse(bytes.to_vec()).unwrap();
            if btf.hdr_len() > 24 {
                self.refuse(Feature::Layout, libc::E2BIG)?;
            }
            for ty in btf.types() {
                let feature = match ty {
                    Type::Func(func) if func.linkage() != Linkage::Static => Feature::FuncLinkage,
                    Type::FuncProto(proto) if proto.params().len() > 0xffff => Feature::LargeVlen,
                    Type::Func(_) | Type::FuncProto(_) => Feature::Func,
                    Type::Datasec(s) if s.entries().len() == 0 => Feature::EmptyDatasec,
                    Type::Datasec(s) if s.name().as_bytes().starts_with(b"?") => Feature::OptionalDatasec,
                    Type::Var(_) | Type::Datasec(_) => Feature::Datasec,
                    Type::Float(_) => Feature::Float,
                    Type::DeclTag(_) => Feature::DeclTag,
                    Type::TypeTag(tag) if tag.is_attribute() => Feature::TypeAttribute,
                    Type::TypeTag(_) => Feature::TypeTag,
                    Type::Enum64(_) => Feature::Enum64,
                    _ => Feature::Btf,
                };
                self.refuse(feature, libc::EINVAL)?;
            }
            Ok(())
        }

        fn tells_names(&self, bytes: &[u8]) -> io::Result<()> {
            self.load(bytes)?;
            self.refuse(Feature::ModuleBtf, libc::E2BIG)
        }
    }

    #[test]
    fn each_feature_is_found_from_its_version_on() {
        for &feature in Feature::ALL {
            let since = feature.since();
            let before = match since.minor().checked_sub(1) {
                Some(minor) => KernelVersion::new(since.major(), minor),
                None => KernelVersion::new(since.major() - 1, 99),
            };
            assert!(ask(feature, &Old(since)).unwrap(), "{feature} on {since}");
            assert!(!ask(feature, &Old(before)).unwrap(), "{feature} on {before}");
            assert!(!ask(feature, &Old(KernelVersion::new(4, 17))).unwrap());
            assert!(ask(feature, &Old(KernelVersion::new(99, 0))).unwrap());
        }
    }

    #[test]
    fn a_missing_right_is_not_a_missing_feature() {
        struct Errno(i32);
        impl Judge for Errno {
            fn load(&self, _: &[u8]) -> io::Result<()> {
                Err(io::Error::from_raw_os_error(self.0))
            }
            fn tells_names(&self, btf: &[u8]) -> io::Result<()> {
                self.load(btf)
            }
        }
        for &feature in Feature::ALL {
            for errno in [libc::EINVAL, libc::E2BIG, libc::ENOSYS, 524] {
                assert!(!ask(feature, &Errno(errno)).unwrap());
            }
            for errno in [libc::EPERM, libc::EACCES] {
                assert!(matches!(ask(feature, &Errno(errno)), Err(Error::Permission { .. })));
            }
            for errno in [libc::ENOMEM, libc::EMFILE] {
                assert!(matches!(ask(feature, &Errno(errno)), Err(Error::System { .. })));
            }
        }
    }

    #[test]
    fn probes_are_sound_btf() {
        for &feature in Feature::ALL {
            let btf = Btf::parse(feature.blob()).unwrap_or_else(|error| panic!("{feature}: {error}"));
            assert!(btf.type_by_id(1).is_ok());
        }
        let btf = Btf::parse(Feature::Datasec.blob()).unwrap();
        let datasec: Datasec<'_> = btf.find(".data").unwrap();
        assert_eq!(datasec.entries().next().unwrap().ty().name(), "x");
        let int = b"\x9f\xeb\x01\x00\x18\x00\x00\x00\x00\x00\x00\x00\x10\x00\x00\x00\x10\x00\x00\x00\x05\x00\x00\x00\
            \x01\x00\x00\x00\x00\x00\x00\x01\x04\x00\x00\x00\x20\x00\x00\x01\0int\0";
        if cfg!(target_endian = "little") {
            assert_eq!(Feature::Btf.blob(), int);
        }
    }
}
