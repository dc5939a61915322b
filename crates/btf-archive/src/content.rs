//! What is in a kernel's file of an archive: its BTF, packed or not, alone or
//! with that of its modules.

use btf_elf::Compression;
use btf_types::{ByteOrder, Bytes};

use crate::{
    Error, Limits,
    entry::release_of,
    members::{self, Member, Step},
};

/// The BTF of a kernel, and where there is any, of its modules.
#[derive(Debug, Clone)]
pub(crate) struct Content {
    pub(crate) vmlinux: Bytes,
    pub(crate) modules: Vec<(String, Bytes)>,
    /// Whether there was nothing to take off.
    pub(crate) is_plain: bool,
}

impl Content {
    /// Takes off what is around: what it is compressed with, and a tar with one
    /// file or, of kernels with modules, `vmlinux` and one file a module.
    pub(crate) fn unpack(member: &str, bytes: Bytes, limits: &Limits) -> Result<Self, Error> {
        let is_plain = is_btf(&bytes);
        let bytes = decoded(member, bytes, limits)?;
        if is_btf(&bytes) {
            return Ok(Self { vmlinux: bytes, modules: Vec::new(), is_plain });
        }
        let fault = |what: &str| Error::Member { member: member.into(), what: what.into() };
        if !is_tar(&bytes) {
            return Err(fault("neither BTF nor a tar of it, packed or not"));
        }
        let mut files: Vec<(String, Bytes)> = Vec::new();
        let within = Limits { bytes: limits.member, ..*limits };
        members::each(&bytes[..], &within, |inner| {
            match inner {
                Member::File { path, data, .. } => {
                    let mut contents = Vec::new();
                    data.read_to_end(&mut contents).map_err(|source| Error::Tar { source })?;
                    if files.iter().any(|(known, _)| known == path) {
                        return Err(Error::Refused { member: format!("{member}: {path}"), what: "there twice" });
                    }
                    files.push((path.to_owned(), contents.into()));
                }
                Member::Link { path, .. } => {
                    return Err(Error::Refused { member: format!("{member}: {path}"), what: "a link" });
                }
                Member::Folder => {}
            }
            Ok(Step::On)
        })?;
        files.retain(|(_, contents)| is_btf(contents));
        let kernel = match files.iter().position(|(path, _)| path == "vmlinux") {
            Some(index) => index,
            None if files.len() == 1 => 0,
            // Named like the file that it is in.
            None => {
                let release = member.rsplit('/').next().and_then(release_of);
                let is_it = |(path, _): &(String, Bytes)| release_of(path) == release && release.is_some();
                files.iter().position(is_it).ok_or_else(|| fault("a tar without a file of BTF, or with several"))?
            }
        };
        let (_, vmlinux) = files.swap_remove(kernel);
        let name = |path: String| path.strip_suffix(".btf").map_or(path.clone(), Into::into);
        let mut modules: Vec<_> = files.into_iter().map(|(path, contents)| (name(path), contents)).collect();
        modules.sort_by(|(one, _), (other, _)| one.cmp(other));
        Ok(Self { vmlinux, modules, is_plain })
    }
}

/// Decoded, if it is compressed: once, and what is inside is not again.
fn decoded(member: &str, bytes: Bytes, limits: &Limits) -> Result<Bytes, Error> {
    let Some(compression) = Compression::detect(&bytes) else { return Ok(bytes) };
    let within = btf_elf::Limits::BTF.output(limits.member);
    let decoded = compression.decode(&bytes, &within);
    decoded.map(Into::into).map_err(|source| Error::Decode { member: member.into(), source })
}

fn is_btf(bytes: &[u8]) -> bool {
    bytes.first_chunk().is_some_and(|&magic| ByteOrder::of_magic(magic).is_some())
}

/// What tar archives have at this place, since 1988.
pub(crate) fn is_tar(bytes: &[u8]) -> bool {
    bytes.get(257..).is_some_and(|magic| magic.starts_with(b"ustar"))
}
