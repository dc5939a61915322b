//! Test of the example with a record in the kernel's format, and with real records.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::{fs, process::Command};

/// Returns the bytes of a `struct event`.
fn record(tgid: u32, uid: u32, origin: u32, bits: u32, comm: &[u8]) -> Vec<u8> {
    let mut bytes = 123_456_789_u64.to_ne_bytes().to_vec();
    for number in [tgid, uid, origin, bits] {
        bytes.extend(number.to_ne_bytes());
    }
    bytes.extend(comm);
    bytes.resize(40, 0);
    bytes
}

fn events(arguments: &[&str]) -> (bool, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_btf-events")).args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

#[test]
fn records_of_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("records");
    let print = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        events(&["--records", path.to_str().unwrap()])
    };
    // Bitfields: one bit, then 31.
    let (is_root, sequence) = match cfg!(target_endian = "big") {
        true => (1 << 31, 703_710),
        false => (1, 703_710 << 1),
    };
    let records = [record(7, 0, 0, is_root | sequence, b"true"), record(0x0102_0304, 1000, 1, 0, b"exactly15bytes!")];
    let (is_success, printed, errors) = print(&records.concat());
    assert!(is_success, "{errors}");
    assert_eq!(
        printed,
        "#703710 true: process 7, user 0 (root)\n#0 exactly15bytes!: process 16909060, user 1000, from a thread\n"
    );
    let (is_success, printed, errors) = print(records[0].get(..39).unwrap());
    assert!(!is_success && printed.is_empty() && errors.contains("a short record"), "{errors}");
}

/// Needs root.
#[cfg(feature = "aya")]
#[test]
fn records_of_the_kernel() {
    use std::os::unix::fs::MetadataExt;

    use btf_kernel::{Feature, is_supported};

    match is_supported(Feature::Btf) {
        Ok(true) => {}
        other => return btf_tests::skip(format!("BPF cannot be loaded: {other:?}")),
    }
    let uid = fs::metadata("/proc/self").unwrap().uid();
    let root = if uid == 0 { " (root)" } else { "" };
    let (is_success, printed, errors) = events(&["true"]);
    assert!(is_success, "{errors}");
    assert!(printed.contains(" true: process "), "{printed}");
    let (records, counts) = printed.trim_end().rsplit_once('\n').unwrap();
    for (index, record) in records.lines().enumerate() {
        assert!(record.starts_with(&format!("#{index} ")), "{printed}");
        assert!(record.contains(&format!(", user {uid}{root}")), "{printed}");
    }
    assert_eq!(counts, format!("{} reported, 0 dropped", records.lines().count()));
}
