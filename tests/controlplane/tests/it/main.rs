//! Tests of the control plane itself, on real components. They wait for conditions, each with a deadline.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy knows tests, but not the functions they share"
)]

mod building;
mod life;
mod nodes;
mod shell;
mod starting;
mod support;
