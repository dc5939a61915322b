//! State of one header: the order, the names and the written types, and the
//! pending text.

use std::{collections::HashMap, fmt, fmt::Write, ops::Range};

use btf_types::{Btf, Composite, Name, Type};

use super::{
    asserts::Asserts,
    hash::Keyed,
    layout::{Layout, Measures},
    libbpf::Rules,
    names::Names,
    order::mark_referenced,
    scalar::Spelling,
    scope::Scopes,
    texts::Texts,
};
use crate::Error;

/// Number of bytes buffered before they are written out.
const BUFFER: usize = 1 << 15;
/// Maximum number of types on the path to a definition.
const HOPS: u32 = 512;
/// Maximum nesting of anonymous types.
const NESTING: usize = 64;
/// Step budget: a constant, and steps per word of the types. (Kernels take half a step per
/// word.)
const STEPS: (u64, u64) = (1 << 16, 8);

/// Form of a header.
#[derive(Debug, Clone, Copy)]
pub(super) struct Form {
    /// Equal to bpftool's output, even if that is wrong.
    pub(super) exact: bool,
    pub(super) static_asserts: bool,
}

/// States of a type, as bits.
pub(super) mod state {
    /// The type is being ordered, after its dependencies.
    pub(in crate::c) const ORDERING: u16 = 1;
    /// The dependencies of the type are queued or written.
    pub(in crate::c) const ORDERED: u16 = 1 << 1;
    /// The dependencies of the type are being written.
    pub(in crate::c) const EMITTING: u16 = 1 << 2;
    /// The type is defined, or need not be.
    pub(in crate::c) const EMITTED: u16 = 1 << 3;
    /// A forward declaration is written.
    pub(in crate::c) const FORWARD: u16 = 1 << 4;
    /// Another type refers to it.
    pub(in crate::c) const REFERENCED: u16 = 1 << 5;
    /// The number of the type among those with its name is assigned.
    pub(in crate::c) const NAMED: u16 = 1 << 6;
    /// The type is not the first with its name, and is written with a number.
    pub(in crate::c) const SUFFIXED: u16 = 1 << 7;
    /// The name is written unchanged, and is printable ASCII.
    pub(in crate::c) const AS_IT_IS: u16 = 1 << 8;
}

pub(super) struct Printer<'btf, 'o> {
    pub(super) btf: &'btf Btf,
    pub(super) form: Form,
    out: &'o mut dyn fmt::Write,
    /// Pending text: UTF-8, without partial characters.
    pub(super) buffer: Vec<u8>,
    /// Number of bytes written out.
    flushed: u64,
    number: itoa::Buffer,
    /// The header of the base defines all types below this id; 0 without such a header.
    pub(super) base_end: u32,
    /// Discards all text, but still updates the state.
    pub(super) muted: bool,
    states: Vec<u16>,
    /// Layers whose references are not marked yet. They are marked on the first query, which
    /// is rare in headers with few types.
    pub(super) unmarked: Vec<&'btf Btf>,
    /// Name spaces: of structs, unions and enums, and of typedefs and enumerators.
    pub(super) tags: Names<'btf>,
    pub(super) idents: Names<'btf>,
    /// Numbers of [`state::SUFFIXED`] types, by id.
    pub(super) suffixes: HashMap<u32, u32, Keyed>,
    /// Spellings of integers, by id.
    pub(super) spellings: HashMap<u32, Spelling, Keyed>,
    /// Names of members of the structs that are being written.
    pub(super) scopes: Scopes<'btf>,
    /// Texts of declarations.
    pub(super) texts: Texts,
    /// Position of the name in the last declaration.
    pub(super) name_place: Option<Range<u64>>,
    /// Properties of types by libbpf's rules, by id.
    pub(super) rules: Vec<Option<Rules>>,
    /// Layouts of structs and unions, by id.
    pub(super) layouts: Vec<Layout>,
    /// Sizes and alignments computed so far, by id.
    pub(super) measures: Measures,
    /// Definitions to write, in order.
    pub(super) queue: Vec<Type<'btf>>,
    pub(super) asserts: Asserts,
    /// Number of nested structs that are being laid out.
    pub(super) layout_depth: u32,
    /// The next struct shares the scope of member names with the enclosing one.
    pub(super) shares_scope: bool,
    /// The next base type is written with its members, even if it has a name.
    pub(super) inlines: bool,
    /// Tabs at the beginning of a line.
    pub(super) level: usize,
    /// The type that is being written, with its dependencies.
    current: Type<'btf>,
    steps_left: u64,
    steps: u64,
    /// Reason of a [`fmt::Error`].
    failure: Option<Error>,
}

