//! Kernel images, which boot loaders load.
//!
//! | image | contents |
//! |---|---|
//! | x86 bzImage | a header that locates the payload, a compressed ELF file |
//! | EFI zboot (arm64, riscv64, loongarch64) | a header that locates the payload, another image, compressed |
//! | arm64, riscv64 `Image` | the kernel itself, not ELF; the BTF can be anywhere in it |
//! | s390x, arm, others | a loader, then the compressed payload at an unknown offset |
//! | powerpc `zImage` | ELF, with the payload in a section |
//!
//! If the header does not locate the payload, it is found by the magic numbers
//! of compressed data, as in the kernel's `scripts/extract-vmlinux`. In an ELF
//! payload, the BTF is a section; in any other, it is found by its header.
//!
//! Source: `Documentation/arch/x86/boot.rst`, `Documentation/arch/arm64/booting.rst`,
//! `Documentation/arch/riscv/boot-image-header.rst`,
//! `drivers/firmware/efi/libstub/zboot-header.S`.

use std::{fmt, io::Read, ops::Range};

use btf_types::Bytes;
use memchr::memmem;

use super::{input::Input, layer::Content, limits::Budget, scan};
use crate::{Compression, Elf, Error, Layer, Payload, PayloadFault};

/// Kind of a kernel image.
///
/// ```
/// # fn main() -> Result<(), btf_elf::Error> {
/// use btf_elf::ImageKind;
///
/// let mut head = [0; 0x210];
/// head[0x202..0x206].copy_from_slice(b"HdrS");
/// assert_eq!(ImageKind::detect(&head), ImageKind::BzImage);
/// assert_eq!(ImageKind::detect(b"anything else"), ImageKind::Other);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ImageKind {
    /// x86 `bzImage`.
    BzImage,
    /// EFI image with a compressed payload (`vmlinuz.efi`).
    Zboot,
    /// arm64 `Image`.
    Arm64,
    /// riscv64 `Image`.
    Riscv,
    /// 32-bit arm `zImage`.
    ArmZImage,
    /// s390x.
    S390,
    /// Unknown.
    Other,
}

impl ImageKind {
    /// Detects the kind from the first bytes.
    #[must_use]
    pub fn detect(bytes: &[u8]) -> Self {
        let is = |offset: usize, magic: &[u8]| bytes.get(offset..).is_some_and(|rest| rest.starts_with(magic));
        if is(0x202, b"HdrS") {
            Self::BzImage
        } else if is(0, b"MZ") && is(4, b"zimg") {
            Self::Zboot
        } else if is(56, b"ARM\x64") {
            Self::Arm64
        } else if is(56, b"RSC\x05") {
            Self::Riscv
        } else if is(0x24, &[0x18, 0x28, 0x6f, 0x01]) || is(0x24, &[0x01, 0x6f, 0x28, 0x18]) {
            Self::ArmZImage
        } else if is(0x10008, b"S390EP") {
            Self::S390
        } else {
            Self::Other
        }
    }

    /// Returns the range of the payload, if the header locates it.
    fn payload(self, bytes: &[u8]) -> Option<Range<usize>> {
        let word = |offset: usize| {
            let word = bytes.get(offset..)?.first_chunk()?;
            usize::try_from(u32::from_le_bytes(*word)).ok()
        };
        let (offset, len) = match self {
            // The offset counts from the end of the 16-bit code sectors; 0
            // sectors means 4. Since protocol 2.08.
            Self::BzImage => {
                let version = *bytes.get(0x206..)?.first_chunk()?;
                let sectors = usize::from(*bytes.get(0x1f1)?);
                let start = (if sectors == 0 { 4 } else { sectors } + 1) * 512;
                (u16::from_le_bytes(version) >= 0x208).then_some(())?;
                (start.checked_add(word(0x248)?)?, word(0x24c)?)
            }
            Self::Zboot => (word(8)?, word(12)?),
            _ => return None,
        };
        let range = offset..offset.checked_add(len)?;
        bytes.get(range.clone()).map(|_| range)
    }
}

impl ImageKind {
    /// Architecture and name of the image: `x86 bzImage`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BzImage => "x86 bzImage",
            Self::Zboot => "EFI zboot image",
            Self::Arm64 => "arm64 Image",
            Self::Riscv => "riscv64 Image",
            Self::ArmZImage => "arm zImage",
            Self::S390 => "s390x image",
            Self::Other => "image",
        }
    }
}

impl fmt::Display for ImageKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// BTF found in an image.
pub(crate) struct Found {
    pub(crate) layers: Vec<Layer>,
    pub(crate) content: Content,
}

/// Returns the kernel in a section of an ELF file that unpacks it: powerpc's
/// `zImage`.
pub(crate) fn wrapped(elf: &Elf) -> Result<Option<Bytes>, Error> {
    match elf.section(".kernel:vmlinux.strip") {
        Some(section) if !elf.has_btf() => section.data().map(Some),
        _ => Ok(None),
    }
}

/// Maximum number of compressed payloads to try.
const PAYLOADS: usize = 64;

/// Minimum decoded size of a kernel.
const KERNEL_LEN: usize = 64 << 10;

