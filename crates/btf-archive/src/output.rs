//! Output files that are replaced atomically.

use std::{
    fs::{self, File, Metadata, OpenOptions},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use crate::{
    Error,
    partial::{self, CONTENT, Partial},
    platform,
};

/// Output file that appears under its name only when it is complete and on
/// disk. Until [`commit`](Self::commit), and without it, an existing file stays
/// unchanged.
///
/// Symbolic links at the path are followed: the file appears where they lead,
/// whether or not one exists there. A link of another user in a folder that
/// everybody can write to is replaced instead. A path that is not a regular file
/// (a pipe, a terminal, `/dev/stdout`) is written directly.
///
/// The file belongs to the user who writes it. A new one has the default
/// permissions. One that replaces a file of the same user keeps its permissions
/// and group. One that replaces another user's file has the permissions that
/// both have in common.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("vmlinux.btf");
/// use std::io::Write;
///
/// let mut file = btf_archive::OutputFile::create(&path)?;
/// file.write_all(b"all of it")?;
/// assert!(!path.exists());
/// file.commit()?;
/// assert_eq!(std::fs::read(&path)?, b"all of it");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct OutputFile {
    path: PathBuf,
    /// The path, with symbolic links followed.
    target: PathBuf,
    writer: BufWriter<File>,
    /// `None` if the path is written directly.
    partial: Option<Partial>,
}

impl OutputFile {
    /// Creates a file.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the path is a folder, or its parent does not exist or
    /// is not writable.
    pub fn create(path: impl Into<PathBuf>) -> Result<Self, Error> {
        let path = path.into();
        let begun = followed(&path).and_then(|target| Self::begin(&target).map(|begun| (target, begun)));
        match begun {
            Ok((target, (file, partial))) => Ok(Self { path, target, writer: BufWriter::new(file), partial }),
            Err(reason) => Err(Error::Io { operation: "create", path, reason }),
        }
    }

    fn begin(path: &Path) -> io::Result<(File, Option<Partial>)> {
        let replaced = match fs::symlink_metadata(path) {
            Ok(metadata) if metadata.is_symlink() => match fs::metadata(path) {
                Ok(_) if platform::leads_to_own_descriptor(path) => {
                    return Ok((OpenOptions::new().append(true).open(path)?, None));
                }
                Ok(metadata) if metadata.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
                Ok(metadata) if !metadata.is_file() => return open_special(path),
                _ => None,
            },
            Ok(metadata) if metadata.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
            Ok(metadata) if !metadata.is_file() => return open_special(path),
            Ok(metadata) => Some(metadata),
            Err(_) => None,
        };
        if path.file_name().is_none() {
            return Err(io::ErrorKind::InvalidFilename.into());
        }
        let partial = Partial::in_folder(partial::folder_of(path))?;
        let file = partial.inside().create_file(CONTENT)?;
        replaced.map_or(Ok(()), |replaced: Metadata| platform::keep_permissions(&file, &replaced))?;
        Ok((file, Some(partial)))
    }

    /// Writes a whole file.
    ///
    /// # Errors
    ///
    /// Those of [`OutputFile::create`] and [`OutputFile::commit`].
    pub fn write_bytes(path: impl Into<PathBuf>, bytes: &[u8]) -> Result<(), Error> {
        let mut file = Self::create(path)?;
        if let Err(reason) = file.write_all(bytes) {
            return Err(Error::Io { operation: "write", path: file.path, reason });
        }
        file.commit()
    }

    /// Path of the file after the commit, as given.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Moves the file to its path, once all of it is on disk.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]. An existing file is then unchanged.
    pub fn commit(self) -> Result<(), Error> {
        let Self { path, target, writer, partial } = self;
        let finish = || -> io::Result<()> {
            let file = writer.into_inner().map_err(io::IntoInnerError::into_error)?;
            let Some(partial) = partial else { return Ok(()) };
            file.sync_all()?;
            partial.publish_as(target.file_name().map_or(Path::new(""), Path::new))
        };
        finish().map_err(|reason| Error::Io { operation: "write", path: path.clone(), reason })
    }
}

/// Maximum number of symbolic links that are followed, as in Linux.
const LINKS: u32 = 40;

/// Follows the symbolic links at a path to a regular file or to nothing. The
/// last link is returned if it leads to something else, or is not to be
/// followed.
fn followed(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..LINKS {
        let folder = partial::folder_of(&path);
        let is_followed = |link: &Metadata| {
            link.is_symlink()
                && fs::metadata(&path).map_or(true, |target| target.is_file())
                && !platform::leads_to_own_descriptor(&path)
                && platform::may_follow(link, folder)
        };
        if !fs::symlink_metadata(&path).is_ok_and(|metadata| is_followed(&metadata)) {
            return Ok(path);
        }
        path = folder.join(fs::read_link(&path)?);
    }
    Err(io::Error::other("too many levels of symbolic links"))
}

/// Opens a pipe or a device. A path that has become a regular file meanwhile is
/// rejected.
fn open_special(path: &Path) -> io::Result<(File, Option<Partial>)> {
    let file = OpenOptions::new().write(true).open(path)?;
    if file.metadata()?.is_file() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    Ok((file, None))
}

impl Write for OutputFile {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.writer.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}
