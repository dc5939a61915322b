//! The `btf` command: looks at the BTF of kernels, modules and BPF objects.
//!
//! Thin: each file here is one command, and knows how to ask and to print;
//! what BTF is, the crates know.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::disallowed_methods, clippy::disallowed_types))]

mod archive;
mod complete;
mod dump;
mod extract;
mod find;
mod hint;
mod info;
mod json;
mod kernel;
mod output;
mod pattern;
mod relocate;
mod relocs;
mod show;
mod similar;
mod source;
mod tag;
mod target;
mod verify;
mod word;
mod write;

use std::{error::Error, io, process::ExitCode};

use btf_types::format::Escaped;
use clap::{CommandFactory, Parser, Subcommand};

use crate::output::{Color, Stdout};

/// Looks at BTF, the type information of Linux kernels and BPF objects.
#[derive(Parser)]
#[command(
    name = "btf",
    version,
    max_term_width = 80,
    after_help = "Without a file, all commands look at the running kernel.\n\nExamples:\n  btf\n  btf show sk_buff\n  btf find 'tcp_*' --kind func\n  btf dump --format json vmlinux.btf\n  btf show vport --base vmlinux.btf ./openvswitch.btf"
)]
struct Arguments {
    /// Without one: `info`.
    #[command(subcommand)]
    command: Option<Command>,
    /// When to color the output.
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN", display_order = 100)]
    color: Color,
}

#[derive(Subcommand)]
enum Command {
    /// Prints all types, a record a line, or as JSON.
    Dump(dump::Arguments),
    /// Shows types as C declares them, with offsets, sizes, holes and cache lines.
    Show(show::Arguments),
    /// Finds types and enumerators by name, and what uses or contains a type.
    Find(find::Arguments),
    /// Writes the raw BTF of any source to a file, as it is.
    Extract(extract::Arguments),
    /// Says what a file is, and what its BTF holds: byte order, sections, how many
    /// types of which kind.
    Info(info::Arguments),
    /// Prints the CO-RE relocations of a BPF object, resolved for a kernel.
    Relocs(relocs::Arguments),
    /// Writes a BPF object whose instructions are patched for a kernel.
    Relocate(relocate::Arguments),
    /// Writes the part of a kernel's BTF that BPF programs need.
    Min(write::min::Arguments),
    /// Says where the kernel's BTF is, which modules there are, what the kernel
    /// knows, and what is loaded.
    Kernel(kernel::Arguments),
    /// Writes several BTF as one: a kernel and its modules, or any.
    Merge(write::merge::Arguments),
    /// Writes BTF without duplicates: of equal types one, forward declarations resolved.
    Dedup(write::dedup::Arguments),
    /// Writes BTF with its types in the order of their names, as kernels since 7.0
    /// have them.
    Sort(write::sort::Arguments),
    /// Writes split BTF on a base of just what it needs, and that base.
    Distill(write::distill::Arguments),
    /// Writes split BTF from its distilled base onto another kernel's.
    Rebase(write::rebase::Arguments),
    /// Writes BTF anew, for a byte order or a kernel version.
    Encode(write::encode::Arguments),
    /// Says whether a kernel would load BTF, and if not, why, without asking it.
    Verify(verify::Arguments),
    /// Selects the BTF of a kernel out of btfhub-archive, or a bundle of it; makes
    /// bundles.
    Archive(archive::Arguments),
    /// Prints what a shell needs to complete this command's arguments.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Prints the candidates for the last word of a line; the scripts that
    /// `completions` prints ask for them.
    #[command(hide = true)]
    Complete {
        /// The line's words after the command.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<String>,
    },
}

impl Command {
    /// Exit status if the command fails. Where 1 is what it found, it is 2.
    const fn failure(&self) -> u8 {
        match self {
            Self::Verify(_) => 2,
            _ => 1,
        }
    }
}

fn main() -> ExitCode {
    let Arguments { command, color } = Arguments::parse();
    let command = command.unwrap_or_else(|| Command::Info(info::Arguments::default()));
    let failure = command.failure();
    match run(command, color) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) if is_closed_pipe(&*error) => ExitCode::SUCCESS,
        Err(error) => {
            report(&*error);
            ExitCode::from(failure)
        }
    }
}

/// Runs a command; returns whether what it looked for is as it should be.
fn run(command: Command, color: Color) -> Result<bool> {
    let mut out = Stdout::new(color);
    let mut is_fine = true;
    let result = match command {
        Command::Dump(arguments) => dump::run(&arguments, &mut out),
        Command::Extract(arguments) => extract::run(&arguments),
        Command::Show(arguments) => show::run(&arguments, &mut out),
        Command::Find(arguments) => find::run(&arguments, &mut out),
        Command::Info(arguments) => info::run(&arguments, &mut out),
        Command::Relocs(arguments) => relocs::run(&arguments, &mut out),
        Command::Relocate(arguments) => relocate::run(&arguments),
        Command::Min(arguments) => write::min::run(&arguments),
        Command::Kernel(arguments) => kernel::run(&arguments),
        Command::Merge(arguments) => write::merge::run(&arguments),
        Command::Dedup(arguments) => write::dedup::run(&arguments),
        Command::Sort(arguments) => write::sort::run(&arguments),
        Command::Distill(arguments) => write::distill::run(&arguments),
        Command::Rebase(arguments) => write::rebase::run(&arguments),
        Command::Encode(arguments) => write::encode::run(&arguments),
        Command::Verify(arguments) => verify::run(&arguments, &mut out).map(|accepted| is_fine = accepted),
        Command::Archive(arguments) => archive::run(&arguments),
        Command::Completions { shell } => {
            complete::script(shell, &mut Arguments::command(), &mut out).map_err(Into::into)
        }
        Command::Complete { words } => complete::run(&words, &mut out).map_err(Into::into),
    };
    // What was printed before an error is shown before it.
    out.flush()?;
    result.map(|()| is_fine)
}

/// Prints an error. Texts of files may be in it: no control character gets to
/// the terminal but the ends of its lines.
fn report(error: &(dyn Error + 'static)) {
    eprintln!("btf: {}", escaped_lines(&with_causes(error)));
}

/// Prints an error that is none of the command's.
fn warn(error: &(dyn Error + 'static)) {
    eprintln!("btf: (passed over) {}", escaped_lines(&with_causes(error)));
}

fn escaped_lines(text: &str) -> String {
    let lines: Vec<_> = text.split('\n').map(|line| Escaped::new(line).to_string()).collect();
    lines.join("\n")
}

/// One error of several, on a line each.
fn failures(errors: Vec<Box<dyn Error>>) -> Result {
    if errors.is_empty() {
        return Ok(());
    }
    let lines: Vec<_> = errors.iter().map(|error| with_causes(&**error)).collect();
    Err(lines.join("\n").into())
}

/// What a command fails with.
type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

/// Whoever reads our output has read enough.
fn is_closed_pipe(error: &(dyn Error + 'static)) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// An error and what caused it, on one line; but for the places where a kernel's
/// BTF was looked for.
fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut text = hint::with_options(error);
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
