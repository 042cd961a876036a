//! The measurement plan: which nodes measure the delay to which others, and how often.
//!
//! ```text
//! plan         what goes in and out: agents, anchors in use, peers with their interval
//! planner      `Planner`: takes in the world bit by bit, gives the lists that changed
//! roster       the agents, numbered
//! ring         neighbours by hash, which connect all nodes and serve failure detection
//! coordinates  delays that nobody measured, predicted from those that somebody did
//! near         whom coordinates put nearest
//! shortlist    whom an anchor measures, because pods want to be near it
//! ```
//!
//! Up to [`PlanSettings::mesh_up_to`] nodes everybody measures everybody. Beyond, a node measures its neighbours on
//! the ring, its near ones, and, if it is an anchor, its shortlist. A plan only says what is looked at:
//! nothing is ever admitted but by a delay that was measured.

mod coordinates;
mod near;
mod plan;
mod planner;
mod ring;
mod roster;
mod shortlist;
#[cfg(test)]
mod tests;

pub use plan::{Agent, AnchorInUse, Assignment, Interval, Peer, PlanSettings};
pub use planner::Planner;
