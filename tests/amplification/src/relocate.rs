//! btf-relocate: the relocations of a BPF object.

use btf_elf::BpfObject;
use btf_relocate::{Relocated, Relocator, Targets, Trim};
use btf_tests::shapes::relocate;
use btf_types::{Btf, Collection};

use crate::case::{Cost, Entry, Input, Meter, cost};

const SIZE: usize = 32 << 10;

/// Returns an entry point that is given an object and a kernel.
const fn program(name: &'static str, run: fn(&Input, &mut Meter), most: Cost) -> Entry {
    Entry { name, shapes: &[relocate::RELOCATIONS, relocate::WITH_MODULES], size: SIZE, run, most }
}

pub(crate) const ENTRIES: &[Entry] = &[
    program("Relocator::relocate", |input, _| drop(relocated(input)), cost(1792, 140, 40)),
    program("Relocated::iter, section", iter, cost(5, 1, 1)),
    program("Relocation::explain", explain, cost(4096, 48, 28)),
    program("Relocated::apply", apply, cost(1792, 140, 40)),
    program("Relocator::relocate_object", whole, cost(1792, 140, 40)),
    program("Trim::trim", trim, cost(3584, 96, 56)),
    program("Trim::trim_modules", trim_modules, cost(3584, 96, 56)),
];

fn object(input: &Input) -> BpfObject {
    BpfObject::parse(input.all()[0].clone()).expect("shapes are sound")
}

fn relocator(input: &Input) -> Relocator {
    let (kernel, modules) = kernel(input);
    Relocator::new(Targets::kernel(&kernel).modules(&modules))
}

/// Returns a kernel alone, and with its modules.
fn kernel(input: &Input) -> (Btf, Collection) {
    let [_, kernel, modules @ ..] = input.all() else { panic!("an object and a kernel") };
    let kernel = Btf::parse(kernel.clone()).expect("shapes are sound");
    let mut collection = Collection::new("vmlinux", kernel.clone());
    for (at, module) in modules.iter().enumerate() {
        let module = Btf::parse_split(module.clone(), &kernel).expect("shapes are sound");
        collection.add(at.to_string(), module).expect("it is of that base");
    }
    (kernel, collection)
}

fn relocated(input: &Input) -> Relocated {
    let object = object(input);
    relocator(input).relocate(object.btf_ext().expect("shapes are sound").expect("there is one"))
}

fn iter(input: &Input, meter: &mut Meter) {
    let object = object(input);
    let relocated = relocator(input).relocate(object.btf_ext().expect("shapes are sound").expect("there is one"));
    for relocation in &relocated {
        meter.show(format_args!("{relocation:?} {} {}", relocation.path(), relocation.program()));
    }
    let of_programs = object.programs().map(|program| relocated.section(program.name()).count());
    meter.write(of_programs.sum::<usize>() * 8);
}

fn explain(input: &Input, meter: &mut Meter) {
    for relocation in &relocated(input) {
        let text = relocation.explain();
        std::fmt::Write::write_fmt(meter, format_args!("{text}")).expect("a meter takes all");
    }
}

fn apply(input: &Input, meter: &mut Meter) {
    let object = object(input);
    let relocated = relocator(input).relocate(object.btf_ext().expect("shapes are sound").expect("there is one"));
    // Once per name, like a loader.
    let mut last = None;
    for program in object.programs() {
        if last.replace(program.name()) == Some(program.name()) {
            continue;
        }
        let mut code = program.section().data().expect("shapes are sound").to_vec();
        if let Err(error) = relocated.apply(program.name(), &mut code) {
            meter.show(error);
        }
    }
}

fn whole(input: &Input, meter: &mut Meter) {
    let relocator = relocator(input);
    match relocator.relocate_object(input.all()[0].clone()) {
        Ok(object) => meter.write(object.len()),
        Err(error) => meter.show(error),
    }
}

fn trim(input: &Input, meter: &mut Meter) {
    match Trim::new().object(&object(input)).and_then(|trim| trim.trim(&kernel(input).0)) {
        Ok(_) => {}
        Err(error) => meter.show(error),
    }
}

fn trim_modules(input: &Input, meter: &mut Meter) {
    match Trim::new().object(&object(input)).and_then(|trim| trim.keep("s").trim_modules(&kernel(input).1)) {
        Ok(_) => {}
        Err(error) => meter.show(error),
    }
}
