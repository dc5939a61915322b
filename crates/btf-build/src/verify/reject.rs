//! Rejections by a kernel: the rule, the type, the errno.

use std::fmt;

use btf_types::{Kind, Name, OwnedName};

/// Error number that a kernel returns.
///
/// ```
/// use btf_build::Errno;
///
/// assert_eq!(Errno::E2BIG.raw(), 7);
/// assert_eq!(Errno::E2BIG.to_string(), "E2BIG");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Errno(i32);

impl Errno {
    /// 2.
    pub const ENOENT: Self = Self(2);
    /// 7.
    pub const E2BIG: Self = Self(7);
    /// 14.
    pub const EFAULT: Self = Self(14);
    /// 17.
    pub const EEXIST: Self = Self(17);
    /// 22.
    pub const EINVAL: Self = Self(22);
    /// 40.
    pub const ELOOP: Self = Self(40);
    /// 524, which the kernel's headers do not export to user space.
    pub const ENOTSUPP: Self = Self(524);

    /// The number, positive.
    #[must_use]
    pub const fn raw(self) -> i32 {
        self.0
    }

    /// The name in `errno.h`: `EINVAL`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ENOENT => "ENOENT",
            Self::E2BIG => "E2BIG",
            Self::EFAULT => "EFAULT",
            Self::EEXIST => "EEXIST",
            Self::ELOOP => "ELOOP",
            Self::ENOTSUPP => "ENOTSUPP",
            _ => "EINVAL",
        }
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Defines [`Rule`]: variant, errno, the kernel's words, and what is required.
macro_rules! rules {
    ($($(#[$attribute:meta])* $name:ident, $errno:ident, $log:literal, $requires:literal;)*) => {
        /// Rule of the kernel for BTF.
        ///
        /// [`Rule::log`] is the kernel's log message for a violation;
        /// [`Display`](fmt::Display) writes the requirement.
        ///
        /// Source: `kernel/bpf/btf.c` in Linux.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Rule {
            $(
                #[doc = concat!("The rule: ", $requires, ".")]
                $(#[$attribute])*
                $name,
            )*
        }

        impl Rule {
            /// All rules, in the order in which a kernel checks them.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The kernel's log message for a violation, without the numbers
            /// that may follow; empty if it logs nothing.
            #[must_use]
            pub const fn log(self) -> &'static str {
                match self {
                    $(Self::$name => $log,)*
                }
            }

            /// Error number that the kernel returns for a violation.
            #[must_use]
            pub const fn errno(self) -> Errno {
                match self {
                    $(Self::$name => Errno::$errno,)*
                }
            }

            /// Returns the requirement.
            const fn requires(self) -> &'static str {
                match self {
                    $(Self::$name => $requires,)*
                }
            }
        }
    };
}

