//! The probe agent, as far as it decides: whom to probe when, what the answers tell, and what is worth a report.
//!
//! ```text
//! agent       all of it together: what to send, what to say
//! prober      who is probed now, what is on its way, what came of it
//! rhythm      turns of peers, spread over their period
//! window      the last samples of a peer, and their statistics
//! step        whether the newest samples tell that the delay is another one now
//! request     measurements that somebody asked for once
//! report      when to report
//! starvation  whether the agent gets its share of CPU
//! lag         how long a packet lay before it was read
//! replay      each sequence number is accepted once
//! rate        how often something may happen
//! ```
//!
//! Sockets, packets and clocks are the shell's. Times come in as values; so do answers.

mod agent;
mod lag;
mod prober;
mod rate;
mod replay;
mod report;
mod request;
mod rhythm;
mod starvation;
mod step;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod virtual_link;
mod window;

pub use agent::{Agent, AgentConfig, Plan, REPORT_EVERY, Statement};
pub use lag::{Reading, lag};
pub use prober::{Known, Outcome, PeerPlan, Probe, Prober};
pub use rate::{Bucket, Rate, SourceLimit};
pub use replay::ReplayWindow;
pub use report::{Reason, Reporter};
pub use request::{RequestPlan, RequestResult};
pub use starvation::Starvation;
pub use window::{Sample, WINDOW, Window};

use std::time::Duration;

/// How often a neighbour on the ring is probed.
pub const RING_PERIOD: Duration = Duration::from_secs(1);
/// How often all others are probed.
pub const PERIOD: Duration = Duration::from_secs(10);
/// How many probes a new pair begins with.
pub const BURST: u8 = 8;
/// How long after another the probes of a burst follow.
pub const BURST_PERIOD: Duration = Duration::from_millis(100);
/// After how many missed probes in a row a peer counts as not reachable.
pub const UNREACHABLE_AFTER: u16 = 3;
