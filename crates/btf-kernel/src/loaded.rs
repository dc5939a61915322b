//! BTF in the kernel: loaded, found by id, listed, read back.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use btf_types::Btf;

use crate::{
    Error, Kernel,
    syscall::{self, Object},
};

/// The most bytes of BTF that the kernel takes: `BTF_MAX_SIZE`.
const BTF_MAX_SIZE: usize = 16 << 20;

/// The first log is this long, and every further one twice as long, up to this.
const LOG: usize = 64 << 10;
const LOG_MAX: usize = 64 << 20;

/// BTF that is in the kernel, held by a file descriptor that is closed when this
/// is dropped.
#[derive(Debug)]
pub struct LoadedBtf(OwnedFd);

/// What the kernel says of BTF that is in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct LoadedInfo {
    /// Its id.
    pub id: u32,
    /// Its name: `vmlinux`, or a module's; what programs loaded has none.
    pub name: String,
    /// Its size in **bytes**.
    pub size: u32,
    /// Whether it is the kernel's or a module's, and not a program's.
    pub is_kernel: bool,
}

/// How BTF is loaded.
#[derive(Debug, Clone, Copy, Default)]
pub struct LoadOptions<'fd> {
    token: Option<BorrowedFd<'fd>>,
    log_level: u32,
}

impl<'fd> LoadOptions<'fd> {
    /// Without a token; the verifier's log only if it refuses.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With a BPF token ([`Token`](crate::Token)), which lends the right to load.
    /// Since Linux 6.9.
    #[must_use]
    pub fn token(mut self, token: BorrowedFd<'fd>) -> Self {
        self.token = Some(token);
        self
    }

    /// How much the log tells of BTF that is refused: 1, which is what there is
    /// without this, or 2.
    #[must_use]
    pub fn log_level(mut self, level: u32) -> Self {
        self.log_level = level;
        self
    }

    /// Loads BTF, in the byte order of the machine.
    ///
    /// # Errors
    ///
    /// Those of [`LoadOptions::load_bytes`].
    pub fn load(self, btf: &Btf) -> Result<LoadedBtf, Error> {
        self.load_bytes(btf.as_bytes())
    }

    /// Loads BTF as it is.
    ///
    /// # Errors
    ///
    /// [`Error::Permission`] if the caller may not, whatever the kernel could do;
    /// [`Error::Refused`] with the verifier's log if it is not sound to it, or
    /// newer than it; [`Error::TooLarge`]; [`Error::System`].
    pub fn load_bytes(self, btf: &[u8]) -> Result<LoadedBtf, Error> {
        if btf.len() > BTF_MAX_SIZE {
            return Err(Error::TooLarge { len: btf.len(), limit: BTF_MAX_SIZE });
        }
        let (loaded, _) = syscall::btf_load(btf, None, self.token);
        let source = match loaded {
            Ok(fd) => return Ok(LoadedBtf(fd)),
            Err(source) => source,
        };
        match source.raw_os_error() {
            Some(libc::EPERM) => Err(permission("loading BTF", CAP_BPF, source)),
            Some(libc::EBADF | libc::EMFILE | libc::ENFILE | libc::ENOMEM | libc::ENOSYS) => {
                Err(Error::System { what: "loading BTF", source })
            }
            // Once more, to be told why.
            _ => match self.log(btf) {
                Ok(fd) => Ok(LoadedBtf(fd)),
                Err(log) => Err(Error::Refused { source, log }),
            },
        }
    }

    /// The verifier's log of BTF that it refuses; or, if it does not any more,
    /// the BTF.
    fn log(self, btf: &[u8]) -> Result<OwnedFd, String> {
        let mut len = LOG;
        loop {
            let mut buffer = vec![0; len];
            let (loaded, wanted) = syscall::btf_load(btf, Some((&mut buffer, self.log_level.max(1))), self.token);
            let is_short = match loaded {
                Ok(fd) => return Ok(fd),
                Err(error) => error.raw_os_error() == Some(libc::ENOSPC),
            };
            if is_short && len < LOG_MAX {
                len = (2 * len).max(wanted as usize + 1).min(LOG_MAX);
                continue;
            }
            let end = buffer.iter().position(|&byte| byte == 0).unwrap_or(buffer.len());
            return Err(String::from_utf8_lossy(buffer.get(..end).unwrap_or_default()).into_owned());
        }
    }
}

pub(crate) const CAP_BPF: &str = "CAP_BPF (before Linux 5.8 CAP_SYS_ADMIN) or a BPF token";
const CAP_SYS_ADMIN: &str = "CAP_SYS_ADMIN";

fn permission(what: &'static str, needs: &'static str, source: io::Error) -> Error {
    Error::Permission { what, needs, source }
}

fn of_id(what: &'static str, id: u32, source: io::Error) -> Error {
    match source.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => {
            permission("looking up what is in the kernel by its id", CAP_SYS_ADMIN, source)
        }
        Some(libc::ENOENT) => Error::NoSuchId { what, id },
        _ => Error::System { what: "looking up what is in the kernel by its id", source },
    }
}

impl LoadedBtf {
    /// Loads BTF, in the byte order of the machine; [`LoadOptions`] has more to
    /// choose.
    ///
    /// # Errors
    ///
    /// Those of [`LoadOptions::load_bytes`].
    pub fn load(btf: &Btf) -> Result<Self, Error> {
        LoadOptions::new().load(btf)
    }

