//! Maps of ids and string offsets, from one BTF to another that was made from
//! it.

use alloc::vec::Vec;
use core::ops::Range;

use btf_format::{RawBtfExtMut, Word};

use crate::{Btf, BtfExt, Error};

/// Map from the ids and string offsets of one BTF to those of another that was
/// made from it, for example by [`Btf::rebase_with_remap`].
///
/// Use it to update data that refers to the old BTF: the `.BTF.ext` of the
/// object ([`Remap::remap_ext`]), ids in `.BTF_ids` or your own ids
/// ([`Remap::id`]).
#[derive(Debug, Clone)]
pub struct Remap {
    /// Ids below this one are unchanged.
    first_id: u32,
    /// New ids from `first_id` on; [`NO_ID`] if a type has none.
    ids: Vec<u32>,
    /// New ids of types beyond `ids`.
    id_runs: Runs,
    /// String offsets below this one are unchanged.
    first_string: u32,
    strings: Runs,
}

/// Stands for a missing new id. (It is not a valid id: the number of types fits
/// in 32 bits.)
const NO_ID: u32 = u32::MAX;

/// Ranges of numbers that move as a whole, sorted by old number.
#[derive(Debug, Clone, Default)]
struct Runs(Vec<Run>);

/// Consecutive numbers that move by the same distance.
#[derive(Debug, Clone)]
struct Run {
    old: Range<u32>,
    new: u32,
}

impl Runs {
    fn push(&mut self, old: Range<u32>, new: u32) {
        match self.0.last_mut() {
            _ if old.is_empty() => {}
            Some(last) if last.old.end == old.start && new.checked_sub(last.old.len() as u32) == Some(last.new) => {
                last.old.end = old.end;
            }
            _ => self.0.push(Run { old, new }),
        }
    }

    /// Sorts the ranges. Where they overlap, the one that begins first takes
    /// precedence, and of those that begin together the one that was pushed
    /// first.
    fn finish(&mut self) {
        self.0.sort_by_key(|run| run.old.start);
        let mut end = 0;
        for run in &mut self.0 {
            let start = run.old.start.max(end).min(run.old.end);
            run.new = run.new.saturating_add(start - run.old.start);
            run.old.start = start;
            end = end.max(run.old.end);
        }
        self.0.retain(|run| !run.old.is_empty());
    }

    fn get(&self, old: u32) -> Option<u32> {
        let place = self.0.partition_point(|run| run.old.end <= old);
        let run = self.0.get(place)?;
        run.new.checked_add(old.checked_sub(run.old.start)?)
    }
}

impl Remap {
    /// Starts a map in which ids below `first_id` and string offsets below
    /// `first_string` are unchanged: those of the base of split BTF. Pass 0 for
    /// BTF that is not split.
    pub fn builder(first_id: u32, first_string: u32) -> RemapBuilder {
        RemapBuilder(Self {
            first_id,
            ids: Vec::new(),
            id_runs: Runs::default(),
            first_string,
            strings: Runs::default(),
        })
    }

    /// Returns the new id of a type; `None` if the new BTF does not have it, or
    /// if `old` is not an id of the old BTF.
    ///
    /// ```
    /// # fn main() -> Result<(), btf_types::Error> {
    /// use btf_types::Remap;
    ///
    /// // A map that leaves ids below 100 as they are, and drops 101.
    /// let mut remap = Remap::builder(100, 0);
    /// remap.push_id(Some(200));
    /// remap.push_id(None);
    /// remap.push_ids(102..110, 300);
    /// let remap = remap.finish();
    /// assert_eq!((remap.id(7), remap.id(100), remap.id(101), remap.id(105)), (Some(7), Some(200), None, Some(303)));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn id(&self, old: u32) -> Option<u32> {
        let Some(place) = old.checked_sub(self.first_id) else {
            return Some(old);
        };
        match self.ids.get(place as usize) {
            Some(&id) => Some(id).filter(|&id| id != NO_ID),
            None => self.id_runs.get(old),
        }
    }

    /// Returns the new offset of a string in bytes; `None` if the new BTF does
    /// not have it, or if `old` is not an offset of the old BTF.
    #[must_use]
    pub fn string(&self, old: u32) -> Option<u32> {
        if old < self.first_string { Some(old) } else { self.strings.get(old) }
    }

    /// Rewrites `.BTF.ext` for the new BTF, `btf`, in its byte order. Unknown
    /// fields at the end of records are unchanged.
    ///
    /// # Errors
    ///
    /// [`Error::TypeNotMapped`] and [`Error::StringNotMapped`] if a record refers to
    /// a type or string that the new BTF does not have; those of [`BtfExt::parse`] if `btf` is not the new BTF;
    /// [`Error::Format`] if the header has data that this library does not know.
    pub fn remap_ext(&self, ext: &BtfExt, btf: &Btf) -> Result<BtfExt, Error> {
        let mut bytes = ext.as_bytes().to_vec();
        let mut raw = RawBtfExtMut::parse(&mut bytes)?;
        raw.header().check_known()?;
        raw.try_for_each_field(|field, value| {
            let new = match field.holds {
                Word::Id => self.id(*value),
                _ => self.string(*value),
            };
            *value = new.ok_or_else(|| ext.btf().not_mapped(field.holds, *value))?;
            Ok::<_, Error>(())
        })?;
        BtfExt::from_native(bytes.into(), btf)
    }
}

