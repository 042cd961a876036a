//! Sharing of equal texts.

use std::collections::HashSet;
use std::collections::hash_map::DefaultHasher;
use std::hash::{BuildHasherDefault, Hash};
use std::sync::Arc;

use crate::model::{Labels, Name, PodAffinity, SpreadConstraint};

/// Below this many values of a kind nothing is swept.
const SWEEP_LEAST: usize = 1024;

/// Shares equal values, so that ten thousand pods hold one copy of each label, namespace and image, and pods
/// of one workload one copy of their labels, affinity and spread constraints.
#[derive(Debug, Default)]
pub struct Interner {
    texts: Shared<Name>,
    labels: Shared<Labels>,
    pod_affinities: Shared<Arc<PodAffinity>>,
    spreads: Shared<Arc<[SpreadConstraint]>>,
}

/// Values of one kind, each once.
///
/// Those that nothing else refers to are dropped whenever the number of values has doubled, so the set stays
/// within twice what is in use. The hash has fixed keys: nothing here is drawn at random.
#[derive(Debug)]
struct Shared<T> {
    values: HashSet<T, BuildHasherDefault<DefaultHasher>>,
    sweep_at: usize,
}

/// A value that counts who refers to it.
trait Counted: Clone + Eq + Hash {
    /// How many do.
    fn count(&self) -> usize;
}

impl<T: ?Sized + Eq + Hash> Counted for Arc<T> {
    fn count(&self) -> usize {
        Arc::strong_count(self)
    }
}

impl Counted for Labels {
    fn count(&self) -> usize {
        self.ref_count()
    }
}

// === impl Shared ===

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Self { values: HashSet::default(), sweep_at: 0 }
    }
}

impl<T: Counted> Shared<T> {
    /// The shared copy of `value`.
    fn share(&mut self, value: T) -> T {
        if let Some(shared) = self.values.get(&value) {
            return shared.clone();
        }
        self.insert(value)
    }

    /// Adds a value that isn't there yet.
    fn insert(&mut self, value: T) -> T {
        if self.values.len() >= self.sweep_at.max(SWEEP_LEAST) {
            self.values.retain(|value| value.count() > 1);
            self.sweep_at = self.values.len().saturating_mul(2);
        }
        self.values.insert(value.clone());
        value
    }
}

// === impl Interner ===

impl Interner {
    /// The shared copy of `text`.
    pub fn intern(&mut self, text: &str) -> Name {
        match self.texts.values.get(text) {
            Some(shared) => Arc::clone(shared),
            None => self.texts.insert(text.into()),
        }
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

    /// The shared copy of these labels.
    pub(super) fn labels(&mut self, pairs: &[(String, String)]) -> Labels {
        let labels = Labels::new(pairs.iter().map(|(key, value)| (self.intern(key), self.intern(value))));
        self.labels.share(labels)
    }

    /// The shared copy of this affinity.
    pub(super) fn pod_affinity(&mut self, affinity: PodAffinity) -> Arc<PodAffinity> {
        self.pod_affinities.share(Arc::new(affinity))
    }

    /// The shared copy of these constraints.
    pub(super) fn spread(&mut self, constraints: Vec<SpreadConstraint>) -> Arc<[SpreadConstraint]> {
        self.spreads.share(constraints.into())
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
        assert!(interner.texts.values.len() <= SWEEP_LEAST, "{}", interner.texts.values.len());
        assert!(Arc::ptr_eq(&kept, &interner.intern("kept")));
    }
}
