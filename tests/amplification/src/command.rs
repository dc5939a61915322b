//! The `btf` command, run as a separate process.

use std::{
    env, fs,
    io::{self, Read},
    path::Path,
    process::{Command, Stdio},
};

use btf_tests::shapes::{btf, elf, relocate, tar};

use crate::{
    case::{Cost, Entry, Input, Meter, cost},
    counted,
};

const SIZE: usize = 32 << 10;
/// Input size for output with all names, which may be large.
const TEXT_SIZE: usize = SIZE / 2;

// The start of the program counts too: parsing the arguments alone allocates 160 KB, which
// is much for a small input.
pub(crate) const ENTRIES: &[Entry] = &[
    Entry { name: "btf show", shapes: &[btf::ALONE], size: TEXT_SIZE, run: show, most: cost(32, 56, 28) },
    Entry { name: "btf show --expand", shapes: &[btf::ALONE], size: TEXT_SIZE, run: expand, most: cost(48, 56, 28) },
    Entry { name: "btf show PATH", shapes: &[btf::ALONE], size: SIZE, run: show_path, most: cost(56, 28, 16) },
    Entry { name: "btf show NAME (none)", shapes: &[btf::ALONE], size: SIZE, run: show_none, most: cost(20, 20, 10) },
    Entry { name: "btf dump", shapes: &[btf::ALONE, elf::OBJECTS], size: SIZE, run: dump, most: cost(8, 28, 20) },
    Entry {
        name: "btf dump --format json",
        shapes: &[btf::ALONE],
        size: TEXT_SIZE,
        run: dump_json,
        most: cost(12, 24, 12),
    },
    Entry { name: "btf dump --fixup", shapes: &[elf::OBJECTS], size: SIZE, run: dump_fixup, most: cost(16, 40, 20) },
    Entry { name: "btf find", shapes: &[btf::ALONE], size: SIZE, run: find, most: cost(40, 32, 16) },
    Entry {
        name: "btf find PATTERN (none)",
        shapes: &[btf::ALONE],
        size: SIZE,
        run: find_none,
        most: cost(20, 32, 16),
    },
    Entry { name: "btf find --json", shapes: &[btf::ALONE], size: SIZE, run: find_json, most: cost(20, 32, 16) },
    Entry { name: "btf info", shapes: &[btf::ALONE, elf::OBJECTS], size: SIZE, run: info, most: cost(28, 40, 20) },
    Entry {
        name: "btf info --json",
        shapes: &[btf::ALONE, elf::OBJECTS],
        size: SIZE,
        run: info_json,
        most: cost(28, 40, 16),
    },
    Entry {
        name: "btf dump --base",
        shapes: &[btf::STACKS],
        size: SIZE / 16,
        run: dump_base,
        most: cost(96, 320, 192),
    },
    Entry { name: "btf extract", shapes: &[btf::ALONE, elf::OBJECTS], size: SIZE, run: extract, most: cost(6, 28, 20) },
    Entry { name: "btf encode", shapes: &[btf::ALONE], size: SIZE, run: encode, most: cost(6, 16, 8) },
    Entry { name: "btf sort", shapes: &[btf::ALONE], size: SIZE, run: sort, most: cost(80, 28, 14) },
    Entry { name: "btf merge", shapes: &[btf::SPLITS], size: SIZE, run: merge, most: cost(14, 24, 10) },
    Entry { name: "btf distill", shapes: &[btf::SPLITS], size: SIZE, run: distill, most: cost(48, 48, 20) },
    Entry { name: "btf rebase", shapes: &[btf::REBASES], size: SIZE, run: rebase, most: cost(32, 48, 20) },
    Entry { name: "btf find --uses", shapes: &[btf::ALONE], size: TEXT_SIZE, run: find_uses, most: cost(192, 56, 28) },
    Entry {
        name: "btf find --contains",
        shapes: &[btf::ALONE],
        size: SIZE,
        run: find_contains,
        most: cost(40, 96, 20),
    },
    Entry {
        name: "btf show --json",
        shapes: &[btf::ALONE],
        size: TEXT_SIZE / 2,
        run: show_json,
        most: cost(28, 96, 56),
    },
    Entry { name: "btf relocs", shapes: &[relocate::RELOCATIONS], size: SIZE, run: relocs, most: cost(320, 96, 48) },
    Entry {
        name: "btf relocs --explain",
        shapes: &[relocate::RELOCATIONS],
        size: SIZE,
        run: explain,
        most: cost(6144, 80, 40),
    },
    Entry {
        name: "btf relocs --json",
        shapes: &[relocate::RELOCATIONS],
        size: SIZE,
        run: relocs_json,
        most: cost(1536, 20, 8),
    },
    Entry {
        name: "btf relocate",
        shapes: &[relocate::RELOCATIONS],
        size: SIZE,
        run: relocate_object,
        most: cost(512, 96, 40),
    },
    Entry {
        name: "btf dump --format c",
        shapes: &[btf::ALONE],
        size: TEXT_SIZE,
        run: dump_c,
        most: cost(2560, 80, 32),
    },
    Entry { name: "btf dedup", shapes: &[btf::ALONE], size: SIZE, run: dedup, most: cost(256, 48, 14) },
    Entry { name: "btf dedup --base", shapes: &[btf::SPLITS], size: SIZE, run: dedup_split, most: cost(112, 48, 16) },
    Entry { name: "btf verify", shapes: &[btf::ALONE], size: SIZE, run: verify, most: cost(20, 28, 16) },
    Entry { name: "btf min", shapes: &[relocate::RELOCATIONS], size: SIZE, run: min, most: cost(2048, 160, 80) },
    Entry { name: "btf archive ls", shapes: &[tar::TARS], size: 4 * SIZE, run: archive_ls, most: cost(24, 40, 14) },
    Entry {
        name: "btf archive select",
        shapes: &[tar::TARS],
        size: 4 * SIZE,
        run: archive_select,
        most: cost(8, 10, 4),
    },
];

