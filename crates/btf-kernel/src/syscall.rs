//! bpf(2): the system calls, and nothing else.
//!
//! Source: `union bpf_attr` and `struct bpf_btf_info` in
//! `include/uapi/linux/bpf.h`. What a kernel does not know of a longer struct
//! has to be zero, so that all of this works on kernels of any age.

#![allow(unsafe_code)]

use std::{
    io,
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
};

/// The commands of bpf(2).
const BTF_LOAD: libc::c_long = 18;
const BTF_GET_FD_BY_ID: libc::c_long = 19;
const BTF_GET_NEXT_ID: libc::c_long = 23;
const PROG_GET_FD_BY_ID: libc::c_long = 13;
const MAP_GET_FD_BY_ID: libc::c_long = 14;
const OBJ_GET_INFO_BY_FD: libc::c_long = 15;
const TOKEN_CREATE: libc::c_long = 36;

/// What has ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Object {
    Btf,
    Program,
    Map,
}

/// The argument of BPF_BTF_LOAD.
#[repr(C)]
#[derive(Default)]
struct LoadAttr {
    btf: u64,
    log_buf: u64,
    btf_size: u32,
    log_size: u32,
    log_level: u32,
    log_true_size: u32,
    flags: u32,
    token_fd: i32,
}

/// The argument of the commands with ids.
#[repr(C)]
#[derive(Default)]
struct IdAttr {
    id: u32,
    next_id: u32,
    open_flags: u32,
    token_fd: i32,
}

/// The argument of BPF_OBJ_GET_INFO_BY_FD.
#[repr(C)]
#[derive(Default)]
struct InfoAttr {
    fd: u32,
    len: u32,
    info: u64,
}

/// The argument of BPF_TOKEN_CREATE.
#[repr(C)]
#[derive(Default)]
struct TokenAttr {
    flags: u32,
    bpffs_fd: u32,
}

/// What the kernel says of BTF.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct BtfInfo {
    btf: u64,
    pub(crate) size: u32,
    pub(crate) id: u32,
    name: u64,
    pub(crate) name_len: u32,
    pub(crate) is_kernel: u32,
}

/// `BPF_F_TOKEN_FD` in `enum` of flags for commands that take a token.
const F_TOKEN_FD: u32 = 1 << 16;

/// Loads BTF; with a log, which is filled. Returns also how long the log would
/// have liked to be, 0 if the kernel (before 6.4) does not say.
pub(crate) fn btf_load(
    btf: &[u8],
    log: Option<(&mut [u8], u32)>,
    token: Option<BorrowedFd<'_>>,
) -> (io::Result<OwnedFd>, u32) {
    let mut attr = LoadAttr { btf: btf.as_ptr() as u64, btf_size: btf.len() as u32, ..LoadAttr::default() };
    if let Some((buffer, level)) = log {
        (attr.log_buf, attr.log_size, attr.log_level) = (buffer.as_mut_ptr() as u64, buffer.len() as u32, level);
    }
    if let Some(token) = token {
        (attr.flags, attr.token_fd) = (F_TOKEN_FD, token.as_raw_fd());
    }
    // SAFETY: `attr` is what the command takes, and its buffers are as long as
    // it says and alive; the kernel writes only to the log, which is borrowed
    // for this.
    let fd = unsafe { bpf(BTF_LOAD, &mut attr) }.map(|fd| {
        // SAFETY: it is a new descriptor that nobody else has.
        unsafe { OwnedFd::from_raw_fd(fd) }
    });
    (fd, attr.log_true_size)
}

