//! Archives: which kernel is selected for which host, and why; what an archive
//! may not do.

#![cfg(target_os = "linux")]

use std::{
    collections::BTreeSet,
    fs,
    io::Write,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use btf_archive::{Archive, Chosen, Error, Limits, Pack, Rule, SelectOptions};
use btf_elf::Compression;
use btf_kernel::{Host, Kernel, OsRelease, Root};
use btf_tests::{
    blob::Blob,
    fixtures,
    memory::{self, CountingAllocator},
    packed,
};
use btf_types::Btf;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// BTF that says which file it is of: `int`, `long` of 8 bytes, and a struct of
/// that name.
fn btf(name: &str) -> Vec<u8> {
    let mut blob = Blob::new();
    let (long, own, task) = (blob.string("long int"), blob.string(name), blob.string("task_struct"));
    blob.int().record(long, 1, 0, false, 8, &[0x0100_0040]);
    blob.record(own, 4, 1, false, 4, &[own, 1, 0]).record(task, 4, 0, false, 0, &[]);
    blob.build()
}

/// A tar with these files.
fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o644);
        header.set_size(bytes.len() as u64);
        builder.append_data(&mut header, path, *bytes).unwrap();
    }
    builder.into_inner().unwrap()
}

/// A member whose header is not checked.
fn raw(path: &str, kind: tar::EntryType, link: &str, size: u64, contents: &[u8]) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(0o777);
    let fields = header.as_gnu_mut().unwrap();
    fields.name[..path.len()].copy_from_slice(path.as_bytes());
    fields.linkname[..link.len()].copy_from_slice(link.as_bytes());
    header.set_cksum();
    let mut member = header.as_bytes().to_vec();
    member.extend_from_slice(contents);
    member.resize(member.len().next_multiple_of(512), 0);
    member
}

/// What a file is as btfhub packs it: by its ending.
fn packed_as(path: &str) -> Vec<u8> {
    let file = path.rsplit('/').next().unwrap();
    let release = file.split(".btf").next().unwrap();
    let plain = btf(path);
    if path.ends_with(".btf.tar.xz") {
        packed::encode(Compression::Xz, &tar(&[(&format!("{release}.btf"), &plain)]))
    } else if path.ends_with(".xz") {
        packed::encode(Compression::Xz, &plain)
    } else if path.ends_with(".zst") {
        packed::encode(Compression::Zstd, &plain)
    } else if path.ends_with(".gz") {
        packed::encode(Compression::Gzip, &plain)
    } else {
        plain
    }
}

/// An archive with every oddity that btfhub's has.
const FILES: [&str; 36] = [
    "ubuntu/16.04/x86_64/4.15.0-1029-aws.btf.tar.xz",
    "ubuntu/18.04/x86_64/5.4.0-42-generic.btf.tar.xz",
    "ubuntu/18.04/arm64/5.4.0-42-generic.btf.tar.xz",
    "ubuntu/20.04/x86_64/5.4.0-42-generic.btf.tar.xz",
    "ubuntu/20.04/x86_64/5.4.0-45-generic.btf.tar.xz",
    "ubuntu/20.04/x86_64/5.4.0-100-generic.btf.tar.xz",
    "ubuntu/20.04/x86_64/5.11.0-1023-azure.btf.tar.xz",
    "ubuntu/20.04/arm64/5.4.0-42-generic.btf.tar.xz",
    "debian/9/x86_64/4.9.0-13-rt-amd64.btf.tar.xz",
    "debian/10/x86_64/4.19.0-17-cloud-amd64.btf.tar.xz",
    "debian/10/arm64/4.19.0-0.bpo.19-arm64.btf.tar.xz",
    "debian/11/x86_64/5.10.0-0.deb10.17-amd64.btf.xz",
    "debian/bullseye/x86_64/5.10.0-20-amd64.btf.tar.xz",
    "debian/13/x86_64/6.12.1-amd64.btf.zst",
    "rhel/7/x86_64/3.10.0-957.el7.x86_64.btf.tar.xz",
    "rhel/7/arm64/4.14.0-115.10.1.el7a.aarch64.btf.tar.xz",
    "rhel/8/x86_64/4.18.0-147.8.1.el8_1.x86_64.btf.tar.xz",
    "centos/7/x86_64/3.10.0-1160.11.1.el7.x86_64.btf.tar.xz",
    "centos/7/nobpf/3.10.0-1062.1.2.el7.btf.tar.xz",
    "centos/8/arm64/4.18.0-147.8.1.el8_1.aarch64.btf.tar.xz",
    "centos/8/x86_64/4.18.0-240.el8.x86_64.btf.tar.xz",
    "ol/7/x86_64/3.10.0-957.el7.x86_64.btf.tar.xz",
    "ol/8/x86_64/4.18.0-147.8.1.el8_1.x86_64.btf.tar.xz",
    "ol/8/x86_64/5.4.17-2102.204.4.4.el8uek.x86_64.btf.tar.xz",
    "ol/8/arm64/4.18.0-147.8.1.el8_1.aarch64.btf.tar.xz",
    "amzn/1/x86_64/4.14.106-79.86.amzn1.x86_64.btf.tar.xz",
    "amzn/2018/x86_64/4.14.186-110.268.amzn1.x86_64.btf.tar.xz",
    "1/x86_64/4.14.101-75.76.amzn1.x86_64.btf.tar.xz",
    "amzn/2/arm64/4.14.101-91.76.amzn2.aarch64.btf.tar.xz",
    "amzn/2/x86_64/4.14.268-205.500.amzn2.x86_64.btf.tar.xz",
    "sles/12.3/x86_64/4.4.103-6.33.1-default.btf.tar.xz",
    "sles/12.5/x86_64/4.12.14-122.7-default.btf.tar.xz",
    "sles/12.5/x86_64/4.12.14-122.7.1-default.btf.tar.xz",
    "sles/12.5/x86_64/4.12.14-16.10.2-azure.btf.tar.xz",
    "sles/15.3/x86_64/5.3.18-150300.59.43-default.btf.gz",
    "fedora/31/x86_64/5.8.18-100.fc31.x86_64.btf",
];