/// Finds the BTF in an image.
pub(crate) fn open(bytes: &Bytes, budget: &Budget) -> Result<Found, Error> {
    let kind = ImageKind::detect(bytes);
    let input = (bytes.len() as u64).saturating_mul(PASSES);
    let mut search = Search { budget, input, tried: Vec::new() };
    let told = kind.payload(bytes).filter(|range| {
        bytes
            .get(range.clone())
            .is_some_and(|start| Compression::detect(start).is_some() || start.starts_with(&Elf::MAGIC))
    });
    if let Some(found) = told.and_then(|range| search.payload(bytes, range)) {
        return Ok(found.inside(kind));
    }
    if let Some(found) = scanned(bytes) {
        return Ok(found.inside(kind));
    }
    for offset in candidates(bytes) {
        if let Some(found) = search.payload(bytes, offset..bytes.len()) {
            return Ok(found.inside(kind));
        }
    }
    match (kind, search.tried.is_empty()) {
        (ImageKind::Other, true) => Err(match Unsupported::detect(bytes) {
            Some(what) => Error::NotSupported { what },
            None => Error::NotRecognized { start: bytes.iter().take(8).copied().collect() },
        }),
        _ => Err(Error::NotInImage { kind, tried: search.tried }),
    }
}

impl Found {
    fn inside(mut self, kind: ImageKind) -> Self {
        self.layers.insert(0, Layer::Image(kind));
        self
    }
}

/// Maximum number of times that decoders read the bytes of an image, in total.
const PASSES: u64 = 4;

/// State of the search: the payloads that were tried, and the remaining budget.
struct Search<'a> {
    budget: &'a Budget,
    /// Number of bytes of the image that decoders may still read.
    input: u64,
    tried: Vec<Payload>,
}

impl Search<'_> {
    /// Searches one payload.
    fn payload(&mut self, bytes: &Bytes, range: Range<usize>) -> Option<Found> {
        let offset = range.start as u64;
        let payload = bytes.slice(range);
        let Some(compression) = Compression::detect(&payload) else {
            return self.kernel(payload).ok();
        };
        // The payload is followed by its length, a loader, or other bytes,
        // which may cause an error. The output before the error is used.
        let (decoded, error) = self.decode(compression, &payload);
        let result = match (decoded.len() < KERNEL_LEN, error) {
            (true, Some(error)) => Err(error.into()),
            (true, None) => Err(PayloadFault::TooShort { len: decoded.len() as u64 }),
            (false, _) => self.kernel(decoded.into()),
        };
        match result {
            Ok(mut found) => {
                found.layers.insert(0, Layer::Compressed { compression, offset });
                Some(found)
            }
            Err(fault) => {
                // A payload that the header locates is also found by its magic
                // number.
                if !self.tried.iter().any(|known| known.offset == offset && known.fault.is_like(&fault)) {
                    self.tried.push(Payload { offset, compression, fault });
                }
                None
            }
        }
    }

    /// Decodes as far as possible.
    fn decode(&mut self, compression: Compression, payload: &[u8]) -> (Vec<u8>, Option<Error>) {
        let limits = self.budget.layer();
        let mut decoded = Vec::new();
        let decoder = compression.decoder(payload.take(self.input), &limits);
        let result = decoder.and_then(|mut decoder| {
            let result = decoder.read_rest(&mut decoded);
            self.input = self.input.saturating_sub(decoder.consumed());
            result
        });
        self.budget.spend(decoded.len() as u64);
        (decoded, result.err().map(|error| self.budget.explain(error, limits)))
    }

    /// Searches a decoded kernel.
    fn kernel(&self, kernel: Bytes) -> Result<Found, PayloadFault> {
        if kernel.starts_with(&Elf::MAGIC) {
            let elf = Elf::new(Input::Bytes(kernel.clone()), self.budget.fork());
            let elf = elf?;
            if elf.has_btf() {
                return Ok(Found { layers: vec![Layer::of_elf(&elf)], content: Content::Elf(elf.into()) });
            }
            if elf.sections().len() > 0 {
                return Err(PayloadFault::ElfWithoutBtf);
            }
        }
        scanned(&kernel).ok_or(PayloadFault::WithoutBtf { len: kernel.len() as u64 })
    }
}

/// Finds BTF anywhere in the bytes, and copies it so that the rest can be
/// freed.
fn scanned(bytes: &Bytes) -> Option<Found> {
    let range = scan::find(bytes)?;
    let layers = vec![Layer::Btf { offset: range.start as u64 }];
    Some(Found { layers, content: Content::Raw(Bytes::copy_from_slice(&bytes.slice(range))) })
}

/// Returns the offsets at which compressed data may begin, ascending.
fn candidates(bytes: &[u8]) -> Vec<usize> {
    const STARTS: [&[u8]; 7] = [
        &[0x1f, 0x8b, 0x08],
        &[0xfd, b'7', b'z', b'X', b'Z', 0],
        &[0x28, 0xb5, 0x2f, 0xfd],
        b"BZh",
        &[0x02, 0x21, 0x4c, 0x18],
        &[0x04, 0x22, 0x4d, 0x18],
        &[0x5d, 0, 0],
    ];
    let mut candidates = Vec::new();
    for start in STARTS {
        let is_one = |&at: &usize| bytes.get(at..).is_some_and(|rest| Compression::detect(rest).is_some());
        candidates.extend(memmem::find_iter(bytes, start).filter(is_one).take(PAYLOADS));
    }
    candidates.sort_unstable();
    candidates.truncate(PAYLOADS);
    candidates
}

/// Compression that is known but not supported.
struct Unsupported;

impl Unsupported {
    fn detect(bytes: &[u8]) -> Option<&'static str> {
        match bytes {
            [0x89, b'L', b'Z', b'O', 0, ..] => Some("lzo"),
            [b'L', b'Z', b'I', b'P', ..] => Some("lzip"),
            [b'P', b'K', 3, 4, ..] => Some("zip"),
            _ => None,
        }
    }
}
