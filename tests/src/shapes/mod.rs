//! Inputs that share one thing among many, or multiply many by many: what a
//! careless reader pays for with time or memory out of all proportion.
//!
//! Each shape can be made at any size, so that `tests/amplification` sees how
//! the cost grows; small ones are seeds of the fuzz targets.

pub mod btf;
pub mod elf;
pub mod ext;
pub mod kernel;
pub mod relocate;
#[cfg(target_os = "linux")]
pub mod tar;
pub mod text;

/// A way to make an input of about so many bytes: one blob, or several that
/// belong together.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Name: what is shared or multiplied.
    pub name: &'static str,
    /// Makes it.
    pub make: fn(usize) -> Vec<Vec<u8>>,
    /// Ratio of the size of what is packed inside, if anything is.
    pub packed: usize,
}

impl Shape {
    /// One that has nothing packed inside.
    #[must_use]
    pub const fn new(name: &'static str, make: fn(usize) -> Vec<Vec<u8>>) -> Self {
        Self { name, make, packed: 0 }
    }
}

/// Shapes of one blob: functions and their names, and for those that have
/// something packed inside how much.
macro_rules! shapes {
    ($($name:ident $(* $packed:expr)?),* $(,)?) => {
        &[$($crate::shapes::Shape {
            name: stringify!($name),
            make: |size| vec![$name(size)],
            packed: 0 $(+ $packed)?,
        }),*]
    };
}
pub(crate) use shapes;
