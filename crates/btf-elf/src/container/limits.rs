//! Limits on decoding, and the budget of one file.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use crate::{Compression, Error};

/// Limits on the output and the memory of decoding.
///
/// A few bytes can decode to terabytes. Exceeding a limit is an error. The
/// limits apply to a file as a whole: all layers and compressed sections
/// together decode to at most [`output`](Self::output) bytes, and to at most
/// [`ratio`](Self::ratio) times the length of the file.
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
    /// Limits for BTF: 64 MiB. (The BTF of a kernel has about 6 MiB, and
    /// kernels load at most 16 MiB.)
    pub const BTF: Self = Self { output: 64 << 20, ..Self::IMAGE };

    /// Limits for kernel images and modules: 192 MiB (distributions have 60 to
    /// 90), a window of 128 MiB as made by `zstd --ultra -22`, and 64 times the
    /// input (kernels have 4 to 8).
    pub const IMAGE: Self = Self { output: 192 << 20, window: 128 << 20, ratio: 64 };

    /// The ratio is not enforced below this many **bytes** of output.
    pub const RATIO_FROM: u64 = 16 << 20;

    /// Sets the maximum number of decoded **bytes**, and of bytes read at once
    /// from a file that is not compressed.
    #[must_use]
    pub const fn output(self, bytes: u64) -> Self {
        Self { output: bytes, ..self }
    }

    /// Sets the maximum size of a decoder's window in **bytes**. The encoder
    /// determines the size that is needed.
    #[must_use]
    pub const fn window(self, bytes: u64) -> Self {
        Self { window: bytes, ..self }
    }

    /// Sets the maximum ratio of decoded to read bytes, which applies to more
    /// than [`Limits::RATIO_FROM`] bytes of output.
    #[must_use]
    pub const fn ratio(self, ratio: u64) -> Self {
        Self { ratio, ..self }
    }

    /// Maximum number of decoded **bytes**.
    #[must_use]
    pub const fn max_output(self) -> u64 {
        self.output
    }

    /// Maximum size of a decoder's window in **bytes**.
    #[must_use]
    pub const fn max_window(self) -> u64 {
        self.window
    }

    /// Maximum ratio of decoded to read bytes.
    #[must_use]
    pub const fn max_ratio(self) -> u64 {
        self.ratio
    }

    /// Maximum output for an input of this length.
    fn output_of(self, input: u64) -> u64 {
        self.output.min(Self::RATIO_FROM.max(self.ratio.saturating_mul(input)))
    }
}

/// Decoding budget of one file, for all layers and sections together.
#[derive(Debug)]
pub(crate) struct Budget {
    limits: Limits,
    /// Length of the file.
    input: u64,
    spent: Mutex<Spent>,
}

#[derive(Debug, Default)]
struct Spent {
    total: u64,
    /// Size in bytes of each decoded section, which is charged only once.
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

    /// Returns the limits for the next layer.
    pub(crate) fn layer(&self) -> Limits {
        self.limits.output(self.limit().saturating_sub(self.spent().total))
    }

    /// Charges a decoded layer.
    pub(crate) fn spend(&self, bytes: u64) {
        self.spent().total += bytes;
    }

    /// Returns the limits for decoding a section.
    pub(crate) fn section(&self, index: u32) -> Limits {
        let spent = self.spent();
        let before = spent.sections.get(&index).copied().unwrap_or(0);
        let left = self.limit().saturating_sub(spent.total) + before;
        self.limits.output(left.min(Limits::BTF.output))
    }

    /// Charges a decoded section.
    pub(crate) fn spend_section(&self, index: u32, bytes: u64) {
        let mut spent = self.spent();
        let before = spent.sections.insert(index, bytes).unwrap_or(0);
        spent.total = spent.total.saturating_sub(before) + bytes;
    }

    /// Replaces the error of a layer that exceeded the limits `given` to it. If
    /// these were below the limits for a single layer, the cause is the whole
    /// file: its earlier layers, or its length.
    pub(crate) fn explain(&self, error: Error, given: Limits) -> Error {
        match error {
            Error::OutputLimit { .. } if given.output < self.limits.output => self.file_output_limit(),
            other => other,
        }
    }

    /// Returns the error of a section whose decoded size exceeds the limits
    /// given to it.
    pub(crate) fn refuse_section(&self, compression: Compression, expected: u64) -> Error {
        match self.limits.output.min(Limits::BTF.output) {
            limit if expected > limit => Error::OutputLimit { compression, limit },
            _ => self.file_output_limit(),
        }
    }

    fn file_output_limit(&self) -> Error {
        Error::FileOutputLimit { limit: self.limit(), len: self.input }
    }

    /// Returns a separate budget for a part of the file, with the same amount
    /// already spent.
    pub(crate) fn fork(&self) -> Self {
        let spent = Spent { total: self.spent().total, sections: HashMap::new() };
        Self { limits: self.limits, input: self.input, spent: Mutex::new(spent) }
    }
}
