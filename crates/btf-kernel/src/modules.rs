//! Modules of a kernel, and their BTF.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use btf_elf::on_all_cores;
use btf_types::{Btf, Collection, Kind, Type};

use crate::{Attempt, Error, Kernel, ModuleFiles, error::is_missing, kernel::SYSFS};

/// Maximum number of loaded modules.
const LOADED: usize = 1 << 17;

/// List of the loaded modules.
const PROC_MODULES: &str = "/proc/modules";

/// Module with its BTF, which is split from the kernel's.
#[derive(Debug, Clone)]
pub struct Module {
    name: String,
    btf: Btf,
}

impl Module {
    /// Name of the module, with `_` for `-`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// BTF of the module.
    #[must_use]
    pub fn btf(&self) -> &Btf {
        &self.btf
    }

    /// Returns the BTF alone.
    #[must_use]
    pub fn into_btf(self) -> Btf {
        self.btf
    }
}

/// Kernel with opened modules: see [`Kernel::open_modules`].
#[derive(Debug)]
pub struct Modules {
    collection: Collection,
    faults: Vec<(String, Error)>,
}

impl Modules {
    /// Collection of the kernel, named `vmlinux`, and the modules, queried
    /// together.
    #[must_use]
    pub fn collection(&self) -> &Collection {
        &self.collection
    }

    /// Converts to the collection.
    #[must_use]
    pub fn into_collection(self) -> Collection {
        self.collection
    }

    /// Modules that could not be opened, by name, with the reasons. Most of
    /// them have no BTF.
    #[must_use]
    pub fn faults(&self) -> &[(String, Error)] {
        &self.faults
    }
}

impl Kernel {
    /// Returns the BTF of a module, with [`Kernel::btf`] as its base. It is
    /// opened on first use and kept. In the name, `-` and `_` are equal.
    ///
    /// It is searched in sysfs, which has that of loaded modules, and then in
    /// the module's file, also compressed. If the module was built against
    /// another kernel and has a distilled base, its BTF is rebased.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_kernel::Error> {
    /// use btf_kernel::{Error, Kernel, types::Func};
    ///
    /// let kernel = Kernel::of("doc/root");
    /// let veth = kernel.module("veth")?;
    /// assert!(veth.base().unwrap().is_same(&kernel.btf()?)); // the same types
    /// assert!(veth.find::<Func<'_>>("veth_xmit").is_ok());
    /// assert!(matches!(kernel.module("no-such-module"), Err(Error::NoModuleBtf { .. })));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`Kernel::btf`]; [`Error::ModuleName`]; [`Error::NoModuleBtf`]
    /// with all places and the reasons. A module of another kernel fails with
    /// ids or names that do not exist.
    pub fn module(&self, name: &str) -> Result<Btf, Error> {
        let name = normal(name)?;
        if let Some(opened) = self.module_index().get(&name) {
            return Ok(opened);
        }
        let base = self.btf()?;
        let module = self.find_module(&name, &base)?;
        Ok(self.module_index().keep(name, module))
    }

    fn find_module(&self, name: &str, base: &Btf) -> Result<Btf, Error> {
        let mut tried = Vec::new();
        if self.is_running() {
            match self.in_sysfs(name, Some(base)) {
                Ok((btf, _)) => return Ok(btf),
                Err(attempt) => tried.push(attempt),
            }
        }
        match self.files_of(name) {
            Ok(paths) => {
                for path in paths {
                    match self.module_on_disk(path, base) {
                        Ok(btf) => return Ok(btf),
                        Err(error) => tried.push(Attempt::new(self.root().outside(path), error)),
                    }
                }
            }
            Err(error) => tried.push(Attempt::new(self.root().outside("/lib/modules"), error)),
        }
        Err(Error::NoModuleBtf { name: name.into(), tried })
    }

