//! A kernel's modules: which there are, and their BTF.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
};

use btf_types::{Btf, Collection, Kind, Type};

use crate::{Attempt, Error, Kernel, Root, kernel::SYSFS};

/// As deep a tree of modules is walked, and as many files of it.
const DEPTH: usize = 16;
const FILES: usize = 1 << 20;

/// The module files of a release, by name: of each the paths, the one that goes
/// before all others first.
pub(crate) type ModuleFiles = BTreeMap<String, Vec<PathBuf>>;

/// A kernel and some of its modules, opened; see [`Kernel::collection`].
#[derive(Debug)]
#[non_exhaustive]
pub struct Modules {
    /// The kernel, named `vmlinux`, and the modules, looked up as one.
    pub collection: Collection,
    /// The modules that could not be opened, and why: most often they have no
    /// BTF. (What is wrong with one keeps nobody from the others.)
    pub faults: Vec<(String, Error)>,
}

impl Kernel {
    /// The BTF of a module, split from [`Kernel::btf`]: opened when first asked
    /// for, and kept. In a name, `-` and `_` are the same.
    ///
    /// It is looked for in sysfs, where the kernel shows it of modules that are
    /// loaded, and then in the module's file, also compressed. If that was built
    /// against another kernel and brings a base of its own, it is rebased.
    ///
    /// # Errors
    ///
    /// Those of [`Kernel::btf`]; [`Error::ModuleName`]; [`Error::NotFound`] with
    /// all places and what is wrong with each. That a module does not belong to
    /// this kernel shows in ids or names that do not exist.
    pub fn module(&self, name: &str) -> Result<Btf, Error> {
        let name = normal(name)?;
        if let Some(opened) = self.opened().get(&name) {
            return Ok(opened.clone());
        }
        let base = self.btf()?;
        let module = self.find_module(&name, &base)?;
        // Another thread may have been faster; then its is kept.
        Ok(self.opened().entry(name).or_insert(module).clone())
    }

