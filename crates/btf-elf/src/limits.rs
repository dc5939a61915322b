//! What decoding may cost.

/// Limits on what decoding may yield and hold.
///
/// A few bytes can be made that decode to terabytes; whatever exceeds these
/// ends in an error, and not in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Limits {
    /// The most **bytes** that are decoded.
    pub output: u64,
    /// The most **bytes** that a decoder holds of what it has decoded, to refer
    /// back to; the encoder has chosen how many it needs.
    pub window: u64,
    /// How many times the bytes read the bytes decoded may be, once there are
    /// more than [`Limits::RATIO_FROM`].
    pub ratio: u64,
}

impl Limits {
    /// For BTF: 64 MiB. (The kernel's is about 6 MiB, and it loads at most 16.)
    pub const BTF: Self = Self { output: 64 << 20, ..Self::IMAGE };

    /// For kernel images and modules, which hold more than BTF: 1 GiB, a window
    /// of 128 MiB as `zstd --ultra -22` makes it, a thousandfold.
    pub const IMAGE: Self = Self { output: 1 << 30, window: 128 << 20, ratio: 1000 };

    /// As many bytes decoded are not suspicious, however few they came from.
    pub const RATIO_FROM: u64 = 16 << 20;
}
