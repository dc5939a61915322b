//! Programs of several types, from `fixtures/bpf/core_load.bpf.c`: their attach
//! targets, and the actions that trigger them.

use std::{
    fs::File,
    net::UdpSocket,
    os::fd::AsRawFd,
    process::{self, Command},
};

use crate::Result;

/// Function to which the program `on_uprobe` is attached. It is in the C library,
/// and its first argument is a file descriptor.
pub const PROBED: &str = "ftruncate64";

/// Numbers written by a program.
pub type Row = [u64; 16];

/// Rows of all programs. The first number of the last row is the id of the process
/// that they watch.
pub type Results = [Row; 8];

/// Size of `.bss`, which contains only the results, in bytes.
pub const BSS: usize = size_of::<Results>();

/// Program type, by attach target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// Raw tracepoint.
    RawTp,
    /// BTF-enabled raw tracepoint, whose arguments have types.
    TpBtf,
    /// Entry of a kernel function.
    Fentry,
    /// Hook of the kernel's security modules.
    Lsm,
    /// Packets of the loopback device.
    Xdp,
    /// Function of the C library.
    Uprobe,
    /// Kernel function, by a kprobe.
    Kprobe,
}

impl Program {
    /// All programs, in the order of their rows.
    pub const ALL: [Self; 7] =
        [Self::RawTp, Self::TpBtf, Self::Fentry, Self::Lsm, Self::Xdp, Self::Uprobe, Self::Kprobe];

    /// Returns the index of the row of a program.
    #[must_use]
    pub fn row(self) -> usize {
        self as usize
    }

    /// Returns the name of the program with relocations.
    #[must_use]
    pub fn relocated(self) -> String {
        format!("on_{}", self.suffix())
    }

    /// Returns the name of the program without relocations.
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

    /// Returns the attach target: a tracepoint, function, hook or network device.
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

    /// Makes the kernel run the program.
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
                    // `argc`.
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
    /// Id of the process in whose context it ran.
    pub process: u32,
    /// Number that the program reads from its arguments; 0 if it reads none.
    pub direct: u64,
}

/// Returns the object file with all programs.
#[must_use]
pub fn object() -> Vec<u8> {
    let order = if cfg!(target_endian = "little") { "el" } else { "eb" };
    btf_tests::fixtures::read(&format!("bpf/clang-22/core_load-{order}.bpf.o"))
}

/// Returns the initial contents of `.bss`, with this process as the watched one.
#[must_use]
pub fn watch() -> [u8; BSS] {
    let mut bytes = [0; BSS];
    let at = size_of::<[Row; 7]>();
    if let Some(place) = bytes.get_mut(at..at + 8) {
        place.copy_from_slice(&u64::from(process::id()).to_ne_bytes());
    }
    bytes
}

/// Returns the row of a program in `.bss`.
#[must_use]
pub fn row(program: Program, bss: &[u8]) -> Row {
    let bytes = bss.get(program.row() * size_of::<Row>()..).unwrap_or_default();
    let mut row = Row::default();
    for (number, bytes) in row.iter_mut().zip(bytes.as_chunks().0) {
        *number = u64::from_ne_bytes(*bytes);
    }
    row
}
