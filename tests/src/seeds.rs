//! Seeds for fuzzing, with which `cargo test` runs the same functions.

use std::fs;

use btf_elf::{Compression, Elf};
use btf_format::ByteOrder;

use crate::{
    blob::Blob,
    elf_blob::{self, ElfBlob, SectionBlob},
    fixtures, fuzz, image, packed, relocating,
    shapes::{self, Shape},
};

/// Returns the seeds of a target, each with a name to report if it fails.
///
/// For `.BTF.ext` these are the sections of some BPF objects, in
/// `tests/fuzz/seeds/ext`; for most others the small raw BTF among the fixtures,
/// valid and invalid.
///
/// # Panics
///
/// If a folder of seeds cannot be read.
#[must_use]
pub fn of(target: &str) -> Vec<(String, Vec<u8>)> {
    if matches!(target, "split" | "rebase") {
        return pairs();
    }
    match target {
        "described_btf" | "described_object" | "described_relocations" | "described_archive" => return descriptions(),
        "elf" | "object" => return objects(),
        "relocate" => return [objects(), programs()].concat(),
        "trim" => return [descriptions(), programs()].concat(),
        "image" => return images(),
        "decode" => return packed(),
        "os_release" => return [named(&OS_RELEASES), shaped(shapes::text::OS_RELEASE)].concat(),
        "modules_dep" => return [named(&MODULES_DEPS), shaped(shapes::text::MODULES_DEP)].concat(),
        #[cfg(target_os = "linux")]
        "archive" => return archives(),
        "builder" => return calls(),
        "rewrite" => {
            let raw = ["ext", "open"].into_iter().flat_map(of);
            return raw.chain([("ext of the base".into(), ext_of_base())]).collect();
        }
        _ => {}
    }
    let folders: &[&str] = match target {
        "ext" => &["../tests/fuzz/seeds/ext"],
        _ => &["kernel-verdicts", "bpf/pahole32", "golden", "golden/core", "golden/layout", "split"],
    };
    let is_seed = |name: &str| [".btf", ".btf.base", ".btf_ext"].iter().any(|ending| name.ends_with(ending));
    folders
        .iter()
        .flat_map(|folder| fixtures::files(folder))
        .filter(|name| is_seed(name))
        .map(|name| (name.clone(), fixtures::read(&name)))
        .chain(if target == "ext" { Vec::new() } else { shaped(shapes::btf::ALONE) })
        .collect()
}

/// Returns a `.BTF.ext` for [`fuzz::base`]: functions of two sections, and a line.
#[must_use]
pub fn ext_of_base() -> Vec<u8> {
    const HEADER: [u32; 7] = [32, 0, 36, 36, 28, 64, 0];
    let funcs = [8, 1, 1, 0, 4, 4, 1, 8, 4];
    let lines = [16, 1, 1, 0, 3, 2, 1 << 10 | 3];
    let words = HEADER.iter().chain(&funcs).chain(&lines).flat_map(|word| word.to_ne_bytes());
    0xeb9fu16.to_ne_bytes().into_iter().chain([1, 0]).chain(words).collect()
}

/// Approximate size in bytes of seeds made by shapes.
const SHAPED: usize = 2048;

/// Returns a small input of each shape.
fn shaped(shapes: &[Shape]) -> Vec<(String, Vec<u8>)> {
    shapes.iter().map(|shape| (shape.name.to_owned(), (shape.make)(SHAPED).concat())).collect()
}

/// Returns pseudorandom descriptions, for the fuzzer to start from.
fn descriptions() -> Vec<(String, Vec<u8>)> {
    let describe = |seed: u32| {
        let mut state = seed;
        let step = |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        (format!("description {seed}"), (0..16 << (seed % 8)).map(step).collect())
    };
    (1..64).map(describe).collect()
}

/// Contents of os-release files, as in distributions, and malformed ones.
const OS_RELEASES: [&str; 7] = [
    "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nNAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\n\
        VERSION=\"12 (bookworm)\"\nVERSION_CODENAME=bookworm\nID=debian\n",
    "NAME=\"Red Hat Enterprise Linux\"\nVERSION=\"8.6 (Ootpa)\"\nID=\"rhel\"\nID_LIKE=\"fedora\"\nVERSION_ID=\"8.6\"\n",
    "NAME=Fedora\r\nID=fedora\r\nVERSION_ID=34\r\n",
    "ID='sles'\nVERSION_ID='15.3'\n#ID=none\n",
    "NAME=\"Arch Linux\"\nID=arch\nBUILD_ID=rolling\n",
    "ID=a\\ b\nNAME=\"\\\"\\$\\`\\\\\\n\"\nX='\n=\n=x\nID=\n",
    "",
];

