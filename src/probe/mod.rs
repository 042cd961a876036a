//! The probe agent: measures the delays from its node to others, and answers the others' probes.
//!
//! ```text
//!  echo (a thread)    answers probes of others
//!  sender (a thread)  sends probes, reads answers; what they tell is for the core to say (edge_core::probe)
//! ```
//!
//! The two have threads of their own, so that neither waits for the other, nor for the Kubernetes client or anything
//! else that the process does.
//!
//! | module | subject |
//! |---|---|
//! | `clock` | both clocks |
//! | `socket` | sockets that say when a packet came in |
//! | `keys` | the keys, from the folder of a mounted Secret |
//! | `packet` | what a probe and its answer look like |
//! | `echo` | answering |
//! | `random` | random numbers |
//! | `wire` | sending and receiving by UDP, ICMP or TCP |
//! | `sender` | the thread that probes |
//! | `config` | the configuration file |
//! | `service` | in a cluster: the own `NodeDelays` is followed, and reports are written |
//! | `plan`, `status` | what `NodeDelays` asks for, and what is said there |
//! | `health`, `counters` | health and metrics |
//! | `alone` | without Kubernetes: a list of peers, samples as lines of JSON |

mod alone;
mod clock;
mod config;
mod counters;
mod echo;
mod error;
mod health;
mod keys;
mod packet;
mod plan;
mod random;
mod sender;
mod service;
mod socket;
mod status;
#[cfg(test)]
mod tests;
mod wire;

pub use alone::{Alone, Peer, run as run_alone};
pub use config::{ProbeConfigError, ProbeConfiguration};
pub use error::AgentError;
pub use service::{Service, serve};