impl Btf {
    /// Returns the error for an id or string offset of this BTF that has no new
    /// value.
    pub(crate) fn not_mapped(&self, holds: Word, value: u32) -> Error {
        match (holds, self.layer().type_at(value)) {
            (Word::Id, ty) => Error::TypeNotMapped { ty: ty.unwrap_or(crate::Type::Void).into() },
            _ => Error::StringNotMapped { string: self.layer().name_start(value, 256).into(), offset: value },
        }
    }
}

/// Builder of a [`Remap`]: see [`Remap::builder`].
#[derive(Debug, Clone)]
#[must_use]
pub struct RemapBuilder(Remap);

impl RemapBuilder {
    /// Adds the new id of the next type; `None` if the new BTF does not have
    /// it. Calls refer to consecutive ids, starting with the `first_id` of
    /// [`Remap::builder`].
    #[inline]
    pub fn push_id(&mut self, new: Option<u32>) {
        self.0.ids.push(new.unwrap_or(NO_ID));
    }

    /// Adds the new ids of a range of ids: consecutive ids that start at `new`.
    /// Takes less memory than [`push_id`](Self::push_id) if many ids move
    /// together, or if few are mapped.
    ///
    /// Ranges may be pushed in any order. Where they overlap, the one that
    /// begins first takes precedence. [`push_id`](Self::push_id) takes
    /// precedence over all of them.
    pub fn push_ids(&mut self, old: Range<u32>, new: u32) {
        self.0.id_runs.push(old, new);
    }

    /// Adds the new offset of a string, or of several consecutive ones. `old`
    /// is the range of offsets including the terminating NUL, and `new` the new
    /// offset of its first byte. Offsets into the middle of a string move with
    /// it.
    ///
    /// Ranges may be pushed in any order. Where they overlap, the one that
    /// begins first takes precedence, and of those that begin together the one
    /// that was pushed first.
    pub fn push_strings(&mut self, old: Range<u32>, new: u32) {
        self.0.strings.push(old, new);
    }

    /// Makes the map.
    #[must_use]
    pub fn finish(self) -> Remap {
        let mut remap = self.0;
        remap.id_runs.finish();
        remap.strings.finish();
        remap
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_strings_go_where_was_said() {
        let mut builder = Remap::builder(3, 10);
        builder.push_id(Some(7));
        builder.push_id(None);
        builder.push_id(Some(3));
        builder.push_strings(20..24, 10);
        builder.push_strings(24..26, 14);
        builder.push_strings(10..15, 40);
        builder.push_strings(18..18, 99);
        let remap = builder.finish();
        let ids: Vec<_> = [0, 2, 3, 4, 5, 6, u32::MAX].map(|id| remap.id(id)).into();
        assert_eq!(ids, [Some(0), Some(2), Some(7), None, Some(3), None, None]);
        let strings: Vec<_> = [0, 9, 10, 12, 14, 15, 19, 20, 23, 25, 26].map(|at| remap.string(at)).into();
        let expected = [0, 9, 40, 42, 44].map(Some).into_iter().chain([None, None]);
        assert_eq!(strings, expected.chain([10, 13, 15].map(Some)).chain([None]).collect::<Vec<_>>());
        assert_eq!(remap.strings.0.len(), 2, "neighbors that move alike are one");
    }

    #[test]
    fn ranges_of_ids_go_together_and_single_ones_come_first() {
        let mut builder = Remap::builder(3, 0);
        builder.push_id(Some(90));
        builder.push_id(None);
        builder.push_ids(20..30, 5);
        builder.push_ids(30..31, 15);
        builder.push_ids(2..8, 100);
        let remap = builder.finish();
        let ids: Vec<_> = [0, 2, 3, 4, 5, 7, 8, 19, 20, 29, 30, 31].map(|id| remap.id(id)).into();
        let expected = [Some(0), Some(2), Some(90), None, Some(103), Some(105), None, None];
        assert_eq!(ids, expected.into_iter().chain([5, 14, 15].map(Some)).chain([None]).collect::<Vec<_>>());
        assert_eq!(remap.id_runs.0.len(), 2, "neighbors that move alike are one");
    }

    #[test]
    fn the_first_of_overlapping_ranges_counts() {
        let mut builder = Remap::builder(0, 0);
        builder.push_strings(5..10, 100);
        builder.push_strings(5..7, 300);
        builder.push_strings(8..12, 200);
        let remap = builder.finish();
        assert_eq!(
            [4, 5, 9, 10, 11, 12].map(|at| remap.string(at)),
            [None, Some(100), Some(104), Some(202), Some(203), None]
        );
    }
}
