//! Source of an archive: a folder, or a tar, plain or compressed, in a file or
//! in memory.

use std::{
    collections::HashSet,
    fs::File,
    io::{self, Read, Seek},
    path::{Path, PathBuf},
};

use btf_elf::Compression;
use btf_kernel::Root;
use btf_types::Bytes;

use crate::{
    Error, Limits,
    index::Index,
    members::{self, Member, Scope, Step},
    stream::Plain,
};

/// Number of bytes that are read at a time.
const BUFFER: usize = 64 << 10;

/// Source of an archive.
#[derive(Debug)]
pub(crate) enum Source {
    Folder(Root),
    File(PathBuf),
    Bytes(Bytes),
    /// Contents of a reader, in an unnamed file.
    Spooled(File),
}

impl Source {
    /// Visits the members of a tar.
    pub(crate) fn each(
        &self,
        scope: Scope<'_>,
        visit: impl FnMut(Member<'_>) -> Result<Step, Error>,
    ) -> Result<(), Error> {
        match self {
            Self::Folder(_) => {
                Err(Error::NotAnArchive { archive: scope.name.into(), found: "it is a folder, and not a tar" })
            }
            Self::File(path) => {
                let file = File::open(path);
                let file = file.map_err(|reason| Error::Io { operation: "open", path: path.clone(), reason })?;
                each_of_file(file, scope, visit)
            }
            Self::Bytes(bytes) => {
                scope.budget.read(bytes.len() as u64);
                match Compression::detect(bytes) {
                    None => members::each(&bytes[..], scope, visit),
                    Some(compression) => each_decoded(compression, &bytes[..], scope, visit),
                }
            }
            Self::Spooled(file) => {
                each_of_file(file.try_clone().map_err(|error| scope.unreadable(error))?, scope, visit)
            }
        }
    }

    /// Reads files, in the order of the archive or of their paths.
    pub(crate) fn read(
        &self,
        wanted: &HashSet<&str>,
        scope: Scope<'_>,
        mut visit: impl FnMut(&str, Bytes) -> Result<Step, Error>,
    ) -> Result<(), Error> {
        if let Self::Folder(root) = self {
            let mut wanted: Vec<&str> = wanted.iter().copied().collect();
            wanted.sort_unstable();
            for path in wanted {
                match root.open(path) {
                    Ok(mut file) => {
                        let bytes = take(&mut file, scope)?;
                        scope.budget.read(bytes.len() as u64);
                        if visit(path, bytes)? == Step::Stop {
                            break;
                        }
                    }
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(reason) => {
                        return Err(Error::Io { operation: "open", path: root.outside(path), reason });
                    }
                }
            }
            return Ok(());
        }
        self.each(scope, |member| match member {
            Member::File { path, data, .. } if wanted.contains(path) => visit(path, take(data, scope)?),
            _ => Ok(Step::On),
        })
    }
}

/// Reads all bytes of a file, within the limit.
pub(crate) fn take(data: &mut dyn Read, scope: Scope<'_>) -> Result<Bytes, Error> {
    let limit = scope.limits.member;
    let mut bytes = Vec::new();
    data.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(|error| scope.unreadable(error))?;
    if bytes.len() as u64 > limit {
        return Err(Error::Limit { what: "bytes in a kernel's file", limit });
    }
    Ok(bytes.into())
}

fn each_of_file(
    mut file: File,
    scope: Scope<'_>,
    visit: impl FnMut(Member<'_>) -> Result<Step, Error>,
) -> Result<(), Error> {
    let error = |error| scope.unreadable(error);
    let mut start = Vec::new();
    file.rewind().map_err(error)?;
    (&file).take(Compression::DETECT_BYTES as u64).read_to_end(&mut start).map_err(error)?;
    file.rewind().map_err(error)?;
    scope.budget.read(file.metadata().map_err(error)?.len());
    match Compression::detect(&start) {
        None => members::each(Plain::new(file).map_err(error)?, scope, visit),
        Some(compression) => each_decoded(compression, file, scope, visit),
    }
}

fn each_decoded(
    compression: Compression,
    reader: impl Read,
    scope: Scope<'_>,
    visit: impl FnMut(Member<'_>) -> Result<Step, Error>,
) -> Result<(), Error> {
    // The limit is in proportion to the whole archive, not to each of its
    // parts: a thousand similar trimmed kernels compress well together.
    let output = scope.limits.bytes.min(scope.budget.left());
    let within = btf_elf::Limits::IMAGE.output(output).ratio(u64::MAX);
    let decoder = compression.decoder(reader, &within);
    let decoder = decoder.map_err(|reason| Error::Decode { member: scope.name.into(), reason })?;
    members::each(io::BufReader::with_capacity(BUFFER, decoder), scope, visit)
}

/// Visits a folder. Links are not followed, but recorded.
pub(crate) fn walk(root: &Root, limits: &Limits) -> Result<Index, Error> {
    let mut index = Index::default();
    let mut open = vec![String::new()];
    let mut count = 0;
    while let Some(folder) = open.pop() {
        let error = |reason| Error::Io { operation: "read", path: root.outside(&folder), reason };
        for (name, is_folder) in root.list(&folder).map_err(error)? {
            count += 1;
            if count > limits.members {
                return Err(Error::Limit { what: "members in the archive", limit: limits.members });
            }
            let Ok(name) = name.into_string() else { continue };
            let path = members::join(&folder, &name).unwrap_or_default();
            if path.len() > limits.path {
                return Err(Error::Refused { member: path, reason: "a path that is too long" });
            }
            match is_folder {
                // Hidden folders, such as git's.
                true if name.starts_with('.') => {}
                true => open.push(path),
                false => add_file(root, &folder, &path, &mut index)?,
            }
        }
    }
    index.finish()
}

/// Adds a file or a link of a folder.
fn add_file(root: &Root, folder: &str, path: &str, index: &mut Index) -> Result<(), Error> {
    let outside = root.outside(path);
    let metadata = std::fs::symlink_metadata(&outside).map_err(|reason| Error::Io {
        operation: "read",
        path: outside.clone(),
        reason,
    })?;
    if metadata.is_symlink() {
        let target = std::fs::read_link(&outside).ok();
        let target = target.as_deref().and_then(Path::to_str).and_then(|to| members::join(folder, to));
        let reason = "a link that leads out of the archive";
        return index.link(path, &target.ok_or(Error::Refused { member: path.into(), reason })?);
    }
    if metadata.is_file() {
        index.file(path, metadata.len());
    }
    Ok(())
}
