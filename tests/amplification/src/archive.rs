//! btf-archive: tars.

use std::{fs, path::Path};

use btf_archive::{Archive, Error, Pack, SelectOptions};
use btf_kernel::Host;
use btf_tests::shapes::tar;

use crate::case::{Cost, Entry, Input, Meter, cost};

const SIZE: usize = 128 << 10;

const fn archive(name: &'static str, run: fn(&Input, &mut Meter), most: Cost) -> Entry {
    Entry { name, shapes: &[tar::TARS], size: SIZE, run, most }
}

pub(crate) const ENTRIES: &[Entry] = &[
    archive("Archive::list", list, cost(20, 32, 16)),
    archive("Archive::select", select, cost(8, 10, 4)),
    archive("Archive::select, nearest", nearest, cost(24, 32, 16)),
    archive("Archive::read", read, cost(3, 3, 1)),
    // Larger, as only the first files create folders.
    Entry { size: 2 * SIZE, ..archive("Archive::unpack", unpack, cost(3, 192, 2)) },
    archive("Pack::write", pack, cost(8, 192, 3)),
];

fn open(input: &Input) -> Result<Archive, Error> {
    Archive::parse(input.one().to_vec())
}

fn list(input: &Input, meter: &mut Meter) {
    match open(input).and_then(|archive| archive.list()) {
        // The result is held in memory, so it counts as cost, not as output.
        Ok(_) => {}
        Err(error) => meter.show(error),
    }
}

fn host(version: &str, release: &str) -> Host {
    Host {
        distribution: "debian".into(),
        version: Some(version.into()),
        machine: "x86_64".into(),
        release: release.into(),
        ..Host::default()
    }
}

fn select(input: &Input, meter: &mut Meter) {
    for (version, release) in [("10", "4.19.0-1"), ("11", "4.19.0-1"), ("10", "9.9.9")] {
        meter.call();
        match open(input).and_then(|archive| archive.select(&host(version, release))) {
            Ok(selection) => meter.write(selection.bytes().len()),
            Err(error) => meter.show(error),
        }
    }
}

fn nearest(input: &Input, meter: &mut Meter) {
    let options = SelectOptions::new().nearest(true);
    match open(input).and_then(|archive| archive.select_with(&host("10", "4.19.0-9"), &options)) {
        Ok(selection) => meter.write(selection.bytes().len()),
        Err(error) => meter.show(error),
    }
}

fn read(input: &Input, meter: &mut Meter) {
    for path in
        ["debian/10/x86_64/4.19.0-1.btf", "debian/1/x86_64/4.19.0-1.btf.xz", "debian/10/x86_64/4.19.0-1.btf.tar.xz"]
    {
        meter.call();
        meter.write(open(input).and_then(|archive| archive.read(path)).map_or(0, |btf| btf.as_bytes().len()));
    }
}

fn unpack(input: &Input, meter: &mut Meter) {
    let folder = tempfile::tempdir().expect("a folder can be made");
    match open(input).and_then(|archive| archive.unpack_into(folder.path().join("unpacked"))) {
        Ok(_) => meter.write(size_of_tree(folder.path()) as usize),
        Err(error) => meter.show(error),
    }
}

/// Returns the total size of all files in a folder and of their names, in bytes.
fn size_of_tree(folder: &Path) -> u64 {
    let (mut open, mut size) = (vec![folder.to_owned()], 0);
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).expect("it can be listed").flatten() {
            let metadata = entry.metadata().expect("it is there");
            size += metadata.len() + entry.file_name().len() as u64;
            if metadata.is_dir() {
                open.push(entry.path());
            }
        }
    }
    size
}

fn pack(input: &Input, meter: &mut Meter) {
    if let Err(error) = open(input).and_then(|archive| Pack::new().write(&archive, &mut *meter)) {
        meter.show(error);
    }
}
