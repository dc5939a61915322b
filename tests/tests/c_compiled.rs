//! C headers through a compiler: it finds the sizes and offsets that they assert, and
//! makes the same BTF of them again. Needs clang.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::Path,
    process::{Command, Output},
};

use btf_build::{Builder, IntEncoding};
use btf_codegen::c::Header;
use btf_elf::BtfFile;
use btf_tests::{fixtures, skip};
use btf_types::{Btf, Composite, Member, Type, View};
use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, TestRunner},
};

/// A clang that has a BPF target.
fn clang() -> Option<&'static str> {
    let is_there = |name: &&str| {
        let output = Command::new(name).arg("--print-targets").output();
        output.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("bpfeb"))
    };
    let found = ["clang", "clang-14", "clang-22", "clang-19"].into_iter().find(is_there);
    if found.is_none() {
        skip("there is no clang with a BPF target");
    }
    found
}

fn compile(clang: &str, target: &str, arguments: &[&str], source: &Path) -> Output {
    let mut command = Command::new(clang);
    command.arg(format!("--target={target}")).args(["-x", "c"]).args(arguments).arg(source);
    command.output().expect("clang runs")
}

fn assert_compiled(output: &Output, what: &str) {
    let text = String::from_utf8_lossy(&output.stderr);
    let first: Vec<&str> = text.lines().take(12).collect();
    assert!(output.status.success(), "{what}: {}", first.join("\n"));
    assert!(!text.contains("warning:"), "{what}: {}", first.join("\n"));
}

fn open(name: &str) -> Btf {
    BtfFile::parse(fixtures::read(name)).unwrap().btf().unwrap()
}

fn write(header: &Header, btf: &Btf) -> String {
    let mut text = String::new();
    header.write(btf, &mut text).unwrap();
    text
}

/// The BTF of the running kernel.
fn running() -> Option<Btf> {
    let kernel = btf_kernel::Kernel::running();
    match kernel.btf() {
        Ok(btf) => Some(btf),
        Err(error) => {
            skip(error);
            None
        }
    }
}

/// The compiler checks all sizes and offsets of a header.
fn check_asserts(clang: &str, btf: &Btf, targets: &[&str], what: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vmlinux.h");
    let header = write(&Header::new().static_asserts(true).preserve_access_index(false), btf);
    assert!(header.contains("_Static_assert("), "{what}");
    fs::write(&path, header).unwrap();
    for target in targets {
        // The smallest number of 64 bits is no literal, and is written as one by all.
        let no_literal = ["-Wno-implicitly-unsigned-literal", "-Wno-enum-too-large"];
        let output =
            compile(clang, target, &[&["-fsyntax-only", "-Wno-unknown-attributes"], &no_literal[..]].concat(), &path);
        assert_compiled(&output, &format!("{what}: {target}"));
    }
}

/// Names that compilers reserve, of each sort.
const RESERVED: [&str; 32] = [
    "_Bool",
    "_Decimal32",
    "_Float16",
    "_Nullable",
    "__BPF__",
    "__FILE__",
    "__LITTLE_ENDIAN__",
    "__alignof",
    "__asm__",
    "__attribute__",
    "__auto_type",
    "__bf16",
    "__bpf__",
    "__builtin_bit_cast",
    "__builtin_offsetof",
    "__cdecl",
    "__clang__",
    "__extension__",
    "__fp16",
    "__has_attribute",
    "__has_include",
    "__int128",
    "__linux__",
    "__objc_yes",
    "__real",
    "__thread",
    "__typeof_unqual__",
    "__volatile__",
    "asm",
    "register",
    "typeof",
    "while",
];

#[test]
fn names_that_compilers_reserve_are_changed() {
    let Some(clang) = clang() else { return };
    let mut b = Builder::new();
    let int = b.int("int", 4, IntEncoding::SIGNED).unwrap();
    for (at, name) in RESERVED.into_iter().enumerate() {
        let class = b.structure(name, 4).member(name, int, 0).finish().unwrap();
        match at % 2 {
            0 => _ = b.typedef(name, class).unwrap(),
            _ => _ = b.enumeration("", 4).value(name, at as i128).finish().unwrap(),
        }
    }
    let btf = b.finish().unwrap();
    check_asserts(clang, &btf, &["x86_64-linux-gnu", "bpfel", "bpfeb"], "reserved names");
    let header = write(&Header::new(), &btf);
    for name in RESERVED {
        assert!(header.contains(&format!("struct {name}_ {{\n\tint {name}_; /* {name} */\n}};")), "{name}\n{header}");
    }
    // Names that only look alike stay, so that CO-RE finds the types.
    let mut b = Builder::new();
    let alike = ["__init__", "__", "____", "_Boolean", "__builtin", "__FILE", "__foo__bar"];
    for name in alike {
        b.structure(name, 0).finish().unwrap();
    }
    let header = write(&Header::new(), &b.finish().unwrap());
    for name in alike {
        assert!(header.contains(&format!("\nstruct {name} {{}};\n")), "{name}\n{header}");
    }
}

