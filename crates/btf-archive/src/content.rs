//! Contents of a kernel's file in an archive: its BTF, compressed or not, alone
//! or with that of its modules.

use std::collections::HashSet;

use btf_elf::Compression;
use btf_types::Bytes;

use crate::{
    Error, Limits,
    detect::{is_btf, is_tar},
    entry::release_of,
    members::{self, Member, Scope, Step},
};

/// BTF of a kernel, with that of its modules if there is any.
#[derive(Debug, Clone)]
pub(crate) struct Content {
    pub(crate) vmlinux: Bytes,
    /// Sorted by name.
    pub(crate) modules: Vec<(String, Bytes)>,
    /// True if the file is neither compressed nor a tar.
    pub(crate) is_plain: bool,
}

/// Returns the path of the tar with the BTF of a kernel's modules, beside the
/// kernel's own file. The latter is plain BTF, as other readers expect.
pub(crate) fn modules_path(member: &str) -> Option<String> {
    let (folder, file) = member.split_at(member.rfind('/').map_or(0, |at| at + 1));
    Some(format!("{folder}{}.btf.modules.tar", release_of(file)?))
}

impl Content {
    /// Unpacks a file: decompresses it, and extracts the only file of a tar, or
    /// `vmlinux` and one file per module.
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
            // The file with the same release in its name as the tar.
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

    /// Adds modules from the tar beside the kernel's file ([`modules_path`]),
    /// unless it already has some.
    pub(crate) fn add_modules(&mut self, member: &str, bytes: Bytes, scope: Scope<'_>) -> Result<(), Error> {
        if self.modules.is_empty() {
            let tar = decoded(member, bytes, scope)?;
            self.modules = named(btf_files(member, &tar, scope)?);
        }
        Ok(())
    }
}

/// Names modules after their files.
fn named(files: Vec<(String, Bytes)>) -> Vec<(String, Bytes)> {
    let name = |path: String| path.strip_suffix(".btf").map_or(path.clone(), Into::into);
    let mut modules: Vec<_> = files.into_iter().map(|(path, contents)| (name(path), contents)).collect();
    modules.sort_by(|(one, _), (other, _)| one.cmp(other));
    modules
}

/// Returns the BTF files of a tar, which must have no links and no duplicates.
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

/// Decompresses a file, if it is compressed. Nested compression is not
/// supported.
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
