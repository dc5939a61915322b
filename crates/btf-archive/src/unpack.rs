//! Unpacking an archive into a folder.

use std::{
    fs::{self, File, Metadata},
    io::{self, Read},
    path::{Path, PathBuf},
};

use btf_kernel::Host;

use crate::{
    Archive, Error,
    entry::release_of,
    limits::Budget,
    members::{Member, Step},
    partial::{self, CONTENT, Partial},
    platform,
};

/// File in bundles of bpf-compatible, beside the folder of kernels.
pub(crate) const PACKAGE_JSON: &str = "package.json";

/// Number of folders that may be made in addition to two for each file.
const FOLDERS_FREE: u64 = 1024;

/// Unpacked archive. A temporary folder is removed on drop.
///
/// Bundles of bpf-compatible have a `package.json` beside the kernels, for
/// their own loader.
#[derive(Debug)]
pub struct Unpacked {
    folder: PathBuf,
    temporary: Option<Partial>,
    package_json: Option<Vec<u8>>,
}

impl Archive {
    /// Unpacks a tar into a temporary folder.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_archive::Error> {
    /// use btf_archive::{Archive, kernel::Host};
    ///
    /// # let host = Host {
    /// #     distribution: "debian".into(),
    /// #     version: Some("12".into()),
    /// #     machine: "x86_64".into(),
    /// #     release: "6.1.0-9-amd64".into(),
    /// #     ..Host::default()
    /// # };
    /// # let mut bundle = Vec::new();
    /// # btf_archive::Pack::new().write(&Archive::open("doc/btfhub")?, &mut bundle)?;
    /// let unpacked = Archive::parse(bundle)?.unpack()?; // into a temporary folder
    /// let file = unpacked.btf_file_of(&host)?;
    /// assert!(file.starts_with(unpacked.folder()) && file.is_file());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Io`]; those of [`Archive::list`].
    pub fn unpack(&self) -> Result<Unpacked, Error> {
        let error = |reason| Error::Io { operation: "create", path: std::env::temp_dir(), reason };
        let partial = Partial::in_temporary_folder().map_err(error)?;
        let package_json = self.unpack_in(&partial)?;
        Ok(Unpacked { folder: partial.content(), temporary: Some(partial), package_json })
    }

    /// Unpacks a tar into a new or empty folder, which is created with its
    /// parents. It is filled in a private folder, and renamed when everything
    /// is on disk, so that an interrupted run leaves no incomplete folder.
    ///
    /// Only files are written, never links. Files that are reached through
    /// links are found by their own paths.
    ///
    /// # Errors
    ///
    /// [`Error::Exists`] if the folder exists and is not empty; [`Error::Io`];
    /// those of [`Archive::list`]. After an error, nothing is left.
    pub fn unpack_into(&self, folder: impl Into<PathBuf>) -> Result<Unpacked, Error> {
        let folder = folder.into();
        let replaced = empty_folder(&folder)?;
        let Some(name) = folder.file_name() else { return Err(Error::Exists { path: folder }) };
        let parent = partial::folder_of(&folder);
        let error = |reason| Error::Io { operation: "create", path: folder.clone(), reason };
        fs::create_dir_all(parent).map_err(error)?;
        let partial = Partial::in_folder(parent).map_err(error)?;
        let package_json = self.unpack_in(&partial)?;
        if let Some(replaced) = replaced {
            let made = partial.inside().open_inside(CONTENT).map_err(error)?;
            platform::keep_permissions(&made, &replaced).map_err(error)?;
        }
        partial.sync().map_err(error)?;
        partial.publish_as(Path::new(name)).map_err(|reason| match reason.kind() {
            io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists => Error::Exists { path: folder.clone() },
            _ => error(reason),
        })?;
        Ok(Unpacked { folder, temporary: None, package_json })
    }

