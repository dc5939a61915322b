//! The kernel: its BTF, and that of its modules.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    sync::OnceLock,
};

use btf_types::{Btf, Bytes};

use crate::{Error, map};

/// Where the kernel shows its BTF.
const FOLDER: &str = "/sys/kernel/btf";

/// A kernel, and what of its BTF was opened.
#[derive(Debug)]
pub struct Kernel {
    folder: PathBuf,
    vmlinux: OnceLock<(Btf, Source)>,
}

/// How a kernel's BTF was come by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Source {
    /// Its file in `/sys/kernel/btf` was mapped.
    Mapped,
    /// The file was read, as it could not be mapped.
    Read,
}

impl Kernel {
    /// The running kernel. Nothing is opened before it is asked for.
    #[must_use]
    pub fn running() -> Self {
        Self::in_folder(FOLDER)
    }

    fn in_folder(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), vmlinux: OnceLock::new() }
    }

    /// The kernel's own BTF: opened when first asked for, and kept.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] if the kernel has none; [`Error::Io`],
    /// [`Error::Btf`].
    pub fn btf(&self) -> Result<Btf, Error> {
        self.vmlinux().map(|(btf, _)| btf.clone())
    }

    /// How the kernel's own BTF was come by.
    ///
    /// # Errors
    ///
    /// Those of [`Kernel::btf`].
    pub fn source(&self) -> Result<Source, Error> {
        self.vmlinux().map(|&(_, source)| source)
    }

    /// Where the kernel's own BTF is.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.folder.join("vmlinux")
    }

    fn vmlinux(&self) -> Result<&(Btf, Source), Error> {
        if let Some(vmlinux) = self.vmlinux.get() {
            return Ok(vmlinux);
        }
        let path = self.path();
        let (bytes, source) = bytes_of(&path)?;
        let btf = Btf::parse(bytes).map_err(|source| Error::Btf { path, source })?;
        // Another thread may have been faster; then its is kept.
        Ok(self.vmlinux.get_or_init(|| (btf, source)))
    }

    /// The BTF of a loaded module, split from [`Kernel::btf`]. In a name, `-`
    /// and `_` are the same.
    ///
    /// # Errors
    ///
    /// Those of [`Kernel::btf`], of the module's file; [`Error::ModuleName`].
    pub fn module(&self, name: &str) -> Result<Btf, Error> {
        if name.is_empty() || name == "vmlinux" || name.contains(['/', '.']) {
            return Err(Error::ModuleName { name: name.into() });
        }
        let path = self.folder.join(name.replace('-', "_"));
        let (bytes, _) = bytes_of(&path)?;
        Btf::parse_split(bytes, &self.btf()?).map_err(|source| Error::Btf { path, source })
    }

    /// The names of the loaded modules that have BTF, in order.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] and [`Error::Io`], if they cannot be listed.
    pub fn modules(&self) -> Result<Vec<String>, Error> {
        let error = |source| io_error(&self.folder, source);
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.folder).map_err(error)? {
            names.extend(entry.map_err(error)?.file_name().into_string().ok().filter(|name| name != "vmlinux"));
        }
        names.sort();
        Ok(names)
    }
}

fn bytes_of(path: &Path) -> Result<(Bytes, Source), Error> {
    let error = |source| io_error(path, source);
    let mut file = File::open(path).map_err(error)?;
    let len = file.metadata().map_err(error)?.len();
    // Only the kernel's own files: any other could change while it is mapped.
    let mappable = usize::try_from(len).ok().filter(|_| path.starts_with(FOLDER));
    let mapping = mappable.and_then(|len| map::sysfs(&file, len).ok());
    if let Some(mapping) = mapping {
        return Ok((Bytes::from_owner(mapping), Source::Mapped));
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(error)?;
    Ok((bytes.into(), Source::Read))
}

fn io_error(path: &Path, source: io::Error) -> Error {
    let path = path.to_owned();
    if source.kind() == io::ErrorKind::NotFound { Error::NotFound { path } } else { Error::Io { path, source } }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// On a kernel without BTF there is nothing to be seen but the error.
    #[test]
    fn the_running_kernel() {
        let kernel = Kernel::running();
        match kernel.btf() {
            Ok(btf) => {
                assert!(btf.find_all::<btf_types::Struct<'_>>("task_struct").len() == 1);
                assert!(kernel.btf().unwrap().is_same(&btf), "opened once");
                let file = fs::read(kernel.path()).unwrap();
                assert_eq!(btf.as_bytes(), file);
                // Since 6.16 it is mapped; a fall-back would hide that it is not.
                let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
                let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|n| n.parse::<u32>().unwrap_or(0));
                let version = (numbers.next().unwrap(), numbers.next().unwrap());
                if version >= (6, 16) {
                    assert_eq!(kernel.source().unwrap(), Source::Mapped);
                }
                for module in kernel.modules().unwrap() {
                    assert!(kernel.module(&module).unwrap().base().unwrap().is_same(&btf), "{module}");
                }
            }
            Err(error) => {
                assert!(std::env::var_os("CI").is_none(), "in CI there is BTF: {error}");
                println!("skipped, this kernel has no BTF: {error}");
            }
        }
        assert!(matches!(kernel.module("no_such_module"), Err(Error::NotFound { .. })));
        for name in ["", "vmlinux", "../vmlinux", "a/b", "veth.ko"] {
            assert!(matches!(kernel.module(name), Err(Error::ModuleName { .. })), "{name}");
        }
    }

    #[test]
    fn a_kernel_without_btf_says_where_it_was_looked_for() {
        let kernel = Kernel::in_folder("/nonexistent/btf");
        let error = kernel.btf().unwrap_err().to_string();
        assert!(error.starts_with("/nonexistent/btf/vmlinux is not there: the kernel was built without"), "{error}");
        assert!(matches!(kernel.modules(), Err(Error::NotFound { .. })));
    }
}
