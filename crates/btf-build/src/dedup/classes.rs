//! Classes of equal types.

/// Union-find structure of equal types, and the meanings of forward
/// declarations.
///
/// Changes made while two types are compared are recorded, and reverted if the
/// types turn out to differ.
#[derive(Debug)]
pub(super) struct Classes {
    /// The first own id.
    first_own: u32,
    parents: Vec<u32>,
    /// Meaning of each FWD of a layer below when own types refer to it; 0 if
    /// unknown.
    meanings: Vec<u32>,
    journal: Vec<Change>,
}

/// Places that changed, with their old contents.
#[derive(Debug, Clone, Copy)]
enum Change {
    Parent { id: u32, was: u32 },
    Meaning { id: u32 },
}

impl Classes {
    pub(super) fn new(first_own: u32, count: u32) -> Self {
        Self { first_own, parents: (0..count).collect(), meanings: vec![0; first_own as usize], journal: Vec::new() }
    }

    /// Returns the representative of the class of a type.
    #[inline]
    pub(super) fn find(&mut self, mut id: u32) -> u32 {
        loop {
            let parent = self.parent(id);
            if parent == id {
                return id;
            }
            let next = self.parent(parent);
            if next != parent {
                self.set_parent(id, next);
            }
            id = next;
        }
    }

    /// Returns the class of a type that an own type refers to.
    #[inline]
    pub(super) fn find_from_own(&mut self, id: u32) -> u32 {
        let class = self.find(id);
        match self.meanings.get(class as usize) {
            Some(&meaning) if meaning != 0 => self.find(meaning),
            _ => class,
        }
    }

    /// Returns the class of a type that another type refers to.
    ///
    /// Types of the layers below keep their meanings.
    #[inline]
    pub(super) fn find_from(&mut self, parent: u32, id: u32) -> u32 {
        if parent < self.first_own { self.find(id) } else { self.find_from_own(id) }
    }

    /// Returns `true` if a type is the representative of its class.
    pub(super) fn is_class(&self, id: u32) -> bool {
        self.parent(id) == id
    }

    /// Merges the class of `id` into that of `other`. Both are representatives.
    pub(super) fn put_into(&mut self, id: u32, other: u32) {
        self.set_parent(id, other);
    }

    /// Sets the meaning of a FWD, which is a representative without a meaning.
    pub(super) fn set_meaning(&mut self, fwd: u32, meaning: u32) {
        match self.meanings.get_mut(fwd as usize) {
            Some(place) => {
                *place = meaning;
                self.journal.push(Change::Meaning { id: fwd });
            }
            None => self.set_parent(fwd, meaning),
        }
    }

    /// Makes all changes final.
    pub(super) fn commit(&mut self) {
        self.journal.clear();
    }

    /// Reverts all changes that are not final.
    pub(super) fn roll_back(&mut self) {
        for change in self.journal.drain(..).rev() {
            let (place, was) = match change {
                Change::Parent { id, was } => (self.parents.get_mut(id as usize), was),
                Change::Meaning { id } => (self.meanings.get_mut(id as usize), 0),
            };
            if let Some(place) = place {
                *place = was;
            }
        }
    }

    #[inline]
    fn parent(&self, id: u32) -> u32 {
        self.parents.get(id as usize).copied().unwrap_or(id)
    }

    #[inline]
    fn set_parent(&mut self, id: u32, parent: u32) {
        if let Some(place) = self.parents.get_mut(id as usize) {
            self.journal.push(Change::Parent { id, was: *place });
            *place = parent;
        }
    }
}
