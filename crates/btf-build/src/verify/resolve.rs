//! The resolve pass: what types refer to, their sizes, loops.
//!
//! The kernel walks with a stack of at most 32 types, and stops early at types
//! that need no look for the question at hand. Where it stops decides over
//! depth and loops, so the walk here is the same, step by step.

use btf_types::Kind;

use super::{
    member,
    meta::require,
    reject::{Reject, Rule},
    types::Types,
};

/// Maximum number of types that are being resolved at once.
pub(super) const MAX_DEPTH: usize = 32;

/// Size and id that a type resolves to.
#[derive(Clone, Copy, Default)]
struct Resolved {
    id: u32,
    size: u32,
}

/// How far a type is.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    New,
    OnStack,
    Resolved,
}

/// What is known of a type.
#[derive(Clone, Copy, Default)]
struct Node {
    state: State,
    resolved: Resolved,
    /// Of a FUNC_PROTO: all parameters are known to have names.
    is_named: bool,
}

/// The question that a walk asks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Not yet known.
    Open,
    /// Where does a pointer lead?
    Pointer,
    /// How large is a struct or array?
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
    pub(super) types: &'t Types<'a>,
    pointer_size: u32,
    /// One for each id.
    nodes: Vec<Node>,
    stack: Vec<Vertex>,
    mode: Mode,
}

/// Result of a step that may need another type first.
enum Step {
    /// Go on with what is on the stack now.
    Push,
    /// The type is resolved.
    Done(Resolved),
}

/// A rule, and the index of the element that violates it.
type Violation = (Rule, Option<u32>);

impl<'t, 'a> Resolver<'t, 'a> {
    pub(super) fn new(types: &'t Types<'a>, pointer_size: u32) -> Self {
        Self {
            types,
            pointer_size,
            nodes: vec![Node::default(); types.count() as usize],
            stack: Vec::with_capacity(MAX_DEPTH),
            mode: Mode::Open,
        }
    }

    /// Resolves all types.
    pub(super) fn check(&mut self) -> Result<(), Reject> {
        for id in 1..self.types.count() {
            let kind = self.types.kind(id);
            if needs_resolve(kind) && !self.is_resolved(id) {
                self.resolve(id)?;
            }
            if kind == Some(Kind::FuncProto) {
                self.check_func_proto(id)?;
            }
        }
        Ok(())
    }

    /// Resolves a type and what it needs.
    fn resolve(&mut self, id: u32) -> Result<(), Reject> {
        self.mode = Mode::Open;
        self.stack.clear();
        let mut failed = self.push(id).err().map(|rule| (rule, None));
        let mut at = id;
        while let Some(&vertex) = self.stack.last().filter(|_| failed.is_none()) {
            at = vertex.id;
            match self.step(vertex) {
                Ok(Step::Push) => {}
                Ok(Step::Done(resolved)) => {
                    self.stack.pop();
                    if let Some(node) = self.nodes.get_mut(vertex.id as usize) {
                        (node.state, node.resolved) = (State::Resolved, resolved);
                    }
                }
                Err(violation) => failed = Some(violation),
            }
        }
        match failed {
            // Of these, the kernel logs the type that it began with.
            Some((rule @ (Rule::Depth | Rule::Loop), _)) => Err(self.types.reject(id, rule, None)),
            Some((rule, element)) => Err(self.types.reject(at, rule, element)),
            None if self.is_sound(id) => Ok(()),
            None => Err(self.types.reject(id, Rule::ResolveState, None)),
        }
    }

    fn step(&mut self, vertex: Vertex) -> Result<Step, Violation> {
        let id = vertex.id;
        match self.types.kind(id) {
            Some(kind) if is_modifier(kind) => self.modifier(id).map_err(|rule| (rule, None)),
            Some(Kind::Ptr) => self.pointer(id).map_err(|rule| (rule, None)),
            Some(Kind::Array) => self.array(id).map_err(|rule| (rule, None)),
            Some(Kind::Struct | Kind::Union) => self.composite(vertex),
            Some(Kind::Var) => self.variable(id).map_err(|rule| (rule, None)),
            Some(Kind::Func) => self.func(id),
            Some(Kind::DeclTag) => self.decl_tag(id).map_err(|rule| (rule, None)),
            Some(Kind::Datasec) => self.datasec(vertex),
            _ => Err((Rule::ResolveState, None)),
        }
    }

