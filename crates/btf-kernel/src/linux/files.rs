//! Opening files of a [`Root`]: with openat2(2), else component by component.

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

/// Maximum number of attempts while folders are being renamed.
const ATTEMPTS: usize = 64;

/// Opens a file for reading.
pub(crate) fn open(root: &Root, path: &Path) -> io::Result<File> {
    // Without NONBLOCK, opening a FIFO would wait for a writer.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    open_with(root, path, flags).map(File::from)
}

/// Returns the entries of a folder in any order, each with `true` if it is a
/// folder.
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
            // Some file systems do not report the type.
            FileType::Unknown => fs::statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW)
                .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode).is_dir()),
            kind => kind.is_dir(),
        };
        names.push((OsStr::from_bytes(name.to_bytes()).to_owned(), is_folder));
    }
    Ok(names)
}

/// Returns the device and inode of a file, which identify it under any path.
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
        // Since Linux 5.6. The seccomp filters of some containers reject it.
        match fs::openat2(&folder, path, flags, Mode::empty(), ResolveFlags::IN_ROOT) {
            Err(Errno::NOSYS | Errno::PERM | Errno::INVAL) => return open_by_hand(folder, path, flags),
            // A concurrent rename could have led outside the root.
            Err(Errno::AGAIN) => {}
            opened => return Ok(opened?),
        }
    }
    Err(Errno::AGAIN.into())
}

/// Opens a path component by component, from one descriptor to the next, so
/// that concurrent renames cannot lead outside the root.
fn open_by_hand(root: OwnedFd, path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
    const HERE: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
    // Folders from the root to the current one.
    let mut folders = vec![root];
    // Remaining components, the next one last.
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
            // A symlink that has replaced it meanwhile is not followed.
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
    use std::{
        io::Read,
        os::unix::fs::symlink,
        sync::atomic::{AtomicBool, Ordering::Relaxed},
    };

    use rustix::fs::{RenameFlags, renameat_with};

    use super::*;
    use crate::root::tests::{links_stay_inside, tree};

    fn read_by_hand(root: &Root, path: &Path) -> io::Result<Vec<u8>> {
        let folder = fs::open(root.folder(), OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
        let mut bytes = Vec::new();
        File::from(open_by_hand(folder, path, OFlags::RDONLY)?).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    #[test]
    fn links_stay_inside_by_hand() {
        links_stay_inside(read_by_hand);
    }

    /// Concurrent renames in the tree must not lead outside.
    #[test]
    fn a_folder_that_becomes_a_link_meanwhile_does_not_lead_out() {
        let (folder, root) = tree();
        let outside = folder.path().join("secrets");
        std::fs::create_dir(&outside).unwrap();
        std::fs::write(outside.join("file"), "outside").unwrap();
        symlink(&outside, root.folder().join("a/c")).unwrap();
        let names = ["a/b", "a/c"].map(|name| root.folder().join(name));
        let is_done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !is_done.load(Relaxed) {
                    renameat_with(fs::CWD, &names[0], fs::CWD, &names[1], RenameFlags::EXCHANGE).unwrap();
                }
            });
            for _ in 0..5000 {
                if let Ok(text) = read_by_hand(&root, Path::new("a/b/file")) {
                    assert_eq!(text, b"inside");
                }
            }
            is_done.store(true, Relaxed);
        });
    }
}