    fn opened(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Btf>> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find_module(&self, name: &str, base: &Btf) -> Result<Btf, Error> {
        let mut tried = Vec::new();
        if self.is_running() {
            match self.in_sysfs(name, Some(base)) {
                Ok((btf, _)) => return Ok(btf),
                Err(attempt) => tried.push(attempt),
            }
        }
        match self.paths_of(name) {
            Ok(paths) => {
                for path in paths {
                    match self.on_disk(&path, Some(base)) {
                        Ok(btf) => return Ok(btf),
                        Err(error) => tried.push(Attempt { path: self.root().outside(path), error: error.into() }),
                    }
                }
            }
            Err(error) => tried.push(Attempt { path: self.root().outside("/lib/modules"), error: error.into() }),
        }
        Err(Error::NotFound { what: format!("module {name}"), tried })
    }

    /// The files that could be a module, best first: what modules.dep says, else
    /// what a walk finds.
    fn paths_of(&self, name: &str) -> Result<Vec<PathBuf>, Error> {
        if let Some(files) = self.files.get() {
            return Ok(files.get(name).cloned().unwrap_or_default());
        }
        let listed = self.listed_files()?.get(name).cloned().unwrap_or_default();
        let is_there = listed.iter().any(|path| self.root().open(path).is_ok());
        if is_there {
            return Ok(listed);
        }
        Ok(self.module_files()?.get(name).cloned().unwrap_or_default())
    }

    /// The names of modules whose BTF the kernel shows in sysfs, in order: of
    /// those that are loaded and have any.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if sysfs cannot be listed; [`Error::NotFound`] if this is
    /// not the kernel that runs.
    pub fn modules(&self) -> Result<Vec<String>, Error> {
        if !self.is_running() {
            return Err(Error::NotFound {
                what: "loaded modules, as this kernel does not run".into(),
                tried: Vec::new(),
            });
        }
        let names = self.root().list(SYSFS).map_err(|source| Error::Io { path: self.root().outside(SYSFS), source })?;
        let names = names.into_iter().filter_map(|(name, _)| name.into_string().ok());
        Ok(names.filter(|name| name != "vmlinux").collect())
    }

    /// The names of all loaded modules, in order, with or without BTF.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if `/proc/modules` cannot be read.
    pub fn loaded_modules(&self) -> Result<Vec<String>, Error> {
        let path = "/proc/modules";
        let text = self.root().read(path).map_err(|source| Error::Io { path: self.root().outside(path), source })?;
        let text = String::from_utf8_lossy(&text);
        let mut names: Vec<String> =
            text.lines().filter_map(|line| line.split_ascii_whitespace().next()).map(Into::into).collect();
        names.sort();
        Ok(names)
    }

    /// The modules that are on disk, in `/lib/modules/RELEASE`: the files of
    /// each, as paths inside [`Kernel::root`], the one that goes before all
    /// others first. (Those in `updates` go before all others, as for depmod.)
    ///
    /// # Errors
    ///
    /// [`Error::NoRelease`]; [`Error::Io`] if there is no such folder.
    pub fn module_files(&self) -> Result<&BTreeMap<String, Vec<PathBuf>>, Error> {
        if let Some(files) = self.files.get() {
            return Ok(files);
        }
        let folder = self.modules_folder()?;
        let mut files = self.listed_files()?.clone();
        for (name, paths) in walked(self.root(), &folder) {
            let known = files.entry(name).or_default();
            known.extend(paths);
            sort(known, &folder);
        }
        Ok(self.files.get_or_init(|| files))
    }

    /// Those that modules.dep lists.
    fn listed_files(&self) -> Result<&ModuleFiles, Error> {
        if let Some(listed) = self.listed.get() {
            return Ok(listed);
        }
        let folder = self.modules_folder()?;
        Ok(self.listed.get_or_init(|| listed(self.root(), &folder)))
    }

    /// The folder of the release's modules, inside the root.
    fn modules_folder(&self) -> Result<PathBuf, Error> {
        let release = self.release()?;
        let folders = ["/lib/modules", "/usr/lib/modules"].map(|folder| Path::new(folder).join(release));
        let mut fault = None;
        for folder in folders {
            match self.root().list(&folder) {
                Ok(_) => return Ok(folder),
                Err(source) => _ = fault.get_or_insert(Error::Io { path: self.root().outside(folder), source }),
            }
        }
        Err(fault.unwrap_or_else(|| Error::NoRelease { root: self.root().folder().into() }))
    }

    /// The kernel and these modules, looked up as one; each answer says which
    /// of them it is from. They are opened on all cores, and kept.
    ///
    /// # Errors
    ///
    /// Those of [`Kernel::btf`]. What is wrong with a module is in
    /// [`Modules::faults`].
    pub fn collection<S: AsRef<str>>(&self, names: impl IntoIterator<Item = S>) -> Result<Modules, Error> {
        let vmlinux = self.btf()?;
        let names: BTreeSet<String> = names.into_iter().map(|name| name.as_ref().replace('-', "_")).collect();
        let names: Vec<String> = names.into_iter().collect();
        let mut modules = Modules { collection: Collection::new("vmlinux", vmlinux), faults: Vec::new() };
        for (name, opened) in self.open_all(&names) {
            let added = opened.and_then(|btf| {
                let what = format!("module {name}");
                modules.collection.add(name.as_str(), btf).map_err(|source| Error::Btf { what, source })
            });
            if let Err(error) = added {
                modules.faults.push((name, error));
            }
        }
        Ok(modules)
    }

    /// The kernel and all of its modules: those that are loaded, if it runs, and
    /// those on disk.
    ///
    /// # Errors
    ///
    /// Those of [`Kernel::btf`]; if there are neither modules in sysfs nor on
    /// disk, those of [`Kernel::module_files`].
    pub fn collection_of_all(&self) -> Result<Modules, Error> {
        self.collection(self.all_names()?)
    }

    /// The names of all modules, those in sysfs first.
    fn all_names(&self) -> Result<Vec<String>, Error> {
        let mut names = self.modules().unwrap_or_default();
        match self.module_files() {
            Ok(files) => names
                .extend(files.keys().filter(|name| names.binary_search(name).is_err()).cloned().collect::<Vec<_>>()),
            Err(error) if names.is_empty() => return Err(error),
            Err(_) => {}
        }
        Ok(names)
    }

    /// The first module that has a type or function of its own of this name, and
    /// if one is given of this kind: its name, and its BTF. Loaded modules are
    /// looked at first. What is opened for this is kept.
    ///
    /// # Errors
    ///
    /// Those of [`Kernel::btf`] and [`Kernel::collection_of_all`]. A module
    /// without BTF is passed over.
    pub fn find_module_of(&self, name: &str, kind: Option<Kind>) -> Result<Option<(String, Btf)>, Error> {
        self.btf()?;
        for module in self.all_names()? {
            let Ok(btf) = self.module(&module) else { continue };
            let has = btf.find_own::<Type<'_>>(name).into_iter().any(|ty| kind.is_none() || ty.kind() == kind);
            if has {
                return Ok(Some((module, btf)));
            }
        }
        Ok(None)
    }

    /// Opens modules on all cores; in the order of the names.
    fn open_all(&self, names: &[String]) -> Vec<(String, Result<Btf, Error>)> {
        // Found once, and not by every thread.
        let _ = self.module_files();
        let cores = thread::available_parallelism().map_or(1, Into::into).min(names.len());
        let (next, results) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
        let work = || {
            while let Some((index, name)) = {
                let index = next.fetch_add(1, Relaxed);
                names.get(index).map(|name| (index, name))
            } {
                let opened = self.module(name);
                results.lock().unwrap_or_else(PoisonError::into_inner).insert(index, opened);
            }
        };
        thread::scope(|scope| {
            (1..cores).for_each(|_| _ = scope.spawn(work));
            work();
        });
        let results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
        names.iter().cloned().zip(results.into_values()).collect()
    }
}

/// A module's name with `_` for `-`, if it is one.
fn normal(name: &str) -> Result<String, Error> {
    if name.is_empty() || name == "vmlinux" || name.contains(['/', '.']) {
        return Err(Error::ModuleName { name: name.into() });
    }
    Ok(name.replace('-', "_"))
}

/// The name of the module in a file: `veth` of `veth.ko.xz`; `None` if it is no
/// module's.
fn name_of(path: &Path) -> Option<String> {
    let file = path.file_name()?.to_str()?;
    let stem = file.strip_suffix(".ko").or_else(|| {
        let (stem, compression) = file.rsplit_once('.')?;
        stem.strip_suffix(".ko").filter(|_| !compression.is_empty())
    })?;
    (!stem.is_empty()).then(|| stem.replace('-', "_"))
}

/// The files that modules.dep lists.
fn listed(root: &Root, folder: &Path) -> ModuleFiles {
    let text = root.read(folder.join("modules.dep")).unwrap_or_default();
    let mut files = ModuleFiles::new();
    for path in modules_dep(&text) {
        if let Some(name) = name_of(path) {
            // An absolute path, as depmod -b writes it, is inside the root too.
            files.entry(name).or_default().push(folder.join(path));
        }
    }
    files.values_mut().for_each(|paths| sort(paths, folder));
    files
}

/// The paths of module files that a `modules.dep` lists, in its order, relative
/// to the folder that it is in: of each line what is before the colon.
pub fn modules_dep(text: &[u8]) -> impl Iterator<Item = &Path> {
    text.split(|&byte| byte == b'\n').filter_map(|line| {
        let (path, _) = line.split_at_checked(line.iter().position(|&byte| byte == b':')?)?;
        let path = Path::new(OsStr::from_bytes(path.trim_ascii()));
        let leads_out = path.components().any(|part| part == std::path::Component::ParentDir);
        (!leads_out && path.file_name().is_some()).then_some(path)
    })
}

/// The module files below a folder. Links to folders are not followed: `build`
/// leads to the source of the kernel.
fn walked(root: &Root, folder: &Path) -> ModuleFiles {
    let mut files = ModuleFiles::new();
    let mut open = vec![(folder.to_owned(), 0)];
    let mut count = 0;
    while let Some((folder, depth)) = open.pop() {
        for (name, is_folder) in root.list(&folder).unwrap_or_default() {
            count += 1;
            if count > FILES {
                return files;
            }
            let path = folder.join(name);
            match is_folder {
                true if depth < DEPTH => open.push((path, depth + 1)),
                true => {}
                false => {
                    if let Some(name) = name_of(&path) {
                        files.entry(name).or_default().push(path);
                    }
                }
            }
        }
    }
    files
}

/// Sorts files of one name: `updates` first, as for depmod, then what else was
/// added to the kernel's own; and each only once.
fn sort(paths: &mut Vec<PathBuf>, folder: &Path) {
    let rank = |path: &PathBuf| {
        let first = path.strip_prefix(folder).ok().and_then(|path| path.iter().next()).unwrap_or_default();
        ["updates", "extra", "weak-updates", "kernel"].iter().position(|known| first == *known).unwrap_or(4)
    };
    let mut seen = BTreeSet::new();
    paths.retain(|path| seen.insert(path.clone()));
    paths.sort_by_key(rank);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_modules() {
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
        ] {
            assert_eq!(name_of(Path::new(path)).as_deref(), name, "{path}");
        }
    }

    #[test]
    fn lines_of_modules_dep() {
        let text = b"kernel/a.ko.xz: kernel/b.ko.xz\nkernel/b.ko.xz:\n\nno colon\n../out.ko:\n/lib/modules/1/kernel/c.ko:\n:\n\xff.ko:";
        let paths: Vec<_> = modules_dep(text).map(|path| path.as_os_str().as_bytes()).collect();
        assert_eq!(paths, [&b"kernel/a.ko.xz"[..], b"kernel/b.ko.xz", b"/lib/modules/1/kernel/c.ko", b"\xff.ko"]);
    }

    #[test]
    fn updates_go_first() {
        let folder = Path::new("/lib/modules/1");
        let mut paths: Vec<PathBuf> =
            ["kernel/a.ko", "other/a.ko", "updates/dkms/a.ko", "weak-updates/a.ko", "extra/a.ko", "kernel/a.ko"]
                .map(|path| folder.join(path))
                .to_vec();
        sort(&mut paths, folder);
        let names: Vec<_> = paths.iter().map(|path| path.strip_prefix(folder).unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["updates/dkms/a.ko", "extra/a.ko", "weak-updates/a.ko", "kernel/a.ko", "other/a.ko"]);
    }
}
