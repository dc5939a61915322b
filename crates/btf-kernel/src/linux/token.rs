//! BPF tokens: the right to load, lent to a user namespace.
//!
//! Who has the right mounts a BPF file system for a container, and says in the
//! options of the mount what it delegates; of that file system, the container
//! makes tokens for itself. Loading BTF needs `delegate_cmds=btf_load`.
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

/// A token, which lends the right to load.
#[derive(Debug)]
pub struct Token(OwnedFd);

impl Token {
    /// Makes one of the BPF file system that is mounted at a path, such as
    /// `/sys/fs/bpf`.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if there is nothing at the path; those of
    /// [`Token::of_folder`].
    pub fn create(bpffs: impl AsRef<Path>) -> Result<Self, Error> {
        let path = bpffs.as_ref();
        let folder = File::open(path).map_err(|error| Error::Io { path: path.into(), error })?;
        Self::of_folder(folder.as_fd())
    }

    /// Makes one of the BPF file system whose root a descriptor is of.
    ///
    /// # Errors
    ///
    /// [`Error::Permission`] if it was mounted for another user namespace, or
    /// the caller has not CAP_BPF in its own; [`Error::System`] if it is no BPF
    /// file system, delegates nothing, or the kernel knows no tokens.
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

    /// Another descriptor of the same token.
    ///
    /// # Errors
    ///
    /// If there are no more descriptors.
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
    /// A descriptor of a token, that another library has made.
    fn from(fd: OwnedFd) -> Self {
        Self(fd)
    }
}
