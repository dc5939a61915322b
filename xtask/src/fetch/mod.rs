//! Fetches the entries of `fixtures/manifest.toml` into `fixtures/fetched`, which
//! git ignores.
//!
//! An entry is fetched into a temporary folder, which is renamed when complete,
//! so that an interrupted run leaves nothing that looks complete. An existing
//! entry is fetched again only if one of its files was damaged or removed. The
//! checksums of downloads are compared with those in `fixtures/manifest.lock`,
//! except where the manifest requests the newest version; `--record` rewrites
//! that file.

mod apt;
mod contents;
mod deb;
mod lock;
mod manifest;
mod objects;
mod web;

use std::{
    collections::VecDeque,
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, atomic::AtomicUsize, atomic::Ordering::Relaxed},
    thread,
};

use contents::State;
use lock::Lock;
use manifest::{Entry, Origin};

use crate::{Result, root, say};

/// Number of entries that are fetched in parallel.
const WORKERS: usize = 4;

pub(crate) fn run(arguments: &[&str]) -> Result {
    let options = Options::parse(arguments)?;
    let fixtures = root().join("fixtures");
    let mut entries = manifest::read(&fixtures.join("manifest.toml"))?;
    if !options.only.is_empty() {
        if let Some(unknown) = options.only.iter().find(|name| !entries.iter().any(|entry| entry.name == **name)) {
            return Err(format!("{unknown}: the manifest has no such entry; --list shows them").into());
        }
        entries.retain(|entry| options.only.contains(&entry.name.as_str()));
    }
    let folder = fixtures.join("fetched");
    if options.list {
        for entry in &entries {
            let state = match entry.state(&folder) {
                State::Absent => "-",
                State::Whole => "fetched",
                State::Damaged(_) => "damaged",
            };
            say(format_args!("{:<26}{state:<9}{}", entry.name, entry.origin));
        }
        return Ok(());
    }
    fs::create_dir_all(&folder)?;
    let lock = Mutex::new(Lock::read(&fixtures.join("manifest.lock"))?);
    let failures = fetch_all(&entries, &folder, &lock);
    if options.record {
        lock.into_inner()?.write()?;
    }
    if failures.is_empty() { Ok(()) } else { Err(failures.join("\nxtask: ").into()) }
}

struct Options<'a> {
    list: bool,
    record: bool,
    only: Vec<&'a str>,
}

impl<'a> Options<'a> {
    fn parse(arguments: &[&'a str]) -> Result<Self> {
        let mut options = Self { list: false, record: false, only: Vec::new() };
        let mut arguments = arguments.iter();
        while let Some(&argument) = arguments.next() {
            match argument {
                "--list" => options.list = true,
                "--record" => options.record = true,
                "--only" => options.only.push(arguments.next().ok_or("--only needs a name")?),
                _ => return Err(format!("fetch-fixtures does not know {argument}").into()),
            }
        }
        Ok(options)
    }
}

/// Fetches entries in parallel. Returns the failures.
fn fetch_all(entries: &[Entry], folder: &Path, lock: &Mutex<Lock>) -> Vec<String> {
    let mut waiting = Vec::new();
    for entry in entries {
        match entry.state(folder) {
            State::Whole => say(format_args!("{}: is there", entry.name)),
            State::Absent => waiting.push(entry),
            State::Damaged(reason) => {
                say(format_args!("{}: damaged, and fetched again: {reason}", entry.name));
                waiting.push(entry);
            }
        }
    }
    let count = waiting.len();
    let queue: Mutex<VecDeque<&Entry>> = Mutex::new(waiting.into());
    let failures = Mutex::new(Vec::new());
    let begun = AtomicUsize::new(0);
    let next = || queue.lock().ok()?.pop_front();
    thread::scope(|scope| {
        for _ in 0..WORKERS.min(count) {
            scope.spawn(|| {
                while let Some(entry) = next() {
                    let number = begun.fetch_add(1, Relaxed) + 1;
                    let progress = |text: &str| say(format_args!("[{number}/{count}] {}: {text}", entry.name));
                    progress(&entry.origin.to_string());
                    match fetch(entry, folder, lock, &progress) {
                        Ok(files) => progress(&format!("done, {files} files")),
                        Err(error) => {
                            progress("failed");
                            if let Ok(mut failures) = failures.lock() {
                                failures.push(format!("{}: {error}", entry.name));
                            }
                        }
                    }
                }
            });
        }
    });
    failures.into_inner().unwrap_or_default()
}

/// Fetches an entry. Returns its number of files.
fn fetch(entry: &Entry, folder: &Path, lock: &Mutex<Lock>, progress: &dyn Fn(&str)) -> Result<usize> {
    let partial = folder.join(format!(".{}.partial", entry.name));
    fs::create_dir_all(&partial)?;
    let downloads = match &entry.origin {
        Origin::Debian { architecture, suite, packages } => {
            apt::download(folder, &partial, architecture, suite, packages, progress)?
        }
        Origin::Web { url } => vec![web::download(&partial, url)?],
    };
    let checksums =
        downloads.iter().map(|file| Ok((name_of(file), lock::checksum(file)?))).collect::<Result<Vec<_>>>()?;
    lock.lock().map_err(|_| "another thread panicked")?.check(&entry.name, &checksums, entry.newest)?;
    let unpacked = partial.join("unpacked");
    if unpacked.exists() {
        fs::remove_dir_all(&unpacked)?;
    }
    fs::create_dir_all(&unpacked)?;
    let mut files = 0;
    for file in &downloads {
        match &entry.origin {
            Origin::Debian { .. } => {
                progress(&format!("unpacking {}", name_of(file)));
                files += deb::unpack(file, &unpacked, &entry.keep, entry.objects)?;
            }
            Origin::Web { .. } => {
                fs::copy(file, unpacked.join(name_of(file)))?;
                files += 1;
            }
        }
    }
    if files == 0 {
        return Err("nothing in it is what the manifest wants kept".into());
    }
    let (to, list) = (entry.folder(folder), entry.list(folder));
    if to.exists() {
        fs::remove_dir_all(&to)?;
    }
    contents::record(&unpacked, &list)?;
    fs::rename(&unpacked, to)?;
    fs::remove_dir_all(&partial)?;
    Ok(files)
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

impl Entry {
    /// Folder of the complete entry.
    fn folder(&self, fetched: &Path) -> PathBuf {
        fetched.join(&self.name)
    }

    /// Path of the list of its files.
    fn list(&self, fetched: &Path) -> PathBuf {
        fetched.join(format!(".{}.sha256", self.name))
    }

    fn state(&self, fetched: &Path) -> State {
        State::of(&self.folder(fetched), &self.list(fetched))
    }
}
