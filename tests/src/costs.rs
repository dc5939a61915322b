//! Costs of entry points as stated in `ARCHITECTURE.md`. (`tests/amplification`
//! measures the costs, and checks that the table has its bounds.)

use std::sync::OnceLock;

/// Bytes that a call may allocate per byte that it reads or writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Total of all allocations.
    pub allocated: u64,
    /// Maximum allocated at one time.
    pub held: u64,
}

/// Returns the cost of an entry point, by its name in the table.
///
/// # Panics
///
/// If the table has no such row.
#[must_use]
pub fn of(entry: &str) -> Cost {
    static TABLE: OnceLock<Vec<(&str, Cost)>> = OnceLock::new();
    let table = TABLE.get_or_init(|| include_str!("../../ARCHITECTURE.md").lines().filter_map(row).collect());
    let row = table.iter().find(|(name, _)| *name == entry);
    row.unwrap_or_else(|| panic!("ARCHITECTURE.md has no row for `{entry}`")).1
}

/// Parses a row of the table: name, steps, bytes allocated, bytes held.
fn row(line: &str) -> Option<(&str, Cost)> {
    let (name, costs) = line.strip_prefix("| `")?.strip_suffix(" |")?.split_once("` | ")?;
    let costs: Vec<u64> = costs.split(" | ").map_while(|cost| cost.parse().ok()).collect();
    let [_, allocated, held] = costs[..] else { return None };
    Some((name, Cost { allocated, held }))
}

#[cfg(test)]
mod tests {
    use super::{Cost, of};

    #[test]
    fn rows_are_found_by_name() {
        assert_eq!(of("modules_dep"), Cost { allocated: 0, held: 0 });
        let parse = of("Btf::parse");
        assert!(parse.held > 0 && parse.held <= parse.allocated, "{parse:?}");
    }

    #[test]
    #[should_panic(expected = "no row for `Btf::parsed`")]
    fn unknown_entry_points_are_reported() {
        let _ = of("Btf::parsed");
    }
}
