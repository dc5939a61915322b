//! Cost of a separate process: time, and peak memory.

use std::{
    env,
    ffi::OsStr,
    fs,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// Begun before something, printed after it.
pub struct Cost {
    before: u64,
    start: Instant,
    start_cpu: Duration,
}

impl Cost {
    /// From here on. What was opened before does not count.
    pub fn start() -> Self {
        // The most so far becomes what there is now.
        let _ = fs::write("/proc/self/clear_refs", "5");
        Self { before: peak(), start: Instant::now(), start_cpu: cpu() }
    }

    /// The time since in ns.
    pub fn nanos(&self) -> u128 {
        self.start.elapsed().as_nanos()
    }

    /// Prints the time since in ns, and in KiB the most memory that there was at
    /// one time, less what there was at the start.
    pub fn print(&self) {
        self.print_with(self.nanos());
    }

    /// Prints the cost, with the time that this process was on a CPU, which is the time
    /// of one thread on an idle machine.
    pub fn print_cpu(&self) {
        self.print_with((cpu() - self.start_cpu).as_nanos());
    }

    fn print_with(&self, nanos: u128) {
        println!("{nanos}\n{}", peak().saturating_sub(self.before));
    }
}

/// The time that this process was on a CPU.
pub fn cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.try_into().unwrap_or_default()
}

/// The time that the processes which this one started were on a CPU, to a hundredth of a second.
pub fn children() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").expect("/proc is there");
    // Behind the name, which may have spaces in it: `cutime` and `cstime`, in ticks.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields).split_whitespace();
    let ticks: u64 = fields.skip(13).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    Duration::from_millis(10 * ticks)
}

/// The least that something cost of several times.
#[derive(Clone, Copy)]
pub struct Least {
    nanos: u64,
    /// `None` where it was not measured.
    kibibytes: Option<u64>,
    /// The number printed behind the cost, of things done; 0 if there is none.
    pub count: u64,
}

impl Least {
    /// Calls this program with these arguments, some times; `None` if it does not
    /// say what that costs.
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

    /// Milliseconds, with some decimals.
    pub fn time(&self, decimals: usize) -> String {
        let milliseconds = self.nanos as f64 / 1e6;
        format!("{milliseconds:.decimals$} ms")
    }

    /// Megabytes; `-` where they were not measured.
    pub fn memory(&self) -> String {
        self.kibibytes.map_or("-".into(), |kibibytes| format!("{:.1} MB", kibibytes as f64 / 1e3))
    }
}

/// The most memory that this process had at one time, in KiB.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse().unwrap_or_default()
}
