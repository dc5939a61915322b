//! Systems: distribution, machine, kernel release.

use std::{collections::BTreeSet, io::Read};

use btf_elf::Machine;
use btf_types::ByteOrder;

use crate::{Error, OsRelease, Root, sys};

/// Maximum size of a file in `/proc` that holds one line, in bytes.
const LINE: u64 = 4096;

/// Maximum length of a kernel release in bytes, as it is part of file names.
/// (The kernel allows 64.)
const RELEASE: usize = 255;

/// Properties of a system that determine its BTF.
///
/// All fields are public, and no more will be added: construct it for any
/// system, present or not.
///
/// ```
/// # fn main() -> Result<(), btf_kernel::Error> {
/// use btf_kernel::{Host, Root};
///
/// let host = Host::of(&Root::new("doc/root"))?; // or `Host::detect()`
/// assert_eq!((host.distribution.as_str(), host.version.as_deref()), ("debian", Some("13")));
/// assert_eq!((host.machine.as_str(), host.release.as_str()), ("x86_64", "6.12.0"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Host {
    /// Distribution: `ID` of os-release, empty if it has none.
    pub distribution: String,
    /// Distributions that it is derived from: `ID_LIKE`, nearest first.
    pub like: Vec<String>,
    /// Version of the distribution: `VERSION_ID`. Rolling distributions have
    /// none.
    pub version: Option<String>,
    /// Code name of the version: `VERSION_CODENAME`.
    pub codename: Option<String>,
    /// Machine as in `uname -m`: `x86_64`, `aarch64`.
    pub machine: String,
    /// Kernel release as in `uname -r`: `6.12.4-amd64`.
    pub release: String,
}

impl Host {
    /// Detects the system on which this runs. (In a container: the distribution
    /// of the container, and the kernel of the host. To detect the host, mount
    /// its files and use [`Host::of`].)
    ///
    /// # Errors
    ///
    /// Those of [`Host::of`].
    pub fn detect() -> Result<Self, Error> {
        Self::of(&Root::system())
    }

    /// Detects the system whose files are in a folder.
    ///
    /// # Errors
    ///
    /// [`Error::NoRelease`], [`Error::NoMachine`] if the system does not have
    /// them: pass them with [`Host::options`].
    pub fn of(root: &Root) -> Result<Self, Error> {
        Self::options().of(root)
    }

    /// Returns options to set the release or machine; the rest is detected.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_kernel::Error> {
    /// use btf_kernel::{Host, Root};
    ///
    /// // An image without /proc; its os-release says which distribution it is.
    /// # let image = "doc/root";
    /// let host = Host::options().release("6.1.0-18-amd64").machine("x86_64").of(&Root::new(image))?;
    /// assert_eq!(host.release, "6.1.0-18-amd64");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn options() -> HostOptions {
        HostOptions::default()
    }
}

/// Properties of a system that are set instead of detected: see
/// [`Host::options`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct HostOptions {
    release: Option<String>,
    machine: Option<String>,
}

impl HostOptions {
    /// Sets the kernel release.
    #[must_use]
    pub fn release(mut self, release: impl Into<String>) -> Self {
        self.release = Some(release.into());
        self
    }

    /// Sets the machine.
    #[must_use]
    pub fn machine(mut self, machine: impl Into<String>) -> Self {
        self.machine = Some(machine.into());
        self
    }

    /// Detects the rest of the system on which this runs.
    ///
    /// # Errors
    ///
    /// Those of [`HostOptions::of`].
    pub fn detect(self) -> Result<Host, Error> {
        self.of(&Root::system())
    }

    /// Detects the rest of the system whose files are in a folder.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidRelease`]; [`Error::NoRelease`], [`Error::NoMachine`] if
    /// one is neither set nor found.
    pub fn of(self, root: &Root) -> Result<Host, Error> {
        let os = OsRelease::of(root);
        let release = match self.release {
            Some(release) => valid(release)?,
            None => release(root)?,
        };
        let machine = self.machine.map_or_else(|| machine(root, &release), Ok)?;
        Ok(Host {
            distribution: os.id().unwrap_or_default().into(),
            like: os.id_like().map(Into::into).collect(),
            version: os.version_id().map(Into::into),
            codename: os.version_codename().map(Into::into),
            machine,
            release,
        })
    }
}

