//! Programs of several types, from `fixtures/bpf/core_load.bpf.c`: where a loader
//! attaches each of them, and what makes the kernel run it.

use std::{
    fs::File,
    net::UdpSocket,
    os::fd::AsRawFd,
    process::{self, Command},
};

use crate::Result;

/// The function that the program `on_uprobe` is attached to: of the C library,
/// its first argument is a file descriptor.
pub const PROBED: &str = "ftruncate64";

/// Numbers that a program writes.
pub type Row = [u64; 16];

/// The rows of all programs; the first number of the last one is the process that
/// they watch.
pub type Results = [Row; 8];

/// Length of `.bss`, which is nothing but the results, in bytes.
pub const BSS: usize = size_of::<Results>();

/// The type of a program, by what it is attached to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// A raw tracepoint.
    RawTp,
    /// A tracepoint whose arguments have types.
    TpBtf,
    /// A function of the kernel.
    Fentry,
    /// A hook of the kernel's security modules.
    Lsm,
    /// Packets of the loopback device.
    Xdp,
    /// A function of the C library.
    Uprobe,
    /// An instruction of the kernel.
    Kprobe,
}

impl Program {
    /// All of them, in the order of their rows.
    pub const ALL: [Self; 7] =
        [Self::RawTp, Self::TpBtf, Self::Fentry, Self::Lsm, Self::Xdp, Self::Uprobe, Self::Kprobe];

    /// Number of its row.
    #[must_use]
    pub fn row(self) -> usize {
        self as usize
    }

    /// The name of the program that has relocations.
    #[must_use]
    pub fn relocated(self) -> String {
        format!("on_{}", self.suffix())
    }

    /// The name of the program that has none.
    #[must_use]
    pub fn plain(self) -> String {
        format!("plain_{}", self.suffix())
    }

    fn suffix(self) -> &'static str {
        match self {
            Self::RawTp => "raw_tp",
            Self::TpBtf => "tp_btf",
            Self::Fentry => "fentry",
            Self::Lsm => "lsm",
            Self::Xdp => "xdp",
            Self::Uprobe => "uprobe",
            Self::Kprobe => "kprobe",
        }
    }

    /// The tracepoint, function or hook of the kernel.
    #[must_use]
    pub fn target(self) -> &'static str {
        match self {
            Self::RawTp | Self::TpBtf => "sched_process_exec",
            Self::Fentry | Self::Kprobe => "begin_new_exec",
            Self::Lsm => "bprm_committed_creds",
            Self::Xdp => "lo",
            Self::Uprobe => PROBED,
        }
    }

    /// Makes the kernel run it.
    ///
    /// # Errors
    ///
    /// If that cannot be done.
    pub fn trigger(self) -> Result<Triggered> {
        match self {
            Self::Xdp => {
                let socket = UdpSocket::bind("127.0.0.1:0")?;
                for _ in 0..16 {
                    socket.send_to(b"packet", socket.local_addr()?)?;
                }
                Ok(Triggered { process: process::id(), direct: 0 })
            }
            Self::Uprobe => {
                let file = tempfile::tempfile()?;
                File::set_len(&file, 16)?;
                Ok(Triggered { process: process::id(), direct: file.as_raw_fd() as u64 })
            }
            _ => {
                let mut child = Command::new("true").spawn()?;
                let process = child.id();
                child.wait()?;
                let direct = match self {
                    Self::RawTp => 0,
                    Self::TpBtf => process.into(),
                    // Number of arguments.
                    _ => 1,
                };
                Ok(Triggered { process, direct })
            }
        }
    }
}

/// Trigger that made the kernel run a program.
#[derive(Debug, Clone, Copy)]
pub struct Triggered {
    /// The process in whose place it ran.
    pub process: u32,
    /// The number that it loads directly.
    pub direct: u64,
}

/// The object with all programs.
#[must_use]
pub fn object() -> Vec<u8> {
    let order = if cfg!(target_endian = "little") { "el" } else { "eb" };
    btf_tests::fixtures::read(&format!("bpf/clang-22/core_load-{order}.bpf.o"))
}

/// `.bss` before a program runs: it watches this process.
#[must_use]
pub fn watch() -> [u8; BSS] {
    let mut bytes = [0; BSS];
    let at = size_of::<[Row; 7]>();
    if let Some(place) = bytes.get_mut(at..at + 8) {
        place.copy_from_slice(&u64::from(process::id()).to_ne_bytes());
    }
    bytes
}

/// The row of a program in `.bss`.
#[must_use]
pub fn row(program: Program, bss: &[u8]) -> Row {
    let bytes = bss.get(program.row() * size_of::<Row>()..).unwrap_or_default();
    let mut row = Row::default();
    for (number, bytes) in row.iter_mut().zip(bytes.as_chunks().0) {
        *number = u64::from_ne_bytes(*bytes);
    }
    row
}
