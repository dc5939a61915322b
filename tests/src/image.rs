//! Builder of minimal kernel images for tests.

use btf_types::ByteOrder;

use crate::{blob::Blob, elf_blob::ElfBlob};

/// Returns BTF with `task_struct` and as many types as a search in an image requires.
#[must_use]
pub fn btf(order: ByteOrder) -> Vec<u8> {
    let mut blob = Blob::new();
    let name = blob.string("task_struct");
    blob.int().record(name, 4, 1, false, 4, &[name, 1, 0]);
    for id in 2..4000 {
        blob.ptr(id);
    }
    let mut bytes = blob.build();
    btf_format::convert(&mut bytes, order).expect("all kinds are known");
    bytes
}

/// Returns a kernel that is not an ELF file: BTF among other bytes, after a blob
/// that is too small, and after the start of a header.
#[must_use]
pub fn kernel(order: ByteOrder) -> Vec<u8> {
    let mut kernel = noise(70_000);
    let mut small = Blob::new();
    small.int();
    let mut small = small.build();
    btf_format::convert(&mut small, order).expect("all kinds are known");
    kernel.extend(small);
    kernel.extend(noise(77));
    kernel.extend(&btf(order)[..16]);
    kernel.extend(noise(133));
    kernel.extend(btf(order));
    kernel.extend(noise(5000));
    kernel
}

/// Returns a kernel that is an ELF file, without debug information or symbols.
#[must_use]
pub fn vmlinux(order: ByteOrder, machine: u16) -> Vec<u8> {
    let mut elf = ElfBlob { elf_type: 2, machine, ..ElfBlob::bpf(order) };
    elf.section(".text", noise(70_000));
    elf.section(".BTF", btf(order));
    elf.build()
}

/// Returns pseudorandom bytes.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 1u32;
    let step = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..len).map(step).collect()
}

/// Returns an arm64 `Image`: a header, then the kernel.
#[must_use]
pub fn arm64(kernel: &[u8]) -> Vec<u8> {
    let mut image = vec![0; 64];
    image[56..60].copy_from_slice(b"ARM\x64");
    image.extend_from_slice(kernel);
    image
}

/// Returns a riscv64 `Image`.
#[must_use]
pub fn riscv(kernel: &[u8]) -> Vec<u8> {
    let mut image = vec![0; 64];
    image[48..53].copy_from_slice(b"RISCV");
    image[56..60].copy_from_slice(b"RSC\x05");
    image.extend_from_slice(kernel);
    image
}

/// Returns an x86 `bzImage`: boot sector, 16-bit code, 32-bit code, the payload
/// followed by its length, and more bytes.
#[must_use]
pub fn bz_image(payload: &[u8]) -> Vec<u8> {
    let (sectors, code) = (3u8, noise(1234));
    let mut image = vec![0; (usize::from(sectors) + 1) * 512];
    image[0x1f1] = sectors;
    image[0x202..0x206].copy_from_slice(b"HdrS");
    image[0x206..0x208].copy_from_slice(&0x20fu16.to_le_bytes());
    image[0x248..0x24c].copy_from_slice(&(code.len() as u32).to_le_bytes());
    image[0x24c..0x250].copy_from_slice(&(payload.len() as u32 + 4).to_le_bytes());
    image.extend(code);
    image.extend_from_slice(payload);
    image.extend(0x0123_4567u32.to_le_bytes());
    image.extend(noise(999));
    image
}

/// Returns an EFI zboot image with a payload.
#[must_use]
pub fn zboot(payload: &[u8]) -> Vec<u8> {
    let mut image = noise(600);
    image[0..8].copy_from_slice(b"MZ\0\0zimg");
    image[8..12].copy_from_slice(&600u32.to_le_bytes());
    image[12..16].copy_from_slice(&(payload.len() as u32).to_le_bytes());
    image.extend_from_slice(payload);
    image.extend(noise(333));
    image
}

/// Returns an image of a boot loader without a known header, followed by a payload.
#[must_use]
pub fn silent(payload: &[u8]) -> Vec<u8> {
    let mut image = noise(4321);
    image.extend_from_slice(payload);
    image.extend(noise(321));
    image
}

/// Returns an image for s390x.
#[must_use]
pub fn s390(payload: &[u8]) -> Vec<u8> {
    let mut image = noise(0x11000);
    image[0x10008..0x1000e].copy_from_slice(b"S390EP");
    image.extend_from_slice(payload);
    image
}
