//! System calls: bpf(2).
//!
//! Source: `union bpf_attr` and `struct bpf_btf_info` in
//! `include/uapi/linux/bpf.h`. A kernel accepts a longer struct than its own if
//! the excess bytes are zero, so these structs work on kernels of any age.

#![allow(unsafe_code)]

use std::{
    ffi::OsStr,
    io,
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::{Path, PathBuf},
};

use rustix::fs::{self, Mode, OFlags};

use crate::BpfObjectKind;

/// Commands of bpf(2).
const PROG_GET_NEXT_ID: libc::c_long = 11;
const MAP_GET_NEXT_ID: libc::c_long = 12;
const PROG_GET_FD_BY_ID: libc::c_long = 13;
const MAP_GET_FD_BY_ID: libc::c_long = 14;
const OBJ_GET_INFO_BY_FD: libc::c_long = 15;
const BTF_LOAD: libc::c_long = 18;
const BTF_GET_FD_BY_ID: libc::c_long = 19;
const BTF_GET_NEXT_ID: libc::c_long = 23;
const TOKEN_CREATE: libc::c_long = 36;

/// Argument of BPF_BTF_LOAD.
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

/// Argument of the commands with ids.
#[repr(C)]
#[derive(Default)]
struct IdAttr {
    id: u32,
    next_id: u32,
    open_flags: u32,
    token_fd: i32,
}

/// Argument of BPF_OBJ_GET_INFO_BY_FD.
#[repr(C)]
#[derive(Default)]
struct InfoAttr {
    fd: u32,
    len: u32,
    info: u64,
}

/// Argument of BPF_TOKEN_CREATE.
#[repr(C)]
#[derive(Default)]
struct TokenAttr {
    flags: u32,
    bpffs_fd: u32,
}

/// The kernel's `struct bpf_btf_info`.
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

/// Descriptor of BTF, made only from commands that return one, and by
/// [`BtfFd::prove`]. For BPF_OBJ_GET_INFO_BY_FD, the kind of object behind a
/// descriptor determines what the kernel writes, and through which pointers.
#[derive(Debug)]
pub(crate) struct BtfFd(OwnedFd);

impl BtfFd {
    /// Takes ownership of a foreign descriptor if it refers to BTF; otherwise
    /// returns the target of its link in `/proc`.
    pub(crate) fn prove(fd: OwnedFd) -> io::Result<Result<Self, PathBuf>> {
        let is = proc_name(fd.as_fd())?;
        Ok(if is == Path::new("anon_inode:btf") { Ok(Self(fd)) } else { Err(is) })
    }

    pub(crate) fn into_inner(self) -> OwnedFd {
        self.0
    }

    pub(crate) fn try_clone(&self) -> io::Result<Self> {
        self.0.try_clone().map(Self)
    }
}

impl AsFd for BtfFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Returns the target of a descriptor's link in `/proc`. Files have absolute
/// paths there, so only the kernel can make names such as `anon_inode:btf`.
fn proc_name(fd: BorrowedFd<'_>) -> io::Result<PathBuf> {
    /// `PROC_SUPER_MAGIC` of `include/uapi/linux/magic.h`, and `PROC_ROOT_INO`.
    const PROC_MAGIC: u64 = 0x9fa0;
    const ROOT_INODE: u64 = 1;
    let folder = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let proc = fs::open("/proc", folder, Mode::empty())?;
    let is_procfs = fs::fstatfs(&proc)?.f_type as u64 == PROC_MAGIC && fs::fstat(&proc)?.st_ino == ROOT_INODE;
    if !is_procfs {
        return Err(io::Error::new(io::ErrorKind::Unsupported, "/proc is not mounted"));
    }
    let fds = fs::openat(&proc, "thread-self/fd", folder, Mode::empty())?;
    let name = fs::readlinkat(&fds, fd.as_raw_fd().to_string(), Vec::new())?;
    Ok(PathBuf::from(OsStr::from_bytes(name.to_bytes())))
}

/// `BPF_F_TOKEN_FD`: flag of a command that is given a token.
const F_TOKEN_FD: u32 = 1 << 16;

/// Loads BTF, and fills the log if there is one. Also returns the length that
/// the whole log needs, or 0 if the kernel (before 6.4) does not report it.
pub(crate) fn btf_load(
    btf: &[u8],
    log: Option<(&mut [u8], u32)>,
    token: Option<BorrowedFd<'_>>,
) -> (io::Result<BtfFd>, u32) {
    let mut attr = LoadAttr { btf: btf.as_ptr() as u64, btf_size: btf.len() as u32, ..LoadAttr::default() };
    if let Some((buffer, level)) = log {
        (attr.log_buf, attr.log_size, attr.log_level) = (buffer.as_mut_ptr() as u64, buffer.len() as u32, level);
    }
    if let Some(token) = token {
        (attr.flags, attr.token_fd) = (F_TOKEN_FD, token.as_raw_fd());
    }
    // SAFETY: `attr` is the command's struct. It points to `btf`, which the
    // kernel only reads, and to the log's buffer, which this function holds
    // exclusively until the call returns; no length is larger than the slice's.
    let fd = unsafe { bpf(BTF_LOAD, &mut attr) }.map(|fd| {
        // SAFETY: BPF_BTF_LOAD has just returned it, and there is no other
        // owner.
        BtfFd(unsafe { OwnedFd::from_raw_fd(fd) })
    });
    (fd, attr.log_true_size)
}

