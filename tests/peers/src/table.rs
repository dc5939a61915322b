//! Runs every library, and prints the table.

use std::{collections::HashMap, env, fs, path::Path, process::Command};

use crate::{
    Entry,
    measure::{self, NAMES, ROWS},
};

const ROUNDS: usize = 3;

/// Results of one library by row: the minimum of all rounds, and the checksum.
pub type Cells = HashMap<String, (u64, u64)>;

/// Measures all libraries on a file and prints a table in Markdown.
pub fn print(title: &str, path: &Path, module: Option<&Path>, peers: &[Entry], folder: &Path) {
    let columns = columns(path, module, peers, folder);
    println!("\n{title}: fastest of {ROUNDS} rounds; in brackets the ratio to the floor\n");
    println!("| operation |{}", columns.iter().map(|(name, _)| format!(" {name} |")).collect::<String>());
    println!("|---|{}", "---|".repeat(columns.len()));
    for (key, label) in ROWS.into_iter().filter(|(key, _)| columns.iter().any(|(_, cells)| cells.contains_key(*key))) {
        let floor = columns.iter().find(|(name, _)| *name == "floor").and_then(|(_, cells)| cells.get(key)).copied();
        let row: String = columns.iter().map(|(name, cells)| format!(" {} |", cell(name, key, cells, floor))).collect();
        println!("| {label} |{row}");
    }
}

/// Returns the results of each library for a file.
pub fn columns(path: &Path, module: Option<&Path>, peers: &[Entry], folder: &Path) -> Vec<(&'static str, Cells)> {
    let names = folder.join(format!("btf-peers-names-{}", std::process::id()));
    let btf = btf_types::Btf::parse(fs::read(path).expect("the file can be read")).expect("the file is sound");
    fs::write(&names, measure::names(&btf, 10).join("\n")).expect("the folder can be written to");
    drop(btf);
    let mut columns: Vec<(&str, Cells)> = peers.iter().map(|&(name, _)| (name, Cells::new())).collect();
    for _ in 0..ROUNDS {
        for (name, cells) in &mut columns {
            for (key, value, sum) in measured(name, path, module, &names) {
                let cell = cells.entry(key).or_insert((value, sum));
                cell.0 = cell.0.min(value);
            }
        }
    }
    fs::remove_file(&names).expect("what was written can be removed");
    columns
}

fn cell(name: &str, key: &str, cells: &Cells, floor: Option<(u64, u64)>) -> String {
    let Some(&(value, sum)) = cells.get(key) else { return "-".into() };
    // Rust's allocator does not see allocations with C's malloc.
    if name == "libbpf" && matches!(key, "peak" | "allocations") {
        return "-".into();
    }
    let (floor, expected) = floor.unwrap_or((0, sum));
    assert_eq!(sum, expected, "{name} has another answer for {key} than the floor");
    let text = match key {
        "allocations" => return value.to_string(),
        "resident" | "resident_index" | "peak" => format!("{:.2} MB", value as f64 / 1e6),
        _ if value < 1_000_000 => format!("{:.1} ns", value as f64 / 1e3),
        _ => format!("{:.3} ms", value as f64 / 1e9),
    };
    if floor == 0 { text } else { format!("{text} ({:.2})", value as f64 / floor as f64) }
}

fn measured(name: &str, path: &Path, module: Option<&Path>, names: &Path) -> Vec<(String, u64, u64)> {
    let program = env::current_exe().expect("the program knows where it is");
    let mut command = Command::new(program);
    command.env(NAMES, names).arg("--measure").arg(name).arg(path).args(module);
    let output = command.output().expect("the program runs");
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("text");
    let field = |field: Option<&str>| field.and_then(|field| field.parse().ok()).expect("a number");
    text.lines()
        .map(|line| {
            let mut fields = line.split('\t');
            (fields.next().expect("a key").to_owned(), field(fields.next()), field(fields.next()))
        })
        .collect()
}
