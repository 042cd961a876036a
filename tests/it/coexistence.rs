//! Beside kube-scheduler: each counts the other's pods, and room that a kubelet's refusal frees is used.

use controlplane::{FakeNode, KubeScheduler, Options};
use serde_json::json;

use crate::bed::{Bed, PODS, PodSpec};

#[test]
fn pods_of_kube_scheduler_count_and_one_that_the_kubelet_refuses_makes_room() {
    let nodes = ["edge-1", "edge-2"].map(|name| FakeNode::new(name).memory("8Gi"));
    let options = Options { kube_scheduler: KubeScheduler::Default, ..Options::default() };
    let mut bed = Bed::with(options, &nodes);
    bed.write_delays(&["edge-1"], &[&[0.0]]);
    bed.start_scheduler();
    for (idx, scheduler) in ["default-scheduler", "edge-scheduler"].into_iter().cycle().take(8).enumerate() {
        let name = format!("pod-{idx}");
        bed.create(&PodSpec { scheduler, memory: "2Gi", ..PodSpec::new(&name) });
        // One at a time: each scheduler knows of the other's pods by the watch alone.
        bed.node_of(&name);
    }
    let full = "0/2 nodes are available: 2 Insufficient memory.";
    for (name, scheduler) in [("ours", "edge-scheduler"), ("theirs", "default-scheduler")] {
        bed.create(&PodSpec { scheduler, memory: "2Gi", ..PodSpec::new(name) });
        bed.message_of(name, |message| message.starts_with(full));
    }
    // Nobody but us is to use the room.
    bed.delete("theirs");
    let refused = json!({"status": {"phase": "Failed", "reason": "OutOfmemory"}});
    bed.cp.client().merge(&format!("{PODS}/pod-0/status"), &refused).unwrap();
    assert_eq!(bed.node_of("ours"), bed.node_of("pod-0"));
}
