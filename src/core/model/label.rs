//! Labels and annotations: small sorted maps of shared text.

use std::sync::Arc;

use super::Name;

/// Labels of an object, sorted by key. Cheap to clone, and pods of one workload can share them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Labels(Arc<[(Name, Name)]>);

/// The length of the longest value of a label, in bytes.
const MAX_VALUE_LEN: usize = 63;

/// Whether `text` may be the value of a label: empty, or letters, digits, `-`, `_` and `.` with a
/// letter or digit at both ends (upstream: `apimachinery/pkg/api/validate/content.IsLabelValue`).
pub fn is_label_value(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let ends = [text.bytes().next(), text.bytes().next_back()];
    text.len() <= MAX_VALUE_LEN
        && text.bytes().all(inner)
        && ends.into_iter().flatten().all(|byte| byte.is_ascii_alphanumeric())
}

// === impl Labels ===

impl Labels {
    /// The labels as given, sorted; of two with one key the later wins.
    pub fn new(pairs: impl IntoIterator<Item = (Name, Name)>) -> Self {
        let mut pairs: Vec<(Name, Name)> = pairs.into_iter().collect();
        pairs.sort_by(|a, b| a.0.cmp(&b.0));
        pairs.reverse();
        pairs.dedup_by(|next, kept| next.0 == kept.0);
        pairs.reverse();
        Self(pairs.into())
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

    /// How many refer to this copy of the labels.
    pub(crate) fn ref_count(&self) -> usize {
        Arc::strong_count(&self.0)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: bool) {
        assert_eq!(is_label_value(text), expected, "{text:?}");
    }

    #[test]
    fn a_label_value_is_short_and_begins_and_ends_with_a_letter_or_digit() {
        check("", true);
        check("a", true);
        check("eu-west_1.Zone", true);
        check(&"x".repeat(63), true);
        check(&"x".repeat(64), false);
        check("-5", false);
        check("5-", false);
        check("a b", false);
        check("a/b", false);
        check("ä", false);
    }
}