/// Contents of modules.dep files.
const MODULES_DEPS: [&str; 6] = [
    "kernel/drivers/net/veth.ko:\nkernel/net/openvswitch/openvswitch.ko: kernel/lib/libcrc32c.ko kernel/net/nf.ko\n",
    "kernel/sound/snd-pcm.ko.xz: kernel/sound/snd.ko.xz\n",
    "/lib/modules/1/kernel/a.ko:\n",
    "../../a.ko:\n..:\n:\nno colon\n",
    "a.ko: : b\n\n\n",
    "",
];

fn named(texts: &[&str]) -> Vec<(String, Vec<u8>)> {
    texts.iter().enumerate().map(|(index, text)| (format!("text {index}"), text.as_bytes().to_vec())).collect()
}

/// Returns ELF files: objects of both byte orders, modules, and synthetic ones.
fn objects() -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> =
        ["bpf/clang-22", "bpf/clang-14"].iter().flat_map(|folder| fixtures::files(folder)).collect();
    files.retain(|name| !name.contains("core_real"));
    files.push(format!("modules/{}/dummy.ko", fixtures::UNSORTED));
    let mut objects: Vec<_> = files.into_iter().map(|name| (name.clone(), fixtures::read(&name))).collect();
    for (is_64, order) in [(true, ByteOrder::Little), (false, ByteOrder::Big)] {
        let mut elf = ElfBlob { is_64, machine: 62, ..ElfBlob::bpf(order) };
        let mut btf = fixtures::read("bpf/pahole32/types32-armv7.btf");
        btf_format::convert(&mut btf, order).expect("all of its kinds are known");
        let packed = packed::encode(Compression::Zlib, &btf);
        let data = [elf.compression_header(1, btf.len() as u64), packed].concat();
        let (kind, flags) = (elf_blob::PROGBITS, elf_blob::COMPRESSED);
        elf.add(SectionBlob { name: ".BTF".into(), kind, flags, data, ..SectionBlob::default() });
        let words = [2, 7, 9, 5].map(|word| elf.u32(word)).concat();
        let ids = elf.section(".BTF_ids", words);
        elf.variable("__BTF_ID__set__of_two__1", ids, 0);
        elf.variable("__BTF_ID__struct__one__2", ids, 12);
        objects.push((format!("compressed, {is_64} {order}"), elf.build()));
    }
    objects.extend(shaped(shapes::elf::OBJECTS));
    objects
}

/// Returns `.BTF` and `.BTF.ext` of objects, each with the BTF it is relocated for.
fn programs() -> Vec<(String, Vec<u8>)> {
    let mut programs = Vec::new();
    for folder in ["bpf/clang-14", "bpf/clang-22"] {
        for name in fixtures::files(folder).into_iter().filter(|name| name.ends_with(".bpf.o")) {
            let section = |section| fixtures::section(&name, section);
            let (Some(btf), Some(ext)) = (section(".BTF"), section(".BTF.ext")) else { continue };
            let stem = name.rsplit('/').next().and_then(|file| file.split('-').next()).unwrap_or_default();
            let order = if name.contains("-eb") { "eb" } else { "el" };
            let target = format!("golden/core/{stem}_tgt1-{order}.btf");
            let target =
                if fixtures::files("golden/core").contains(&target) { fixtures::read(&target) } else { btf.clone() };
            programs.push((format!("program of {name}"), relocating::triple(&btf, &ext, &target)));
        }
    }
    for shape in shapes::relocate::RELOCATIONS {
        let [object, target] = (shape.make)(SHAPED).try_into().expect("an object and a kernel");
        let elf = Elf::parse(object).expect("it is sound");
        let section = |name| elf.section(name).expect("it is there").data().expect("it is not packed").to_vec();
        programs.push((shape.name.into(), relocating::triple(&section(".BTF"), &section(".BTF.ext"), &target)));
    }
    programs
}

/// Returns minimal kernel images.
fn images() -> Vec<(String, Vec<u8>)> {
    let kernel = image::kernel(ByteOrder::Little);
    let mut images = vec![("plain".to_owned(), image::arm64(&kernel))];
    for compression in Compression::ALL.iter().copied().filter(|&compression| compression != Compression::Zlib) {
        let packed = packed::encode(compression, &kernel);
        images.push((format!("bzImage {compression}"), image::bz_image(&packed)));
        images.push((format!("compressed {compression}"), packed));
    }
    images.push(("zboot".into(), image::zboot(&packed::encode(Compression::Gzip, &kernel))));
    images.push(("raw".into(), fixtures::read("bpf/pahole32/types32-mips.btf")));
    images
}

