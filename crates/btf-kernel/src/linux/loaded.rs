//! BTF in the kernel: loading, finding by id, listing, reading back.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
};

use btf_types::Btf;

use super::syscall::{self, BtfFd};
use crate::{BpfObjectKind, BtfUser, Error, LoadedInfo};

/// Maximum size of BTF that the kernel accepts, in bytes: `BTF_MAX_SIZE`.
const BTF_MAX_SIZE: usize = 16 << 20;

/// Size of the first buffer for a log, in bytes.
const LOG: usize = 64 << 10;

/// Maximum size of a log: 16 bytes per byte of BTF, and 64 MiB in total. (Logs
/// that repeat long names can be longer.)
const LOG_PER_BYTE: usize = 16;
const LOG_MAX: usize = 64 << 20;

/// BTF in the kernel, held by a file descriptor that is closed on drop.
///
/// ```
/// # fn main() -> Result<(), btf_kernel::Error> {
/// use btf_kernel::{Error, LoadedBtf, types::Btf};
///
/// # let bytes = std::fs::read("doc/root/boot/vmlinux-6.12.0").unwrap();
/// # let btf = Btf::parse(bytes).unwrap();
/// match LoadedBtf::load(&btf) {
///     // It is in the kernel until this is dropped.
///     Ok(loaded) => assert!(!loaded.info()?.is_kernel),
///     Err(Error::Permission { needs, .. }) => println!("not without {needs}"),
///     Err(error) => println!("{error}"), // with the log of the verifier, if it was rejected
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct LoadedBtf(BtfFd);

/// Options for loading BTF.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use btf_kernel::{Error, LoadOptions};
///
/// // Bytes as they are, with more of the verifier's log.
/// match LoadOptions::new().log_level(2).load_bytes(b"\x9f\xeb\x01\0") {
///     Ok(_) => unreachable!("that is no BTF"),
///     Err(Error::Permission { needs, .. }) => println!("not without {needs}"),
///     Err(error) => println!("{error}"),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct LoadOptions<'fd> {
    token: Option<BorrowedFd<'fd>>,
    log_level: u32,
    #[cfg(feature = "sanitize")]
    sanitize: bool,
}

impl<'fd> LoadOptions<'fd> {
    /// Makes the default options: no token, and the verifier's log only if it
    /// rejects the BTF.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a BPF token ([`Token`](crate::Token)), which delegates the
    /// privilege to load. Since Linux 6.9.
    #[must_use]
    pub fn token(mut self, token: BorrowedFd<'fd>) -> Self {
        self.token = Some(token);
        self
    }

    /// Sets the log level for rejected BTF: 1, the default, or 2.
    #[must_use]
    pub fn log_level(mut self, level: u32) -> Self {
        self.log_level = level;
        self
    }

