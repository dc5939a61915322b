//! libbpf.

use std::{
    ffi::{CStr, CString, c_char},
    path::Path,
    ptr::NonNull,
};

use libbpf_sys::{
    btf, btf__find_by_name_kind, btf__free, btf__load_vmlinux_btf, btf__name_by_offset, btf__new, btf__new_split,
    btf__parse_raw, btf__type_by_id, btf__type_cnt, btf_type,
};

use crate::measure::Peer;

/// A `struct btf *`.
pub struct Libbpf(NonNull<btf>);

impl Drop for Libbpf {
    fn drop(&mut self) {
        // SAFETY: libbpf returned the pointer, and there is no other owner.
        unsafe { btf__free(self.0.as_ptr()) }
    }
}

impl Libbpf {
    fn record(&self, id: u32) -> &btf_type {
        // SAFETY: the record lives as long as the BTF, and callers pass only ids
        // that exist.
        unsafe { btf__type_by_id(self.0.as_ptr(), id).as_ref() }.expect("it exists")
    }

    fn records(&self) -> impl Iterator<Item = &btf_type> {
        // SAFETY: the BTF is alive.
        let count = unsafe { btf__type_cnt(self.0.as_ptr()) };
        (1..count).map(|id| self.record(id))
    }
}

fn kind(record: &btf_type) -> u32 {
    record.info >> 24 & 0x1f
}

fn vlen(record: &btf_type) -> u32 {
    record.info & 0xffff
}

fn size_or_type(record: &btf_type) -> u32 {
    // SAFETY: both fields of the union are a `u32`.
    unsafe { record.__bindgen_anon_1.size }
}

impl Peer for Libbpf {
    fn open_file(path: &Path) -> Self {
        let btf = if path == Path::new(crate::SYSFS) {
            // It maps the file if the kernel supports that.
            // SAFETY: the function has no preconditions.
            unsafe { btf__load_vmlinux_btf() }
        } else {
            let path = CString::new(path.as_os_str().as_encoded_bytes()).expect("no NUL");
            // SAFETY: the path is a C string.
            unsafe { btf__parse_raw(path.as_ptr().cast::<c_char>()) }
        };
        Self(NonNull::new(btf).expect("it is sound"))
    }

    fn open_bytes(bytes: Vec<u8>) -> Option<Self> {
        // SAFETY: libbpf copies the bytes.
        NonNull::new(unsafe { btf__new(bytes.as_ptr().cast(), bytes.len() as u32) }).map(Self)
    }

    fn open_split(&self, bytes: Vec<u8>) -> Option<Self> {
        // SAFETY: libbpf copies the bytes; callers drop the result before the
        // base.
        NonNull::new(unsafe { btf__new_split(bytes.as_ptr().cast(), bytes.len() as u32, self.0.as_ptr()) }).map(Self)
    }

    fn find(&self, names: &[&str]) -> Option<u64> {
        let id = |name: &str| {
            let name = CString::new(name).expect("no NUL");
            // SAFETY: the BTF is alive, the name a C string.
            let id = unsafe { btf__find_by_name_kind(self.0.as_ptr(), name.as_ptr(), 4) };
            u64::try_from(id).unwrap_or(0)
        };
        Some(names.iter().map(|name| id(name)).sum())
    }

    fn by_id(&self, ids: &[u32]) -> Option<u64> {
        let one = |id| {
            let record = self.record(id);
            match kind(record) {
                4 => u64::from(size_or_type(record)),
                _ => 1,
            }
        };
        Some(ids.iter().map(|&id| one(id)).sum())
    }

    fn types(&self) -> Option<u64> {
        Some(self.records().map(|record| u64::from(kind(record))).sum())
    }

    fn names(&self) -> Option<u64> {
        let len = |record: &btf_type| {
            // SAFETY: libbpf checked the offset, and names are C strings that
            // live as long as the BTF.
            let name = unsafe { CStr::from_ptr(btf__name_by_offset(self.0.as_ptr(), record.name_off)) };
            name.count_bytes() as u64
        };
        Some(self.records().map(len).sum())
    }

    fn members(&self) -> Option<u64> {
        let of = |record: &btf_type| {
            if !matches!(kind(record), 4 | 5) {
                return 0;
            }
            let mask = if record.info >> 31 != 0 { 0xff_ffff } else { u32::MAX };
            // SAFETY: libbpf checked that `vlen` members follow the record.
            let members = unsafe {
                let first = std::ptr::from_ref(record).add(1).cast::<libbpf_sys::btf_member>();
                std::slice::from_raw_parts(first, vlen(record) as usize)
            };
            members.iter().map(|member| u64::from(member.offset & mask)).sum()
        };
        Some(self.records().map(of).sum::<u64>())
    }

    fn protos(&self) -> Option<u64> {
        let of = |record: &btf_type| match kind(record) {
            12 => u64::from(vlen(self.record(size_or_type(record)))),
            _ => 0,
        };
        Some(self.records().map(of).sum())
    }
}
