//! Every way to compress: real files, concatenated, cut off, damaged, and made
//! to explode.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

use std::io::{Read, Write};

use btf_elf::{BtfFile, Compression, Error, Layer, Limits};
use btf_tests::{
    fixtures,
    memory::{self, CountingAllocator},
    packed,
};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// A module, and its own BTF.
fn module() -> (Vec<u8>, Vec<u8>) {
    let name = format!("modules/{}/veth.ko", fixtures::UNSORTED);
    (fixtures::read(&name), fixtures::section(&name, ".BTF").unwrap())
}

/// All that files come in.
fn formats() -> impl Iterator<Item = Compression> {
    Compression::ALL.iter().copied().filter(|&compression| compression != Compression::Zlib)
}

#[test]
fn modules_in_every_way_from_memory_and_from_a_file() {
    let (module, btf) = module();
    let mut all: Vec<_> = formats().map(|format| (format, packed::encode(format, &module))).collect();
    all.push((Compression::Lz4, packed::lz4_legacy(&module)));
    let folder = tempfile::tempdir().unwrap();
    for (format, packed) in all {
        assert!(packed.len() < module.len(), "{format}");
        assert_eq!(Compression::detect(&packed), Some(format));
        assert_eq!(format.decode(&packed, &Limits::IMAGE).unwrap(), module, "{format}");
        // The name says nothing.
        let path = folder.path().join("module.txt");
        std::fs::write(&path, &packed).unwrap();
        for file in [BtfFile::parse(packed).unwrap(), BtfFile::open(&path).unwrap()] {
            let [Layer::Compressed { compression, offset: 0, .. }, Layer::Elf { .. }] = *file.layers() else {
                panic!("{:?}", file.layers())
            };
            assert_eq!(compression, format);
            assert_eq!(file.btf_bytes().unwrap(), btf, "{format}");
        }
    }
}

#[test]
fn names_parse_back() {
    for &compression in Compression::ALL {
        assert_eq!(compression.to_string().parse(), Ok(compression));
        assert_eq!(compression.as_str().to_uppercase().parse(), Ok(compression));
    }
    let error = "rar".parse::<Compression>().unwrap_err();
    assert_eq!(error.to_string(), "unknown compression, expected one such as gzip or xz");
}

#[test]
fn raw_btf_in_every_way() {
    let btf = fixtures::read("bpf/pahole32/types32-powerpc.btf");
    for format in formats() {
        let file = BtfFile::parse(packed::encode(format, &btf)).unwrap();
        assert_eq!(file.btf().unwrap().to_bytes(btf_format::ByteOrder::Big).unwrap(), btf);
    }
}