/// The files in a folder, with the links of a real checkout.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for path in FILES {
        let to = folder.path().join(path);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::write(to, packed_as(path)).unwrap();
    }
    for (link, target) in [
        ("ubuntu/focal", "20.04"),
        ("debian/buster", "10"),
        ("debian/out", "/etc"),
        ("up", "../../../../etc"),
        ("loop", "loop"),
        ("mint", "ubuntu/focal"),
    ] {
        symlink(target, folder.path().join(link)).unwrap();
    }
    fs::create_dir_all(folder.path().join(".git/x/1/x86_64")).unwrap();
    fs::write(folder.path().join(".git/x/1/x86_64/1.btf"), b"git's own").unwrap();
    fs::write(folder.path().join("README.md"), b"read me").unwrap();
    folder
}

/// The same as a tar, with the links before what they lead to.
fn bundle() -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(raw("btfhub-archive/", tar::EntryType::Directory, "", 0, b""));
    for (link, target) in [("ubuntu/focal", "20.04"), ("debian/buster", "10"), ("mint", "ubuntu/focal")] {
        bytes.extend(raw(&format!("btfhub-archive/{link}"), tar::EntryType::Symlink, target, 0, b""));
    }
    let files: Vec<_> = FILES.iter().map(|path| (format!("btfhub-archive/{path}"), packed_as(path))).collect();
    let mut files: Vec<(&str, &[u8])> = files.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice())).collect();
    files.push(("package.json", b"{}"));
    bytes.extend(tar(&files));
    bytes
}

fn host(os_release: &str, machine: &str, release: &str) -> Host {
    let os = OsRelease::parse(os_release.as_bytes());
    Host {
        distribution: os.id().unwrap_or_default().into(),
        like: os.id_like().map(Into::into).collect(),
        version: os.version_id().map(Into::into),
        codename: os.version_codename().map(Into::into),
        machine: machine.into(),
        release: release.into(),
    }
}

const UBUNTU_2004: &str = "NAME=\"Ubuntu\"\nID=ubuntu\nID_LIKE=debian\nVERSION_ID=\"20.04\"\nVERSION_CODENAME=focal\n";
const RHEL_86: &str = "NAME=\"Red Hat Enterprise Linux\"\nID=\"rhel\"\nID_LIKE=\"fedora\"\nVERSION_ID=\"8.6\"\n";
const OL_85: &str = "ID=\"ol\"\nID_LIKE=\"fedora\"\nVERSION_ID=\"8.5\"\n";

/// A host, and what must be selected for it and why, or what kind of error it is.
struct Case(&'static str, &'static str, &'static str, Result<(&'static str, Rule), &'static str>);

