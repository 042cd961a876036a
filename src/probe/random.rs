//! Random numbers.

use ring::rand::{SecureRandom, SystemRandom};

/// A number that nobody can guess.
pub(super) fn number() -> u64 {
    let mut bytes = [0; 8];
    // The system's source does not fail once the machine has started. A number that is not random would only make
    // what was recorded earlier valid, and only if that was the same zero.
    _ = SystemRandom::new().fill(&mut bytes);
    u64::from_ne_bytes(bytes)
}

/// A number from 0 to just below 1.
pub(super) fn fraction() -> f64 {
    f64::from((number() >> 32) as u32) / 4_294_967_296.0
}
