//! Files of a [`Root`]: opened by openat2(2), else component by component.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io,
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
    path::Path,
};

use rustix::{
    fs::{self, AtFlags, FileType, Mode, OFlags, ResolveFlags},
    io::Errno,
};

use crate::{
    Root,
    root::{LINKS, parts},
};

/// Maximum number of attempts in a tree in which folders are being renamed.
const ATTEMPTS: usize = 64;

/// Opens a file for reading.
pub(crate) fn open(root: &Root, path: &Path) -> io::Result<File> {
    // A pipe would make this wait for who writes to it.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    open_with(root, path, flags).map(File::from)
}

/// The entries of a folder in any order, and whether each is a folder.
pub(crate) fn list(root: &Root, path: &Path) -> io::Result<Vec<(OsString, bool)>> {
    let folder = open_with(root, path, OFlags::RDONLY | OFlags::CLOEXEC | OFlags::DIRECTORY)?;
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
    Ok(names)
}

/// The device and inode of a file, by which it is known under any path.
pub(crate) fn identity(file: &File) -> io::Result<(u64, u64)> {
    let stat = fs::fstat(file)?;
    Ok((stat.st_dev, stat.st_ino))
}

fn open_with(root: &Root, path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
    if root.is_system() {
        return Ok(fs::open(root.outside(path), flags, Mode::empty())?);
    }
    let folder = fs::open(root.folder(), OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    for _ in 0..ATTEMPTS {
        // Since Linux 5.6; some containers' filters refuse it.
        match fs::openat2(&folder, path, flags, Mode::empty(), ResolveFlags::IN_ROOT) {
            Err(Errno::NOSYS | Errno::PERM | Errno::INVAL) => return open_by_hand(folder, path, flags),
            // Something was renamed meanwhile, and might have led out.
            Err(Errno::AGAIN) => {}
            opened => return Ok(opened?),
        }
    }
    Err(Errno::AGAIN.into())
}

/// Opens a path component by component, from one descriptor to the next, so that
/// whoever renames folders meanwhile does not lead out of the root.
fn open_by_hand(root: OwnedFd, path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
    const HERE: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
    // The folders from the root, which is the first, to where we are.
    let mut folders = vec![root];
    // The components that are still to be walked, the next one last.
    let mut waiting: Vec<OsString> = parts(path).rev().collect();
    let mut links = 0;
    while let (Some(part), Some(folder)) = (waiting.pop(), folders.last()) {
        if part == ".." {
            folders.truncate((folders.len() - 1).max(1));
            continue;
        }
        let next = fs::openat(folder, &part, HERE, Mode::empty())?;
        match FileType::from_raw_mode(fs::fstat(&next)?.st_mode) {
            FileType::Symlink => {
                links += 1;
                if links > LINKS {
                    return Err(Errno::LOOP.into());
                }
                let target = fs::readlinkat(&next, "", Vec::new())?;
                let target = Path::new(OsStr::from_bytes(target.to_bytes()));
                if target.is_absolute() {
                    folders.truncate(1);
                }
                waiting.extend(parts(target).rev());
            }
            // If a link took its place meanwhile, it is not followed.
            _ if waiting.is_empty() => return Ok(fs::openat(folder, &part, flags | OFlags::NOFOLLOW, Mode::empty())?),
            FileType::Directory => folders.push(next),
            _ => return Err(Errno::NOTDIR.into()),
        }
    }
    let here = folders.last().ok_or(Errno::NOENT)?;
    Ok(fs::openat(here, ".", flags, Mode::empty())?)
}

#[cfg(test)]
mod tests {
    use std::{io::Read, os::unix::fs::symlink};

    use super::*;

    /// A tree with links of all sorts, beside a file that is outside.
    fn tree() -> (tempfile::TempDir, Root) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("secret"), "outside").unwrap();
        let root = folder.path().join("root");
        std::fs::create_dir_all(root.join("a/b")).unwrap();
        std::fs::create_dir_all(root.join("etc")).unwrap();
        std::fs::write(root.join("a/b/file"), "inside").unwrap();
        std::fs::write(root.join("secret"), "inside, too").unwrap();
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
            let folder = fs::open(root.folder(), OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
            File::from(open_by_hand(folder, path, OFlags::RDONLY)?).read_to_end(&mut bytes)?;
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
            for path in ["dangling", "nowhere", "to-the-real-one", "a/b/file/c", "a/b/file/../file", "a/nowhere/file"] {
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
    }

    /// Whoever can rename in the tree does not lead out of it.
    #[test]
    fn a_folder_that_becomes_a_link_meanwhile_does_not_lead_out() {
        use rustix::fs::{RenameFlags, renameat_with};
        let (folder, root) = tree();
        let outside = folder.path().join("secrets");
        std::fs::create_dir(&outside).unwrap();
        std::fs::write(outside.join("file"), "outside").unwrap();
        // By hand, so that it is not resolved inside.
        symlink(&outside, root.folder().join("a/c")).unwrap();
        let names = ["a/b", "a/c"].map(|name| root.folder().join(name));
        let is_done = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !is_done.load(std::sync::atomic::Ordering::Relaxed) {
                    renameat_with(fs::CWD, &names[0], fs::CWD, &names[1], RenameFlags::EXCHANGE).unwrap();
                }
            });
            for _ in 0..5000 {
                let folder = fs::open(root.folder(), OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).unwrap();
                if let Ok(file) = open_by_hand(folder, Path::new("a/b/file"), OFlags::RDONLY) {
                    let mut text = String::new();
                    File::from(file).read_to_string(&mut text).unwrap();
                    assert_eq!(text, "inside");
                }
            }
            is_done.store(true, std::sync::atomic::Ordering::Relaxed);
        });
    }
}
