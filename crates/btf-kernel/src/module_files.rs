//! Module files of a kernel: those listed in `modules.dep`, and those found on
//! disk.

use std::{
    collections::{BTreeMap, btree_map},
    iter::FusedIterator,
    path::{Component, Path, PathBuf},
};

use crate::{Error, Root, sys};

/// Maximum depth of a module tree.
const DEPTH: usize = 16;

/// Maximum number of entries in a module tree. (Distributions have 10,000.)
const ENTRIES: usize = 1 << 20;

/// Maximum number of files in total, and per module. (A module has one file,
/// and one more for each replacement.)
const FILES: usize = 1 << 17;
const FILES_OF_ONE: usize = 16;

/// Maximum length of a file's name and of a path, in bytes: as in Linux.
const NAME: usize = 255;
const PATH: usize = 4096;

/// Module files of a kernel, by name of the module.
///
/// The files of a module are sorted by precedence: those in `updates`, `extra`
/// and `weak-updates` precede the kernel's own, as for depmod. Paths are inside
/// the kernel's [`Root`].
///
/// ```
/// # fn main() -> Result<(), btf_kernel::Error> {
/// use btf_kernel::Kernel;
///
/// let kernel = Kernel::of("doc/root");
/// let files = kernel.module_files()?;
/// assert!(files.names().eq(["veth"]));
/// assert_eq!(files.get("veth")[0].to_str(), Some("/lib/modules/6.12.0/kernel/drivers/net/veth.ko"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct ModuleFiles {
    files: BTreeMap<String, Vec<PathBuf>>,
    /// Number of files.
    count: usize,
}

impl ModuleFiles {
    /// Returns the files of a module. In names, `-` and `_` are equal. Empty if
    /// there are none.
    #[must_use]
    pub fn get(&self, name: &str) -> &[PathBuf] {
        self.files.get(name.replace('-', "_").as_str()).map_or(&[], Vec::as_slice)
    }

    /// Iterates over the names of the modules, sorted, with `_` for `-`.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// Iterates over the modules, sorted by name, each with its files.
    pub fn iter(&self) -> ModuleFilesIter<'_> {
        ModuleFilesIter(self.files.iter())
    }

    /// Number of modules.
    #[must_use]
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Returns `true` if there are no modules.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Reads the list of files in the `modules.dep` of a folder; empty if it cannot
    /// be read.
    pub(crate) fn listed(root: &Root, folder: &Path) -> Result<Self, Error> {
        let mut files = Self::default();
        let list = folder.join("modules.dep");
        let text = root.read(&list).unwrap_or_default();
        for path in modules_dep(&text) {
            // Absolute paths, as written by depmod -b, start at the root.
            files.add(folder, folder.join(path)).map_err(|limit| too_many(root, &list, limit))?;
        }
        Ok(files)
    }

    /// Adds all module files in a folder and its subfolders. Symlinks to folders
    /// are not followed: `build` leads to the kernel's source.
    pub(crate) fn add_tree(&mut self, root: &Root, folder: &Path) -> Result<(), Error> {
        let mut open = vec![(folder.to_owned(), 0)];
        let mut count = 0;
        while let Some((inside, depth)) = open.pop() {
            for (name, is_folder) in root.list(&inside).unwrap_or_default() {
                count += 1;
                if count > ENTRIES {
                    return Err(too_many(root, folder, ENTRIES));
                }
                let path = inside.join(name);
                match is_folder {
                    true if depth < DEPTH => open.push((path, depth + 1)),
                    true => {}
                    false => self.add(folder, path).map_err(|limit| too_many(root, folder, limit))?,
                }
            }
        }
        Ok(())
    }

    /// Adds a file if it is a module. Fails with the limit if there are too many.
    fn add(&mut self, folder: &Path, path: PathBuf) -> Result<(), usize> {
        let Some(name) = name_of(&path) else { return Ok(()) };
        let files = self.files.entry(name).or_default();
        let of_path = rank(&path, folder);
        let is_last = files.last().is_some_and(|last| rank(last, folder) <= of_path);
        if (files.len() == FILES_OF_ONE && is_last) || files.contains(&path) {
            return Ok(());
        }
        let before = files.partition_point(|file| rank(file, folder) <= of_path);
        files.insert(before, path);
        if files.len() > FILES_OF_ONE {
            files.pop();
            return Ok(());
        }
        self.count += 1;
        if self.count > FILES { Err(FILES) } else { Ok(()) }
    }
}

impl<'a> IntoIterator for &'a ModuleFiles {
    type Item = (&'a str, &'a [PathBuf]);
    type IntoIter = ModuleFilesIter<'a>;

    fn into_iter(self) -> ModuleFilesIter<'a> {
        self.iter()
    }
}

/// Iterator over the modules of [`ModuleFiles`], each with its files.
#[derive(Debug, Clone)]
#[must_use = "iterators do nothing unless they are used"]
pub struct ModuleFilesIter<'a>(btree_map::Iter<'a, String, Vec<PathBuf>>);

impl<'a> Iterator for ModuleFilesIter<'a> {
    type Item = (&'a str, &'a [PathBuf]);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(name, files)| (name.as_str(), files.as_slice()))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl ExactSizeIterator for ModuleFilesIter<'_> {}

