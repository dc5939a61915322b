//! What something costs: time, and memory at most.

use std::{fs, time::Instant};

/// Begun before something, printed after it.
pub struct Cost {
    before: u64,
    start: Instant,
}

impl Cost {
    /// From here on. What was opened before does not count.
    pub fn start() -> Self {
        // The most so far becomes what there is now.
        let _ = fs::write("/proc/self/clear_refs", "5");
        Self { before: peak(), start: Instant::now() }
    }

    /// The time since in ns.
    pub fn nanos(&self) -> u128 {
        self.start.elapsed().as_nanos()
    }

    /// Prints the time since in ns, and in KiB the most memory that there was at
    /// one time, less what there was at the start.
    pub fn print(&self) {
        let time = self.nanos();
        println!("{time}\n{}", peak().saturating_sub(self.before));
    }
}

/// The most memory that this process had at one time, in KiB.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse().unwrap_or_default()
}
