//! States from a seed: small clusters in which everything that the plugins look at is mixed.
//!
//! All choices are made from a few values, so that what a pod asks for is often met, and often just not.

mod affinity;
mod company;
mod nodes;
mod pods;
mod preemption;
mod volumes;

use crate::profiles::VARIANTS;
use crate::{ClusterState, Rng};
pub use preemption::preemption;

const ZONES: [&str; 3] = ["east", "west", "north"];
const SIZES: [&str; 5] = ["1", "5", "9", "0x5", "large"];
const TAINTS: [&str; 3] = ["gpu", "dedicated", "node.kubernetes.io/unschedulable"];
const EFFECTS: [&str; 3] = ["NoSchedule", "NoExecute", "PreferNoSchedule"];
const IMAGES: [&str; 5] = [
    "example.com/app:1",
    "example.com/web:latest",
    "example.com:5000/db:17",
    "example.com/db@sha256:0000000000000000000000000000000000000000000000000000000000000001",
    "plain:latest",
];
/// Resources of devices, of which pods request whole numbers.
const DEVICES: [&str; 3] = ["example.com/gpu", "example.com/nic", "other.example.com/fpga"];

/// How many of a hundred states have storage.
const STORAGE: usize = 35;
/// How many of a hundred pods are judged by a profile that is not the default.
const BY_VARIANT: usize = 30;

/// The state of this seed: the same one on every machine.
pub fn state(seed: u64) -> ClusterState {
    let mut rng = Rng::new(seed);
    let nodes = nodes::nodes(&mut rng);
    let names: Vec<&str> = nodes.iter().map(crate::Node::name).collect();
    let (placed, pod) = (pods::placed(&mut rng, &names), pods::judged(&mut rng, &names));
    let state = ClusterState { nodes, storage: Vec::new(), objects: Vec::new(), placed, pod };
    let state = if rng.percent(STORAGE) { volumes::with_storage(&mut rng, state) } else { state };
    let mut state = company::keep(&mut rng, state);
    if rng.percent(BY_VARIANT) {
        state.pod = state.pod.with("schedulerName", rng.pick(&VARIANTS).into());
    }
    state
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_one_state() {
        assert_eq!(state(7), state(7));
        assert_ne!(state(7), state(8));
    }
}
