//! Archives: which kernel is selected for which host, and why; what an archive
//! may not do.

#![cfg(target_os = "linux")]
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests")]

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use btf_archive::{Archive, Chosen, Error, Limits, Pack, Rule, SelectOptions};
use btf_elf::Compression;
use btf_kernel::{Host, Kernel, OsRelease, Root};
use btf_tests::{
    fixtures,
    memory::{self, CountingAllocator},
    packed,
    tars::{btf, raw, tar},
};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// Packs a file as btfhub does, by its ending.
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
const FILES: [&str; 37] = [
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
    "centos/8/x86_64/4.18.0-147.8.1.el8_1.x86_64.btf.tar.xz",
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
    for (link, target) in
        [("ubuntu/focal", "20.04"), ("debian/buster", "10"), ("loop", "loop"), ("mint", "ubuntu/focal")]
    {
        symlink(target, folder.path().join(link)).unwrap();
    }
    fs::create_dir_all(folder.path().join(".git/x/1/x86_64")).unwrap();
    fs::write(folder.path().join(".git/x/1/x86_64/1.btf"), b"git's own").unwrap();
    fs::write(folder.path().join("README.md"), b"read me").unwrap();
    folder
}

/// Makes a tar of the files, with links before their targets.
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

/// A tar in memory, which is one by its beginning.
fn parse(bytes: impl Into<btf_types::Bytes>) -> Archive {
    Archive::parse(bytes).unwrap()
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
        Case("ID=debian\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\n", x86, "6.1.0-9-amd64", Err("not found")),
        Case("NAME=\"CentOS Stream\"\nID=\"centos\"\nVERSION_ID=\"9\"\n", x86, "5.14.0-1.el9.x86_64", Err("not found")),
        Case(
            "NAME=\"CentOS Stream\"\nID=\"centos\"\nVERSION_ID=\"8\"\n",
            x86,
            "4.18.0-240.el8.x86_64",
            Ok(("centos/8/x86_64/4.18.0-240.el8.x86_64.btf.tar.xz", Exact)),
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
        // As somebody gives it who does not know `ID_LIKE`.
        Case(
            "ID=\"rocky\"\nVERSION_ID=\"8.5\"\n",
            x86,
            "4.18.0-147.8.1.el8_1.x86_64",
            Ok(("rhel/8/x86_64/4.18.0-147.8.1.el8_1.x86_64.btf.tar.xz", UniqueRelease)),
        ),
        Case("ID=\"something\"\nVERSION_ID=\"8.5\"\n", x86, "4.18.0-147.8.1.el8_1.x86_64", Err("ambiguous")),
        // With the version of what it is made from.
        Case(
            "ID=pop\nID_LIKE=\"ubuntu debian\"\nVERSION_ID=\"20.04\"\nVERSION_CODENAME=focal\n",
            x86,
            "5.4.0-42-generic",
            Ok(("ubuntu/20.04/x86_64/5.4.0-42-generic.btf.tar.xz", UniqueRelease)),
        ),
        Case(
            "ID=linuxmint\nID_LIKE=\"ubuntu debian\"\nVERSION_ID=\"20\"\nVERSION_CODENAME=ulyana\n",
            x86,
            "5.4.0-42-generic",
            Err("ambiguous"),
        ),
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
    let (file, plain) = (elsewhere.path().join("bundle"), elsewhere.path().join("plain"));
    fs::write(&plain, &bundle).unwrap();
    fs::write(&file, packed::encode(Compression::Zstd, &bundle)).unwrap();
    let archives = [
        ("folder", Archive::open(folder.path()).unwrap(), ""),
        ("bytes", parse(bundle.clone()), prefix),
        ("gzip", parse(packed::encode(Compression::Gzip, &bundle)), prefix),
        ("reader", Archive::from_reader(packed::encode(Compression::Xz, &bundle).as_slice()).unwrap(), prefix),
        ("bzip2", parse(packed::encode(Compression::Bzip2, &bundle)), prefix),
        ("file", Archive::open(&file).unwrap(), prefix),
        ("plain file", Archive::open(&plain).unwrap(), prefix),
        ("plain from a reader", Archive::from_reader(&bundle[..]).unwrap(), prefix),
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
                    assert!(host.version.is_none() || !tried.is_empty(), "{what}");
                }
                (Err(Error::Ambiguous { candidates, .. }), Err("ambiguous")) => assert!(candidates.len() > 1, "{what}"),
                (found, expected) => {
                    panic!("{what}: {:?}, expected {expected:?}", found.map(|found| found.path().to_owned()))
                }
            }
        }
    }
}

