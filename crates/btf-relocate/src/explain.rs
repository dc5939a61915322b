//! Explanations: the result of a relocation as a sentence.

use std::{fmt, iter};

use btf_types::{CoreReloKind, Name, Type};

use crate::{
    Candidate, Outcome, Relocation, Verdict,
    spec::{Accessor, Class, Request, Spec, local_enumerator, members},
};

/// Maximum number of candidates whose verdicts a sentence lists.
pub(crate) const EXPLAINED: usize = 3;

/// Explanation of a relocation: see [`Relocation::explain`].
#[derive(Clone, Copy)]
pub struct Explanation<'a>(Relocation<'a>);

/// Path of a relocation: see [`Relocation::path`].
#[derive(Clone, Copy)]
pub struct Path<'a>(Relocation<'a>);

impl<'a> Relocation<'a> {
    /// Explains the relocation in a sentence without a full stop: what it
    /// refers to, the result, and the reason.
    ///
    /// `task_struct.state (0:14): no such member in struct task_struct; did you
    /// mean `__state`?`
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let object = std::fs::read("doc/fields.bpf.o").unwrap();
    /// # let kernel = std::fs::read("doc/fields.btf").unwrap();
    /// # let object = btf_elf::BpfObject::parse(object)?;
    /// # let kernel = btf_types::Btf::parse(kernel)?;
    /// # let ext = object.btf_ext()?.ok_or("no .BTF.ext")?;
    /// # let relocated = btf_relocate::Relocator::new(btf_relocate::Targets::custom(&kernel)).relocate(ext);
    /// let sentences: Vec<String> = relocated.iter().map(|relocation| relocation.explain().to_string()).collect();
    /// assert_eq!(sentences[0], "thing.id (0:0): at byte 40 of struct thing (type 1), 0 in the program");
    /// assert!(sentences.contains(&"only_local.a (0:0): no: the kernel has no struct named only_local".to_owned()));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn explain(self) -> Explanation<'a> {
        Explanation(self)
    }

    /// Returns the field, type or enumerator by the program's names, and the
    /// access string: `task_struct.state (0:14)`.
    #[must_use]
    pub fn path(self) -> Path<'a> {
        Path(self)
    }

    fn request(self) -> Request<'a> {
        Request { kind: self.kind(), ty: self.local_type(), access: self.access_string() }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let request = self.0.request();
        let ty = request.ty;
        if ty.is_anonymous() {
            ty.fmt(f)?;
        } else {
            ty.name().fmt(f)?;
        }
        match Class::of(request.kind) {
            Ok(Class::Field) => {
                if let Ok(spec) = Spec::of_field(request) {
                    write_path(f, spec.accessors.iter())?;
                }
            }
            Ok(Class::Enumerator) => {
                if let Ok((name, _)) = local_enumerator(request) {
                    write!(f, ".{name}")?;
                }
            }
            // The only valid access string of a type has no information.
            Ok(Class::Type) if request.access == "0" => return Ok(()),
            _ => {}
        }
        write!(f, " ({})", request.access)
    }
}

/// Writes the levels of a path: `[1].member[2]`.
fn write_path<'a>(f: &mut fmt::Formatter<'_>, path: impl Iterator<Item = &'a Accessor<'a>>) -> fmt::Result {
    for (level, accessor) in path.enumerate() {
        match accessor {
            Accessor::Element { index: 0, .. } if level == 0 => {}
            Accessor::Element { index, .. } => write!(f, "[{index}]")?,
            Accessor::Member { member, .. } => write!(f, ".{}", member.name())?,
        }
    }
    Ok(())
}

impl fmt::Display for Explanation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let relocation = self.0;
        write!(f, "{}: ", relocation.path())?;
        match relocation.outcome() {
            Outcome::Value { local, target } => write_value(f, relocation, local, target)?,
            Outcome::Poison => write_absence(f, relocation)?,
            Outcome::Fault(fault) => write!(f, "{fault}")?,
        }
        Ok(())
    }
}

