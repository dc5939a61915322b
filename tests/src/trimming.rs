//! Checks of BTF trimmed for programs, for tests and fuzzing.

use btf_relocate::{Outcome, Relocation, Relocator, Targets, Trim};
use btf_types::{Btf, BtfExt, Collection, CoreReloKind, Type};

use crate::{
    described::{Description, Program},
    fuzz::{base, bounded, halves, len_of},
};

/// Trims a kernel and its modules for programs, and checks that every relocation
/// has the same result on the trimmed BTF.
///
/// Returns `None` if trimming fails: a relocation cannot be resolved, or the trimmed BTF
/// cannot be built.
///
/// # Panics
///
/// If a result differs, or trimming fails for another reason.
#[must_use]
pub fn check(programs: &[&BtfExt], kernel: &Collection) -> Option<Collection> {
    let of_programs: usize = programs.iter().map(|ext| ext.as_bytes().len() + len_of(ext.btf())).sum();
    let of_kernel: usize = kernel.objects().map(|object| object.btf().as_bytes().len()).sum();
    let trimmed = bounded("trim_modules", of_programs + of_kernel, || {
        let trim = programs.iter().try_fold(Trim::new(), |trim, ext| trim.ext(ext));
        trim.and_then(|trim| trim.trim_modules(kernel))
    });
    let whole = Relocator::new(Targets::kernel(kernel.base()).modules(kernel));
    let trimmed = match trimmed {
        Ok(trimmed) => trimmed,
        Err(error) => {
            let relocated = programs.iter().map(|ext| whole.relocate(ext));
            let has_fault = relocated.into_iter().any(|all| {
                let mut outcomes = all.iter().map(Relocation::outcome);
                outcomes.any(|outcome| matches!(outcome, Outcome::Fault(_)))
            });
            let is_unknown = matches!(error, btf_relocate::TrimError::Build(_));
            assert!(has_fault || is_unknown, "refused, but all relocations have results: {error}");
            return None;
        }
    };
    let relocator = Relocator::new(Targets::kernel(trimmed.base()).modules(&trimmed));
    for ext in programs {
        let (before, after) = (whole.relocate(ext), relocator.relocate(ext));
        assert_eq!(before.iter().len(), after.iter().len());
        for (before, after) in before.iter().zip(&after) {
            assert_eq!(result(before), result(after), "{}\n{}", before.explain(), after.explain());
        }
    }
    Some(trimmed)
}

/// Returns a kernel without modules.
#[must_use]
pub fn alone(kernel: &Btf) -> Collection {
    Collection::new("vmlinux", kernel.clone())
}

/// Returns the result of a relocation, without ids of the kernel's types.
fn result(relocation: Relocation<'_>) -> String {
    let (local, target) = (relocation.local_value(), relocation.target_value());
    let is_id = relocation.kind() == CoreReloKind::TypeIdTarget;
    let target = if is_id { u64::from(target != 0) } else { target };
    let name = relocation.target_type().map(|ty: Type<'_>| format!("{:?} {}", ty.kind(), ty.name()));
    match relocation.outcome() {
        Outcome::Value { .. } => format!("{local} {target} {name:?}"),
        outcome => format!("{outcome:?}"),
    }
}

/// Fuzz target: trims for the program and kernel that a description makes, or for the
/// parts of a [`crate::relocating::triple`].
pub fn trim(input: &[u8]) {
    let Program { local, ext, target, code } = Description::new(input).program();
    let len = local.len() + ext.len() + target.len() + code.len();
    trim_parts(len, &local, &ext, &target);
    if let Some((local, rest)) = halves(input)
        && let Some((ext, target)) = halves(rest)
    {
        trim_parts(input.len(), local, ext, target);
    }
}

fn trim_parts(len: usize, local: &[u8], ext: &[u8], target: &[u8]) {
    let Ok(local) = Btf::parse(local.to_vec()) else { return };
    let Ok(ext) = BtfExt::parse(ext.to_vec(), &local) else { return };
    if let Ok(target) = Btf::parse(target.to_vec()) {
        let trim = |ext| Trim::new().ext(ext)?.keep("type").trim(&target);
        bounded("trim", len, || _ = trim(&ext));
        let _ = check(&[&ext, &ext], &alone(&target));
    }
    if let Ok(module) = Btf::parse_split(target.to_vec(), base()) {
        let mut kernel = alone(base());
        kernel.add("module", module).expect("it is split from that base");
        let _ = check(&[&ext], &kernel);
    }
}
