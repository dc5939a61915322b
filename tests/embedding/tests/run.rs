//! Test of the example on a made-up system whose kernel has no BTF. Needs root.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::{fs, process::Command};

use btf_archive::{
    kernel::{Feature, is_supported},
    types::{Btf, Struct},
};
use btf_tests::fixtures;

const RELEASE: &str = "6.1.0-56-cloud-amd64";

#[test]
fn the_program_sees_what_the_archive_says() {
    match is_supported(Feature::Btf) {
        Ok(true) => {}
        other => return btf_tests::skip(format!("BPF cannot be loaded: {other:?}")),
    }
    let root = tempfile::tempdir().unwrap();
    for (path, text) in [
        ("etc/os-release", "ID=debian\nVERSION_ID=\"12\"\n"),
        ("proc/sys/kernel/osrelease", RELEASE),
        ("proc/sys/kernel/arch", "x86_64"),
    ] {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let output = Command::new(env!("CARGO_BIN_EXE_embedding")).arg(root.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let golden = Btf::parse(fixtures::read(&format!("golden/amd64_{RELEASE}.core_real.btf"))).unwrap();
    let size = golden.find::<Struct<'_>>("task_struct").unwrap().size();
    let expected =
        format!("btfhub-archive/debian/12/x86_64/{RELEASE}.btf (exact)\nstruct task_struct has {size} bytes\n");
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
}