#[test]
fn sizes_and_offsets_are_what_compilers_make_of_it() {
    let Some(clang) = clang() else { return };
    for (name, targets) in [
        ("kernels/6.1.0-56-cloud-amd64/vmlinux.btf", &["x86_64-linux-gnu", "bpfel"][..]),
        ("kernels/7.3.4+deb13-cloud-amd64/vmlinux.btf", &["x86_64-linux-gnu", "aarch64-linux-gnu"]),
        ("kernels/7.2.13+deb14-s390x/vmlinux.btf", &["s390x-linux-gnu", "bpfeb"]),
        ("bpf/pahole32/types32-armv7.btf", &["armv7-linux-gnueabi"]),
        ("bpf/pahole32/types32-i686.btf", &["i686-linux-gnu"]),
        ("bpf/pahole32/types32-mips.btf", &["mips-linux-gnu"]),
        ("bpf/pahole32/types32-powerpc.btf", &["powerpc-linux-gnu"]),
        ("layout/armv7.btf", &["armv7-linux-gnueabi"]),
        ("layout/i686.btf", &["i686-linux-gnu"]),
        ("layout/powerpc.btf", &["powerpc-linux-gnu"]),
        ("layout/s390x.btf", &["s390x-linux-gnu", "bpfeb"]),
        ("layout/x86_64.btf", &["x86_64-linux-gnu", "bpfel"]),
        ("bpf/clang-22/types-el.bpf.o", &["bpfel"]),
        ("bpf/clang-22/types-eb.bpf.o", &["bpfeb"]),
        ("bpf/clang-22/enum64-el.bpf.o", &["bpfel"]),
    ] {
        check_asserts(clang, &open(name), targets, name);
    }
}

#[test]
fn sizes_and_offsets_of_the_running_kernel() {
    let (Some(clang), Some(btf)) = (clang(), running()) else { return };
    let machine = format!("{}-linux-gnu", std::env::consts::ARCH);
    check_asserts(clang, &btf, &[&machine, "bpf"], "the running kernel");
}

/// Layout of a struct or union, whatever its types are called.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Shape {
    is_union: bool,
    size: u32,
    members: Vec<(String, u32, Option<u8>, Option<Shape>)>,
}

impl Shape {
    fn of(composite: Composite<'_>) -> Self {
        let members = composite.members().filter_map(Self::member).collect();
        Self { is_union: composite.is_union(), size: composite.size(), members }
    }

    /// A member; with the shape of what has no name. (A member without a name has
    /// those of its type, and what has none of these only pads.)
    fn member(member: Member<'_>) -> Option<(String, u32, Option<u8>, Option<Self>)> {
        let name = member.name().to_string();
        let inner =
            Composite::of(member.ty().peel_qualifiers()).filter(|inner| name.is_empty() || inner.name().is_empty());
        let inner = inner.map(Self::of);
        if name.is_empty() && inner.as_ref().is_none_or(|inner| inner.members.is_empty()) {
            return None;
        }
        Some((name, member.bit_offset(), member.bitfield_size(), inner))
    }
}

/// The name without the number by which types of one name are told apart.
fn bare(name: &str) -> &str {
    match name.rsplit_once("___") {
        Some((bare, number)) if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) => bare,
        _ => name,
    }
}

/// All structs and unions that have a name, be it that of a typedef.
fn shapes(btf: &Btf) -> BTreeMap<String, Vec<Shape>> {
    let mut shapes: BTreeMap<String, Vec<Shape>> = BTreeMap::new();
    for ty in btf.types() {
        let (word, composite) = match ty {
            Type::Typedef(typedef) => ("typedef", Composite::of(typedef.target()).filter(|c| c.name().is_empty())),
            _ => ("tag", Composite::of(ty).filter(|c| !c.name().is_empty())),
        };
        if let Some(composite) = composite {
            let name = format!("{word} {}", bare(&ty.name().to_string()));
            shapes.entry(name).or_default().push(Shape::of(composite));
        }
    }
    shapes.values_mut().for_each(|shapes| shapes.sort());
    shapes
}

