//! Installing, upgrading and removing, on a real control plane whose nodes are played by KWOK.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bed;
mod documents;
mod dump;
mod life;
mod looks;
mod refusals;
#[path = "../snapshot/mod.rs"]
mod snapshot;
mod sources;
