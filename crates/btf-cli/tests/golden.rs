//! Output of the command, compared with files that `cargo xtask golden` renews: read
//! the diff, as users will see the change.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use std::{env, fs, path::Path, process::Command};

use btf_elf::Compression;
use btf_tests::{elf_blob::ElfBlob, fixtures, image, packed};
use btf_types::ByteOrder;

/// The name of the file, and the arguments, with files of the folder that the
/// command runs in.
const CASES: &[(&str, &[&str])] = &[
    ("help", &["--help"]),
    ("help-show", &["show", "--help"]),
    ("help-find", &["find", "--help"]),
    ("help-dump", &["dump", "--help"]),
    ("help-info", &["info", "--help"]),
    ("info", &["info", "./vmlinux.btf"]),
    ("info-json", &["info", "--json", "./vmlinux.btf"]),
    ("info-big-endian", &["info", "./s390x.btf"]),
    ("info-split", &["info", "--base", "vmlinux.btf", "./openvswitch.btf"]),
    ("info-object", &["info", "./maps.bpf.o"]),
    ("info-object-json", &["info", "--json", "./maps.bpf.o"]),
    ("info-module", &["info", "--base", "vmlinux.btf", "./tun.ko.xz"]),
    ("info-image", &["info", "./vmlinuz"]),
    ("info-bare-header", &["info", "--base", "vmlinux.btf", "./cast_common.btf"]),
    ("show-sk_buff", &["show", "sk_buff", "./vmlinux.btf"]),
    ("show-expand", &["show", "--expand", "task_struct", "./s390x.btf"]),
    ("show-path", &["show", "task_struct.mm.pgd", "sk_buff.cb[3]", "task_struct.mm->mm_mt", "./vmlinux.btf"]),
    ("show-holes", &["show", "bits_middle", "packed_int128", "bits_after_byte", "union packed_union", "./layout.btf"]),
    ("show-several", &["show", "enum pid_type", "tcp_sendmsg", "atomic_t", "u8", "#1", "./vmlinux.btf"]),
    ("show-split", &["show", "vport", "sk_buff_head", "--base", "vmlinux.btf", "./openvswitch.btf"]),
    ("show-datasec", &["show", ".data..percpu", "./s390x.btf"]),
    ("show-near-miss", &["show", "list_head", "task_strct", "./vmlinux.btf"]),
    ("find", &["find", "sk_buff", "./vmlinux.btf"]),
    ("find-glob", &["find", "tcp_?ock", "--kind", "struct", "./vmlinux.btf"]),
    ("find-regex", &["find", "--regex", "^ovs_vport", "--base", "vmlinux.btf", "./openvswitch.btf"]),
    ("find-json", &["find", "--json", "list_head", "./vmlinux.btf"]),
    ("find-nothing", &["find", "no_such_type", "./vmlinux.btf"]),
    (
        "dump-rust",
        &[
            "dump",
            "--format",
            "rust",
            "--root-type",
            "bits_middle",
            "--root-type",
            "struct packed_int128",
            "--root-type",
            "packed_aligned4_inside",
            "--root-type",
            "packed_union",
            "--root-type",
            "flexible",
            "./layout.btf",
        ],
    ),
    ("dump-rust-i686", &["dump", "--format", "rust", "--root-type", "wide_second", "./i686.btf"]),
    ("dump-rust-aya", &["dump", "--format", "rust", "--implement", "aya", "--root-type", "list_head", "./vmlinux.btf"]),
    ("dump-rust-globals", &["dump", "--format", "rust", "--globals", "./maps.bpf.o"]),
    ("dump-rust-no-root", &["dump", "--format", "rust", "--root-type", "no_such_type", "./layout.btf"]),
    ("dump-rust-no-object", &["dump", "--format", "rust", "--globals", "./layout.btf"]),
    ("dump-rust-option", &["dump", "--implement", "zerocopy", "./layout.btf"]),
    ("damaged", &["info", "./damaged.btf"]),
    ("empty", &["info", "./empty.btf"]),
    ("no-base", &["info", "./openvswitch.btf"]),
    ("no-base-module", &["info", "./tun.ko.xz"]),
    ("no-btf", &["info", "./no-btf.o"]),
    ("no-object", &["dump", "--fixup", "./s390x.btf"]),
];

#[test]
fn what_is_printed_is_what_was_read() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
    for name in ["vmlinux", "openvswitch", "cast_common"] {
        write(&format!("{name}.btf"), &fixtures::read(&format!("kernels/{}/{name}.btf", fixtures::SORTED)));
    }
    write("s390x.btf", &fixtures::read(&format!("kernels/{}/vmlinux.btf", fixtures::BIG_ENDIAN)));
    write("layout.btf", &fixtures::read("layout/x86_64.btf"));
    write("i686.btf", &fixtures::read("layout/i686.btf"));
    write("damaged.btf", &fixtures::read("layout/x86_64.btf")[..999]);
    write("empty.btf", b"");
    write("maps.bpf.o", &fixtures::read("bpf/clang-22/maps-eb.bpf.o"));
    let module = format!("modules/{}/tun.ko.xz", fixtures::SORTED);
    write("tun.ko.xz", &fs::read(fixtures::folder().join(module)).unwrap());
    let vmlinux = image::vmlinux(ByteOrder::Little, 62);
    write("vmlinuz", &image::bz_image(&packed::encode(Compression::Zstd, &vmlinux)));
    write("no-btf.o", &ElfBlob::bpf(ByteOrder::Little).build());
    let goldens = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let renew = env::var_os("BTF_GOLDEN").is_some_and(|value| value == "renew");
    let mut differing = Vec::new();
    for (name, arguments) in CASES {
        let mut command = Command::new(env!("CARGO_BIN_EXE_btf"));
        // The width of help.
        command.args(*arguments).current_dir(folder.path()).env_remove("COLUMNS");
        let output = command.output().unwrap();
        let text = format!(
            "$ btf {}\n{}{}exit status {}\n",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
            output.status.code().unwrap(),
        );
        let path = goldens.join(format!("{name}.txt"));
        if renew {
            fs::create_dir_all(&goldens).unwrap();
            fs::write(&path, text).unwrap();
        } else if fs::read_to_string(&path).ok().as_ref() != Some(&text) {
            println!("{}:\n{text}", path.display());
            differing.push(*name);
        }
    }
    assert!(differing.is_empty(), "{differing:?}; `cargo xtask golden` renews them");
}