/// The names by which the definitions of a header can be used.
fn names(header: &str) -> Vec<&str> {
    let mut names = Vec::new();
    for definition in header.split("\n\n") {
        let first = definition.lines().find(|line| !line.starts_with("/*")).unwrap_or_default();
        let tag = first.split(" {").next().unwrap();
        if first.starts_with("typedef ") && (first.ends_with('{') || first.contains(" {}")) {
            names.push(definition.trim_end_matches(';').rsplit(' ').next().unwrap());
        } else if first.contains(" {") && (tag.starts_with("struct ") || tag.starts_with("union ")) {
            names.push(tag);
        }
    }
    names
}

/// A header makes the BTF that it was made of.
fn check_round_trip(clang: &str, btf: &Btf, target: &str, what: &str) {
    let folder = tempfile::tempdir().unwrap();
    let (source, object) = (folder.path().join("globals.c"), folder.path().join("globals.o"));
    let header = write(&Header::new(), btf);
    let mut globals = header.clone();
    for (index, name) in names(&header).into_iter().enumerate() {
        writeln!(globals, "{name} global_{index};").unwrap();
    }
    fs::write(&source, globals).unwrap();
    let output = compile(clang, target, &["-g", "-O2", "-c", "-o", object.to_str().unwrap()], &source);
    assert_compiled(&output, what);
    let again = BtfFile::open(&object).unwrap().btf().unwrap();
    let (expected, found) = (shapes(btf), shapes(&again));
    for (name, expected) in &expected {
        assert_eq!(found.get(name), Some(expected), "{what}: {name}");
    }
    assert!(!expected.is_empty(), "{what}");
}

#[test]
fn a_header_makes_the_same_types_again() {
    let Some(clang) = clang() else { return };
    for (name, target) in [
        ("kernels/7.3.4+deb13-cloud-amd64/vmlinux.btf", "bpfel"),
        ("kernels/7.2.13+deb14-s390x/vmlinux.btf", "bpfeb"),
        ("layout/x86_64.btf", "bpfel"),
        ("bpf/clang-22/types-el.bpf.o", "bpfel"),
        ("bpf/clang-22/types-eb.bpf.o", "bpfeb"),
        ("bpf/clang-22/tags-el.bpf.o", "bpfel"),
    ] {
        check_round_trip(clang, &open(name), target, name);
    }
}

