//! Entry points, their inputs, and their costs.

use std::{fmt, io};

use btf_tests::shapes::Shape;

/// Cost of a call, or its limit per byte that is read or written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Cost {
    /// Number of steps: basic blocks, and 32-byte units copied, cleared or compared.
    pub(crate) steps: u64,
    /// Total number of bytes allocated.
    pub(crate) allocated: u64,
    /// Maximum number of bytes held at one time.
    pub(crate) peak: u64,
}

/// Creates a cost from steps, bytes allocated and bytes held.
pub(crate) const fn cost(steps: u64, allocated: u64, peak: u64) -> Cost {
    Cost { steps, allocated, peak }
}

/// Entry point that is called with untrusted bytes.
pub(crate) struct Entry {
    /// Name of the function, as in the documentation.
    pub(crate) name: &'static str,
    /// Shapes of its inputs.
    pub(crate) shapes: &'static [&'static [Shape]],
    /// Size of the smallest of the three inputs of each shape, in bytes.
    pub(crate) size: usize,
    /// Calls the function.
    pub(crate) run: fn(&Input, &mut Meter),
    /// Limit of the cost per byte of input and output.
    pub(crate) most: Cost,
}

/// Input of an entry point: one blob, or several that belong together.
#[derive(Debug)]
pub(crate) struct Input(Vec<Vec<u8>>);

impl Input {
    /// Makes a shape of about `size` bytes.
    pub(crate) fn of(shape: &Shape, size: usize) -> Self {
        Self((shape.make)(size))
    }

    /// Returns all blobs.
    pub(crate) fn all(&self) -> &[Vec<u8>] {
        &self.0
    }

    /// Returns the only blob.
    pub(crate) fn one(&self) -> &[u8] {
        let [one] = self.parts();
        one
    }

    /// Returns the blobs of a shape that has `COUNT` of them.
    pub(crate) fn parts<const COUNT: usize>(&self) -> [&[u8]; COUNT] {
        let parts: Vec<&[u8]> = self.0.iter().map(Vec::as_slice).collect();
        parts.try_into().expect("entry points are given what they take")
    }

    /// Returns the total size of all blobs in bytes.
    fn len(&self) -> usize {
        self.0.iter().map(Vec::len).sum()
    }
}

/// Entry point with one of its shapes.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    pub(crate) entry: &'static Entry,
    pub(crate) shape: &'static Shape,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.entry.name, self.shape.name)
    }
}

/// Counter of calls, and of bytes read and written by them.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    calls: u64,
    read: u64,
    written: u64,
    /// Cost of another process that was run instead of a call.
    pub(crate) elsewhere: Option<Cost>,
}

impl Meter {
    /// Counts a call. Each call may cost as much as the whole input allows.
    pub(crate) fn call(&mut self) {
        self.calls += 1;
    }

    /// Counts bytes passed to a call besides the input: a name, a path.
    pub(crate) fn read(&mut self, bytes: usize) {
        self.read += bytes as u64;
    }

    /// Counts bytes returned.
    pub(crate) fn write(&mut self, bytes: usize) {
        self.written += bytes as u64;
    }

    /// Counts a call that formats a value, with its output.
    pub(crate) fn show(&mut self, text: impl fmt::Display) {
        self.call();
        fmt::write(self, format_args!("{text}")).expect("a meter takes all");
    }

    /// Returns the number of bytes read. `packed` is the decompressed size of
    /// compressed contents, and adds to that of the input.
    pub(crate) fn bytes_in(&self, input: &Input, packed: usize) -> u64 {
        (packed + input.len()) as u64 * self.calls.max(1) + self.read
    }

    /// Returns the number of bytes written.
    pub(crate) fn bytes_out(&self) -> u64 {
        self.written
    }
}

impl fmt::Write for Meter {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.write(text.len());
        Ok(())
    }
}

impl io::Write for Meter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write(bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Measurements of one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Figures {
    pub(crate) read: u64,
    pub(crate) written: u64,
    pub(crate) cost: Cost,
}

impl Figures {
    /// Returns a part of the cost per byte read or written, in thousandths.
    pub(crate) fn each(&self, part: Part) -> u64 {
        part(&self.cost) * 1000 / (self.read + self.written).max(1)
    }
}

/// Part of a cost.
pub(crate) type Part = fn(&Cost) -> u64;

/// Parts of a cost, with their names.
pub(crate) const PARTS: [(&str, Part); 3] =
    [("steps", |cost| cost.steps), ("allocated", |cost| cost.allocated), ("peak", |cost| cost.peak)];

/// Maximum cost per byte of the largest input, in percent of that of the smallest.
const GROWTH: u64 = 150;

/// Words in the names of entry points that have a budget, in proportion to the input, for
/// searches without an index. Until the budget is spent, the cost per byte may grow with
/// the input; the limit of the cost applies all the same.
const BUDGETED: [&str; 8] = ["dedup", "Relocat", "Trim", "relocs", "relocate", "btf min", "c::Header", "format c"];

/// Returns `true` if an entry point has a budget.
fn has_budget(entry: &Entry) -> bool {
    BUDGETED.iter().any(|word| entry.name.contains(word))
}

/// Returns the faults of three runs, each with twice the input of the previous one.
pub(crate) fn faults(entry: &Entry, runs: &[Figures; 3]) -> Vec<String> {
    let mut faults = Vec::new();
    let [first, _, last] = runs;
    for (name, part) in PARTS {
        let (before, after, most) = (first.each(part), last.each(part), part(&entry.most) * 1000);
        // A cost of less than one per byte may grow.
        if after > (before * GROWTH / 100).max(1000) && !has_budget(entry) {
            faults.push(format!("{name} grow"));
        }
        if let Some(worst) = runs.iter().map(|run| run.each(part)).filter(|&each| each > most).max() {
            faults.push(format!("{name} {} > {}", worst / 1000, most / 1000));
        }
    }
    faults
}
