//! Machines: the architectures that kernels and objects are built for.

use std::{fmt, str::FromStr};

use btf_types::ByteOrder::{self, Big, Little};
use object::elf;

use crate::Error;

/// Architecture, as in the header of an ELF file: `e_machine`, the class (32 or
/// 64 bits) and the byte order. All three are needed: `ppc64` and `ppc64le`
/// share one `e_machine`, and so do `riscv32` and `riscv64`.
///
/// [`FromStr`] accepts every name in use; [`Display`](fmt::Display) and
/// [`name`](Self::name) give that of `uname -m`.
///
/// ```
/// use btf_elf::{Machine, types::ByteOrder};
///
/// let machine: Machine = "arm64".parse()?;
/// assert_eq!(machine, Machine::AARCH64);
/// assert_eq!(machine.to_string(), "aarch64");
/// assert_eq!((machine.byte_order(), machine.pointer_size()), (ByteOrder::Little, 8));
/// assert_eq!(machine.names(), ["aarch64", "arm64"]);
/// # Ok::<(), btf_elf::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Machine {
    e_machine: u16,
    is_64: bool,
    byte_order: ByteOrder,
}

/// Defines the constants with their names, that of `uname -m` first. (On ARM
/// and 32-bit x86, several names of uname are one machine here. On MIPS, uname
/// has one name for both byte orders.)
macro_rules! machines {
    ($($(#[$doc:meta])* $constant:ident = $e_machine:ident, $bits:literal, $order:ident, $names:expr;)*) => {
        impl Machine {
            $($(#[$doc])* pub const $constant: Self = Self::new(elf::$e_machine.0, $bits == 64, $order);)*

            /// All machines that have a name.
            pub const ALL: &'static [Self] = &[$(Self::$constant),*];
        }

        const NAMES: &[(Machine, &[&str])] = &[$((Machine::$constant, &$names)),*];
    };
}

machines! {
    /// 64-bit x86.
    X86_64 = EM_X86_64, 64, Little, ["x86_64", "amd64", "x64"];
    /// 64-bit ARM, little-endian; `arm64` in the kernel's sources and in
    /// btfhub's archives.
    AARCH64 = EM_AARCH64, 64, Little, ["aarch64", "arm64"];
    /// 64-bit ARM, big-endian.
    AARCH64_BE = EM_AARCH64, 64, Big, ["aarch64_be", "arm64_be"];
    /// 64-bit IBM Z.
    S390X = EM_S390, 64, Big, ["s390x"];
    /// 64-bit POWER, little-endian.
    PPC64LE = EM_PPC64, 64, Little, ["ppc64le", "ppc64el", "powerpc64le"];
    /// 64-bit POWER, big-endian.
    PPC64 = EM_PPC64, 64, Big, ["ppc64", "powerpc64"];
    /// 64-bit RISC-V.
    RISCV64 = EM_RISCV, 64, Little, ["riscv64"];
    /// 32-bit RISC-V.
    RISCV32 = EM_RISCV, 32, Little, ["riscv32"];
    /// 64-bit LoongArch.
    LOONGARCH64 = EM_LOONGARCH, 64, Little, ["loongarch64", "loong64"];
    /// 32-bit x86.
    I386 = EM_386, 32, Little, ["i686", "i386", "i586", "i486", "x86"];
    /// 32-bit ARM, little-endian.
    ARM = EM_ARM, 32, Little, ["armv7l", "armv6l", "armv8l", "armv5tel", "armhf", "armel", "arm"];
    /// 32-bit ARM, big-endian.
    ARM_BE = EM_ARM, 32, Big, ["armv7b", "armv8b", "armeb"];
    /// 32-bit PowerPC.
    PPC = EM_PPC, 32, Big, ["ppc", "powerpc"];
    /// 64-bit MIPS, big-endian.
    MIPS64 = EM_MIPS, 64, Big, ["mips64"];
    /// 64-bit MIPS, little-endian. (uname prints `mips64` here too.)
    MIPS64EL = EM_MIPS, 64, Little, ["mips64el"];
    /// 32-bit MIPS, big-endian.
    MIPS = EM_MIPS, 32, Big, ["mips"];
    /// 32-bit MIPS, little-endian. (uname prints `mips` here too.)
    MIPSEL = EM_MIPS, 32, Little, ["mipsel"];
    /// 64-bit SPARC.
    SPARC64 = EM_SPARCV9, 64, Big, ["sparc64"];
    /// BPF objects for a little-endian kernel.
    BPF = EM_BPF, 64, Little, ["bpf", "bpfel"];
    /// BPF objects for a big-endian kernel.
    BPF_BE = EM_BPF, 64, Big, ["bpfeb"];
}

impl Machine {
    /// Makes a machine from an ELF header's `e_machine`, class and byte order.
    #[must_use]
    pub const fn new(e_machine: u16, is_64: bool, byte_order: ByteOrder) -> Self {
        Self { e_machine, is_64, byte_order }
    }

    /// Number in the ELF header, `EM_*`.
    #[must_use]
    pub const fn e_machine(self) -> u16 {
        self.e_machine
    }

    /// Returns `true` if addresses have 64 bits, `false` if 32.
    #[must_use]
    pub const fn is_64(self) -> bool {
        self.is_64
    }

    /// Byte order.
    #[must_use]
    pub const fn byte_order(self) -> ByteOrder {
        self.byte_order
    }

    /// Size of a pointer in **bytes**: 4 or 8.
    #[must_use]
    pub const fn pointer_size(self) -> u8 {
        if self.is_64 { 8 } else { 4 }
    }

    /// Returns `true` for BPF of either byte order.
    #[must_use]
    pub const fn is_bpf(self) -> bool {
        self.e_machine == elf::EM_BPF.0
    }

    /// Name in `uname -m`; `None` for a machine that is not among the
    /// constants.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        self.names().first().copied()
    }

    /// All names in use: that of `uname -m` first, then those of distributions,
    /// compilers and btfhub's archives. Empty for a machine that is not among
    /// the constants.
    #[must_use]
    pub fn names(self) -> &'static [&'static str] {
        NAMES.iter().find(|(machine, _)| *machine == self).map_or(&[], |(_, names)| names)
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => {
                let bits = if self.is_64 { 64 } else { 32 };
                f.pad(&format!("machine {} ({bits}-bit, {})", self.e_machine, self.byte_order))
            }
        }
    }
}

impl FromStr for Machine {
    type Err = Error;

    /// # Errors
    ///
    /// [`Error::UnknownMachine`] if no machine has this name.
    fn from_str(name: &str) -> Result<Self, Error> {
        let found = NAMES.iter().find(|(_, names)| names.contains(&name));
        found.map(|&(machine, _)| machine).ok_or_else(|| Error::UnknownMachine { name: name.into() })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_name_is_of_one_machine_and_leads_to_it() {
        let mut seen = HashSet::new();
        for &machine in Machine::ALL {
            assert_eq!(machine.to_string().parse::<Machine>().unwrap(), machine);
            for name in machine.names() {
                assert!(seen.insert(name), "{name} twice");
                assert_eq!(name.parse::<Machine>().unwrap(), machine);
            }
        }
        assert_eq!(Machine::ALL.iter().collect::<HashSet<_>>().len(), Machine::ALL.len());
    }

    #[test]
    fn this_machine_is_known_with_its_byte_order_and_pointers() {
        let machine: Machine = std::env::consts::ARCH.parse().unwrap();
        assert_eq!(machine.byte_order(), ByteOrder::NATIVE);
        assert_eq!(usize::from(machine.pointer_size()), size_of::<usize>());
    }

    #[test]
    fn one_number_is_several_machines() {
        assert_eq!(Machine::new(21, true, Little).name(), Some("ppc64le"));
        assert_eq!(Machine::new(21, true, Big).name(), Some("ppc64"));
        assert_eq!(Machine::new(243, false, Little).name(), Some("riscv32"));
        let x32 = Machine::new(62, false, Little);
        assert_eq!((x32.name(), x32.to_string().as_str()), (None, "machine 62 (32-bit, little-endian)"));
        assert!(
            "x32".parse::<Machine>().is_err() && "".parse::<Machine>().is_err() && "X86_64".parse::<Machine>().is_err()
        );
    }
}