    /// Puts a type on the stack.
    fn push(&mut self, id: u32) -> Result<Step, Rule> {
        require(self.stack.len() < MAX_DEPTH, Rule::Depth)?;
        match self.nodes.get_mut(id as usize) {
            Some(node) if node.state == State::New => node.state = State::OnStack,
            _ => return Err(Rule::Loop),
        }
        self.stack.push(Vertex { id, next: 0 });
        if self.mode == Mode::Open {
            self.mode = match self.types.kind(id) {
                Some(Kind::Ptr) => Mode::Pointer,
                Some(Kind::Struct | Kind::Union | Kind::Array) => Mode::Size,
                _ => Mode::Open,
            };
        }
        Ok(Step::Push)
    }

    /// Returns whether a type answers the walk's question by itself.
    fn is_sink(&self, id: u32) -> bool {
        let kind = self.types.kind(id);
        match self.mode {
            Mode::Open => !needs_resolve(kind),
            Mode::Pointer => !kind.is_some_and(is_modifier) && kind != Some(Kind::Ptr),
            Mode::Size => {
                !kind.is_some_and(is_modifier) && !matches!(kind, Some(Kind::Array | Kind::Struct | Kind::Union))
            }
        }
    }

    fn node(&self, id: u32) -> Node {
        self.nodes.get(id as usize).copied().unwrap_or_default()
    }

    fn is_resolved(&self, id: u32) -> bool {
        self.node(id).state == State::Resolved
    }

    /// Returns whether a type must be put on the stack first.
    fn is_open(&self, id: u32) -> bool {
        !self.is_sink(id) && !self.is_resolved(id)
    }

    fn resolved_id(&self, id: u32) -> u32 {
        self.node(id).resolved.id
    }

    fn resolved_size(&self, id: u32) -> u32 {
        self.node(id).resolved.size
    }

    /// The type that a type has its size from, and that size in bytes.
    pub(super) fn sized(&self, id: u32) -> Option<(u32, u32)> {
        self.own_size(id).map(|size| (id, size)).or_else(|| {
            self.types.kind(id).filter(|&kind| is_modifier(kind) || kind == Kind::Var)?;
            let id = self.resolved_id(id);
            self.own_size(id).map(|size| (id, size))
        })
    }

    fn own_size(&self, id: u32) -> Option<u32> {
        match self.types.kind(id)? {
            Kind::Int | Kind::Struct | Kind::Union | Kind::Enum | Kind::Enum64 | Kind::Datasec | Kind::Float => {
                Some(self.types.size_or_type(id))
            }
            Kind::Array => Some(self.resolved_size(id)),
            Kind::Ptr => Some(self.pointer_size),
            _ => None,
        }
    }

    /// Size of a pointer in bytes.
    pub(super) fn pointer_size(&self) -> u32 {
        self.pointer_size
    }

    /// Returns whether an INT has a size that C has, and uses all its bits.
    pub(super) fn is_regular_int(&self, id: u32) -> bool {
        let data = self.types.word(id, 3);
        matches!(data & 0xff, 8 | 16 | 32 | 64 | 128) && data >> 16 & 0xff == 0
    }

    /// Returns whether a type can be referred to at all.
    fn is_referent(&self, id: u32) -> bool {
        self.types.exists(id) && !matches!(self.types.kind(id), Some(Kind::Var | Kind::DeclTag | Kind::Datasec))
    }

    /// Returns whether a type can be that of an element or member, as far as its
    /// kind tells.
    fn is_element(&self, id: u32) -> bool {
        self.is_referent(id) && !matches!(self.types.kind(id), None | Some(Kind::Fwd | Kind::Func | Kind::FuncProto))
    }

    /// What a modifier or pointer resolves to: a type with a size, or one that may
    /// be without.
    fn target(&self, id: u32) -> Result<u32, Rule> {
        if let Some((id, _)) = self.sized(id) {
            return Ok(id);
        }
        let id = if self.is_resolved(id) { self.resolved_id(id) } else { id };
        let is_fine = self.types.exists(id) && matches!(self.types.kind(id), None | Some(Kind::Fwd | Kind::FuncProto));
        require(is_fine, Rule::Referent)?;
        Ok(id)
    }

    /// The type that a modifier, pointer or variable refers to, or the one that has
    /// to be put on the stack first.
    fn referent(&self, id: u32) -> Result<(u32, Option<u32>), Rule> {
        let next = self.types.size_or_type(id);
        require(self.is_referent(next), Rule::Referent)?;
        Ok((next, self.is_open(next).then_some(next)))
    }

