//! The cluster: the only module that names the Kubernetes API.
//!
//! ```text
//! client   the connection
//! watch    pods, nodes and what else they are judged by, decoded slimly, as events for the core
//! act      what the core wants done: bindings, conditions, events
//! leases, evict, knock   nodes that fail: their Leases, their pods, and whether they answer
//! backup   pods that keep room for others
//! instances  pods that measure for somebody else
//! review   questions about those who ask us
//! lease    the Lease that one replica holds
//! own_delays  a probe agent's own NodeDelays
//! layers   where layers are published
//! node_delays, probe_key   what nodes are to measure, and the keys by which their agents know each other
//! ```

pub mod act;
mod answer;
mod backup;
pub mod client;
mod condition;
mod evict;
mod instances;
mod knock;
mod layers;
mod lease;
mod leases;
mod limit;
mod node_delays;
mod notice;
mod object;
pub mod own_delays;
mod preempt;
mod probe_key;
mod relocate;
pub mod review;
mod selecting;
mod series;
pub mod shortfall;
mod storage;
mod taint;
#[cfg(test)]
mod tests;
mod timestamp;
mod volumes;
pub mod watch;

pub use act::Actor;
pub use client::{Clients, ConnectError, connect, delegate};
pub use instances::{Directory, Instance};
pub use layers::LayerStore;
pub use lease::LeaseLock;
pub use node_delays::{Scribe, Written};
pub use own_delays::OwnDelays;
pub use probe_key::{KeyError, KeyStore, SeenSecret};
