//! Cost of a separate process: time, and peak memory.

use std::{
    env,
    ffi::OsStr,
    fs,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// Measurement of the cost of some work in this process.
pub struct Cost {
    before: u64,
    start: Instant,
    start_cpu: Duration,
}

impl Cost {
    /// Starts the measurement. Memory that is already in use does not count.
    pub fn start() -> Self {
        // Reset the peak (VmHWM) to the current use.
        let _ = fs::write("/proc/self/clear_refs", "5");
        Self { before: peak(), start: Instant::now(), start_cpu: cpu() }
    }

    /// Returns the elapsed time in ns.
    pub fn nanos(&self) -> u128 {
        self.start.elapsed().as_nanos()
    }

    /// Prints the elapsed time in ns, and the peak memory since the start in KiB,
    /// less the memory at the start.
    pub fn print(&self) {
        self.print_with(self.nanos());
    }

    /// Prints the cost with the CPU time of this process instead of the elapsed time. For
    /// one thread on an idle machine, they are equal.
    pub fn print_cpu(&self) {
        self.print_with((cpu() - self.start_cpu).as_nanos());
    }

    fn print_with(&self, nanos: u128) {
        println!("{nanos}\n{}", peak().saturating_sub(self.before));
    }
}

/// Returns the CPU time of this process.
pub fn cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.try_into().unwrap_or_default()
}

/// Returns the CPU time of the finished child processes, with a resolution of 10 ms.
pub fn children() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").expect("/proc is there");
    // After the name, which may contain spaces: `cutime` and `cstime`, in ticks.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields).split_whitespace();
    let ticks: u64 = fields.skip(13).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    Duration::from_millis(10 * ticks)
}

/// Minimum cost of several runs.
#[derive(Clone, Copy)]
pub struct Least {
    nanos: u64,
    /// `None` if it was not measured.
    kibibytes: Option<u64>,
    /// Number of items that the last run printed after its cost; 0 if there is none.
    pub count: u64,
}

impl Least {
    /// Runs this program several times with these arguments; `None` if a run does
    /// not print a cost.
    pub fn of(rounds: usize, arguments: &[&OsStr]) -> Option<Self> {
        let one = || {
            let program = env::current_exe().expect("the program knows where it is");
            let output = Command::new(program).args(arguments).stderr(Stdio::inherit()).output();
            let text = String::from_utf8(output.expect("the program runs").stdout).expect("text");
            let mut numbers = text.lines().filter_map(|line| line.parse().ok());
            Some(Self { nanos: numbers.next()?, kibibytes: numbers.next(), count: numbers.next().unwrap_or(0) })
        };
        let all = (0..rounds).map(|_| one()).collect::<Option<Vec<_>>>()?;
        all.into_iter().reduce(|one, other| Self {
            nanos: one.nanos.min(other.nanos),
            kibibytes: one.kibibytes.min(other.kibibytes),
            count: other.count,
        })
    }

    /// Returns the time in milliseconds, with a number of decimals.
    pub fn time(&self, decimals: usize) -> String {
        let milliseconds = self.nanos as f64 / 1e6;
        format!("{milliseconds:.decimals$} ms")
    }

    /// Returns the memory in megabytes; `-` if it was not measured.
    pub fn memory(&self) -> String {
        self.kibibytes.map_or("-".into(), |kibibytes| format!("{:.1} MB", kibibytes as f64 / 1e3))
    }
}

/// Returns the peak memory of this process in KiB.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse().unwrap_or_default()
}
