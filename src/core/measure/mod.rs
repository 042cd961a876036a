//! The measurement plan: which nodes measure the delay to which others, and how often.
//!
//! ```text
//! plan         what goes in and out: agents, anchors in use, peers with their interval
//! planner      `Planner`: takes in the world bit by bit, gives the lists that changed
//! roster       the agents, numbered
//! ring         neighbours by hash, which connect all nodes and serve failure detection
//! ```
//!
//! Up to [`PlanSettings::mesh_up_to`] nodes everybody measures everybody. A plan only says what is looked at:
//! nothing is ever admitted but by a delay that was measured.

mod plan;
mod planner;
mod ring;
mod roster;
#[cfg(test)]
mod tests;

pub use plan::{Agent, AnchorInUse, Assignment, Interval, Peer, PlanSettings};
pub use planner::Planner;
