//! Tars like archives of BTF, and malformed ones.

use crate::blob::Blob;

/// Returns BTF that identifies its file: `int`, `long` of 8 bytes, and a struct
/// with this name.
#[must_use]
pub fn btf(name: &str) -> Vec<u8> {
    let mut blob = Blob::new();
    let (long, own, task) = (blob.string("long int"), blob.string(name), blob.string("task_struct"));
    blob.int().record(long, 1, 0, false, 8, &[0x0100_0040]);
    blob.record(own, 4, 1, false, 4, &[own, 1, 0]).record(task, 4, 0, false, 0, &[]);
    blob.build()
}

/// Returns a tar with these files.
///
/// # Panics
///
/// If a path does not fit.
#[must_use]
pub fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o644);
        header.set_size(bytes.len() as u64);
        builder.append_data(&mut header, path, *bytes).unwrap();
    }
    builder.into_inner().unwrap()
}

/// Returns a tar member whose header is not checked.
///
/// # Panics
///
/// If a path does not fit.
#[must_use]
pub fn raw(path: &str, kind: tar::EntryType, link: &str, size: u64, contents: &[u8]) -> Vec<u8> {
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