/// Returns the step budget for a header of a BTF.
pub(super) fn steps(btf: &Btf, form: Form) -> u64 {
    // Assertions take a second walk over the definitions.
    let times = if form.static_asserts { 2 } else { 1 };
    times * (STEPS.0 + STEPS.1 * words(btf))
}

/// Returns the number of 32-bit words in the type sections of all layers.
fn words(btf: &Btf) -> u64 {
    btf.layers().map(|layer| layer.type_section().len() as u64 / 4).sum()
}

impl<'btf, 'o> Printer<'btf, 'o> {
    pub(super) fn new(btf: &'btf Btf, form: Form, out: &'o mut dyn fmt::Write) -> Self {
        let count = btf.type_count() as usize;
        let steps = steps(btf, form);
        let mut states = vec![0; count];
        if let Some(void) = states.first_mut() {
            *void = state::ORDERED | state::EMITTED;
        }
        Self {
            btf,
            form,
            out,
            buffer: Vec::with_capacity(BUFFER + BUFFER / 4),
            flushed: 0,
            number: itoa::Buffer::new(),
            base_end: 0,
            muted: false,
            states,
            unmarked: Vec::new(),
            tags: Names::default(),
            idents: Names::default(),
            suffixes: HashMap::default(),
            spellings: HashMap::default(),
            scopes: Scopes::default(),
            texts: Texts::new(count),
            name_place: None,
            rules: vec![None; count],
            measures: Measures::new(if form.exact { 0 } else { count }),
            layouts: if form.exact { Vec::new() } else { vec![Layout::UNKNOWN; count] },
            queue: Vec::new(),
            asserts: Asserts::default(),
            layout_depth: 0,
            shares_scope: false,
            inlines: false,
            level: 0,
            current: Type::Void,
            steps_left: steps,
            steps,
            failure: None,
        }
    }

    /// Returns `true` if a type in the layers added so far refers to this one.
    pub(super) fn is_referenced(&mut self, id: u32) -> bool {
        for layer in self.unmarked.drain(..) {
            mark_referenced(layer, &mut self.states);
        }
        self.is(id, state::REFERENCED)
    }

    /// Reserves space for the names of all types.
    pub(super) fn expect_all(&mut self) {
        // Kernels have about one identifier per 32 words, and one tag per 64.
        let words = words(self.btf) as usize;
        self.idents.reserve(words / 32);
        self.tags.reserve(words / 64);
    }

    /// Writes the dependencies and the definition of the type with an id.
    pub(super) fn define_id(&mut self, id: u32) -> Result<(), Error> {
        if self.is(id, state::ORDERED) { Ok(()) } else { self.define(self.ty(id)) }
    }

    /// Writes the dependencies and the definition of a type.
    pub(super) fn define(&mut self, ty: Type<'btf>) -> Result<(), Error> {
        if self.is(ty.id(), state::ORDERED) {
            return Ok(());
        }
        self.current = ty;
        let result = self.order(ty, false, 0).map(drop).and_then(|()| {
            let mut next = 0;
            while let Some(&ty) = self.queue.get(next) {
                self.current = ty;
                self.emit(ty, 0, 0)?;
                next += 1;
            }
            Ok(())
        });
        self.queue.clear();
        self.checked(result)
    }

    /// Marks all types below an id as defined by the header of the base.
    pub(super) fn end_base(&mut self, end: u32) {
        self.base_end = end;
        for id in 1..end {
            self.set(id, state::ORDERED);
            self.unset(id, state::FORWARD);
            // The kinds listed have no definition, but may lead to types to forward-declare.
            if !matches!(
                self.ty(id),
                Type::Ptr(_)
                    | Type::Array(_)
                    | Type::FuncProto(_)
                    | Type::Const(_)
                    | Type::Volatile(_)
                    | Type::Restrict(_)
                    | Type::TypeTag(_)
            ) {
                self.set(id, state::EMITTED);
            }
        }
    }

    /// Writes the definition of a type without its dependencies.
    pub(super) fn definition(&mut self, ty: Type<'btf>) -> fmt::Result {
        self.current = ty;
        match ty {
            Type::Struct(s) => self.composite(s.into()),
            Type::Union(u) => self.composite(u.into()),
            Type::Enum(_) | Type::Enum64(_) => self.enumeration(ty),
            Type::Typedef(typedef) => {
                let name = self.resolved(ty);
                self.put("typedef ")?;
                self.declare(typedef.target(), Name::new(&name))
            }
            _ => self.declare(ty, Name::EMPTY),
        }
    }

    /// Writes out the remaining text.
    pub(super) fn finish(&mut self) -> Result<(), Error> {
        let result = self.flush();
        self.checked(result)
    }

