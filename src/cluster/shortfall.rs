//! What the scheduler has to do without, for the metrics: objects that it can't understand, and optional
//! permissions that it doesn't have. It is the process's, as its log is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

static UNDECODABLE: Mutex<BTreeMap<&'static str, u64>> = Mutex::new(BTreeMap::new());
static FORBIDDEN: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());

/// An object of this kind could not be understood.
pub(super) fn note_undecodable(kind: &'static str) {
    *UNDECODABLE.lock().unwrap_or_else(PoisonError::into_inner).entry(kind).or_default() += 1;
}

/// Whether the scheduler has to do without this resource.
pub(super) fn note_forbidden(resource: &'static str, forbidden: bool) {
    let mut resources = FORBIDDEN.lock().unwrap_or_else(PoisonError::into_inner);
    if forbidden {
        resources.insert(resource);
    } else {
        resources.remove(resource);
    }
}

/// How many readings of objects could not be understood, by kind.
pub fn undecodable() -> BTreeMap<&'static str, u64> {
    UNDECODABLE.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// The resources that the scheduler has to do without.
pub fn forbidden() -> BTreeSet<&'static str> {
    FORBIDDEN.lock().unwrap_or_else(PoisonError::into_inner).clone()
}
