//! The resolve pass: references of types, their sizes, loops.
//!
//! The kernel walks with a stack of at most 32 types, and skips types that need
//! no check in the current mode. This determines the results for depth and
//! loops, so the walk here is the same, step by step.

use btf_types::Kind;

use super::{
    kinds::{is_modifier, is_regular_int},
    known::{Known, Size, State},
    member,
    meta::require,
    reject::{Reject, Rule},
    types::Types,
};

/// Maximum number of types that are being resolved at once.
pub(super) const MAX_DEPTH: usize = 32;

/// The question that a walk asks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Not yet known.
    Open,
    /// Resolving the pointee of a pointer.
    Pointer,
    /// Resolving the size of a struct or array.
    Size,
}

/// A type that is being resolved, and the element to go on with.
#[derive(Clone, Copy)]
struct Vertex {
    id: u32,
    next: u32,
}

/// Resolver of all types.
pub(super) struct Resolver<'t, 'a> {
    types: &'t Types<'a>,
    known: Known<'t, 'a>,
    /// Types that wait for the current one, the first one first.
    waiting: Vec<Vertex>,
    mode: Mode,
}

/// Result of a step that may need another type first.
enum Step {
    /// Another type is to be resolved before, and then to be gone on with an
    /// element.
    Open { id: u32, next: u32 },
    /// The type is resolved.
    Done(u32),
}

/// A rule, and the index of the element that violates it.
type Violation = (Rule, Option<u32>);

impl<'t, 'a> Resolver<'t, 'a> {
    pub(super) fn new(types: &'t Types<'a>, pointer_size: u32) -> Self {
        Self { types, known: Known::new(types, pointer_size), waiting: Vec::with_capacity(MAX_DEPTH), mode: Mode::Open }
    }

