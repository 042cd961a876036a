//! Deterministic simulation: the scheduler's state machine under virtual time, in a model cluster that
//! goes wrong in every way that the real one may.
//!
//! ```text
//!  faults ── drawn by the seed: which, how often, how large a cluster
//!    │
//!  chaos ──► server ◄── cluster          the truth: pods, nodes, versions, bindings; those who work there
//!              │  ▲                       delays: the truth about them, and the rows in use
//!       stream │  │ network              late, doubled, reordered, missed; refused, lost, written anyway
//!              ▼  │
//!             State ─────► invariants    each decision, each write, each step, and the end
//!              ▲               ▲
//!              └── view ── judge         what it was told, kept and judged by code that shares none of its own
//! ```
//!
//! One seed is one run, and gives the same run each time. A run draws its faults, lets them strike for a
//! while, stops them, and gives the scheduler 90 s to come to rest.
//!
//! - To replay a seed with its trace: `EDGE_SIM_SEED=7 cargo test -p edge-core sim:: -- --nocapture`.
//! - To run another number of seeds: `EDGE_SIM_SEEDS=100000 cargo test --release -p edge-core sim::`.
//! - To add a fault of the cluster, see [`chaos::Happening`]. One of watches is a rate in
//!   [`faults::WatchFaults`], used in `stream`; one of requests a rate in [`faults::RequestFaults`] and a
//!   [`network::Fate`].
//! - To add an invariant, see [`invariants`]. A new action is carried out in `run`, and an outcome that the
//!   scheduler is told is taken in by [`view::View::told`] too.

mod chaos;
mod cluster;
mod delays;
mod faults;
mod invariants;
mod judge;
mod make;
mod network;
mod rng;
mod run;
mod server;
mod shell;
mod stream;
mod tests;
mod told;
mod trace;
mod view;
