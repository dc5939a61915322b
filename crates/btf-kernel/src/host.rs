//! Which system it is: distribution, machine, kernel release.

use std::io::Read;

use btf_elf::Machine;
use btf_types::ByteOrder;

use crate::{Error, OsRelease, Root};

/// A system, as far as it matters for which BTF belongs to it.
///
/// Plain data: anyone can make one, of a system that is not there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Host {
    /// The distribution: `ID` of os-release, empty if it has none.
    pub distribution: String,
    /// What that is made from: `ID_LIKE`, the nearest first.
    pub like: Vec<String>,
    /// Its version: `VERSION_ID`; rolling ones have none.
    pub version: Option<String>,
    /// The version's name: `VERSION_CODENAME`.
    pub codename: Option<String>,
    /// The machine as `uname -m` says it: `x86_64`, `aarch64`.
    pub machine: String,
    /// The kernel release as `uname -r` says it: `6.12.4-amd64`.
    pub release: String,
}

impl Host {
    /// The system that this runs on. (In a container: the distribution is the
    /// container's, the kernel the host's. With the host's files mounted
    /// somewhere, [`Host::of`] sees the host.)
    ///
    /// # Errors
    ///
    /// Those of [`Host::of`].
    pub fn detect() -> Result<Self, Error> {
        Self::of(&Root::system())
    }

    /// The system whose files are in a folder.
    ///
    /// # Errors
    ///
    /// [`Error::NoRelease`], [`Error::NoMachine`] if that cannot be told.
    pub fn of(root: &Root) -> Result<Self, Error> {
        Self::of_with(root, None, None)
    }

    /// The system whose files are in a folder, with the kernel release and the
    /// machine given where its files do not tell: an image or an unpacked root
    /// file system has no `/proc`.
    ///
    /// # Errors
    ///
    /// [`Error::NoRelease`], [`Error::NoMachine`] if one is neither given nor
    /// known.
    pub fn of_with(root: &Root, release: Option<&str>, machine: Option<&str>) -> Result<Self, Error> {
        let os = OsRelease::of(root);
        let release = release.map_or_else(|| release_of(root), |given| Ok(given.into()))?;
        let machine = machine.map_or_else(|| machine_of(root, &release), |given| Ok(given.into()))?;
        Ok(Self {
            distribution: os.id().unwrap_or_default().into(),
            like: os.id_like().map(Into::into).collect(),
            version: os.version_id().map(Into::into),
            codename: os.version_codename().map(Into::into),
            machine,
            release,
        })
    }
}

/// The kernel release of a system: that of its `/proc`, else, if it is the one
/// that this runs on, what the kernel says.
pub(crate) fn release_of(root: &Root) -> Result<String, Error> {
    match line(root, "/proc/sys/kernel/osrelease") {
        Some(release) => Ok(release),
        None if root.is_system() => Ok(running_release()),
        None => Err(Error::NoRelease { root: root.folder().into() }),
    }
}

/// The machine of a system: that of its `/proc` (since Linux 6.1), else, if it
/// runs the same kernel, that of this one, else that of its programs.
fn machine_of(root: &Root, release: &str) -> Result<String, Error> {
    match line(root, "/proc/sys/kernel/arch") {
        Some(machine) => Ok(machine),
        // The same kernel runs on the same machine.
        None if root.is_system() || release == running_release() => {
            Ok(rustix::system::uname().machine().to_string_lossy().into_owned())
        }
        None => machine_of_programs(root).ok_or_else(|| Error::NoMachine { root: root.folder().into() }),
    }
}