/// Checks a kernel release, which becomes part of file names.
pub(crate) fn valid(release: String) -> Result<String, Error> {
    match release.as_str() {
        "" | "." | ".." => Err(Error::InvalidRelease { release }),
        _ if release.len() <= RELEASE && !release.contains(['/', '\0']) => Ok(release),
        _ => Err(Error::InvalidRelease { release: release.chars().take(RELEASE).collect() }),
    }
}

/// Returns the kernel release of a system: from its `/proc`, else from uname if
/// this is the running system, else that of its only kernel.
pub(crate) fn release(root: &Root) -> Result<String, Error> {
    if let Some(release) = line(root, "/proc/sys/kernel/osrelease") {
        return valid(release);
    }
    if let Some(release) = sys::running_release().filter(|_| root.is_system()) {
        return Ok(release);
    }
    let mut found: Vec<String> = installed(root).into_iter().collect();
    match found.pop() {
        Some(only) if found.is_empty() => Ok(only),
        last => {
            found.extend(last);
            Err(Error::NoRelease { root: root.folder().into(), found })
        }
    }
}

/// Returns the releases of the kernels in a system's `boot` and `lib/modules`.
fn installed(root: &Root) -> BTreeSet<String> {
    let list = |folder: &str| root.list(folder).unwrap_or_default().into_iter();
    let modules = ["/lib/modules", "/usr/lib/modules"].into_iter().flat_map(list);
    let modules = modules.filter_map(|(name, is_folder)| name.into_string().ok().filter(|_| is_folder));
    let images = list("/boot").filter_map(|(name, is_folder)| {
        let name = name.to_str().filter(|_| !is_folder)?;
        let (kind, release) = name.split_once('-')?;
        let release = [".gz", ".xz", ".zst"].into_iter().find_map(|end| release.strip_suffix(end)).unwrap_or(release);
        ["vmlinux", "vmlinuz", "Image", "image", "kernel"].contains(&kind).then(|| release.to_owned())
    });
    // Fedora's `0-rescue-...` and Arch's `linux` are not releases.
    let is_release = |name: &String| name.starts_with(|c: char| c.is_ascii_digit()) && name.contains('.');
    modules.chain(images).filter(is_release).filter_map(|release| valid(release).ok()).collect()
}

/// Returns the machine of a system: from its `/proc` (since Linux 6.1), else
/// from uname if it has the running kernel, else that of its programs.
fn machine(root: &Root, release: &str) -> Result<String, Error> {
    let of_proc = line(root, "/proc/sys/kernel/arch");
    // A system with the running kernel runs on this machine.
    let is_ours = || root.is_system() || is_running(release);
    of_proc
        .or_else(|| sys::running_machine().filter(|_| is_ours()))
        .or_else(|| machine_of_programs(root))
        .ok_or_else(|| Error::NoMachine { root: root.folder().into() })
}

/// Returns the machine for which a system's shell, or `env`, was built.
fn machine_of_programs(root: &Root) -> Option<String> {
    ["/bin/sh", "/usr/bin/env"].into_iter().find_map(|path| {
        // Magic number, class, byte order; `e_machine` at offset 18.
        let mut header = [0; 20];
        root.open_regular(path).ok()?.read_exact(&mut header).ok()?;
        let [0x7f, b'E', b'L', b'F', class @ 1..=2, data @ 1..=2, .., low, high] = header else { return None };
        let (order, number) = match data {
            1 => (ByteOrder::Little, u16::from_le_bytes([low, high])),
            _ => (ByteOrder::Big, u16::from_be_bytes([low, high])),
        };
        Machine::new(number, class == 2, order).name().map(Into::into)
    })
}

/// Returns `true` if the kernel of this release is running.
pub(crate) fn is_running(release: &str) -> bool {
    sys::running_release().is_some_and(|running| running == release)
}