    /// Replaces a [`fmt::Error`] with its reason.
    #[inline]
    pub(super) fn checked(&mut self, result: fmt::Result) -> Result<(), Error> {
        match (self.failure.take(), result) {
            (Some(error), _) => Err(error),
            (None, Ok(())) => Ok(()),
            (None, Err(fmt::Error)) => Err(Error::Writer),
        }
    }

    #[cold]
    fn flush(&mut self) -> fmt::Result {
        // Names are bytes; UTF-8 is checked here once per buffer, not once per name.
        let text = str::from_utf8(&self.buffer).map_err(|_| fmt::Error)?;
        let result = self.out.write_str(text);
        self.flushed += self.buffer.len() as u64;
        self.buffer.clear();
        result
    }

    /// Writes text.
    #[inline]
    pub(super) fn put(&mut self, text: &str) -> fmt::Result {
        self.put_bytes(text.as_bytes())
    }

    /// Writes ASCII.
    #[inline]
    pub(super) fn put_ascii(&mut self, text: &[u8]) -> fmt::Result {
        debug_assert!(text.is_ascii(), "{text:?}");
        self.put_bytes(text)
    }

    /// Returns the number of bytes written so far.
    pub(super) fn position(&self) -> u64 {
        self.flushed + self.buffer.len() as u64
    }

    /// Returns the index of a position in the buffer; `None` if it has been written out.
    pub(super) fn in_buffer(&self, position: u64) -> Option<usize> {
        position.checked_sub(self.flushed).map(|place| place as usize)
    }

    #[inline]
    pub(super) fn put_bytes(&mut self, text: &[u8]) -> fmt::Result {
        if self.muted {
            return Ok(());
        }
        if self.buffer.len() >= BUFFER {
            self.flush()?;
        }
        self.buffer.extend_from_slice(text);
        Ok(())
    }

    pub(super) fn put_number(&mut self, number: impl itoa::Integer) -> fmt::Result {
        if !self.muted {
            self.buffer.extend_from_slice(self.number.format(number).as_bytes());
        }
        Ok(())
    }

    /// Begins a line.
    pub(super) fn line(&mut self) -> fmt::Result {
        const TABS: &str = "\n\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t";
        match self.level {
            // A constant length avoids a call.
            1 => self.put("\n\t"),
            level => self.put(TABS.get(..=level).unwrap_or(TABS)),
        }
    }

    /// Returns `true` if a type has any of these states.
    #[inline]
    pub(super) fn is(&self, id: u32, state: u16) -> bool {
        self.states.get(id as usize).is_some_and(|states| states & state != 0)
    }

    #[inline]
    pub(super) fn set(&mut self, id: u32, state: u16) {
        if let Some(states) = self.states.get_mut(id as usize) {
            *states |= state;
        }
    }

    #[inline]
    pub(super) fn unset(&mut self, id: u32, state: u16) {
        if let Some(states) = self.states.get_mut(id as usize) {
            *states &= !state;
        }
    }

    /// Returns the type with an id, or `void` if there is none.
    pub(super) fn ty(&self, id: u32) -> Type<'btf> {
        self.btf.type_by_id(id).unwrap_or(Type::Void)
    }

    /// Charges a name that is read and not written.
    pub(super) fn spend_name(&mut self, len: usize) {
        self.steps_left = self.steps_left.saturating_sub(len as u64 / 64);
    }

    /// Spends a step; fails if none is left.
    #[inline]
    pub(super) fn step(&mut self) -> fmt::Result {
        match self.steps_left.checked_sub(1) {
            Some(left) => {
                self.steps_left = left;
                Ok(())
            }
            None => self.fail(Error::TooComplex { ty: self.current.into(), limit: self.steps }),
        }
    }

    /// Spends a step, and returns the number of hops plus one; fails beyond `HOPS`.
    #[inline]
    pub(super) fn hop(&mut self, ty: Type<'_>, hops: u32) -> Result<u32, fmt::Error> {
        self.step()?;
        if hops == HOPS {
            self.fail(Error::TooDeep { ty: ty.into(), limit: HOPS })?;
        }
        Ok(hops + 1)
    }

    /// Enters the body of a type; fails beyond the maximum nesting.
    pub(super) fn nest(&mut self, ty: Composite<'_>) -> fmt::Result {
        if self.level == NESTING {
            return self.fail(Error::TooDeep { ty: Type::from(ty).into(), limit: NESTING as u32 });
        }
        self.level += 1;
        Ok(())
    }

    #[cold]
    pub(super) fn fail(&mut self, error: Error) -> fmt::Result {
        self.failure.get_or_insert(error);
        Err(fmt::Error)
    }

    /// Returns `true` after an error.
    pub(super) fn has_failed(&self) -> bool {
        self.failure.is_some()
    }
}

impl Write for Printer<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.put(text)
    }
}
