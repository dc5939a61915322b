//! C headers against bpftool's: byte for byte without sorting, and sorted but for
//! what bpftool gets wrong.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;

use btf_build::{Builder, IntEncoding};
use btf_codegen::c::Header;
use btf_elf::BtfFile;
use btf_tests::fixtures::{self, BIG_ENDIAN, SORTED};
use btf_types::Btf;
use sha2::{Digest, Sha256};

/// A fixture on its base: raw BTF, or that of an object.
fn open(name: &str, base: Option<&Btf>) -> Btf {
    let file = BtfFile::parse(fixtures::read(name)).unwrap();
    match base {
        Some(base) => file.split_btf(base).unwrap(),
        None => file.btf().unwrap(),
    }
}

fn write(header: &Header, btf: &Btf) -> String {
    let mut bytes = Vec::new();
    header.write_to(btf, &mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

fn golden(name: &str) -> String {
    String::from_utf8(fixtures::read(&format!("golden/c/{name}"))).unwrap()
}

/// Asserts that texts are the same, and says where they are not.
fn assert_same(found: &str, expected: &str, what: &str) {
    if found == expected {
        return;
    }
    let (at, line) = found
        .lines()
        .zip(expected.lines())
        .enumerate()
        .find_map(|(at, (found, expected))| (found != expected).then(|| (at, format!("{found:?}, not {expected:?}"))))
        .unwrap_or_else(|| (found.lines().count().min(expected.lines().count()), "the end".into()));
    panic!("{what}: line {}: {line}", at + 1);
}

#[test]
fn unsorted_headers_are_bpftools() {
    let table = String::from_utf8(fixtures::read("golden/dump.tsv")).unwrap();
    let header = Header::new().unsorted(true);
    let mut bases = BTreeMap::new();
    let mut compared = 0;
    for line in table.lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<&str> = line.split('\t').collect();
        let [file, base, _, expected, _] = fields.as_slice() else { panic!("{line}") };
        let base = (*base != "-").then(|| bases.entry(*base).or_insert_with(|| open(base, None)).clone());
        let found = write(&header, &open(file, base.as_ref()));
        let checksum: String = Sha256::digest(found).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(checksum, *expected, "{file}");
        compared += 1;
    }
    assert!(compared > 70, "{compared}");
}

#[test]
fn whole_outputs_are_bpftools() {
    let header = Header::new().unsorted(true);
    for object in ["core_field", "enum64", "maps", "tags", "types"]
        .iter()
        .flat_map(|name| ["el", "eb"].map(|order| format!("{name}-{order}")))
    {
        let btf = open(&format!("bpf/clang-22/{object}.bpf.o"), None);
        assert_same(&write(&header, &btf), &golden(&format!("{object}.unsorted.h")), &object);
    }
    for release in [SORTED, BIG_ENDIAN] {
        let btf = open(&format!("kernels/{release}/vmlinux.btf"), None);
        assert_same(&write(&header, &btf), &golden(&format!("vmlinux-{release}.unsorted.h")), release);
    }
}

#[test]
fn root_types_are_bpftools() {
    let btf = open(&format!("kernels/{SORTED}/vmlinux.btf"), None);
    for root in ["task_struct", "list_head"] {
        let expected = golden(&format!("vmlinux-7.3.4.root-{root}.unsorted.h"));
        assert_same(&write(&Header::new().unsorted(true).root(root), &btf), &expected, root);
        assert_same(&write(&Header::new().root(format!("struct {root}")), &btf), &expected, root);
        let id = btf.find::<btf_types::Struct<'_>>(root).unwrap().id();
        assert_same(&write(&Header::new().root_id(id), &btf), &expected, root);
    }
}

/// The definitions of a header.
/// libbpf numbers a struct whose tag is the name of an INT that precedes it. Rust has such
/// structs, and so has 32-bit code that `pahole -J` described.
#[test]
fn structs_named_like_an_integer_are_numbered_as_by_libbpf() {
    let mut b = Builder::new();
    let int = b.int("u8", 1, IntEncoding::NONE).unwrap();
    b.structure("u8", 1).member("value", int, 0).finish().unwrap();
    b.structure("other", 1).member("value", int, 0).finish().unwrap();
    let btf = b.finish().unwrap();
    let unsorted = write(&Header::new().unsorted(true), &btf);
    assert!(unsorted.contains("struct u8___2 {\n\tu8 value;\n};\n\nstruct other {"), "{unsorted}");
    let sorted = write(&Header::new(), &btf);
    assert!(sorted.contains("struct u8 {\n\tunsigned char value;\n};"), "{sorted}");
}

/// The turn of an INT comes before that of what has a higher id: from then on, typedefs of
/// it are defined where they are met behind a pointer.
#[test]
fn typedefs_of_earlier_integers_are_defined_where_they_are_met() {
    let mut b = Builder::new();
    let int = b.int("unsigned char", 1, IntEncoding::NONE).unwrap();
    let [proto, other, ptr, typedef] = [(); 4].map(|()| b.declare());
    b.define(proto).func_proto(0).param("buf", ptr).finish().unwrap();
    b.define(other).typedef("other", int).unwrap();
    b.define(ptr).ptr(typedef).unwrap();
    b.define(typedef).typedef("u8", int).unwrap();
    let text = write(&Header::new().unsorted(true), &b.finish().unwrap());
    assert!(text.find(" u8;").unwrap() < text.find(" other;").unwrap(), "{text}");
}

fn definitions(header: &str) -> Vec<&str> {
    header.split("\n\n").map(str::trim_end).collect()
}

/// Returns the words that identify a definition.
fn head(definition: &str) -> &str {
    let first = definition.lines().next().unwrap_or_default();
    match first.strip_suffix(" {") {
        Some("enum") => definition.lines().nth(1).unwrap().split_whitespace().next().unwrap(),
        Some("typedef struct" | "typedef union") => definition.lines().last().unwrap().rsplit(' ').next().unwrap(),
        Some(head) => head,
        None => first,
    }
}

/// Asserts that a sorted header is bpftool's with `added` before all else, which
/// bpftool loses (what of it bpftool has elsewhere is not there), and other
/// definitions of `changed`.
fn assert_sorted(btf: &Btf, name: &str, added: &[&str], changed: &[&str]) {
    let (found, expected) = (write(&Header::new(), btf), golden(&format!("{name}.h")));
    let (mut found, mut expected) = (definitions(&found), definitions(&expected));
    let preamble = 5;
    for (index, added) in added.iter().enumerate() {
        assert_eq!(head(found[preamble + index]), *added, "{name}");
    }
    let added = found.splice(preamble..preamble + added.len(), []).collect::<Vec<_>>();
    expected.retain(|definition| !added.contains(definition));
    // What only the compiler defines has a definition of its own, by another name.
    found.retain(|definition| head(definition) != "/* __builtin_va_list */");
    assert_eq!(found.len(), expected.len(), "{name}");
    let mut differing = Vec::new();
    for (found, expected) in found.iter().zip(&expected) {
        if found != expected {
            assert!(head(found) == head(expected) || head(found).starts_with("typedef __builtin_va_list_ "), "{name}");
            differing.push(head(found).trim_end_matches(';'));
        }
    }
    assert_eq!(differing, changed, "{name}");
}

#[test]
fn sorted_headers_are_bpftools_but_for_its_faults() {
    for object in ["core_field", "enum64", "maps", "tags", "types"]
        .iter()
        .flat_map(|name| ["el", "eb"].map(|order| format!("{name}-{order}")))
    {
        // The first is of a rank that is not the last, where `void` is.
        let added: &[&str] = match object.split('-').next().unwrap() {
            "core_field" => &["enum mode"],
            "maps" => &["enum tristate"],
            _ => &[],
        };
        assert_sorted(&open(&format!("bpf/clang-22/{object}.bpf.o"), None), &object, added, &[]);
    }
    for (release, changed) in [
        (
            SORTED,
            &[
                // Unions without members, of the size of a pointer.
                "aes_encrypt_arg",
                "release_pages_arg",
                // A member without a name whose type has one (-fms-extensions), as most below.
                "socket_lock_t",
                "typedef __builtin_va_list_ va_list",
                "struct aes_key",
                "struct ns_common",
                // On arm, padding must not count for the alignment.
                "struct compat_fs_quota_stat",
                "struct filename",
                "struct kbd_struct",
                "struct linux_binprm",
                "struct pidfs_attr",
                "struct pipe_inode_info",
                "struct slab",
                "struct sockfs_inode",
            ][..],
        ),
        (
            BIG_ENDIAN,
            &[
                "aes_encrypt_arg",
                "release_pages_arg",
                "socket_lock_t",
                "typedef __builtin_va_list_ va_list",
                "struct aes_key",
                "struct esw_eadm",
                // Packed, and in it a packed union.
                "struct pgid",
                "struct ns_common",
                "struct filename",
                "struct kbd_struct",
                "struct kvm_s390_sie_block",
                "struct pidfs_attr",
                "struct pipe_inode_info",
                // 16-byte integers that are aligned to 8.
                "struct s390_idle_data",
                "struct slab",
                "struct sockfs_inode",
                // Something packed is in it, which libbpf does not see.
                "struct trace_event_raw_s390_cio_ssch",
                "struct tsa_intrg",
            ],
        ),
    ] {
        let btf = open(&format!("kernels/{release}/vmlinux.btf"), None);
        assert_sorted(&btf, &format!("vmlinux-{release}"), &["AAFS_LOADDATA_ABI"], changed);
    }
}

/// Declares once what a module only points to, through any pointers and prototypes of
/// the base; what it holds is left to the header of the base.
#[test]
fn a_modules_own_header_declares_what_it_points_to() {
    let mut b = Builder::new();
    let int = b.int("int", 4, IntEncoding::SIGNED).unwrap();
    let device = b.structure("device", 4).member("id", int, 0).finish().unwrap();
    let ptr = b.ptr(device).unwrap();
    let ops = b.structure("ops", 8).member("device", ptr, 0).finish().unwrap();
    let constant = b.const_(ops).unwrap();
    let constant_ptr = b.ptr(constant).unwrap();
    let held = b.structure("held", 4).member("id", int, 0).finish().unwrap();
    let word = b.typedef("word", int).unwrap();
    let packet = b.structure("packet", 4).member("id", int, 0).finish().unwrap();
    let packet_ptr = b.ptr(packet).unwrap();
    let proto = b.func_proto(int).param("packet", packet_ptr).finish().unwrap();
    let callback = b.ptr(proto).unwrap();
    let base = b.finish().unwrap();

    let mut b = Builder::on(&base);
    let mut own = b.structure("own", 40);
    for (number, (name, ty)) in
        [("device", ptr), ("ops", constant_ptr), ("callback", callback), ("other", ptr)].into_iter().enumerate()
    {
        own = own.member(name, ty, 64 * number as u32);
    }
    own.member("held", held, 256).member("word", word, 288).finish().unwrap();
    let module = b.finish().unwrap();
    for unsorted in [false, true] {
        let header = write(&Header::new().own(true).unsorted(unsorted), &module);
        let start = header.find("struct device;").unwrap();
        let text = &header[start..header.find("\n\n/* BPF kfuncs").unwrap()];
        assert_eq!(
            text,
            "struct device;\n\nstruct ops;\n\nstruct packet;\n\nstruct own {\n\tstruct device *device;\n\tconst struct ops \
             *ops;\n\tint (*callback)(struct packet *packet);\n\tstruct device *other;\n\tstruct held held;\n\tword \
             word;\n};\n"
        );
    }
}
