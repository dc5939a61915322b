//! Cached texts of declarations. Most members in a kernel have one of few types, so that
//! their declarations differ from an earlier one only in the name.

/// Maximum length of a cached text in bytes, without the name.
const LONGEST: usize = 64;

/// Texts before and after the name, by the id of the type.
#[derive(Debug, Default)]
pub(super) struct Texts {
    /// Start of the text of each type in `bytes`; 0 if none is kept.
    starts: Vec<u32>,
    /// For each text: its length, the length of the part before the name, and the text.
    bytes: Vec<u8>,
}

impl Texts {
    /// Makes a cache for this many types.
    pub(super) fn new(types: usize) -> Self {
        Self { starts: vec![0; types], bytes: vec![0] }
    }

    /// Returns the text before and after the name in a declaration of this type.
    #[inline]
    pub(super) fn get(&self, id: u32) -> Option<(&[u8], &[u8])> {
        let start = *self.starts.get(id as usize).filter(|start| **start > 0)?;
        let ([len, before], text) = self.bytes.get(start as usize..)?.split_first_chunk()?;
        text.get(..(*len).into())?.split_at_checked((*before).into())
    }

    /// Keeps the text of a declaration for others of the same type, if it is short and has no
    /// anonymous type in it: these are written anew each time.
    pub(super) fn keep(&mut self, id: u32, before: &[u8], after: &[u8]) {
        let len = before.len() + after.len();
        if len > LONGEST || before.contains(&b'{') || after.contains(&b'{') {
            return;
        }
        let Ok(start) = u32::try_from(self.bytes.len()) else { return };
        if let Some(place) = self.starts.get_mut(id as usize) {
            *place = start;
            self.bytes.extend_from_slice(&[len as u8, before.len() as u8]);
            self.bytes.extend_from_slice(before);
            self.bytes.extend_from_slice(after);
        }
    }
}
