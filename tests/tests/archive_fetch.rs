//! Fetching: nothing but the cache is ever touched, and whatever state it is
//! in, what was asked for comes.

#![cfg(target_os = "linux")]
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
    thread,
};

use btf_archive::{Error, Fetch, Fetched};
use btf_tests::{fixtures, tars::btf};

fn git(folder: &Path, arguments: &[&str]) -> String {
    let identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"];
    let output = Command::new("git").args(identity).args(arguments).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Returns whether git is installed.
fn has_git() -> bool {
    let has_git = Command::new("git").arg("--version").output().is_ok();
    if !has_git {
        btf_tests::skip("there is no git");
    }
    has_git
}

/// A repository that stands for btfhub's.
fn hub(folder: &Path) -> PathBuf {
    let hub = folder.join("hub");
    for path in [
        "ubuntu/20.04/x86_64/5.4.0-42-generic.btf",
        "debian/10/x86_64/4.19.0-17-amd64.btf",
        "amzn/2018/x86_64/4.14.186-110.268.amzn1.x86_64.btf",
        "1/x86_64/4.14.101-75.76.amzn1.x86_64.btf",
    ] {
        let path = hub.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, btf("kernel")).unwrap();
    }
    git(&hub, &["init", "-q", "-b", "main"]);
    git(&hub, &["config", "uploadpack.allowFilter", "true"]);
    git(&hub, &["add", "."]);
    git(&hub, &["commit", "-qm", "one"]);
    hub
}

/// A folder with a [`hub`] in it.
struct Place {
    folder: tempfile::TempDir,
    hub: PathBuf,
}

impl Place {
    /// `None` without git to test with.
    fn new() -> Option<Self> {
        let folder = has_git().then(|| tempfile::tempdir().unwrap())?;
        Some(Self { hub: hub(folder.path()), folder })
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn cache(&self) -> PathBuf {
        self.path().join("cache")
    }

    /// The cache's folder for the hub, where something is fetched to.
    fn own(&self) -> PathBuf {
        self.fetch("ubuntu").unwrap().folder.parent().unwrap().to_owned()
    }

    fn fetch(&self, distribution: &str) -> Result<Fetched, Error> {
        fetch(&self.hub, &self.cache(), distribution)
    }
}

/// A user's own repository, with a commit, and an edit that is not committed.
struct Project {
    folder: PathBuf,
    before: BTreeMap<PathBuf, Vec<u8>>,
}

impl Project {
    fn new(folder: &Path, origin: &Path) -> Self {
        let folder = folder.join("project");
        fs::create_dir(&folder).unwrap();
        git(&folder, &["init", "-q", "-b", "main"]);
        git(&folder, &["remote", "add", "origin", origin.to_str().unwrap()]);
        fs::write(folder.join("a.txt"), "one\n").unwrap();
        fs::write(folder.join(".gitignore"), "cache\n").unwrap();
        git(&folder, &["add", "."]);
        git(&folder, &["commit", "-qm", "mine"]);
        fs::write(folder.join("a.txt"), "two, and not committed\n").unwrap();
        Self { before: files(&folder), folder }
    }

    fn cache(&self) -> PathBuf {
        self.folder.join("cache")
    }

    fn check(&self, what: &str) {
        assert!(files(&self.folder) == self.before, "{what}: the project was changed");
    }
}

/// A way to break a repository.
type Damage<'a> = &'a dyn Fn(&Path);

/// All files of a project but for its cache, with their contents.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let cache = folder.join("cache");
    let files = fixtures::below(folder).into_iter().filter(|path| !path.starts_with(&cache));
    files.map(|path| (path.clone(), fs::read(&path).unwrap_or_default())).collect()
}

fn fetch(hub: &Path, cache: &Path, distribution: &str) -> Result<Fetched, Error> {
    Fetch::new().url(hub.to_str().unwrap()).cache(cache).distribution(distribution).fetch()
}