/// The machine that a system's shell is built for.
fn machine_of_programs(root: &Root) -> Option<String> {
    ["/bin/sh", "/usr/bin/env"].into_iter().find_map(|path| {
        // The magic number, the class, the byte order; at 18, `e_machine`.
        let mut header = [0; 20];
        root.open(path).ok()?.read_exact(&mut header).ok()?;
        let [0x7f, b'E', b'L', b'F', class @ 1..=2, data @ 1..=2, .., low, high] = header else { return None };
        let (order, number) = match data {
            1 => (ByteOrder::Little, u16::from_le_bytes([low, high])),
            _ => (ByteOrder::Big, u16::from_be_bytes([low, high])),
        };
        Machine::new(number, class == 2, order).name().map(Into::into)
    })
}

fn line(root: &Root, path: &str) -> Option<String> {
    let text = root.read(path).ok()?;
    let text = String::from_utf8_lossy(&text).trim().to_owned();
    (!text.is_empty()).then_some(text)
}

/// The release of the kernel that runs.
pub(crate) fn running_release() -> String {
    #[cfg(feature = "sys-info")]
    if let Ok(release) = sys_info::os_release() {
        return release.trim().to_owned();
    }
    rustix::system::uname().release().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn this_system() {
        let host = Host::detect().unwrap();
        assert_eq!(host.release, running_release());
        assert_eq!(host.machine, std::env::consts::ARCH);
    }

    #[test]
    fn another_system_says_it_itself_or_asks() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::new(folder.path());
        let proc = folder.path().join("proc/sys/kernel");
        fs::create_dir_all(&proc).unwrap();
        assert!(matches!(Host::of(&root), Err(Error::NoRelease { .. })));
        fs::write(proc.join("osrelease"), "5.4.0-42-generic\n").unwrap();
        assert!(matches!(Host::of(&root), Err(Error::NoMachine { .. })));
        fs::write(proc.join("arch"), "s390x\n").unwrap();
        let host = Host::of(&root).unwrap();
        assert_eq!((host.release.as_str(), host.machine.as_str()), ("5.4.0-42-generic", "s390x"));
        assert_eq!((host.distribution.as_str(), host.version), ("", None));
        // What is given takes precedence, and the rest is the tree's.
        fs::create_dir_all(folder.path().join("etc")).unwrap();
        fs::write(folder.path().join("etc/os-release"), "ID=rocky\nID_LIKE=\"rhel fedora\"\nVERSION_ID=8.6\n").unwrap();
        let host = Host::of_with(&root, Some("4.18.0"), Some("aarch64")).unwrap();
        assert_eq!((host.release.as_str(), host.machine.as_str()), ("4.18.0", "aarch64"));
        assert_eq!((host.distribution.as_str(), host.version.as_deref()), ("rocky", Some("8.6")));
        assert_eq!(host.like, ["rhel", "fedora"]);
        fs::remove_file(proc.join("arch")).unwrap();
        fs::write(proc.join("osrelease"), running_release()).unwrap();
        assert_eq!(Host::of(&root).unwrap().machine, std::env::consts::ARCH, "of a container's host");
    }

    #[test]
    fn the_machine_of_an_image_is_that_of_its_programs() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::new(folder.path());
        fs::create_dir_all(folder.path().join("bin")).unwrap();
        let host = |header: &[u8]| {
            fs::write(folder.path().join("bin/sh"), header).unwrap();
            Host::of_with(&root, Some("5.4.0"), None)
        };
        let elf = |class, data, machine: [u8; 2]| {
            let mut header = [b"\x7fELF", &[class, data][..], &[0; 12]].concat();
            header.extend(machine);
            header
        };
        assert_eq!(host(&elf(2, 2, [0, 22])).unwrap().machine, "s390x");
        assert_eq!(host(&elf(2, 1, [183, 0])).unwrap().machine, "aarch64");
        assert_eq!(host(&elf(1, 1, [3, 0])).unwrap().machine, "i686");
        for header in [&b"#!/bin/busybox"[..], &elf(2, 1, [0xff, 0xff]), &elf(3, 1, [183, 0])] {
            assert!(matches!(host(header), Err(Error::NoMachine { .. })));
        }
    }
}
