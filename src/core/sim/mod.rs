//! Deterministic simulation: the scheduler's state machine under virtual time, in a model cluster that
//! goes wrong in every way that the real one may.
//!
//! ```text
//!  faults ── drawn by the seed: which, how often, how large a cluster
//!    │
//!  chaos ──► server ◄── cluster     the truth: pods, nodes, versions, bindings, and who works there
//!    │         │  ▲                 delays: the truth about them, and the rows in use
//!    │  stream │  │ network         late, doubled, reordered, missed; refused, lost, written anyway
//!    │   told  ▼  │ shell           what the scheduler hears; what it decides, and its death
//!    │        State ──► invariants  at each decision, each write, each step, and in the end
//!    │                    ▲
//!    │                    │     agents: what is measured, and what they say of it
//!   run ─► trace   view ──┴ judge   what it was told, kept and judged by code that shares none of its own
//! ```
//!
//! One seed is one run, and gives the same run each time. A run draws its faults, lets them strike for a
//! while, stops them, and gives the scheduler 90 s to come to rest.
//!
//! - To replay a seed with its trace: `EDGE_SIM_SEED=7 cargo test -p edge-core sim:: -- --nocapture`.
//! - To run another number of seeds: `EDGE_SIM_SEEDS=100000 cargo test -p edge-core sim::`.
//! - To add a fault: one of the cluster is a [`chaos::Happening`]; one of watches a rate in
//!   [`faults::WatchFaults`], used in [`stream`]; one of requests a rate in [`faults::RequestFaults`] and a
//!   [`network::Fate`]. Name what it brings about in [`trace::Sight`], so that a test notices when it no
//!   longer does.
//! - To add an invariant: see [`invariants`]. Put in by hand the defect that it is to catch, and see it caught.
//! - To add an action: [`shell`] carries it out, and the outcome that the scheduler is told goes to
//!   [`view::View::told`] too.

mod agents;
mod backups;
mod chaos;
mod claims;
mod cluster;
mod covered;
mod crashes;
mod delays;
mod failover;
mod failures;
mod faults;
mod heard;
mod invariants;
mod judge;
mod machines;
mod make;
mod moves;
mod network;
mod planted;
mod preempt;
mod rng;
mod run;
mod server;
mod shell;
mod stream;
mod tests;
mod told;
mod trace;
mod verdicts;
mod view;
mod years;
