//! libbpf as an oracle for CO-RE: each result and each patched instruction.

#![cfg(feature = "peers-c")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    unreachable_pub,
    unsafe_code,
    reason = "tests, and C libraries"
)]

mod generated;
#[path = "../src/relo_core.rs"]
mod relo_core;

use std::{collections::BTreeMap, fmt::Write, fs};

use btf_elf::{BpfObject, BtfFile};
use btf_format::{ByteOrder, RawBtf, convert_ext};
use btf_relocate::{Outcome, Relocated, Relocation, Relocator, Targets};
use btf_tests::fixtures::{self, CoreCase};
use btf_types::{Btf, BtfExt, Collection, CoreReloKind};
use relo_core::{Answer, Object, Relo};

/// BTF of a kernel, as this workspace and libbpf have it.
struct Kernel {
    name: String,
    targets: Targets,
    /// The kernel's, and then the modules'; dropped before their base.
    theirs: Vec<relo_core::Btf>,
}

impl Drop for Kernel {
    fn drop(&mut self) {
        while self.theirs.pop().is_some() {}
    }
}

impl Kernel {
    fn new(name: &str, btf: &Btf, modules: Option<&Collection>) -> Self {
        let bytes = |btf: &Btf| btf.to_bytes(btf.byte_order()).unwrap();
        let mut theirs = vec![relo_core::Btf::open(&bytes(btf), None).expect("libbpf opens it")];
        let mut targets = Targets::custom(btf);
        if let Some(modules) = modules {
            targets = Targets::kernel(btf).modules(modules);
            for object in modules.objects().skip(1) {
                let module = relo_core::Btf::open(&bytes(object.btf()), theirs.first()).expect("libbpf opens it");
                theirs.push(module);
            }
        }
        Self { name: name.to_owned(), targets, theirs }
    }

    fn of_case(case: &CoreCase) -> Self {
        let btf = Btf::parse(fixtures::read(&case.target)).unwrap();
        let mut modules = Collection::new("vmlinux", btf.clone());
        for module in &case.modules {
            modules.add(module.as_str(), Btf::parse_split(fixtures::read(module), &btf).unwrap()).unwrap();
        }
        Self::new(&case.target, &btf, (!case.modules.is_empty()).then_some(&modules))
    }
}

/// BTF and code of an object, as this workspace and libbpf have it.
struct Program {
    name: String,
    ext: BtfExt,
    theirs: relo_core::Btf,
    /// The relocations, each with the name of its section.
    relos: Vec<(String, Relo)>,
    /// The sections' code.
    code: BTreeMap<String, Vec<u8>>,
}

impl Program {
    fn new(name: &str, btf: &[u8], ext: &[u8], code: impl Fn(&str) -> Option<Vec<u8>>) -> Option<Self> {
        let ours = Btf::parse(btf.to_vec()).ok()?;
        let theirs = relo_core::Btf::open(btf, None)?;
        let mut native = ext.to_vec();
        convert_ext(&mut native, ByteOrder::NATIVE).unwrap();
        let ext = BtfExt::parse(ext.to_vec(), &ours).ok()?;
        let raw = RawBtf::parse(ours.as_bytes()).unwrap();
        let name_at = |offset| raw.strings().get(offset).unwrap().to_str().unwrap().to_owned();
        let relos: Vec<_> =
            relo_core::relos(&native).into_iter().map(|(section, relo)| (name_at(section), relo)).collect();
        let sections: BTreeMap<_, _> =
            relos.iter().map(|(section, _)| (section.clone(), code(section).unwrap_or_default())).collect();
        Some(Self { name: name.to_owned(), ext, theirs, relos, code: sections })
    }

    fn of_object(name: &str, bytes: Vec<u8>) -> Option<Self> {
        let section = |section: &str| {
            let object = btf_elf::Elf::parse(bytes.clone()).ok()?;
            Some(object.section(section)?.data().ok()?.to_vec())
        };
        Self::new(name, &section(".BTF")?, &section(".BTF.ext")?, section)
    }
}

/// Counts of what was compared.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Compared {
    relocations: usize,
    faults: usize,
    poisoned: usize,
    instructions: usize,
    refused: usize,
}

impl std::ops::AddAssign for Compared {
    fn add_assign(&mut self, other: Self) {
        self.relocations += other.relocations;
        self.faults += other.faults;
        self.poisoned += other.poisoned;
        self.instructions += other.instructions;
        self.refused += other.refused;
    }
}

/// Compares all results and all code of a program on a kernel.
fn compare(program: &Program, kernel: &Kernel) -> Compared {
    let relocated = Relocator::new(kernel.targets.clone()).relocate(&program.ext);
    let mut theirs = Object::new(&program.theirs, kernel.theirs.iter().collect());
    let mut compared = Compared::default();
    assert_eq!(relocated.iter().len(), program.relos.len());
    let mut answers = Vec::new();
    for (ours, (_, relo)) in relocated.iter().zip(&program.relos) {
        let answer = resolve(&mut theirs, program, ours.kind(), relo);
        compare_results(ours, &answer, &format!("{} on {}: {ours:?}", program.name, kernel.name));
        compared.relocations += 1;
        compared.faults += usize::from(answer.result.is_err());
        compared.poisoned += usize::from(answer.result.is_ok_and(|res| res.poison));
        answers.push(answer);
    }
    for (section, code) in &program.code {
        let of_section = program.relos.iter().zip(&answers).filter(|((name, _), _)| name == section);
        let relos: Vec<_> = of_section.map(|((_, relo), answer)| (relo, answer)).collect();
        let (patched, refused) = compare_code(program, &relocated, section, code, &relos);
        compared.instructions += patched;
        compared.refused += refused;
    }
    compared
}

