//! Reordering types.

use btf_types::{
    Btf, Remap,
    format::{Assembly, Word},
};

use crate::{
    Error,
    layers::{Layers, open, own_layout, own_records, own_strings},
};

/// Gives the own types of a BTF new ids.
///
/// `new_ids` has the new id of each own type, by ascending old id. References
/// are rewritten, strings are unchanged. The returned [`Remap`] rewrites other
/// data that refers to the types, such as `.BTF.ext`.
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
/// [`Error::NotPermutation`] if the new ids are not a permutation of the old
/// ones; [`Error::Format`] if a type has an unknown kind, or the header unknown
/// fields.
pub fn permute(btf: &Btf, new_ids: &[u32]) -> Result<(Btf, Remap), Error> {
    btf.check_known_header()?;
    btf.check_known_kinds()?;
    let first = btf.own_ids().start;
    let starts = starts(btf, new_ids)?;
    let section = btf.as_bytes().get(btf.type_section()).unwrap_or_default();
    let mut blob = Vec::with_capacity(btf.as_bytes().len());
    let assembly = Assembly::new(section, own_strings(btf)).layout(own_layout(btf)).hdr_len(btf.hdr_len());
    assembly.write_header(|part| blob.extend_from_slice(part))?;
    let types = blob.len();
    for part in [section, own_layout(btf), own_strings(btf)] {
        blob.extend_from_slice(part);
    }
    let new_id = |id: u32| match id.checked_sub(first) {
        Some(own) => new_ids.get(own as usize).copied().unwrap_or(id),
        None => id,
    };
    for ((_, record), &new) in own_records(btf).zip(new_ids) {
        let start = starts.get((new - first) as usize).map_or(0, |&start| types + start as usize);
        let Some(to) = blob.get_mut(start..start + record.as_bytes().len()) else { continue };
        to.copy_from_slice(record.as_bytes());
        record.for_each_field(|field, value| {
            if field.holds == Word::Id
                && let Some(word) = to.get_mut(field.at..).and_then(<[u8]>::first_chunk_mut)
            {
                *word = new_id(value).to_ne_bytes();
            }
        });
    }
    drop(starts);
    let new = open(blob, btf.base(), btf)?;
    let mut remap = Remap::builder(first, u32::MAX);
    new_ids.iter().for_each(|&id| remap.push_id(Some(id)));
    Ok((new, remap.finish()))
}

/// Returns the new offset of each record in the type section, by new id.
fn starts(btf: &Btf, new_ids: &[u32]) -> Result<Vec<u32>, Error> {
    let ids = btf.own_ids();
    let not = |reason| Error::NotPermutation { first: ids.start, count: ids.len() as u32, reason };
    if new_ids.len() != ids.len() {
        return Err(not("another number of ids"));
    }
    // First how long each is, which is never 0.
    let mut starts = vec![0; new_ids.len()];
    for ((_, record), &new) in own_records(btf).zip(new_ids) {
        let place = new.checked_sub(ids.start).and_then(|index| starts.get_mut(index as usize));
        let place = place.ok_or_else(|| not("an id is none of them"))?;
        if *place != 0 {
            return Err(not("an id occurs twice"));
        }
        *place = record.as_bytes().len() as u32;
    }
    let mut end = 0;
    for start in &mut starts {
        end += std::mem::replace(start, end);
    }
    Ok(starts)
}

/// Sorts the own types of a BTF by name, as the build of Linux 7.0 does:
/// anonymous types first, then by the bytes of the names. Types of the same
/// name keep their order.
///
/// Kernels and libraries use binary search in sorted BTF. All lookups of a
/// unique name, or of the first type of a name, have the same result before and
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
/// [`Error::Format`] if a type has an unknown kind, or the header unknown
/// fields; [`Error::TooComplex`] if similar names have megabytes.
pub fn sort(btf: &Btf) -> Result<(Btf, Remap), Error> {
    permute(btf, &sorted_ids(btf)?)
}

/// A type that is to be sorted by its name.
#[derive(Clone, Copy)]
struct Named {
    /// Eight bytes of the name, those that are being compared; zeros after its
    /// end.
    key: u64,
    /// Index among the own types.
    own: u32,
    name_off: u32,
}

/// The new id of each own type, when they are in the order of their names.
///
/// First the first eight bytes of all names are compared, then the next eight
/// of those that are equal, and so on: each byte of a name is read once.
fn sorted_ids(btf: &Btf) -> Result<Vec<u32>, Error> {
    let names = Names::new(btf);
    let first = btf.own_ids().start;
    let (mut new_ids, mut next) = (vec![0; btf.own_ids().len()], first);
    let mut types = Vec::new();
    for ((own, (_, record)), new_id) in (0..).zip(own_records(btf)).zip(&mut new_ids) {
        let name_off = record.head().name_off();
        match names.key(name_off, 0) {
            0 => {
                *new_id = next;
                next += 1;
            }
            key => types.push(Named { key, own, name_off }),
        }
    }
    let limit = 16 * (new_ids.len() as u64 + u64::from(btf.string_len()));
    let mut steps = limit;
    let mut unsorted = vec![(0..types.len(), 0)];
    while let Some((range, depth)) = unsorted.pop() {
        let group = types.get_mut(range.clone()).unwrap_or_default();
        steps = steps.checked_sub(group.len() as u64).ok_or(Error::TooComplex { limit })?;
        if depth > 0 {
            group.iter_mut().for_each(|named| named.key = names.key(named.name_off, depth));
        }
        group.sort_unstable_by_key(|named| (named.key, named.own));
        let mut start = range.start;
        for equal in group.chunk_by(|a, b| a.key == b.key) {
            let end = start + equal.len();
            if let [one, .., _] = equal
                // The names go on, and are not one.
                && one.key as u8 != 0
                && equal.iter().any(|named| named.name_off != one.name_off)
            {
                unsorted.push((start..end, depth + 8));
            }
            start = end;
        }
    }
    for (new, named) in (next..).zip(types) {
        if let Some(id) = new_ids.get_mut(named.own as usize) {
            *id = new;
        }
    }
    Ok(new_ids)
}

/// The names of a BTF, eight bytes at a time.
struct Names<'btf> {
    own: &'btf [u8],
    /// The offset of the first own string.
    first: u32,
    layers: Layers,
}

impl<'btf> Names<'btf> {
    fn new(btf: &'btf Btf) -> Self {
        Self { own: own_strings(btf), first: btf.base().map_or(0, Btf::string_len), layers: Layers::new(btf) }
    }

    /// Eight bytes of a name, as a number that compares as they do.
    #[inline]
    fn key(&self, name_off: u32, depth: usize) -> u64 {
        let tail = match name_off.checked_sub(self.first) {
            Some(own) => self.own.get(own as usize..).unwrap_or_default(),
            None => self.layers.tail(name_off),
        };
        key(tail, depth)
    }
}

/// Eight bytes of the name that `tail` begins with, as a number that compares as
/// they do.
#[inline]
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
    // The high bit of the first byte that is NUL: bytes after it do not belong to
    // the name.
    let low = u64::from_le_bytes(word);
    let nuls = low.wrapping_sub(u64::from_ne_bytes([1; 8])) & !low & u64::from_ne_bytes([0x80; 8]);
    let bits = nuls.trailing_zeros() & !7;
    u64::from_be_bytes(word) & !u64::MAX.checked_shr(bits).unwrap_or(0)
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
