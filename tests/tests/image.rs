//! Kernel images of every form, as small as they can be. (Real ones are in
//! `fetched.rs`.)

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

use std::time::{Duration, Instant};

use btf_elf::{BtfFile, Compression, Error, ImageKind, Layer, Limits, Machine};
use btf_format::ByteOrder;
use btf_tests::{
    elf_blob::ElfBlob,
    image,
    memory::{self, CountingAllocator},
    packed,
};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const X86_64: u16 = 62;
const PPC64: u16 = 21;

/// Opens an image, whose BTF must be `image::btf`; returns what it was.
fn opened(name: &str, image: Vec<u8>, order: ByteOrder) -> Vec<Layer> {
    let file = BtfFile::parse(image).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(file.btf_bytes().unwrap(), image::btf(order), "{name}");
    let btf = file.btf().unwrap();
    assert!(btf.find::<btf_types::Struct<'_>>("task_struct").is_ok(), "{name}");
    file.layers().to_vec()
}

fn formats() -> impl Iterator<Item = Compression> {
    Compression::ALL.iter().copied().filter(|&compression| compression != Compression::Zlib)
}

#[test]
fn x86_images_with_an_elf_file_packed_in_every_way() {
    let vmlinux = image::vmlinux(ByteOrder::Little, X86_64);
    let mut payloads: Vec<_> = formats().map(|format| (format, packed::encode(format, &vmlinux))).collect();
    payloads.push((Compression::Lz4, packed::lz4_legacy(&vmlinux)));
    for (format, payload) in payloads {
        let layers = opened(format.as_str(), image::bz_image(&payload), ByteOrder::Little);
        let offset = 4 * 512 + 1234;
        let [Layer::Image(ImageKind::BzImage), compressed, Layer::Elf { machine: Machine::X86_64, .. }] = layers[..]
        else {
            panic!("{layers:?}")
        };
        let is_payload = matches!(compressed, Layer::Compressed { compression, offset: at, .. } if (compression, at) == (format, offset));
        assert!(is_payload, "{compressed:?}");
    }
}

#[test]
fn images_that_say_where_their_payload_is_in_vain() {
    // The header says something else: then the payload is looked for.
    let vmlinux = image::vmlinux(ByteOrder::Little, X86_64);
    for format in formats() {
        let mut image = image::bz_image(&packed::encode(format, &vmlinux));
        image[0x248] ^= 0xff;
        opened(format.as_str(), image, ByteOrder::Little);
    }
}

#[test]
fn plain_images_are_scanned_for_a_header() {
    for order in [ByteOrder::Little, ByteOrder::Big] {
        let kernel = image::kernel(order);
        let arm64 = opened("arm64", image::arm64(&kernel), order);
        assert!(matches!(arm64[..], [Layer::Image(ImageKind::Arm64), Layer::Btf { offset: 1.., .. }]), "{arm64:?}");
        let riscv = opened("riscv64", image::riscv(&kernel), order);
        assert!(matches!(riscv[..], [Layer::Image(ImageKind::Riscv), Layer::Btf { .. }]));
        for format in formats() {
            let name = format!("{format} {order}");
            opened(&name, image::s390(&packed::encode(format, &kernel)), order);
            opened(&name, image::zboot(&packed::encode(format, &image::arm64(&kernel))), order);
            opened(&name, image::silent(&packed::encode(format, &kernel)), order);
            // `Image.gz`.
            opened(&name, packed::encode(format, &image::arm64(&kernel)), order);
        }
        opened("s390x", image::s390(&packed::lz4_legacy(&kernel)), order);
    }
}

#[test]
fn powerpc_kernels_are_elf_files_plain_or_in_one_another() {
    let vmlinux = image::vmlinux(ByteOrder::Big, PPC64);
    assert_eq!(opened("vmlinux", vmlinux.clone(), ByteOrder::Big).len(), 1);
    let mut wrapper = ElfBlob { elf_type: 2, machine: 20, is_64: false, ..ElfBlob::bpf(ByteOrder::Big) };
    wrapper.section(".text", [0; 100]);
    wrapper.section(".kernel:vmlinux.strip", packed::encode(Compression::Gzip, &vmlinux));
    let layers = opened("zImage", wrapper.build(), ByteOrder::Big);
    assert!(matches!(layers[..], [Layer::Elf { .. }, Layer::Compressed { .. }, Layer::Elf { .. }]), "{layers:?}");
}

#[test]
fn what_is_in_an_image_says_its_name() {
    let image = image::bz_image(&packed::encode(Compression::Zstd, &image::vmlinux(ByteOrder::Little, X86_64)));
    let file = BtfFile::parse(image).unwrap();
    let layers: Vec<_> = file.layers().iter().map(ToString::to_string).collect();
    assert_eq!(layers, ["x86 bzImage", "zstd at offset 3282", "ELF of 64 bits, little-endian, x86_64"]);
}

#[test]
fn the_largest_btf_is_the_kernels() {
    // Programs that are built into a kernel have BTF as well.
    let file = BtfFile::parse(image::arm64(&image::kernel(ByteOrder::Little))).unwrap();
    assert_eq!(file.btf().unwrap().type_count(), 4001);
}

#[test]
fn images_without_btf_say_what_was_tried() {
    let mut elf = ElfBlob { elf_type: 2, machine: X86_64, ..ElfBlob::bpf(ByteOrder::Little) };
    elf.section(".text", image::kernel(ByteOrder::Little));
    let image = image::bz_image(&packed::encode(Compression::Gzip, &elf.build()));
    let error = BtfFile::parse(image).unwrap_err();
    let Error::NotInImage { tried, .. } = &error else { panic!("{error}") };
    assert_eq!(tried.len(), 1, "the same where it is told to be, and where it is found");
    assert!(error.to_string().starts_with("no BTF in the x86 bzImage; gzip at offset 3282: ELF without"), "{error}");

    let damaged = image::s390(&packed::encode(Compression::Zstd, &image::kernel(ByteOrder::Big))[..500]);
    let error = BtfFile::parse(damaged).unwrap_err().to_string();
    assert!(error.contains("no BTF in the s390x image; zstd at offset 69632: damaged zstd: "), "{error}");

    for text in ["", "x", "#!/bin/sh\necho hello\n", "\u{89}PNG\r\n"] {
        let error = BtfFile::parse(text.as_bytes().to_vec()).unwrap_err();
        assert!(matches!(error, Error::NotRecognized { .. }), "{text:?}: {error}");
    }
    let lzo = [&[0x89, b'L', b'Z', b'O', 0, 0x0d, 0x0a, 0x1a, 0x0a][..], &[0; 100]].concat();
    assert!(BtfFile::parse(lzo).unwrap_err().to_string().contains("lzo, which is not supported"));
}

/// Headers at every fourth byte, each of which covers all that follows; and as
/// many beginnings of what could be compressed.
#[test]
fn images_that_were_made_to_hurt() {
    let limits = Limits::IMAGE.output(32 << 20);
    let len = 4 << 20;
    let mut header = image::btf(ByteOrder::Little);
    header.truncate(24);
    header[12..16].copy_from_slice(&((len / 2u32) & !3).to_le_bytes());
    header[16..20].copy_from_slice(&((len / 2u32) & !3).to_le_bytes());
    header[20..24].copy_from_slice(&1000u32.to_le_bytes());
    let headers = [&b"an image"[..], &header.repeat(len as usize / 24)].concat();
    let magic = [&b"an image"[..], &[0x9f, 0xeb, 1, 0, 24, 0, 0, 0].repeat(len as usize / 8)].concat();
    let mut cases = vec![("headers", headers), ("magic", magic)];
    for format in formats() {
        let start = &packed::encode(format, &image::kernel(ByteOrder::Little))[..20];
        cases.push((format.as_str(), [b"image", start].concat().repeat(len as usize / 25)));
        cases.push((format.as_str(), [b"image", &packed::zeros(format, 1 << 20)[..]].concat().repeat(200)));
    }
    for (name, image) in cases {
        let size = image.len() as u64;
        let start = Instant::now();
        let (result, heap) = memory::measure(|| BtfFile::options().limits(limits).parse(image));
        assert!(result.is_err(), "{name}");
        assert!(start.elapsed() < Duration::from_secs(30), "{name}: {:?}", start.elapsed());
        assert!(heap.peak < 4 * size + 2 * limits.max_output(), "{name}: {} of {size}", heap.peak);
    }
}
