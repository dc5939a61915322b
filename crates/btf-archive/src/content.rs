//! A kernel's file of an archive: its BTF, packed or not, alone or with that of
//! its modules.

use std::collections::HashSet;

use btf_elf::Compression;
use btf_types::Bytes;

use crate::{
    Error, Limits,
    detect::{is_btf, is_tar},
    entry::release_of,
    members::{self, Member, Scope, Step},
};

/// The BTF of a kernel, and where there is any, of its modules.
#[derive(Debug, Clone)]
pub(crate) struct Content {
    pub(crate) vmlinux: Bytes,
    /// Sorted by name.
    pub(crate) modules: Vec<(String, Bytes)>,
    /// Neither compressed nor in a tar of its own.
    pub(crate) is_plain: bool,
}

/// The path of the tar with the BTF of a kernel's modules, which a bundle has beside
/// the kernel's own file: that one is plain BTF, for whatever reads it.
pub(crate) fn modules_path(member: &str) -> Option<String> {
    let (folder, file) = member.split_at(member.rfind('/').map_or(0, |at| at + 1));
    Some(format!("{folder}{}.btf.modules.tar", release_of(file)?))
}

impl Content {
    /// Takes off what is around: what it is compressed with, and a tar with one
    /// file or, of kernels with modules, `vmlinux` and one file a module.
    pub(crate) fn unpack(member: &str, bytes: Bytes, scope: Scope<'_>) -> Result<Self, Error> {
        let is_plain = is_btf(&bytes);
        let bytes = decoded(member, bytes, scope)?;
        if is_btf(&bytes) {
            return Ok(Self { vmlinux: bytes, modules: Vec::new(), is_plain });
        }
        let fault = |reason| Error::NoBtf { member: member.into(), reason };
        if !is_tar(&bytes) {
            return Err(fault("neither BTF nor a tar of it, packed or not"));
        }
        let mut files = btf_files(member, &bytes, scope)?;
        let kernel = match files.iter().position(|(path, _)| path == "vmlinux") {
            Some(index) => index,
            None if files.len() == 1 => 0,
            // Named like the file that it is in.
            None => {
                let release = member.rsplit('/').next().and_then(release_of);
                let is_it = |(path, _): &(String, Bytes)| release_of(path) == release && release.is_some();
                let found = files.iter().position(is_it);
                found.ok_or_else(|| fault("a tar without a file of BTF, or with several"))?
            }
        };
        let (_, vmlinux) = files.swap_remove(kernel);
        Ok(Self { vmlinux, modules: named(files), is_plain })
    }

    /// Adds modules that are beside the kernel's file, see [`modules_path`]; not if
    /// there are some in it.
    pub(crate) fn add_modules(&mut self, member: &str, bytes: Bytes, scope: Scope<'_>) -> Result<(), Error> {
        if self.modules.is_empty() {
            let tar = decoded(member, bytes, scope)?;
            self.modules = named(btf_files(member, &tar, scope)?);
        }
        Ok(())
    }
}

/// Modules by their names, from their files.
fn named(files: Vec<(String, Bytes)>) -> Vec<(String, Bytes)> {
    let name = |path: String| path.strip_suffix(".btf").map_or(path.clone(), Into::into);
    let mut modules: Vec<_> = files.into_iter().map(|(path, contents)| (name(path), contents)).collect();
    modules.sort_by(|(one, _), (other, _)| one.cmp(other));
    modules
}

/// The files of BTF in a tar that has no links, and none twice.
fn btf_files(member: &str, tar: &Bytes, scope: Scope<'_>) -> Result<Vec<(String, Bytes)>, Error> {
    let limits = Limits { bytes: scope.limits.member, ..*scope.limits };
    let inner = Scope { name: member, limits: &limits, ..scope };
    let refused = |path: &str, reason| Error::Refused { member: format!("{member}: {path}"), reason };
    let mut seen = HashSet::new();
    let mut files = Vec::new();
    members::each(&tar[..], inner, |inside| {
        match inside {
            Member::File { path, data, .. } => {
                if !seen.insert(path.to_owned()) {
                    return Err(refused(path, "there twice"));
                }
                let mut contents = Vec::new();
                data.read_to_end(&mut contents).map_err(|error| inner.unreadable(error))?;
                if is_btf(&contents) {
                    files.push((path.to_owned(), contents.into()));
                }
            }
            Member::Link { path, .. } => return Err(refused(path, "a link")),
            Member::Folder => {}
        }
        Ok(Step::On)
    })?;
    Ok(files)
}

/// Decoded, if it is compressed: once, and what is inside is not again.
fn decoded(member: &str, bytes: Bytes, scope: Scope<'_>) -> Result<Bytes, Error> {
    let Some(compression) = Compression::detect(&bytes) else { return Ok(bytes) };
    let left = scope.budget.left();
    let within = btf_elf::Limits::BTF.output(scope.limits.member.min(left));
    let decoded = compression.decode(&bytes, &within).map_err(|reason| match reason {
        btf_elf::Error::OutputLimit { .. } if left < scope.limits.member => scope.budget.exhausted(),
        reason => Error::Decode { member: member.into(), reason },
    })?;
    scope.budget.spend(decoded.len() as u64)?;
    Ok(decoded.into())
}
