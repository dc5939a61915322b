//! Files that contain BTF, of any format.

use std::{fs::File, io::Read};

use btf_types::{Btf, ByteOrder, Bytes};

use super::{
    image,
    input::{self, Input},
    layer::Content,
    limits::Budget,
};
use crate::{BpfObject, Compression, Elf, Error, Layer, Limits};

/// File that contains BTF: raw BTF, ELF, a kernel image, or any of these
/// compressed.
///
/// ```
/// # fn main() -> Result<(), btf_elf::Error> {
/// use btf_elf::{BtfFile, types::Struct};
///
/// # let (vmlinuz, module) = ("doc/kernel.btf.gz", "doc/veth.ko");
/// let vmlinux = BtfFile::open(vmlinuz)?.btf()?; // "/boot/vmlinuz-6.12.0"
/// let veth = BtfFile::open(module)?.split_btf(&vmlinux)?; // "veth.ko.xz"
/// assert_eq!(veth.find::<Struct<'_>>("veth_priv")?.size(), 48);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct BtfFile {
    layers: Vec<Layer>,
    content: Content,
}

/// Maximum number of layers.
const DEPTH: usize = 4;

impl BtfFile {
    /// Layers of the file, outermost first.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_elf::Error> {
    /// use btf_elf::{BtfFile, Compression, Layer};
    ///
    /// let file = BtfFile::open("doc/kernel.btf.gz")?;
    /// let layers: Vec<_> = file.layers().iter().map(ToString::to_string).collect();
    /// assert_eq!(layers, ["gzip", "BTF"]);
    /// assert!(matches!(file.layers()[0], Layer::Compressed { compression: Compression::Gzip, .. }));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// Returns the ELF file, if this is one or contains one.
    #[must_use]
    pub fn elf(&self) -> Option<&Elf> {
        match &self.content {
            Content::Elf(elf) => Some(elf),
            Content::Raw(_) => None,
        }
    }

    /// Converts to the ELF file, if this is one or contains one.
    #[must_use]
    pub fn into_elf(self) -> Option<Elf> {
        match self.content {
            Content::Elf(elf) => Some(*elf),
            Content::Raw(_) => None,
        }
    }

    /// Converts to a BPF object.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_elf::Error> {
    /// use btf_elf::{BtfFile, Error};
    ///
    /// let object = BtfFile::open("doc/probe.bpf.o")?.into_object()?;
    /// assert_eq!(object.programs().count(), 2);
    /// assert!(matches!(BtfFile::open("doc/veth.ko")?.into_object(), Err(Error::NotBpf { .. })));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`BpfObject::new`]; [`Error::NotElf`] for raw BTF.
    pub fn into_object(self) -> Result<BpfObject, Error> {
        match self.content {
            Content::Elf(elf) => BpfObject::new(*elf),
            Content::Raw(_) => Err(Error::NotElf),
        }
    }

    /// Returns `true` if the file contains BTF.
    #[must_use]
    pub fn has_btf(&self) -> bool {
        self.elf().is_none_or(Elf::has_btf)
    }

    /// Returns the bytes of the BTF, as stored in the file.
    ///
    /// # Errors
    ///
    /// Those of [`Elf::btf_bytes`].
    pub fn btf_bytes(&self) -> Result<Bytes, Error> {
        match &self.content {
            Content::Elf(elf) => elf.btf_bytes(),
            Content::Raw(bytes) => Ok(bytes.clone()),
        }
    }

    /// Opens the BTF, which is not split, or whose base is in the same file.
    ///
    /// # Errors
    ///
    /// Those of [`Elf::btf`]; [`Error::Types`] for raw BTF.
    pub fn btf(&self) -> Result<Btf, Error> {
        match &self.content {
            Content::Elf(elf) => elf.btf(),
            Content::Raw(bytes) => Ok(Btf::parse(bytes.clone())?),
        }
    }

    /// Opens the BTF of a module, with that of its kernel as the base.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_elf::Error> {
    /// use btf_elf::{BtfFile, types::Func};
    ///
    /// let vmlinux = BtfFile::open("doc/kernel.btf")?.btf()?; // "/sys/kernel/btf/vmlinux"
    /// let veth = BtfFile::open("doc/veth.ko")?.split_btf(&vmlinux)?;
    /// let xmit: Func<'_> = veth.find("veth_xmit")?;
    /// assert_eq!(xmit.params().next().unwrap().ty().target().unwrap(), vmlinux.find("sk_buff")?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`Elf::split_btf`]; [`Error::Types`] for raw BTF.
    pub fn split_btf(&self, base: &Btf) -> Result<Btf, Error> {
        match &self.content {
            Content::Elf(elf) => elf.split_btf(base),
            Content::Raw(bytes) => Ok(Btf::parse_split(bytes.clone(), base)?),
        }
    }
}

/// Opens a file layer by layer.
pub(super) fn open(mut input: Input, limits: Limits) -> Result<BtfFile, Error> {
    let mut budget = Budget::new(limits, input.len());
    let mut layers = Vec::new();
    while layers.len() < DEPTH {
        let start = input.start(Compression::DETECT_BYTES)?;
        if start.first_chunk().is_some_and(|&magic| ByteOrder::of_magic(magic).is_some()) {
            layers.push(Layer::Btf { offset: 0 });
            return Ok(BtfFile { layers, content: Content::Raw(input.all(limits.max_output())?) });
        }
        if start.starts_with(&Elf::MAGIC) {
            let elf = Elf::new(input, budget)?;
            layers.push(Layer::of_elf(&elf));
            match image::wrapped(&elf)? {
                None => return Ok(BtfFile { layers, content: Content::Elf(elf.into()) }),
                Some(kernel) => input = Input::Bytes(kernel),
            }
            budget = elf.into_budget();
        } else if let Some(compression) = Compression::detect(&start) {
            layers.push(Layer::Compressed { compression, offset: 0 });
            input = Input::Bytes(decode(&input, compression, &budget)?.into());
        } else {
            let found = image::open(&input.all(limits.max_output())?, &budget)?;
            layers.extend(found.layers);
            return Ok(BtfFile { layers, content: found.content });
        }
    }
    Err(Error::TooDeep { limit: DEPTH })
}

/// Decodes a layer.
fn decode(input: &Input, compression: Compression, budget: &Budget) -> Result<Vec<u8>, Error> {
    let limits = budget.layer();
    let mut decoded = Vec::new();
    let result = match input {
        Input::Bytes(bytes) => compression.decode_into(&mut decoded, bytes, &limits),
        Input::File { file, len, .. } => {
            let reader = FileReader { file, offset: 0, len: *len };
            compression.decoder(reader, &limits).and_then(|mut decoder| decoder.read_rest(&mut decoded))
        }
    };
    budget.spend(decoded.len() as u64);
    match result {
        Ok(()) => Ok(decoded),
        Err(error) => Err(budget.explain(error, limits)),
    }
}

/// Reader of a file from its start, independent of the file's cursor.
struct FileReader<'a> {
    file: &'a File,
    offset: u64,
    len: u64,
}

impl Read for FileReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let left = usize::try_from(self.len.saturating_sub(self.offset)).unwrap_or(usize::MAX);
        let len = buffer.len().min(left);
        let buffer = buffer.get_mut(..len).unwrap_or_default();
        input::read_exact_at(self.file, buffer, self.offset)?;
        self.offset += len as u64;
        Ok(len)
    }
}
