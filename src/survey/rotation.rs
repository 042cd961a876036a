//! When the agents' key is made anew, as a pure machine.
//!
//! ```text
//!  settled ── 30 days, or a request ──► spreading ── 10 min ──► retiring ── 10 min ──► settled
//!  current                              current, other (next)   current, other (last)   current
//! ```
//!
//! Agents send with `current` and accept both, so at every moment all of them understand each other, though each
//! learns of a change at another time.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

/// How long a key is used.
const PERIOD: Duration = Duration::from_hours(30 * 24);
/// Within this time every kubelet has brought a changed Secret to its pods: it takes a minute or two.
const SPREAD: Duration = Duration::from_mins(10);

/// A key.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(pub Vec<u8>);

/// How many bytes a key has.
pub(super) const KEY_LEN: usize = 32;

/// How far a rotation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// There is none.
    Settled,
    /// The next key is getting to the agents.
    Spreading,
    /// The last key is still accepted.
    Retiring,
}

/// The keys as they are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    /// The one that agents send with.
    pub current: Key,
    /// The one that they accept too.
    pub other: Option<Key>,
    /// How far a rotation is.
    pub phase: Phase,
    /// Since when, by the clock on the wall; none if nobody wrote it down.
    pub since: Option<Timestamp>,
    /// Whether somebody asks for a rotation.
    pub requested: bool,
}

// === impl Key ===

/// A key is never shown.
impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Key(of {} bytes)", self.0.len())
    }
}

// === impl Keys ===

impl Keys {
    /// The first ones.
    pub fn first(current: Key, now: Timestamp) -> Self {
        Self { current, other: None, phase: Phase::Settled, since: Some(now), requested: false }
    }

    /// What they are to be at `now`, if that is not what they are. `fresh` is a key that nobody knows yet.
    pub fn step(&self, now: Timestamp, fresh: impl FnOnce() -> Key) -> Option<Self> {
        let Some(since) = self.since else { return Some(Self { since: Some(now), ..self.clone() }) };
        // A clock that went back makes it take longer, and never shorter.
        let age = Duration::try_from(now.duration_since(since)).unwrap_or_default();
        match (self.phase, self.other.clone()) {
            (Phase::Settled, _) if self.requested || age >= PERIOD => Some(Self {
                other: Some(fresh()),
                phase: Phase::Spreading,
                since: Some(now),
                requested: false,
                ..self.clone()
            }),
            (Phase::Spreading, Some(next)) if age >= SPREAD => Some(Self {
                other: Some(self.current.clone()),
                current: next,
                phase: Phase::Retiring,
                since: Some(now),
                ..self.clone()
            }),
            // Somebody took the next one away.
            (Phase::Spreading, None) => {
                Some(Self { phase: Phase::Settled, since: Some(now), ..self.clone() })
            }
            (Phase::Retiring, _) if age >= SPREAD => {
                Some(Self { other: None, phase: Phase::Settled, since: Some(now), ..self.clone() })
            }
            (Phase::Settled | Phase::Spreading | Phase::Retiring, _) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_second(minutes * 60).unwrap()
    }

    fn key(id: u8) -> Key {
        Key(vec![id; KEY_LEN])
    }

    /// What the keys are after each of these minutes, each look being given a fresh key by its number.
    fn steps(keys: &mut Keys, looks: &[i64]) -> Vec<String> {
        let mut seen = Vec::new();
        for (idx, minute) in looks.iter().enumerate() {
            if let Some(next) = keys.step(at(*minute), || key(u8::try_from(idx + 10).unwrap())) {
                *keys = next;
                let other = keys.other.as_ref().map_or(0, |key| key.0[0]);
                seen.push(format!("{minute}: {} {other} {:?}", keys.current.0[0], keys.phase));
            }
        }
        seen
    }

    const MONTH: i64 = 30 * 24 * 60;

    #[test]
    fn a_new_key_is_known_to_all_before_it_is_used_and_the_old_one_holds_for_a_while() {
        let mut keys = Keys::first(key(1), at(0));
        let looks = [1, MONTH - 1, MONTH, MONTH + 9, MONTH + 10, MONTH + 19, MONTH + 20, MONTH + 30];
        let expected = ["43200: 1 12 Spreading", "43210: 12 1 Retiring", "43220: 12 0 Settled"];
        assert_eq!(steps(&mut keys, &looks), expected);
    }

    #[test]
    fn a_rotation_that_is_asked_for_begins_at_once_and_one_at_a_time() {
        let mut keys = Keys { requested: true, ..Keys::first(key(1), at(0)) };
        assert_eq!(steps(&mut keys, &[1]), ["1: 1 10 Spreading"]);
        assert!(!keys.requested);
        keys.requested = true;
        assert_eq!(steps(&mut keys, &[2, 11, 21]), ["11: 10 1 Retiring", "21: 10 0 Settled"]);
        assert_eq!(steps(&mut keys, &[22]), ["22: 10 10 Spreading"]);
    }

    #[test]
    fn what_is_strange_is_settled() {
        let mut keys = Keys { since: None, ..Keys::first(key(1), at(0)) };
        assert_eq!(steps(&mut keys, &[MONTH * 2, MONTH * 2 + 1]), ["86400: 1 0 Settled"]);
        let mut keys = Keys { phase: Phase::Spreading, ..Keys::first(key(1), at(0)) };
        assert_eq!(steps(&mut keys, &[1]), ["1: 1 0 Settled"]);
        // The clock went back by years.
        let mut keys = Keys::first(key(1), at(MONTH * 100));
        assert!(steps(&mut keys, &[1, MONTH]).is_empty());
    }

    #[test]
    fn a_key_is_never_shown() {
        assert_eq!(format!("{:?}", key(7)), "Key(of 32 bytes)");
    }
}
