//! Debian packages: an `ar` archive with a compressed tar in it.

use std::{
    fs::{self, File},
    io::{BufReader, Read},
    path::{Component, Path},
};

use btf_elf::{Compression, Limits, types::format::glob_matches};

use super::objects;
use crate::Result;

/// Limits for packages. Those with debug information unpack to gigabytes.
const LIMITS: Limits = Limits::IMAGE.output(16 << 30);

/// Unpacks the files of a package that match one of the patterns, or only the BPF
/// objects inside them. Returns the number of files written.
pub(super) fn unpack(package: &Path, folder: &Path, keep: &[String], only_objects: bool) -> Result<usize> {
    let mut members = ar::Archive::new(BufReader::new(File::open(package)?));
    while let Some(member) = members.next_entry() {
        let mut member = member?;
        if !member.header().identifier().starts_with(b"data.tar") {
            continue;
        }
        let mut start = [0; Compression::DETECT_BYTES];
        member.read_exact(&mut start)?;
        let whole = start.as_slice().chain(member);
        return match Compression::detect(&start) {
            Some(compression) => unpack_tar(compression.decoder(whole, &LIMITS)?, folder, keep, only_objects),
            None => unpack_tar(whole, folder, keep, only_objects),
        };
    }
    Err(format!("{}: has no data.tar", package.display()).into())
}

fn unpack_tar(tar: impl Read, folder: &Path, keep: &[String], only_objects: bool) -> Result<usize> {
    let mut count = 0;
    for entry in tar::Archive::new(tar).entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        let plain: Vec<_> = path.components().filter(|part| !matches!(part, Component::CurDir)).collect();
        let is_inside = plain.iter().all(|part| matches!(part, Component::Normal(_)));
        let path: std::path::PathBuf = plain.into_iter().collect();
        let name = path.to_string_lossy().into_owned();
        if !entry.header().entry_type().is_file()
            || !is_inside
            || !keep.iter().any(|pattern| glob_matches(pattern, &name))
        {
            continue;
        }
        if only_objects {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes)?;
            for (number, object) in objects::inside(&bytes).into_iter().enumerate() {
                let file = format!("{}-{number}.bpf.o", super::name_of(&path));
                fs::write(folder.join(file), object)?;
                count += 1;
            }
            continue;
        }
        let to = folder.join(&path);
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent)?;
        }
        std::io::copy(&mut entry, &mut File::create(to)?)?;
        count += 1;
    }
    Ok(count)
}