/// Returns archives: tars with small BTF, plain and compressed, links, long names.
#[cfg(target_os = "linux")]
fn archives() -> Vec<(String, Vec<u8>)> {
    let btf = Blob::new().int().build();
    let mut builder = tar::Builder::new(Vec::new());
    let mut add = |path: &str, bytes: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        builder.append_data(&mut header, path, bytes).expect("memory can be written to");
    };
    add("ubuntu/20.04/x86_64/5.4.0-42-generic.btf", &btf);
    add("btfhub-archive/debian/10/arm64/4.19.btf.gz", &packed::encode(Compression::Gzip, &btf));
    add(&format!("{}/1/x86_64/1.btf", "long/".repeat(40)), &btf);
    let mut link = tar::Header::new_gnu();
    link.set_entry_type(tar::EntryType::Symlink);
    link.set_size(0);
    builder.append_link(&mut link, "ubuntu/focal", "20.04").expect("memory can be written to");
    let tar = builder.into_inner().expect("memory can be written to");
    let mut archives =
        vec![("plain".to_owned(), tar.clone()), ("empty".into(), vec![0; 1024]), ("cut".into(), tar[..700].to_vec())];
    for compression in [Compression::Gzip, Compression::Xz, Compression::Zstd] {
        archives.push((compression.to_string(), packed::encode(compression, &tar)));
    }
    archives.extend(shaped(shapes::tar::TARS));
    archives
}

/// Returns compressed inputs, each after a byte that selects the format.
fn packed() -> Vec<(String, Vec<u8>)> {
    let bytes = fixtures::read("bpf/pahole32/types32-armv7.btf");
    let encode = |(index, compression): (usize, Compression)| {
        let packed = [&[index as u8][..], &packed::encode(compression, &bytes)].concat();
        (compression.to_string(), packed)
    };
    let mut all: Vec<_> = Compression::ALL.iter().copied().enumerate().map(encode).collect();
    let lz4 = Compression::ALL.iter().position(|&compression| compression == Compression::Lz4).unwrap_or(0);
    all.push(("lz4 legacy".into(), [&[lz4 as u8][..], &packed::lz4_legacy(&bytes)].concat()));
    all
}

/// Returns inputs that make all calls of a builder, with ids of other types.
fn calls() -> Vec<(String, Vec<u8>)> {
    let all = |step: u8| (0..=255u8).flat_map(move |call| [call, 0, 3, b'a', b'b', b'c', 4, 1, 0, 2, 1, step, 2]);
    let mut calls: Vec<_> =
        (0..8).map(|step| (format!("calls {step}"), [step].into_iter().chain(all(step)).collect())).collect();
    let of_bytes = |step: u8| (0..4000u32).map(move |at| (at * 7 + at / 251 * u32::from(step)) as u8).collect();
    calls.extend((0..8).map(|step| (format!("bytes {step}"), of_bytes(step))));
    calls
}

/// Returns split BTF after its base, unless the base is a whole kernel.
fn pairs() -> Vec<(String, Vec<u8>)> {
    let mut pairs: Vec<_> = fixtures::files("split")
        .into_iter()
        .filter(|name| name.ends_with(".btf") && !name.contains("__on__"))
        .map(|name| {
            let base = fixtures::read(&format!("{name}.base"));
            (name.clone(), fuzz::pair(&base, &fixtures::read(&name)))
        })
        .collect();
    let small = fixtures::read("bpf/pahole32/types32-armv7.btf");
    pairs.push(("a bare header".into(), fuzz::pair(&small, &Blob::split().build())));
    let mut blob = Blob::split();
    let own = blob.string("own");
    let strings = btf_format::RawBtf::parse(&small).map_or(0, |raw| raw.strings().as_bytes().len() as u32);
    blob.record(strings + own, 4, 1, false, 4, &[1, 1, 0]).ptr(3).record(own, 8, 0, false, 1, &[]);
    pairs.push(("a struct".into(), fuzz::pair(&small, &blob.build())));
    for shape in shapes::btf::SPLITS {
        let [base, split] = (shape.make)(SHAPED).try_into().expect("two blobs");
        pairs.push((shape.name.into(), fuzz::pair(&base, &split)));
    }
    for shape in shapes::btf::REBASES {
        let [distilled, split, _] = (shape.make)(SHAPED).try_into().expect("three blobs");
        pairs.push((shape.name.into(), fuzz::pair(&distilled, &split)));
    }
    pairs
}

/// Copies the seeds of a target into a folder, for the fuzzer.
///
/// # Errors
///
/// If the folder cannot be written to.
pub fn write(target: &str, folder: &std::path::Path) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    for (name, bytes) in of(target) {
        fs::write(folder.join(name.replace(['/', '.', ' '], "_")), bytes)?;
    }
    Ok(())
}
