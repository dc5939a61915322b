//! The `btf` command: inspects BTF of kernels, modules and BPF objects.
//!
//! Each file here is one subcommand, which parses arguments and prints results;
//! the crates do the rest.

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

/// Inspects BTF, the type information of Linux kernels and BPF objects.
#[derive(Parser)]
#[command(
    name = "btf",
    version,
    max_term_width = 80,
    after_help = "Without a file, all commands look at the running kernel.\n\nExamples:\n  btf\n  btf show sk_buff\n  btf find 'tcp_*' --kind func\n  btf dump --format json vmlinux.btf\n  btf show vport --base vmlinux.btf ./openvswitch.btf"
)]
struct Arguments {
    /// The default is `info`.
    #[command(subcommand)]
    command: Option<Command>,
    /// Use of colors.
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN", display_order = 100)]
    color: Color,
}

#[derive(Subcommand)]
enum Command {
    /// Prints all types as text, JSON, or declarations in C or Rust.
    Dump(dump::Arguments),
    /// Shows types as C declares them, with offsets, sizes, holes and cache lines.
    Show(show::Arguments),
    /// Finds types and enumerators by name, and uses of a type.
    Find(find::Arguments),
    /// Writes the raw BTF of any source to a file, unchanged.
    Extract(extract::Arguments),
    /// Describes a file and summarizes its BTF: byte order, sections, number of
    /// types by kind.
    Info(info::Arguments),
    /// Prints the CO-RE relocations of a BPF object, resolved for a kernel.
    Relocs(relocs::Arguments),
    /// Writes a BPF object with instructions patched for a kernel.
    Relocate(relocate::Arguments),
    /// Writes the part of a kernel's BTF that BPF programs need (min_core_btf).
    Min(write::min::Arguments),
    /// Shows the source of the kernel's BTF, modules, supported features and
    /// loaded BTF; loads BTF.
    Kernel(kernel::Arguments),
    /// Merges several BTF, such as a kernel and its modules.
    Merge(write::merge::Arguments),
    /// Removes duplicate types and resolves forward declarations.
    Dedup(write::dedup::Arguments),
    /// Sorts types by name, as in kernels since 7.0.
    Sort(write::sort::Arguments),
    /// Distills the base of a module's BTF, and writes both.
    Distill(write::distill::Arguments),
    /// Rebases split BTF from its distilled base onto another kernel's BTF.
    Rebase(write::rebase::Arguments),
    /// Rewrites BTF for a byte order or a kernel version.
    Encode(write::encode::Arguments),
    /// Predicts whether a kernel would load BTF, with the reason, without
    /// loading it.
    Verify(verify::Arguments),
    /// Selects BTF for a kernel from btfhub-archive or a bundle; makes bundles.
    Archive(archive::Arguments),
    /// Prints a completion script for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Prints the candidates for the last word of a line, for the scripts of
    /// `completions`.
    #[command(hide = true)]
    Complete {
        /// The words of the line after the command.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<String>,
    },
}

impl Command {
    /// Exit status of a failed command: 2 if status 1 means a finding.
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

/// Runs a command. Returns `false` for a finding.
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
    // Output written before an error must appear before it.
    out.flush()?;
    result.map(|()| is_fine)
}

/// Prints an error. An I/O error without a path is one of standard output. As it may contain text from files, all control characters
/// other than line ends are escaped.
fn report(error: &(dyn Error + 'static)) {
    let place = if error.is::<io::Error>() { "cannot write to standard output: " } else { "" };
    eprintln!("btf: {place}{}", escaped_lines(&with_causes(error)));
}

/// Prints a warning.
fn warn(error: &(dyn Error + 'static)) {
    eprintln!("btf: (passed over) {}", escaped_lines(&with_causes(error)));
}

fn escaped_lines(text: &str) -> String {
    let lines: Vec<_> = text.split('\n').map(|line| Escaped::new(line).to_string()).collect();
    lines.join("\n")
}

/// Combines several errors, one per line.
fn failures(errors: Vec<Box<dyn Error>>) -> Result {
    if errors.is_empty() {
        return Ok(());
    }
    let lines: Vec<_> = errors.iter().map(|error| with_causes(&**error)).collect();
    Err(lines.join("\n").into())
}

/// Result of a command.
type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

/// Returns `true` if the reader of the output has closed the pipe.
fn is_closed_pipe(error: &(dyn Error + 'static)) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// Returns an error with its causes, on one line. The places searched for a
/// kernel's BTF follow on separate lines.
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