    fn modifier(&mut self, id: u32) -> Result<Step, Rule> {
        match self.referent(id)? {
            (_, Some(open)) => self.push(open),
            (next, None) => Ok(Step::Done(Resolved { id: self.target(next)?, size: 0 })),
        }
    }

    fn pointer(&mut self, id: u32) -> Result<Step, Rule> {
        let (next, open) = self.referent(id)?;
        match open.or_else(|| self.unfinished_pointer(next)) {
            Some(open) => self.push(open),
            None => Ok(Step::Done(Resolved { id: self.target(next)?, size: 0 })),
        }
    }

    fn variable(&mut self, id: u32) -> Result<Step, Rule> {
        let (next, open) = self.referent(id)?;
        if let Some(open) = open.or_else(|| self.unfinished_pointer(next)) {
            return self.push(open);
        }
        let (id, _) = self.sized(next).ok_or(Rule::Referent)?;
        Ok(Step::Done(Resolved { id, size: 0 }))
    }

    /// A pointer that a modifier stopped at when the question was a size, and
    /// that is to be followed now.
    fn unfinished_pointer(&self, id: u32) -> Option<u32> {
        self.types.kind(id).filter(|&kind| is_modifier(kind))?;
        let pointer = self.resolved_id(id);
        (self.types.kind(pointer) == Some(Kind::Ptr) && self.is_open(pointer)).then_some(pointer)
    }

    fn array(&mut self, id: u32) -> Result<Step, Rule> {
        let [element, index, nelems] = self.types.element(id, 0);
        require(self.is_element(index), Rule::ArrayIndex)?;
        if self.is_open(index) {
            return self.push(index);
        }
        let (index, _) = self.sized(index).ok_or(Rule::ArrayIndex)?;
        require(self.types.kind(index) == Some(Kind::Int) && self.is_regular_int(index), Rule::ArrayIndex)?;
        require(self.is_element(element), Rule::ArrayElement)?;
        if self.is_open(element) {
            return self.push(element);
        }
        let (element, size) = self.sized(element).ok_or(Rule::ArrayElement)?;
        require(self.types.kind(element) != Some(Kind::Int) || self.is_regular_int(element), Rule::ArrayOfInt)?;
        let size = size.checked_mul(nelems).ok_or(Rule::ArraySize)?;
        Ok(Step::Done(Resolved { id: element, size }))
    }

    fn composite(&mut self, vertex: Vertex) -> Result<Step, Violation> {
        let id = vertex.id;
        // The member that had to be resolved first is the one before.
        if let Some(last) = vertex.next.checked_sub(1) {
            member::check(self, id, last).map_err(|rule| (rule, Some(last)))?;
        }
        for index in vertex.next..self.types.vlen(id) {
            let [_, type_id, _] = self.types.element(id, index);
            let at = |rule| (rule, Some(index));
            require(self.is_element(type_id), Rule::MemberType).map_err(at)?;
            if self.is_open(type_id) {
                return self.push_from(type_id, index + 1);
            }
            member::check(self, id, index).map_err(at)?;
        }
        Ok(Step::Done(Resolved::default()))
    }

    /// Puts a type on the stack, above one that goes on with element `next`.
    fn push_from(&mut self, id: u32, next: u32) -> Result<Step, Violation> {
        if let Some(top) = self.stack.last_mut() {
            top.next = next;
        }
        self.push(id).map_err(|rule| (rule, None))
    }

    fn func(&mut self, id: u32) -> Result<Step, Violation> {
        let proto = self.types.size_or_type(id);
        require(self.types.kind(proto) == Some(Kind::FuncProto), Rule::Referent).map_err(|rule| (rule, None))?;
        // Once for each FUNC_PROTO, however many FUNCs share it.
        if !self.node(proto).is_named {
            let is_unnamed = |&index: &u32| {
                let [name_off, type_id] = self.types.element(proto, index);
                name_off == 0 && type_id != 0
            };
            if let Some(index) = (0..self.types.vlen(proto)).find(is_unnamed) {
                return Err((Rule::Argument, Some(index)));
            }
            if let Some(node) = self.nodes.get_mut(proto as usize) {
                node.is_named = true;
            }
        }
        Ok(Step::Done(Resolved { id: proto, size: 0 }))
    }

