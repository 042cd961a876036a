//! Integration tests: the `edge-scheduler` binary on a real API server, one module a feature.

// Clippy lets tests unwrap where it is told that they are tests, helpers too.
// The longest one, so that it begins first.
#[cfg(test)]
mod agents_key;
#[cfg(test)]
mod alone;
#[cfg(test)]
mod backup;
#[cfg(test)]
mod bed;
#[cfg(test)]
mod binding;
#[cfg(test)]
mod coexistence;
#[cfg(test)]
mod configuration;
#[cfg(test)]
mod contrail;
#[cfg(test)]
mod delay;
#[cfg(test)]
mod failover;
#[cfg(test)]
mod fencer;
#[cfg(test)]
mod files;
#[cfg(test)]
mod handover;
#[cfg(test)]
mod healing;
#[cfg(test)]
mod history;
#[cfg(test)]
mod in_the_way;
#[cfg(test)]
mod leadership;
#[cfg(test)]
mod moves;
#[cfg(test)]
mod never_two;
#[cfg(test)]
mod node_delays;
#[cfg(test)]
mod preemption;
#[cfg(test)]
mod probe;
#[cfg(test)]
mod refused;
#[cfg(test)]
mod serving;
#[cfg(test)]
mod steps;
#[cfg(test)]
mod survey;
#[cfg(test)]
mod tidy;
#[cfg(test)]
mod volumes;