    /// Sets whether [`load`](Self::load) rewrites what the running kernel does not
    /// support ([`btf_build::sanitize`]). The kernel is probed for what it
    /// supports, as distributions take features back to older versions.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use btf_build::Builder;
    /// use btf_kernel::{Error, LoadOptions};
    ///
    /// let mut b = Builder::new();
    /// b.structure("core::fmt", 0).finish()?; // a name that no kernel takes
    /// let btf = b.finish()?;
    ///
    /// match LoadOptions::new().sanitize(true).load(&btf) {
    ///     Ok(loaded) => assert_eq!(loaded.btf(None)?.type_by_id(1)?.name(), "core__fmt"),
    ///     Err(Error::Permission { needs, .. }) => println!("not without {needs}"),
    ///     Err(error) => {
    ///         # assert!(!matches!(error, Error::Rejected { .. }), "{error}");
    ///         println!("{error}");
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "sanitize")]
    #[must_use]
    pub fn sanitize(mut self, sanitize: bool) -> Self {
        self.sanitize = sanitize;
        self
    }

    /// Loads BTF in native byte order.
    ///
    /// # Errors
    ///
    /// [`Error::SplitBtf`]; those of [`LoadOptions::load_bytes`]; with
    /// sanitizing, `Error::Sanitize` and those of probing.
    pub fn load(self, btf: &Btf) -> Result<LoadedBtf, Error> {
        if btf.base().is_some() {
            return Err(Error::SplitBtf);
        }
        #[cfg(feature = "sanitize")]
        if self.sanitize {
            let features = match self.token {
                Some(token) => super::supported_features_with(token),
                None => super::supported_features(),
            }?;
            let plain =
                btf_build::sanitize(btf, features).map_err(|error| Error::Sanitize { error: Box::new(error) })?;
            return self.load_bytes(plain.as_bytes());
        }
        self.load_bytes(btf.as_bytes())
    }

    /// Loads bytes unchanged.
    ///
    /// # Errors
    ///
    /// [`Error::Permission`] if the caller lacks the privilege, whatever the
    /// kernel supports; [`Error::Rejected`] with the verifier's log if the BTF
    /// is invalid or newer than the kernel; [`Error::TooLarge`];
    /// [`Error::System`].
    pub fn load_bytes(self, btf: &[u8]) -> Result<LoadedBtf, Error> {
        if btf.len() > BTF_MAX_SIZE {
            return Err(Error::TooLarge { len: btf.len(), limit: BTF_MAX_SIZE });
        }
        let (loaded, _) = syscall::btf_load(btf, None, self.token);
        let error = match loaded {
            Ok(fd) => return Ok(LoadedBtf(fd)),
            Err(error) => error,
        };
        match error.raw_os_error() {
            Some(libc::EPERM) => Err(Error::Permission { operation: LOADING, needs: CAP_BPF, error }),
            Some(libc::EBADF | libc::EMFILE | libc::ENFILE | libc::ENOMEM | libc::ENOSYS) => {
                Err(Error::System { operation: LOADING, error })
            }
            // Load again, with a log.
            _ => match self.log(btf) {
                Ok(fd) => Ok(LoadedBtf(fd)),
                Err(log) => Err(Error::Rejected { error, log }),
            },
        }
    }

    /// Returns the verifier's log of rejected BTF; or the BTF, if it is
    /// accepted this time.
    fn log(self, btf: &[u8]) -> Result<BtfFd, String> {
        let most = btf.len().saturating_mul(LOG_PER_BYTE).clamp(LOG, LOG_MAX);
        let mut len = LOG;
        loop {
            let mut buffer = vec![0; len];
            let (loaded, wanted) = syscall::btf_load(btf, Some((&mut buffer, self.log_level.max(1))), self.token);
            let is_short = match loaded {
                Ok(fd) => return Ok(fd),
                Err(error) => error.raw_os_error() == Some(libc::ENOSPC),
            };
            if is_short && len < most {
                // Each attempt verifies everything again, so the buffer grows
                // fast.
                len = if wanted == 0 { 8 * len } else { wanted as usize + 1 }.clamp(len + 1, most);
                continue;
            }
            buffer.truncate(buffer.iter().position(|&byte| byte == 0).unwrap_or(buffer.len()));
            return Err(lossy(buffer));
        }
    }
}

/// Converts bytes to text, replacing invalid UTF-8.
fn lossy(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

pub(crate) const CAP_BPF: &str = "CAP_BPF (before Linux 5.8 CAP_SYS_ADMIN) or a BPF token";
const CAP_SYS_ADMIN: &str = "CAP_SYS_ADMIN";

const LOADING: &str = "loading BTF";
const LOOKING_UP: &str = "looking up BPF objects by id";

pub(super) fn of_id(object: BpfObjectKind, id: u32, error: io::Error) -> Error {
    match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => Error::Permission { operation: LOOKING_UP, needs: CAP_SYS_ADMIN, error },
        Some(libc::ENOENT) => Error::NoSuchId { object, id },
        _ => Error::System { operation: LOOKING_UP, error },
    }
}

/// Iterates over all objects of a kind, by ascending id. Objects that disappear
/// meanwhile are skipped.
pub(super) fn each<T>(
    kind: BpfObjectKind,
    open: impl Fn(u32) -> Result<T, Error>,
) -> impl Iterator<Item = Result<T, Error>> {
    let mut last = Some(0);
    std::iter::from_fn(move || {
        loop {
            let opened = match syscall::next_id(kind, last?) {
                Ok(Some(id)) => {
                    last = Some(id);
                    open(id)
                }
                Ok(None) => {
                    last = None;
                    return None;
                }
                Err(error) => Err(of_id(kind, 0, error)),
            };
            match opened {
                Err(Error::NoSuchId { .. }) => {}
                Err(error) => {
                    last = None;
                    return Some(Err(error));
                }
                opened => return Some(opened),
            }
        }
    })
}

impl LoadedBtf {
    /// Loads BTF in native byte order. For options, use [`LoadOptions`].
    ///
    /// # Errors
    ///
    /// Those of [`LoadOptions::load_bytes`].
    pub fn load(btf: &Btf) -> Result<Self, Error> {
        LoadOptions::new().load(btf)
    }

    /// Opens BTF by its id.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchId`]; [`Error::Permission`]; [`Error::System`].
    pub fn by_id(id: u32) -> Result<Self, Error> {
        syscall::btf_by_id(id).map(Self).map_err(|error| of_id(BpfObjectKind::Btf, id, error))
    }

