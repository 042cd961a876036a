//! Labels and annotations: small sorted maps of shared text.

use super::Name;

/// Labels of an object, sorted by key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels(Box<[(Name, Name)]>);

// === impl Labels ===

impl Labels {
    /// The labels as given, sorted; of two with one key the later wins.
    pub fn new(pairs: impl IntoIterator<Item = (Name, Name)>) -> Self {
        let mut pairs: Vec<(Name, Name)> = pairs.into_iter().collect();
        pairs.sort_by(|a, b| a.0.cmp(&b.0));
        pairs.reverse();
        pairs.dedup_by(|next, kept| next.0 == kept.0);
        pairs.reverse();
        Self(pairs.into_boxed_slice())
    }

    /// The value of `key`, if the object has it.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.shared(key).map(|value| &**value)
    }

    /// The value of `key` as shared text.
    pub fn shared(&self, key: &str) -> Option<&Name> {
        let idx = self.0.binary_search_by(|(candidate, _)| (**candidate).cmp(key)).ok()?;
        self.0.get(idx).map(|(_, value)| value)
    }

    /// All pairs, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&Name, &Name)> {
        self.0.iter().map(|(key, value)| (key, value))
    }

    /// Whether there is no label.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<K: Into<Name>, V: Into<Name>> FromIterator<(K, V)> for Labels {
    fn from_iter<T: IntoIterator<Item = (K, V)>>(iter: T) -> Self {
        Self::new(iter.into_iter().map(|(key, value)| (key.into(), value.into())))
    }
}
