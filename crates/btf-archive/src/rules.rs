//! Rules that select the host's kernel in an archive.
//!
//! | rule | properties that must match |
//! |---|---|
//! | exact | distribution, version, machine, release |
//! | alias | the same, by other names: see `alias.rs`, `machine.rs`, and links |
//! | build counter | the same, except for a number that SUSE's release lacks |
//! | unique release | machine and release; if several kernels have both, see `Query::narrow` |
//! | nearest | only on request: distribution, version, machine and flavor |
//!
//! A kernel whose path has no folders matches any machine, and with the last
//! rule any distribution and version.
//!
//! Files with equal contents count as one. `ID_LIKE` chooses only among kernels
//! of the same release, as Oracle's is `fedora`.

use std::{cmp::Reverse, collections::HashSet, fmt, sync::Arc};

use btf_kernel::Host;

use crate::{Entry, Error, alias, index::Place, machine};

/// Rule by which a kernel was selected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Rule {
    /// Distribution, version, machine and release match exactly.
    Exact,
    /// The four match by other names of the distribution, the version or the
    /// machine.
    Alias,
    /// The four match, except for SUSE's build counter in the release.
    BuildCounter,
    /// Only release and machine match, and no other kernel has both.
    UniqueRelease,
    /// Another kernel with the nearest release. Its layouts may differ.
    Nearest,
}

impl Rule {
    /// Name of the rule for programs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Alias => "alias",
            Self::BuildCounter => "build_counter",
            Self::UniqueRelease => "unique_release",
            Self::Nearest => "nearest",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Search for a host's kernel.
#[derive(Debug)]
pub(crate) struct Query<'a> {
    host: &'a Host,
    distributions: Vec<String>,
    versions: Vec<String>,
    machines: Vec<&'a str>,
}

/// Result of a search.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) place: Place,
    /// Other files that match, unless their contents are equal.
    pub(crate) others: Vec<Place>,
    pub(crate) rule: Rule,
}

impl Verdict {
    /// Selects one of several paths of each file, preferably its own; `None` if
    /// there are no paths.
    fn of<'p>(places: impl IntoIterator<Item = &'p Place>, rule: Rule) -> Option<Self> {
        let mut places: Vec<Place> = places.into_iter().cloned().collect();
        places.sort_by(|one, other| (&one.file, one.is_link(), one).cmp(&(&other.file, other.is_link(), other)));
        places.dedup_by(|one, other| one.file == other.file);
        places.sort();
        let mut places = places.into_iter();
        Some(Self { place: places.next()?, others: places.collect(), rule })
    }
}

/// Maximum number of similar releases in an error.
const NEAREST: usize = 5;

/// Maximum length of a host's release, machine, distribution and version, in
/// **bytes**. The kernel's limit for the first two is 64.
const TEXT: usize = 256;

impl<'a> Query<'a> {
    /// Prepares the search for a host.
    ///
    /// # Errors
    ///
    /// [`Error::Limit`] if the texts of the host are too long.
    pub(crate) fn new(host: &'a Host) -> Result<Self, Error> {
        let Host { distribution, version, codename, machine, release, .. } = host;
        let texts = [Some(distribution), version.as_ref(), codename.as_ref(), Some(machine), Some(release)];
        if texts.into_iter().flatten().any(|text| text.len() > TEXT) {
            return Err(Error::Limit { what: "bytes in a name of the host", limit: TEXT as u64 });
        }
        let distributions = alias::distributions(&host.distribution);
        let versions = alias::versions_of_any(&distributions, host.version.as_deref(), host.codename.as_deref());
        Ok(Self { host, distributions, versions, machines: machine::names(machine) })
    }

    /// Returns `true` if a file name contains the host's release, apart from
    /// its flavor.
    pub(crate) fn may_be(&self, file: &str) -> bool {
        let release = &self.host.release;
        file.contains(release.rsplit_once('-').map_or(release.as_str(), |(start, _)| start))
    }

    /// Returns the paths that would match, without endings, best first.
    pub(crate) fn tried(&self) -> Vec<String> {
        let mut tried = Vec::new();
        for distribution in &self.distributions {
            for version in &self.versions {
                for machine in &self.machines {
                    tried.push(format!("{distribution}/{version}/{machine}/{}", self.host.release));
                }
            }
        }
        tried.push(self.host.release.clone());
        tried
    }

    /// Returns the distance of an entry from the host; `None` if it does not match.
    fn rank(&self, entry: &Entry<'_>) -> Option<(usize, usize, usize)> {
        let position = |names: &[String], name: &str| names.iter().position(|known| known.eq_ignore_ascii_case(name));
        Some((
            position(&self.distributions, entry.distribution)?,
            position(&self.versions, entry.version)?,
            self.machine(entry)?,
        ))
    }

