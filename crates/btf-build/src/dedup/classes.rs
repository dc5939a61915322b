//! Classes of equal types.

/// Types that were found equal, as a union-find structure; and what forward
/// declarations mean.
///
/// What is found while two types are compared is taken back if they turn out to
/// differ: each change is noted.
#[derive(Debug)]
pub(super) struct Classes {
    /// The first own id.
    first_own: u32,
    parents: Vec<u32>,
    /// What a FWD of a layer below means where own types refer to it; 0 if that is
    /// unknown.
    meanings: Vec<u32>,
    journal: Vec<Change>,
}

/// Places and their contents before a change.
#[derive(Debug, Clone, Copy)]
enum Change {
    Parent { id: u32, was: u32 },
    Meaning { id: u32 },
}

impl Classes {
    pub(super) fn new(first_own: u32, count: u32) -> Self {
        Self { first_own, parents: (0..count).collect(), meanings: vec![0; first_own as usize], journal: Vec::new() }
    }

    /// The type that stands for the class of another.
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

    /// The class of a type to which an own type refers.
    #[inline]
    pub(super) fn find_from_own(&mut self, id: u32) -> u32 {
        let class = self.find(id);
        match self.meanings.get(class as usize) {
            Some(&meaning) if meaning != 0 => self.find(meaning),
            _ => class,
        }
    }

    /// The class of a type to which another type refers.
    ///
    /// Types of the layers below mean what they meant before.
    #[inline]
    pub(super) fn find_from(&mut self, parent: u32, id: u32) -> u32 {
        if parent < self.first_own { self.find(id) } else { self.find_from_own(id) }
    }

    /// Returns whether a type stands for its class.
    pub(super) fn is_class(&self, id: u32) -> bool {
        self.parent(id) == id
    }

    /// Puts the class of `id` into that of `other`; both stand for their classes.
    pub(super) fn put_into(&mut self, id: u32, other: u32) {
        self.set_parent(id, other);
    }

    /// Says what a FWD means, which stands for its class, and means nothing so far.
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

    /// Takes back all changes that are not final.
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
