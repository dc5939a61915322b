//! From a repository to a running program: kernels are fetched, packed, embedded
//! and selected, and a loader uses the selected BTF.

#![cfg(any(feature = "aya", feature = "libbpf"))]
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

mod own;

use std::{fs, path::Path, process::Command};

use btf_archive::{Archive, Fetch, Pack, relocate::Trim};
use btf_elf::{BpfObject, Compression};
use btf_kernel::{Host, Kernel};
use btf_tests::packed;
use btf_types::Struct;

/// Release of a kernel that does not exist.
const RELEASE: &str = "5.4.0-made-up-amd64";

fn git(folder: &Path, arguments: &[&str]) {
    let identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"];
    let output = Command::new("git").args(identity).args(arguments).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Makes a repository like btfhub-archive, with BTF for the made-up kernel.
fn hub(folder: &Path, btf: &[u8]) -> String {
    let hub = folder.join("hub");
    let kernels = hub.join("debian/10/x86_64");
    fs::create_dir_all(&kernels).unwrap();
    let tar = btf_tests::tars::tar(&[(&format!("{RELEASE}.btf"), btf)]);
    fs::write(kernels.join(format!("{RELEASE}.btf.tar.xz")), packed::encode(Compression::Xz, &tar)).unwrap();
    for arguments in [&["init", "-q", "-b", "main"][..], &["config", "uploadpack.allowFilter", "true"]] {
        git(&hub, arguments);
    }
    git(&hub, &["add", "."]);
    git(&hub, &["commit", "-qm", "one"]);
    hub.to_str().unwrap().into()
}

/// Makes a system whose kernel has no BTF.
fn system(folder: &Path) -> Kernel {
    let root = folder.join("root");
    for (path, text) in [
        ("etc/os-release", "ID=debian\nVERSION_ID=\"10\"\n"),
        ("proc/sys/kernel/osrelease", RELEASE),
        ("proc/sys/kernel/arch", "x86_64"),
    ] {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    Kernel::of(root)
}

/// Runs a loader with a bundle. `size_of` returns the size of `struct task_struct` that
/// the program saw.
fn run(name: &str, size_of: impl Fn(&Archive, &Host, &[u8]) -> btf_loaders::Result<u64>) {
    let Some(own) = own::btf() else { return };
    if let Err(error) = Command::new("git").arg("--version").output() {
        return btf_tests::skip(format!("git cannot be run: {error}"));
    }
    let folder = tempfile::tempdir().unwrap();
    let hub = hub(folder.path(), &own::larger(&own, 64));
    let fetched = Fetch::new().url(hub).cache(folder.path().join("cache")).release("5.4.*").fetch().unwrap();
    assert_eq!(fetched.kernels.len(), 1);

    let object = btf_loaders::object();
    let trim = Trim::new().object(&BpfObject::parse(object.clone()).unwrap()).unwrap();
    let bundle = folder.path().join("btfs.tar.gz");
    let pack = Pack::new().trim(&trim).compression(Compression::Gzip);
    let packed = pack.write_file(&fetched.archive, &bundle).unwrap();
    assert!(packed.kernels == 1 && packed.left_out.is_empty());
    // Stands for `include_bytes!`.
    let embedded: &'static [u8] = fs::read(&bundle).unwrap().leak();
    assert!(embedded.len() < 20_000, "{}", embedded.len());

    let archive = Archive::parse(embedded).unwrap();
    let kernel = system(folder.path());
    let chosen = archive.choose(&kernel).unwrap().btf();
    assert!(chosen.types().len() < 500);
    let host = Host::options().of(kernel.root()).unwrap();
    let found = size_of(&archive, &host, &object).unwrap_or_else(|error| panic!("{name}: {error:?}"));
    assert_eq!(found, u64::from(own.find::<Struct<'_>>("task_struct").unwrap().size()) + 64, "{name}");
}

#[cfg(feature = "aya")]
#[test]
fn aya() {
    run("aya", btf_loaders::with_aya::size_of_task_struct);
}

#[cfg(feature = "libbpf")]
#[test]
fn libbpf() {
    run("libbpf", btf_loaders::with_libbpf::size_of_task_struct);
}
