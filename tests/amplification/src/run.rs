//! Runs all cases, each in a separate process, and prints the table.

use std::{
    env,
    process::{Command, ExitCode, Stdio},
    thread,
    time::Instant,
};

use crate::{
    archive, build,
    case::{Case, Cost, Entry, Figures, Input, Meter, PARTS, Part, faults},
    codegen, command, counted, elf, format, kernel, relocate, types,
};

/// All entry points.
const ENTRIES: &[&[Entry]] = &[
    format::ENTRIES,
    types::ENTRIES,
    build::ENTRIES,
    elf::ENTRIES,
    relocate::ENTRIES,
    kernel::ENTRIES,
    archive::ENTRIES,
    codegen::ENTRIES,
    command::ENTRIES,
];

/// Sizes of the three inputs of a case, as multiples of the smallest.
const TIMES: [usize; 3] = [1, 2, 4];

/// Argument that makes this process run one case.
const CHILD: &str = "--case";

/// Argument that prints the table of `ARCHITECTURE.md`.
const TABLE: &str = "--table";

pub(crate) fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.as_slice() {
        [child, case] if child == CHILD => run_here(case),
        [table] if table == TABLE => {
            print!("{}", self::table());
            ExitCode::SUCCESS
        }
        filter => run_all(filter),
    }
}

fn cases() -> Vec<Case> {
    entries().flat_map(|entry| entry.shapes.iter().copied().flatten().map(move |shape| Case { entry, shape })).collect()
}

/// Runs one case, and prints its measurements for the parent process.
fn run_here(name: &str) -> ExitCode {
    let Some(case) = cases().into_iter().find(|case| case.to_string() == name) else { return ExitCode::FAILURE };
    for times in TIMES {
        let size = case.entry.size * times;
        let input = Input::of(case.shape, size);
        let mut meter = Meter::default();
        let cost = thread::scope(|scope| {
            // The stack of a thread is smaller than that of the main thread, so deep
            // recursion is detected.
            scope.spawn(|| counted::count(|| (case.entry.run)(&input, &mut meter))).join()
        });
        let Ok(cost) = cost else { return ExitCode::FAILURE };
        let Cost { steps, allocated, peak } = meter.elsewhere.unwrap_or(cost);
        println!(
            "{} {} {steps} {allocated} {peak}",
            meter.bytes_in(&input, size * case.shape.packed),
            meter.bytes_out()
        );
    }
    ExitCode::SUCCESS
}

/// Runs a case in a child process.
fn run_child(case: &Case) -> Result<[Figures; 3], String> {
    let program = env::current_exe().map_err(|error| error.to_string())?;
    let mut child = Command::new(program);
    child.arg(CHILD).arg(case.to_string()).stdin(Stdio::null());
    let output = child.output().map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout);
    let runs: Vec<Figures> = text.lines().filter_map(figures).collect();
    let at = format!("at {} KiB", TIMES.get(runs.len()).unwrap_or(&0) * case.entry.size / 1024);
    match (<[Figures; 3]>::try_from(runs), output.status.success()) {
        (Ok(runs), true) => Ok(runs),
        _ => match output.status.code().and_then(counted::reason) {
            Some(reason) => Err(format!("{reason} {at}")),
            None => {
                let error = String::from_utf8_lossy(&output.stderr);
                let line = error.lines().find(|line| !line.trim().is_empty() && !line.starts_with("thread"));
                Err(format!("{} {at}: {}", output.status, line.unwrap_or_default()))
            }
        },
    }
}

fn figures(line: &str) -> Option<Figures> {
    let numbers: Vec<u64> = line.split(' ').map_while(|word| word.parse().ok()).collect();
    let &[read, written, steps, allocated, peak] = numbers.as_slice() else { return None };
    Some(Figures { read, written, cost: Cost { steps, allocated, peak } })
}

