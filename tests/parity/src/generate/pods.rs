//! Pods, placed ones and the one to judge.

use serde_json::json;

use super::{DEVICES, EFFECTS, IMAGES, TAINTS, affinity};
use crate::bed::RUNTIME_CLASS;
use crate::{Container, Pod, Rng, pod};

const CPU: [&str; 9] = ["100m", "250m", "333m", "500m", "1", "1500m", "2", "1001m", "250500u"];
const MEMORY: [&str; 8] = ["64Mi", "200Mi", "512Mi", "1Gi", "2Gi", "3Gi", "1e9", "123456789"];
const STORAGE: [&str; 3] = ["1Gi", "10Gi", "21Gi"];

/// Up to four pods a node, a few of which have ended, are ending, or are on a node that is not there.
pub(super) fn placed(rng: &mut Rng, nodes: &[&str]) -> Vec<Pod> {
    let busy = rng.pick(&[0, 1, 2, 4]);
    let mut pods = Vec::new();
    for _ in 0..rng.below(nodes.len() * busy + 1) {
        let node = if rng.percent(2) { "ghost" } else { rng.pick(nodes) };
        let mut pod = with_requests(rng, pod()).with("nodeName", node.into());
        if rng.percent(25) {
            pod = with_port(rng, pod);
        }
        match rng.below(100) {
            0..5 => pod = pod.status("phase", "Succeeded".into()),
            5..10 => pod = pod.status("phase", "Failed".into()),
            10..15 => pod.0["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into(),
            15..25 => pod = pod.with("schedulerName", "other".into()),
            25..35 => pod = pod.with("priorityClassName", rng.pick(&["low", "high"]).into()),
            35..45 => pod = resized(rng, pod),
            _ => (),
        }
        pods.push(pod);
    }
    pods
}

/// The pod to judge: each thing that a plugin looks at is there or is not.
pub(super) fn judged(rng: &mut Rng, nodes: &[&str]) -> Pod {
    // Half of the pods ask for little, or hardly any would have a choice of nodes.
    let modest = rng.percent(50);
    let mut pod = if modest { modest_pod(rng) } else { with_requests(rng, pod()) };
    pod = affinity::selecting(rng, pod, nodes, modest);
    if modest && rng.percent(70) {
        pod = pod.tolerate("", None, rng.pick(&["NoSchedule", ""])).tolerate("", None, "NoExecute");
    }
    for _ in 0..rng.pick(&[0, 0, 1, 2, 4]) {
        pod = tolerating(rng, pod);
    }
    if rng.percent(25) {
        pod = with_port(rng, pod);
    }
    if rng.percent(5) {
        pod = pod.with("hostNetwork", true.into());
    }
    if rng.percent(10) {
        pod = pod.with("runtimeClassName", RUNTIME_CLASS.into());
    }
    if rng.percent(10) {
        pod = pod.with("priorityClassName", rng.pick(&["low", "high"]).into());
    }
    if rng.percent(8) {
        let volume = json!([{"name": "data", "image": {"reference": rng.pick(&IMAGES)}}]);
        pod = pod.with("volumes", volume);
    }
    if rng.percent(3) {
        pod = pod.gate("example.com/gate");
    }
    pod
}

/// A pod of one container that wants a little.
fn modest_pod(rng: &mut Rng) -> Pod {
    let mut pod = pod().image(rng.pick(&IMAGES));
    if rng.percent(70) {
        pod = pod.request("cpu", rng.pick(&CPU[..4]));
    }
    if rng.percent(70) {
        pod = pod.request("memory", rng.pick(&MEMORY[..4]));
    }
    pod
}

fn tolerating(rng: &mut Rng, pod: Pod) -> Pod {
    let key = if rng.percent(10) { "" } else { rng.pick(&TAINTS) };
    let value = if key.is_empty() || rng.percent(50) { None } else { Some(rng.pick(&["", "a", "b"])) };
    let effect = if rng.percent(40) { "" } else { rng.pick(&EFFECTS) };
    pod.tolerate(key, value, effect)
}

fn with_port(rng: &mut Rng, pod: Pod) -> Pod {
    let protocol = rng.pick(&["TCP", "TCP", "UDP", "SCTP"]);
    let ip = rng.pick(&["", "", "0.0.0.0", "127.0.0.1", "10.0.0.1"]);
    pod.host_port(rng.pick(&[80, 8080]), protocol, ip)
}

/// One to three containers, sometimes init containers and sidecars in some order, sometimes requests or limits of the
/// pod itself.
fn with_requests(rng: &mut Rng, pod: Pod) -> Pod {
    let of_the_pod = rng.percent(20);
    // The pod's own request may not be less than its containers', or the server refuses it.
    let (cpu, memory) = if of_the_pod { (&CPU[..2], &MEMORY[..2]) } else { (&CPU[..], &MEMORY[..]) };
    let mut wanting = |name: &str, image: &str| wanting(rng, Container::new(name).image(image), cpu, memory);
    let main = wanting("main", "example.com/web");
    let more = [wanting("more-0", IMAGES[0]), wanting("more-1", IMAGES[2])];
    let init = [wanting("init-0", IMAGES[0]), wanting("init-1", IMAGES[1]), wanting("init-2", IMAGES[4])];
    let mut pod = pod.first(main.image(rng.pick(&["example.com/app:1", "example.com/web", "plain", "x"])));
    for container in more.into_iter().take(rng.pick(&[0, 0, 0, 1, 2])) {
        pod = pod.container(container);
    }
    for container in init.into_iter().take(rng.pick(&[0, 0, 0, 1, 2, 3])) {
        let container = if rng.percent(50) { container.sidecar() } else { container };
        let with_port = rng.percent(15);
        pod = pod.init(if with_port { container.host_port(8080, "TCP", "") } else { container });
    }
    if of_the_pod && rng.percent(70) {
        pod = pod.pod_request("cpu", rng.pick(&["1500m", "2", "3001m"]));
    }
    if of_the_pod && rng.percent(40) {
        pod = pod.pod_request("memory", rng.pick(&["1200Mi", "3Gi"]));
    }
    if of_the_pod && rng.percent(40) {
        pod = pod.pod_limit("cpu", "4").pod_limit("memory", rng.pick(&["3Gi", "5Gi"]));
    }
    pod
}

fn wanting(rng: &mut Rng, mut container: Container, cpu: &[&str], memory: &[&str]) -> Container {
    if rng.percent(60) {
        container = container.request("cpu", rng.pick(cpu));
    }
    if rng.percent(60) {
        container = container.request("memory", rng.pick(memory));
    }
    if rng.percent(10) {
        container = container.request("ephemeral-storage", rng.pick(&STORAGE));
    }
    if rng.percent(12) {
        container = container.request(rng.pick(&DEVICES), rng.pick(&["1", "2"]));
    }
    if rng.percent(2) {
        // The server admits huge pages beside another resource alone.
        container = container.request("cpu", "100m").request("hugepages-2Mi", rng.pick(&["64Mi", "66Mi"]));
    }
    if rng.percent(5) {
        // A limit without a request is one.
        container = container.limit("ephemeral-storage", "25Gi");
    }
    container
}

/// A pod that is being resized in place, or was.
fn resized(rng: &mut Rng, pod: Pod) -> Pod {
    let status = json!([{
        "name": "main",
        "image": "",
        "imageID": "",
        "ready": true,
        "restartCount": 0,
        "allocatedResources": {"cpu": rng.pick(&CPU), "memory": rng.pick(&MEMORY)},
        "resources": {"requests": {"cpu": rng.pick(&CPU)}},
    }]);
    let pod = pod.status("phase", "Running".into()).status("containerStatuses", status);
    if rng.percent(70) {
        return pod;
    }
    let reason = rng.pick(&["Infeasible", "Deferred"]);
    pod.status("conditions", json!([{"type": "PodResizePending", "status": "True", "reason": reason}]))
}
