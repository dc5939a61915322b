//! btf-kernel: the files of a system.

use std::{fs, path::Path};

use btf_kernel::{Host, Kernel, OsRelease, Root};
use btf_tests::shapes::text;

use crate::case::{Cost, Entry, Meter};

const SIZE: usize = 32 << 10;
const RELEASE: &str = "5.4.0-42-generic";

pub(crate) const ENTRIES: &[Entry] = &[
    Entry {
        name: "modules_dep",
        shapes: &[text::MODULES_DEP],
        size: SIZE,
        run: modules_dep,
        most: Cost { steps: 4, allocated: 0, peak: 0 },
    },
    Entry {
        name: "Kernel::module_files",
        shapes: &[text::MODULES_DEP],
        size: SIZE,
        run: module_files,
        most: Cost { steps: 20, allocated: 10, peak: 10 },
    },
    Entry {
        name: "OsRelease::parse",
        shapes: &[text::OS_RELEASE],
        size: SIZE,
        run: os_release,
        most: Cost { steps: 32, allocated: 24, peak: 20 },
    },
    Entry {
        name: "Host::of",
        shapes: &[text::OS_RELEASE],
        size: SIZE,
        run: host,
        most: Cost { steps: 32, allocated: 24, peak: 20 },
    },
];

fn modules_dep(input: &[Vec<u8>], meter: &mut Meter) {
    btf_kernel::modules_dep(&input[0]).for_each(|path| meter.write(path.as_os_str().len()));
}

/// A system whose kernel is [`RELEASE`], with one more file.
fn system(path: &str, contents: &[u8], ask: impl FnOnce(Root)) {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let write = |path: &str, contents: &[u8]| {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).expect("folders can be made");
        fs::write(path, contents).expect("files can be written");
    };
    write("proc/sys/kernel/osrelease", RELEASE.as_bytes());
    write(path, contents);
    ask(Root::new(folder.path()));
}

fn module_files(input: &[Vec<u8>], meter: &mut Meter) {
    system(&format!("lib/modules/{RELEASE}/modules.dep"), &input[0], |root| {
        let kernel = Kernel::of(root);
        let files = kernel.module_files().expect("there are modules");
        meter.write(files.iter().flat_map(|(_, paths)| paths).map(|path| path.as_os_str().len()).sum());
        meter.write(kernel.module("veth").map_or_else(|error| error.to_string().len(), |_| 0));
    });
}

fn os_release(input: &[Vec<u8>], meter: &mut Meter) {
    let parsed = OsRelease::parse(&input[0]);
    let _ = (parsed.id(), parsed.version_id(), parsed.id_like().count());
    meter.call();
}

fn host(input: &[Vec<u8>], meter: &mut Meter) {
    system("etc/os-release", &input[0], |root| _ = Host::of(&root));
    meter.call();
}