rules! {
    BtfSupported, EINVAL, "", "the kernel supports BTF, as Linux does since 4.18";
    BlobSize, E2BIG, "", "a BTF is at most 16 MiB";
    HdrLenPresent, EINVAL, "hdr_len not found", "the bytes reach to the end of hdr_len";
    HeaderPresent, EINVAL, "btf_header not found", "the header lies within the bytes";
    HeaderKnown, E2BIG, "Unsupported btf_header", "bytes of the header beyond the fields that the kernel knows are zero";
    Magic, EINVAL, "Invalid magic", "the magic is 0xeb9f in the kernel's byte order";
    Version, ENOTSUPP, "Unsupported version", "the version is 1";
    HeaderFlags, ENOTSUPP, "Unsupported flags", "no flags of the header are set";
    DataPresent, EINVAL, "No data", "something follows the header";
    SectionOffset, EINVAL, "Invalid section offset", "sections begin within the bytes";
    SectionsAdjacent, EINVAL, "Unsupported section found", "sections follow each other without gaps, and nothing follows the last one";
    SectionsApart, EINVAL, "Section overlap found", "sections do not overlap";
    SectionLength, EINVAL, "Total section length too long", "sections end within the bytes";
    LayoutSection, EINVAL, "Invalid layout section", "the layout section is aligned to 4 bytes, and its length is a multiple of 4";
    StringsLast, EINVAL, "String section is not at the end", "the string section is the last one";
    StringSection, EINVAL, "Invalid string section", "the string section begins and ends with NUL, and has at most 16 MiB (64 KiB before Linux 5.5)";
    TypesAligned, EINVAL, "Unaligned type_off", "type_off is a multiple of 4";
    TypesPresent, EINVAL, "No type found", "there is at least one type";

    RecordFits, EINVAL, "meta_left", "the record fits in the type section";
    InfoBits, EINVAL, "Invalid btf_info", "bits of the info word that the kernel does not know are clear";
    KindKnown, EINVAL, "Invalid kind", "the kernel knows the kind";
    NameOffset, EINVAL, "Invalid name_offset", "the name lies in the string section";
    VlenZero, EINVAL, "vlen != 0", "types of this kind have no elements";
    KindFlag, EINVAL, "Invalid btf_info kind_flag", "kind_flag is clear where the kernel has no meaning for it";
    IntData, EINVAL, "Invalid int_data", "the upper 4 bits of an INT's data are clear";
    IntBits, EINVAL, "nr_bits exceeds", "the bits of an INT are no more than the kernel supports";
    IntSize, EINVAL, "nr_bits exceeds type_size", "the bits of an INT fit in its size";
    IntEncoding, ENOTSUPP, "Unsupported encoding", "an INT has at most one of the encodings SIGNED, CHAR and BOOL";
    TypeIdRange, EINVAL, "Invalid type_id", "type ids are within the kernel's limit, and not 0 where a type is needed";
    NamePresent, EINVAL, "Invalid name", "the type has a name";
    NameAbsent, EINVAL, "Invalid name", "types of this kind have no name";
    Identifier, EINVAL, "Invalid name", "the name is one that the kernel accepts: letters, digits, `_` and `.`, not beginning with a digit";
    SectionName, EINVAL, "Invalid name", "the name of a DATASEC is one that the kernel accepts";
    SizeWordZero, EINVAL, "size != 0", "the size word of an ARRAY is 0";
    TypeWordZero, EINVAL, "type != 0", "the type word of a FWD is 0";
    ArrayElement, EINVAL, "Invalid elem", "the element type of an ARRAY exists and has a size";
    ArrayIndex, EINVAL, "Invalid index", "the index type of an ARRAY is an integer";
    MemberNameOffset, EINVAL, "Invalid member name_offset", "the names of members lie in the string section";
    MemberOrder, EINVAL, "Invalid member bits_offset", "members of a union are at offset 0, those of a struct in the order of their offsets";
    MemberStart, EINVAL, "Member bits_offset exceeds its struct size", "members begin within their struct";
    EnumSize, EINVAL, "Unexpected size", "the size of an enum is one that the kernel accepts";
    ValueNameOffset, EINVAL, "Invalid name_offset", "the names of enumerators lie in the string section";
    FuncLinkage, EINVAL, "Invalid func linkage", "the linkage of a FUNC is static or global";
    VarLinkage, EINVAL, "Linkage not supported", "the linkage of a VAR is static or global";
    DatasecSize, EINVAL, "size == 0", "a DATASEC has a size";
    DatasecNonEmpty, EINVAL, "vlen == 0", "a DATASEC has variables";
    EntryOffset, EINVAL, "Invalid offset", "variables of a DATASEC are sorted, within it, and do not overlap";
    EntrySize, EINVAL, "Invalid size", "variables of a DATASEC have a size, not larger than the DATASEC and not smaller than their type";
    EntryEnd, EINVAL, "Invalid offset+size", "variables of a DATASEC end within it";
    EntriesSize, EINVAL, "Invalid btf_info size", "the variables of a DATASEC fit in it together";
    FloatSize, EINVAL, "Invalid type_size", "a FLOAT has 2, 4, 8, 12 or 16 bytes";
    TagValue, EINVAL, "Invalid value", "a DECL_TAG has a text";
    Component, EINVAL, "Invalid component_idx", "the component_idx of a DECL_TAG is -1 or that of a member or parameter";

    Referent, EINVAL, "Invalid type_id", "the type that is referred to exists and is of a kind that can be referred to here";
    ArrayOfInt, EINVAL, "Invalid array of int", "an INT that is the element of an ARRAY has 1, 2, 4, 8 or 16 bytes, and all their bits";
    ArraySize, EINVAL, "Array size overflows U32_MAX", "the size of an ARRAY fits 32 bits";
    MemberType, EINVAL, "Invalid member", "the types of members exist and have a size";
    MemberOverflow, EINVAL, "bits_offset exceeds U32_MAX", "the offset of a member fits 32 bits";
    MemberCopyBits, EINVAL, "nr_copy_bits exceeds 128", "the bits of a member and those before it in its first byte are at most 128";
    MemberEnd, EINVAL, "Member exceeds struct_size", "members end within their struct";
    MemberByteAligned, EINVAL, "Member is not byte aligned", "members other than bitfields begin at a byte";
    MemberFloatAligned, EINVAL, "Member is not properly aligned", "members of type FLOAT are aligned";
    MemberOffset, EINVAL, "Invalid member offset", "members other than bitfields begin at a byte";
    MemberBaseType, EINVAL, "Invalid member base type", "the INT of a member of a struct with kind_flag has 1, 2, 4, 8 or 16 bytes, and all their bits";
    BitfieldSize, EINVAL, "Invalid member bitfield_size", "a bitfield is one of an INT or enum, with no more bits than that";
    EntryVar, EINVAL, "Not a VAR kind member", "a DATASEC consists of VARs";
    EntryType, EINVAL, "Invalid type", "the types of variables have a size";
    ReturnType, EINVAL, "Invalid return type", "a FUNC_PROTO returns void or a type that has a size";
    Argument, EINVAL, "Invalid arg#", "parameters have types with a size, valid names, and names at all in the FUNC_PROTO of a FUNC";
    Depth, E2BIG, "Exceeded max resolving depth", "types refer forward to each other at most 32 levels deep";
    Loop, EEXIST, "Loop detected", "a type does not contain itself";
    ResolveState, EINVAL, "Invalid resolve state", "a type leads to one that exists";
    ChainLength, ELOOP, "Max chain length or cycle detected", "at most 32 modifiers and typedefs follow each other";
    TagOrder, EINVAL, "Type tags don't precede modifiers", "type tags come before the modifiers of the type";
    TypesRegistered, EINVAL, "", "there are no more types than the kernel keeps";

    FieldByteAligned, EINVAL, "", "in structs with bpf_spin_lock and the like, members begin at a byte";
    FieldOverlap, EEXIST, "", "bpf_spin_lock and the like do not overlap";
    FieldEnd, EFAULT, "", "bpf_spin_lock and the like end within their struct";
    FieldCount, E2BIG, "", "a struct has at most 11 of bpf_spin_lock and the like, and one lock at most";
    FieldRepeat, EINVAL, "", "an array of several elements has no bpf_spin_lock and the like but kptrs and roots";
    FieldLocks, EINVAL, "", "a struct has a bpf_spin_lock or a bpf_res_spin_lock, not both";
    KptrTags, EINVAL, "", "a kptr has one type tag and points to a struct";
    GraphTag, EINVAL, "", "a bpf_list_head or bpf_rb_root has one tag `contains:TYPE:MEMBER`";
    GraphType, ENOENT, "", "the struct that a bpf_list_head or bpf_rb_root contains exists, and has the node";
    GraphMeta, EFAULT, "", "the struct that a bpf_list_head or bpf_rb_root contains has a member of a special type";
    GraphNode, EINVAL, "", "the member that a bpf_list_head or bpf_rb_root names is one node of its kind";
    GraphLock, EINVAL, "", "a struct with a bpf_list_head or bpf_rb_root has a lock";
    GraphCount, EINVAL, "", "a struct with a bpf_list_node and a bpf_rb_node has a bpf_refcount";
    GraphOwner, ELOOP, "", "what a bpf_list_head or bpf_rb_root contains does not itself own and get owned";
    FieldUnset, EFAULT, "", "a struct with a member of a special type has it as a field";
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.requires())
    }
}