    /// Returns the candidate files of a module by precedence: those listed in
    /// modules.dep if one exists, else all that are found in the tree.
    fn files_of(&self, name: &str) -> Result<&[PathBuf], Error> {
        if let Some(files) = self.module_index().known() {
            return Ok(files.get(name));
        }
        let listed = self.listed_files()?.get(name);
        let is_there = listed.iter().any(|path| self.root().open(path).is_ok());
        if is_there { Ok(listed) } else { Ok(self.module_files()?.get(name)) }
    }

    /// Returns the names of all modules, sorted: those in sysfs, if the kernel
    /// is running, and those on disk.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_kernel::Error> {
    /// assert_eq!(btf_kernel::Kernel::of("doc/root").module_names()?, ["veth"]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`Kernel::module_files`] and of [`Kernel::sysfs_module_names`].
    /// Errors of files are ignored if sysfs has modules.
    pub fn module_names(&self) -> Result<Vec<String>, Error> {
        let in_sysfs = if self.is_running() { self.sysfs_module_names()? } else { Vec::new() };
        match self.module_files() {
            Ok(files) => {
                let names: BTreeSet<&str> = files.names().chain(in_sysfs.iter().map(String::as_str)).collect();
                Ok(names.into_iter().map(Into::into).collect())
            }
            Err(error) if in_sysfs.is_empty() => Err(error),
            Err(_) => Ok(in_sysfs),
        }
    }

    /// Returns the names of the loaded modules with BTF in sysfs, sorted.
    ///
    /// # Errors
    ///
    /// [`Error::NotRunning`] if this is not the running kernel; [`Error::Io`]
    /// if sysfs cannot be listed. (A missing folder for BTF is not an error:
    /// the list is then empty.)
    pub fn sysfs_module_names(&self) -> Result<Vec<String>, Error> {
        self.must_run()?;
        let names = match self.root().list(SYSFS) {
            Ok(names) => names,
            Err(error) if is_missing(&error) => Vec::new(),
            Err(error) => return Err(Error::Io { path: self.root().outside(SYSFS), error }),
        };
        let names = names.into_iter().filter_map(|(name, _)| name.into_string().ok());
        Ok(names.filter(|name| name != "vmlinux").collect())
    }

    /// Returns the names of all loaded modules, sorted, with or without BTF.
    ///
    /// # Errors
    ///
    /// [`Error::NotRunning`] if this is not the running kernel; [`Error::Io`]
    /// if `/proc/modules` cannot be read. (If only this file is missing, the
    /// list is empty, as for a kernel without module support.)
    /// [`Error::TooManyModules`].
    pub fn loaded_module_names(&self) -> Result<Vec<String>, Error> {
        self.must_run()?;
        let is_proc_there = || self.root().open("/proc/sys/kernel/osrelease").is_ok();
        let path = self.root().outside(PROC_MODULES);
        let text = match self.root().read(PROC_MODULES) {
            Ok(text) => text,
            Err(error) if is_missing(&error) && is_proc_there() => Vec::new(),
            Err(error) => return Err(Error::Io { path, error }),
        };
        let text = String::from_utf8_lossy(&text);
        let names = text.lines().filter_map(|line| line.split_ascii_whitespace().next());
        let mut names: Vec<String> = names.take(LOADED + 1).map(Into::into).collect();
        if names.len() > LOADED {
            return Err(Error::TooManyModules { path, limit: LOADED });
        }
        names.sort();
        Ok(names)
    }

    fn must_run(&self) -> Result<(), Error> {
        if self.is_running() { Ok(()) } else { Err(Error::NotRunning { release: self.release()?.into() }) }
    }

    /// Returns the module files on disk, in `/lib/modules/RELEASE`; none if the
    /// folder does not exist.
    ///
    /// # Errors
    ///
    /// Those of [`Kernel::release`]; [`Error::Io`] if the folder cannot be
    /// read, or the root does not exist; [`Error::TooManyModules`].
    pub fn module_files(&self) -> Result<&ModuleFiles, Error> {
        self.module_index().all(|| {
            let mut files = self.listed_files()?.clone();
            if let Some(folder) = self.modules_folder()? {
                files.add_tree(self.root(), &folder)?;
            }
            Ok(files)
        })
    }

