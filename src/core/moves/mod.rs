//! Moving pods that run: which go first, how often, and by which moves room can be made.
//!
//! A move takes a pod away and has its controller make another one elsewhere, so it costs something. These are the
//! decisions about that, on plain values; whether a pod fits on a node is asked of whoever knows.

mod chain;
mod order;
mod pace;
#[cfg(test)]
mod tests;

pub use chain::{Board, Chain, Effort, Hop, Resident, make_room};
pub use order::{Link, in_order};
pub use pace::{Pace, Rhythm};