#[test]
fn a_broken_clone_inside_a_users_repository_is_made_anew_and_the_user_loses_nothing() {
    let Some(place) = Place::new() else { return };
    let project = Project::new(place.path(), &place.hub);
    let project_git = project.folder.join(".git");
    let breaks: [(&str, Damage<'_>); 11] = [
        ("as it is", &|_| {}),
        ("an empty HEAD", &|git| fs::write(git.join("HEAD"), "").unwrap()),
        ("no HEAD", &|git| fs::remove_file(git.join("HEAD")).unwrap()),
        ("nothing in it", &|git| {
            fs::remove_dir_all(git).unwrap();
            fs::create_dir(git).unwrap();
        }),
        ("nothing at all", &|git| fs::remove_dir_all(git).unwrap()),
        ("a file that leads to the project", &|git| {
            fs::remove_dir_all(git).unwrap();
            fs::write(git, format!("gitdir: {}\n", project_git.display())).unwrap();
        }),
        ("a link to the project", &|git| {
            fs::remove_dir_all(git).unwrap();
            symlink(&project_git, git).unwrap();
        }),
        ("a commondir of the project", &|git| {
            fs::write(git.join("commondir"), project_git.to_str().unwrap()).unwrap();
        }),
        ("a work tree elsewhere", &|git_dir| {
            git(git_dir, &["--git-dir=.", "config", "core.worktree", project.folder.to_str().unwrap()]);
        }),
        ("another origin", &|git_dir| {
            git(git_dir, &["--git-dir=.", "config", "remote.origin.url", "/elsewhere"]);
        }),
        ("damaged objects and no index", &|git| {
            let _ = fs::remove_file(git.join("index"));
            for file in fixtures::below(&git.join("objects")) {
                let mut permissions = fs::metadata(&file).unwrap().permissions();
                std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o644);
                fs::set_permissions(&file, permissions).unwrap();
                fs::write(&file, "damaged").unwrap();
            }
        }),
    ];
    for (what, damage) in breaks {
        let fetched = fetch(&place.hub, &project.cache(), "ubuntu").unwrap();
        assert_eq!(fetched.kernels.len(), 1);
        damage(&fetched.folder.join(".git"));
        let again = fetch(&place.hub, &project.cache(), "debian").unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!((again.kernels.len(), &again.folder), (1, &fetched.folder), "{what}");
        assert_eq!(git(&again.folder, &["config", "remote.origin.url"]).trim(), place.hub.to_str().unwrap());
        project.check(what);
        // And nothing is left of the broken one.
        let own: Vec<_> = fs::read_dir(again.folder.parent().unwrap()).unwrap().flatten().collect();
        assert_eq!(own.len(), 3, "{what}: {own:?}");
    }
    // Where it cannot be made anew, what is there stays.
    let fetched = fetch(&place.hub, &project.cache(), "ubuntu").unwrap();
    fs::rename(&place.hub, place.path().join("gone")).unwrap();
    fs::write(fetched.folder.join(".git/HEAD"), "").unwrap();
    assert!(matches!(fetch(&place.hub, &project.cache(), "ubuntu"), Err(Error::Git { .. })));
    assert!(fetched.folder.join(fetched.kernels[0].path()).exists());
    project.check("upstream is gone");
}

#[test]
fn locks_of_a_killed_git_are_removed() {
    let Some(place) = Place::new() else { return };
    let fetched = place.fetch("ubuntu").unwrap();
    let locks = ["index.lock", "config.lock", "shallow.lock", "HEAD.lock", "packed-refs.lock", "refs/heads/main.lock"];
    for lock in locks {
        fs::write(fetched.folder.join(".git").join(lock), "").unwrap();
    }
    assert_eq!(place.fetch("debian").unwrap().kernels.len(), 1);
    for lock in locks {
        assert!(!fetched.folder.join(".git").join(lock).exists(), "{lock}");
    }
}