impl FusedIterator for ModuleFilesIter<'_> {}

fn too_many(root: &Root, path: &Path, limit: usize) -> Error {
    Error::TooManyModules { path: root.outside(path), limit }
}

/// Returns the rank of a module file. The lowest rank takes precedence.
fn rank(path: &Path, folder: &Path) -> usize {
    let first = path.strip_prefix(folder).ok().and_then(|path| path.iter().next()).unwrap_or_default();
    ["updates", "extra", "weak-updates", "kernel"].iter().position(|known| first == *known).unwrap_or(4)
}

/// Returns the name of the module in a file: `veth` for `veth.ko.xz`; `None` if
/// the file is not a module.
fn name_of(path: &Path) -> Option<String> {
    let file = path.file_name()?.to_str().filter(|file| file.len() <= NAME)?;
    let stem = file.strip_suffix(".ko").or_else(|| {
        let (stem, compression) = file.rsplit_once('.')?;
        stem.strip_suffix(".ko").filter(|_| !compression.is_empty())
    })?;
    (!stem.is_empty()).then(|| stem.replace('-', "_"))
}

/// Iterates over the paths of the module files listed in `modules.dep`, in its
/// order, relative to its folder: the part of each line before the colon. Paths
/// that lead outside the folder, or are too long, are skipped.
///
/// ```
/// # fn main() -> Result<(), btf_kernel::Error> {
/// let text = b"kernel/net/openvswitch/openvswitch.ko.xz: kernel/net/nsh/nsh.ko.xz\nkernel/net/nsh/nsh.ko.xz:\n";
/// let paths: Vec<_> = btf_kernel::modules_dep(text).collect();
/// assert_eq!(paths[1].to_str(), Some("kernel/net/nsh/nsh.ko.xz"));
/// # Ok(())
/// # }
/// ```
pub fn modules_dep(text: &[u8]) -> impl Iterator<Item = &Path> {
    text.split(|&byte| byte == b'\n').filter_map(|line| {
        let (path, _) = line.split_at_checked(line.iter().position(|&byte| byte == b':')?)?;
        let path = sys::path(path.trim_ascii()).filter(|path| path.as_os_str().len() <= PATH)?;
        let leads_out = path.components().any(|part| part == Component::ParentDir);
        (!leads_out && path.file_name().is_some()).then_some(path)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_modules() {
        let long = format!("{}.ko", "a".repeat(NAME));
        for (path, name) in [
            ("kernel/drivers/net/veth.ko", Some("veth")),
            ("snd-hda-intel.ko.zst", Some("snd_hda_intel")),
            ("a.ko.xz", Some("a")),
            ("a.b.ko.gz", Some("a.b")),
            ("modules.dep", None),
            (".ko", None),
            ("x.ko.", None),
            ("vmlinuz", None),
            ("a.ko.debug.old", None),
            (&long, None),
        ] {
            assert_eq!(name_of(Path::new(path)).as_deref(), name, "{path}");
        }
    }

    #[test]
    fn lines_of_modules_dep() {
        let text = b"kernel/a.ko.xz: kernel/b.ko.xz\nkernel/b.ko.xz:\n\nno colon\n../out.ko:\n/lib/modules/1/kernel/c.ko:\n:\nd.ko:";
        let paths: Vec<_> = modules_dep(text).map(|path| path.to_str().unwrap()).collect();
        assert_eq!(paths, ["kernel/a.ko.xz", "kernel/b.ko.xz", "/lib/modules/1/kernel/c.ko", "d.ko"]);
        let long = format!("{}.ko:\n", "a/".repeat(PATH));
        assert_eq!(modules_dep(long.as_bytes()).count(), 0);
    }

    fn files_of(paths: impl IntoIterator<Item = String>) -> Result<ModuleFiles, usize> {
        let folder = Path::new("/lib/modules/1");
        let mut files = ModuleFiles::default();
        paths.into_iter().try_for_each(|path| files.add(folder, folder.join(path)))?;
        Ok(files)
    }

    #[test]
    fn updates_take_precedence_and_a_file_is_listed_once() {
        let paths =
            ["kernel/a.ko", "other/a.ko", "updates/dkms/a.ko", "weak-updates/a.ko", "extra/a.ko", "kernel/a.ko"];
        let files = files_of(paths.map(Into::into)).unwrap();
        let names: Vec<_> =
            files.get("a").iter().map(|path| path.strip_prefix("/lib/modules/1").unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["updates/dkms/a.ko", "extra/a.ko", "weak-updates/a.ko", "kernel/a.ko", "other/a.ko"]);
        assert_eq!((files.len(), files.get("b").len()), (1, 0));
    }

    #[test]
    fn files_are_bounded_of_one_module_and_of_all() {
        let many = (0..1000).map(|index| format!("kernel/{index}/a.ko")).chain(["updates/a.ko".into()]);
        let files = files_of(many).unwrap();
        assert_eq!(files.get("a").len(), FILES_OF_ONE);
        assert!(files.get("a")[0].ends_with("updates/a.ko") && files.get("a")[1].ends_with("kernel/0/a.ko"));
        assert!(files_of((0..FILES).map(|index| format!("{index}.ko"))).is_ok());
        assert_eq!(files_of((0..=FILES).map(|index| format!("{index}.ko"))), Err(FILES));
    }
}
