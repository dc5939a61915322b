//! Files that are written whole, or not at all.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::PermissionsExt,
    path::Path,
};

use crate::Error;

/// What a file may have that everybody can read; the user's mask takes from it.
const FILE_MODE: u32 = 0o666;

/// Writes a file beside, and gives it its name when it is whole: after an error,
/// an older one is as it was.
///
/// Over a link, the file that it leads to is written; and to what is no file,
/// such as a pipe, it is written as it comes.
pub(crate) fn write<T>(path: &Path, write: impl FnOnce(&mut dyn Write) -> Result<T, Error>) -> Result<T, Error> {
    let error = |source| Error::Io { path: path.into(), source };
    if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir()) {
        let mut writer = io::BufWriter::new(OpenOptions::new().write(true).open(path).map_err(error)?);
        let written = write(&mut writer)?;
        return writer.flush().map_err(error).map(|()| written);
    }
    let real = fs::canonicalize(path);
    let path = real.as_deref().unwrap_or(path);
    let folder = path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    let file = builder.prefix(".btf-").permissions(fs::Permissions::from_mode(FILE_MODE)).tempfile_in(folder);
    let mut writer = io::BufWriter::new(file.map_err(error)?);
    let written = write(&mut writer)?;
    let file = writer.into_inner().map_err(|failed| error(failed.into_error()))?;
    file.as_file().sync_all().map_err(error)?;
    file.persist(path).map_err(|failed| error(failed.error))?;
    Ok(written)
}

/// The same of bytes.
pub(crate) fn write_bytes(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    write(path, |file| file.write_all(bytes).map_err(|source| Error::Io { path: path.into(), source }))
}