/// Predicted rejection of a BTF by a kernel.
///
/// The text has the type, the rule and the error number: `type 2 (STRUCT a-b):
/// the kernel requires that the name is ... (EINVAL, logged as "Invalid
/// name")`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Reject {
    pub(super) id: u32,
    pub(super) kind: Option<Kind>,
    pub(super) name: OwnedName,
    pub(super) element: Option<u32>,
    pub(super) rule: Rule,
}

impl Reject {
    /// A rejection that concerns the header or a section, not a type.
    pub(crate) fn of_blob(rule: Rule) -> Self {
        Self { id: 0, kind: None, name: OwnedName::default(), element: None, rule }
    }

    /// Id of the type at which the kernel stops; 0 if it rejects the header or
    /// a section.
    #[must_use]
    pub const fn id(&self) -> u32 {
        self.id
    }

    /// Kind of that type; `None` for the header and for unknown kinds.
    #[must_use]
    pub const fn kind(&self) -> Option<Kind> {
        self.kind
    }

    /// Name of that type; empty if it has none.
    #[must_use]
    pub fn name(&self) -> Name<'_> {
        self.name.as_name()
    }

    /// Index of the member, enumerator, parameter or variable at which the
    /// kernel stops, from 0.
    #[must_use]
    pub const fn element(&self) -> Option<u32> {
        self.element
    }

    /// The violated rule.
    #[must_use]
    pub const fn rule(&self) -> Rule {
        self.rule
    }

    /// Error number of BPF_BTF_LOAD.
    #[must_use]
    pub const fn errno(&self) -> Errno {
        self.rule.errno()
    }
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.id != 0 {
            let kind = self.kind.map_or("of an unknown kind", Kind::as_str);
            write!(f, "type {} ({kind}", self.id)?;
            if !self.name().is_empty() {
                write!(f, " {}", self.name())?;
            }
            f.write_str(")")?;
            if let Some(element) = self.element {
                write!(f, ", element {element}")?;
            }
            f.write_str(": ")?;
        }
        write!(f, "the kernel requires that {} ({}", self.rule, self.errno())?;
        match self.rule.log() {
            "" => f.write_str(")"),
            log => write!(f, ", logged as \"{log}\")"),
        }
    }
}

impl std::error::Error for Reject {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_say_what_is_required_and_each_says_something_else() {
        let mut texts: Vec<String> = Rule::ALL.iter().map(Rule::to_string).collect();
        texts.sort_unstable();
        let count = texts.len();
        texts.dedup();
        // The two offsets of members that the kernel words differently.
        assert_eq!(texts.len() + 1, count);
    }

    #[test]
    fn error_numbers_have_their_names() {
        for &rule in Rule::ALL {
            let errno = rule.errno();
            assert_eq!(errno.raw() == 22, errno.as_str() == "EINVAL");
            assert_eq!(format!("{errno}|{errno:?}"), format!("{0}|{0}", errno.as_str()));
        }
    }
}
