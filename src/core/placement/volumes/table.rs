//! Objects of one kind, some of them assumed to be already what was decided about them (upstream:
//! `plugins/volumebinding/passive_assume_cache.go`).

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::Version;

/// An object that has a name.
pub trait Keyed {
    /// Its name.
    type Key: Clone + Ord;

    /// Its name.
    fn key(&self) -> Self::Key;

    /// How new this reading of it is.
    fn version(&self) -> Version;
}

/// Objects of one kind, by name.
#[derive(Debug)]
pub struct Table<T: Keyed> {
    entries: BTreeMap<T::Key, Entry<T>>,
}

#[derive(Debug)]
struct Entry<T> {
    told: Arc<T>,
    /// What it is assumed to be until the server tells something newer than `told`.
    assumed: Option<Arc<T>>,
}

/// What a reading changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Put<T> {
    /// The object is new.
    Added,
    /// It was this.
    Updated(Arc<T>),
    /// It is known already, or something newer is.
    Unchanged,
}

// === impl Table ===

impl<T: Keyed> Default for Table<T> {
    fn default() -> Self {
        Self { entries: BTreeMap::new() }
    }
}

impl<T: Keyed> Table<T> {
    /// The object as it is assumed to be.
    pub fn get(&self, key: &T::Key) -> Option<&Arc<T>> {
        self.entries.get(key).map(Entry::assumed)
    }

    /// The object as the server told it last.
    pub fn told(&self, key: &T::Key) -> Option<&Arc<T>> {
        self.entries.get(key).map(|entry| &entry.told)
    }

    /// All objects as they are assumed to be, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<T>> {
        self.entries.values().map(Entry::assumed)
    }

    /// The objects from this name on.
    pub fn from(&self, key: T::Key) -> impl Iterator<Item = &Arc<T>> {
        self.entries.range(key..).map(|(_, entry)| entry.assumed())
    }

    /// Takes in a reading. A newer one ends what was assumed.
    pub fn put(&mut self, object: Arc<T>) -> Put<T> {
        let known = self.entries.get_mut(&object.key());
        let Some(entry) = known else {
            self.entries.insert(object.key(), Entry { told: object, assumed: None });
            return Put::Added;
        };
        let (known, new) = (entry.told.version(), object.version());
        if new.is_older_than(known) || (new == known && new != Version::UNKNOWN) {
            return Put::Unchanged;
        }
        entry.assumed = None;
        Put::Updated(std::mem::replace(&mut entry.told, object))
    }

    /// Takes an object out.
    pub fn remove(&mut self, key: &T::Key) -> Option<Arc<T>> {
        self.entries.remove(key).map(|entry| entry.told)
    }

    /// Takes out the objects for which `keep` does not hold.
    pub fn remove_unless(&mut self, keep: impl Fn(&T::Key) -> bool) -> Vec<Arc<T>> {
        let gone: Vec<T::Key> = self.entries.keys().filter(|key| !keep(key)).cloned().collect();
        gone.iter().filter_map(|key| self.remove(key)).collect()
    }

    /// Takes an object for what it will be once a decision is written. `object` is made from the reading that
    /// is known.
    pub fn assume(&mut self, object: Arc<T>) {
        if let Some(entry) = self.entries.get_mut(&object.key()) {
            entry.assumed = Some(object);
        }
    }

    /// Ends the assumption made from the reading of this version: the decision is not written. What was
    /// assumed, and what the object is.
    pub fn restore(&mut self, key: &T::Key, version: Version) -> Option<(Arc<T>, Arc<T>)> {
        let entry = self.entries.get_mut(key)?;
        let assumed = entry.assumed.take_if(|assumed| assumed.version() == version)?;
        Some((assumed, Arc::clone(&entry.told)))
    }
}

// === impl Entry ===

impl<T> Entry<T> {
    fn assumed(&self) -> &Arc<T> {
        self.assumed.as_ref().unwrap_or(&self.told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Claim, ClaimKey};

    fn claim(version: u64) -> Arc<Claim> {
        Arc::new(Claim { version: Version(version), ..Claim::named("shop", "data") })
    }

    fn key() -> ClaimKey {
        ClaimKey::new("shop", "data")
    }

    /// A table that knows version 5, and assumes that a node is selected.
    fn assumed() -> Table<Claim> {
        let mut table = Table::default();
        assert_eq!(table.put(claim(5)), Put::Added);
        let selected = Claim { selected_node: Some("n1".into()), ..(*claim(5)).clone() };
        table.assume(Arc::new(selected));
        table
    }

    #[track_caller]
    fn check(table: &Table<Claim>, expected: bool) {
        assert_eq!(table.get(&key()).is_some_and(|claim| claim.selected_node.is_some()), expected);
        assert!(table.told(&key()).is_none_or(|claim| claim.selected_node.is_none()));
    }

    #[test]
    fn what_is_assumed_holds_until_something_newer_is_told() {
        let mut table = assumed();
        check(&table, true);
        assert_eq!(table.put(claim(5)), Put::Unchanged);
        assert_eq!(table.put(claim(4)), Put::Unchanged);
        check(&table, true);
        assert_eq!(table.put(claim(6)), Put::Updated(claim(5)));
        check(&table, false);
    }

    #[test]
    fn what_is_assumed_ends_when_it_is_not_written() {
        let mut table = assumed();
        assert!(table.restore(&key(), Version(4)).is_none());
        check(&table, true);
        assert!(table.restore(&key(), Version(5)).is_some());
        check(&table, false);
        assert!(table.restore(&key(), Version(5)).is_none());
    }

    #[test]
    fn what_is_not_listed_is_gone() {
        let mut table = assumed();
        assert_eq!(table.remove_unless(|_| false), [claim(5)]);
        assert_eq!(table.get(&key()), None);
    }
}
