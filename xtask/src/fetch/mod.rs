//! Fetches what `fixtures/manifest.toml` lists into `fixtures/fetched`, which
//! git ignores.
//!
//! A thing is fetched into a folder beside its own, and gets its name when it
//! is whole; so what has its name is never fetched again, and what was broken
//! off never taken for whole. Checksums of what was downloaded are recorded in
//! `fixtures/manifest.lock`, and from then on enforced, but for what the
//! manifest wants the newest of.

mod apt;
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

use lock::Lock;
use manifest::{Entry, Origin};

use crate::{Result, root};

/// As many things are fetched at once.
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
            let state = if entry.is_fetched(&folder) { "fetched" } else { "-" };
            println!("{:<26}{state:<9}{}", entry.name, entry.origin);
        }
        return Ok(());
    }
    fs::create_dir_all(&folder)?;
    let lock = Mutex::new(Lock::read(&fixtures.join("manifest.lock"))?);
    let failures = fetch_all(&entries, &folder, &lock);
    if failures.is_empty() { Ok(()) } else { Err(failures.join("\nxtask: ").into()) }
}

struct Options<'a> {
    list: bool,
    only: Vec<&'a str>,
}

impl<'a> Options<'a> {
    fn parse(arguments: &[&'a str]) -> Result<Self> {
        let mut options = Self { list: false, only: Vec::new() };
        let mut arguments = arguments.iter();
        while let Some(&argument) = arguments.next() {
            match argument {
                "--list" => options.list = true,
                "--only" => options.only.push(arguments.next().ok_or("--only needs a name")?),
                _ => return Err(format!("fetch-fixtures does not know {argument}").into()),
            }
        }
        Ok(options)
    }
}

/// Fetches several things at once; returns why some could not be.
fn fetch_all(entries: &[Entry], folder: &Path, lock: &Mutex<Lock>) -> Vec<String> {
    let (waiting, is_done): (Vec<_>, Vec<_>) = entries.iter().partition(|entry| !entry.is_fetched(folder));
    for entry in is_done {
        println!("{}: is there", entry.name);
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
                    let progress = |text: &str| println!("[{number}/{count}] {}: {text}", entry.name);
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

/// Fetches one thing; returns how many files it is.
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
    fs::rename(&unpacked, entry.folder(folder))?;
    fs::remove_dir_all(&partial)?;
    Ok(files)
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

impl Entry {
    /// Where it is, when it is whole.
    fn folder(&self, fetched: &Path) -> PathBuf {
        fetched.join(&self.name)
    }

    fn is_fetched(&self, fetched: &Path) -> bool {
        self.folder(fetched).exists()
    }
}
