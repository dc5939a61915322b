//! Builder of small BTF blobs for tests, valid or not.

use btf_format::{Assembly, Info, LayoutEntry, TypeRecord};

/// BTF blob under construction. Nothing is checked, so that tests can make any
/// invalid BTF.
#[derive(Debug, Clone)]
pub struct Blob {
    types: Vec<u8>,
    strings: Vec<u8>,
    layout: Vec<u8>,
}

impl Default for Blob {
    fn default() -> Self {
        Self { types: Vec::new(), strings: vec![0], layout: Vec::new() }
    }
}

impl Blob {
    /// Creates a blob with no types and only the empty string.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Creates a blob with no types and no strings, as is valid for split BTF.
    #[must_use]
    pub fn split() -> Self {
        Self { strings: Vec::new(), ..Self::default() }
    }

    /// Adds a string; returns its offset in this blob's strings.
    pub fn string(&mut self, text: impl AsRef<[u8]>) -> u32 {
        let offset = self.strings.len() as u32;
        self.strings.extend_from_slice(text.as_ref());
        self.strings.push(0);
        offset
    }

    /// Adds a record from its name offset, kind, vlen, `kind_flag`, size or type,
    /// and the words that follow.
    ///
    /// # Panics
    ///
    /// If `kind` or `vlen` does not fit its bits.
    pub fn record(&mut self, name: u32, kind: u8, vlen: u32, flag: bool, third: u32, rest: &[u32]) -> &mut Self {
        let info = Info::new(kind, vlen, flag).expect("kind and vlen fit");
        self.types.extend_from_slice(TypeRecord::new(name, info.word(), third).as_bytes());
        self.types.extend(rest.iter().flat_map(|word| word.to_ne_bytes()));
        self
    }

    /// Adds `int`, 4 bytes, signed.
    pub fn int(&mut self) -> &mut Self {
        let name = self.string("int");
        self.record(name, 1, 0, false, 4, &[0x0100_0020])
    }

    /// Adds a pointer.
    pub fn ptr(&mut self, target: u32) -> &mut Self {
        self.record(0, 2, 0, false, target, &[])
    }

    /// Adds bytes to the type section unchanged.
    pub fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.types.extend_from_slice(bytes);
        self
    }

    /// Adds a layout section with the sizes for each kind, from 0.
    pub fn layout(&mut self, entries: impl IntoIterator<Item = (u8, u8)>) -> &mut Self {
        for (info_sz, elem_sz) in entries {
            self.layout.extend_from_slice(LayoutEntry::new(info_sz, elem_sz, 0).as_bytes());
        }
        self
    }

    /// Returns the string section, for tests that corrupt it.
    pub fn strings_mut(&mut self) -> &mut Vec<u8> {
        &mut self.strings
    }

    /// Returns the bytes: header, types, layout if there is one, strings.
    ///
    /// # Panics
    ///
    /// If types of an odd length are followed by a layout section.
    #[must_use]
    pub fn build(&self) -> Vec<u8> {
        let mut blob = Vec::new();
        let assembly = Assembly::new(&self.types, &self.strings).layout(&self.layout);
        assembly.write(|part| blob.extend_from_slice(part)).expect("it is small and aligned");
        blob
    }
}
