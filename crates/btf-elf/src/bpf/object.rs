//! BPF objects: the output of a compiler and the input of a loader.

use std::sync::OnceLock;

use btf_types::{Btf, BtfExt, Datasec, Name, OwnedName, Type};
use object::elf;

use crate::{
    DataSection, DatasecFixups, Elf, Error, Map, ProgramSection, Section,
    elf::strings::{NameIndex, NamesShared},
};

/// BPF object: an ELF file with programs, maps and global variables, and the
/// BTF that describes them.
///
/// It gives access to the contents of the file. Creating maps, relocating
/// programs and loading them is left to the loader.
///
/// ```
/// # fn main() -> Result<(), btf_elf::Error> {
/// use btf_elf::{BpfObject, MapType};
///
/// let object = BpfObject::open("doc/probe.bpf.o")?;
/// assert_eq!(object.license()?.unwrap(), "Dual MIT/GPL");
/// for program in object.programs() {
///     println!("{}: {} instructions", program.name(), program.instructions()?.len());
/// }
/// let maps = object.maps()?;
/// assert_eq!((maps[0].name(), maps[0].map_type()), ("bytes_sent".into(), Some(MapType(1))));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct BpfObject {
    elf: Elf,
    btf: Btf,
    btf_ext: OnceLock<Option<BtfExt>>,
    fixup: DatasecFixups,
    /// Section, offset and symbol of each function, sorted in this order.
    functions: OnceLock<Vec<(u32, u64, u32)>>,
    programs_by_name: OnceLock<NameIndex>,
}

impl BpfObject {
    /// Interprets an ELF file as a BPF object.
    ///
    /// # Errors
    ///
    /// Those of [`BpfObject::open`], without the enclosing [`Error::File`].
    pub fn new(elf: Elf) -> Result<Self, Error> {
        let is_bpf = elf.is_bpf() || elf.machine().e_machine() == elf::EM_NONE.0;
        if !is_bpf || !elf.is_relocatable() {
            return Err(Error::NotBpf { machine: elf.machine(), elf_type: elf.elf_type() });
        }
        // Overlapping contents are counted for each section: a million sections
        // of a small file could each cover the whole file.
        let contents = elf.sections().filter(|section| section.has_contents()).map(Section::size);
        if contents.fold(0, u64::saturating_add) > elf.input().len() {
            return Err(Error::Elf { what: "sections overlap, or are cut off", offset: elf.input().len() });
        }
        let btf = elf.btf()?;
        let fixup = elf.datasec_fixups(&btf)?;
        let (btf_ext, functions, programs_by_name) = (OnceLock::new(), OnceLock::new(), OnceLock::new());
        Ok(Self { elf, btf, btf_ext, fixup, functions, programs_by_name })
    }

    /// Returns the ELF file.
    #[must_use]
    pub fn elf(&self) -> &Elf {
        &self.elf
    }

    /// Returns the BTF, as stored in the file.
    #[must_use]
    pub fn btf(&self) -> &Btf {
        &self.btf
    }

    /// Returns the `.BTF.ext`, which is read on first use; `None` if the object
    /// has none.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_elf::Error> {
    /// use btf_elf::BpfObject;
    ///
    /// let object = BpfObject::open("doc/probe.bpf.o")?;
    /// let ext = object.btf_ext()?.expect("clang writes one");
    /// assert_eq!(ext.core_relos().len(), 4);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`Elf::btf_ext`]. (libbpf ignores them.)
    pub fn btf_ext(&self) -> Result<Option<&BtfExt>, Error> {
        if let Some(ext) = self.btf_ext.get() {
            return Ok(ext.as_ref());
        }
        let ext = self.elf.btf_ext(&self.btf)?;
        Ok(self.btf_ext.get_or_init(|| ext).as_ref())
    }

    /// Returns DATASEC sizes and offsets as a loader would compute them;
    /// [`DatasecFixups::btf`] is the BTF with them.
    #[must_use]
    pub fn datasec_fixups(&self) -> &DatasecFixups {
        &self.fixup
    }

