//! Other orders of types.

use btf_types::{
    Btf, Remap,
    format::{RecordMut, RecordsMut, Word},
};

use crate::{
    Error,
    layers::{Layers, layout, own_records, own_strings, rewritten},
};

/// Gives the own types of a BTF other ids.
///
/// `new_ids` has the new id of each own type, by rising old id. References are
/// rewritten; strings stay as they are. The [`Remap`] that is returned rewrites
/// what else refers to the types, such as `.BTF.ext`.
///
/// ```
/// # fn main() -> Result<(), btf_build::Error> {
/// use btf_build::{Builder, IntEncoding, permute};
///
/// let mut b = Builder::new();
/// let int = b.int("int", 4, IntEncoding::SIGNED)?;
/// b.ptr(int)?;
/// let (btf, ids) = permute(&b.finish()?, &[2, 1])?;
/// assert_eq!(btf.type_by_id(1)?.target().unwrap().name(), "int");
/// assert_eq!(ids.id(int), Some(2));
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// [`Error::NotPermutation`] if the new ids are not the old ones in another
/// order; [`Error::Format`] if there is a type of a kind, or data in the header,
/// that is unknown.
pub fn permute(btf: &Btf, new_ids: &[u32]) -> Result<(Btf, Remap), Error> {
    let records = in_new_order(btf, new_ids)?;
    let first = btf.own_ids().start;
    btf.check_known_header()?;
    let mut types = Vec::with_capacity(btf.type_section().len());
    for record in records {
        types.extend_from_slice(record);
    }
    let new_id = |id: u32| match id.checked_sub(first) {
        Some(own) => new_ids.get(own as usize).copied().unwrap_or(id),
        None => id,
    };
    for record in RecordsMut::new(&mut types, 0, layout(btf)) {
        let mut record: RecordMut<'_> = record?;
        record.check_roles()?;
        record.for_each_field(|field, value| if field.holds == Word::Id { new_id(value) } else { value });
    }
    let new = rewritten(btf, btf.base(), &types, own_strings(btf))?;
    let mut remap = Remap::builder(first, u32::MAX);
    new_ids.iter().for_each(|&id| remap.push_id(Some(id)));
    Ok((new, remap.finish()))
}

/// The records of a BTF in the order of their new ids.
fn in_new_order<'btf>(btf: &'btf Btf, new_ids: &[u32]) -> Result<Vec<&'btf [u8]>, Error> {
    let ids = btf.own_ids();
    let not = |reason| Error::NotPermutation { first: ids.start, count: ids.len() as u32, reason };
    if new_ids.len() != ids.len() {
        return Err(not("another number of ids"));
    }
    let mut records: Vec<&[u8]> = vec![&[]; new_ids.len()];
    for ((_, record), &new) in own_records(btf).zip(new_ids) {
        let place = new.checked_sub(ids.start).and_then(|index| records.get_mut(index as usize));
        let place = place.ok_or_else(|| not("an id is none of them"))?;
        if !place.is_empty() {
            return Err(not("an id occurs twice"));
        }
        *place = record.as_bytes();
    }
    Ok(records)
}

/// Sorts the own types of a BTF by name, as the build of Linux 7.0 does: types
/// without a name come first, then those with one in the order of its bytes, and
/// types of the same name in the order that they had.
///
/// Kernels and libraries search names in sorted BTF by halving. All look-ups
/// that name one type, or the first of a name, have the same result before and
/// after.
///
/// ```
/// # fn main() -> Result<(), btf_build::Error> {
/// use btf_build::{Builder, IntEncoding, sort};
///
/// let mut b = Builder::new();
/// b.int("long", 8, IntEncoding::SIGNED)?;
/// b.int("char", 1, IntEncoding::NONE)?;
/// b.ptr(2)?;
/// let (btf, ids) = sort(&b.finish()?)?;
/// assert!(btf.types().map(|ty| ty.name()).eq(["", "char", "long"]));
/// assert_eq!(ids.id(1), Some(3));
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// [`Error::Format`] if there is a type of a kind, or data in the header, that
/// is unknown; [`Error::TooManySteps`] if names are megabytes long and
/// alike.
pub fn sort(btf: &Btf) -> Result<(Btf, Remap), Error> {
    let first = btf.own_ids().start;
    let mut new_ids = vec![0; btf.own_ids().len()];
    for (new, named) in (first..).zip(sorted(btf)?) {
        if let Some(id) = new_ids.get_mut(named.own as usize) {
            *id = new;
        }
    }
    permute(btf, &new_ids)
}

