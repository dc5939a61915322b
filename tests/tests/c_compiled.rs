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

use btf_codegen::c::Header;
use btf_elf::BtfFile;
use btf_tests::{fixtures, skip};
use btf_types::{Btf, Composite, Member, Type, View};

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

/// What a struct or union must have, whatever its types are called.
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
