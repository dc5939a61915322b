//! Runs every library, and prints the table.

use std::{collections::HashMap, env, path::Path, process::Command};

use crate::{Entry, measure::ROWS};

const ROUNDS: usize = 3;

/// What one library said of one row: the least of all rounds, and the sum.
type Cells = HashMap<String, (u64, u64)>;

/// Measures all libraries on a file and prints a table in Markdown.
pub fn print(title: &str, path: &Path, peers: &[Entry]) {
    let mut columns: Vec<(&str, Cells)> = peers.iter().map(|&(name, _)| (name, Cells::new())).collect();
    for _ in 0..ROUNDS {
        for (name, cells) in &mut columns {
            for (key, value, sum) in measure(name, path) {
                let cell = cells.entry(key).or_insert((value, sum));
                cell.0 = cell.0.min(value);
            }
        }
    }
    println!("\n{title}: fastest of {ROUNDS} rounds; in brackets the ratio to the floor\n");
    println!("| operation |{}", columns.iter().map(|(name, _)| format!(" {name} |")).collect::<String>());
    println!("|---|{}", "---|".repeat(columns.len()));
    for (key, label) in ROWS {
        let floor = columns.iter().find(|(name, _)| *name == "floor").and_then(|(_, cells)| cells.get(key)).copied();
        let row: String = columns.iter().map(|(name, cells)| format!(" {} |", cell(name, key, cells, floor))).collect();
        println!("| {label} |{row}");
    }
}

fn cell(name: &str, key: &str, cells: &Cells, floor: Option<(u64, u64)>) -> String {
    let Some(&(value, sum)) = cells.get(key) else { return "-".into() };
    // What C takes from malloc is not seen by Rust's allocator.
    if name == "libbpf" && matches!(key, "peak" | "allocations") {
        return "-".into();
    }
    let (floor, expected) = floor.unwrap_or((value, sum));
    assert_eq!(sum, expected, "{name} has another answer for {key} than the floor");
    let text = match key {
        "allocations" => return value.to_string(),
        "resident" | "peak" => format!("{:.2} MB", value as f64 / 1e6),
        _ if value < 1_000_000 => format!("{:.1} ns", value as f64 / 1e3),
        _ => format!("{:.3} ms", value as f64 / 1e9),
    };
    format!("{text} ({:.2})", value as f64 / floor as f64)
}

fn measure(name: &str, path: &Path) -> Vec<(String, u64, u64)> {
    let program = env::current_exe().expect("the program knows where it is");
    let output = Command::new(program).arg("--measure").arg(name).arg(path).output().expect("the program runs");
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