#[test]
fn several_one_after_the_other_are_one() {
    let (one, two) = (vec![1; 5000], vec![2; 7000]);
    for format in formats().filter(|&format| format != Compression::Lzma) {
        let packed = [packed::encode(format, &one), packed::encode(format, &two)].concat();
        let decoded = format.decode(&packed, &Limits::BTF).unwrap_or_else(|error| panic!("{format}: {error:?}"));
        assert_eq!(decoded, [&one[..], &two].concat(), "{format}");
    }
    // What is to be skipped, before a frame and behind it.
    let skipped = [&[0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"abc"].concat();
    let packed = [skipped.clone(), packed::encode(Compression::Zstd, &one), skipped.clone()].concat();
    assert_eq!(Compression::detect(&packed), Some(Compression::Zstd));
    assert_eq!(Compression::Zstd.decode(&packed, &Limits::BTF).unwrap(), one);
    let cut = &packed[..packed.len() - 1];
    assert!(matches!(Compression::Zstd.decode(cut, &Limits::BTF), Err(Error::Decode { .. })));
}

#[test]
fn what_is_cut_off_is_an_error() {
    let (module, _) = module();
    for &format in Compression::ALL {
        let packed = packed::encode(format, &module);
        for len in [0, 1, 5, 12, 13, 14, 20, 100, packed.len() / 2, packed.len() - 9, packed.len() - 1] {
            let result = format.decode(&packed[..len], &Limits::IMAGE);
            assert!(matches!(result, Err(Error::Decode { .. })), "{format}, {len} of {}: {result:?}", packed.len());
        }
    }
}

#[test]
fn what_is_damaged_is_an_error_or_something_else() {
    let (module, _) = module();
    for &format in Compression::ALL {
        let packed = packed::encode(format, &module);
        let (mut errors, mut changed) = (0, 0);
        let places: Vec<usize> = (0..packed.len()).step_by(packed.len() / 50).collect();
        for &at in &places {
            let mut damaged = packed.clone();
            damaged[at] ^= 0x55;
            match format.decode(&damaged, &Limits::IMAGE) {
                Ok(decoded) => changed += usize::from(decoded != module),
                Err(_) => errors += 1,
            }
        }
        let figures = format!("{format}: {errors} errors and {changed} changed of {}", places.len());
        match format {
            // It has no checksum: what is damaged decodes to something else.
            Compression::Lzma => assert!(errors > 0 && (errors + changed) * 2 > places.len(), "{figures}"),
            _ => assert!(errors * 2 > places.len() && changed == 0, "{figures}"),
        }
    }
    // The checksum of zstd is looked at.
    let packed = packed::encode(Compression::Zstd, &module);
    let mut damaged = packed.clone();
    *damaged.last_mut().unwrap() ^= 1;
    assert_ne!(damaged[4] & 4, 0, "there is one");
    assert!(Compression::Zstd.decode(&damaged, &Limits::IMAGE).is_err());
}

#[test]
fn bombs_end_in_errors_and_not_in_memory() {
    const MIB: u64 = 1 << 20;
    for &format in Compression::ALL {
        // More than is allowed.
        let bomb = packed::zeros(format, 40 * MIB);
        let limits = Limits::BTF.output(MIB);
        let (result, heap) = memory::measure(|| format.decode(&bomb, &limits));
        assert!(matches!(result, Err(Error::OutputLimit { limit: MIB, .. })), "{format}: {result:?}");
        assert!(heap.peak < 16 * MIB, "{format}: {} bytes of heap", heap.peak);
        // So much of so little that it was made to be.
        let limits = Limits::IMAGE.ratio(20);
        let (result, heap) = memory::measure(|| format.decode(&bomb, &limits));
        assert!(matches!(result, Err(Error::RatioLimit { limit: 20, .. })), "{format}: {result:?}");
        assert!(heap.peak < 64 * MIB, "{format}: {} bytes of heap", heap.peak);
        // As a file, and as a section.
        let limits = Limits::IMAGE.output(MIB);
        if format != Compression::Zlib {
            let result = BtfFile::options().limits(limits).parse(bomb);
            assert!(matches!(result, Err(Error::OutputLimit { limit: MIB, .. })), "{format}: {result:?}");
        }
    }
}

/// Headers that ask for more memory than is allowed, with next to nothing
/// behind them.
#[test]
fn windows_are_bounded() {
    let zstd = [0x28, 0xb5, 0x2f, 0xfd, 0, 0xa0, 1, 0, 0];
    let lzma = [&[0x5d][..], &(1u32 << 31).to_le_bytes(), &[0xff; 8], &[0; 20]].concat();
    let mut xz = packed::encode(Compression::Xz, b"xz");
    // The size of the dictionary, and the checksum of the block header.
    assert_eq!(xz[12 + 2], 0x21);
    xz[12 + 4] = 38;
    let header_len = (usize::from(xz[12]) + 1) * 4;
    let crc = crc32(&xz[12..12 + header_len - 4]);
    xz[12 + header_len - 4..12 + header_len].copy_from_slice(&crc.to_le_bytes());
    for (format, bytes) in [(Compression::Zstd, &zstd[..]), (Compression::Lzma, &lzma), (Compression::Xz, &xz)] {
        let (result, heap) = memory::measure(|| format.decode(bytes, &Limits::IMAGE));
        assert!(matches!(result, Err(Error::WindowLimit { .. })), "{format}: {result:?}");
        assert!(heap.peak < 1 << 20, "{format}: {} bytes of heap", heap.peak);
    }
}

/// An lzma decoder allocates for lc and lp before it reads anything.
#[test]
fn lzma_of_unusual_properties_is_not_detected() {
    let header =
        |lc: u8, lp: u8, pb: u8| [&[(pb * 5 + lp) * 9 + lc][..], &(1u32 << 19).to_le_bytes(), &[0xff; 8]].concat();
    assert_eq!(Compression::detect(&header(3, 0, 2)), Some(Compression::Lzma));
    assert_eq!(Compression::detect(&header(0, 4, 4)), Some(Compression::Lzma));
    assert_eq!(Compression::detect(&header(4, 1, 0)), None);
    assert_eq!(Compression::detect(&header(8, 4, 1)), None);
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 })
    })
}

#[test]
fn inside_one_another_only_so_deep() {
    let btf = fixtures::read("bpf/pahole32/types32-mips.btf");
    let twice = packed::encode(Compression::Xz, &packed::encode(Compression::Gzip, &btf));
    assert_eq!(BtfFile::parse(twice).unwrap().layers().len(), 3);
    let deep = (0..20).fold(btf, |bytes, _| packed::encode(Compression::Gzip, &bytes));
    assert!(matches!(BtfFile::parse(deep), Err(Error::TooDeep { .. })));
}

#[test]
fn a_decoder_is_a_reader_whose_errors_are_this_crates() {
    let (module, _) = module();
    let packed = packed::encode(Compression::Zstd, &module);
    let mut decoder = Compression::Zstd.decoder(packed.as_slice(), &Limits::IMAGE).unwrap();
    let mut start = [0; 4];
    decoder.read_exact(&mut start).unwrap();
    assert_eq!(start, btf_elf::Elf::MAGIC);
    std::io::copy(&mut decoder, &mut std::io::sink()).unwrap();
    assert_eq!((decoder.produced(), decoder.consumed()), (module.len() as u64, packed.len() as u64));
    assert_eq!(decoder.compression(), Compression::Zstd);
    let limits = Limits::BTF.output(100);
    let mut decoder = Compression::Zstd.decoder(packed.as_slice(), &limits).unwrap();
    let error = decoder.read_to_end(&mut Vec::new()).unwrap_err().downcast::<Error>().unwrap();
    assert!(matches!(error, Error::OutputLimit { limit: 100, .. }));
}

#[test]
fn what_bytes_are_compressed_with() {
    for text in ["", "a", "\x7fELF\x02\x01\x01\0\0\0\0\0\0", "BZh", "BZh91AY&S", "#!/bin/sh\necho", "]]]]]]]]]]]]]]"] {
        assert_eq!(Compression::detect(text.as_bytes()), None, "{text:?}");
    }
    for &compression in Compression::ALL {
        assert!(compression.is_supported());
        let mut text = Vec::new();
        write!(text, "{compression:>6}").unwrap();
        assert_eq!(text.len(), 6);
    }
}