/// Runs the command in a folder that contains the blobs of the input as `file0`,
/// `file1` and so on.
fn run(input: &Input, meter: &mut Meter, arguments: &[&str]) {
    let folder = tempfile::tempdir().expect("a folder can be made");
    for (index, bytes) in input.all().iter().enumerate() {
        fs::write(folder.path().join(format!("file{index}")), bytes).expect("it can be written");
    }
    let counted = folder.path().join("counted");
    let program = env::current_exe().expect("this has a path").with_file_name("btf");
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder.path()).env("BTF_COUNTED", &counted).stdin(Stdio::null());
    let errors = folder.path().join("errors");
    command.stderr(fs::File::create(&errors).expect("it can be made"));
    let mut child = command.stdout(Stdio::piped()).spawn().expect("the command is built");
    let mut output = child.stdout.take().expect("it is a pipe");
    let written = io::copy(&mut output.by_ref(), &mut io::sink()).expect("a pipe can be read");
    let status = child.wait().expect("it ends");
    let errors = fs::read(errors).expect("it was made");
    match status.code() {
        Some(0 | 1) => {}
        code => {
            // Exit with the same code, from which the parent process knows the reason.
            let known = code.filter(|&code| counted::reason(code).is_some());
            eprintln!("btf {}: {status} {}", arguments.join(" "), String::from_utf8_lossy(&errors));
            std::process::exit(known.unwrap_or(1));
        }
    }
    meter.read(arguments.iter().map(|argument| argument.len()).sum());
    meter.write(written as usize + errors.len());
    meter.elsewhere = Some(cost_in(&counted));
}

/// Reads the cost that the command wrote on exit.
fn cost_in(path: &Path) -> Cost {
    let bytes = fs::read(path).expect("the command counts");
    let word = |at: usize| u64::from_ne_bytes(bytes[at..at + 8].try_into().expect("three words"));
    Cost { steps: word(0), allocated: word(8), peak: word(16) }
}

/// Returns the last type, which is the expensive one of most shapes.
fn last(input: &Input) -> String {
    let btf = btf_types::Btf::parse(input.one().to_vec()).expect("shapes are sound");
    format!("#{}", btf.type_count() - 1)
}

fn show(input: &Input, meter: &mut Meter) {
    run(input, meter, &["show", "#1", "#2", "#3", &last(input), "./file0"]);
}

fn expand(input: &Input, meter: &mut Meter) {
    run(input, meter, &["show", "--expand", "#1", "#2", "#3", &last(input), "./file0"]);
}

fn show_path(input: &Input, meter: &mut Meter) {
    let path = format!("s{}", ".n".repeat((input.one().len() / 16).min(50_000)));
    run(input, meter, &["show", &path, "./file0"]);
}

fn show_none(input: &Input, meter: &mut Meter) {
    let name = "n".repeat((input.one().len() / 2 - 1).min(100_000));
    run(input, meter, &["show", &name, "./file0"]);
}

fn dump(input: &Input, meter: &mut Meter) {
    run(input, meter, &["dump", "./file0"]);
}