fn line(root: &Root, path: &str) -> Option<String> {
    let text = root.read_within(path, LINE).ok()?;
    let text = String::from_utf8_lossy(&text).trim().to_owned();
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn this_system() {
        let Some(release) = sys::running_release() else { return };
        let host = Host::detect().unwrap();
        assert_eq!(host.release, release);
        assert_eq!(host.machine, std::env::consts::ARCH);
    }

    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    #[test]
    fn another_system_says_it_itself_or_asks() {
        let folder = tree(&[("proc/sys/kernel/none", "")]);
        let root = Root::new(folder.path());
        let proc = folder.path().join("proc/sys/kernel");
        assert!(matches!(Host::of(&root), Err(Error::NoRelease { found, .. }) if found.is_empty()));
        fs::write(proc.join("osrelease"), "5.4.0-42-generic\n").unwrap();
        assert!(matches!(Host::of(&root), Err(Error::NoMachine { .. })));
        fs::write(proc.join("arch"), "s390x\n").unwrap();
        let host = Host::of(&root).unwrap();
        assert_eq!((host.release.as_str(), host.machine.as_str()), ("5.4.0-42-generic", "s390x"));
        assert_eq!((host.distribution.as_str(), host.version), ("", None));
        fs::remove_file(proc.join("arch")).unwrap();
        let Some(running) = sys::running_release() else { return };
        fs::write(proc.join("osrelease"), running).unwrap();
        assert_eq!(Host::of(&root).unwrap().machine, std::env::consts::ARCH, "of a container's host");
    }

    #[test]
    fn release_and_machine_are_given_and_the_rest_is_the_trees() {
        let folder = tree(&[("etc/os-release", "ID=rocky\nID_LIKE=\"rhel centos\"\nVERSION_ID=8.6\n")]);
        let root = Root::new(folder.path());
        let host = Host::options().release("4.18.0-372.el8.x86_64").machine("x86_64").of(&root).unwrap();
        assert_eq!((host.distribution.as_str(), host.version.as_deref()), ("rocky", Some("8.6")));
        assert_eq!(host.like, ["rhel", "centos"]);
        assert_eq!((host.release.as_str(), host.machine.as_str()), ("4.18.0-372.el8.x86_64", "x86_64"));
        let error = Host::options().release("4.18.0-372.el8.x86_64").of(&root).unwrap_err();
        assert!(matches!(error, Error::NoMachine { .. }), "{error}");
        assert!(matches!(Host::options().machine("x86_64").of(&root), Err(Error::NoRelease { .. })));
        for wrong in ["", "..", "a/b", &"1".repeat(256)] {
            let error = Host::options().release(wrong).machine("x86_64").of(&root).unwrap_err();
            assert!(matches!(error, Error::InvalidRelease { .. }), "{error}");
        }
    }

    #[test]
    fn the_only_kernel_of_a_tree_is_its_kernel() {
        let only = tree(&[
            ("boot/vmlinuz-6.1.0-18-amd64", ""),
            ("boot/vmlinuz-0-rescue-0123", ""),
            ("boot/vmlinuz-linux", ""),
            ("boot/config-6.0.0", ""),
            ("lib/modules/6.1.0-18-amd64/modules.dep", ""),
            ("usr/lib/modules/extra/x", ""),
        ]);
        assert_eq!(release(&Root::new(only.path())).unwrap(), "6.1.0-18-amd64");
        let compressed = tree(&[("boot/vmlinux-5.14.0.xz", "")]);
        assert_eq!(release(&Root::new(compressed.path())).unwrap(), "5.14.0");
        let several =
            tree(&[("boot/vmlinuz-6.1.0", ""), ("lib/modules/5.4.0/modules.dep", ""), ("boot/Image-6.1.0", "")]);
        let error = release(&Root::new(several.path())).unwrap_err().to_string();
        assert!(error.ends_with("but 2 kernels in lib/modules and boot: 5.4.0, 6.1.0; give the release"), "{error}");
        let many: Vec<String> = (0..50).map(|minor| format!("boot/vmlinuz-6.{minor}")).collect();
        let many: Vec<(&str, &str)> = many.iter().map(|path| (path.as_str(), "")).collect();
        let error = release(&Root::new(tree(&many).path())).unwrap_err().to_string();
        assert!(error.contains("50 kernels") && error.len() < 500, "{error}");
    }

    #[test]
    fn what_a_tree_says_is_shown_without_its_control_characters() {
        let folder = tree(&[("proc/sys/kernel/osrelease", "9\x1b[31m/.9\n")]);
        let error = Host::of(&Root::new(folder.path())).unwrap_err().to_string();
        assert_eq!(error, "invalid kernel release `9\\u{1b}[31m/.9`");
        let folder = tree(&[("proc/sys/kernel/osrelease", &"1".repeat(5000))]);
        assert!(matches!(Host::of(&Root::new(folder.path())), Err(Error::NoRelease { .. })), "too long to be read");
    }

    #[test]
    fn the_machine_of_an_image_is_that_of_its_programs() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::new(folder.path());
        fs::create_dir_all(folder.path().join("bin")).unwrap();
        let host = |header: &[u8]| {
            fs::write(folder.path().join("bin/sh"), header).unwrap();
            Host::options().release("5.4.0").of(&root)
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