    fn machine(&self, entry: &Entry<'_>) -> Option<usize> {
        match entry.machine {
            Some(machine) => self.machines.iter().position(|name| *name == machine),
            None if entry.is_bare() => Some(self.machines.len()),
            // Older archives have no machine: all kernels are x86-64.
            None => self.machines.contains(&"x86_64").then_some(self.machines.len()),
        }
    }

    /// Selects a kernel; with `nearest`, another one if none matches.
    pub(crate) fn select(&self, places: &[Place], nearest: bool) -> Result<Verdict, Error> {
        let entries: Vec<(Entry<'_>, &Place)> =
            places.iter().filter_map(|place| Some((Entry::parse(&place.path)?, place))).collect();
        let release = self.host.release.as_str();
        let same: Vec<_> = entries.iter().filter(|(entry, _)| entry.release == release).collect();
        // The path of a file precedes paths through links.
        let best = same.iter().filter_map(|(entry, place)| Some((place.is_link(), self.rank(entry)?, *place)));
        if let Some((is_link, rank, place)) = best.min() {
            let rule = if rank == (0, 0, 0) && !is_link { Rule::Exact } else { Rule::Alias };
            return Ok(Verdict { place: place.clone(), others: Vec::new(), rule });
        }
        let is_counted = |entry: &Entry<'_>| self.rank(entry).is_some() && has_counter(entry.release, release);
        let counted = entries.iter().filter(|(entry, _)| is_counted(entry)).map(|(_, place)| *place);
        if let Some(verdict) = Verdict::of(counted, Rule::BuildCounter) {
            return Ok(verdict);
        }
        let mut candidates: Vec<_> = same.into_iter().filter(|(entry, _)| self.machine(entry).is_some()).collect();
        if candidates.len() > 1 {
            self.narrow(&mut candidates);
        }
        if let Some(verdict) = Verdict::of(candidates.iter().map(|(_, place)| *place), Rule::UniqueRelease) {
            return Ok(verdict);
        }
        let near = self.near(&entries);
        match near.first().filter(|_| nearest) {
            Some(&place) => Ok(Verdict { place: place.clone(), others: Vec::new(), rule: Rule::Nearest }),
            None => Err(Error::NotFound {
                host: self.to_string(),
                tried: self.tried(),
                nearest: near.into_iter().take(NEAREST).map(|place| place.path.to_string()).collect(),
            }),
        }
    }

    /// Narrows several kernels of one release: to those preferred by the
    /// release's name, then to those that the host is derived from, nearest
    /// first, and then to those of its version.
    fn narrow(&self, candidates: &mut Vec<&(Entry<'_>, &Place)>) {
        let speaks_for = spoken_for(&self.host.release);
        prefer(candidates, |entry| speaks_for.contains(&entry.distribution));
        let there: HashSet<&str> = candidates.iter().map(|(entry, _)| entry.distribution).collect();
        let said = self.host.like.iter().map(String::as_str);
        let known = alias::made_from(&self.host.distribution).iter().copied();
        if let Some(like) = said.chain(known).find(|like| there.contains(like)) {
            prefer(candidates, |entry| entry.distribution == like);
        }
        let (version, codename) = (self.host.version.as_deref(), self.host.codename.as_deref());
        let names = |entry: &Entry<'_>| alias::versions(entry.distribution, version, codename);
        prefer(candidates, |entry| names(entry).iter().any(|name| name == entry.version));
    }

    /// Returns kernels of the same distribution, version, machine and flavor,
    /// nearest first.
    fn near<'p>(&self, entries: &[(Entry<'_>, &'p Place)]) -> Vec<&'p Place> {
        let wanted = Release::parse(&self.host.release);
        let may_be = |entry: &Entry<'_>| self.rank(entry).is_some() || entry.is_bare() && self.machine(entry).is_some();
        let is_like = |entry: &Entry<'_>| may_be(entry) && wanted.is_like(&Release::parse(entry.release));
        let mut near: Vec<_> = entries.iter().filter(|(entry, _)| is_like(entry)).collect();
        near.sort_by_cached_key(|(entry, place)| {
            let found = Release::parse(entry.release);
            (wanted.distance(&found), Reverse(found.numbers), place.is_link(), Arc::clone(&place.path))
        });
        // A file that is also reached through links counts once.
        let mut seen = HashSet::new();
        near.into_iter().map(|(_, place)| *place).filter(|place| seen.insert(&place.file)).collect()
    }
}

/// Keeps only the candidates that satisfy a predicate, if there are any.
fn prefer(candidates: &mut Vec<&(Entry<'_>, &Place)>, is: impl Fn(&Entry<'_>) -> bool) {
    if candidates.iter().any(|(entry, _)| is(entry)) {
        candidates.retain(|(entry, _)| is(entry));
    }
}

impl fmt::Display for Query<'_> {
    /// Writes the known properties of the host.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Host { distribution, version, codename, machine, release, .. } = self.host;
        write!(f, "kernel {release}")?;
        let version = version.as_ref().or(codename.as_ref()).map_or("", String::as_str);
        match (distribution.as_str(), version) {
            ("", "") => {}
            ("", version) => write!(f, " of version {version}")?,
            (distribution, "") => write!(f, " of {distribution}")?,
            (distribution, version) => write!(f, " of {distribution} {version}")?,
        }
        if machine.is_empty() { Ok(()) } else { write!(f, " on {machine}") }
    }
}