fn dump_json(input: &Input, meter: &mut Meter) {
    run(input, meter, &["dump", "--format", "json", "./file0"]);
}

fn dump_fixup(input: &Input, meter: &mut Meter) {
    run(input, meter, &["dump", "--fixup", "./file0"]);
}

fn find(input: &Input, meter: &mut Meter) {
    run(input, meter, &["find", "*", "./file0"]);
}

/// Searches for a pattern that many names match at the start, and none as a whole.
fn find_none(input: &Input, meter: &mut Meter) {
    run(input, meter, &["find", "*a*n*x", "./file0"]);
}

fn find_json(input: &Input, meter: &mut Meter) {
    run(input, meter, &["find", "--json", "*", "./file0"]);
}

fn info(input: &Input, meter: &mut Meter) {
    run(input, meter, &["info", "./file0"]);
}

fn info_json(input: &Input, meter: &mut Meter) {
    run(input, meter, &["info", "--json", "./file0"]);
}

fn dump_base(input: &Input, meter: &mut Meter) {
    let names: Vec<String> = (0..input.all().len()).map(|index| format!("./file{index}")).collect();
    let Some((file, bases)) = names.split_last() else { return };
    let bases = bases.iter().flat_map(|base| ["--base", base.as_str()]);
    let arguments: Vec<&str> = ["dump"].into_iter().chain(bases).chain([file.as_str()]).collect();
    run(input, meter, &arguments);
}

fn dump_c(input: &Input, meter: &mut Meter) {
    run(input, meter, &["dump", "--format", "c", "./file0"]);
}

fn dedup(input: &Input, meter: &mut Meter) {
    run(input, meter, &["dedup", "./file0", "-"]);
}

fn dedup_split(input: &Input, meter: &mut Meter) {
    run(input, meter, &["dedup", "./file1", "-", "--base", "./file0"]);
}

fn verify(input: &Input, meter: &mut Meter) {
    run(input, meter, &["verify", "--kernel", "6.18", "./file0"]);
}

fn min(input: &Input, meter: &mut Meter) {
    run(input, meter, &["min", "./file1", "-", "./file0"]);
}

fn archive_ls(input: &Input, meter: &mut Meter) {
    run(input, meter, &["archive", "ls", "./file0"]);
}

fn archive_select(input: &Input, meter: &mut Meter) {
    let which = ["--distro", "debian", "--distro-version", "10", "--machine", "x86_64", "--release", "4.19.0-1"];
    run(input, meter, &[&["archive", "select"], which.as_slice(), &["--out", "out.btf", "./file0"]].concat());
}

fn extract(input: &Input, meter: &mut Meter) {
    run(input, meter, &["extract", "./file0", "-"]);
}

fn encode(input: &Input, meter: &mut Meter) {
    run(input, meter, &["encode", "--byte-order", "be", "./file0", "-"]);
}

fn sort(input: &Input, meter: &mut Meter) {
    run(input, meter, &["sort", "./file0", "-"]);
}

fn merge(input: &Input, meter: &mut Meter) {
    run(input, meter, &["merge", "-", "./file0", "./file1", "--base", "./file0"]);
}

fn distill(input: &Input, meter: &mut Meter) {
    run(input, meter, &["distill", "./file1", "--base", "./file0", "split", "base"]);
}

fn rebase(input: &Input, meter: &mut Meter) {
    run(input, meter, &["rebase", "./file1", "--distilled-base", "./file0", "--base", "./file2", "-"]);
}

fn find_uses(input: &Input, meter: &mut Meter) {
    run(input, meter, &["find", "--uses", "*", "./file0"]);
}

fn find_contains(input: &Input, meter: &mut Meter) {
    run(input, meter, &["find", "--contains", "*", "./file0"]);
}

fn show_json(input: &Input, meter: &mut Meter) {
    run(input, meter, &["show", "--json", "#1", "#2", "#3", &last(input), "./file0"]);
}

fn relocs(input: &Input, meter: &mut Meter) {
    run(input, meter, &["relocs", "./file0", "--target", "./file1"]);
}

fn explain(input: &Input, meter: &mut Meter) {
    run(input, meter, &["relocs", "--explain", "./file0", "--target", "./file1"]);
}

fn relocs_json(input: &Input, meter: &mut Meter) {
    run(input, meter, &["relocs", "--json", "./file0", "--target", "./file1"]);
}

fn relocate_object(input: &Input, meter: &mut Meter) {
    run(input, meter, &["relocate", "./file0", "--target", "./file1", "-"]);
}
