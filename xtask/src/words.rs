//! Checks the wording of docs and messages for patterns that read badly.
//!
//! Two rules, both for text that people search and skim:
//!
//! * The first line of a doc comment makes sense alone in rustdoc's index: it is a noun
//!   phrase or a verb in the indicative, and does not begin with one of [`FIRST`].
//! * Nothing has one of the [`PHRASES`], which take a second reading, or a spelling that
//!   the kernel does not use.

use std::{fs, path::Path};

use crate::{Result, root, say};

/// Words that no doc comment begins with.
const FIRST: [&str; 20] = [
    "As", "How", "If", "It", "Its", "Likewise", "Says", "So", "Tells", "That", "The same", "They", "What", "When",
    "Where", "Whether", "Which", "Who", "Whose", "Why",
];

/// Phrases to avoid in doc comments, messages and pages, each with a better one.
const PHRASES: [(&str, &str); 30] = [
    ("as good as", "equivalent to, treated as"),
    ("be had", "is available"),
    ("behaviour", "behavior"),
    ("by rising", "by ascending"),
    ("came by", "reached, visited"),
    ("colour", "color"),
    ("come by", "reached, visited"),
    ("comes by", "reaches, visits"),
    ("flavour", "flavor"),
    ("goes before", "precedes, takes precedence"),
    ("initialis", "initializ"),
    ("is gone through", "is read, is visited"),
    ("is looked at", "is read, is checked"),
    ("is none of", "is not"),
    ("is told", "is known, is reported"),
    ("keeps nobody", "does not affect"),
    ("licence", "license"),
    ("likewise", "also, in the same way"),
    ("modelled", "modeled"),
    ("neighbour", "neighbor"),
    ("nobody", "no code, no reader, nothing"),
    ("normalis", "normaliz"),
    ("of one's own", "of your own"),
    ("optimis", "optimiz"),
    ("recognis", "recogniz"),
    ("sanitis", "sanitiz"),
    ("serialis", "serializ"),
    ("stands alone", "is complete, is not split"),
    ("what is there", "the contents"),
    ("whoever", "code that, a caller that"),
];

pub(crate) fn run() -> Result {
    let mut findings = Vec::new();
    let mut files = 0;
    for (folder, endings) in [
        ("crates", &["rs", "md", "messages.txt"][..]),
        ("xtask", &["rs"]),
        ("tests", &["rs", "md"]),
        ("fixtures/README.md", &["md"]),
        ("ARCHITECTURE.md", &["md"]),
        ("CHANGELOG.md", &["md"]),
        ("COMPARE.md", &["md"]),
        ("README.md", &["md"]),
    ] {
        each_file(&root().join(folder), &mut |path| {
            let name = path.to_string_lossy();
            if !endings.iter().any(|ending| name.ends_with(ending)) {
                return Ok(());
            }
            files += 1;
            let text = fs::read_to_string(path)?;
            let shown = path.strip_prefix(root()).unwrap_or(path).display().to_string();
            let found = if name.ends_with(".rs") { in_rust(&text) } else { in_text(&text) };
            findings.extend(found.into_iter().map(|(line, fault)| format!("{shown}:{line}: {fault}")));
            Ok(())
        })?;
    }
    if findings.is_empty() {
        say(format_args!("words: {files} files, all in order"));
        Ok(())
    } else {
        Err(findings.join("\nxtask: ").into())
    }
}

/// Calls `each` with a file, or with all files below a folder, by name.
fn each_file(path: &Path, each: &mut dyn FnMut(&Path) -> Result) -> Result {
    if !path.is_dir() {
        return if path.exists() { each(path) } else { Ok(()) };
    }
    let mut entries = fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    entries.sort();
    // This file lists the phrases themselves.
    entries
        .retain(|path| !path.ends_with("target") && !path.ends_with("golden") && !path.ends_with("xtask/src/words.rs"));
    entries.iter().try_for_each(|entry| each_file(entry, each))
}

/// Returns findings in the doc comments of a Rust file, by line.
fn in_rust(text: &str) -> Vec<(usize, String)> {
    let mut findings = Vec::new();
    let (mut was_doc, mut is_code) = (false, false);
    for (number, line) in (1..).zip(text.lines()) {
        let trimmed = line.trim_start();
        let doc = trimmed.strip_prefix("///").or(trimmed.strip_prefix("//!"));
        let Some(doc) = doc else {
            (was_doc, is_code) = (false, false);
            continue;
        };
        let doc = doc.trim();
        if doc.starts_with("```") {
            is_code = !is_code;
        } else if !is_code {
            if !was_doc && let Some(word) = FIRST.iter().find(|word| begins_with(doc, word)) {
                findings.push((number, format!("the first line begins with `{word}`: say what it is or does")));
            }
            findings.extend(phrases(doc).map(|fault| (number, fault)));
        }
        was_doc = true;
    }
    findings
}

/// Returns findings in a page or a list of messages, by line.
fn in_text(text: &str) -> Vec<(usize, String)> {
    let mut is_code = false;
    let mut findings = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        if line.starts_with("```") {
            is_code = !is_code;
        } else if !is_code {
            findings.extend(phrases(line).map(|fault| (number, fault)));
        }
    }
    findings
}

fn begins_with(text: &str, word: &str) -> bool {
    text.strip_prefix(word).is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
}

/// Returns findings for the phrases in a line, outside of code.
fn phrases(line: &str) -> impl Iterator<Item = String> {
    let prose: String = line.split('`').step_by(2).collect::<Vec<_>>().join(" ").to_lowercase();
    PHRASES
        .into_iter()
        .filter(move |(phrase, _)| prose.contains(phrase))
        .map(|(phrase, better)| format!("`{phrase}`: write something like `{better}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_lines_are_checked_once_for_each_comment() {
        let text =
            "/// What it is.\n/// What it does.\npub fn f() {}\n\n    /// Whatever it takes.\n    pub fn g() {}\n";
        assert_eq!(in_rust(text).iter().map(|(line, _)| *line).collect::<Vec<_>>(), [1]);
        assert_eq!(in_rust("/// Whether it is.\n").len(), 1);
        assert_eq!(in_rust("//! The same, for all.\n").len(), 1);
        assert_eq!(in_rust("/// Whether\n").len(), 1);
    }

    #[test]
    fn phrases_are_found_outside_of_code() {
        assert_eq!(in_rust("/// A Colour.\n").len(), 1);
        assert_eq!(in_rust("/// A `colour`.\n/// ```\n/// let colour = 1;\n/// ```\n"), []);
        assert_eq!(in_rust("// Nobody reads it.\nlet colour = 1;\n"), []);
        assert_eq!(in_text("It cannot be had.\n"), [(1, "`be had`: write something like `is available`".into())]);
    }
}
