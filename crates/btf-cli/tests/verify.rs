//! `btf verify`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod command;

use btf_tests::{blob::Blob, fixtures};
use command::{btf, fixture, text};

/// Exit status and standard output of `btf verify --kernel 6.18`.
fn verify(arguments: &[&str]) -> (Option<i32>, String) {
    let output = btf(&[&["verify", "--kernel", "6.18"], arguments].concat());
    (output.status.code(), text(&output.stdout))
}

#[test]
fn verdicts_are_predicted_with_exit_status_and_errno() {
    let table = String::from_utf8(fixtures::read("kernel-verdicts/verdicts.tsv")).unwrap();
    for line in table.lines().filter(|line| !line.starts_with('#')) {
        let mut fields = line.split('\t');
        let [file, verdict, errno] = std::array::from_fn(|_| fields.next().unwrap());
        let (status, out) = verify(&[&fixture(&format!("kernel-verdicts/{file}")), "--json"]);
        let accepted = verdict == "accept";
        assert_eq!(status, Some(i32::from(!accepted)), "{line}: {out}");
        let json: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!(json["accepted"], accepted, "{line}: {out}");
        assert_eq!(json["is_proved"], true);
        if !accepted {
            assert_eq!(json["errno"], if errno == "524" { "ENOTSUPP" } else { errno }, "{line}: {out}");
        }
    }
}

#[test]
fn objects_are_verified_as_loaders_see_them_or_as_they_are() {
    let object = fixture("bpf/clang-14/core_real-el.bpf.o");
    let (status, out) = verify(&[&object]);
    assert_eq!((status, out), (Some(0), format!("{object}: Linux 6.18 accepts the BTF\n")));
    // The compiler leaves the sizes of DATASECs to the loader.
    let (status, out) = verify(&[&object, "--as-is"]);
    assert_eq!(status, Some(1));
    assert!(out.contains("(DATASEC"), "{out}");
    let output = btf(&["verify", &object, "--kernel", "5.1"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("Linux 5.1 rejects the BTF (unproved): type"), "{output:?}");
}

#[test]
fn modules_are_verified_on_their_base() {
    let folder = format!("kernels/{}", fixtures::UNSORTED);
    let (module, base) = (fixture(&format!("{folder}/veth.btf.xz")), fixture(&format!("{folder}/vmlinux.btf.xz")));
    let (status, out) = verify(&[&module, "--base", &base]);
    assert_eq!((status, out), (Some(0), format!("{module}: Linux 6.18 accepts the BTF (unproved)\n")));
    // Alone, it is BTF that refers to nothing.
    let (status, out) = verify(&[&module]);
    assert_eq!(status, Some(1), "{out}");
}

#[test]
fn what_is_no_btf_is_rejected_and_what_is_no_file_is_trouble() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("no.btf");
    std::fs::write(&path, b"not BTF at all, but long enough for a header").unwrap();
    let (status, out) = verify(&[path.to_str().unwrap()]);
    assert_eq!(status, Some(1));
    assert!(out.contains("(EINVAL"), "{out}");
    let output = btf(&["verify", "--kernel", "6.18", "/nonexistent"]);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(2), String::new()));
    assert!(text(&output.stderr).starts_with("btf: "), "{output:?}");
}

#[test]
fn another_byte_order_is_rejected_unless_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.btf");
    let mut bytes = Blob::new().int().build();
    let order = btf_types::ByteOrder::NATIVE.swapped();
    btf_types::format::convert(&mut bytes, order).unwrap();
    std::fs::write(&path, bytes).unwrap();
    let path = path.to_str().unwrap();
    let (status, out) = verify(&[path]);
    assert_eq!(status, Some(1));
    let (native, order) = if cfg!(target_endian = "little") { ("le", "be") } else { ("be", "le") };
    assert!(out.contains(&format!("`btf encode --byte-order {native}` converts it")), "{out}");
    assert!(out.contains(&format!("--byte-order {order} verifies it")), "{out}");
    assert_eq!(verify(&[path, "--byte-order", order]).0, Some(0));
}

#[test]
fn long_names_are_cut() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("long.btf");
    let mut blob = Blob::new();
    let name = blob.string("n".repeat(300_000));
    std::fs::write(&path, blob.record(name, 4, 0, false, 0, &[]).build()).unwrap();
    let (status, out) = verify(&[path.to_str().unwrap()]);
    assert_eq!(status, Some(1));
    let cut = format!("type 1 (STRUCT {}...): the kernel requires", "n".repeat(512));
    assert!(out.contains(&cut) && out.len() < 2000, "{} bytes", out.len());
}
