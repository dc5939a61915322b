//! btf-kernel: the files of a system.

use std::{fs, path::Path};

use btf_kernel::{Host, Kernel, OsRelease, Root};
use btf_tests::shapes::{kernel, text};

use crate::case::{Cost, Entry, Input, Meter, cost};

const SIZE: usize = 32 << 10;
const RELEASE: &str = "5.4.0-42-generic";

pub(crate) const ENTRIES: &[Entry] = &[
    Entry { name: "modules_dep", shapes: &[text::MODULES_DEP], size: SIZE, run: modules_dep, most: cost(3, 0, 0) },
    Entry {
        name: "Kernel::module_files",
        shapes: &[text::MODULES_DEP],
        size: SIZE,
        run: module_files,
        most: cost(8, 12, 10),
    },
    Entry {
        name: "OsRelease::parse",
        shapes: &[text::OS_RELEASE],
        size: SIZE,
        run: os_release,
        most: cost(40, 28, 24),
    },
    Entry { name: "Host::of", shapes: &[text::OS_RELEASE], size: SIZE, run: host, most: cost(40, 28, 24) },
    tree("Kernel::open_all_modules", open_all, cost(10, 14, 6)),
    tree("Kernel::find_module_of", find_module_of, cost(8, 10, 4)),
];

const fn tree(name: &'static str, run: fn(&Input, &mut Meter), most: Cost) -> Entry {
    Entry { name, shapes: &[kernel::TREES], size: SIZE, run, most }
}

fn modules_dep(input: &Input, meter: &mut Meter) {
    btf_kernel::modules_dep(input.one()).for_each(|path| meter.write(path.as_os_str().len()));
}

/// Makes a system with these files, whose kernel is [`RELEASE`], and passes it to `ask`.
fn system<'a>(files: impl IntoIterator<Item = (String, &'a [u8])>, ask: impl FnOnce(Root)) {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let write = |path: &str, contents: &[u8]| {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).expect("folders can be made");
        fs::write(path, contents).expect("files can be written");
    };
    write("proc/sys/kernel/osrelease", RELEASE.as_bytes());
    files.into_iter().for_each(|(path, contents)| write(&path, contents));
    ask(Root::new(folder.path()));
}

fn module_files(input: &Input, meter: &mut Meter) {
    system([(format!("lib/modules/{RELEASE}/modules.dep"), input.one())], |root| {
        let kernel = Kernel::of(root);
        let files = kernel.module_files().expect("there are modules");
        meter.write(files.iter().flat_map(|(_, paths)| paths).map(|path| path.as_os_str().len()).sum());
        meter.write(kernel.module("veth").map_or_else(|error| error.to_string().len(), |_| 0));
    });
}

fn os_release(input: &Input, meter: &mut Meter) {
    let parsed = OsRelease::parse(input.one());
    let _ = (parsed.id(), parsed.version_id(), parsed.id_like().count());
    meter.call();
}

fn host(input: &Input, meter: &mut Meter) {
    system([("etc/os-release".to_owned(), input.one())], |root| _ = Host::of(&root));
    meter.call();
}

/// Makes a system with a kernel and its modules on disk, and passes the kernel to `ask`.
fn with_modules(input: &Input, ask: impl FnOnce(Kernel)) {
    let [vmlinux, modules @ ..] = input.all() else { panic!("there is a kernel") };
    let modules = modules.iter().enumerate();
    let modules = modules.map(|(at, module)| (format!("lib/modules/{RELEASE}/kernel/m{at}.ko"), module.as_slice()));
    let vmlinux = (format!("boot/vmlinux-{RELEASE}"), vmlinux.as_slice());
    system(modules.chain([vmlinux]), |root| ask(Kernel::of(root)));
}

fn open_all(input: &Input, meter: &mut Meter) {
    with_modules(input, |kernel| {
        let modules = kernel.open_all_modules().expect("the kernel is sound");
        assert_eq!(modules.collection().objects().count() + modules.faults().len(), input.all().len());
        meter.write(modules.faults().iter().map(|(name, error)| name.len() + error.to_string().len()).sum());
    });
}

fn find_module_of(input: &Input, meter: &mut Meter) {
    with_modules(input, |kernel| {
        for name in ["same", "none"] {
            meter.call();
            if let Err(error) = kernel.find_module_of(name, None) {
                meter.show(error);
            }
        }
    });
}