/// Returns `true` for a release with SUSE's build counter before the flavor:
/// `4.4.103-6.33.1-default` for `4.4.103-6.33-default`.
fn has_counter(file: &str, release: &str) -> bool {
    let (Some((start, flavor)), Some((file_start, file_flavor))) = (release.rsplit_once('-'), file.rsplit_once('-'))
    else {
        return false;
    };
    let counter = file_start.strip_prefix(start).and_then(|rest| rest.strip_prefix('.'));
    let is_counter =
        |counter: &str| matches!(counter.len(), 1..=2) && counter.parse::<u8>().is_ok_and(|number| number > 0);
    flavor == file_flavor && counter.is_some_and(is_counter)
}

/// Returns the distributions that build kernels with such a release.
fn spoken_for(release: &str) -> &'static [&'static str] {
    let has = |text: &str| release.contains(text);
    if has("uek") {
        &["ol"]
    } else if has(".amzn") {
        &["amzn"]
    } else if has(".fc") {
        &["fedora"]
    } else if has(".el") {
        // Derivatives of Red Hat have the same releases.
        &["rhel", "centos", "ol", "almalinux", "rocky"]
    } else if has("deb") || has("bpo") || release.ends_with("-amd64") || release.ends_with("-arm64") {
        &["debian"]
    } else if release.ends_with("-default") {
        &["sles", "opensuse"]
    } else if release.ends_with("-generic") {
        &["ubuntu"]
    } else {
        &[]
    }
}

/// Parsed kernel release: its numbers, and the text between them.
#[derive(Debug, PartialEq, Eq)]
struct Release<'a> {
    numbers: Vec<u64>,
    words: Vec<&'a str>,
}

impl<'a> Release<'a> {
    fn parse(text: &'a str) -> Self {
        let is_digit = |c: char| c.is_ascii_digit();
        let numbers = text.split(|c: char| !is_digit(c)).filter_map(|number| number.parse().ok()).collect();
        let words = text.split(is_digit).filter(|word| !matches!(*word, "" | "." | "-")).collect();
        Self { numbers, words }
    }

    /// Returns `true` for the same flavor and base version.
    fn is_like(&self, other: &Self) -> bool {
        self.words == other.words && self.numbers.get(..3).is_some() && self.numbers.get(..3) == other.numbers.get(..3)
    }

    /// Returns the distances, number by number.
    fn distance(&self, other: &Self) -> Vec<u64> {
        let len = self.numbers.len().max(other.numbers.len());
        let at = |numbers: &[u64], index: usize| numbers.get(index).copied().unwrap_or(0);
        (0..len).map(|index| at(&self.numbers, index).abs_diff(at(&other.numbers, index))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_build_counter_of_suse() {
        for (file, release, expected) in [
            ("4.4.103-6.33.1-default", "4.4.103-6.33-default", true),
            ("4.12.14-16.10.2-azure", "4.12.14-16.10-azure", true),
            ("4.4.103-6.33.1-default", "4.4.103-6.33-azure", false),
            ("4.4.103-6.33-default", "4.4.103-6.33-default", false),
            ("4.4.103-6.33.100-default", "4.4.103-6.33-default", false),
            ("4.4.103-6.33.0-default", "4.4.103-6.33-default", false),
            ("4.4.103-6.331-default", "4.4.103-6.33-default", false),
            ("4.4", "4.4", false),
        ] {
            assert_eq!(has_counter(file, release), expected, "{file} {release}");
        }
    }

    #[test]
    fn near_is_by_numbers_and_not_by_letters() {
        let wanted = Release::parse("5.4.0-100-generic");
        let mut others = ["5.4.0-10-generic", "5.4.0-99-generic", "5.4.0-110-generic", "5.4.0-42-generic"];
        others.sort_by_key(|other| wanted.distance(&Release::parse(other)));
        assert_eq!(others, ["5.4.0-99-generic", "5.4.0-110-generic", "5.4.0-42-generic", "5.4.0-10-generic"]);
        assert!(!wanted.is_like(&Release::parse("5.4.0-100-azure")));
        assert!(!wanted.is_like(&Release::parse("5.3.0-100-generic")));
    }
}