    /// Unpacks into a private folder, and returns the contents of
    /// `package.json`.
    fn unpack_in(&self, partial: &Partial) -> Result<Option<Vec<u8>>, Error> {
        let inside = partial.inside();
        let error = |path: &str, reason| Error::Io { operation: "unpack", path: path.into(), reason };
        inside.create_folder(CONTENT).map_err(|reason| error(CONTENT, reason))?;
        let limit = self.limits().member;
        let budget = Budget::default();
        let (mut files, mut folders) = (0, 0);
        let mut package_json = None;
        self.each(&budget, |member| {
            let Member::File { path, data, .. } = member else { return Ok(Step::On) };
            files += 1;
            let to = format!("{CONTENT}/{path}");
            folders += create_folders(partial, &to).map_err(|reason| error(path, reason))?;
            if folders > FOLDERS_FREE + 2 * files {
                return Err(Error::Limit { what: "folders for so few files", limit: FOLDERS_FREE + 2 * files });
            }
            let mut file = inside.create_file(&to).map_err(|reason| match reason.kind() {
                io::ErrorKind::AlreadyExists => Error::Refused { member: path.into(), reason: "there twice" },
                _ => error(path, reason),
            })?;
            let mut data = data.take(limit.saturating_add(1));
            let written = if path == PACKAGE_JSON {
                let mut json = Vec::new();
                data.read_to_end(&mut json).map_err(|error| self.scope(&budget).unreadable(error))?;
                io::Write::write_all(&mut file, &json).map_err(|reason| error(path, reason))?;
                package_json.insert(json).len() as u64
            } else {
                copy(&mut data, &mut file).map_err(|fault| match fault {
                    Fault::Read(fault) => self.scope(&budget).unreadable(fault),
                    Fault::Write(reason) => error(path, reason),
                })?
            };
            if written > limit {
                return Err(Error::Limit { what: "bytes in a file", limit });
            }
            Ok(Step::On)
        })?;
        Ok(package_json)
    }
}

/// Returns the metadata of an empty folder, which may be replaced; `None` if it
/// does not exist.
fn empty_folder(folder: &Path) -> Result<Option<Metadata>, Error> {
    let Ok(metadata) = folder.symlink_metadata() else { return Ok(None) };
    let is_empty = metadata.is_dir() && fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none());
    if is_empty { Ok(Some(metadata)) } else { Err(Error::Exists { path: folder.into() }) }
}

/// Makes the folders of a file, and returns their number.
fn create_folders(partial: &Partial, path: &str) -> io::Result<u64> {
    let Some((folder, _)) = path.rsplit_once('/') else { return Ok(0) };
    let create = |folder: &str| match partial.inside().create_folder(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        created => created.map(|()| true),
    };
    // Most already exist.
    match create(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        created => return created.map(u64::from),
    }
    let mut made = 0;
    for (end, _) in path.match_indices('/') {
        made += u64::from(create(path.get(..end).unwrap_or_default())?);
    }
    Ok(made)
}

/// Side of a copy that failed.
enum Fault {
    Read(io::Error),
    Write(io::Error),
}

fn copy(from: &mut dyn Read, to: &mut File) -> Result<u64, Fault> {
    let mut buffer = vec![0; 64 << 10];
    let mut copied = 0;
    loop {
        let read = match from.read(&mut buffer) {
            Ok(0) => return Ok(copied),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Fault::Read(error)),
        };
        io::Write::write_all(to, buffer.get(..read).unwrap_or_default()).map_err(Fault::Write)?;
        copied += read as u64;
    }
}

impl Unpacked {
    /// Path of the folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Contents of `package.json`, if there is one.
    #[must_use]
    pub fn package_json(&self) -> Option<&[u8]> {
        self.package_json.as_deref()
    }

    /// Opens the folder as an archive.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the folder was removed.
    pub fn archive(&self) -> Result<Archive, Error> {
        Archive::open(&self.folder)
    }

    /// Returns the path of the file for a system, as plain BTF, for loaders
    /// that take a path. A packed file is unpacked beside it.
    ///
    /// # Errors
    ///
    /// Those of [`Archive::select`], and of writing.
    pub fn btf_file_of(&self, host: &Host) -> Result<PathBuf, Error> {
        let selection = self.archive()?.select(host)?;
        let file = self.folder.join(selection.file());
        if selection.is_plain() {
            return Ok(file);
        }
        let release = selection.file().rsplit('/').next().and_then(release_of).unwrap_or_default();
        let plain = file.with_file_name(format!("{release}.btf"));
        selection.write_file(&plain)?;
        Ok(plain)
    }

    /// Keeps a temporary folder, and returns its new path. The caller removes
    /// it.
    #[must_use]
    pub fn keep(mut self) -> PathBuf {
        self.temporary.take().map_or_else(|| std::mem::take(&mut self.folder), Partial::keep)
    }
}
