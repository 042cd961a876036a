//! Networks of pods in all their forms, on a real API server.

use std::collections::BTreeMap;

use controlplane::FakeNode;
use serde_json::json;

use crate::bed::{Bed, PODS, PodSpec};

const CONFIG: &str = include_str!("../../src/config/fixtures/contrail-scheduler.yaml");

/// Three DPDK nodes and two others, and a scheduler configured as the Contrail scheduler is.
fn bed() -> Bed {
    let large = |node: FakeNode| node.cpu("64").memory("128Gi");
    let dpdk = ["d1", "d2", "d3"].map(|name| large(FakeNode::new(name).label("agent-mode", "dpdk")));
    let others = ["o1", "o2"].map(|name| large(FakeNode::new(name)));
    let mut bed = Bed::without_scheduler(&[&dpdk[..], &others[..]].concat());
    bed.write_delays(&["d1"], &[&[0.0]]);
    let config = CONFIG.replace("/tmp/config/kubeconfig", &bed.cp.kubeconfig().display().to_string());
    let path = bed.matrix().with_file_name("config.yaml");
    bed.replace(&path, &config);
    let flag = format!("--config={}", path.display());
    bed.scheduler = Some(bed.replica("scheduler", &[&flag]));
    bed
}

fn contrail(name: &str, networks: &str) -> PodSpec {
    let annotations = json!({"k8s.v1.cni.cncf.io/networks": networks});
    PodSpec { scheduler: "contrail-scheduler", annotations, ..PodSpec::new(name) }
}

/// How many pods are on each node.
fn bound(bed: &Bed) -> BTreeMap<String, usize> {
    let pods = bed.cp.client().get(PODS).unwrap();
    let mut count = BTreeMap::new();
    for node in pods["items"].as_array().unwrap().iter().filter_map(|pod| pod["spec"]["nodeName"].as_str()) {
        *count.entry(node.to_owned()).or_default() += 1;
    }
    count
}

fn everywhere(count: usize) -> BTreeMap<String, usize> {
    ["d1", "d2", "d3"].map(|name| (name.to_owned(), count)).into()
}

#[test]
fn every_network_counts() {
    let bed = bed();
    for number in 0..30 {
        let networks =
            if number % 2 == 0 { "blue, net/red@eth2" } else { r#"[{"name": "blue"}, {"name": "red"}]"# };
        bed.create(&contrail(&format!("p{number}"), networks));
    }
    bed.wait("30 pods to be bound", || (bound(&bed) == everywhere(10)).then_some(()));
    // Two VMIs are left on each node.
    bed.create(&contrail("three", "blue,red"));
    bed.create(&contrail("broken", "[{"));
    bed.create(&contrail("two", "blue"));
    bed.node_of("two");
    bed.message_of("three", |message| message.contains("3 node(s) exceed max VMI count"));
    bed.message_of("broken", |message| message.contains("k8s.v1.cni.cncf.io/networks was neither"));
    bed.delete("p0");
    bed.node_of("three");
}
