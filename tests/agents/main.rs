//! Real agents on hosts in network namespaces, with links whose delay, jitter and loss are set: what they measure against
//! what the links really gave to the very same probes.
//!
//! ```sh
//! cargo test --test agents                                       # what holds on any machine, however busy
//! cargo test --release --test agents -- --ignored --nocapture    # the figures; best on a quiet machine
//! ```

#[cfg(test)]
mod accuracy;
#[cfg(test)]
mod agent;
#[cfg(test)]
mod bed;
#[cfg(test)]
mod budget;
#[cfg(test)]
mod compare;