/// Creates a token from the BPF file system with this root folder.
pub(crate) fn token_create(bpffs: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let mut attr = TokenAttr { bpffs_fd: bpffs.as_raw_fd() as u32, ..TokenAttr::default() };
    // SAFETY: `attr` is the command's struct, which has no pointers; the kernel
    // itself checks that the descriptor refers to a BPF file system.
    let fd = unsafe { bpf(TOKEN_CREATE, &mut attr) }?;
    // SAFETY: BPF_TOKEN_CREATE has just returned it, and there is no other
    // owner.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Returns the smallest id above `start` of an object of this kind; `None` if
/// there is none.
pub(crate) fn next_id(kind: BpfObjectKind, start: u32) -> io::Result<Option<u32>> {
    let command = match kind {
        BpfObjectKind::Btf => BTF_GET_NEXT_ID,
        BpfObjectKind::Program => PROG_GET_NEXT_ID,
        BpfObjectKind::Map => MAP_GET_NEXT_ID,
    };
    let mut attr = IdAttr { id: start, ..IdAttr::default() };
    // SAFETY: `attr` is the struct of all commands that return the next id, and
    // has no pointers.
    match unsafe { bpf(command, &mut attr) } {
        Ok(_) => Ok(Some(attr.next_id)),
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(None),
        Err(error) => Err(error),
    }
}

pub(crate) fn btf_by_id(id: u32) -> io::Result<BtfFd> {
    fd_by_id(BpfObjectKind::Btf, id).map(BtfFd)
}

fn fd_by_id(kind: BpfObjectKind, id: u32) -> io::Result<OwnedFd> {
    let command = match kind {
        BpfObjectKind::Btf => BTF_GET_FD_BY_ID,
        BpfObjectKind::Program => PROG_GET_FD_BY_ID,
        BpfObjectKind::Map => MAP_GET_FD_BY_ID,
    };
    let mut attr = IdAttr { id, ..IdAttr::default() };
    // SAFETY: `attr` is the struct of all commands that look up an id, and has no
    // pointers.
    let fd = unsafe { bpf(command, &mut attr) }?;
    // SAFETY: the command has just returned it, and there is no other owner.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Reads the description of BTF, and as much of the BTF and of its name as fits
/// in the buffers.
pub(crate) fn btf_info(fd: &BtfFd, btf: &mut [u8], name: &mut [u8]) -> io::Result<BtfInfo> {
    let mut info = BtfInfo {
        btf: btf.as_mut_ptr() as u64,
        size: btf.len() as u32,
        name: name.as_mut_ptr() as u64,
        name_len: name.len() as u32,
        ..BtfInfo::default()
    };
    // Without a buffer, the name must not be requested: kernels before 5.11 do
    // not support it.
    if name.is_empty() {
        info.name = 0;
    }
    let mut attr =
        InfoAttr { fd: fd.as_fd().as_raw_fd() as u32, len: size_of::<BtfInfo>() as u32, info: (&raw mut info) as u64 };
    // SAFETY: `attr` is the command's struct, and its `len` is the size of
    // `info`, which the kernel interprets by the kind of the descriptor's
    // object. A `BtfFd` refers to BTF, so `info` is a `bpf_btf_info`: two
    // pointers, each with the length of a slice that this function holds
    // exclusively.
    unsafe { bpf(OBJ_GET_INFO_BY_FD, &mut attr) }?;
    Ok(info)
}

/// Size of [`info`]'s result in bytes, larger than the struct of any kernel.
const INFO: usize = 512;

/// Reads the kernel's `struct bpf_prog_info` or `bpf_map_info`, padded with
/// zeros, without the data that the kernel would write elsewhere.
pub(crate) fn info(kind: BpfObjectKind, id: u32) -> io::Result<[u8; INFO]> {
    let fd = fd_by_id(kind, id)?;
    let mut info = [0u64; INFO / 8];
    let mut attr =
        InfoAttr { fd: fd.as_raw_fd() as u32, len: size_of_val(&info) as u32, info: info.as_mut_ptr() as u64 };
    // SAFETY: `attr` is the command's struct, and its `len` is the size of
    // `info`. Whatever the kind of the descriptor's object, all pointers and
    // lengths in `info` are zero, so the kernel writes nowhere else.
    unsafe { bpf(OBJ_GET_INFO_BY_FD, &mut attr) }?;
    let mut bytes = [0; INFO];
    for (to, word) in bytes.chunks_exact_mut(8).zip(info) {
        to.copy_from_slice(&word.to_ne_bytes());
    }
    Ok(bytes)
}

/// Calls bpf(2), which returns a descriptor or 0.
///
/// # Safety
///
/// `attr` must be the argument of the command, and its pointers valid for the
/// lengths in it.
unsafe fn bpf<T>(command: libc::c_long, attr: &mut T) -> io::Result<i32> {
    let mut again = 5;
    loop {
        // SAFETY: guaranteed by the caller.
        let result = unsafe { libc::syscall(libc::SYS_bpf, command, &raw mut *attr, size_of::<T>()) };
        if result >= 0 {
            return Ok(result as i32);
        }
        let error = io::Error::last_os_error();
        match error.raw_os_error() {
            // Interrupted by a signal.
            Some(libc::EINTR) => {}
            // The verifier was interrupted.
            Some(libc::EAGAIN) if again > 0 => again -= 1,
            _ => return Err(error),
        }
    }
}
