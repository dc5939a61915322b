//! Records of which the meta pass checks nothing but the head: FUNC, FUNC_PROTO, FWD,
//! pointers, qualifiers and typedefs, which are most.

use btf_types::{
    Kind,
    format::{Feature, Info},
};

use super::{
    limits::Limits,
    strings::Strings,
    words::{HEAD, Record},
};

/// Heads that a kernel accepts, by the number of the kind.
///
/// This only saves time: what it does not accept may still be sound.
pub(super) struct Heads([Head; 1 << 7]);

/// Accepted heads of one kind.
#[derive(Clone, Copy)]
struct Head {
    /// Bits of the info word that are given, and their values.
    given: u32,
    info: u32,
    /// Maximum of the size or referenced type.
    max: u32,
    /// Maximum offset of the name.
    max_name_off: u32,
    /// True if the name must be an identifier, false if it must not be one.
    is_named: bool,
}

impl Head {
    /// Accepts nothing.
    const NONE: Self = Self { given: 0, info: 1, max: 0, max_name_off: 0, is_named: true };
}

impl Heads {
    pub(super) fn new(limits: &Limits) -> Self {
        const KIND_FLAG: u32 = 1 << 31;
        let max_id = limits.max_type_id;
        let mut heads = [Head::NONE; 1 << 7];
        for &kind in Kind::ALL.iter().filter(|kind| kind.number() <= limits.max_kind) {
            let (free, max, is_named) = match kind {
                Kind::Ptr | Kind::Const | Kind::Volatile | Kind::Restrict => (0, max_id, false),
                Kind::Typedef => (0, max_id, true),
                Kind::Fwd if limits.features.contains(Feature::Func) => (KIND_FLAG, 0, true),
                Kind::Func => (u32::from(limits.func_linkage), u32::MAX, true),
                Kind::FuncProto => (Info::MAX_VLEN, u32::MAX, false),
                _ => continue,
            };
            if let Some(head) = heads.get_mut(usize::from(kind.number())) {
                let given = !(free & limits.info_mask);
                let max_name_off = if is_named { limits.max_name_off } else { 0 };
                *head = Head { given, info: Info::of(kind).word(), max, max_name_off, is_named };
            }
        }
        Self(heads)
    }

    /// Returns the number of words of a record, if its head is accepted and nothing else
    /// of it is checked.
    #[inline]
    pub(super) fn accept(&self, record: &Record<'_>, strings: &Strings<'_>) -> Option<usize> {
        let (info, name_off) = (record.info, record.name_off);
        let head = self.0.get(usize::from(info.kind_number()))?;
        let is_accepted = (info.word() & head.given == head.info)
            & (record.size_or_type <= head.max)
            & (name_off <= head.max_name_off);
        // The same question about all names: kinds with and without one alternate, which
        // branches would not predict.
        let has_name = strings.is_plain_identifier(name_off) == head.is_named;
        // Without a look at the table, as the next record waits for this.
        let params = if info.kind_number() == Kind::FuncProto.number() { info.vlen() } else { 0 };
        let len = HEAD as u64 + u64::from(params) * 2;
        (is_accepted & has_name & record.has(len)).then_some(len as usize)
    }
}
