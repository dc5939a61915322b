//! File tree of a system: the running one, or one mounted elsewhere.

use std::{
    ffi::OsString,
    fs::File,
    io::{self, Read},
    path::{Component, Path, PathBuf},
};

use crate::sys;

/// Maximum number of symbolic links in one path, as in the kernel.
pub(crate) const LINKS: usize = 40;

/// Maximum size of a text file that is read whole, in bytes. (Lists of modules
/// have megabytes, other files a page.)
const TEXT: u64 = 16 << 20;

/// Folder with the file tree of a system: `/`, the root of a container's host,
/// or of a mounted image.
///
/// Every path is resolved *inside* it: an absolute symbolic link begins at this
/// folder, and `..` does not lead outside.
///
/// ```
/// # fn main() -> Result<(), btf_kernel::Error> {
/// use btf_kernel::Root;
///
/// let root = Root::new("doc/root");
/// assert_eq!(root.read("/proc/sys/kernel/osrelease").unwrap(), b"6.12.0\n");
/// assert_eq!(root.read("../../proc/sys/kernel/osrelease").unwrap(), b"6.12.0\n"); // `..` stays inside
/// let (name, is_folder) = root.list("/lib/modules").unwrap().remove(0);
/// assert_eq!((name.to_str(), is_folder), (Some("6.12.0"), true));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Root(PathBuf);

impl Default for Root {
    fn default() -> Self {
        Self::system()
    }
}

impl<P: Into<PathBuf>> From<P> for Root {
    fn from(folder: P) -> Self {
        Self::new(folder)
    }
}

impl Root {
    /// Returns `/`, the running system.
    #[must_use]
    pub fn system() -> Self {
        Self("/".into())
    }

    /// Returns the tree in a folder.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self(folder.into())
    }

    /// Returns `true` for `/`.
    #[must_use]
    pub fn is_system(&self) -> bool {
        self.0 == Path::new("/")
    }

    /// Returns the folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.0
    }

    /// Returns a path of this tree as seen from outside, for messages. Links in
    /// it are not resolved: opening it may lead elsewhere.
    #[must_use]
    pub fn outside(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        self.0.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// Opens a file for reading.
    ///
    /// # Errors
    ///
    /// If the file does not exist or cannot be opened. A loop of links is
    /// [`io::ErrorKind::FilesystemLoop`] (`ELOOP`).
    pub fn open(&self, path: impl AsRef<Path>) -> io::Result<File> {
        sys::open(self, path.as_ref())
    }

    /// Reads a text file of at most 16 MiB.
    ///
    /// # Errors
    ///
    /// Those of [`Root::open`]; [`io::ErrorKind::FileTooLarge`].
    pub fn read(&self, path: impl AsRef<Path>) -> io::Result<Vec<u8>> {
        self.read_within(path, TEXT)
    }

    /// Reads a file of at most this many bytes.
    pub(crate) fn read_within(&self, path: impl AsRef<Path>, limit: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > limit { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes) }
    }

    /// Opens a regular file. Other files are rejected, as reading them could block
    /// or never end.
    pub(crate) fn open_regular(&self, path: impl AsRef<Path>) -> io::Result<File> {
        let file = self.open(path)?;
        let kind = file.metadata()?.file_type();
        if kind.is_file() {
            Ok(file)
        } else if kind.is_dir() {
            Err(io::ErrorKind::IsADirectory.into())
        } else {
            Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"))
        }
    }

    /// Lists the entries of a folder, sorted by name, each with `true` if it is
    /// a folder. Symbolic links are not followed: they are not folders.
    ///
    /// # Errors
    ///
    /// Those of [`Root::open`], and of reading the folder.
    pub fn list(&self, path: impl AsRef<Path>) -> io::Result<Vec<(OsString, bool)>> {
        let mut entries = sys::list(self, path.as_ref())?;
        entries.sort();
        Ok(entries)
    }
}

/// Components of a path, including `..`.
pub(crate) fn parts(path: &Path) -> impl DoubleEndedIterator<Item = OsString> {
    path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    })
}

#[cfg(test)]
#[cfg(unix)]
pub(crate) mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    /// Creates a tree with all kinds of symlinks, next to a file outside it.
    pub(crate) fn tree() -> (tempfile::TempDir, Root) {
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

    /// Checks that a method of reading files stays inside [`tree`].
    pub(crate) fn links_stay_inside(read: impl Fn(&Root, &Path) -> io::Result<Vec<u8>>) {
        let (_folder, root) = tree();
        let text = |path: &str| String::from_utf8(read(&root, Path::new(path)).unwrap()).unwrap();
        for path in ["/a/b/file", "a/b/file", "absolute", "relative", "/etc/up", "folder/b/file", "folder/../a/b/file"]
        {
            assert_eq!(text(path), "inside", "{path}");
        }
        for path in ["etc/out", "absolute-out", "../../secret", "/secret"] {
            assert_eq!(text(path), "inside, too", "{path}");
        }
        let error = |path: &str| read(&root, Path::new(path)).unwrap_err();
        assert!(error("loop-a").to_string().contains("levels of symbolic links"), "{}", error("loop-a"));
        for path in ["dangling", "nowhere", "to-the-real-one", "a/b/file/c", "a/b/file/../file", "a/nowhere/file"] {
            let kind = error(path).kind();
            assert!(matches!(kind, io::ErrorKind::NotFound | io::ErrorKind::NotADirectory), "{path}: {kind:?}");
        }
    }

    #[test]
    fn links_stay_inside_of_the_root() {
        links_stay_inside(|root, path| root.read(path));
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
    }

    #[test]
    fn paths_as_seen_from_outside() {
        assert_eq!(Root::system().outside("etc"), Path::new("/etc"));
        assert_eq!(Root::new("/mnt").outside("/etc/x"), Path::new("/mnt/etc/x"));
        assert!(Root::default().is_system() && !Root::new("/mnt").is_system());
        assert_eq!(Root::from("/mnt"), Root::new("/mnt"));
    }

    #[test]
    fn a_root_that_is_not_there() {
        let root = Root::new("/nonexistent/root");
        assert_eq!(root.open("file").unwrap_err().kind(), io::ErrorKind::NotFound);
        assert!(root.list("/").is_err());
    }

    #[test]
    fn texts_are_bounded() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("text"), "12345").unwrap();
        let root = Root::new(folder.path());
        assert_eq!(root.read_within("text", 5).unwrap(), b"12345");
        assert_eq!(root.read_within("text", 4).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        assert_eq!(root.open_regular("/").unwrap_err().kind(), io::ErrorKind::IsADirectory);
    }
}
