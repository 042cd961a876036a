//! Which nodes have failed: a verdict on each node from what others say of it, and when no verdict may be acted on.
//!
//! ```text
//! rules      the numbers: how many misses, how long, how many at once
//! sighting   what one agent says of the peers that it probes every second
//! subject    one node: the words on it, its Lease, its agent, the verdict
//! detector   `Detector`: takes in evidence, gives the verdicts that turned
//! freeze     whether so much fails at once that it may be us who are cut off
//! ```
//!
//! Three kinds of evidence, each by its own way: probes between nodes, the Leases that kubelets renew, and whether we
//! hear enough of both to judge at all.
//!
//! - A majority of a node's fresh probers, from at least two other zones where there are so many, missed it three
//!   times in a row: it is *suspect*, and nothing new is placed there.
//! - Its Lease changed after they began to miss it: it is alive, and the network has a fault.
//! - It is suspect, and no change of its Lease was seen for 12 s: it is *lost*.
//!
//! Times are the scheduler's own. What stands in a Lease or a report about time is never compared with them.

mod detector;
mod freeze;
mod rules;
mod sighting;
mod subject;
#[cfg(test)]
mod tests;

pub use detector::{Detector, Haste, Turn};
pub use freeze::{Frozen, FrozenBy};
pub use rules::HealthRules;
pub use sighting::{LeaseSeen, Seen, Sighting};
pub use subject::Verdict;
