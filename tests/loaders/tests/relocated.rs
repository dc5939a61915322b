//! Programs of several types, relocated by btf-relocate, then loaded and run by
//! loaders that have nothing left to relocate.

#![cfg(any(feature = "aya", feature = "libbpf"))]
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

mod own;

use std::sync::Mutex;

use btf_loaders::programs::{self, Program, Row, Triggered};
use btf_relocate::{Outcome, Relocator, Targets};
use btf_types::{Btf, Enum, Struct, Type};
use rustix::process::{getpid, set_child_subreaper};

type Run = fn(&[u8], Program, &str) -> btf_loaders::Result<(Row, Triggered)>;

/// Returns the numbers 7 to 13 that a program must write, which do not depend on the
/// process.
fn constants(own: &Btf) -> [u64; 7] {
    let task = Type::from(own.find::<Struct<'_>>("task_struct").unwrap());
    let has = |member| u64::from(task.find_member(member).is_some());
    let (signal, comm) = (task.find_member("signal").unwrap(), task.find_member("comm").unwrap());
    let map_type: Enum<'_> = own.find("bpf_map_type").unwrap();
    let ringbuf = map_type.values().find(|value| value.name() == "BPF_MAP_TYPE_RINGBUF").unwrap();
    [
        has("__state") | has("state") << 1,
        task.size_of().unwrap(),
        task.id().into(),
        signal.1 / 8,
        comm.0.ty().size_of().unwrap(),
        ringbuf.value() as u64,
        // RINGBUF and task_struct exist, NO_SUCH and no_such_struct do not.
        0b101,
    ]
}

/// Lock held by each test, so that its program does not see the children of another.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn run(loader: &str, run: Run) {
    let _alone = ONE_AT_A_TIME.lock();
    let Some(own) = own::btf() else { return };
    let relocator = Relocator::new(Targets::kernel(&own));
    let object = relocator.relocate_object(programs::object()).unwrap();
    // The results depend on relocation, as it changes most numbers.
    let original = btf_elf::BpfObject::parse(programs::object()).unwrap();
    let relocated = relocator.relocate(original.btf_ext().unwrap().unwrap());
    let changes = |outcome| matches!(outcome, Outcome::Value { local, target, .. } if local != target);
    assert!(relocated.iter().filter(|relocation| changes(relocation.outcome())).count() > 50);

    // Sets a bitfield for the programs to read.
    set_child_subreaper(Some(getpid())).unwrap();
    let mut ran = Vec::new();
    for program in Program::ALL {
        // A program is skipped only if the kernel also rejects the one of its type
        // without relocations.
        if let Err(error) = run(&object, program, &program.plain()) {
            println!("{loader}: {program:?} skipped: the kernel refuses one without relocations, too: {error}");
            continue;
        }
        let (row, triggered) = run(&object, program, &program.relocated())
            .unwrap_or_else(|error| panic!("{loader}: {program:?}: {error:?}"));
        check(&format!("{loader}: {program:?}: {row:?}"), &own, program, &row, triggered);
        ran.push(program);
    }
    println!("{loader}: ran {ran:?}");
    assert!(ran.contains(&Program::RawTp) && ran.contains(&Program::TpBtf), "{ran:?}");
}

fn check(place: &str, own: &Btf, program: Program, row: &Row, triggered: Triggered) {
    assert!(row[0] > 0, "{place}: it did not run");
    assert_eq!(row[7..14], constants(own), "{place}");
    assert_eq!(row[14], triggered.direct, "{place}");
    assert_eq!(row[2], u64::from(triggered.process), "{place}: tgid");
    // The id of the thread group leader is that of the group.
    assert_eq!(row[4], row[2], "{place}: the leader's pid");
    // This process is a subreaper, and its child has one.
    if triggered.process == std::process::id() {
        assert_eq!(row[5], 1, "{place}: is_child_subreaper");
    } else {
        assert_eq!(row[5..7], [0, 1], "{place}: is_child_subreaper, has_child_subreaper");
    }
    if matches!(program, Program::RawTp | Program::TpBtf) {
        assert_eq!(row[1], row[2], "{place}: pid");
        assert_eq!(row[3].to_ne_bytes(), *b"true\0\0\0\0", "{place}: comm");
    }
}

#[cfg(feature = "aya")]
#[test]
fn aya_runs_what_was_relocated() {
    run("aya", btf_loaders::with_aya::run_program);
}

#[cfg(feature = "libbpf")]
#[test]
fn libbpf_runs_what_was_relocated() {
    run("libbpf", btf_loaders::with_libbpf::run_program);
}