#[test]
fn a_selection_tells_all_about_itself() {
    let archive = parse(bundle());
    let selection = archive.select(&host(RHEL_86, "x86_64", "4.18.0-147.8.1.el8_1.x86_64")).unwrap();
    assert_eq!(selection.rule().to_string(), "alias");
    let tried = selection.tried();
    assert_eq!(tried[0], "rhel/8.6/x86_64/4.18.0-147.8.1.el8_1.x86_64");
    assert!(tried.contains(&"rhel/8/x86_64/4.18.0-147.8.1.el8_1.x86_64".to_owned()));
    assert_eq!(selection.bytes(), btf("rhel/8/x86_64/4.18.0-147.8.1.el8_1.x86_64.btf.tar.xz"));
    let file = selection.file().to_owned();
    assert_eq!(archive.read(&file).unwrap().as_bytes(), &selection.bytes()[..]);
    assert!(matches!(archive.read("no/such/file.btf"), Err(Error::NoMember { .. })));
    // What it is owns all that it needs.
    drop(archive);
    assert!(selection.btf().find::<btf_types::Struct<'_>>("task_struct").is_ok());
}

#[test]
fn the_nearest_is_taken_only_if_asked_for_and_by_numbers() {
    let archive = parse(bundle());
    let wanted = host(UBUNTU_2004, "x86_64", "5.4.0-99-generic");
    let error = archive.select(&wanted).unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with("no BTF for kernel 5.4.0-99-generic of ubuntu 20.04 on x86_64; the nearest are "),
        "{text}"
    );
    let Error::NotFound { nearest, .. } = error else { panic!("{text}") };
    let releases: Vec<_> = nearest.iter().map(|path| path.rsplit('/').next().unwrap()).collect();
    assert_eq!(releases[0], "5.4.0-100-generic.btf.tar.xz", "{nearest:?}");
    assert!(nearest.iter().all(|path| path.contains("/20.04/")), "of the same version, each once: {nearest:?}");
    let options = SelectOptions::new().nearest(true);
    let found = archive.select_with(&wanted, &options).unwrap();
    assert_eq!(found.rule(), Rule::Nearest);
    assert!(found.path().ends_with("5.4.0-100-generic.btf.tar.xz"));
    // What is there, is not passed over for it.
    let there = archive.select_with(&host(UBUNTU_2004, "x86_64", "5.4.0-45-generic"), &options).unwrap();
    assert_eq!(there.rule(), Rule::Exact);
    // Of another flavour or base version, nothing is near.
    for release in ["5.4.0-99-lowlatency", "5.8.0-99-generic"] {
        let error = archive.select_with(&host(UBUNTU_2004, "x86_64", release), &options).unwrap_err();
        assert!(matches!(error, Error::NotFound { .. }), "{release}: {error}");
    }
}

/// Some kernels of Amazon Linux 1 are in a folder without a distribution; from
/// there, too, they go to bundles, whatever folders are around.
#[test]
fn amazon_linux_1_is_one_distribution_in_three_places() {
    let stray = "1/x86_64/4.14.101-75.76.amzn1.x86_64.btf.tar.xz";
    let contents = packed_as(stray);
    let host = host("ID=\"amzn\"\nVERSION_ID=\"2018.03\"\n", "x86_64", "4.14.101-75.76.amzn1.x86_64");
    for around in ["", "btfhub-archive/", "btfhub-archive-main/", "a/b/c/"] {
        let path = format!("{around}{stray}");
        let archive = parse(tar(&[(&path, &contents)]));
        let listed = archive.list().unwrap();
        let entry = listed[0].entry().unwrap();
        assert_eq!((entry.distribution, entry.version), ("amzn", "1"), "{path}");
        let found = archive.select(&host).unwrap();
        assert_eq!((found.path(), found.rule()), (path.as_str(), Rule::Alias));
        let mut bundle = Vec::new();
        assert_eq!(Pack::new().distribution("amzn").write(&archive, &mut bundle).unwrap().kernels, 1);
        let found = parse(bundle).select(&host).unwrap();
        assert_eq!(found.path(), "btfhub-archive/amzn/1/x86_64/4.14.101-75.76.amzn1.x86_64.btf");
    }
}

#[test]
fn an_error_says_no_more_of_a_host_than_is_known() {
    let archive = parse(tar(&[("d/9/x86_64/1.btf", &btf("x"))]));
    let text = |host: Host| archive.select(&host).unwrap_err().to_string();
    let empty = || Host { release: "5.4".into(), ..Host::default() };
    assert_eq!(text(empty()), "no BTF for kernel 5.4");
    assert_eq!(text(Host { machine: "s390x".into(), ..empty() }), "no BTF for kernel 5.4 on s390x");
    assert_eq!(text(Host { distribution: "arch".into(), ..empty() }), "no BTF for kernel 5.4 of arch");
    let debian = Host { distribution: "debian".into(), codename: Some("sid".into()), ..empty() };
    assert_eq!(text(debian), "no BTF for kernel 5.4 of debian sid");
    let long = Host { release: "5".repeat(1000), ..empty() };
    assert!(matches!(archive.select(&long), Err(Error::Limit { .. })));
}

