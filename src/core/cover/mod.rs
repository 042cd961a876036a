//! Backup cover: who is covered where, what that takes, and how to take less.
//!
//! A covered pod has a backup on one other node. Nodes fail one at a time, so pods of different nodes share what is
//! reserved: on each node it is, per resource, the maximum over other nodes of what is covered there from that
//! one. All of this is arithmetic on values; what is reserved for real, and when, is the state machine's part.

mod book;
mod bound;
mod check;
mod choose;
mod game;
mod grid;
mod growth;
mod holds;
mod improve;
mod kind;
mod layout;
mod mend;
mod problem;
mod search;
mod steps;
#[cfg(test)]
mod tests;

pub use book::{Book, Covered};
pub use bound::{Bound, Effort, Freedom, bound};
pub use check::{CheckedNode, CheckedPod, Violation, check};
pub use choose::{Candidate, Choice, choose, fits};
pub use growth::{GROWS_WHOLLY, Site, least_growth};
pub use holds::{Hold, Holds};
pub use improve::{Budget, improve};
pub use kind::Kind;
pub use problem::{Problem, Room, Subject};
pub use steps::{Plan, Step};
