//! Both loaders on the running kernel, with an archive that has its BTF, and one
//! that has it changed: the program must find what the *archive* says.

#![cfg(any(feature = "aya", feature = "libbpf"))]

use std::fs;

use btf_archive::Archive;
use btf_kernel::{Host, Kernel, LoadedBtf};
use btf_types::{Btf, Struct};

/// An archive with this BTF for this system.
fn archive(host: &Host, btf: &[u8]) -> (tempfile::TempDir, Archive) {
    let folder = tempfile::tempdir().unwrap();
    let version = host.version.as_deref().or(host.codename.as_deref()).unwrap_or("1");
    let place = folder.path().join(&host.distribution).join(version).join(&host.machine);
    fs::create_dir_all(&place).unwrap();
    fs::write(place.join(format!("{}.btf", host.release)), btf).unwrap();
    let archive = Archive::open(folder.path()).unwrap();
    (folder, archive)
}

/// The same BTF with a `struct task_struct` that is larger.
fn changed(btf: &Btf, by: u32) -> Vec<u8> {
    let mut bytes = btf.as_bytes().to_vec();
    let id = btf.find::<Struct<'_>>("task_struct").unwrap().id();
    let types = btf.header().types();
    let raw = btf_types::format::RawBtf::parse(btf.as_bytes()).unwrap();
    let record = raw.records().nth(id as usize - 1).unwrap().unwrap();
    let at = record.offset() as usize + 8;
    assert!(types.contains(&at));
    let size = u32::from_ne_bytes(*bytes[at..].first_chunk().unwrap());
    bytes[at..at + 4].copy_from_slice(&(size + by).to_ne_bytes());
    bytes
}

fn run(name: &str, size_of: impl Fn(&Archive, &Host, &[u8]) -> btf_loaders::Result<u64>) {
    let own = match (Kernel::running().btf(), LoadedBtf::all().next()) {
        (Ok(own), Some(Ok(_))) => own,
        (Err(error), _) => return btf_tests::skip(error),
        (_, Some(Err(error))) => return btf_tests::skip(error),
        (_, None) => return btf_tests::skip("this kernel has no BTF"),
    };
    let host = Host::detect().unwrap();
    let object = btf_loaders::object();
    let size = u64::from(own.find::<Struct<'_>>("task_struct").unwrap().size());
    for by in [0, 64] {
        let (_folder, archive) = archive(&host, &changed(&own, by));
        let found = size_of(&archive, &host, &object).unwrap_or_else(|error| panic!("{name}: {error:?}"));
        assert_eq!(found, size + u64::from(by), "{name}");
    }
    let (_folder, other) = archive(&Host { release: "1.2.3".into(), ..host.clone() }, own.as_bytes());
    assert!(size_of(&other, &host, &object).unwrap_err().to_string().starts_with("no BTF of kernel "), "{name}");
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
