//! Layers: for a delay value a partition of the nodes in which every pair of a cluster is within it.
//!
//! ```text
//! delays     what layers see of delays: `Delays`, and a table of them
//! linkage    complete linkage by the nearest-neighbour chain: one tree for all delay values
//! layers     `Layers`: the partitions, cut out of the tree
//! upkeep     keeps them true while nodes and delays change
//! keeper     has them linked in full now and then, and kept true in between
//! nested     a short form to write them down
//! verify     checks partitions pair by pair; shares no code with what made them
//! ```
//!
//! A cluster is part of each member's radius, never all of it: whether a node is feasible is always asked of the
//! radius. What a cluster gives is that any member may stand in for any other.

mod delays;
mod dense;
mod keeper;
#[expect(clippy::module_inception, reason = "the type is what the module is about")]
mod layers;
mod linkage;
mod nested;
mod sparse;
#[cfg(test)]
mod tests;
mod upkeep;
mod verify;

pub use delays::{Delays, PairDelays};
pub use keeper::{Known, LayerKeeper};
pub use layers::{Coverage, Layer, Layers, Member};
pub use nested::Nested;
pub use verify::{Violation, verify};
