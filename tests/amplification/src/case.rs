//! An entry point, the inputs that it is given, and what it costs.

use std::{fmt, io};

use btf_tests::shapes::Shape;

/// Cost of a call, or its limit for each byte that is read or written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Cost {
    /// Basic blocks, and 32 bytes copied, cleared or compared.
    pub(crate) steps: u64,
    /// Bytes allocated in all.
    pub(crate) allocated: u64,
    /// Bytes held at one time.
    pub(crate) peak: u64,
}

/// Makes a cost of steps, bytes allocated and bytes held.
pub(crate) const fn cost(steps: u64, allocated: u64, peak: u64) -> Cost {
    Cost { steps, allocated, peak }
}

/// Something that is called with bytes of somebody else's.
pub(crate) struct Entry {
    /// The function's name, as in the documentation.
    pub(crate) name: &'static str,
    /// The inputs that it is given.
    pub(crate) shapes: &'static [&'static [Shape]],
    /// Bytes of the smallest of the three inputs of each shape.
    pub(crate) size: usize,
    /// Calls it.
    pub(crate) run: fn(&Input, &mut Meter),
    /// Limit of the cost for each byte of input and output.
    pub(crate) most: Cost,
}

/// Input of an entry point: one blob, or several that belong together.
#[derive(Debug)]
pub(crate) struct Input(Vec<Vec<u8>>);

impl Input {
    /// A shape of so many bytes.
    pub(crate) fn of(shape: &Shape, size: usize) -> Self {
        Self((shape.make)(size))
    }

    /// All blobs.
    pub(crate) fn all(&self) -> &[Vec<u8>] {
        &self.0
    }

    /// The only blob.
    pub(crate) fn one(&self) -> &[u8] {
        let [one] = self.parts();
        one
    }

    /// The blobs of a shape that has so many.
    pub(crate) fn parts<const COUNT: usize>(&self) -> [&[u8]; COUNT] {
        let parts: Vec<&[u8]> = self.0.iter().map(Vec::as_slice).collect();
        parts.try_into().expect("entry points are given what they take")
    }

    /// Bytes of all of them.
    fn len(&self) -> usize {
        self.0.iter().map(Vec::len).sum()
    }
}

/// An entry point and one of its shapes.
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

/// Counts calls, and what goes in and comes out of them.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    calls: u64,
    read: u64,
    written: u64,
    /// Cost of another process that was run instead of a call.
    pub(crate) elsewhere: Option<Cost>,
}

impl Meter {
    /// One call more, of which each may cost what the whole input allows.
    pub(crate) fn call(&mut self) {
        self.calls += 1;
    }

    /// Bytes more that were given to a call: a name, a path.
    pub(crate) fn read(&mut self, bytes: usize) {
        self.read += bytes as u64;
    }

    /// Bytes more that were returned.
    pub(crate) fn write(&mut self, bytes: usize) {
        self.written += bytes as u64;
    }

    /// Writes what shows itself.
    pub(crate) fn show(&mut self, text: impl fmt::Display) {
        self.call();
        fmt::write(self, format_args!("{text}")).expect("a meter takes all");
    }

    /// Bytes in, given those of the input: what is packed counts unpacked.
    pub(crate) fn bytes_in(&self, input: &Input, packed: usize) -> u64 {
        (packed + input.len()) as u64 * self.calls.max(1) + self.read
    }

    /// Bytes out.
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

/// Figures of one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Figures {
    pub(crate) read: u64,
    pub(crate) written: u64,
    pub(crate) cost: Cost,
}

impl Figures {
    /// For each byte read or written, in thousandths.
    pub(crate) fn each(&self, part: Part) -> u64 {
        part(&self.cost) * 1000 / (self.read + self.written).max(1)
    }
}

/// A part of a cost.
pub(crate) type Part = fn(&Cost) -> u64;

/// The parts of a cost, by name.
pub(crate) const PARTS: [(&str, Part); 3] =
    [("steps", |cost| cost.steps), ("allocated", |cost| cost.allocated), ("peak", |cost| cost.peak)];

/// Limit of the cost of a byte of four times the input, in percent of that of one.
const GROWTH: u64 = 150;

/// Words in the names of entry points that spend a budget in proportion to the input
/// on what cannot be looked up. Until it is spent, a byte may cost the more the more
/// there are; what it may cost when it is spent bounds it all the same.
const BUDGETED: [&str; 8] = ["dedup", "Relocat", "Trim", "relocs", "relocate", "btf min", "c::Header", "format c"];

/// Returns whether an entry point spends a budget.
fn has_budget(entry: &Entry) -> bool {
    BUDGETED.iter().any(|word| entry.name.contains(word))
}

/// Returns the faults of three runs, each of twice the size.
pub(crate) fn faults(entry: &Entry, runs: &[Figures; 3]) -> Vec<String> {
    let mut faults = Vec::new();
    let [first, _, last] = runs;
    for (name, part) in PARTS {
        let (before, after, most) = (first.each(part), last.each(part), part(&entry.most) * 1000);
        // What begins with nothing may grow a little.
        if after > (before * GROWTH / 100).max(1000) && !has_budget(entry) {
            faults.push(format!("{name} grow"));
        }
        if let Some(worst) = runs.iter().map(|run| run.each(part)).filter(|&each| each > most).max() {
            faults.push(format!("{name} {} > {}", worst / 1000, most / 1000));
        }
    }
    faults
}
