//! The shell around [`edge_core`]: watches, bindings, delay sources, clock and command line.
//!
//! ```text
//!  cluster::watch (pods, nodes) ─┐                               ┌─► cluster::act (bindings, events, …)
//!  delays (files)               ─┼─► Event ─► run ─► State ──────┤
//!  timers                       ─┘                  next(now)    └─► delays in use
//! ```
//!
//! Which replica binds is settled by [`lease`]. All decisions are made in the core; this crate does what the core says and reports what came of it.

pub mod args;
pub mod clock;
pub mod cluster;
pub mod delays;
pub mod lease;
pub mod metrics;
pub mod probe;
pub mod run;
pub mod serving;
pub mod setup;
pub mod survey;

pub use edge_config as config;
