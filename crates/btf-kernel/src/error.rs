//! Why there is no BTF to be had.

use std::{io, path::PathBuf};

/// Why the BTF of a kernel or module could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The kernel shows no such BTF.
    #[error("{} is not there: {}", .path.display(), reason(.path))]
    NotFound {
        /// The file that was looked for.
        path: PathBuf,
    },
    /// The file is there and could not be read.
    #[error("{}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// What is in the file could not be opened.
    #[error("{}", .path.display())]
    Btf {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: btf_types::Error,
    },
    /// A name that no module has.
    #[error("{name:?} is no name of a module")]
    ModuleName {
        /// The name.
        name: String,
    },
}

fn reason(path: &std::path::Path) -> &'static str {
    if path.ends_with("vmlinux") {
        "the kernel was built without CONFIG_DEBUG_INFO_BTF, or /sys is not mounted"
    } else {
        "no such module is loaded, or it was built without BTF"
    }
}