    /// Returns the files listed in modules.dep.
    fn listed_files(&self) -> Result<&ModuleFiles, Error> {
        self.module_index().listed(|| match self.modules_folder()? {
            Some(folder) => ModuleFiles::listed(self.root(), &folder),
            None => Ok(ModuleFiles::default()),
        })
    }

    /// Returns the folder of the release's modules, inside the root; `None` if
    /// the system has none.
    fn modules_folder(&self) -> Result<Option<PathBuf>, Error> {
        let release = self.release()?;
        let folders = ["/lib/modules", "/usr/lib/modules"].map(|folder| Path::new(folder).join(release));
        for folder in folders.iter().map(PathBuf::as_path).chain([Path::new("/")]) {
            match self.root().list(folder) {
                Ok(_) if folder == Path::new("/") => {}
                Ok(_) => return Ok(Some(folder.into())),
                Err(error) if is_missing(&error) && folder != Path::new("/") => {}
                Err(error) => return Err(Error::Io { path: self.root().outside(folder), error }),
            }
        }
        Ok(None)
    }

    /// Opens modules on all cores, and keeps them. The result is a collection
    /// of the kernel and these modules; each answer comes with its module.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_kernel::Error> {
    /// # let kernel = btf_kernel::Kernel::of("doc/root");
    /// let modules = kernel.open_modules(["veth", "vxlan"])?;
    /// assert_eq!(modules.collection().objects().count(), 2); // `vmlinux` and `veth`
    /// for (name, error) in modules.faults() {
    ///     println!("{name} is left out: {error}");
    ///     assert_eq!(name, "vxlan");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`Kernel::btf`]. Errors of a module are in [`Modules::faults`].
    pub fn open_modules<'name>(&self, names: impl IntoIterator<Item = &'name str>) -> Result<Modules, Error> {
        let vmlinux = self.btf()?;
        let names: BTreeSet<String> = names.into_iter().map(|name| name.replace('-', "_")).collect();
        let names: Vec<String> = names.into_iter().collect();
        let mut modules = Modules { collection: Collection::new("vmlinux", vmlinux), faults: Vec::new() };
        for (name, opened) in self.open_all(&names) {
            let added = opened.and_then(|btf| {
                let added = modules.collection.add(name.as_str(), btf);
                added.map_err(|error| Error::Collection { name: name.clone(), error })
            });
            if let Err(error) = added {
                modules.faults.push((name, error));
            }
        }
        Ok(modules)
    }

    /// Opens all modules of [`Kernel::module_names`], as
    /// [`Kernel::open_modules`] does. Without modules, the collection has only
    /// the kernel.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_kernel::Error> {
    /// use btf_kernel::{Kernel, types::Func};
    ///
    /// let all = Kernel::of("doc/root").open_all_modules()?;
    /// assert!(all.faults().is_empty());
    /// let names: Vec<_> = all.collection().objects().map(|object| object.name()).collect();
    /// assert_eq!(names, ["vmlinux", "veth"]);
    /// let found = all.collection().find_first::<Func<'_>>("veth_xmit").unwrap();
    /// assert_eq!(found.object.name(), "veth");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`Kernel::btf`] and of [`Kernel::module_names`].
    pub fn open_all_modules(&self) -> Result<Modules, Error> {
        self.open_modules(self.module_names()?.iter().map(String::as_str))
    }

    /// Finds the module that has an own type or function of this name: the
    /// module that defines a function. Modules in sysfs take precedence over
    /// those on disk. The modules are opened on all cores and kept; those that
    /// cannot be opened are skipped.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_kernel::Error> {
    /// use btf_kernel::types::Kind;
    ///
    /// # let kernel = btf_kernel::Kernel::of("doc/root");
    /// let module = kernel.find_module_of("veth_xmit", Kind::Func)?.expect("a module defines it");
    /// assert_eq!(module.name(), "veth");
    /// assert!(kernel.find_module_of("consume_skb", Kind::Func)?.is_none()); // the kernel itself does
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::AmbiguousModule`] with the names if several modules have one,
    /// as with a struct of a shared header: use
    /// [`Kernel::find_all_modules_of`]. Those of [`Kernel::btf`] and of
    /// [`Kernel::module_names`].
    pub fn find_module_of(&self, name: &str, kind: impl Into<Option<Kind>>) -> Result<Option<Module>, Error> {
        let kind = kind.into();
        for names in self.names_by_precedence()? {
            let mut modules = self.modules_with(&names, name, kind)?;
            match modules.pop() {
                None => {}
                Some(module) if modules.is_empty() => return Ok(Some(module)),
                Some(last) => {
                    let modules = modules.into_iter().chain([last]).map(|module| module.name).collect();
                    return Err(Error::AmbiguousModule { name: name.into(), kind, modules });
                }
            }
        }
        Ok(None)
    }

    /// Finds all modules that have an own type or function of this name: first
    /// those in sysfs, then those on disk.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_kernel::Error> {
    /// use btf_kernel::{Kernel, types::Kind};
    ///
    /// let kernel = Kernel::of("doc/root");
    /// let modules = kernel.find_all_modules_of("veth_priv", Kind::Struct)?;
    /// assert_eq!(modules.iter().map(|module| module.name()).collect::<Vec<_>>(), ["veth"]);
    /// assert!(kernel.find_all_modules_of("veth_priv", Kind::Func)?.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`Kernel::btf`] and of [`Kernel::module_names`].
    pub fn find_all_modules_of(&self, name: &str, kind: impl Into<Option<Kind>>) -> Result<Vec<Module>, Error> {
        let kind = kind.into();
        let mut modules = Vec::new();
        for names in self.names_by_precedence()? {
            modules.extend(self.modules_with(&names, name, kind)?);
        }
        Ok(modules)
    }

    /// Returns the names of the modules in sysfs, and those of all others.
    fn names_by_precedence(&self) -> Result<[Vec<String>; 2], Error> {
        let in_sysfs = if self.is_running() { self.sysfs_module_names()? } else { Vec::new() };
        let mut others = self.module_names()?;
        others.retain(|name| in_sysfs.binary_search(name).is_err());
        Ok([in_sysfs, others])
    }

    /// Returns the modules that have an own type of this name and kind.
    fn modules_with(&self, modules: &[String], name: &str, kind: Option<Kind>) -> Result<Vec<Module>, Error> {
        self.btf()?;
        let has = |btf: &Btf| btf.find_own::<Type<'_>>(name).into_iter().any(|ty| kind.is_none() || ty.kind() == kind);
        let opened = self.open_all(modules).into_iter();
        let opened = opened.filter_map(|(name, btf)| btf.ok().map(|btf| Module { name, btf }));
        Ok(opened.filter(|module| has(&module.btf)).collect())
    }

    /// Opens modules on all cores, and returns them in the order of the names.
    fn open_all(&self, names: &[String]) -> Vec<(String, Result<Btf, Error>)> {
        // The files are searched once, not by every thread.
        if !names.is_empty() {
            let _ = self.module_files();
        }
        on_all_cores(names, |name| (name.clone(), self.module(name)))
    }
}

/// Returns a module's name with `_` for `-`, if it is valid.
fn normal(name: &str) -> Result<String, Error> {
    if name.is_empty() || name == "vmlinux" || name.contains(['/', '.']) {
        return Err(Error::ModuleName { name: name.into() });
    }
    Ok(name.replace('-', "_"))
}