/// libbpf's result.
fn resolve(theirs: &mut Object<'_>, program: &Program, kind: CoreReloKind, relo: &Relo) -> Answer {
    let is_native = program.ext.btf().byte_order() == ByteOrder::NATIVE;
    if kind == CoreReloKind::FieldLshiftU64 && !is_native {
        theirs.resolve_foreign_lshift(relo)
    } else {
        theirs.resolve(relo)
    }
}

fn compare_results(ours: Relocation<'_>, theirs: &Answer, place: &str) {
    match (ours.outcome(), &theirs.result) {
        (Outcome::Fault(fault), Err(errno)) => assert_eq!(fault.errno(), *errno, "{place}: {fault}"),
        (Outcome::Poison, Ok(res)) => {
            assert!(res.poison, "{place}: {res:?}");
            assert_eq!(ours.local_value(), res.orig_val, "{place}: {res:?}");
        }
        (Outcome::Value { local, target, .. }, Ok(res)) => {
            assert!(!res.poison, "{place}: {res:?}");
            assert_eq!((local, target), (res.orig_val, res.new_val), "{place}: {res:?}");
            assert_eq!(ours.target_type().map_or(0, btf_types::Type::id), res.new_type_id, "{place}: {res:?}");
        }
        (outcome, result) => panic!("{place}: {outcome:?}, libbpf {result:?}"),
    }
    if theirs.result.is_ok() {
        assert_eq!(ours.candidate_count(), theirs.candidates, "{place}");
    }
}

/// Patches the code of a section both ways; returns how many instructions
/// libbpf patched, and whether it refused one.
fn compare_code(
    program: &Program,
    relocated: &Relocated,
    section: &str,
    code: &[u8],
    relos: &[(&Relo, &Answer)],
) -> (usize, usize) {
    let place = format!("{}: {section}", program.name);
    let order = program.ext.btf().byte_order();
    let mut ours = code.to_vec();
    let result = relocated.apply(section, &mut ours);
    let mut theirs = code.to_vec();
    for (number, (relo, answer)) in relos.iter().enumerate() {
        let patched = match &answer.result {
            Ok(_) if relo.insn_off as usize + 8 > code.len() => Err(22),
            Ok(res) => relo_core::patch(&mut theirs, order, relo, res),
            Err(errno) => Err(*errno),
        };
        if let Err(errno) = patched {
            let error = result.as_ref().expect_err(&format!("{place}: libbpf refuses {relo:?} by {answer:?}"));
            assert_eq!((error.insn_offset(), error.reason().errno()), (relo.insn_off, errno), "{place}: {error}");
            assert_eq!(ours, code, "{place}: nothing is patched after an error");
            return (number, 1);
        }
    }
    if let Err(error) = &result {
        panic!("{place}: {error}, libbpf patches all");
    }
    assert!(ours == theirs, "{place}: the code differs");
    (relos.len(), 0)
}

fn kernels() -> Vec<Kernel> {
    let releases = [fixtures::UNSORTED, fixtures::SORTED, fixtures::BIG_ENDIAN];
    let mut kernels = Vec::new();
    for release in releases {
        let btf = |name: &str, base: Option<&Btf>| {
            let bytes = fixtures::read(&format!("kernels/{release}/{name}.btf"));
            base.map_or_else(|| Btf::parse(bytes.clone()), |base| Btf::parse_split(bytes.clone(), base)).unwrap()
        };
        let vmlinux = btf("vmlinux", None);
        let mut collection = Collection::new("vmlinux", vmlinux.clone());
        for module in ["veth", "vxlan", "openvswitch"] {
            collection.add(module, btf(module, Some(&vmlinux))).unwrap();
        }
        kernels.push(Kernel::new(release, &vmlinux, None));
        kernels.push(Kernel::new(&format!("{release} with modules"), &vmlinux, Some(&collection)));
    }
    for name in fixtures::files("golden/core").into_iter().filter(|name| name.ends_with(".btf")) {
        kernels.push(Kernel::new(&name, &Btf::parse(fixtures::read(&name)).unwrap(), None));
    }
    kernels
}

