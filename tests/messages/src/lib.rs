//! Golden text of error messages.
//!
//! Each crate has one unit test that prints an example of every variant of its
//! public errors and compares the lines with the crate's `messages.txt`. A variant
//! without an example does not compile, and an error type without one fails the
//! test. `cargo xtask golden` renews the files.
//!
//! The rules that every message must keep:
//!
//! * It is complete: [`Error::source`] has nothing to add.
//! * It says more than a path.
//! * An id stands beside a name: `STRUCT task_struct (type 7)` or
//!   `type 7 (STRUCT task_struct)`. Exceptions are listed with a reason.
//! * It is one line without a full stop, for callers to embed.

#![forbid(unsafe_code)]
// A fault is reported by a failing test.
#![allow(clippy::panic)]

use std::{collections::BTreeMap, env, error::Error, fs, path::PathBuf};

/// Adds one example of every variant of an enum to [`Messages`].
///
/// Does not compile if a variant is missing, as the names become an exhaustive
/// match.
#[macro_export]
macro_rules! examples {
    ($messages:ident: $error:ident { $($(#[$cfg:meta])? $variant:ident => $example:expr,)+ }) => {
        let variant = |error: &$error| match error {
            $($(#[$cfg])? $error::$variant { .. } => stringify!($variant),)+
        };
        $($(#[$cfg])? {
            let example: $error = $example;
            assert_eq!(variant(&example), stringify!($variant), "an example is of another variant");
            $messages.add(concat!(stringify!($error), "::", stringify!($variant)), &example);
        })+
    };
}

/// The messages of one crate.
#[derive(Debug)]
pub struct Messages {
    folder: PathBuf,
    lines: Vec<(String, String)>,
    exceptions: BTreeMap<&'static str, bool>,
    faults: Vec<String>,
}

impl Messages {
    /// Starts the list of the crate whose manifest is in `folder`.
    #[must_use]
    pub fn new(folder: &str) -> Self {
        Self { folder: folder.into(), lines: Vec::new(), exceptions: BTreeMap::new(), faults: Vec::new() }
    }

    /// Allows these messages to show an id without a name, for this reason.
    pub fn allow_ids(&mut self, reason: &str, names: &[&'static str]) {
        assert!(!reason.is_empty());
        self.exceptions.extend(names.iter().map(|&name| (name, false)));
    }

    /// Adds a message and checks it. `name` is `Type`, or `Type::Variant`.
    pub fn add(&mut self, name: &str, error: &dyn Error) {
        let message = error.to_string();
        for fault in faults(&message) {
            self.faults.push(format!("{name}: {fault}: {message}"));
        }
        if let Some(source) = error.source() {
            self.faults.push(format!("{name}: the reason is not in the text alone: {message}; source: {source}"));
        }
        if let Some(id) = id_without_name(&message) {
            match self.exceptions.get_mut(name) {
                Some(is_used) => *is_used = true,
                None => self.faults.push(format!("{name}: `{id}` has no name beside it: {message}")),
            }
        }
        self.lines.push((name.into(), message));
    }

    /// Compares with `messages.txt`, or writes it if `BTF_GOLDEN` is `renew`.
    ///
    /// `is_complete`: all features are on that add variants or types.
    ///
    /// # Panics
    ///
    /// If a message breaks a rule or differs, or an error has no example.
    pub fn check(mut self, is_complete: bool) {
        let unused = self.exceptions.iter().filter(|(_, is_used)| !**is_used);
        let unused: Vec<_> =
            unused.map(|(name, _)| format!("{name}: no id without a name; no exception needed")).collect();
        self.faults.extend(unused);
        let path = self.folder.join("messages.txt");
        let lines: Vec<String> = self.lines.iter().map(|(name, message)| format!("{name}: {message}")).collect();
        if env::var_os("BTF_GOLDEN").is_some_and(|value| value == "renew") {
            assert!(is_complete, "renew with all features");
            let text = lines.join("\n") + "\n";
            fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        }
        let golden = fs::read_to_string(&path).unwrap_or_default();
        let expected: Vec<&str> = golden.lines().collect();
        let new = lines.iter().filter(|line| !expected.contains(&line.as_str()));
        self.faults.extend(new.map(|line| format!("not in messages.txt (cargo xtask golden renews it): {line}")));
        if is_complete {
            let old = expected.iter().filter(|line| !lines.iter().any(|new| new == *line));
            self.faults.extend(old.map(|line| format!("only in messages.txt: {line}")));
        }
        let surface = fs::read_to_string(self.folder.join("surface.txt")).unwrap_or_default();
        let types = surface.lines().filter_map(|line| line.strip_prefix("impl core::error::Error for "));
        for ty in types.filter_map(|path| path.rsplit("::").next()) {
            let has_example = self.lines.iter().any(|(name, _)| name.split("::").next() == Some(ty));
            if !has_example && is_complete {
                self.faults.push(format!("{ty}: a public error without an example"));
            }
        }
        assert!(self.faults.is_empty(), "\n{}\n", self.faults.join("\n"));
    }
}

/// Rules that a text breaks by itself.
fn faults(message: &str) -> Vec<&'static str> {
    let words = message.split_whitespace().filter(|word| !word.contains('/')).count();
    [
        (words < 2, "only a path or a name"),
        (message.contains('\n'), "more than one line"),
        (message.ends_with('.') && !message.ends_with("..."), "ends with a full stop"),
        (message.trim() != message, "begins or ends with a space"),
    ]
    .into_iter()
    .filter_map(|(is_broken, rule)| is_broken.then_some(rule))
    .collect()
}

/// The first id in a text that has no name beside it: neither `KIND name (type 7)`
/// nor `type 7 (KIND name)`.
fn id_without_name(message: &str) -> Option<&str> {
    /// Words before a number that is an id: these, and the names of kinds.
    const WORDS: [&str; 4] = ["type", "types", "id", "ids"];
    let mut start = 0;
    let mut before = "";
    for word in message.split(' ') {
        let at = start;
        start += word.len() + 1;
        let is_bare = !before.starts_with('(');
        let noun = before.trim_start_matches('(');
        let is_kind = noun.len() > 2
            && noun.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_' || byte == b'6' || byte == b'4');
        before = word;
        if !WORDS.contains(&noun) && !is_kind {
            continue;
        }
        let number = word.trim_end_matches([':', ',', ';', ')']);
        if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            continue;
        }
        let rest = message.get(start..).unwrap_or_default();
        let name = rest.strip_prefix('(').unwrap_or_default();
        let has_name_behind = word == number && name.bytes().take_while(u8::is_ascii_uppercase).count() > 2;
        if is_bare && !has_name_behind {
            return message.get(at - noun.len() - 1..at + number.len());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_kept_or_broken() {
        assert_eq!(faults("cannot open /boot/vmlinux: permission denied"), [""; 0]);
        assert_eq!(faults("/boot/vmlinux"), ["only a path or a name"]);
        assert_eq!(faults("no such file: /x."), ["ends with a full stop"]);
        assert_eq!(faults("a\nb").len(), 1);
    }

    #[test]
    fn ids_without_names_are_found() {
        for fine in [
            "STRUCT foo (type 7) contains itself",
            "type 7 (STRUCT foo) contains itself",
            "`foo` is ambiguous: 2 STRUCTs (ids 7, 8)",
            "no STRUCT named `foo`",
            "a type of 7 bytes",
        ] {
            assert_eq!(id_without_name(fine), None, "{fine}");
        }
        for (message, found) in [
            ("type 7 contains itself", "type 7"),
            ("refers to type 7", "type 7"),
            ("type 7 (record at offset 24) refers", "type 7"),
            ("no type 7: ids are 0 to 6", "type 7"),
            ("FUNC 12 refers to", "FUNC 12"),
            ("ids 3, 4 are", "ids 3"),
        ] {
            assert_eq!(id_without_name(message), Some(found), "{message}");
        }
    }

    #[derive(Debug)]
    struct Chained(std::io::Error);

    impl std::fmt::Display for Chained {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(f, "cannot read it: {}", self.0)
        }
    }

    impl Error for Chained {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }

    #[test]
    fn a_source_beside_the_text_is_a_fault() {
        let mut messages = Messages::new("");
        messages.add("Chained", &Chained(std::io::ErrorKind::NotFound.into()));
        assert_eq!(messages.faults.len(), 1);
    }
}