#[test]
fn a_tar_of_any_depth_is_packed_whole() {
    let path = format!("{}d/9/x86_64/1.btf", "x/".repeat(40));
    let archive = parse(tar(&[(&path, &btf("deep"))]));
    assert_eq!(archive.list().unwrap().len(), 1);
    assert_eq!(Pack::new().write(&archive, &mut Vec::new()).unwrap().kernels, 1);
}

#[test]
fn several_with_equal_contents_are_one() {
    let one = packed::encode(Compression::Xz, &btf("same"));
    let files: [(&str, &[u8]); 3] = [
        ("a/1/x86_64/9.9.9.btf.xz", &one),
        ("b/1/x86_64/9.9.9.btf", &btf("same")),
        ("c/1/arm64/9.9.9.btf", &btf("other")),
    ];
    let found = parse(tar(&files)).select(&host("ID=d\n", "x86_64", "9.9.9")).unwrap();
    assert_eq!((found.path(), found.rule()), ("a/1/x86_64/9.9.9.btf.xz", Rule::UniqueRelease));
    // Of build counters, too; and over links a file is no second one.
    let suse = host("ID=suse\nVERSION_ID=12.5\n", "x86_64", "4.12.14-16.10-azure");
    let counted = |one: &[u8], other: &[u8]| {
        let link = raw("suse", tar::EntryType::Symlink, "sles", 0, b"");
        let files: [(&str, &[u8]); 2] = [
            ("sles/12.5/x86_64/4.12.14-16.10.1-azure.btf", one),
            ("sles/12.5/x86_64/4.12.14-16.10.2-azure.btf", other),
        ];
        parse([link, tar(&files)].concat()).select(&suse)
    };
    assert_eq!(counted(&btf("same"), &btf("same")).unwrap().rule(), Rule::BuildCounter);
    assert!(matches!(counted(&btf("same"), &btf("other")), Err(Error::Ambiguous { .. })));
    // Only a link is of this release.
    let link = raw("x/9/x86_64/9.9.9.btf", tar::EntryType::Link, "x/9/x86_64/9.9.8.btf", 0, b"");
    let archive = parse([link, tar(&[("x/9/x86_64/9.9.8.btf", &btf("x"))])].concat());
    let found = archive.select(&host("ID=d\n", "x86_64", "9.9.9")).unwrap();
    assert_eq!((found.file(), found.rule()), ("x/9/x86_64/9.9.8.btf", Rule::UniqueRelease));
}

#[test]
fn links_are_aliases_inside_and_refused_outside() {
    let file = packed_as("ubuntu/20.04/x86_64/5.4.0-42-generic.btf.tar.xz");
    let contents = tar(&[("ubuntu/20.04/x86_64/5.4.0-42-generic.btf.tar.xz", &file)]);
    let with = |links: &[Vec<u8>]| [links.concat(), contents.clone()].concat();
    let link = |path: &str, target: &str| raw(path, tar::EntryType::Symlink, target, 0, b"");
    let mint = host("ID=mint\nVERSION_ID=20\n", "x86_64", "5.4.0-42-generic");
    // A folder over two links, and a hard link to a file; before it and behind.
    let links = [link("mint/20", "../ubuntu/focal"), link("ubuntu/focal", "./20.04")];
    let found = parse(with(&links)).select(&mint).unwrap();
    assert_eq!((found.path(), found.rule()), ("mint/20/x86_64/5.4.0-42-generic.btf.tar.xz", Rule::Alias));
    assert_eq!(found.file(), "ubuntu/20.04/x86_64/5.4.0-42-generic.btf.tar.xz");
    let hard = raw(
        "mint/20/x86_64/9.9.9.btf",
        tar::EntryType::Link,
        "ubuntu/20.04/x86_64/5.4.0-42-generic.btf.tar.xz",
        0,
        b"",
    );
    let found = parse(with(&[hard])).select(&Host { release: "9.9.9".into(), ..mint.clone() }).unwrap();
    assert_eq!(found.file(), "ubuntu/20.04/x86_64/5.4.0-42-generic.btf.tar.xz");
    // Round and round, and more than eight.
    let around = [link("mint/20", "../a/1"), link("a/1", "../mint/20")];
    assert_eq!(parse(with(&around)).select(&mint).unwrap().rule(), Rule::UniqueRelease);
    let many: Vec<_> = (0..20).map(|n| link(&format!("l{n}"), &format!("l{}", n + 1))).collect();
    assert!(parse(with(&many)).list().is_ok());
    let tree = folder();
    for (path, target) in [("debian/out", "/etc"), ("up", "../../../../etc")] {
        symlink(target, tree.path().join(path)).unwrap();
        let error = Archive::open(tree.path()).unwrap().select(&mint).unwrap_err();
        assert!(matches!(&error, Error::Refused { member, .. } if member == path), "{error}");
        fs::remove_file(tree.path().join(path)).unwrap();
    }
    for (path, target) in [("mint/20", "/etc"), ("mint/20", "../../etc"), ("x", "..")] {
        let error = parse(with(&[link(path, target)])).select(&mint).unwrap_err();
        assert!(matches!(&error, Error::Refused { member, .. } if member == path), "{error}");
    }
}

