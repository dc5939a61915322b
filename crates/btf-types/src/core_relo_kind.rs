//! Kinds of CO-RE relocations.
//!
//! Source: `enum bpf_core_relo_kind` in `include/uapi/linux/bpf.h`.

use core::fmt;

macro_rules! relo_kinds {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $text:literal;)*) => {
        /// Kind of a CO-RE relocation: the property of the type in the kernel
        /// that becomes part of the instruction.
        ///
        /// ```
        /// # fn main() -> Result<(), btf_types::Error> {
        /// use btf_types::CoreReloKind;
        ///
        /// assert_eq!(CoreReloKind::from(8), CoreReloKind::TypeExists);
        /// assert_eq!(CoreReloKind::FieldByteOffset.to_string(), "byte_off"); // as in the log of libbpf
        /// assert_eq!(CoreReloKind::from(99), CoreReloKind::Unknown(99));
        /// # Ok(())
        /// # }
        /// ```
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum CoreReloKind {
            $($(#[$doc])* $name,)*
            /// A number that this library does not know.
            Unknown(u32),
        }

        impl CoreReloKind {
            /// All known kinds, in ascending order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The name in libbpf's log: `byte_off`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                    Self::Unknown(_) => "unknown",
                }
            }
        }

        impl From<u32> for CoreReloKind {
            fn from(number: u32) -> Self {
                match number {
                    $($number => Self::$name,)*
                    number => Self::Unknown(number),
                }
            }
        }

        impl From<CoreReloKind> for u32 {
            fn from(kind: CoreReloKind) -> Self {
                match kind {
                    $(CoreReloKind::$name => $number,)*
                    CoreReloKind::Unknown(number) => number,
                }
            }
        }

        impl fmt::Display for CoreReloKind {
            /// Writes [`CoreReloKind::as_str`].
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

relo_kinds! {
    /// Offset of a field in bytes.
    FieldByteOffset = 0, "byte_off";
    /// Size of a field in bytes.
    FieldByteSize = 1, "byte_sz";
    /// 1 if the field exists, else 0.
    FieldExists = 2, "field_exists";
    /// 1 if the field is signed, else 0.
    FieldSigned = 3, "signed";
    /// Left shift that moves a bitfield to the top of a 64-bit register.
    FieldLshiftU64 = 4, "lshift_u64";
    /// Right shift that moves a bitfield from the top of the register to the
    /// bottom.
    FieldRshiftU64 = 5, "rshift_u64";
    /// Id of the type in the program's own BTF.
    TypeIdLocal = 6, "local_type_id";
    /// Id of the type in the kernel's BTF.
    TypeIdTarget = 7, "target_type_id";
    /// 1 if the type exists, else 0.
    TypeExists = 8, "type_exists";
    /// Size of the type in bytes.
    TypeSize = 9, "type_size";
    /// 1 if the enumerator exists, else 0.
    EnumvalExists = 10, "enumval_exists";
    /// Value of the enumerator.
    EnumvalValue = 11, "enumval_value";
    /// 1 if the type exists and all its members match, else 0.
    TypeMatches = 12, "type_matches";
}
