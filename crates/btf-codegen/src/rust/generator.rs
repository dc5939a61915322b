//! State of one run: the selected types, their names and layouts, and the pending text.

use std::fmt::{self, Write as _};

use btf_types::{Btf, Type};

use super::{layout::Layout, names::Names, select::Selection, support::Used, types::Form};
use crate::Error;

/// Number of bytes buffered before they are written out.
const BUFFER: usize = 1 << 15;
/// Maximum number of types in a chain, or of nested structs. (rustc gives up after 128.)
pub(super) const HOPS: u32 = 64;
/// Step budget: a constant, and steps per word of the types. (Kernels take less than one
/// step per word.)
const STEPS: (u64, u64) = (1 << 16, 8);

pub(super) struct Generator<'btf, 'o> {
    pub(super) btf: &'btf Btf,
    pub(super) form: &'o Form,
    out: &'o mut dyn fmt::Write,
    /// Pending text. Appending to it cannot fail.
    pub(super) text: String,
    number: itoa::Buffer,
    pub(super) selection: Selection<'btf>,
    pub(super) names: Names,
    /// Layouts of structs and unions, by id.
    pub(super) layouts: Vec<Layout>,
    /// Support items that the generated code uses.
    pub(super) used: Used,
    /// Names of the types that are plain bytes, one per line.
    pub(super) plain: String,
    /// The type whose definition is being written.
    pub(super) current: Type<'btf>,
    steps_left: u64,
    steps: u64,
}

impl<'btf, 'o> Generator<'btf, 'o> {
    pub(super) fn new(btf: &'btf Btf, form: &'o Form, out: &'o mut dyn fmt::Write) -> Self {
        let count = btf.type_count() as usize;
        let words = btf.layers().map(|layer| layer.type_section().len() as u64 / 4).sum::<u64>();
        let steps = STEPS.0 + STEPS.1 * words;
        Self {
            btf,
            form,
            out,
            text: String::with_capacity(BUFFER + BUFFER / 4),
            number: itoa::Buffer::new(),
            selection: Selection::new(count),
            names: Names::new(count),
            layouts: vec![Layout::UNKNOWN; count],
            used: Used::default(),
            plain: String::new(),
            current: Type::Void,
            steps_left: steps,
            steps,
        }
    }

    /// Spends a step; fails if none is left.
    #[inline]
    pub(super) fn step(&mut self) -> Result<(), Error> {
        match self.steps_left.checked_sub(1) {
            Some(left) => {
                self.steps_left = left;
                Ok(())
            }
            None => Err(Error::TooComplex { ty: self.current.into(), limit: self.steps }),
        }
    }

    /// Spends a step, and returns the number of hops plus one; fails beyond [`HOPS`].
    pub(super) fn hop(&mut self, ty: Type<'_>, hops: u32) -> Result<u32, Error> {
        self.step()?;
        if hops == HOPS { Err(Error::TooDeep { ty: ty.into(), limit: HOPS }) } else { Ok(hops + 1) }
    }

    pub(super) fn put(&mut self, text: &str) {
        self.text.push_str(text);
    }

    pub(super) fn put_number(&mut self, number: impl itoa::Integer) {
        self.text.push_str(self.number.format(number));
    }

    pub(super) fn put_args(&mut self, text: fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = self.text.write_fmt(text);
    }

    /// Writes out the text if the buffer is full.
    pub(super) fn flush_full(&mut self) -> Result<(), Error> {
        if self.text.len() < BUFFER { Ok(()) } else { self.flush() }
    }

    pub(super) fn flush(&mut self) -> Result<(), Error> {
        let result = self.out.write_str(&self.text).map_err(|fmt::Error| Error::Writer);
        self.text.clear();
        result
    }
}

/// Adds formatted text.
macro_rules! put {
    ($to:expr, $($text:tt)*) => { $to.put_args(format_args!($($text)*)) };
}

pub(super) use put;
