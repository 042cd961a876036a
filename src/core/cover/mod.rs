//! Backup cover: who is covered where, what that takes, and how to take less.
//!
//! A covered pod has a backup on one other node. Nodes fail one at a time, so pods of different nodes share what is
//! reserved: on each node it is, per resource, the maximum over other nodes of what is covered there from that
//! one. All of this is arithmetic on values; what is reserved for real, and when, is the state machine's part.

mod book;
mod check;
mod choose;
mod kind;
#[cfg(test)]
mod tests;

pub use book::{Book, Covered};
pub use check::{CheckedNode, CheckedPod, Violation, check};
pub use choose::{Candidate, Choice, choose};
pub use kind::Kind;