fn cases() -> Vec<Case> {
    use Rule::{Alias, BuildCounter, Exact, UniqueRelease};
    let x86 = "x86_64";
    let arm = "aarch64";
    vec![
        Case(UBUNTU_2004, x86, "5.4.0-42-generic", Ok(("ubuntu/20.04/x86_64/5.4.0-42-generic.btf.tar.xz", Exact))),
        // The same release in two versions, HWE in the older: different builds.
        Case(
            "ID=ubuntu\nVERSION_ID=\"18.04\"\n",
            x86,
            "5.4.0-42-generic",
            Ok(("ubuntu/18.04/x86_64/5.4.0-42-generic.btf.tar.xz", Exact)),
        ),
        Case(UBUNTU_2004, arm, "5.4.0-42-generic", Ok(("ubuntu/20.04/arm64/5.4.0-42-generic.btf.tar.xz", Alias))),
        Case(
            "ID=ubuntu\nVERSION_ID=\"22.04\"\n",
            x86,
            "5.11.0-1023-azure",
            Ok(("ubuntu/20.04/x86_64/5.11.0-1023-azure.btf.tar.xz", UniqueRelease)),
        ),
        Case("ID=ubuntu\nVERSION_ID=\"22.04\"\n", x86, "5.4.0-42-generic", Err("ambiguous")),
        Case(
            "ID=ubuntu\nVERSION_CODENAME=focal\n",
            x86,
            "5.4.0-45-generic",
            Ok(("ubuntu/20.04/x86_64/5.4.0-45-generic.btf.tar.xz", Alias)),
        ),
        Case(UBUNTU_2004, x86, "5.4.0-44-generic", Err("not found")),
        Case(
            "ID=debian\nVERSION_ID=9\n",
            x86,
            "4.9.0-13-rt-amd64",
            Ok(("debian/9/x86_64/4.9.0-13-rt-amd64.btf.tar.xz", Exact)),
        ),
        Case(
            "ID=debian\nVERSION_ID=\"10\"\nVERSION_CODENAME=buster\n",
            x86,
            "4.19.0-17-cloud-amd64",
            Ok(("debian/10/x86_64/4.19.0-17-cloud-amd64.btf.tar.xz", Exact)),
        ),
        Case(
            "ID=debian\nVERSION_ID=\"10\"\n",
            arm,
            "4.19.0-0.bpo.19-arm64",
            Ok(("debian/10/arm64/4.19.0-0.bpo.19-arm64.btf.tar.xz", Alias)),
        ),
        // Debian 11 is in two places.
        Case(
            "ID=debian\nVERSION_ID=\"11\"\n",
            x86,
            "5.10.0-0.deb10.17-amd64",
            Ok(("debian/11/x86_64/5.10.0-0.deb10.17-amd64.btf.xz", Exact)),
        ),
        Case(
            "ID=debian\nVERSION_ID=\"11\"\n",
            x86,
            "5.10.0-20-amd64",
            Ok(("debian/bullseye/x86_64/5.10.0-20-amd64.btf.tar.xz", Alias)),
        ),
        // Testing has no version.
        Case(
            "ID=debian\nVERSION_CODENAME=trixie\n",
            x86,
            "6.12.1-amd64",
            Ok(("debian/13/x86_64/6.12.1-amd64.btf.zst", Alias)),
        ),
        Case(
            "ID=debian\n",
            x86,
            "4.19.0-17-cloud-amd64",
            Ok(("debian/10/x86_64/4.19.0-17-cloud-amd64.btf.tar.xz", UniqueRelease)),
        ),
        Case(
            "ID=\"rhel\"\nVERSION_ID=\"7.9\"\n",
            x86,
            "3.10.0-957.el7.x86_64",
            Ok(("rhel/7/x86_64/3.10.0-957.el7.x86_64.btf.tar.xz", Alias)),
        ),
        Case(
            RHEL_86,
            x86,
            "4.18.0-147.8.1.el8_1.x86_64",
            Ok(("rhel/8/x86_64/4.18.0-147.8.1.el8_1.x86_64.btf.tar.xz", Alias)),
        ),
        Case(
            "ID=\"rhel\"\nVERSION_ID=\"7.6\"\n",
            arm,
            "4.14.0-115.10.1.el7a.aarch64",
            Ok(("rhel/7/arm64/4.14.0-115.10.1.el7a.aarch64.btf.tar.xz", Alias)),
        ),
        Case("ID=\"rhel\"\nVERSION_ID=\"9.3\"\n", x86, "5.14.0-362.el9.x86_64", Err("not found")),
        Case(
            "ID=\"centos\"\nVERSION_ID=\"7\"\nID_LIKE=\"rhel fedora\"\n",
            x86,
            "3.10.0-1160.11.1.el7.x86_64",
            Ok(("centos/7/x86_64/3.10.0-1160.11.1.el7.x86_64.btf.tar.xz", Exact)),
        ),
        Case(
            "ID=\"centos\"\nVERSION_ID=\"7\"\n",
            x86,
            "3.10.0-1062.1.2.el7",
            Ok(("centos/7/nobpf/3.10.0-1062.1.2.el7.btf.tar.xz", Alias)),
        ),
        Case(
            "ID=\"centos\"\nVERSION_ID=\"8\"\n",
            x86,
            "4.18.0-240.el8.x86_64",
            Ok(("centos/8/x86_64/4.18.0-240.el8.x86_64.btf.tar.xz", Exact)),
        ),
        // Oracle's kernels, and Red Hat's as Oracle builds them; `ID_LIKE=fedora`
        // leads nowhere.
        Case(
            OL_85,
            x86,
            "5.4.17-2102.204.4.4.el8uek.x86_64",
            Ok(("ol/8/x86_64/5.4.17-2102.204.4.4.el8uek.x86_64.btf.tar.xz", Alias)),
        ),
        Case(
            OL_85,
            x86,
            "4.18.0-147.8.1.el8_1.x86_64",
            Ok(("ol/8/x86_64/4.18.0-147.8.1.el8_1.x86_64.btf.tar.xz", Alias)),
        ),
        Case(
            "ID=oracle\nVERSION_ID=\"7.9\"\n",
            x86,
            "3.10.0-957.el7.x86_64",
            Ok(("ol/7/x86_64/3.10.0-957.el7.x86_64.btf.tar.xz", Alias)),
        ),
        Case(OL_85, x86, "5.8.18-100.fc31.x86_64", Ok(("fedora/31/x86_64/5.8.18-100.fc31.x86_64.btf", UniqueRelease))),
        // Those that rebuild: several have it, and what they are made from decides.
        Case(
            "ID=\"almalinux\"\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID=\"8.5\"\n",
            x86,
            "4.18.0-147.8.1.el8_1.x86_64",
            Ok(("rhel/8/x86_64/4.18.0-147.8.1.el8_1.x86_64.btf.tar.xz", UniqueRelease)),
        ),
        Case(
            "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID=\"8.5\"\n",
            arm,
            "4.18.0-147.8.1.el8_1.aarch64",
            Ok(("centos/8/arm64/4.18.0-147.8.1.el8_1.aarch64.btf.tar.xz", UniqueRelease)),
        ),
        Case("ID=\"something\"\nVERSION_ID=\"8.5\"\n", x86, "4.18.0-147.8.1.el8_1.x86_64", Err("ambiguous")),
        // Amazon Linux 1 is in three.
        Case(
            "ID=\"amzn\"\nVERSION_ID=\"2018.03\"\n",
            x86,
            "4.14.186-110.268.amzn1.x86_64",
            Ok(("amzn/2018/x86_64/4.14.186-110.268.amzn1.x86_64.btf.tar.xz", Alias)),
        ),
        Case(
            "ID=\"amzn\"\nVERSION_ID=\"2018.03\"\n",
            x86,
            "4.14.106-79.86.amzn1.x86_64",
            Ok(("amzn/1/x86_64/4.14.106-79.86.amzn1.x86_64.btf.tar.xz", Alias)),
        ),
        Case(
            "ID=\"amzn\"\nVERSION_ID=\"2018.03\"\n",
            x86,
            "4.14.101-75.76.amzn1.x86_64",
            Ok(("1/x86_64/4.14.101-75.76.amzn1.x86_64.btf.tar.xz", Alias)),
        ),
        Case(
            "ID=\"amzn\"\nVERSION_ID=\"2\"\n",
            arm,
            "4.14.101-91.76.amzn2.aarch64",
            Ok(("amzn/2/arm64/4.14.101-91.76.amzn2.aarch64.btf.tar.xz", Alias)),
        ),
        Case("ID=\"amzn\"\nVERSION_ID=\"2023\"\n", x86, "6.1.0-1.amzn2023.x86_64", Err("not found")),
        // SUSE's file has one number more; where there is one without, that is it.
        Case(
            "ID=\"sles\"\nVERSION_ID=\"12.3\"\n",
            x86,
            "4.4.103-6.33-default",
            Ok(("sles/12.3/x86_64/4.4.103-6.33.1-default.btf.tar.xz", BuildCounter)),
        ),
        Case(
            "ID=\"sles\"\nVERSION_ID=\"12.5\"\n",
            x86,
            "4.12.14-122.7-default",
            Ok(("sles/12.5/x86_64/4.12.14-122.7-default.btf.tar.xz", Exact)),
        ),
        Case(
            "ID=\"sles_sap\"\nVERSION_ID=\"12.5\"\n",
            x86,
            "4.12.14-16.10-azure",
            Ok(("sles/12.5/x86_64/4.12.14-16.10.2-azure.btf.tar.xz", BuildCounter)),
        ),
        Case(
            "ID=\"sles\"\nVERSION_ID=\"15.3\"\n",
            x86,
            "5.3.18-150300.59.43-default",
            Ok(("sles/15.3/x86_64/5.3.18-150300.59.43-default.btf.gz", Exact)),
        ),
        Case(
            "ID=\"opensuse-leap\"\nID_LIKE=\"suse opensuse\"\nVERSION_ID=\"15.3\"\n",
            x86,
            "5.3.18-150300.59.43-default",
            Ok(("sles/15.3/x86_64/5.3.18-150300.59.43-default.btf.gz", UniqueRelease)),
        ),
        Case(
            "NAME=Fedora\r\nID=fedora\r\nVERSION_ID=31\r\n",
            x86,
            "5.8.18-100.fc31.x86_64",
            Ok(("fedora/31/x86_64/5.8.18-100.fc31.x86_64.btf", Exact)),
        ),
        // Without any: Arch, Flatcar, COS; Alpine as a container on an Ubuntu host.
        Case("ID=arch\nBUILD_ID=rolling\n", x86, "6.10.1-arch1-1", Err("not found")),
        Case("ID=flatcar\nID_LIKE=coreos\nVERSION_ID=3510.2.0\n", x86, "5.15.1-flatcar", Err("not found")),
        Case("ID=cos\nVERSION_ID=97\n", x86, "5.10.1+", Err("not found")),
        Case(
            "ID=alpine\nVERSION_ID=3.18.0\n",
            x86,
            "5.4.0-45-generic",
            Ok(("ubuntu/20.04/x86_64/5.4.0-45-generic.btf.tar.xz", UniqueRelease)),
        ),
        // Of a machine that it has not.
        Case(UBUNTU_2004, "s390x", "5.4.0-42-generic", Err("not found")),
        // Over a link.
        Case(
            "ID=mint\nVERSION_ID=20\n",
            x86,
            "5.4.0-100-generic",
            Ok(("ubuntu/20.04/x86_64/5.4.0-100-generic.btf.tar.xz", UniqueRelease)),
        ),
    ]
}

