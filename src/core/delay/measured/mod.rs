//! What is measured between nodes, and what is made of it.
//!
//! ```text
//!  reports ──► Measured: by source and node ──► a pair is fresh, stale or unknown ──► rows in use
//! ```
//!
//! - The first source, in the order of precedence, that has a fresh value of a pair says how long its delay is.
//! - It is the larger of both directions that are fresh; if one is not, the other one counts.
//! - A lost probe is never a delay: a pair whose probes are all lost is unknown.

mod rules;
mod store;
#[cfg(test)]
mod tests;

pub use rules::{DelayRules, Hysteresis, HysteresisError, Statistic};
pub use store::{Measured, Pair, Reported};

pub(super) use store::Sides;