fn run_all(filter: &[String]) -> ExitCode {
    let wanted = |case: &Case| filter.iter().all(|word| case.to_string().contains(word.as_str()));
    let cases: Vec<Case> = cases().into_iter().filter(wanted).collect();
    let results = btf_elf::on_all_cores(&cases, |case| {
        let start = Instant::now();
        let result = run_child(case);
        // Progress output, as the table is printed only at the end.
        let verdict = verdict(case, &result);
        eprintln!("{case}: {verdict} ({:.1} s)", start.elapsed().as_secs_f64());
        result
    });
    let failed = print(&cases, &results);
    print_worst(&cases, &results);
    println!("\n{} passed, {failed} failed", cases.len() - failed);
    if failed == 0 && !cases.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Returns the verdict on a case: `ok`, or the reason why it failed.
fn verdict(case: &Case, result: &Result<[Figures; 3], String>) -> String {
    let faults = match result {
        Ok(runs) => faults(case.entry, runs).join(", "),
        Err(error) => error.clone(),
    };
    if faults.is_empty() { "ok".into() } else { format!("FAILED: {faults}") }
}

/// Prints the table; returns the number of cases that failed.
fn print(cases: &[Case], results: &[Result<[Figures; 3], String>]) -> usize {
    println!("Per byte read and written, of inputs of n, 2n and 4n bytes; bytes as they were at 4n.\n");
    let heads = PARTS.map(|(name, _)| format!("{:^23}", format!("{name} / byte")));
    println!("{:78} {} {:>9} {:>9}  verdict", "entry point, shape", heads.join(" "), "in", "out");
    let mut failed = 0;
    for (case, result) in cases.iter().zip(results) {
        let name = format!("{:26} {}", case.entry.name, case.shape.name);
        let verdict = verdict(case, result);
        failed += usize::from(verdict.starts_with("FAILED"));
        match result {
            Ok(runs) => {
                let parts = PARTS.map(|(_, part)| {
                    runs.iter()
                        .map(|run| format!("{:>7.2}", run.each(part) as f64 / 1000.0))
                        .collect::<Vec<_>>()
                        .join(" ")
                });
                let [.., last] = runs;
                println!("{name:78} {} {:>9} {:>9}  {verdict}", parts.join(" "), last.read, last.written);
            }
            Err(_) => println!("{name:78} {:91}  {verdict}", ""),
        }
    }
    failed
}

/// Prints the maximum cost of each entry point, and its limit.
fn print_worst(cases: &[Case], results: &[Result<[Figures; 3], String>]) {
    println!("\nThe most of each entry point, and what it may cost:\n");
    for entry in entries() {
        let of_entry = cases.iter().zip(results).filter(|(case, _)| case.entry.name == entry.name);
        let runs: Vec<&Figures> = of_entry.filter_map(|(_, result)| result.as_ref().ok()).flatten().collect();
        if runs.is_empty() {
            continue;
        }
        let part = |(name, part): (&str, Part)| {
            let most = runs.iter().map(|run| run.each(part)).max().unwrap_or_default();
            format!("{name} {:>8.2} of {:<5}", most as f64 / 1000.0, part(&entry.most))
        };
        println!("{:32} {}", entry.name, PARTS.map(part).join(" "));
    }
}

fn entries() -> impl Iterator<Item = &'static Entry> {
    ENTRIES.iter().copied().flatten()
}

/// Returns the table of `ARCHITECTURE.md`.
fn table() -> String {
    let row = |entry: &Entry| {
        let Cost { steps, allocated, peak } = entry.most;
        format!("| `{}` | {steps} | {allocated} | {peak} |\n", entry.name)
    };
    let rows: String = entries().map(row).collect();
    format!("| entry point | steps | allocated | held |\n|---|---|---|---|\n{rows}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn architecture_has_the_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../ARCHITECTURE.md");
        let text = std::fs::read_to_string(path).unwrap();
        let start = text.find("| entry point | steps |").expect("there is a table");
        let end = text[start..].find("\n\n").map_or(text.len(), |len| start + len + 1);
        let is_equal = text[start..end] == table();
        assert!(is_equal, "put what `cargo xtask amplification --table` prints into ARCHITECTURE.md");
    }

    #[test]
    fn entries_have_names_of_their_own() {
        let mut names: Vec<&str> = entries().map(|entry| entry.name).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
