//! Links with set delay between the pods of real nodes.

use crate::support::{address, exec, ready_pod, run_pod};
use controlplane::{ControlPlane, Options, RealNode};
use links::{HostSpec, Link, Network, Place};
use std::time::Duration;

#[test]
fn links_with_set_delay_are_laid_between_real_nodes() {
    let nodes = ["one", "two"];
    let options = Options { controller_manager: true, ..Options::default() };
    let cluster = ControlPlane::start(options.real(nodes.map(RealNode::new))).unwrap();
    let hosts = nodes.map(|node| {
        let network = cluster.node_network(node).unwrap();
        HostSpec::new(node).place(Place::At(network.namespace)).range(network.pods.parse().unwrap())
    });
    let network = Network::start(1, &hosts).unwrap();
    network.set_both("one", "two", Link::with_delay(Duration::from_millis(30))).unwrap();
    run_pod(&cluster, "left", "one");
    run_pod(&cluster, "right", "two");
    let right = address(&ready_pod(&cluster, "right"));
    ready_pod(&cluster, "left");

    let words = exec(&cluster, "left", &["ping", &right]);

    let number = words.strip_prefix("answered after ").and_then(|rest| rest.strip_suffix(" us\n"));
    // A packet is never early.
    assert!(number.unwrap().parse::<u64>().unwrap() >= 60_000, "{words}");
}
