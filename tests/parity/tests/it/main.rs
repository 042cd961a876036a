//! Cluster states judged by kube-scheduler and by edge-scheduler. All of them run on one control plane, in turn.

mod affinity;
mod cordon_and_taints;
mod gates_and_names;
mod images;
mod messages;
mod ports;
mod random;
mod requests;
mod resources;
mod support;