#[test]
fn what_is_selected_for_each_host_and_why() {
    let folder = folder();
    let bundle = bundle();
    let prefix = "btfhub-archive/";
    let elsewhere = tempfile::tempdir().unwrap();
    let file = elsewhere.path().join("bundle");
    fs::write(&file, packed::encode(Compression::Zstd, &bundle)).unwrap();
    let archives = [
        ("folder", Archive::open(folder.path()).unwrap(), ""),
        ("bytes", Archive::from_bytes(bundle.clone()), prefix),
        ("gzip", Archive::from_bytes(packed::encode(Compression::Gzip, &bundle)), prefix),
        ("reader", Archive::from_reader(packed::encode(Compression::Xz, &bundle).as_slice()).unwrap(), prefix),
        ("bzip2", Archive::from_bytes(packed::encode(Compression::Bzip2, &bundle)), prefix),
        ("file", Archive::open(&file).unwrap(), prefix),
    ];
    for (way, archive, prefix) in &archives {
        for Case(os_release, machine, release, expected) in cases() {
            let host = host(os_release, machine, release);
            let what = format!("{way}: {os_release:?} {machine} {release}");
            match (archive.select(&host), expected) {
                (Ok(found), Ok((path, rule))) => {
                    assert_eq!((found.path(), found.rule()), (format!("{prefix}{path}").as_str(), rule), "{what}");
                    let btf = found.btf();
                    assert!(btf.find::<btf_types::Struct<'_>>(path).is_ok(), "{what}: the contents are another's");
                }
                (Err(Error::NotFound { tried, .. }), Err("not found")) => {
                    assert!(host.version.is_none() || !tried.is_empty(), "{what}")
                }
                (Err(Error::Ambiguous { candidates, .. }), Err("ambiguous")) => assert!(candidates.len() > 1, "{what}"),
                (found, expected) => {
                    panic!("{what}: {:?}, expected {expected:?}", found.map(|found| found.path().to_owned()))
                }
            }
        }
    }
}
