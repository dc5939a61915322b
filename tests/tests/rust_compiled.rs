//! Rust types through rustc: it finds the sizes, alignments and offsets that they assert.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

use std::{env, ffi::OsString, fmt::Write as _, fs, path::Path, process::Command};

use btf_codegen::rust::Types;
use btf_elf::BtfFile;
use btf_tests::{
    fixtures,
    rust_values::{Text, Values},
    skip,
};
use btf_types::{Btf, Composite, View};
use object::{Object, ObjectSection};

/// The compiler: `RUSTC`, or what is found by that name.
fn rustc() -> Option<OsString> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    match Command::new(&rustc).arg("--version").output() {
        Ok(output) if output.status.success() => Some(rustc),
        Ok(output) => {
            skip(format!("rustc --version: {}", output.status));
            None
        }
        Err(error) => {
            skip(format!("rustc: {error}"));
            None
        }
    }
}

/// The first lines of what the compiler says of a library without `std`; nothing if it is
/// content. Assertions are evaluated, no code is made.
fn compile(rustc: &OsString, source: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("types.rs");
    fs::write(folder.path().join("lib.rs"), "#![no_std]\ninclude!(\"types.rs\");\n").unwrap();
    fs::write(&path, source).unwrap();
    let output = Command::new(rustc)
        .args(["--edition", "2021", "--crate-type", "lib", "--crate-name", "types", "--emit", "metadata", "-o"])
        .arg(folder.path().join("types.rmeta"))
        .arg(folder.path().join("lib.rs"))
        .output()
        .expect("rustc runs");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.success(), !text.contains("error"), "{text}");
    text.lines().take(20).collect::<Vec<_>>().join("\n")
}

fn open(name: &str) -> Btf {
    BtfFile::parse(fixtures::read(name)).unwrap().btf().unwrap()
}

#[test]
fn layouts_are_what_rustc_makes_of_the_text() {
    let Some(rustc) = rustc() else { return };
    for name in [
        "layout/armv7.btf",
        "layout/i686.btf",
        "layout/powerpc.btf",
        "layout/s390x.btf",
        "layout/x86_64.btf",
        "bpf/pahole32/types32-armv7.btf",
        "bpf/pahole32/types32-i686.btf",
        "bpf/pahole32/types32-mips.btf",
        "bpf/pahole32/types32-powerpc.btf",
        "bpf/clang-22/types-el.bpf.o",
        "bpf/clang-22/types-eb.bpf.o",
        "bpf/clang-22/enum64-el.bpf.o",
    ] {
        let source = Types::new().generate(&open(name)).unwrap();
        assert_eq!(compile(&rustc, &source), "", "{name}");
    }
}

/// All types of whole kernels. (For each, rustc takes a minute and 3 to 4 GB.)
#[test]
fn whole_kernels_compile() {
    if env::var_os("BTF_CI").is_none() {
        println!("skipped: minutes and gigabytes, unless BTF_CI is set");
        return;
    }
    let Some(rustc) = rustc() else { return };
    let mut kernels: Vec<(String, Btf)> = [fixtures::SORTED, fixtures::UNSORTED, fixtures::BIG_ENDIAN]
        .map(|release| (release.to_owned(), open(&format!("kernels/{release}/vmlinux.btf"))))
        .into();
    match btf_kernel::Kernel::running().btf() {
        Ok(btf) => kernels.push(("the running kernel".into(), btf)),
        Err(error) => skip(error),
    }
    for (name, btf) in kernels {
        let source = Types::new().generate(&btf).unwrap();
        assert_eq!(compile(&rustc, &source), "", "{name}");
    }
}

#[test]
fn an_assertion_that_does_not_hold_is_found() {
    let Some(rustc) = rustc() else { return };
    let source = Types::new().root("packed_inside").generate(&open("layout/x86_64.btf")).unwrap();
    let right = "offset_of!(packed_inside, p), 1)";
    assert!(source.contains(right), "{source}");
    assert_eq!(compile(&rustc, &source), "");
    for (right, wrong) in [
        (right, "offset_of!(packed_inside, p), 4)"),
        ("size_of::<packed_inside>(), 6)", "size_of::<packed_inside>(), 8)"),
        ("align_of::<packed_inner>(), 1)", "align_of::<packed_inner>(), 4)"),
    ] {
        assert!(source.contains(right), "{right}");
        let errors = compile(&rustc, &source.replace(right, wrong));
        assert!(errors.contains("assertion failed"), "{right}: {errors}");
    }
}

/// A clang that makes objects of all machines.
fn clang() -> Option<&'static str> {
    let is_there = |name: &&str| {
        let output = Command::new(name).arg("--print-targets").output();
        output.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("systemz"))
    };
    let found = ["clang", "clang-14", "clang-22", "clang-19"].into_iter().find(is_there);
    if found.is_none() {
        skip("there is no clang for all machines");
    }
    found
}