/// A token of the BPF file system that a folder is the root of.
pub(crate) fn token_create(bpffs: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let mut attr = TokenAttr { bpffs_fd: bpffs.as_raw_fd() as u32, ..TokenAttr::default() };
    // SAFETY: `attr` is what the command takes, without pointers.
    let fd = unsafe { bpf(TOKEN_CREATE, &mut attr) }?;
    // SAFETY: it is a new descriptor that nobody else has.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// The least id that is larger than this; `None` if there is none.
pub(crate) fn next_btf_id(start: u32) -> io::Result<Option<u32>> {
    let mut attr = IdAttr { id: start, ..IdAttr::default() };
    // SAFETY: `attr` is what the command takes, without pointers.
    match unsafe { bpf(BTF_GET_NEXT_ID, &mut attr) } {
        Ok(_) => Ok(Some(attr.next_id)),
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(None),
        Err(error) => Err(error),
    }
}

pub(crate) fn fd_by_id(object: Object, id: u32) -> io::Result<OwnedFd> {
    let command = match object {
        Object::Btf => BTF_GET_FD_BY_ID,
        Object::Program => PROG_GET_FD_BY_ID,
        Object::Map => MAP_GET_FD_BY_ID,
    };
    let mut attr = IdAttr { id, ..IdAttr::default() };
    // SAFETY: `attr` is what the command takes, without pointers.
    let fd = unsafe { bpf(command, &mut attr) }?;
    // SAFETY: it is a new descriptor that nobody else has.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// What the kernel says of BTF; copies of it and of its name as much as fits.
pub(crate) fn btf_info(fd: BorrowedFd<'_>, btf: &mut [u8], name: &mut [u8]) -> io::Result<BtfInfo> {
    let mut info = BtfInfo {
        btf: btf.as_mut_ptr() as u64,
        size: btf.len() as u32,
        name: name.as_mut_ptr() as u64,
        name_len: name.len() as u32,
        ..BtfInfo::default()
    };
    // Without a buffer for it, the kernel is not to be asked for the name: those
    // before 5.11 do not know of it.
    if name.is_empty() {
        info.name = 0;
    }
    let mut attr =
        InfoAttr { fd: fd.as_raw_fd() as u32, len: size_of::<BtfInfo>() as u32, info: (&raw mut info) as u64 };
    // SAFETY: `attr` is what the command takes; `info` is as long as it says,
    // and the two buffers that it points to, and that are borrowed for this.
    unsafe { bpf(OBJ_GET_INFO_BY_FD, &mut attr) }?;
    Ok(info)
}

/// The id of the BTF of a program or map, 0 if it has none.
pub(crate) fn btf_id_of(object: Object, fd: BorrowedFd<'_>) -> io::Result<u32> {
    // Offsets in `struct bpf_prog_info` and `struct bpf_map_info`.
    let offset = match object {
        Object::Program => 128,
        Object::Map => 64,
        Object::Btf => return Err(io::ErrorKind::Unsupported.into()),
    };
    let mut info = [0u64; 32];
    let mut attr =
        InfoAttr { fd: fd.as_raw_fd() as u32, len: size_of_val(&info) as u32, info: info.as_mut_ptr() as u64 };
    // SAFETY: `attr` is what the command takes, and `info` as long as it says;
    // it has no pointers, as all of it is zero.
    unsafe { bpf(OBJ_GET_INFO_BY_FD, &mut attr) }?;
    let word = info.get(offset / 8).map(|word| word.to_ne_bytes()).unwrap_or_default();
    Ok(word.first_chunk().map_or(0, |&bytes| u32::from_ne_bytes(bytes)))
}

/// Calls bpf(2); what it returns is a descriptor or 0.
///
/// # Safety
///
/// `attr` must be what the command takes, and what it points to valid for as
/// long as it says.
unsafe fn bpf<T>(command: libc::c_long, attr: &mut T) -> io::Result<i32> {
    let mut again = 5;
    loop {
        // SAFETY: the caller's promise.
        let result = unsafe { libc::syscall(libc::SYS_bpf, command, &raw mut *attr, size_of::<T>()) };
        if result >= 0 {
            return Ok(result as i32);
        }
        let error = io::Error::last_os_error();
        match error.raw_os_error() {
            // A signal came first.
            Some(libc::EINTR) => {}
            // The verifier was asked to let go.
            Some(libc::EAGAIN) if again > 0 => again -= 1,
            _ => return Err(error),
        }
    }
}
