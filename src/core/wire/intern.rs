//! Sharing of equal texts.

use std::collections::HashSet;
use std::collections::hash_map::DefaultHasher;
use std::hash::BuildHasherDefault;
use std::sync::Arc;

use crate::model::{Labels, Name};

/// Below this many texts nothing is swept.
const SWEEP_LEAST: usize = 1024;

/// Shares equal texts, so that ten thousand pods hold one copy of each label, namespace and image.
///
/// Texts that nothing else refers to are dropped whenever the number of texts has doubled, so the
/// set stays within twice what is in use. The hash has fixed keys: nothing here is drawn at random.
#[derive(Debug, Default)]
pub struct Interner {
    texts: HashSet<Name, BuildHasherDefault<DefaultHasher>>,
    sweep_at: usize,
}

// === impl Interner ===

impl Interner {
    /// The shared copy of `text`.
    pub fn intern(&mut self, text: &str) -> Name {
        if let Some(shared) = self.texts.get(text) {
            return Arc::clone(shared);
        }
        if self.texts.len() >= self.sweep_at.max(SWEEP_LEAST) {
            self.texts.retain(|text| Arc::strong_count(text) > 1);
            self.sweep_at = self.texts.len().saturating_mul(2);
        }
        let shared: Name = text.into();
        self.texts.insert(Arc::clone(&shared));
        shared
    }

    /// The shared name of an image, its tag spelled out (upstream: `normalizedImageName`).
    pub(super) fn intern_image(&mut self, image: &str) -> Name {
        // A colon before the last slash belongs to the registry's port.
        if image.rfind(':') > image.rfind('/') {
            self.intern(image)
        } else {
            self.intern(&format!("{image}:latest"))
        }
    }

    /// Shared copies of all pairs.
    pub(super) fn labels(&mut self, pairs: &[(String, String)]) -> Labels {
        Labels::new(pairs.iter().map(|(key, value)| (self.intern(key), self.intern(value))))
    }

    /// Shared copies of all texts.
    pub(super) fn names(&mut self, texts: &[String]) -> Box<[Name]> {
        texts.iter().map(|text| self.intern(text)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_are_shared() {
        let mut interner = Interner::default();
        assert!(Arc::ptr_eq(&interner.intern("app"), &interner.intern("app")));
    }

    #[test]
    fn texts_out_of_use_are_dropped_and_those_in_use_stay() {
        let mut interner = Interner::default();
        let kept = interner.intern("kept");
        for number in 0..100 * SWEEP_LEAST {
            interner.intern(&number.to_string());
        }
        assert!(interner.texts.len() <= SWEEP_LEAST, "{}", interner.texts.len());
        assert!(Arc::ptr_eq(&kept, &interner.intern("kept")));
    }
}