/// A program that includes the running kernel's header, and one that includes just
/// what it needs.
#[test]
fn a_program_with_the_header_builds_and_loads() {
    let (Some(clang), Some(btf)) = (clang(), running()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let (source, object) = (folder.path().join("program.bpf.c"), folder.path().join("program.bpf.o"));
    for (what, header) in [("all types", Header::new()), ("a root type", Header::new().root("task_struct"))] {
        fs::write(folder.path().join("vmlinux.h"), write(&header, &btf)).unwrap();
        fs::write(
            &source,
            "#include \"vmlinux.h\"\n\
             static long (*bpf_probe_read_kernel)(void *, unsigned int, const void *) = (void *)113;\n\
             static unsigned long (*bpf_get_current_task)(void) = (void *)35;\n\
             int parent;\n\
             __attribute__((section(\"raw_tracepoint/sched_switch\"), used)) int on_switch(void *context)\n\
             {\n\
             \tstruct task_struct *task = (void *)bpf_get_current_task(), *of = 0;\n\
             \tbpf_probe_read_kernel(&of, sizeof(of), &task->real_parent);\n\
             \tbpf_probe_read_kernel(&parent, sizeof(parent), &of->tgid);\n\
             \treturn 0;\n\
             }\n\
             char LICENSE[] __attribute__((section(\"license\"), used)) = \"GPL\";\n",
        )
        .unwrap();
        let include = format!("-I{}", folder.path().display());
        let output = compile(clang, "bpf", &["-g", "-O2", &include, "-c", "-o", object.to_str().unwrap()], &source);
        assert_compiled(&output, what);
        let built = btf_elf::BpfObject::parse(fs::read(&object).unwrap()).unwrap();
        let ext = built.btf_ext().unwrap().expect("accesses are recorded");
        let relocated = btf_relocate::Relocator::new(btf_relocate::Targets::kernel(&btf)).relocate(ext);
        assert!(relocated.iter().count() >= 2, "{what}: accesses are recorded");
        load(&object, what);
    }
}

/// Loads an object through bpftool.
fn load(object: &Path, what: &str) {
    let pin = format!("/sys/fs/bpf/btf_codegen_{}", std::process::id());
    let output = match Command::new("bpftool").args(["prog", "load"]).arg(object).arg(&pin).output() {
        Ok(output) => output,
        Err(error) => return skip(format!("bpftool: {error}")),
    };
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let _ = fs::remove_file(&pin);
    if !output.status.success() && ["Operation not permitted", "bpffs", "mount"].iter().any(|why| text.contains(why)) {
        return skip(format!("bpftool cannot load: {text}"));
    }
    assert!(output.status.success(), "{what}: {text}");
}

/// Headers of modules compile behind that of their kernel, in both forms and with all
/// assertions.
#[test]
fn what_a_module_adds_compiles_behind_its_base() {
    let Some(clang) = clang() else { return };
    for (kernel, modules, target) in [
        ("7.3.4+deb13-cloud-amd64", &["veth", "openvswitch", "cast_common"][..], "bpfel"),
        ("6.1.0-56-cloud-amd64", &["vxlan"], "x86_64-linux-gnu"),
        ("7.2.13+deb14-s390x", &["veth"], "bpfeb"),
    ] {
        let vmlinux = open(&format!("kernels/{kernel}/vmlinux.btf"));
        let folder = tempfile::tempdir().unwrap();
        let source = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            path
        };
        for sorted in [true, false] {
            let header = Header::new().unsorted(!sorted);
            source("vmlinux.h", &write(&header, &vmlinux));
            for module in modules {
                let what = format!("{kernel}, {module}, sorted: {sorted}");
                let bytes = fixtures::read(&format!("kernels/{kernel}/{module}.btf"));
                let btf = BtfFile::parse(bytes).unwrap().split_btf(&vmlinux).unwrap();
                let header = write(&header.clone().own(true).static_asserts(sorted), &btf);
                assert!(!header.contains("\nstruct list_head {"), "{what}: that is the base's");
                source("module.h", &header);
                let path = source("module.c", "#include \"vmlinux.h\"\n#include \"module.h\"\n");
                let quiet = ["-fsyntax-only", "-Wno-unknown-attributes", "-Wno-everything"];
                let output = compile(clang, target, &quiet, &path);
                assert_compiled(&output, &what);
            }
        }
    }
}

/// Description of a member of a struct.
#[derive(Debug, Clone)]
enum Part {
    Scalar(usize),
    Ptr,
    Array(Box<Part>, u32),
    /// A struct or union; without a name, or with.
    Struct(Vec<Placed>, bool, bool),
    Bits(usize, u8),
}

/// A member, and how many bytes are left free before it.
#[derive(Debug, Clone)]
struct Placed(Part, u8);

/// Scalars with their sizes.
const SCALARS: [(&str, u32, IntEncoding); 6] = [
    ("char", 1, IntEncoding::SIGNED),
    ("short", 2, IntEncoding::SIGNED),
    ("unsigned int", 4, IntEncoding::NONE),
    ("long", 8, IntEncoding::SIGNED),
    ("_Bool", 1, IntEncoding::BOOL),
    ("unsigned __int128", 16, IntEncoding::NONE),
];

/// Makes BTF of random structs.
struct Maker {
    builder: Builder,
    scalars: Vec<u32>,
    ptr: u32,
    index: u32,
    named: u32,
}

impl Maker {
    fn new() -> Self {
        let mut builder = Builder::new();
        let scalars: Vec<u32> =
            SCALARS.iter().map(|(name, size, encoding)| builder.int(*name, *size, *encoding).unwrap()).collect();
        let ptr = builder.ptr(0).unwrap();
        let index = scalars[2];
        Self { builder, scalars, ptr, index, named: 0 }
    }

    /// The type of a part, and its size in bytes.
    fn part(&mut self, part: &Part) -> (u32, u32) {
        match part {
            Part::Scalar(scalar) | Part::Bits(scalar, _) => (self.scalars[*scalar], SCALARS[*scalar].1),
            Part::Ptr => (self.ptr, 8),
            Part::Array(element, count) => {
                let (element, size) = self.part(element);
                (self.builder.array(element, self.index, *count).unwrap(), size * count)
            }
            Part::Struct(parts, is_union, is_anonymous) => self.composite(parts, *is_union, *is_anonymous),
        }
    }