/// The contents of a section of the object that a C source is compiled to.
fn compiled(clang: &str, target: &str, source: &str, folder: &Path, section: &str) -> Vec<u8> {
    let (path, object) = (folder.join("values.c"), folder.join("values.o"));
    fs::write(&path, source).unwrap();
    let output = Command::new(clang)
        .args([&format!("--target={target}"), "-w", "-c", "-o"])
        .args([&object, &path])
        .output()
        .expect("clang runs");
    assert!(output.status.success(), "{target}: {}", String::from_utf8_lossy(&output.stderr));
    let bytes = fs::read(object).unwrap();
    let object = object::File::parse(bytes.as_slice()).unwrap();
    object.section_by_name(section).expect("it has the section").data().unwrap().to_vec()
}

/// Runs a program, and fails with what it says.
fn run(rustc: &OsString, folder: &Path, source: &str, what: &str) {
    let (path, program) = (folder.join("main.rs"), folder.join("main"));
    fs::write(&path, source).unwrap();
    let output = Command::new(rustc)
        .args(["--edition", "2021", "-A", "warnings", "-o"])
        .args([&program, &path])
        .output()
        .expect("rustc runs");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{what}: {}", text.lines().take(30).collect::<Vec<_>>().join("\n"));
    let output = Command::new(&program).output().expect("it runs");
    assert!(output.status.success(), "{what}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Values of many types: what goes into a C source and into a Rust program.
#[derive(Default)]
struct Program {
    c: String,
    tests: Vec<String>,
    values: usize,
    scalars: usize,
}

impl Program {
    /// Adds values of a type, each in its own slot, which begins with its size.
    fn add(&mut self, ty: Composite<'_>, text: &Text, seed: u64) {
        let (name, size) = (ty.name().to_string(), ty.size());
        let word = if ty.is_union() { "union" } else { "struct" };
        let values = Values::of(ty, &name, text, u64::from(ty.id()) << 8 | seed);
        writeln!(
            self.c,
            "__attribute__((section(\".values\"), used, aligned(64))) struct {{ unsigned int size; {word} {name} v \
             __attribute__((aligned(64))); }} value_{name}_{seed} = {{ {size}, {{\n{}}} }};",
            values.c
        )
        .unwrap();
        self.tests.push(format!(
            "{{\nlet bytes = slots.next({size});\nlet value = {name}::read_from(bytes).unwrap();\n{}\
             let mut value = {name}::zeroed();\n{}\
             assert_eq!(value.as_bytes(), bytes);\n}}\n",
            values.reads, values.writes
        ));
        self.values += 1;
        self.scalars += values.count;
    }

    /// Compiles both, and runs the Rust program on what C wrote.
    fn run(&self, rustc: &OsString, clang: &str, target: &str, types: &str) {
        let folder = tempfile::tempdir().unwrap();
        let bytes = compiled(clang, target, &self.c, folder.path(), ".values");
        fs::write(folder.path().join("values"), bytes).unwrap();
        let mut functions = String::new();
        let mut calls = String::new();
        for (index, test) in self.tests.iter().enumerate() {
            writeln!(functions, "fn test_{index}(slots: &mut Slots) {test}").unwrap();
            writeln!(calls, "test_{index}(&mut slots);").unwrap();
        }
        let source = format!(
            "{types}\nuse types::*;\n\
             struct Slots(&'static [u8], usize);\n\
             impl Slots {{\n\
                 fn next(&mut self, size: usize) -> &'static [u8] {{\n\
                     let at = self.1.next_multiple_of(64);\n\
                     let found: [u8; 4] = self.0[at..at + 4].try_into().unwrap();\n\
                     let size_of = size as u32;\n\
                     assert!([size_of.to_le_bytes(), size_of.to_be_bytes()].contains(&found));\n\
                     self.1 = at + 64 + size;\n\
                     &self.0[at + 64..at + 64 + size]\n\
                 }}\n\
             }}\n{functions}\n\
             fn main() {{\nlet mut slots = Slots(include_bytes!(\"values\"), 0);\n{calls}}}\n"
        );
        run(rustc, folder.path(), &source, target);
        println!("{target}: {} values with {} scalars", self.values, self.scalars);
    }
}

/// Values that C writes are read through the types, and are the same bytes when they are
/// written through them, without unsafe code.
#[test]
fn values_of_c_are_values_of_rust() {
    let (Some(rustc), Some(clang)) = (rustc(), clang()) else { return };
    let cases = String::from_utf8(fixtures::read("layout/cases.c")).unwrap();
    for (name, target) in [
        ("x86_64", "x86_64-linux-gnu"),
        ("i686", "i686-linux-gnu"),
        ("armv7", "armv7-linux-gnueabi"),
        ("powerpc", "powerpc-linux-gnu"),
        ("s390x", "s390x-linux-gnu"),
    ] {
        let btf = open(&format!("layout/{name}.btf"));
        let types = Types::new().generate(&btf).unwrap();
        let text = Text::read(&types);
        let mut program = Program { c: cases.clone(), ..Program::default() };
        for ty in btf.types().filter_map(Composite::of).filter(|ty| !ty.name().is_empty() && ty.name() != "users") {
            // GCC, of which the BTF is, aligns these to 8, and old clang to 16.
            if name == "s390x" && ty.name().to_string().contains("int128") {
                continue;
            }
            (0..4).for_each(|seed| program.add(ty, &text, seed));
        }
        program.run(&rustc, clang, target, &types);
        assert!(program.values > 100 && program.scalars > 300, "{name}: {} {}", program.values, program.scalars);
    }
}

/// Numbers of random structs, and of programs that have them.
const TREES: (usize, usize) = (1000, 4);

/// Random structs of structs, unions, arrays, enumerations, bitfields and attributes, as
/// clang lays them out.
#[test]
fn values_of_random_structs_are_values_of_rust() {
    let (Some(rustc), Some(clang)) = (rustc(), clang()) else { return };
    for batch in 0..TREES.1 {
        let target = ["bpfel", "bpfeb"][batch % 2];
        let mut forest = Forest::new(batch as u64);
        let names: Vec<String> = (0..TREES.0 / TREES.1).map(|index| forest.tree(index)).collect();
        let folder = tempfile::tempdir().unwrap();
        let (path, object) = (folder.path().join("types.c"), folder.path().join("types.o"));
        let users: String = names.iter().map(|name| format!("struct {name} use_{name};\n")).collect();
        fs::write(&path, format!("{}{users}", forest.c)).unwrap();
        let output = Command::new(clang)
            .args([&format!("--target={target}"), "-w", "-g", "-c", "-o"])
            .args([&object, &path])
            .output()
            .expect("clang runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let btf = BtfFile::open(&object).unwrap().btf().unwrap();
        let types = Types::new().roots(names.clone()).generate(&btf).unwrap();
        let text = Text::read(&types);
        let mut program = Program { c: forest.c.clone(), ..Program::default() };
        for name in &names {
            program.add(btf.find(name).unwrap(), &text, batch as u64);
        }
        program.run(&rustc, clang, target, &types);
    }
}

/// Makes random types.
struct Forest {
    c: String,
    seed: u64,
    /// Names of structs that others may hold.
    structs: Vec<String>,
    members: usize,
}

impl Forest {
    fn new(seed: u64) -> Self {
        let c = "enum small { SMALL } __attribute__((mode(byte)));\nenum plain { MINUS = -1, PLUS };\n";
        Self { c: c.into(), seed, structs: Vec::new(), members: 0 }
    }

    /// A number below another.
    fn below(&mut self, end: u64) -> u64 {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.seed >> 33) % end
    }

    /// Defines a struct, and returns its name.
    fn tree(&mut self, index: usize) -> String {
        let name = format!("tree{index}");
        let body = self.body("struct", &name, 0);
        writeln!(self.c, "{body};").unwrap();
        self.structs.push(name.clone());
        name
    }

    fn body(&mut self, word: &str, name: &str, depth: u32) -> String {
        let count = 1 + self.below(6);
        let mut body = format!("{word} {name} {{\n");
        for index in 0..count {
            let member = self.member(depth, index == 0);
            body.push_str(&member);
        }
        let attribute = match self.below(8) {
            0 | 1 => " __attribute__((packed))",
            2 => " __attribute__((packed, aligned(2)))",
            3 => " __attribute__((aligned(16)))",
            _ => "",
        };
        format!("{body}}}{attribute}")
    }

    fn member(&mut self, depth: u32, is_first: bool) -> String {
        self.members += 1;
        let name = format!("m{}", self.members);
        let kind = self.below(16);
        let dimension = match self.below(4) {
            0 => format!("[{}]", 1 + self.below(3)),
            1 if self.below(4) == 0 => "[2][2]".into(),
            _ => String::new(),
        };
        let aligned = if self.below(12) == 0 { " __attribute__((aligned(8)))" } else { "" };
        if depth < 3 && !is_first {
            let word = if self.below(2) == 0 { "struct" } else { "union" };
            match kind {
                0 | 1 => return format!("{} {name}{dimension};\n", self.body(word, "", depth + 1)),
                2 => return format!("{};\n", self.body(word, "", depth + 1)),
                3 if !self.structs.is_empty() => {
                    let of = self.below(self.structs.len() as u64) as usize;
                    let of = self.structs[of].clone();
                    // No struct is to grow beyond measure.
                    return format!("struct {of} {name}{aligned};\n");
                }
                _ => {}
            }
        }
        let scalars = [
            ("unsigned char", 8),
            ("signed char", 8),
            ("unsigned short", 16),
            ("short", 16),
            ("unsigned int", 32),
            ("int", 32),
            ("unsigned long long", 64),
            ("long long", 64),
            ("_Bool", 1),
            ("enum small", 8),
            ("enum plain", 32),
        ];
        let (scalar, bits) = scalars[self.below(scalars.len() as u64) as usize];
        match kind {
            4..=8 if !is_first || depth == 0 => format!("{scalar} {name} : {};\n", 1 + self.below(bits)),
            9 => format!("void *{name}{dimension};\n"),
            10 => format!("int (*{name})(int);\n"),
            11 => format!("double {name}{dimension};\n"),
            _ => format!("{scalar} {name}{dimension}{aligned};\n"),
        }
    }
}
