//! Error messages of the crates, extended by the option that would help. Places
//! searched for a kernel's BTF are printed one per line.

use std::{error, fmt, path::Path};

use btf_kernel::{Attempt, Error, Kernel};
use btf_types::format::Escaped;

use crate::similar::Similar;

/// Error as printed by the command.
pub(crate) struct KernelError<'e> {
    error: &'e Error,
    hint: &'e str,
}

impl<'e> KernelError<'e> {
    pub(crate) fn new(error: &'e Error) -> Self {
        Self { error, hint: "" }
    }

    /// Adds a hint for a module that does not exist.
    pub(crate) fn with_hint(self, hint: &'e str) -> Self {
        Self { hint, ..self }
    }
}

impl fmt::Display for KernelError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.error {
            Error::NoRelease { root, .. } if !root.is_dir() => write!(f, "{}: no such directory", shown(root)),
            error @ Error::NoRelease { .. } => write!(f, "{error} with --release"),
            error @ Error::NoMachine { .. } => write!(f, "{error} with --machine"),
            Error::NoKernelBtf { release, tried, .. } => {
                write!(f, "no BTF for kernel {}; name a file to look at", Escaped::new(release))?;
                write_tried(f, tried)
            }
            Error::NoModuleBtf { name, tried, .. } => {
                write!(f, "no BTF for module {}{}", Escaped::new(name), Escaped::new(self.hint))?;
                write_tried(f, tried)
            }
            error => error.fmt(f),
        }
    }
}

/// Returns the message of an error with the option that would help, without
/// its causes.
pub(crate) fn with_options(error: &(dyn error::Error + 'static)) -> String {
    if let Some(error) = error.downcast_ref() {
        return KernelError::new(error).to_string();
    }
    let option = match error.downcast_ref() {
        Some(btf_archive::Error::UnknownEnding { .. }) => " with --compress",
        Some(btf_archive::Error::NoCache) => " with --cache",
        Some(btf_archive::Error::Everything) => " with --all",
        _ => "",
    };
    format!("{error}{option}")
}

fn write_tried(f: &mut fmt::Formatter<'_>, tried: &[Attempt]) -> fmt::Result {
    let (missing, others): (Vec<_>, Vec<_>) = tried.iter().partition(|attempt| attempt.is_missing());
    others.into_iter().try_for_each(|attempt| write!(f, "\n  {}", attempt.error()))?;
    missing.into_iter().try_for_each(|attempt| write!(f, "\n  not found: {}", shown(attempt.path())))
}

fn shown(path: &Path) -> Escaped<'_> {
    Escaped::new(path.as_os_str().as_encoded_bytes())
}

/// Returns a hint that lists modules with similar names.
pub(crate) fn similar_modules(kernel: &Kernel, name: &str) -> String {
    let Ok(names) = kernel.module_names() else { return String::new() };
    if names.is_empty() {
        return "; the kernel has no modules".into();
    }
    let mut similar = Similar::to(name);
    names.iter().filter(|other| *other != name).for_each(|other| similar.add(other.as_str().into()));
    similar.hint()
}