    /// A struct or union whose members are where they may be anywhere: packed, aligned,
    /// with gaps.
    fn composite(&mut self, parts: &[Placed], is_union: bool, is_anonymous: bool) -> (u32, u32) {
        let (mut at, mut size) = (0, 0);
        let mut members = Vec::new();
        for Placed(part, gap) in parts {
            let (ty, bytes) = self.part(part);
            let (width, bits) = match part {
                Part::Bits(scalar, width) => {
                    let most = if SCALARS[*scalar].2 == IntEncoding::BOOL { 1 } else { 8 * bytes.min(8) };
                    let width = u32::from(*width) % most + 1;
                    (Some(width), width)
                }
                _ => (None, 8 * bytes),
            };
            let is_aligned = gap.is_multiple_of(2);
            let mut offset = if is_union { 0 } else { at + 8 * u32::from(gap / 2) };
            match width {
                // Within one unit, as compilers have them.
                Some(width) if offset % (8 * bytes) + width > 8 * bytes => {
                    offset = offset.next_multiple_of(8 * bytes);
                }
                Some(_) => {}
                None if is_aligned && !is_union => offset = offset.next_multiple_of(8 * bytes.clamp(1, 8)),
                None => offset = offset.next_multiple_of(8),
            }
            at = offset + bits;
            size = size.max(at.div_ceil(8));
            members.push((ty, offset, width));
        }
        let trailing = parts.last().map_or(0, |Placed(_, gap)| u32::from(*gap));
        size += if trailing.is_multiple_of(3) { trailing } else { 0 };
        self.named += 1;
        let name = if is_anonymous { String::new() } else { format!("type_{}", self.named) };
        let id = self.builder.declare();
        let definition = self.builder.define(id);
        let mut composite = match is_union {
            true => definition.union(&name, size),
            false => definition.structure(&name, size),
        };
        for (number, (ty, offset, width)) in members.into_iter().enumerate() {
            // Each name once, whatever is in what has none.
            let name = format!("m{}_{number}", self.named);
            composite = match width {
                Some(width) => composite.bitfield(&name, ty, offset, width as u8),
                None => composite.member(&name, ty, offset),
            };
        }
        composite.finish().unwrap();
        (id, size)
    }
}

fn placed(part: impl Strategy<Value = Part> + 'static) -> impl Strategy<Value = Vec<Placed>> {
    proptest::collection::vec((part, 0u8..14).prop_map(|(part, gap)| Placed(part, gap)), 1..7)
}

fn parts() -> impl Strategy<Value = Part> {
    let leaf = prop_oneof![
        4 => (0..SCALARS.len()).prop_map(Part::Scalar),
        2 => Just(Part::Ptr),
        2 => (0usize..5, any::<u8>()).prop_map(|(scalar, width)| Part::Bits(scalar, width)),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            2 => (placed(inner.clone()), any::<bool>(), any::<bool>())
                .prop_map(|(parts, is_union, is_anonymous)| Part::Struct(parts, is_union, is_anonymous)),
            1 => (inner.prop_filter("bitfields are no elements", |part| !matches!(part, Part::Bits(..))), 0u32..5)
                .prop_map(|(part, count)| Part::Array(Box::new(part), count)),
        ]
    })
}

/// Structs of any layout, compilers' or not: the header has the sizes and offsets of the
/// BTF. (A hundred trees of them in one header, as to start a compiler takes longest.)
#[test]
fn random_structs_have_their_layout() {
    let Some(clang) = clang() else { return };
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::default() });
    for round in 0..4 {
        let mut maker = Maker::new();
        let mut trees = Vec::new();
        for _ in 0..100 {
            let tree = placed(parts()).new_tree(&mut runner).unwrap().current();
            maker.composite(&tree, false, false);
            trees.push(tree);
        }
        let btf = maker.builder.finish().unwrap();
        let header = write(&Header::new().static_asserts(true), &btf);
        assert_eq!(header.matches(" is left out").count(), 0, "round {round}: {header}");
        assert!(header.matches("_Static_assert(").count() > 400, "round {round}");
        let targets = ["x86_64-linux-gnu", "bpfel"];
        check_asserts(clang, &btf, &targets, &format!("round {round}"));
    }
}