/// A type that is to be sorted by its name.
#[derive(Clone, Copy)]
struct Named {
    /// Eight bytes of the name, those that are being compared; zeros after its
    /// end.
    key: u64,
    /// Its number among the own types.
    own: u32,
    name_off: u32,
}

/// The own types by name.
///
/// Eight bytes of all names are compared, then the next eight of those that are
/// equal so far, and so on: each byte of a name is looked at once.
fn sorted(btf: &Btf) -> Result<Vec<Named>, Error> {
    let layers = Layers::new(btf);
    let named = |(own, name_off)| Named { key: 0, own, name_off };
    let name_offs = own_records(btf).map(|(_, record)| record.head().name_off());
    let mut types: Vec<Named> = (0..).zip(name_offs).map(named).collect();
    let limit = 16 * (types.len() as u64 + u64::from(layers.strings_len()));
    let mut steps = limit;
    let mut unsorted = vec![(0..types.len(), 0)];
    while let Some((range, depth)) = unsorted.pop() {
        let group = types.get_mut(range.clone()).unwrap_or_default();
        steps = steps.checked_sub(group.len() as u64).ok_or(Error::TooManySteps { limit })?;
        for named in &mut *group {
            named.key = key(layers.tail(named.name_off), depth);
        }
        group.sort_unstable_by_key(|named| (named.key, named.own));
        let mut start = range.start;
        for equal in group.chunk_by(|a, b| a.key == b.key) {
            let goes_on = equal.first().is_some_and(|named| named.key as u8 != 0);
            let is_one_name = equal.iter().all(|named| Some(named.name_off) == equal.first().map(|n| n.name_off));
            if goes_on && !is_one_name {
                unsorted.push((start..start + equal.len(), depth + 8));
            }
            start += equal.len();
        }
    }
    Ok(types)
}

/// Eight bytes of the name that `tail` begins with, as a number that compares as
/// they do.
fn key(tail: &[u8], depth: usize) -> u64 {
    let tail = tail.get(depth..).unwrap_or_default();
    let word = match tail.first_chunk() {
        Some(&word) => word,
        None => {
            let mut word = [0; 8];
            word.iter_mut().zip(tail).for_each(|(to, from)| *to = *from);
            word
        }
    };
    let key = u64::from_be_bytes(word);
    // Bytes after the first NUL are none of the name.
    let nul = word.iter().position(|&byte| byte == 0).unwrap_or(8) as u32;
    key & !u64::MAX.checked_shr(8 * nul).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_compare_as_names_do() {
        let names: [&[u8]; 9] = [b"", b"\x01", b"a", b"aa", b"abcdefg", b"abcdefgh", b"a\xff", b"b", b"\xff"];
        for (a, b) in names.iter().zip(&names[1..]) {
            for rest in [&b"\0zz"[..], b"\0\0\0\0\0\0\0\0\0", b"\0\xff\xff\xff\xff\xff\xff\xff\xff"] {
                let tail = [a, rest].concat();
                assert!(key(&tail, 0) < key(&[b, rest].concat(), 0), "{a:?} {b:?}");
                assert_eq!(key(&tail, 0), key(&[a, &b"\0"[..]].concat(), 0), "{a:?}");
            }
        }
        assert_eq!(key(b"abcdefghi\0", 8), key(b"i\0xyz1234", 0));
    }
}