    /// Opens the BTF with which a program was loaded, by the id of the program.
    ///
    /// # Errors
    ///
    /// Those of [`LoadedBtf::by_id`]; [`Error::WithoutBtf`].
    pub fn of_program(id: u32) -> Result<Self, Error> {
        Self::of(BtfUser::program(id)?)
    }

    /// Opens the BTF with which a map was created, by the id of the map.
    ///
    /// # Errors
    ///
    /// Those of [`LoadedBtf::by_id`]; [`Error::WithoutBtf`].
    pub fn of_map(id: u32) -> Result<Self, Error> {
        Self::of(BtfUser::map(id)?)
    }

    fn of(user: BtfUser) -> Result<Self, Error> {
        match user.btf_id {
            Some(id) => Self::by_id(id),
            None => Err(Error::WithoutBtf { object: user.kind, id: user.id }),
        }
    }

    /// Iterates over all BTF in the kernel, by ascending id: that of the
    /// kernel, of modules, and of programs. BTF that disappears meanwhile is
    /// skipped.
    ///
    /// # Errors
    ///
    /// [`Error::Permission`] without CAP_SYS_ADMIN; [`Error::System`].
    pub fn all() -> impl Iterator<Item = Result<(Self, LoadedInfo), Error>> {
        each(BpfObjectKind::Btf, |id| {
            let loaded = Self::by_id(id)?;
            let info = loaded.info()?;
            Ok((loaded, info))
        })
    }

    /// Returns a description of the BTF: id, name, size.
    ///
    /// # Errors
    ///
    /// [`Error::System`].
    pub fn info(&self) -> Result<LoadedInfo, Error> {
        let mut name = [0; 256];
        let info = match syscall::btf_info(&self.0, &mut [], &mut name) {
            // Names exist since Linux 5.11.
            Err(error) if error.raw_os_error() == Some(libc::E2BIG) => syscall::btf_info(&self.0, &mut [], &mut []),
            info => info,
        };
        let info = info.map_err(info_error)?;
        let end = name.iter().position(|&byte| byte == 0).unwrap_or(name.len());
        Ok(LoadedInfo {
            id: info.id,
            name: String::from_utf8_lossy(name.get(..end).unwrap_or_default()).into_owned(),
            size: info.size,
            is_kernel: info.is_kernel != 0,
        })
    }

    /// Reads back the bytes.
    ///
    /// # Errors
    ///
    /// [`Error::System`].
    pub fn bytes(&self) -> Result<Vec<u8>, Error> {
        let mut bytes = vec![0; self.info()?.size as usize];
        let info = syscall::btf_info(&self.0, &mut bytes, &mut []).map_err(info_error)?;
        bytes.truncate(info.size as usize);
        Ok(bytes)
    }

    /// Reads back the BTF. A module's needs the kernel's as its base: see
    /// [`Kernel::read_loaded`](crate::Kernel::read_loaded).
    ///
    /// # Errors
    ///
    /// [`Error::System`]; [`Error::Loaded`] if it cannot be opened on this base.
    pub fn btf(&self, base: Option<&Btf>) -> Result<Btf, Error> {
        let (id, bytes) = (self.info()?.id, self.bytes()?);
        let btf = match base {
            None => Btf::parse(bytes),
            Some(base) => Btf::parse_split(bytes, base),
        };
        btf.map_err(|error| Error::Loaded { id, error })
    }

    /// Duplicates the file descriptor.
    ///
    /// # Errors
    ///
    /// [`Error::System`] if no more descriptors are available.
    pub fn try_clone(&self) -> Result<Self, Error> {
        self.0
            .try_clone()
            .map(Self)
            .map_err(|error| Error::System { operation: "duplicating a file descriptor", error })
    }
}

fn info_error(error: io::Error) -> Error {
    Error::System { operation: "asking for information on BTF", error }
}

impl AsFd for LoadedBtf {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl From<LoadedBtf> for OwnedFd {
    fn from(loaded: LoadedBtf) -> Self {
        loaded.0.into_inner()
    }
}

impl TryFrom<OwnedFd> for LoadedBtf {
    type Error = Error;

    /// Takes ownership of a descriptor opened by another library, after
    /// checking in `/proc` that it is one of BTF.
    ///
    /// # Errors
    ///
    /// [`Error::NotBtfDescriptor`] if it is not; [`Error::System`] if that
    /// cannot be checked, as without `/proc`. The descriptor is then closed.
    fn try_from(fd: OwnedFd) -> Result<Self, Error> {
        let number = fd.as_raw_fd();
        match BtfFd::prove(fd) {
            Ok(Ok(fd)) => Ok(Self(fd)),
            Ok(Err(is)) => Err(Error::NotBtfDescriptor { number, is }),
            Err(error) => Err(Error::System { operation: "looking up a file descriptor in /proc", error }),
        }
    }
}