    /// Iterates over the non-empty sections with instructions.
    pub fn programs(&self) -> impl Iterator<Item = ProgramSection<'_>> {
        let is_program =
            |section: &Section<'_>| section.is_executable() && section.has_contents() && section.size() > 0;
        self.elf.sections().filter(is_program).map(|section| ProgramSection::new(self, section))
    }

    /// Returns the section with instructions with this name.
    pub fn program(&self, name: impl AsRef<[u8]>) -> Option<ProgramSection<'_>> {
        let name = name.as_ref();
        self.programs().find(|program| program.section().is_named(name))
    }

    /// Returns the maps defined in `.maps`, by ascending offset.
    ///
    /// # Errors
    ///
    /// [`Error::LegacyMaps`]; [`Error::Map`] if a definition is invalid;
    /// [`Error::Datasec`] if the offsets of the variables are unknown; those of
    /// [`Section::relocations`].
    pub fn maps(&self) -> Result<Vec<Map<'_>>, Error> {
        super::map::all(self)
    }

    /// Iterates over the sections described by DATASECs of the BTF, by
    /// ascending id.
    pub fn data_sections(&self) -> impl Iterator<Item = DataSection<'_>> {
        self.fixup.datasecs().iter().filter_map(|fixed| {
            let datasec = Datasec::try_from(self.btf.type_by_id(fixed.id()).ok()?).ok()?;
            Some(DataSection::new(self, datasec, fixed))
        })
    }

    /// Returns the first of [`BpfObject::data_sections`] with this name.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_elf::Error> {
    /// use btf_elf::BpfObject;
    ///
    /// let object = BpfObject::open("doc/probe.bpf.o")?;
    /// let rodata = object.data_section(".rodata").unwrap();
    /// let target_pid = rodata.variables()?.next().unwrap();
    /// let at = target_pid.offset() as usize..(target_pid.offset() + target_pid.size()) as usize;
    /// // The value that a loader may change before it loads the program.
    /// assert_eq!(rodata.contents()?.unwrap()[at], 1u32.to_le_bytes());
    /// # Ok(())
    /// # }
    /// ```
    pub fn data_section(&self, name: impl AsRef<[u8]>) -> Option<DataSection<'_>> {
        let name = name.as_ref();
        self.data_sections().find(|section| Type::from(section.datasec()).is_named(name))
    }

    /// Returns the license in the section `license`, up to the NUL.
    ///
    /// # Errors
    ///
    /// Those of [`Section::data`].
    pub fn license(&self) -> Result<Option<OwnedName>, Error> {
        let Some(section) = self.elf.section("license") else { return Ok(None) };
        let data = section.data()?;
        Ok(data.split(|&byte| byte == 0).next().map(Into::into))
    }

    /// Returns the functions of a section, by ascending offset.
    pub(crate) fn functions_of(&self, section: u32) -> Result<&[(u32, u64, u32)], Error> {
        let functions = match self.functions.get() {
            Some(functions) => functions,
            None => {
                let symbols = self.elf.symbols()?.filter(|symbol| symbol.is_function());
                let place =
                    |symbol: crate::Symbol<'_>| Some((symbol.section()?.index(), symbol.offset()?, symbol.index()));
                let mut functions: Vec<_> = symbols.filter_map(place).collect();
                functions.sort_unstable();
                self.functions.get_or_init(|| functions)
            }
        };
        let start = functions.partition_point(|&(of, ..)| of < section);
        let end = functions.partition_point(|&(of, ..)| of <= section);
        Ok(functions.get(start..end).unwrap_or_default())
    }

    /// Returns the index of the first program section with this name.
    pub(crate) fn program_named(&self, name: Name<'_>) -> Result<Option<u32>, NamesShared> {
        let names = self.elf.section_names();
        let index = self.programs_by_name.get_or_init(|| {
            let sections = self.programs().map(ProgramSection::section);
            NameIndex::new(names, sections.map(|section| (section.name_offset(), section.index())))
        });
        index.get(names, name.as_bytes())
    }
}