#[test]
fn what_no_archive_has_is_refused_with_its_name() {
    let good = btf("good");
    let file = |path: &str| raw(path, tar::EntryType::Regular, "", good.len() as u64, &good);
    let kind = |kind: tar::EntryType| raw("a/1/x86_64/1.btf", kind, "", 0, b"");
    let record = |text: &str| {
        let len = (1..).find(|len: &usize| len.to_string().len() + text.len() + 2 == *len).unwrap();
        format!("{len} {text}\n").into_bytes()
    };
    let pax = |records: &[u8]| raw("pax", tar::EntryType::XHeader, "", records.len() as u64, records);
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("an absolute path", file("/etc/passwd")),
        ("leads out", file("a/../../b")),
        ("leads out", file("..")),
        ("a device", kind(tar::EntryType::Block)),
        ("a device", kind(tar::EntryType::Char)),
        ("a pipe", kind(tar::EntryType::Fifo)),
        ("a sparse file", kind(tar::EntryType::GNUSparse)),
        ("there twice", [file("a/1/x86_64/1.btf"), file("a/1/x86_64/1.btf")].concat()),
        ("there twice", [file("a/1/x86_64/1.btf"), file("./a//1/x86_64/1.btf")].concat()),
        ("leads out", [pax(&record("path=../../x")), file("x")].concat()),
        ("an absolute path", [pax(&record("path=/x/y")), file("x")].concat()),
        ("two sizes", [pax(&record("size=9999")), file("x")].concat()),
        ("a sparse file", [pax(&record("GNU.sparse.major=1")), file("x")].concat()),
        ("extended header is damaged", [pax(b"99 path=x\n"), file("x")].concat()),
        ("extended header is damaged", [pax(b"path=x\n"), file("x")].concat()),
        ("bytes in an extended header", raw("x", tar::EntryType::GNULongName, "", 1 << 30, &[b'x'; 1000])),
        ("bytes in an extended header", raw("x", tar::EntryType::XHeader, "", u64::MAX >> 8, &[b'x'; 1000])),
        (
            "a path that is too long",
            [raw("l", tar::EntryType::GNULongName, "", 5000, &[b'x'; 5000]), file("x")].concat(),
        ),
        ("is damaged: it ends early", raw("a/1/x86_64/1.btf", tar::EntryType::Regular, "", 1 << 40, &good)),
        ("is damaged: it ends early", raw("a/1/x86_64/1.btf", tar::EntryType::Regular, "", 2000, &good)),
        ("is damaged: a header has a wrong checksum", [file("x"), b"no archive".repeat(100)].concat()),
        ("a member without a name", raw("./", tar::EntryType::Symlink, "x", 0, b"")),
        ("a member without a name", raw(".", tar::EntryType::Regular, "", good.len() as u64, &good)),
        ("through too many folders", file(&format!("a{}b", "/".repeat(70)))),
    ];
    let elsewhere = tempfile::tempdir().unwrap();
    let outside = || -> BTreeSet<PathBuf> {
        fs::read_dir(elsewhere.path()).unwrap().map(|entry| entry.unwrap().path()).collect()
    };
    for (fault, bytes) in cases {
        let archive = parse(bytes);
        for error in [
            archive.list().unwrap_err(),
            archive.select(&host("ID=a\nVERSION_ID=1\n", "x86_64", "1")).unwrap_err(),
            archive.unpack_into(elsewhere.path().join("folder")).unwrap_err(),
        ] {
            let text = error.to_string();
            // Writing finds out about a second file of a name by itself.
            assert!(text.contains(fault), "{fault}: {text}");
        }
        assert!(outside().is_empty(), "{fault}: nothing is left");
    }
}