    /// BTF by its id.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchId`]; [`Error::Permission`]; [`Error::System`].
    pub fn by_id(id: u32) -> Result<Self, Error> {
        syscall::fd_by_id(Object::Btf, id).map(Self).map_err(|source| of_id("BTF", id, source))
    }

    /// The BTF that a program, by its id, was loaded with.
    ///
    /// # Errors
    ///
    /// Those of [`LoadedBtf::by_id`]; [`Error::WithoutBtf`].
    pub fn of_program(id: u32) -> Result<Self, Error> {
        Self::of(Object::Program, "program", id)
    }

    /// The BTF that a map, by its id, was made with.
    ///
    /// # Errors
    ///
    /// Those of [`LoadedBtf::by_id`]; [`Error::WithoutBtf`].
    pub fn of_map(id: u32) -> Result<Self, Error> {
        Self::of(Object::Map, "map", id)
    }

    fn of(object: Object, what: &'static str, id: u32) -> Result<Self, Error> {
        let fd = syscall::fd_by_id(object, id).map_err(|source| of_id(what, id, source))?;
        let btf = syscall::btf_id_of(object, fd.as_fd());
        match btf.map_err(|source| Error::System { what: "asking what a program or map is", source })? {
            0 => Err(Error::WithoutBtf { what, id }),
            btf => Self::by_id(btf),
        }
    }

    /// All BTF that is in the kernel, by rising id: the kernel's own, that of
    /// modules, that of programs. What goes while this looks is passed over.
    pub fn all() -> impl Iterator<Item = Result<(Self, LoadedInfo), Error>> {
        let mut last = Some(0);
        std::iter::from_fn(move || {
            loop {
                let id = match syscall::next_btf_id(last?) {
                    Ok(Some(id)) => id,
                    Ok(None) => {
                        last = None;
                        return None;
                    }
                    Err(source) => {
                        last = None;
                        return Some(Err(of_id("BTF", 0, source)));
                    }
                };
                last = Some(id);
                match Self::by_id(id).and_then(|loaded| loaded.info().map(|info| (loaded, info))) {
                    Err(Error::NoSuchId { .. }) => {}
                    Err(error) => {
                        last = None;
                        return Some(Err(error));
                    }
                    found => return Some(found),
                }
            }
        })
    }

    /// What the kernel says of it.
    ///
    /// # Errors
    ///
    /// [`Error::System`].
    pub fn info(&self) -> Result<LoadedInfo, Error> {
        let mut name = [0; 256];
        let info = match syscall::btf_info(self.0.as_fd(), &mut [], &mut name) {
            // Before 5.11 there are no names.
            Err(error) if error.raw_os_error() == Some(libc::E2BIG) => {
                syscall::btf_info(self.0.as_fd(), &mut [], &mut [])
            }
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

    /// Its bytes.
    ///
    /// # Errors
    ///
    /// [`Error::System`].
    pub fn bytes(&self) -> Result<Vec<u8>, Error> {
        let mut bytes = vec![0; self.info()?.size as usize];
        let info = syscall::btf_info(self.0.as_fd(), &mut bytes, &mut []).map_err(info_error)?;
        bytes.truncate(info.size as usize);
        Ok(bytes)
    }

    /// Reads it back. A module's needs the kernel's as its base;
    /// [`Kernel::loaded_btf`] sees to that.
    ///
    /// # Errors
    ///
    /// [`Error::System`]; [`Error::Btf`] if it does not lie on this base.
    pub fn btf(&self, base: Option<&Btf>) -> Result<Btf, Error> {
        let bytes = self.bytes()?;
        let btf = match base {
            None => Btf::parse(bytes),
            Some(base) => Btf::parse_split(bytes, base),
        };
        btf.map_err(|source| Error::Btf { what: "BTF of the kernel".into(), source })
    }

    /// Another descriptor of the same BTF.
    ///
    /// # Errors
    ///
    /// [`Error::System`] if there are no more descriptors.
    pub fn try_clone(&self) -> Result<Self, Error> {
        self.0.try_clone().map(Self).map_err(|source| Error::System { what: "copying a descriptor", source })
    }
}

fn info_error(source: io::Error) -> Error {
    Error::System { what: "asking what BTF is", source }
}

impl Kernel {
    /// BTF that is in the running kernel, by its id, on the right base: of a
    /// module the kernel's.
    ///
    /// # Errors
    ///
    /// Those of [`LoadedBtf::by_id`], of [`LoadedBtf::btf`], and for a module of
    /// [`Kernel::btf`].
    pub fn loaded_btf(&self, id: u32) -> Result<Btf, Error> {
        let loaded = LoadedBtf::by_id(id)?;
        let info = loaded.info()?;
        match info.is_kernel && info.name != "vmlinux" {
            true => loaded.btf(Some(&self.btf()?)),
            false => loaded.btf(None),
        }
    }
}

impl AsFd for LoadedBtf {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl From<LoadedBtf> for OwnedFd {
    fn from(loaded: LoadedBtf) -> Self {
        loaded.0
    }
}

impl From<OwnedFd> for LoadedBtf {
    /// A descriptor of BTF, that another library has made.
    fn from(fd: OwnedFd) -> Self {
        Self(fd)
    }
}
