//! Bundles embedded into programs by build scripts.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

use btf_elf::BpfObject;
use btf_relocate::{Trim, TrimError};
use btf_types::format::Escaped;

use crate::{Archive, Error, Pack, Packed};

impl Pack<'_> {
    /// Writes a bundle for a program to embed, with the types that its BPF
    /// objects need, for all matching kernels of an archive. Call it in a build
    /// script: the file is written to Cargo's `OUT_DIR`, compressed by its name
    /// ([`Pack::compression_of`]), and renewed when the objects or the archive
    /// change. Kernels that are left out are warnings of the build.
    ///
    /// ```no_run
    /// // build.rs
    /// use btf_archive::Pack;
    ///
    /// fn main() -> Result<(), btf_archive::Error> {
    ///     Pack::new().embed(["src/prog.bpf.o"], "btfhub-archive", "min_core_btfs.tar.gz")?;
    ///     Ok(())
    /// }
    /// ```
    ///
    /// ```no_run
    /// // main.rs
    /// # fn main() -> Result<(), btf_archive::Error> {
    /// use btf_archive::{Archive, kernel::Kernel};
    ///
    /// static BUNDLE: &[u8] = b""; // include_bytes!(concat!(env!("OUT_DIR"), "/min_core_btfs.tar.gz"))
    /// // The kernel's own BTF, or the bundle's:
    /// let btf = Archive::parse(BUNDLE)?.choose(&Kernel::running())?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NoOutDir`] if Cargo does not run this; [`Error::Io`];
    /// [`Error::Program`] if an object is damaged; [`Error::UnknownEnding`];
    /// those of [`Archive::open`] and [`Pack::write`].
    pub fn embed(
        mut self,
        programs: impl IntoIterator<Item = impl AsRef<Path>>,
        archive: impl AsRef<Path>,
        name: &str,
    ) -> Result<Packed, Error> {
        let out = PathBuf::from(env::var_os("OUT_DIR").ok_or(Error::NoOutDir)?).join(name);
        let mut trim = Trim::new();
        for program in programs {
            println!("cargo::rerun-if-changed={}", program.as_ref().display());
            trim = with_program(trim, program.as_ref())?;
        }
        println!("cargo::rerun-if-changed={}", archive.as_ref().display());
        if let Some(compression) = Self::compression_of(&out)? {
            self = self.compression(compression);
        }
        let packed = self.trim(&trim).write_file(&Archive::open(archive)?, out)?;
        for left_out in &packed.left_out {
            println!("cargo::warning=left out of {name}: {left_out}");
        }
        for path in &packed.without_types {
            println!("cargo::warning={name}: the programs need no type of {}", Escaped::new(path));
        }
        Ok(packed)
    }
}

/// Adds the types that the programs of an object file need.
fn with_program(trim: Trim, path: &Path) -> Result<Trim, Error> {
    let read_error = |reason: io::Error| Error::Io { operation: "read", path: path.into(), reason };
    let bytes = fs::read(path).map_err(read_error)?;
    let object = BpfObject::parse(bytes).map_err(TrimError::from);
    let trim = object.and_then(|object| trim.object(&object));
    trim.map_err(|reason| Error::Program { path: path.into(), reason: reason.into() })
}
