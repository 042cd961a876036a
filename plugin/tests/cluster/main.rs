//! The plugin on a real API server, and side by side with a real kubectl.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bed;
mod connection;
mod delay;
mod failover;
mod label;
mod proxy;
#[path = "../snapshot/mod.rs"]
mod snapshot;
mod views;