    fn decl_tag(&mut self, id: u32) -> Result<Step, Rule> {
        let next = self.types.size_or_type(id);
        let kind = self.types.kind(next);
        let is_target = matches!(kind, Some(Kind::Struct | Kind::Union | Kind::Func | Kind::Var | Kind::Typedef));
        require(is_target, Rule::Referent)?;
        if self.is_open(next) {
            return self.push(next);
        }
        let component = self.types.word(id, 3);
        if component != u32::MAX {
            let count = match kind {
                Some(Kind::Struct | Kind::Union) => self.types.vlen(next),
                Some(Kind::Func) => self.types.vlen(self.types.size_or_type(next)),
                _ => 0,
            };
            require(component < count, Rule::Component)?;
        }
        Ok(Step::Done(Resolved { id: next, size: 0 }))
    }

    fn datasec(&mut self, vertex: Vertex) -> Result<Step, Violation> {
        self.mode = Mode::Open;
        let id = vertex.id;
        for index in vertex.next..self.types.vlen(id) {
            let [var, _, size] = self.types.element(id, index);
            let at = |rule| (rule, Some(index));
            require(self.types.kind(var) == Some(Kind::Var), Rule::EntryVar).map_err(at)?;
            if self.is_open(var) {
                // The size of this variable's type remains unchecked, as in the
                // kernel.
                return self.push_from(var, index + 1);
            }
            let (_, type_size) = self.sized(self.types.size_or_type(var)).ok_or(at(Rule::EntryType))?;
            require(size >= type_size, Rule::EntrySize).map_err(at)?;
        }
        Ok(Step::Done(Resolved::default()))
    }

    /// The kernel's last look at a type that it resolved.
    fn is_sound(&self, id: u32) -> bool {
        let Some(kind) = self.types.kind(id) else { return false };
        let resolved = self.node(id).resolved;
        match kind {
            _ if !self.is_resolved(id) => false,
            Kind::Struct | Kind::Union | Kind::Datasec => resolved.id == 0 && resolved.size == 0,
            Kind::DeclTag | Kind::Func => resolved.id != 0 && resolved.size == 0,
            Kind::Array => {
                let [element, _, nelems] = self.types.element(id, 0);
                self.sized(element).is_some_and(|(element, size)| {
                    !self.types.kind(element).is_some_and(is_modifier) && nelems.wrapping_mul(size) == resolved.size
                })
            }
            _ => {
                let kind = self.types.kind(resolved.id);
                !kind.is_some_and(is_modifier) && !matches!(kind, Some(Kind::Var | Kind::Datasec))
            }
        }
    }

    /// Checks the types of the return value and of the parameters.
    fn check_func_proto(&mut self, id: u32) -> Result<(), Reject> {
        let returned = self.types.size_or_type(id);
        if returned != 0 {
            self.check_sized(id, returned, Rule::ReturnType, None)?;
        }
        let mut count = self.types.vlen(id);
        if let Some(last) = count.checked_sub(1)
            && let [name_off, 0] = self.types.element(id, last)
        {
            require(name_off == 0, Rule::Argument).map_err(|rule| self.types.reject(id, rule, Some(last)))?;
            count = last;
        }
        for index in 0..count {
            let [name_off, type_id] = self.types.element(id, index);
            require(self.types.accepts_parameter(name_off), Rule::Argument)
                .map_err(|rule| self.types.reject(id, rule, Some(index)))?;
            self.check_sized(id, type_id, Rule::Argument, Some(index))?;
        }
        Ok(())
    }

    /// Checks that a type of a FUNC_PROTO has a size, resolving it if need be.
    fn check_sized(&mut self, proto: u32, id: u32, rule: Rule, element: Option<u32>) -> Result<(), Reject> {
        if !self.is_referent(id) {
            return Err(self.types.reject(proto, rule, element));
        }
        if needs_resolve(self.types.kind(id)) && !self.is_resolved(id) {
            self.resolve(id)?;
        }
        match self.sized(id) {
            Some(_) => Ok(()),
            None => Err(self.types.reject(proto, rule, element)),
        }
    }
}

/// Returns whether a kind is a qualifier, typedef or type tag.
pub(super) const fn is_modifier(kind: Kind) -> bool {
    matches!(kind, Kind::Typedef | Kind::Volatile | Kind::Const | Kind::Restrict | Kind::TypeTag)
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
