//! Inputs in which many items share one, or the items of two lists are combined: a
//! careless reader needs time or memory out of all proportion to their size.
//!
//! Each shape can be made at any size, so that `tests/amplification` can measure how
//! the cost grows; small ones are seeds of the fuzz targets.

pub mod btf;
pub mod elf;
pub mod ext;
pub mod kernel;
pub mod relocate;
#[cfg(target_os = "linux")]
pub mod tar;
pub mod text;

/// Kind of input that can be made at any size: one blob, or several that belong
/// together.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Name, which describes the shared or combined items.
    pub name: &'static str,
    /// Makes an input of about this many bytes.
    pub make: fn(usize) -> Vec<Vec<u8>>,
    /// Ratio of the decompressed contents to the requested size; 0 if nothing is
    /// compressed.
    pub packed: usize,
}

impl Shape {
    /// Creates a shape without compressed contents.
    #[must_use]
    pub const fn new(name: &'static str, make: fn(usize) -> Vec<Vec<u8>>) -> Self {
        Self { name, make, packed: 0 }
    }
}

/// Makes a list of shapes of one blob from the functions that make them. `* N` sets
/// `packed`.
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