#[test]
fn limits_on_members_bytes_and_paths() {
    let archive = |limits: Limits| parse(bundle()).with_limits(limits);
    let limits = Limits::default();
    for (limits, what) in [
        (limits.members(10), "members in the archive"),
        (limits.bytes(10_000), "bytes in the archive"),
        (limits.path_bytes(20), "a path that is too long"),
    ] {
        let error = archive(limits).list().unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
    }
    let error = archive(limits.member_bytes(50)).select(&host(UBUNTU_2004, "x86_64", "5.4.0-42-generic"));
    assert!(matches!(error, Err(Error::Limit { limit: 50, .. })), "{error:?}");
    // Bombs: one that is the archive, and one that is in it.
    let bomb = packed::zeros(Compression::Gzip, 40 << 20);
    let small = limits.bytes(1 << 20);
    let (result, heap) = memory::measure(|| parse(bomb.clone()).with_limits(small).list());
    // Zeros are the end of an archive.
    assert!(result.is_ok_and(|list| list.is_empty()) && heap.peak < 4 << 20, "{} bytes of heap", heap.peak);
    let inner = tar(&[("a/1/x86_64/1.btf.gz", &bomb)]);
    let small = limits.member_bytes(1 << 20);
    let archive = parse(inner).with_limits(small);
    let (result, heap) = memory::measure(|| archive.select(&host("ID=a\nVERSION_ID=1\n", "x86_64", "1")));
    assert!(matches!(result, Err(Error::Decode { .. })), "{result:?}");
    assert!(heap.peak < 8 << 20, "{} bytes of heap", heap.peak);
    let within = Limits::default().bytes(1 << 20);
    let endless = std::io::Read::chain(&[0x1f, 0x8b, 8, 0][..], std::io::repeat(b'x'));
    let endless = Archive::from_reader_within(endless, within);
    assert!(matches!(endless, Err(Error::Limit { limit: 1_048_576, .. })));
    // What is none is not read on, and neither is what is behind its end.
    let none = Archive::from_reader_within(std::io::repeat(b'x'), within);
    assert!(matches!(none, Err(Error::NotAnArchive { .. })));
    assert!(Archive::from_reader_within(std::io::repeat(0), within).unwrap().list().unwrap().is_empty());
}

#[test]
fn files_that_are_not_what_they_say() {
    let select = |path: &str, contents: &[u8], machine: &str| {
        parse(tar(&[(path, contents)])).select(&host("ID=a\nVERSION_ID=1\n", machine, "1"))
    };
    let good = btf("good");
    let path = "a/1/x86_64/1.btf.tar.xz";
    assert!(select(path, &good, "x86_64").is_ok(), "the contents say what it is");
    let xz = |bytes: &[u8]| packed::encode(Compression::Xz, bytes);
    let cases = [
        ("neither BTF nor a tar", xz(b"garbage")),
        ("neither BTF nor a tar", xz(&xz(&good))),
        ("without a file of BTF", xz(&tar(&[("README", b"read me")]))),
        ("without a file of BTF", xz(&tar(&[("a.btf", &good), ("b.btf", &good)]))),
        ("there twice", xz(&tar(&[("1.btf", &good), ("./1.btf", &good)]))),
        ("a link", xz(&raw("1.btf", tar::EntryType::Symlink, "x", 0, b""))),
        ("leads out", xz(&raw("../1.btf", tar::EntryType::Regular, "", good.len() as u64, &good))),
        ("damaged", xz(&good)[..40].to_vec()),
        ("type section", good[..40].to_vec()),
    ];
    for (fault, contents) in cases {
        let error = select(path, &contents, "x86_64").unwrap_err();
        assert!(error.to_string().contains(fault), "{fault}: {error}");
    }
    // Of the other byte order, or with other pointers.
    let mut big = good.clone();
    btf_format::convert(&mut big, btf_format::ByteOrder::NATIVE.swapped()).unwrap();
    let error = select("a/1/x86_64/1.btf", &big, "x86_64").unwrap_err().to_string();
    assert!(error.contains("cannot be BTF for x86_64: it is big-endian"), "{error}");
    let error = select("a/1/i686/1.btf", &good, "i686").unwrap_err().to_string();
    assert!(error.contains("cannot be BTF for i686: its pointers have 8 bytes"), "{error}");
    let archive = parse(tar(&[("a/1/x86_64/1.btf", &good)]));
    let options = |name: &str| SelectOptions::new().require_type("task_struct").require_type(name);
    let wanted = host("ID=a\nVERSION_ID=1\n", "x86_64", "1");
    assert!(archive.select_with(&wanted, &options("good")).is_ok());
    assert!(archive.select_with(&wanted, &options("sk_buff")).unwrap_err().to_string().contains("no type sk_buff"));
}

