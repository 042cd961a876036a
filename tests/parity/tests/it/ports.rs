//! NodePorts.

use parity::{Container, Pod, node, pod, state};
use serde_json::json;

use crate::support::check;

const TAKEN: &str = "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports.";

/// A pod on a node where another one has port 8080/TCP of this address.
#[track_caller]
fn check_beside(sentence: &str, ip: &str, pod: Pod, expected: &str) {
    let beside = parity::pod().host_port(8080, "TCP", ip);
    check(sentence, state([node("a")]).placed("a", beside).pod(pod), expected);
}

#[test]
fn a_port_in_use() {
    check_beside("is not to be had", "", pod().host_port(8080, "TCP", ""), TAKEN);
    check_beside("leaves other ports", "", pod().host_port(8081, "TCP", ""), "a");
    check_beside("leaves other protocols", "", pod().host_port(8080, "UDP", ""), "a");
    check_beside("leaves other addresses", "10.0.0.1", pod().host_port(8080, "TCP", "10.0.0.2"), "a");
    check_beside(
        "is not to be had on its address",
        "10.0.0.1",
        pod().host_port(8080, "TCP", "10.0.0.1"),
        TAKEN,
    );
    check_beside("is not to be had on all addresses", "10.0.0.1", pod().host_port(8080, "TCP", ""), TAKEN);
    check_beside("on all addresses is in use on each", "", pod().host_port(8080, "TCP", "10.0.0.1"), TAKEN);
    check_beside(
        "on all addresses of IPv6 is not in use on others",
        "::",
        pod().host_port(8080, "TCP", "::1"),
        "a",
    );
    let several = pod().host_port(8081, "TCP", "").host_port(8080, "TCP", "0.0.0.0");
    check_beside("is not to be had beside free ones", "", several, TAKEN);
    let moves = state([node("a"), node("b")]).placed("a", pod().host_port(80, "TCP", ""));
    check("leaves the pod to another node", moves.pod(pod().host_port(80, "TCP", "")), "b");
}

#[test]
fn whose_ports_count() {
    let host = pod().with("hostNetwork", true.into());
    let host_port = host.container(Container(json!({
        "name": "web", "image": "example.com/web:1", "ports": [{"containerPort": 8080}],
    })));
    check_beside("those of a pod in the node's network", "", host_port, TAKEN);
    let init = pod().init(Container::new("first").host_port(8080, "TCP", ""));
    check_beside("not those of an init container", "", init, "a");
    let sidecar = pod().init(Container::new("beside").sidecar().host_port(8080, "TCP", ""));
    check_beside("those of a sidecar", "", sidecar.clone(), TAKEN);
    let ended = pod().host_port(8080, "TCP", "").status("phase", "Succeeded".into());
    check("not those of a pod that has ended", state([node("a")]).placed("a", ended).pod(sidecar), "a");
}
