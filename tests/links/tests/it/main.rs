//! Links with set delay, between real network namespaces.
//!
//! What is asserted of time is what no busy machine can break: a packet is never early, and the median of what is seen is
//! near that of what was given.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy knows tests, but not the functions they share"
)]

mod delay;
mod life;
mod loss;
mod place;
mod support;