#[test]
fn kernels_with_their_modules() {
    let release = fixtures::SORTED;
    let files =
        ["vmlinux", "veth", "openvswitch"].map(|name| (name, fixtures::read(&format!("kernels/{release}/{name}.btf"))));
    let mut inner = raw("./", tar::EntryType::Directory, "", 0, b"");
    let named: Vec<_> = files.iter().map(|(name, bytes)| (format!("./{name}"), bytes)).collect();
    let named: Vec<(&str, &[u8])> = named.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    inner.extend(tar(&named));
    let path = format!("debian/13/x86_64/{release}.btf.tar.xz");
    let archive = parse(tar(&[(&path, &packed::encode(Compression::Xz, &inner))]));
    let found = archive.select(&host("ID=debian\nVERSION_ID=13\n", "x86_64", release)).unwrap();
    assert_eq!(found.module_names().collect::<Vec<_>>(), ["openvswitch", "veth"]);
    let veth = found.module("veth").unwrap();
    assert!(veth.find::<btf_types::Struct<'_>>("veth_priv").is_ok());
    assert_eq!(veth.own_ids().start, found.btf().type_count());
    assert!(matches!(found.module("vxlan"), Err(Error::NoModule { .. })));
}

#[test]
fn the_kernels_own_goes_first() {
    let archive = parse(tar(&[("debian/13/x86_64/1.2.3.btf", &btf("archived"))]));
    let system = tempfile::tempdir().unwrap();
    let write = |inside: &str, bytes: &[u8]| {
        let path = system.path().join(inside);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    };
    write("proc/sys/kernel/osrelease", b"1.2.3\n");
    write("proc/sys/kernel/arch", b"x86_64\n");
    write("etc/os-release", b"ID=debian\nVERSION_ID=\"13\"\n");
    let kernel = || Kernel::of(Root::new(system.path()));
    let Chosen::Archive(selection) = archive.choose(&kernel()).unwrap() else { panic!("it has none") };
    assert_eq!(selection.rule(), Rule::Exact);
    let mut elf = btf_tests::elf_blob::ElfBlob::bpf(btf_format::ByteOrder::NATIVE);
    elf.section(".BTF", btf("own"));
    write("boot/vmlinux-1.2.3", &elf.build());
    let chosen = archive.choose(&kernel()).unwrap();
    assert!(matches!(chosen, Chosen::Kernel(_)));
    assert!(chosen.btf().find::<btf_types::Struct<'_>>("own").is_ok());
}

#[test]
fn unpacked_whole_or_not_at_all() {
    let elsewhere = tempfile::tempdir().unwrap();
    let to = elsewhere.path().join("a/b");
    let archive = parse(packed::encode(Compression::Zstd, &bundle()));
    let unpacked = archive.unpack_into(&to).unwrap();
    assert_eq!((unpacked.folder(), unpacked.package_json()), (to.as_path(), Some(&b"{}"[..])));
    let files = fixtures::below(&to);
    assert_eq!(files.len(), FILES.len() + 1);
    assert!(files.iter().all(|path| !path.symlink_metadata().unwrap().is_symlink()));
    let wanted = host(UBUNTU_2004, "x86_64", "5.4.0-42-generic");
    let file = unpacked.btf_file_of(&wanted).unwrap();
    assert_eq!(fs::read(&file).unwrap(), btf("ubuntu/20.04/x86_64/5.4.0-42-generic.btf.tar.xz"));
    assert!(file.ends_with("btfhub-archive/ubuntu/20.04/x86_64/5.4.0-42-generic.btf"));
    assert!(matches!(archive.unpack_into(&to), Err(Error::Exists { .. })));
    assert_eq!(archive.package_json().unwrap().as_deref(), Some(&b"{}"[..]));
    assert_eq!(unpacked.archive().unwrap().package_json().unwrap().as_deref(), Some(&b"{}"[..]));
    assert_eq!(parse(tar(&[("a/b", b"")])).package_json().unwrap(), None);
    // By its name plain, and yet packed.
    let packed = packed::encode(Compression::Xz, &btf("packed"));
    let odd = parse(tar(&[("x/1/x86_64/1.0.btf", &packed)])).unpack().unwrap();
    let file = odd.btf_file_of(&host("ID=x\nVERSION_ID=1\n", "x86_64", "1.0")).unwrap();
    assert_eq!(fs::read(file).unwrap(), btf("packed"));
    // A temporary one is gone with its handle.
    let temporary = archive.unpack().unwrap();
    let folder = temporary.folder().to_owned();
    assert!(temporary.archive().unwrap().select(&wanted).is_ok());
    drop(temporary);
    assert!(!folder.exists());
    let kept = archive.unpack().unwrap().keep();
    assert!(kept.exists());
    fs::remove_dir_all(kept.parent().unwrap()).unwrap();
    // Cut off: nothing.
    let bytes = bundle();
    let header = bytes.windows(16).position(|window| window == b"5.11.0-1023-azur").unwrap();
    let cut = parse(bytes[..header + 600].to_vec());
    let cut_file = elsewhere.path().join("a/cut.tar");
    fs::write(&cut_file, &bytes[..header + 600]).unwrap();
    assert!(matches!(Archive::open(&cut_file).unwrap().list(), Err(Error::Damaged { .. })));
    let nothing = elsewhere.path().join("nothing");
    assert!(cut.unpack_into(&nothing).is_err());
    let left: Vec<_> = fs::read_dir(elsewhere.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["a"]);
}

#[test]
fn bundles_are_the_same_whatever_they_are_made_from() {
    let folder = folder();
    let from_folder = Archive::open(folder.path()).unwrap();
    let from_tar = parse(packed::encode(Compression::Gzip, &bundle()));
    let pack = |archive: &Archive, compression: Option<Compression>| {
        let mut pack =
            Pack::new().package_json(b"{\"a\":1}").distribution("ubuntu").machine("amd64").release("5.4.0-*");
        if let Some(compression) = compression {
            pack = pack.compression(compression);
        }
        let mut bytes = Vec::new();
        let count = pack.write(archive, &mut bytes).unwrap().kernels;
        (count, bytes)
    };
    let (count, plain) = pack(&from_folder, None);
    assert_eq!(count, 4);
    assert_eq!(pack(&from_tar, None), (count, plain.clone()));
    for compression in [Compression::Gzip, Compression::Xz, Compression::Zstd] {
        let (_, packed) = pack(&from_folder, Some(compression));
        assert_eq!(packed, pack(&from_tar, Some(compression)).1, "{compression}");
        assert_eq!(compression.decode(&packed, &btf_elf::Limits::BTF).unwrap(), plain);
    }
    let mut names = Vec::new();
    for entry in tar::Archive::new(&plain[..]).entries().unwrap() {
        let entry = entry.unwrap();
        assert_eq!((entry.header().mtime().unwrap(), entry.header().uid().unwrap()), (0, 0));
        names.push(entry.path().unwrap().display().to_string());
    }
    assert_eq!(names[0], "package.json");
    assert!(
        names[1..].is_sorted() && names[1] == "btfhub-archive/ubuntu/18.04/x86_64/5.4.0-42-generic.btf",
        "{names:?}"
    );
    let again = parse(plain);
    let found = again.select(&host(UBUNTU_2004, "x86_64", "5.4.0-42-generic")).unwrap();
    assert_eq!(found.bytes(), btf("ubuntu/20.04/x86_64/5.4.0-42-generic.btf.tar.xz"));
    // What a trimmer makes of each.
    let mut bytes = Vec::new();
    let trimmed = Pack::new().transform(|btf| Ok::<_, Error>(btf.as_bytes()[..24].to_vec()));
    assert_eq!(trimmed.write(&from_folder, &mut bytes).unwrap().kernels, FILES.len());
    let failing = Pack::new().transform(|_| Err("no such program"));
    assert!(failing.write(&from_folder, &mut Vec::new()).unwrap_err().to_string().contains("no such program"));
    // By other names, too.
    let oracles = FILES.iter().filter(|path| path.starts_with("ol/")).count();
    assert_eq!(Pack::new().distribution("oracle").write(&from_folder, &mut Vec::new()).unwrap().kernels, oracles);
    let error = Pack::new().distribution("none").write(&from_folder, &mut Vec::new()).unwrap_err();
    assert!(
        matches!(&error, Error::NoMatch { .. }) && error.to_string().ends_with("matches distribution none"),
        "{error}"
    );
    // A failed write leaves the old file whole.
    let out = folder.path().join("out.tar");
    Pack::new().write_file(&from_tar, &out).unwrap();
    let before = fs::read(&out).unwrap();
    assert!(failing.write_file(&from_tar, &out).is_err());
    assert_eq!(fs::read(&out).unwrap(), before);
    let way = |name: &str| Pack::compression_of(Path::new(name));
    for (name, compression) in [
        ("a.tar.zst", Some(Compression::Zstd)),
        ("a.tzst", Some(Compression::Zstd)),
        ("a.tgz", Some(Compression::Gzip)),
        ("A.TAR.GZ", Some(Compression::Gzip)),
        ("a.txz", Some(Compression::Xz)),
        ("a.b/c.tar", None),
    ] {
        assert_eq!(way(name).unwrap(), compression, "{name}");
    }
    for name in ["x.tar.bz2", "x.tar.lz4", "x.lzma"] {
        assert!(matches!(way(name), Err(Error::CannotCompress { .. })), "{name}");
    }
    for name in ["x.zip", "x", "x.tar.", "tar", "x.tar.gz.old"] {
        assert!(matches!(way(name), Err(Error::UnknownEnding { .. })), "{name}");
    }
    // The disk is full.
    for compression in [None, Some(Compression::Gzip), Some(Compression::Xz), Some(Compression::Zstd)] {
        let pack = compression.into_iter().fold(Pack::new(), Pack::compression);
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let error = pack.write(&from_folder, full).unwrap_err();
        assert!(matches!(error, Error::Write { .. }), "{compression:?}: {error}");
    }
    // The same kernel under two endings is one; another one under the same name
    // is refused.
    let twice = folder.path().join("ubuntu/20.04/x86_64/5.4.0-42-generic.btf");
    fs::write(&twice, btf("ubuntu/20.04/x86_64/5.4.0-42-generic.btf.tar.xz")).unwrap();
    assert_eq!(Pack::new().write(&from_folder, &mut Vec::new()).unwrap().kernels, FILES.len());
    fs::write(&twice, btf("another")).unwrap();
    let error = Pack::new().write(&from_folder, &mut Vec::new()).unwrap_err();
    assert!(matches!(&error, Error::Conflict { .. }), "{error}");
    // A link is followed, and a device written to.
    let link = folder.path().join("link.tar");
    symlink("out.tar", &link).unwrap();
    fs::remove_file(&twice).unwrap();
    Pack::new().release("5.4.0-42-*").machine("arm64").write_file(&from_folder, &link).unwrap();
    assert!(link.is_symlink() && fs::read(&out).unwrap().len() < before.len());
    Pack::new().write_file(&from_folder, "/dev/null").unwrap();
    assert!(!Path::new("/dev/null").is_file());
}

/// A git repository with the archive in it stands for btfhub's.
#[test]
fn fetched_is_what_is_asked_for_and_nothing_else() {
    let git = |folder: &Path, arguments: &[&str]| {
        let identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"];
        Command::new("git").args(identity).args(arguments).current_dir(folder).output()
    };
    let upstream = folder();
    if git(upstream.path(), &["--version"]).is_err() {
        btf_tests::skip("there is no git");
        return;
    }
    fs::remove_dir_all(upstream.path().join(".git")).unwrap();
    for arguments in [
        &["init", "-q", "-b", "main"][..],
        &["config", "uploadpack.allowFilter", "true"],
        &["add", "."],
        &["commit", "-qm", "one"],
    ] {
        let output = git(upstream.path(), arguments).unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    let cache = tempfile::tempdir().unwrap();
    let url = format!("file://{}", upstream.path().display());
    let fetch = || btf_archive::Fetch::new().url(&url).cache(cache.path());
    assert!(matches!(fetch().fetch(), Err(Error::Everything)));
    let paths = |listed: &[btf_archive::Listed]| -> Vec<String> {
        listed.iter().filter(|listed| !listed.is_link()).map(|listed| listed.path().to_owned()).collect()
    };
    let expected = |part: &str| -> Vec<String> {
        FILES.map(String::from).into_iter().filter(|path| path.contains(part)).collect()
    };
    let fetched =
        fetch().distribution("ubuntu").version("20.04").machine("x86_64").release("5.4.0-4*").fetch().unwrap();
    assert_eq!(paths(&fetched.kernels), expected("20.04/x86_64/5.4.0-4"));
    assert_eq!(paths(&fetched.archive.list().unwrap()), expected("20.04/x86_64/5.4.0-4"));
    assert!(fetched.folder.starts_with(cache.path()));
    // By other names; links are there.
    let fetched =
        fetch().distribution("ubuntu").version("focal").machine("aarch64").release("5.4.0-??-*").fetch().unwrap();
    assert_eq!(paths(&fetched.kernels), expected("ubuntu/20.04/arm64/5.4.0-42"));
    let found = fetched.archive.select(&host("ID=ubuntu\nVERSION_ID=focal\n", "aarch64", "5.4.0-42-generic")).unwrap();
    assert_eq!(found.path(), "ubuntu/20.04/arm64/5.4.0-42-generic.btf.tar.xz");
    assert!(fetched.folder.join("debian/buster").is_symlink() && !fetched.folder.join("debian/10").exists());
    for (distribution, version, part) in
        [("oracle", "8.5", "ol/8/"), ("redhat", "7.9", "rhel/7/"), ("amzn", "2018.03", "amzn1.x86_64")]
    {
        let fetched = fetch().distribution(distribution).version(version).fetch().unwrap();
        let mut expected = expected(part);
        expected.sort();
        assert_eq!(paths(&fetched.kernels), expected);
    }
    let error = fetch().distribution("ubuntu").version("20.04").release("9.9*").fetch().unwrap_err();
    let text = error.to_string();
    assert!(text.ends_with("matches distribution ubuntu, version 20.04, release 9.9*"), "{text}");
    // More of it, what is there stays; and what is new there comes.
    fs::write(upstream.path().join("debian/10/x86_64/4.19.0-99-amd64.btf"), btf("new")).unwrap();
    git(upstream.path(), &["add", "."]).unwrap();
    git(upstream.path(), &["commit", "-qm", "two"]).unwrap();
    let fetched = fetch().distribution("debian").version("10").fetch().unwrap();
    let of_debian = paths(&fetched.kernels);
    assert!(of_debian.contains(&"debian/10/x86_64/4.19.0-99-amd64.btf".to_owned()), "{of_debian:?}");
    let all = paths(&fetched.archive.list().unwrap());
    assert!(all.iter().any(|path| path.starts_with("ubuntu/20.04")), "{all:?}");
    assert!(!all.iter().any(|path| path.starts_with("rhel/8")), "{all:?}");
    // Gone: what was fetched is there all the same.
    drop(upstream);
    let fetched = fetch().distribution("debian").version("10").fetch().unwrap();
    assert_eq!(paths(&fetched.kernels), of_debian);
    let error = btf_archive::Fetch::new()
        .url("/nonexistent/repository")
        .cache(cache.path())
        .distribution("a")
        .fetch()
        .unwrap_err();
    assert!(matches!(error, Error::Git { .. }), "{error}");
    let names: Vec<_> = fs::read_dir(cache.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 1, "nothing half is left: {names:?}");
}
