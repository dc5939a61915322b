//! Rust types: whether the text of each generator compiles, whether its layouts are right,
//! and its cost.
//!
//!     cargo install libbpf-cargo@0.27.2 bindgen-cli@0.73.2
//!     cargo run --release -p btf-peers -- --rust
//!
//! Needs clang, bpftool and rustc; the row of a missing generator says so. All are given
//! the same BPF objects. aya-tool is not in the registry, so its two steps are run here:
//! bpftool, then bindgen with the flags of aya-tool. Only the module with the types is
//! compiled of the skeletons of libbpf-cargo. Times are the CPU time of all processes,
//! from the object to the text and from the text to an unoptimized library; the minimum
//! of several runs.
//!
//! rustc prints the size of each named type in the text, and the offset of each of its
//! public fields that is a member in the BTF. Those that differ from the BTF are printed
//! to stderr.

use std::{
    collections::BTreeMap,
    env,
    error::Error,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use btf_codegen::{c::Header, rust::Types};
use btf_elf::BpfObject;
use btf_types::{Btf, Composite, Datasec, Type, View};

use crate::cost::{children, cpu};

const ROUNDS: usize = 3;
const LAYOUTS: &str = include_str!("../rust/layouts.c");
const GLOBALS: &str = include_str!("../rust/globals.c");
const KEYWORDS: &str = include_str!("../rust/keywords.c");

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Source of types.
struct Input {
    name: &'static str,
    object: PathBuf,
    /// BTF with its DATASECs fixed up.
    btf: Btf,
    /// Requested types.
    roots: Vec<String>,
    /// True if the globals are requested, too.
    globals: bool,
}

/// Generator of Rust types for an object.
struct Generator {
    name: &'static str,
    /// Makes a crate, with the types in its module `types`.
    generate: fn(&Input, &Path) -> Result<Text>,
}

/// Source of a crate.
struct Text {
    /// Text before the generated one.
    prelude: &'static str,
    generated: String,
}

const GENERATORS: [Generator; 3] = [
    Generator { name: "btf-codegen", generate: ours },
    Generator { name: "libbpf-cargo", generate: libbpf_cargo },
    Generator { name: "aya-tool", generate: aya_tool },
];

/// Prints the table.
pub fn print() {
    let folder = env::temp_dir().join(format!("btf-peers-rust-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("the temporary folder can be written to");
    println!("| types | generator | compiles | sizes right | offsets right | lines | generate | compile |");
    println!("|---|---|---|---|---|---|---|---|");
    match inputs(&folder) {
        Ok(inputs) => inputs.iter().for_each(|input| GENERATORS.iter().for_each(|one| row(input, one, &folder))),
        Err(error) => eprintln!("{error}"),
    }
    fs::remove_dir_all(&folder).expect("what was written can be removed");
}

fn row(input: &Input, generator: &Generator, folder: &Path) {
    let mut least = [Duration::MAX; 2];
    let mut found = None;
    for _ in 0..ROUNDS {
        let start = cpu() + children();
        let text = match (generator.generate)(input, folder) {
            Ok(text) => text,
            Err(error) => return println!("| {} | {} | - {error} | | | | | |", input.name, generator.name),
        };
        let generated = cpu() + children();
        let compiled = compile(&text.source(), &["--crate-type", "lib"], &folder.join("types.rlib"), folder);
        let end = cpu() + children();
        least = [least[0].min(generated - start), least[1].min(end - generated)];
        found = Some((text, compiled));
    }
    let Some((text, compiled)) = found else { return };
    let lines = text.generated.lines().count();
    let (is_compiled, layouts) = match compiled.and_then(|()| probe(input, &text, folder)) {
        Ok(layouts) => ("yes".to_owned(), layouts),
        Err(error) => (format!("no: {error}"), Layouts::default()),
    };
    println!(
        "| {} | {} | {is_compiled} | {} of {} | {} of {} | {lines} | {} | {} |",
        input.name,
        generator.name,
        layouts.right[0],
        layouts.found[0],
        layouts.right[1],
        layouts.found[1],
        milliseconds(least[0]),
        milliseconds(least[1]),
    );
    layouts.wrong.iter().for_each(|wrong| eprintln!("{}: {}: {wrong}", input.name, generator.name));
}

/// Formats a time. Times of other processes have a resolution of 10 ms.
fn milliseconds(time: Duration) -> String {
    let milliseconds = time.as_secs_f64() * 1e3;
    if milliseconds < 10.0 { format!("{milliseconds:.1} ms") } else { format!("{milliseconds:.0} ms") }
}

fn inputs(folder: &Path) -> Result<Vec<Input>> {
    let kernel = btf_kernel::Kernel::running().btf()?;
    let mut header = String::new();
    Header::new().root("task_struct").root("sk_buff").write(&kernel, &mut header)?;
    header.push_str("struct task_struct *use_task_struct;\nstruct sk_buff *use_sk_buff;\n");
    let layouts = [
        "nested_bits",
        "packed_aligned",
        "packed_union",
        "holds_packed_union",
        "bits_union",
        "holds_bits_union",
        "packed_int128",
    ];
    [
        ("hard layouts", LAYOUTS, &layouts[..], false),
        ("task_struct, sk_buff", &header, &["task_struct", "sk_buff"], false),
        ("globals", GLOBALS, &[], true),
        ("keywords as names", KEYWORDS, &["ref", "match"], true),
    ]
    .into_iter()
    .zip(["layouts", "kernel", "globals", "keywords"])
    .map(|((name, source, roots, globals), file)| {
        let (source_path, object) = (folder.join(format!("{file}.c")), folder.join(format!("{file}.bpf.o")));
        fs::write(&source_path, source)?;
        run(Command::new("clang")
            .args(["-target", "bpf", "-g", "-O2", "-w", "-c", "-o"])
            .args([&object, &source_path]))?;
        let btf = BpfObject::open(&object)?.datasec_fixups().btf()?;
        Ok(Input { name, object, btf, roots: roots.iter().map(|&root| root.to_owned()).collect(), globals })
    })
    .collect()
}

fn ours(input: &Input, _: &Path) -> Result<Text> {
    let btf = BpfObject::open(&input.object)?.datasec_fixups().btf()?;
    let generated = Types::new().roots(input.roots.clone()).globals(input.globals).generate(&btf)?;
    Ok(Text { prelude: "", generated })
}

fn libbpf_cargo(input: &Input, _: &Path) -> Result<Text> {
    let skeleton = run(Command::new("cargo-libbpf").args(["libbpf", "gen", "--object"]).arg(&input.object))?;
    // The module ends at the closing brace with its indentation.
    let start = skeleton.find("    pub mod types {\n").ok_or("no types in the skeleton")?;
    let end = skeleton[start..].find("\n    }\n").ok_or("types without end")?;
    Ok(Text { prelude: "", generated: skeleton[start..start + end + 7].to_owned() })
}

fn aya_tool(input: &Input, folder: &Path) -> Result<Text> {
    if input.roots.is_empty() {
        return Err("no types of globals".into());
    }
    let header = run(Command::new("bpftool").args(["btf", "dump", "file"]).arg(&input.object).args(["format", "c"]))?;
    let path = folder.join("kernel_types.h");
    fs::write(&path, header)?;
    let mut bindgen = Command::new("bindgen");
    bindgen.arg(&path).args(["--default-enum-style", "moduleconsts", "--no-layout-tests", "--no-doc-comments"]);
    bindgen.args(["--no-prepend-enum-name", "--use-core", "--ctypes-prefix", "::aya_ebpf::cty"]);
    bindgen.arg("--clang-macro-fallback");
    // bindgen matches names that are keywords only with the `_` that it appends.
    bindgen.args(input.roots.iter().flat_map(|root| ["--allowlist-type".into(), format!("{root}_?")]));
    bindgen.args(["--", "-Wno-unknown-attributes"]);
    let prelude = "extern crate self as aya_ebpf;\npub mod cty { pub use core::ffi::*; }\n";
    Ok(Text { prelude, generated: format!("pub mod types {{\n{}}}\n", run(&mut bindgen)?) })
}

/// Returns the output of a program; fails with its first line with an error.
fn run(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("{name}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8(output.stdout)?);
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    let is_error = |line: &&str| line.to_lowercase().contains("error");
    Err(format!("{name}: {}", errors.lines().find(is_error).unwrap_or_default()).into())
}

impl Text {
    fn source(&self) -> String {
        format!("#![allow(warnings)]\n{}{}", self.prelude, self.generated)
    }
}

fn compile(source: &str, arguments: &[&str], out: &Path, folder: &Path) -> Result<()> {
    let path = folder.join("source.rs");
    fs::write(&path, source)?;
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    run(Command::new(rustc).args(["--edition", "2021"]).args(arguments).arg("-o").args([out, &path])).map(drop)
}

/// Numbers of sizes, and of offsets: found by rustc, and equal to those of the BTF.
#[derive(Default)]
struct Layouts {
    found: [usize; 2],
    right: [usize; 2],
    wrong: Vec<String>,
}

/// Compiles a program that prints the layout of all named types in the text.
fn probe(input: &Input, text: &Text, folder: &Path) -> Result<Layouts> {
    let fields = fields(&text.generated);
    let mut expected = Vec::new();
    let mut probes = String::new();
    let mut ask = |what: String, truth: u64, is_offset: usize| {
        let _ = writeln!(probes, "{what},");
        expected.push((what, truth, is_offset));
    };
    for ty in input.btf.types() {
        let (name, size, members) = match (Composite::of(ty), Datasec::of(ty)) {
            (Some(composite), _) => (composite.name().to_string(), composite.size(), members(composite)),
            (_, Some(section)) if input.globals => {
                let name = section.as_type().name().to_string();
                (name.trim_start_matches('.').replace('.', "_"), section.size(), variables(section))
            }
            _ => continue,
        };
        let Some((name, fields)) = written(&name).find_map(|name| fields.get_key_value(name.as_str())) else {
            continue;
        };
        ask(format!("size_of::<types::{name}>()"), size.into(), 0);
        for (member, offset) in members {
            if let Some(field) = written(&member).find(|name| fields.contains(&name.as_str())) {
                ask(format!("offset_of!(types::{name}, {field})"), offset, 1);
            }
        }
    }
    let source = format!(
        "{}\nuse std::mem::{{offset_of, size_of}};\nconst FOUND: [usize; {}] = [\n{probes}];\n\
         fn main() {{ FOUND.iter().for_each(|number| println!(\"{{number}}\")); }}\n",
        text.source(),
        expected.len()
    );
    let program = folder.join("probe");
    compile(&source, &[], &program, folder)?;
    let printed = run(&mut Command::new(&program))?;
    let mut layouts = Layouts::default();
    for ((what, truth, is_offset), found) in expected.into_iter().zip(printed.lines()) {
        layouts.found[is_offset] += 1;
        if found == truth.to_string() {
            layouts.right[is_offset] += 1;
        } else {
            layouts.wrong.push(format!("{what} is {found}, not {truth}"));
        }
    }
    Ok(layouts)
}

/// Returns the possible Rust spellings of a C name.
fn written(name: &str) -> impl Iterator<Item = String> {
    [name.to_owned(), format!("r#{name}"), format!("{name}_")].into_iter()
}

/// Returns the members that are not bitfields, with their offsets in bytes.
fn members(ty: Composite<'_>) -> Vec<(String, u64)> {
    let members = ty.members().filter(|member| member.bitfield_size().is_none());
    members.map(|member| (member.name().to_string(), u64::from(member.bit_offset()) / 8)).collect()
}

/// Returns the variables of a section, with their offsets in bytes.
fn variables(section: Datasec<'_>) -> Vec<(String, u64)> {
    let entries = section.entries().filter(|entry| matches!(entry.ty(), Type::Var(_)));
    entries.map(|entry| (entry.ty().name().to_string(), entry.offset().into())).collect()
}

/// Returns the public fields of all structs and unions in a text that has one field per
/// line.
fn fields(text: &str) -> BTreeMap<&str, Vec<&str>> {
    let mut all: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut current = None;
    for line in text.lines().map(str::trim) {
        let head = line.strip_prefix("pub struct ").or_else(|| line.strip_prefix("pub union "));
        if let Some(name) = head.and_then(|rest| rest.strip_suffix(" {")) {
            current = Some(name);
            all.insert(name, Vec::new());
        } else if line.starts_with('}') {
            current = None;
        } else if let (Some(name), Some(field)) = (current, line.strip_prefix("pub "))
            && let Some((field, _)) = field.split_once(": ")
        {
            all.entry(name).or_default().push(field);
        }
    }
    all
}
