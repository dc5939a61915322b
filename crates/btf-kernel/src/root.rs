//! A system's tree of files: this one, or one that is mounted somewhere.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, Read},
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
    path::{Component, Path, PathBuf},
};

use rustix::{
    fs::{self, AtFlags, FileType, Mode, OFlags, ResolveFlags},
    io::Errno,
};

/// As many symbolic links are followed on the way to one file, as by the
/// kernel.
const LINKS: usize = 40;

/// As often is asked again of a tree in which folders are being renamed.
const AGAIN: usize = 64;

/// As large a text file can be that is read whole: lists of modules have
/// megabytes, everything else a page.
const TEXT: u64 = 16 << 20;

/// A folder in which a system's tree of files is: `/`, the root of a container's
/// host, of an image that is mounted.
///
/// Every path is resolved *inside* it: an absolute symbolic link begins at this
/// folder, and `..` does not lead out of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Root(PathBuf);

impl Default for Root {
    fn default() -> Self {
        Self::system()
    }
}

impl Root {
    /// `/`, the system that this runs on.
    #[must_use]
    pub fn system() -> Self {
        Self("/".into())
    }

    /// The tree in a folder.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self(folder.into())
    }

    /// Whether this is `/`.
    #[must_use]
    pub fn is_system(&self) -> bool {
        self.0 == Path::new("/")
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.0
    }

    /// A path in this tree as it is seen from outside, with links and all: for
    /// people to read.
    #[must_use]
    pub fn outside(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        self.0.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// Opens a file for reading.
    ///
    /// # Errors
    ///
    /// If there is no such file, or it cannot be opened; a loop of links is
    /// one of [`io::ErrorKind::FilesystemLoop`] (`ELOOP`).
    pub fn open(&self, path: impl AsRef<Path>) -> io::Result<File> {
        // A pipe would make this wait for who writes to it.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        self.open_with(path.as_ref(), flags).map(File::from)
    }

    /// Reads a text file, of at most 16 MiB.
    ///
    /// # Errors
    ///
    /// Those of [`Root::open`]; [`io::ErrorKind::FileTooLarge`].
    pub fn read(&self, path: impl AsRef<Path>) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.open(path)?.take(TEXT + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > TEXT { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes) }
    }

    /// What is in a folder, sorted by name: names, and whether each is a folder
    /// itself. A link is none, whatever it leads to.
    ///
    /// # Errors
    ///
    /// Those of [`Root::open`], and of listing.
    pub fn list(&self, path: impl AsRef<Path>) -> io::Result<Vec<(OsString, bool)>> {
        let folder = self.open_with(path.as_ref(), OFlags::RDONLY | OFlags::CLOEXEC | OFlags::DIRECTORY)?;
        let mut names = Vec::new();
        for entry in fs::Dir::read_from(&folder)? {
            let entry = entry?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            let is_folder = match entry.file_type() {
                // Some file systems do not say.
                FileType::Unknown => fs::statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW)
                    .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode).is_dir()),
                kind => kind.is_dir(),
            };
            names.push((OsStr::from_bytes(name.to_bytes()).to_owned(), is_folder));
        }
        names.sort();
        Ok(names)
    }

    fn open_with(&self, path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
        if self.is_system() {
            return Ok(fs::open(self.outside(path), flags, Mode::empty())?);
        }
        let root = fs::open(&self.0, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        for _ in 0..AGAIN {
            // Since Linux 5.6; forbidden to some containers.
            match fs::openat2(&root, path, flags, Mode::empty(), ResolveFlags::IN_ROOT) {
                Err(Errno::NOSYS | Errno::PERM | Errno::INVAL) => return self.open_by_hand(path, flags),
                // Something was renamed meanwhile, and might have led out.
                Err(Errno::AGAIN) => {}
                opened => return Ok(opened?),
            }
        }
        Err(Errno::AGAIN.into())
    }

    fn open_by_hand(&self, path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
        let resolved = self.resolve_by_hand(path)?;
        Ok(fs::open(resolved, flags | OFlags::NOFOLLOW, Mode::empty())?)
    }

    /// Follows links component by component; the result has none.
    fn resolve_by_hand(&self, path: &Path) -> io::Result<PathBuf> {
        let mut resolved = Vec::<OsString>::new();
        // What is still to be walked, the next one last.
        let mut waiting: Vec<OsString> = parts(path).rev().collect();
        let mut links = 0;
        while let Some(part) = waiting.pop() {
            if part == ".." {
                resolved.pop();
                continue;
            }
            resolved.push(part);
            let here: PathBuf =
                std::iter::once(self.0.clone().into_os_string()).chain(resolved.iter().cloned()).collect();
            let metadata = std::fs::symlink_metadata(&here)?;
            if metadata.is_symlink() {
                links += 1;
                if links > LINKS {
                    return Err(Errno::LOOP.into());
                }
                let target = std::fs::read_link(&here)?;
                match target.is_absolute() {
                    true => resolved.clear(),
                    false => _ = resolved.pop(),
                }
                waiting.extend(parts(&target).rev());
            }
        }
        Ok(std::iter::once(self.0.clone().into_os_string()).chain(resolved).collect())
    }
}