fn write_value(f: &mut fmt::Formatter<'_>, relocation: Relocation<'_>, local: u64, target: u64) -> fmt::Result {
    use CoreReloKind as K;
    let kind = relocation.kind();
    let chosen = relocation.candidates().find(|candidate| candidate.verdict() == Verdict::Match);
    let exists = matches!(kind, K::FieldExists | K::TypeExists | K::EnumvalExists | K::TypeMatches);
    if target == 0 && (exists || kind == K::TypeSize || kind == K::TypeIdTarget) && chosen.is_none() {
        f.write_str(if exists { "no: " } else { "0: " })?;
        return write_absence(f, relocation);
    }
    match kind {
        K::FieldByteOffset => write!(f, "at byte {target} of ")?,
        K::FieldByteSize | K::TypeSize => write!(f, "{target} bytes by ")?,
        K::FieldSigned => write!(f, "{} by ", if target == 0 { "unsigned" } else { "signed" })?,
        K::FieldLshiftU64 => write!(f, "shift left by {target} bits for ")?,
        K::FieldRshiftU64 => write!(f, "shift right by {target} bits for ")?,
        K::TypeIdLocal => return write!(f, "type {target} of the program"),
        K::EnumvalValue => write!(f, "{} by ", target as i64)?,
        K::TypeMatches => f.write_str("matches ")?,
        K::TypeIdTarget => {}
        _ => f.write_str("exists in ")?,
    }
    if let Some(chosen) = chosen {
        write_candidate(f, chosen)?;
    }
    match kind {
        K::FieldByteOffset if local != target => write!(f, ", {local} in the program"),
        K::FieldByteSize | K::TypeSize if local != target => write!(f, ", {local} in the program"),
        K::EnumvalValue if local != target => write!(f, ", {} in the program", local as i64),
        _ => Ok(()),
    }
}

fn write_candidate(f: &mut fmt::Formatter<'_>, candidate: Candidate<'_>) -> fmt::Result {
    let ty = candidate.ty();
    write!(f, "{} (type {}", ty, ty.id())?;
    match candidate.module() {
        Some(module) => write!(f, " of module {module})"),
        None => f.write_str(")"),
    }
}

/// Writes the reasons why no candidate matches the relocation.
fn write_absence(f: &mut fmt::Formatter<'_>, relocation: Relocation<'_>) -> fmt::Result {
    let request = relocation.request();
    let mut written = 0;
    for candidate in relocation.candidates().filter(|candidate| candidate.verdict() != Verdict::Dropped) {
        if written > 0 {
            f.write_str("; ")?;
        }
        if written == EXPLAINED {
            return write!(f, "and so on for {} candidates", relocation.candidate_count());
        }
        write_verdict(f, relocation, candidate)?;
        written += 1;
    }
    if written > 0 {
        return Ok(());
    }
    let essential = request.ty.name().essential();
    write!(f, "the kernel has no {} named {essential}", keyword(request.ty))
}