/// Killed while the marker was being written, or while a clone was swapped in.
#[test]
fn what_a_killed_fetch_has_begun_is_removed_by_the_next() {
    let Some(place) = Place::new() else { return };
    let own = place.own();
    let names = || {
        let mut names: Vec<_> = fs::read_dir(&own).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let before = names();
    for is_marked in [true, false] {
        if !is_marked {
            fs::remove_dir_all(own.join("archive")).unwrap();
            fs::remove_file(own.join("btf-archive")).unwrap();
        }
        for name in ["one", "two"] {
            let partial = own.join(format!(".btf-partial-{name}"));
            fs::create_dir_all(partial.join("content/.git")).unwrap();
            fs::write(partial.join("lock"), "").unwrap();
        }
        assert_eq!(place.fetch("ubuntu").unwrap().kernels.len(), 1);
        assert_eq!(names(), before, "{is_marked}");
    }
}

#[test]
fn two_fetches_at_once_wait_for_each_other() {
    let Some(place) = Place::new() else { return };
    for _ in 0..3 {
        let fetched: Vec<_> = thread::scope(|scope| {
            let of = |distribution| {
                let place = &place;
                scope.spawn(move || place.fetch(distribution).unwrap())
            };
            ["ubuntu", "debian", "amzn", "ubuntu"].map(of).map(|thread| thread.join().unwrap()).into()
        });
        for fetched in &fetched {
            assert_eq!(fetched.archive.list().unwrap().len(), 4);
        }
        fs::remove_dir_all(place.cache()).unwrap();
    }
    // Those that find nothing, among those that do.
    let missing = place.path().join("missing");
    thread::scope(|scope| {
        for n in 0..8 {
            let (place, missing) = (&place, &missing);
            scope.spawn(move || match n % 2 {
                0 => assert_eq!(place.fetch("ubuntu").unwrap().kernels.len(), 1),
                _ => assert!(matches!(fetch(missing, &place.cache(), "ubuntu"), Err(Error::Git { .. }))),
            });
        }
    });
    assert_eq!(fs::read_dir(place.cache()).unwrap().count(), 1, "nothing is left of what was not there");
}

#[test]
fn what_fetch_has_not_made_is_left_alone() {
    let Some(place) = Place::new() else { return };
    let own = place.own();
    // A folder of that name without the marker, and one of another address.
    fs::write(own.join("btf-archive"), "/another/address\n").unwrap();
    let error = place.fetch("ubuntu").unwrap_err();
    assert!(matches!(&error, Error::Foreign { .. }) && error.to_string().contains("another address"), "{error}");
    fs::remove_dir_all(&own).unwrap();
    fs::create_dir(&own).unwrap();
    fs::write(own.join("mine"), "mine").unwrap();
    let error = place.fetch("ubuntu").unwrap_err();
    assert!(matches!(&error, Error::Foreign { .. }) && error.to_string().contains("not made by"), "{error}");
    assert_eq!(fs::read(own.join("mine")).unwrap(), b"mine");
    // git runs what a configuration says, so nobody else's is used.
    if rustix::process::geteuid().is_root() {
        fs::remove_dir_all(&own).unwrap();
        place.fetch("ubuntu").unwrap();
        std::os::unix::fs::lchown(&own, Some(12345), None).unwrap();
        let error = place.fetch("ubuntu").unwrap_err();
        assert!(matches!(&error, Error::Foreign { .. }) && error.to_string().contains("another user"), "{error}");
    }
    // A failed fetch leaves nothing that was not there.
    let new = place.path().join("new");
    assert!(fetch(&place.path().join("missing"), &new, "ubuntu").is_err());
    assert!(!new.exists());
}

/// Some kernels of Amazon Linux 1 are in a folder without a distribution.
#[test]
fn kernels_without_a_folder_of_their_distribution_are_fetched_too() {
    let Some(place) = Place::new() else { return };
    let new = |name: &str| Fetch::new().url(place.hub.to_str().unwrap()).cache(place.path().join(name));
    for (name, fetch, count) in [
        ("all", new("all").all(), 4),
        ("release", new("release").release("4.14.101-75*"), 1),
        ("machine", new("machine").machine("amd64"), 4),
        ("distribution", new("distribution").distribution("amzn"), 2),
        ("pattern", new("pattern").distribution("am*"), 2),
        ("version", new("version").version("1"), 1),
    ] {
        let fetched = fetch.fetch().unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(fetched.kernels.len(), count, "{name}");
    }
}
