//! Answers that are kept for a while.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How many answers are kept; further ones are asked for each time.
const CAPACITY: usize = 1024;

/// Answers, and until when each is good.
#[derive(Debug)]
pub(super) struct Cache<K, V> {
    entries: Mutex<HashMap<K, (V, Instant)>>,
}

impl<K, V> Default for Cache<K, V> {
    fn default() -> Self {
        Self { entries: Mutex::default() }
    }
}

// === impl Cache ===

impl<K: Eq + Hash, V: Clone> Cache<K, V> {
    /// The answer, if one is kept that is still good.
    pub(super) fn get(&self, key: &K) -> Option<V> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.get(key).filter(|(_, until)| Instant::now() < *until).map(|(value, _)| value.clone())
    }

    /// Keeps an answer for so long.
    pub(super) fn put(&self, key: K, value: V, ttl: Duration) {
        let now = Instant::now();
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() >= CAPACITY {
            entries.retain(|_, (_, until)| now < *until);
        }
        if entries.len() < CAPACITY && !ttl.is_zero() {
            entries.insert(key, (value, now + ttl));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_kept_for_its_time_and_no_longer() {
        let cache: Cache<u32, &str> = Cache::default();
        cache.put(1, "one", Duration::from_secs(10));
        cache.put(2, "two", Duration::ZERO);
        tokio::time::advance(Duration::from_secs(9)).await;
        assert_eq!((cache.get(&1), cache.get(&2)), (Some("one"), None));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(cache.get(&1), None);
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_are_kept_than_there_is_room_for() {
        let cache: Cache<usize, ()> = Cache::default();
        for key in 0..2 * CAPACITY {
            cache.put(key, (), Duration::from_secs(10));
        }
        assert_eq!((cache.get(&(CAPACITY - 1)), cache.get(&CAPACITY)), (Some(()), None));
        tokio::time::advance(Duration::from_secs(10)).await;
        cache.put(CAPACITY, (), Duration::from_secs(10));
        assert_eq!(cache.get(&CAPACITY), Some(()));
    }
}