/// Returns the word for the kind of a type.
fn keyword(ty: Type<'_>) -> &'static str {
    match ty {
        Type::Struct(_) => "struct",
        Type::Union(_) => "union",
        Type::Enum(_) | Type::Enum64(_) => "enum",
        Type::Typedef(_) => "typedef",
        _ => "type",
    }
}

fn write_verdict(f: &mut fmt::Formatter<'_>, relocation: Relocation<'_>, candidate: Candidate<'_>) -> fmt::Result {
    let (request, ty) = (relocation.request(), candidate.ty());
    match candidate.verdict() {
        Verdict::NoMember { level, within } => {
            let within = candidate.sibling(within);
            write!(f, "no such member in {within}")?;
            let wanted = level_of(request, level);
            if let Some(Accessor::Member { member, .. }) = wanted
                && let Some(similar) = similar_member(within, member.name(), relocation.owner.compared())
            {
                write!(f, "; did you mean `{similar}`?")?;
            }
            Ok(())
        }
        Verdict::MemberType { level, found } => {
            let found = candidate.sibling(found);
            match level_of(request, level) {
                Some(Accessor::Member { member, .. }) => write!(
                    f,
                    "member {} of {ty} is of type {found}, which is not compatible with {}",
                    member.name(),
                    member.ty()
                ),
                _ => write!(f, "{found} is not compatible"),
            }
        }
        Verdict::NotComposite { .. } => write!(f, "the path leads to a type without members in {ty}"),
        Verdict::NotArray { .. } => write!(f, "the path leads to a type that is not an array in {ty}"),
        Verdict::TooFewElements { nelems, .. } => write!(f, "the array has only {nelems} elements in {ty}"),
        Verdict::NotEnum => write!(f, "{ty} is not an enum"),
        Verdict::NoEnumerator => write!(f, "no such enumerator in {ty}"),
        Verdict::Incompatible => write!(f, "{ty} (type {}) is not compatible", ty.id()),
        Verdict::Mismatch => write!(f, "{ty} (type {}) does not match", ty.id()),
        Verdict::Dropped | Verdict::Match => write!(f, "{ty}"),
    }
}

/// Returns a level of the local path.
fn level_of(request: Request<'_>, level: u32) -> Option<Accessor<'_>> {
    Spec::of_field(request).ok()?.accessors.get(level as usize).copied()
}

/// Maximum length of a name that is compared by similarity, in bytes.
const LONGEST: usize = 64;
/// Similarity below which a name is not suggested.
const LEAST: f64 = 0.6;

/// Returns the name of the member that is most similar to a name; `None` if none is
/// similar, or if there are more than `most` members.
fn similar_member<'a>(ty: Type<'a>, name: Name<'_>, most: usize) -> Option<Name<'a>> {
    let wanted = name.to_str().ok().filter(|name| name.len() <= LONGEST)?;
    let mut best: Option<(f64, Name<'a>)> = None;
    let mut pending = vec![ty];
    let mut left = most;
    while let Some(ty) = pending.pop() {
        for member in members(ty.peel_modifiers()).into_iter().flatten() {
            left = left.checked_sub(1)?;
            let name = member.name();
            if name.is_empty() {
                pending.push(member.ty());
            }
            // Longer names are not compared.
            let Some(text) = name.to_str().ok().filter(|text| text.len() <= LONGEST) else { continue };
            let least = best.map_or(LEAST, |(best, _)| best);
            if let Some(score) = similarity(wanted, text, least) {
                best = Some((score, name));
            }
        }
    }
    best.map(|(_, name)| name)
}

/// Similarity of two names, from 0 to 1, if it is more than `least`. Leading
/// underscores count little, as kernels add them when a member's meaning changes.
fn similarity(a: &str, b: &str, least: f64) -> Option<f64> {
    let (bare_a, bare_b) = (a.trim_start_matches('_'), b.trim_start_matches('_'));
    let (len_a, len_b) = (bare_a.chars().count(), bare_b.chars().count());
    // At least as many changes are needed as the lengths differ by.
    let most = 1.0 - len_a.abs_diff(len_b) as f64 / len_a.max(len_b).max(1) as f64;
    let score = |bare: f64, whole: f64| bare * 0.99 + whole * 0.01;
    if score(most, 1.0) <= least {
        return None;
    }
    let bare = likeness(bare_a, bare_b);
    (score(bare, 1.0) > least).then(|| score(bare, likeness(a, b))).filter(|&score| score > least)
}

/// Returns the share of the longer name that remains when it is changed to the other.
fn likeness(a: &str, b: &str) -> f64 {
    let longer = a.chars().count().max(b.chars().count()).max(1);
    1.0 - f64::from(distance(a, b)) / longer as f64
}

/// Returns the edit distance (optimal string alignment) of two names of at most
/// [`LONGEST`] bytes: the number of characters to insert, delete, replace or swap with
/// the next one.
fn distance(a: &str, b: &str) -> u8 {
    // Distances from each prefix of `b`: of the current prefix of `a`, and of those one
    // and two characters shorter.
    let [mut two_before, mut before, mut here] = [[0; LONGEST + 1]; 3];
    before.iter_mut().zip(0..).for_each(|(cell, len)| *cell = len);
    let mut last_a = None;
    for (len, of_a) in (1..).zip(a.chars()) {
        let mut left = len;
        let mut last_b = None;
        let above = before.windows(2).zip(iter::once(&0).chain(&two_before));
        let (first, rest) = here.split_at_mut(1);
        first.fill(len);
        for ((of_b, (pair, swapped)), cell) in b.chars().zip(above).zip(rest) {
            let &[diagonal, above] = pair else { break };
            let replaced = diagonal + u8::from(of_a != of_b);
            left = replaced.min(above + 1).min(left + 1);
            if last_a == Some(of_b) && last_b == Some(of_a) {
                left = left.min(swapped + 1);
            }
            (*cell, last_b) = (left, Some(of_b));
        }
        last_a = Some(of_a);
        (two_before, before, here) = (before, here, two_before);
    }
    before.get(b.chars().count()).copied().unwrap_or(u8::MAX)
}

impl fmt::Debug for Explanation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

impl fmt::Debug for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_of_optimal_string_alignment() {
        for (a, b, expected) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("state", "state", 0),
            ("state", "__state", 2),
            ("state", "tsate", 1),
            ("ca", "abc", 3),
            ("kitten", "sitting", 3),
            ("äöü", "äüö", 1),
            ("aab", "aba", 1),
        ] {
            assert_eq!(distance(a, b), expected, "{a} {b}");
            assert_eq!(distance(b, a), expected, "{b} {a}");
        }
        assert_eq!(distance(&"a".repeat(LONGEST), &"b".repeat(LONGEST)), LONGEST as u8);
    }
}
