//! Cluster states judged by kube-scheduler and by edge-scheduler. All of them run on one control plane, in turn.

// Clippy lets tests unwrap where it is told that they are tests, helpers too.
#[cfg(test)]
mod affinity;
#[cfg(test)]
mod cordon_and_taints;
#[cfg(test)]
mod gates_and_names;
#[cfg(test)]
mod images;
#[cfg(test)]
mod known_differences;
#[cfg(test)]
mod messages;
#[cfg(test)]
mod pod_affinity;
#[cfg(test)]
mod ports;
#[cfg(test)]
mod preemption;
#[cfg(test)]
mod random;
#[cfg(test)]
mod requests;
#[cfg(test)]
mod resources;
#[cfg(test)]
mod spreading;
#[cfg(test)]
mod support;
mod volumes;
