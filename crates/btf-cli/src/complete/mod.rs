//! Completion in shells. The scripts are clap's, extended to ask `btf complete`
//! first, which completes the names of types, members and modules of the BTF
//! that the command line refers to.

use std::{
    collections::BTreeSet,
    io::{self, Write},
};

use btf_types::{Btf, Name, Type};
use clap::{Command, Parser};
use clap_complete::Shell;

use crate::{
    output::{Output, Stdout},
    pattern::Pattern,
    show::each_member,
    source::{Options, Source, System},
};

/// Maximum number of candidates.
const COUNT: usize = 10_000;
/// Maximum length of a candidate in bytes.
const NAME: usize = 256;
/// Placeholder for the word to complete.
const MARK: &str = "\u{1}";
/// Options whose value is the name of a type.
const TYPES: [&str; 3] = ["--keep", "--root-type", "--with-type"];

/// Prints the candidates for the last word of a line, if it is a name.
/// Candidates contain no characters with a meaning to shells.
pub(crate) fn run(words: &[String], out: &mut Stdout) -> io::Result<()> {
    for candidate in candidates(words).unwrap_or_default() {
        writeln!(out, "{candidate}")?;
    }
    Ok(())
}

/// Prints the script for a shell.
pub(crate) fn script(shell: Shell, command: &mut Command, out: &mut Output<impl Write>) -> io::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, command, "btf", &mut script);
    let script = String::from_utf8_lossy(&script);
    match shell {
        Shell::Bash => {
            let script = script.replace("complete -F _btf ", "complete -F _btf_names ");
            out.text(include_str!("names.bash"))?;
            out.text(&script)
        }
        Shell::Zsh => {
            let (head, body) = script.split_once("\n_btf() {").unwrap_or(("", &script));
            out.text(head)?;
            out.text("\n\n")?;
            out.text(include_str!("names.zsh"))?;
            out.text("\n_btf_arguments() {")?;
            out.text(body)
        }
        Shell::Fish => {
            out.text(&script)?;
            out.text(include_str!("names.fish"))
        }
        _ => out.text(&script),
    }
}

/// Returns the candidates; `None` if the line is invalid, or the word is not a
/// name.
fn candidates(words: &[String]) -> Option<BTreeSet<String>> {
    // Bash splits `--module=veth` into three words.
    let words: Vec<&str> = words.iter().map(String::as_str).filter(|word| *word != "=").collect();
    let (last, before) = words.split_last()?;
    let is_name = |word: &str| !word.is_empty() && !word.starts_with(['-', '.', '~']) && !word.contains('/');
    match before.split_last() {
        Some((&"--module", before)) => modules(before, last),
        _ if !is_name(last) => None,
        Some((option, before)) if TYPES.contains(option) => names(&system(before).kernel().btf().ok()?, last, false),
        _ => {
            let line = ["btf"].iter().chain(before).chain([&MARK]);
            match crate::Arguments::try_parse_from(line).ok()?.command? {
                crate::Command::Show(show) => names(&open(show.ends_with(MARK)?)?, last, false),
                crate::Command::Find(find) => names(&open(find.is_for(MARK)?)?, last, true),
                _ => None,
            }
        }
    }
}

fn open(options: &Options) -> Option<Btf> {
    Source::of(None, options).open().ok()
}

/// Returns the system that a line refers to.
fn system(words: &[&str]) -> System {
    let value = |option: &str| {
        let at = words.iter().rposition(|word| *word == option)?;
        words.get(at + 1).copied()
    };
    System::new(value("--root"), value("--release"))
}

fn modules(before: &[&str], start: &str) -> Option<BTreeSet<String>> {
    let names = system(before).kernel().module_names().ok()?;
    Some(names.into_iter().filter(|name| name.starts_with(start) && is_plain(name.as_str().into())).collect())
}

/// Returns the types with this prefix, or the members of the type or member
/// before the last dot; and enumerators.
fn names(btf: &Btf, start: &str, with_enumerators: bool) -> Option<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    if let Some((path, start)) = start.rsplit_once('.') {
        let mut ty = btf.path(path).ok()?.ty().peel_modifiers();
        if let Type::Ptr(ptr) = ty {
            ty = ptr.target();
        }
        each_member(ty, |member| add(&mut names, member.name_start(NAME), start));
        return Some(names.into_iter().map(|name| format!("{path}.{name}")).collect());
    }
    btf.layers().flat_map(Btf::types).for_each(|ty| add(&mut names, ty.name_start(NAME), start));
    if with_enumerators {
        let values = Pattern::All.enumerators(btf, usize::MAX);
        values.for_each(|value| add(&mut names, value.name_start(NAME), start));
    }
    Some(names)
}

fn add(names: &mut BTreeSet<String>, name: Name<'_>, start: &str) {
    let is_candidate = name.as_bytes().starts_with(start.as_bytes()) && name.as_bytes().len() < NAME && is_plain(name);
    if let (true, true, Ok(name)) = (is_candidate, names.len() < COUNT, name.to_str()) {
        names.insert(name.into());
    }
}

/// Returns `true` if a name has no characters with a meaning to shells.
fn is_plain(name: Name<'_>) -> bool {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    !name.is_empty() && name.as_bytes().iter().all(is_plain)
}