/// The golden tables, which all other tests compare with, are what libbpf says.
/// `BTF_GOLDEN=renew` writes them.
#[test]
fn golden_tables_are_those_of_libbpf() {
    let is_renewed = std::env::var_os("BTF_GOLDEN").is_some_and(|value| value == "renew");
    for case in fixtures::core_cases() {
        let kernel = Kernel::of_case(&case);
        let program = Program::of_object(&case.object, fixtures::read(&case.object)).unwrap();
        let table = table(&program, &kernel);
        if is_renewed {
            fs::write(fixtures::folder().join(&case.golden), table).unwrap();
        } else {
            assert_eq!(table, String::from_utf8(fixtures::read(&case.golden)).unwrap(), "{case:?}");
        }
    }
}

/// The columns of `btf relocs` as libbpf has them.
fn table(program: &Program, kernel: &Kernel) -> String {
    let relocated = Relocator::new(kernel.targets.clone()).relocate(&program.ext);
    let mut theirs = Object::new(&program.theirs, kernel.theirs.iter().collect());
    let mut table = String::new();
    for (ours, (section, relo)) in relocated.iter().zip(&program.relos) {
        let answer = resolve(&mut theirs, program, ours.kind(), relo);
        let (local, access) = (ours.local_type().name(), ours.access_string());
        write!(table, "{section}\t{}\t{}\t{local}\t{access}\t", relo.insn_off, ours.kind()).unwrap();
        match answer.result {
            Ok(res) => {
                let outcome = if res.poison { "poison" } else { "ok" };
                let (local, target, ty) = (res.orig_val, if res.poison { 0 } else { res.new_val }, res.new_type_id);
                writeln!(table, "{}\t{outcome}\t{local}\t{target}\t{ty}", answer.candidates).unwrap();
            }
            Err(errno) => writeln!(table, "{}\terror {errno}\t0\t0\t0", answer.candidates).unwrap(),
        }
    }
    table
}

#[test]
fn all_committed_objects_on_all_committed_kernels() {
    let names = ["bpf/clang-14", "bpf/clang-22"].iter().flat_map(|folder| fixtures::files(folder));
    let programs: Vec<Program> = names
        .filter(|name| name.ends_with(".o"))
        .filter_map(|name| Program::of_object(&name, fixtures::read(&name)))
        .filter(|program| !program.relos.is_empty())
        .collect();
    let mut compared = Compared::default();
    for kernel in kernels() {
        for program in &programs {
            compared += compare(program, &kernel);
        }
    }
    println!("{} objects: {compared:?}", programs.len());
    assert!(compared.relocations > 3000, "{compared:?}");
    assert!(compared.poisoned > 100 && compared.instructions > 1000, "{compared:?}");
}

#[test]
#[ignore = "needs what `cargo xtask fetch-fixtures` fetches"]
fn all_fetched_objects_on_all_fetched_kernels() {
    let mut kernels = kernels();
    let mut programs = Vec::new();
    for folder in fixtures::fetched() {
        for path in fixtures::below(&folder) {
            let name = path.display().to_string();
            if name.ends_with(".o") {
                let bytes = fs::read(&path).unwrap();
                programs.extend(BpfObject::parse(bytes.clone()).ok().and_then(|_| Program::of_object(&name, bytes)));
            } else if fixtures::file_name(&path).starts_with("vmlinu") {
                kernels.push(Kernel::new(&name, &BtfFile::open(&path).unwrap().btf().unwrap(), None));
            }
        }
    }
    let mut compared = Compared::default();
    for kernel in &kernels {
        for program in &programs {
            compared += compare(program, kernel);
        }
    }
    println!("{} objects on {} kernels: {compared:?}", programs.len(), kernels.len());
    assert!(compared.relocations > 1000);
}

/// A thousand small programs on a kernel of the same names each.
#[test]
fn generated_programs_on_generated_kernels() {
    use proptest::{strategy::ValueTree, test_runner::TestRunner};
    let mut runner = TestRunner::deterministic();
    let mut compared = Compared::default();
    let mut cases = 0;
    while cases < 8000 {
        let case = proptest::strategy::Strategy::new_tree(&generated::case(), &mut runner).unwrap().current();
        let (Ok(target), Some(kernel)) = (Btf::parse(case.target.clone()), relo_core::Btf::open(&case.target, None))
        else {
            continue;
        };
        if target.types().any(|ty| !generated::has_each_member_once(ty)) {
            continue;
        }
        let kernel = Kernel { name: "generated".into(), targets: Targets::custom(&target), theirs: vec![kernel] };
        // What the instructions should have is known once they are resolved.
        let Some(program) = Program::new(&format!("case {cases}: {case:?}"), &case.local, &case.ext, |_| None) else {
            continue;
        };
        let relocated = Relocator::new(kernel.targets.clone()).relocate(&program.ext);
        let code = case.code(relocated.iter().map(Relocation::local_value));
        let code: BTreeMap<_, _> = program.code.keys().map(|section| (section.clone(), code.clone())).collect();
        compared += compare(&Program { code, ..program }, &kernel);
        cases += 1;
    }
    println!("{cases} cases: {compared:?}");
    // Each way to end is there.
    assert!(compared.relocations - compared.faults - compared.poisoned > 2000, "{compared:?}");
    assert!(compared.faults > 500 && compared.poisoned > 500, "{compared:?}");
    assert!(compared.instructions > 1000 && compared.refused > 500, "{compared:?}");
}
