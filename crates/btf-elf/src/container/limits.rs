//! Limits on decoding, and the budget of one file.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use crate::{Compression, Error};

/// Limits on what decoding may yield and hold.
///
/// A few bytes can be made that decode to terabytes; whatever exceeds these
/// ends in an error, and not in memory. They hold for a file as a whole: all
/// its layers and compressed sections together decode to at most
/// [`output`](Self::output) bytes, and to at most [`ratio`](Self::ratio) times
/// the length of the file.
///
/// ```
/// use btf_elf::Limits;
///
/// // A kernel with debug information, packed, may need more than the default.
/// let limits = Limits::IMAGE.output(1 << 30);
/// assert_eq!(limits.max_output(), 1 << 30);
/// assert_eq!(limits.max_ratio(), Limits::IMAGE.max_ratio());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Limits {
    output: u64,
    window: u64,
    ratio: u64,
}

impl Limits {
    /// For BTF: 64 MiB. (The kernel's is about 6 MiB, and it loads at most 16.)
    pub const BTF: Self = Self { output: 64 << 20, ..Self::IMAGE };

    /// For kernel images and modules, which hold more than BTF: 192 MiB (those
    /// of distributions have 60 to 90), a window of 128 MiB as `zstd --ultra
    /// -22` makes it, 64 times the input (kernels have 4 to 8).
    pub const IMAGE: Self = Self { output: 192 << 20, window: 128 << 20, ratio: 64 };

    /// The ratio is not enforced below this many **bytes** of output.
    pub const RATIO_FROM: u64 = 16 << 20;

    /// Sets the maximum number of **bytes** that are decoded, and that are read
    /// at once of a file that is not.
    #[must_use]
    pub const fn output(self, bytes: u64) -> Self {
        Self { output: bytes, ..self }
    }

    /// Sets the maximum number of **bytes** that a decoder holds of what it has
    /// decoded, to refer back to; the encoder has chosen how many it needs.
    #[must_use]
    pub const fn window(self, bytes: u64) -> Self {
        Self { window: bytes, ..self }
    }

    /// Sets how many times the bytes read the bytes decoded may be, once there
    /// are more than [`Limits::RATIO_FROM`].
    #[must_use]
    pub const fn ratio(self, ratio: u64) -> Self {
        Self { ratio, ..self }
    }

    /// Maximum number of **bytes** that are decoded.
    #[must_use]
    pub const fn max_output(self) -> u64 {
        self.output
    }

    /// Maximum number of **bytes** of a decoder's window.
    #[must_use]
    pub const fn max_window(self) -> u64 {
        self.window
    }

    /// Maximum ratio of bytes decoded to bytes read.
    #[must_use]
    pub const fn max_ratio(self) -> u64 {
        self.ratio
    }

    /// The most that an input of this length may decode to.
    fn output_of(self, input: u64) -> u64 {
        self.output.min(Self::RATIO_FROM.max(self.ratio.saturating_mul(input)))
    }
}

/// What one file may decode to, its layers and sections together.
#[derive(Debug)]
pub(crate) struct Budget {
    limits: Limits,
    /// The length of the file.
    input: u64,
    spent: Mutex<Spent>,
}

#[derive(Debug, Default)]
struct Spent {
    total: u64,
    /// Of the total, those of sections that were decoded: one that is asked for
    /// again costs nothing.
    sections: HashMap<u32, u64>,
}

impl Budget {
    pub(crate) fn new(limits: Limits, input: u64) -> Self {
        Self { limits, input, spent: Mutex::default() }
    }

    fn limit(&self) -> u64 {
        self.limits.output_of(self.input)
    }

    fn spent(&self) -> std::sync::MutexGuard<'_, Spent> {
        self.spent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Limits on a layer that is decoded next.
    pub(crate) fn layer(&self) -> Limits {
        self.limits.output(self.limit().saturating_sub(self.spent().total))
    }

    /// Takes notice of a layer that was decoded.
    pub(crate) fn spend(&self, bytes: u64) {
        self.spent().total += bytes;
    }

    /// Limits on a section that is decoded next.
    pub(crate) fn section(&self, index: u32) -> Limits {
        let spent = self.spent();
        let before = spent.sections.get(&index).copied().unwrap_or(0);
        let left = self.limit().saturating_sub(spent.total) + before;
        self.limits.output(left.min(Limits::BTF.output))
    }

    /// Takes notice of a section that was decoded.
    pub(crate) fn spend_section(&self, index: u32, bytes: u64) {
        let mut spent = self.spent();
        let before = spent.sections.insert(index, bytes).unwrap_or(0);
        spent.total = spent.total.saturating_sub(before) + bytes;
    }

    /// The error of decoding more than was given for a layer. If that was less
    /// than what one layer may decode to by itself, the reason is what the file
    /// has decoded to before, or its length.
    pub(crate) fn explain(&self, error: Error, given: Limits) -> Error {
        match error {
            Error::OutputLimit { .. } if given.output < self.limits.output => self.file_output_limit(),
            other => other,
        }
    }

    /// The error of a section that says that it decodes to more than was given.
    pub(crate) fn refuse_section(&self, compression: Compression, expected: u64) -> Error {
        match self.limits.output.min(Limits::BTF.output) {
            limit if expected > limit => Error::OutputLimit { compression, limit },
            _ => self.file_output_limit(),
        }
    }

    fn file_output_limit(&self) -> Error {
        Error::FileOutputLimit { limit: self.limit(), len: self.input }
    }

    /// The budget of a part of the file, which has decoded to as much.
    pub(crate) fn fork(&self) -> Self {
        let spent = Spent { total: self.spent().total, sections: HashMap::new() };
        Self { limits: self.limits, input: self.input, spent: Mutex::new(spent) }
    }
}