/// The components of a path, `..` among them.
fn parts(path: &Path) -> impl DoubleEndedIterator<Item = OsString> {
    path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    /// A tree with links of all sorts, beside a file that is outside.
    fn tree() -> (tempfile::TempDir, Root) {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("secret"), "outside").unwrap();
        let root = folder.path().join("root");
        fs::create_dir_all(root.join("a/b")).unwrap();
        fs::create_dir_all(root.join("etc")).unwrap();
        fs::write(root.join("a/b/file"), "inside").unwrap();
        fs::write(root.join("secret"), "inside, too").unwrap();
        for (target, link) in [
            ("/a/b/file", "absolute"),
            ("a/b/file", "relative"),
            ("../a/./b/file", "etc/up"),
            ("../../../../secret", "etc/out"),
            ("/../../secret", "absolute-out"),
            ("/a", "folder"),
            ("loop-b", "loop-a"),
            ("loop-a", "loop-b"),
            ("nowhere", "dangling"),
        ] {
            symlink(target, root.join(link)).unwrap();
        }
        symlink(folder.path().join("secret"), root.join("to-the-real-one")).unwrap();
        (folder, Root::new(root))
    }

    type Opener = fn(&Root, &Path) -> io::Result<Vec<u8>>;

    #[test]
    fn links_stay_inside_by_the_kernel_and_by_hand() {
        let (_folder, root) = tree();
        let by_hand: Opener = |root, path| {
            let mut bytes = Vec::new();
            File::from(root.open_by_hand(path, OFlags::RDONLY)?).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        for open in [(|root, path| root.read(path)) as Opener, by_hand] {
            let text = |path: &str| String::from_utf8(open(&root, Path::new(path)).unwrap()).unwrap();
            for path in
                ["/a/b/file", "a/b/file", "absolute", "relative", "/etc/up", "folder/b/file", "folder/../a/b/file"]
            {
                assert_eq!(text(path), "inside", "{path}");
            }
            for path in ["etc/out", "absolute-out", "../../secret", "/secret"] {
                assert_eq!(text(path), "inside, too", "{path}");
            }
            let error = |path: &str| open(&root, Path::new(path)).unwrap_err();
            assert_eq!(error("loop-a").raw_os_error(), Some(libc::ELOOP));
            for path in ["dangling", "nowhere", "to-the-real-one", "a/b/file/c", "a/nowhere/file"] {
                let kind = error(path).kind();
                assert!(matches!(kind, io::ErrorKind::NotFound | io::ErrorKind::NotADirectory), "{path}: {kind:?}");
            }
        }
    }

    #[test]
    fn folders_are_listed_in_order() {
        let (_folder, root) = tree();
        let names: Vec<_> = root.list("/").unwrap();
        assert!(names.is_sorted());
        assert!(names.contains(&("a".into(), true)) && names.contains(&("folder".into(), false)));
        assert_eq!(root.list("folder").unwrap(), [("b".into(), true)]);
        assert_eq!(root.list("").unwrap(), root.list("/").unwrap());
        assert!(root.list("secret").is_err());
        assert_eq!(root.outside("/etc/x"), root.folder().join("etc/x"));
        assert!(Root::default().is_system() && !root.is_system());
        assert_eq!(Root::system().outside("etc"), Path::new("/etc"));
    }

    #[test]
    fn a_root_that_is_not_there() {
        let root = Root::new("/nonexistent/root");
        assert_eq!(root.open("file").unwrap_err().kind(), io::ErrorKind::NotFound);
        assert!(root.list("/").is_err());
    }
}