    /// Resolves all types.
    pub(super) fn check(&mut self) -> Result<(), Reject> {
        let types = self.types;
        for (id, kind) in types.kinds() {
            match kind {
                Some(Kind::FuncProto) => self.check_func_proto(id)?,
                Some(Kind::Func) => {
                    self.func(types.size_or_type(id)).map_err(|(rule, element)| types.reject(id, rule, element))?;
                    self.known.set_state(id, State::Resolved);
                }
                Some(kind)
                    if needs_resolve(Some(kind))
                        && !self.known.is_resolved(id)
                        && !self.known.resolve_directly(id, kind) =>
                {
                    self.resolve(id)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Resolves a type and what it needs.
    fn resolve(&mut self, id: u32) -> Result<(), Reject> {
        self.mode = Mode::Open;
        self.begin(id);
        let mut vertex = Vertex { id, next: 0 };
        loop {
            match self.step(vertex) {
                Ok(Step::Done(resolved)) => {
                    self.finish(vertex.id, resolved);
                    match self.waiting.pop() {
                        Some(waiting) => vertex = waiting,
                        None => break,
                    }
                }
                Ok(Step::Open { id: open, next }) => {
                    // Of these, the kernel logs the type that it began with.
                    let reject = |rule| Err(self.types.reject(id, rule, None));
                    if self.waiting.len() + 1 >= MAX_DEPTH {
                        return reject(Rule::Depth);
                    }
                    if self.known.state(open) != State::New {
                        return reject(Rule::Loop);
                    }
                    self.waiting.push(Vertex { next, ..vertex });
                    self.begin(open);
                    vertex = Vertex { id: open, next: 0 };
                }
                Err((rule, element)) => return Err(self.types.reject(vertex.id, rule, element)),
            }
        }
        if self.is_sound(id) { Ok(()) } else { Err(self.types.reject(id, Rule::ResolveState, None)) }
    }

    /// Begins with a new type.
    fn begin(&mut self, id: u32) {
        self.known.set_state(id, State::OnStack);
        if self.mode == Mode::Open {
            self.mode = match self.types.kind(id) {
                Some(Kind::Ptr) => Mode::Pointer,
                Some(Kind::Struct | Kind::Union | Kind::Array) => Mode::Size,
                _ => Mode::Open,
            };
        }
    }

    fn finish(&mut self, id: u32, resolved: u32) {
        let is_sized = match self.types.kind(id) {
            Some(Kind::Ptr | Kind::Array | Kind::Struct | Kind::Union) => true,
            Some(kind) if is_modifier(kind) => self.known.state(resolved) == State::Sized,
            _ => false,
        };
        self.known.set_state(id, if is_sized { State::Sized } else { State::Resolved });
        self.known.set_resolved(id, resolved);
        match self.types.kind(id) {
            Some(Kind::Struct | Kind::Union) => self.known.set_size(id, Size::new(self.types.size_or_type(id))),
            Some(Kind::Array) => self.known.set_size(id, Size::new(resolved)),
            Some(kind) if is_modifier(kind) => self.known.set_size(id, self.known.size(resolved)),
            _ => {}
        }
    }

    fn step(&mut self, vertex: Vertex) -> Result<Step, Violation> {
        let id = vertex.id;
        let whole = |rule| (rule, None);
        match self.types.kind(id) {
            Some(Kind::Func) => self.func(self.types.size_or_type(id)).map(Step::Done),
            Some(Kind::Ptr) => self.pointer(id).map_err(whole),
            Some(Kind::Struct | Kind::Union) => self.composite(vertex),
            Some(kind) if is_modifier(kind) => self.modifier(id).map_err(whole),
            Some(Kind::Array) => self.array(id).map_err(whole),
            Some(Kind::Var) => self.variable(id).map_err(whole),
            Some(Kind::DeclTag) => self.decl_tag(id).map_err(whole),
            Some(Kind::Datasec) => self.datasec(vertex),
            _ => Err((Rule::ResolveState, None)),
        }
    }

    /// Returns whether a type answers the walk's question by itself.
    #[inline]
    fn is_sink(&self, kind: Option<Kind>) -> bool {
        match self.mode {
            Mode::Open => !needs_resolve(kind),
            Mode::Pointer => !kind.is_some_and(is_modifier) && kind != Some(Kind::Ptr),
            Mode::Size => {
                !kind.is_some_and(is_modifier) && !matches!(kind, Some(Kind::Array | Kind::Struct | Kind::Union))
            }
        }
    }

    /// Returns whether a type must be resolved first.
    fn is_open(&self, id: u32) -> bool {
        self.is_open_kind(id, self.types.kind(id))
    }

    #[inline]
    fn is_open_kind(&self, id: u32, kind: Option<Kind>) -> bool {
        !self.known.is_resolved(id) && !self.is_sink(kind)
    }

    /// Returns whether a type can be referred to at all.
    fn is_referent(&self, id: u32) -> bool {
        self.types.exists(id) && !matches!(self.types.kind(id), Some(Kind::Var | Kind::DeclTag | Kind::Datasec))
    }

    /// Returns the resolved type of a modifier or pointer, which may have no
    /// size.
    fn target(&self, id: u32) -> Result<u32, Rule> {
        if let Some((id, _)) = self.known.sized(id) {
            return Ok(id);
        }
        let id = match self.types.kind(id) {
            Some(Kind::Func) if self.known.is_resolved(id) => self.types.size_or_type(id),
            _ if self.known.is_resolved(id) => self.known.resolved(id),
            _ => id,
        };
        let is_fine = self.types.exists(id) && matches!(self.types.kind(id), None | Some(Kind::Fwd | Kind::FuncProto));
        require(is_fine, Rule::Referent)?;
        Ok(id)
    }

    /// The type that a modifier, pointer or variable refers to, or the one that has
    /// to be resolved first.
    fn referent(&self, id: u32) -> Result<(u32, Option<u32>), Rule> {
        let next = self.types.size_or_type(id);
        require(self.is_referent(next), Rule::Referent)?;
        Ok((next, self.is_open(next).then_some(next)))
    }

    fn modifier(&self, id: u32) -> Result<Step, Rule> {
        match self.referent(id)? {
            (_, Some(open)) => Ok(open_first(open)),
            (next, None) => Ok(Step::Done(self.target(next)?)),
        }
    }

    fn pointer(&self, id: u32) -> Result<Step, Rule> {
        let (next, open) = self.referent(id)?;
        match open.or_else(|| self.unfinished_pointer(next)) {
            Some(open) => Ok(open_first(open)),
            None => Ok(Step::Done(self.target(next)?)),
        }
    }

    fn variable(&self, id: u32) -> Result<Step, Rule> {
        let (next, open) = self.referent(id)?;
        if let Some(open) = open.or_else(|| self.unfinished_pointer(next)) {
            return Ok(open_first(open));
        }
        let (id, _) = self.known.sized(next).ok_or(Rule::Referent)?;
        Ok(Step::Done(id))
    }

    /// A pointer that a modifier stopped at when the question was a size, and
    /// that is to be followed now.
    fn unfinished_pointer(&self, id: u32) -> Option<u32> {
        self.types.kind(id).filter(|&kind| is_modifier(kind))?;
        let pointer = self.known.resolved(id);
        (self.types.kind(pointer) == Some(Kind::Ptr) && self.is_open(pointer)).then_some(pointer)
    }

    fn array(&self, id: u32) -> Result<Step, Rule> {
        let [element, index, nelems] = self.types.array(id);
        require(is_element(self.types.kind(index)), Rule::ArrayIndex)?;
        if self.is_open(index) {
            return Ok(open_first(index));
        }
        let (index, _) = self.known.sized(index).ok_or(Rule::ArrayIndex)?;
        require(
            self.types.kind(index) == Some(Kind::Int) && is_regular_int(self.types.record(index).word(0)),
            Rule::ArrayIndex,
        )?;
        require(is_element(self.types.kind(element)), Rule::ArrayElement)?;
        if self.is_open(element) {
            return Ok(open_first(element));
        }
        let (element, size) = self.known.sized(element).ok_or(Rule::ArrayElement)?;
        require(
            self.types.kind(element) != Some(Kind::Int) || is_regular_int(self.types.record(element).word(0)),
            Rule::ArrayOfInt,
        )?;
        Ok(Step::Done(size.checked_mul(nelems).ok_or(Rule::ArraySize)?))
    }

    fn composite(&self, vertex: Vertex) -> Result<Step, Violation> {
        let record = self.types.record(vertex.id);
        // The member that had to be resolved first is the one before.
        let mut from = vertex.next.saturating_sub(1);
        while let Some(index) = self.known.first_unusual_member(&record, from) {
            let Some([_, type_id, word]) = record.elements_from(index).next() else { break };
            let kind = self.types.kind(type_id);
            require(is_element(kind), Rule::MemberType).map_err(|rule| (rule, Some(index)))?;
            if self.is_open_kind(type_id, kind) {
                return Ok(Step::Open { id: type_id, next: index + 1 });
            }
            member::check(&self.known, &record, type_id, kind, word).map_err(|rule| (rule, Some(index)))?;
            from = index + 1;
        }
        Ok(Step::Done(0))
    }

    /// Checks the FUNC_PROTO of a FUNC, and returns it.
    #[inline]
    fn func(&mut self, proto: u32) -> Result<u32, Violation> {
        // Once for each FUNC_PROTO, however many FUNCs share it.
        match self.known.state(proto) {
            State::Named => Ok(proto),
            _ => self.check_arguments(proto).map(|()| proto),
        }
    }

    /// Checks that all parameters of the type of a FUNC have names.
    #[cold]
    fn check_arguments(&mut self, proto: u32) -> Result<(), Violation> {
        require(self.types.kind(proto) == Some(Kind::FuncProto), Rule::Referent).map_err(|rule| (rule, None))?;
        let is_unnamed = |[name_off, type_id]: [u32; 2]| name_off == 0 && type_id != 0;
        if let Some(index) = self.types.elements(proto).position(is_unnamed) {
            return Err((Rule::Argument, Some(index as u32)));
        }
        self.known.set_state(proto, State::Named);
        Ok(())
    }

    fn decl_tag(&self, id: u32) -> Result<Step, Rule> {
        let next = self.types.size_or_type(id);
        let kind = self.types.kind(next);
        let is_target = matches!(kind, Some(Kind::Struct | Kind::Union | Kind::Func | Kind::Var | Kind::Typedef));
        require(is_target, Rule::Referent)?;
        if self.is_open(next) {
            return Ok(open_first(next));
        }
        let component = self.types.record(id).word(0);
        if component != u32::MAX {
            let count = match kind {
                Some(Kind::Struct | Kind::Union) => self.types.vlen(next),
                Some(Kind::Func) => self.types.vlen(self.types.size_or_type(next)),
                _ => 0,
            };
            require(component < count, Rule::Component)?;
        }
        Ok(Step::Done(next))
    }

    fn datasec(&mut self, vertex: Vertex) -> Result<Step, Violation> {
        self.mode = Mode::Open;
        let id = vertex.id;
        let entries = self.types.record(id).elements_from(vertex.next);
        for (index, [var, _, size]) in (vertex.next..).zip(entries) {
            let at = |rule| (rule, Some(index));
            require(self.types.kind(var) == Some(Kind::Var), Rule::EntryVar).map_err(at)?;
            if self.is_open(var) {
                // The size of this variable's type remains unchecked, as in the
                // kernel.
                return Ok(Step::Open { id: var, next: index + 1 });
            }
            let (_, type_size) = self.known.sized(self.types.size_or_type(var)).ok_or(at(Rule::EntryType))?;
            require(size >= type_size, Rule::EntrySize).map_err(at)?;
        }
        Ok(Step::Done(0))
    }

    /// The kernel's last look at a type that it resolved.
    fn is_sound(&self, id: u32) -> bool {
        let Some(kind) = self.types.kind(id) else { return false };
        let resolved = self.known.resolved(id);
        match kind {
            _ if !self.known.is_resolved(id) => false,
            Kind::Struct | Kind::Union | Kind::Datasec => resolved == 0,
            Kind::DeclTag | Kind::Func => resolved != 0,
            Kind::Array => {
                let [element, _, nelems] = self.types.array(id);
                self.known.sized(element).is_some_and(|(element, size)| {
                    !self.types.kind(element).is_some_and(is_modifier) && nelems.wrapping_mul(size) == resolved
                })
            }
            _ => {
                let kind = self.types.kind(resolved);
                !kind.is_some_and(is_modifier) && !matches!(kind, Some(Kind::Var | Kind::Datasec))
            }
        }
    }

    /// Checks the types of the return value and of the parameters.
    fn check_func_proto(&mut self, id: u32) -> Result<(), Reject> {
        let record = self.types.record(id);
        let returned = record.size_or_type;
        if returned != 0 && self.known.state(returned) != State::Sized {
            self.check_sized(id, returned, Rule::ReturnType, None)?;
        }
        let mut count = record.info.vlen();
        if let Some(last) = count.checked_sub(1)
            && let Some([name_off, 0]) = record.elements_from(last).next()
        {
            require(name_off == 0, Rule::Argument).map_err(|rule| self.types.reject(id, rule, Some(last)))?;
            count = last;
        }
        let mut is_named = true;
        for (index, [name_off, type_id]) in (0..count).zip(record.elements_from(0)) {
            if name_off == 0 {
                is_named = false;
            } else if !self.is_parameter_name(name_off) {
                return Err(self.types.reject(id, Rule::Argument, Some(index)));
            }
            if self.known.state(type_id) != State::Sized {
                self.check_sized(id, type_id, Rule::Argument, Some(index))?;
            }
        }
        if is_named {
            self.known.set_state(id, State::Named);
        }
        Ok(())
    }

    /// Returns whether a parameter may have a name.
    #[inline]
    fn is_parameter_name(&self, name_off: u32) -> bool {
        let types = self.types;
        types.strings.contains(name_off) && (!types.limits.checks_names || types.strings.is_identifier(name_off))
    }

    /// Checks that a type of a FUNC_PROTO has a size, resolving it if need be.
    fn check_sized(&mut self, proto: u32, id: u32, rule: Rule, element: Option<u32>) -> Result<(), Reject> {
        if !self.is_referent(id) {
            return Err(self.types.reject(proto, rule, element));
        }
        if needs_resolve(self.types.kind(id)) && !self.known.is_resolved(id) {
            self.resolve(id)?;
        }
        match self.known.sized(id) {
            Some(_) => Ok(()),
            None => Err(self.types.reject(proto, rule, element)),
        }
    }
}

/// Returns whether a type of a kind can be that of an element or member, as far as
/// the kind tells.
#[inline]
fn is_element(kind: Option<Kind>) -> bool {
    kind.is_some_and(|kind| {
        !matches!(kind, Kind::Var | Kind::DeclTag | Kind::Datasec | Kind::Fwd | Kind::Func | Kind::FuncProto)
    })
}

/// The step to a type that is to be resolved before.
const fn open_first(id: u32) -> Step {
    Step::Open { id, next: 0 }
}

/// Returns whether types of a kind refer to others.
fn needs_resolve(kind: Option<Kind>) -> bool {
    kind.is_some_and(|kind| {
        is_modifier(kind)
            || matches!(
                kind,
                Kind::Ptr
                    | Kind::Struct
                    | Kind::Union
                    | Kind::Array
                    | Kind::Var
                    | Kind::Func
                    | Kind::DeclTag
                    | Kind::Datasec
            )
    })
}
