//! BPF tokens: the privilege to load, delegated to a user namespace.
//!
//! A privileged process mounts a BPF file system for a container, with mount
//! options for the delegated commands. The container creates tokens from that
//! file system. Loading BTF needs `delegate_cmds=btf_load`.
//!
//! Source: `kernel/bpf/token.c`, since Linux 6.9.

use std::{
    fs::File,
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
};

use super::syscall;
use crate::Error;

/// BPF token, which delegates the privilege to load.
#[derive(Debug)]
pub struct Token(OwnedFd);

impl Token {
    /// Makes a token of the BPF file system mounted at a path, such as
    /// `/sys/fs/bpf`.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the path does not exist; those of [`Token::of_folder`].
    pub fn create(bpffs: impl AsRef<Path>) -> Result<Self, Error> {
        let path = bpffs.as_ref();
        let folder = File::open(path).map_err(|error| Error::Io { path: path.into(), error })?;
        Self::of_folder(folder.as_fd())
    }

    /// Makes a token of the BPF file system whose root is open as a descriptor.
    ///
    /// # Errors
    ///
    /// [`Error::Permission`] if it was mounted for another user namespace, or
    /// if the caller lacks CAP_BPF in its own; [`Error::System`] if it is not a
    /// BPF file system, delegates nothing, or the kernel does not support
    /// tokens.
    pub fn of_folder(bpffs: BorrowedFd<'_>) -> Result<Self, Error> {
        const OPERATION: &str = "creating a BPF token";
        syscall::token_create(bpffs).map(Self).map_err(|error| match error.raw_os_error() {
            Some(libc::EPERM) => Error::Permission {
                operation: OPERATION,
                needs: "a BPF file system mounted for this user namespace, and CAP_BPF in it",
                error,
            },
            _ => Error::System { operation: OPERATION, error },
        })
    }

    /// Duplicates the file descriptor.
    ///
    /// # Errors
    ///
    /// If no more descriptors are available.
    pub fn try_clone(&self) -> io::Result<Self> {
        self.0.try_clone().map(Self)
    }
}

impl AsFd for Token {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl From<Token> for OwnedFd {
    fn from(token: Token) -> Self {
        token.0
    }
}

impl From<OwnedFd> for Token {
    /// Takes ownership of a token opened by another library.
    fn from(fd: OwnedFd) -> Self {
        Self(fd)
    }
}
