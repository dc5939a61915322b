//! An archive, unpacked into a folder.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use btf_kernel::Host;
use tempfile::TempDir;

use crate::{
    Archive, Error,
    entry::release_of,
    members::{Member, Step},
};

/// What bundles of bpf-compatible have beside the folder of kernels.
pub(crate) const PACKAGE_JSON: &str = "package.json";

/// An archive that was unpacked: its folder, gone with this if it is a temporary
/// one.
///
/// Bundles of bpf-compatible have a `package.json` beside the kernels; what is in
/// it, only its loader knows.
#[derive(Debug)]
pub struct Unpacked {
    folder: PathBuf,
    temporary: Option<TempDir>,
    package_json: Option<Vec<u8>>,
}

impl Archive {
    /// Unpacks a tar into a temporary folder.
    ///
    /// # Errors
    ///
    /// Those of [`Archive::unpack_into`].
    pub fn unpack(&self) -> Result<Unpacked, Error> {
        let error = |source| Error::Io { path: std::env::temp_dir(), source };
        let temporary = tempfile::Builder::new().prefix("btf-archive-").tempdir().map_err(error)?;
        let mut unpacked = self.unpack_into(temporary.path().join("archive"))?;
        unpacked.temporary = Some(temporary);
        Ok(unpacked)
    }

    /// Unpacks a tar into a new folder. It is made under another name beside,
    /// and renamed when all is there: what was broken off is never taken for
    /// whole.
    ///
    /// Only files are written, never links; those that links lead to are found
    /// where they are.
    ///
    /// # Errors
    ///
    /// [`Error::Exists`] if there is something already; [`Error::Io`]; those of
    /// [`Archive::list`]. After an error, nothing is left.
    pub fn unpack_into(&self, folder: impl Into<PathBuf>) -> Result<Unpacked, Error> {
        let folder = folder.into();
        let error = |path: &Path| {
            let path = path.to_owned();
            move |source| Error::Io { path, source }
        };
        let is_empty = |folder: &Path| fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none());
        if folder.symlink_metadata().is_ok() && !is_empty(&folder) {
            return Err(Error::Exists { path: folder });
        }
        let parent = match folder.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        fs::create_dir_all(parent).map_err(error(parent))?;
        // For everybody to read, if the user's mask lets them.
        let mut builder = tempfile::Builder::new();
        builder.prefix(".btf-archive-").permissions(fs::Permissions::from_mode(0o777));
        let partial = builder.tempdir_in(parent).map_err(error(parent))?;
        let mut package_json = None;
        self.each(|member| {
            let Member::File { path, data, .. } = member else { return Ok(Step::On) };
            let to = partial.path().join(path);
            if let Some(folder) = to.parent() {
                fs::create_dir_all(folder).map_err(error(folder))?;
            }
            // Nobody else writes here, and what is there was just written.
            let file = OpenOptions::new().write(true).create_new(true).open(&to);
            let mut file = file.map_err(|source| match source.kind() {
                io::ErrorKind::AlreadyExists => Error::Refused { member: path.into(), what: "there twice" },
                _ => Error::Io { path: to.clone(), source },
            })?;
            let limit = self.limits().member;
            let written =
                io::copy(&mut io::Read::take(data, limit.saturating_add(1)), &mut file).map_err(error(&to))?;
            if written > limit {
                return Err(Error::Limit { what: "bytes of a file", limit });
            }
            if path == PACKAGE_JSON {
                package_json = Some(fs::read(&to).map_err(error(&to))?);
            }
            Ok(Step::On)
        })?;
        if folder.exists() {
            fs::remove_dir(&folder).map_err(error(&folder))?;
        }
        let partial = partial.keep();
        if let Err(source) = fs::rename(&partial, &folder) {
            let _ = fs::remove_dir_all(&partial);
            return Err(Error::Io { path: folder, source });
        }
        if let Ok(parent) = File::open(parent) {
            let _ = parent.sync_all();
        }
        Ok(Unpacked { folder, temporary: None, package_json })
    }
}

impl Unpacked {
    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What its `package.json` is, if it has one.
    #[must_use]
    pub fn package_json(&self) -> Option<&[u8]> {
        self.package_json.as_deref()
    }

    /// The archive in the folder.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the folder is gone.
    pub fn archive(&self) -> Result<Archive, Error> {
        Archive::open(&self.folder)
    }

    /// The file that belongs to the system that this runs on, as plain BTF: for
    /// loaders that take a path. What is packed is unpacked beside it.
    ///
    /// # Errors
    ///
    /// Those of [`Archive::select`], of [`Host::detect`], and of writing.
    pub fn btf_file_of_this_system(&self) -> Result<PathBuf, Error> {
        self.btf_file_of(&Host::detect()?)
    }

    /// The same of another system.
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

    /// Keeps a temporary folder; it is for the caller to remove.
    #[must_use]
    pub fn keep(mut self) -> PathBuf {
        if let Some(temporary) = self.temporary.take() {
            let _ = temporary.keep();
        }
        self.folder.clone()
    }
}
