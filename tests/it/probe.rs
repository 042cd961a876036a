//! Probe agents and the API server: lists arrive, delays are reported, and neither side's end confuses the other.

use std::net::UdpSocket;
use std::path::{Path, PathBuf};

use controlplane::{Component, FakeNode, Options};
use serde_json::{Value, json};

use crate::bed::{Bed, NODE_DELAYS, Replica};
use crate::node_delays::agents_kubeconfig;

/// Three agents on one machine, each with an address and a token of its own.
struct Agents {
    bed: Bed,
    port: u16,
}

const NODES: [&str; 3] = ["edge-1", "edge-2", "edge-3"];

impl Agents {
    fn new() -> Self {
        let bed = Bed::with(Options::default(), &NODES.map(FakeNode::new));
        bed.install();
        for node in NODES {
            let object = json!({"apiVersion": edge_api::API_VERSION, "kind": "NodeDelays", "metadata": {"name": node}});
            bed.cp.client().create(NODE_DELAYS, &object).unwrap();
        }
        std::fs::create_dir(Self::keys(&bed)).unwrap();
        // A port that nobody has; the agents are the first to want it on their own addresses.
        let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Self { bed, port }
    }

    fn keys(bed: &Bed) -> PathBuf {
        bed.matrix().with_file_name("keys")
    }

    fn address(&self, node: &str) -> String {
        format!("127.0.0.{}:{}", 10 + NODES.iter().position(|it| *it == node).unwrap(), self.port)
    }

    fn start(&self, node: &str, kubeconfig: &Path) -> Replica {
        let listen = self.address(node);
        let (listen, port) = listen.split_once(':').unwrap();
        let (keys, kubeconfig) = (Self::keys(&self.bed), kubeconfig.to_str().unwrap());
        let flags =
            ["--listen", listen, "--port", port, "--health-bind-address=", "--kubeconfig", kubeconfig];
        self.bed.probe(node, &[&flags[..], &["--key-directory", keys.to_str().unwrap()]].concat())
    }

    /// What the scheduler wants of edge-1: everybody else each second.
    fn ask(&self, requests: &Value) {
        let peer = |name: &str| json!({"name": name, "address": self.address(name), "interval": "Ring"});
        let spec = json!({"peers": [peer("edge-2"), peer("edge-3")], "requests": requests, "reportEveryMs": 600_000});
        let object = json!({"apiVersion": edge_api::API_VERSION, "kind": "NodeDelays", "spec": spec});
        self.bed.cp.client().apply(&format!("{NODE_DELAYS}/edge-1"), "edge-scheduler", &object).unwrap();
    }

    /// Waits until the status of a node's object holds.
    fn wait(&self, what: &str, node: &str, agent: &Replica, holds: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        let found = controlplane::wait_for(what, crate::bed::DEADLINE, || {
            let object = self.bed.cp.client().get(&format!("{NODE_DELAYS}/{node}"));
            last = object.map(|it| it["status"].clone()).unwrap_or_default();
            Ok(holds(&last).then(|| last.clone()))
        });
        found.unwrap_or_else(|error| panic!("{error}\n{last:#}\n--- agent ---\n{}", agent.log()))
    }
}

fn row<'a>(status: &'a Value, peer: &str) -> &'a Value {
    let rows = status["rows"].as_array().map(Vec::as_slice).unwrap_or_default();
    rows.iter().find(|row| row["peer"] == peer).unwrap_or(&Value::Null)
}

#[test]
fn agents_measure_what_they_are_asked_and_report_it() {
    let agents = Agents::new();
    let kubeconfigs = NODES.map(|node| agents_kubeconfig(&agents.bed, node));
    let [one, mut two, three] = [0, 1, 2].map(|idx| agents.start(NODES[idx], &kubeconfigs[idx]));
    one.await_words("waiting for keys");
    std::fs::write(Agents::keys(&agents.bed).join("current"), [7; 32]).unwrap();
    for (node, agent) in NODES.into_iter().zip([&one, &two, &three]) {
        let address = agents.address(node);
        let status = agents.wait("an address", node, agent, |it| it["addresses"] == json!([address]));
        assert_eq!((&status["source"], &status["transport"]), (&json!("Probe"), &json!("UDP")));
    }

    let request = json!({"id": "r1", "peer": "edge-3", "address": agents.address("edge-3"), "count": 3});
    agents.ask(&json!([request]));
    let status = agents.wait("delays", "edge-1", &one, |it| {
        let measured =
            |peer| row(it, peer)["samples"].as_u64() >= Some(8) && row(it, peer)["p95Micros"].is_u64();
        measured("edge-2") && measured("edge-3") && it["results"][0]["running"] == false
    });
    assert_eq!(status["results"][0]["id"], "r1");
    assert_eq!(status["results"][0]["micros"].as_array().map(Vec::len), Some(3));
    assert_eq!((&status["measured"], &status["leaving"]), (&json!(2), &json!(false)));

    // One dies: that is said long before the next report would be due.
    three.kill();
    agents.wait("a loss", "edge-1", &one, |it| row(it, "edge-3")["missed"].as_u64() >= Some(3));

    // The API server goes; the dead one comes back meanwhile, and that is said when the API server is back.
    let path = format!("{NODE_DELAYS}/edge-3");
    let before = agents.bed.cp.client().get(&path).unwrap()["status"]["reportedAt"].clone();
    agents.bed.cp.stop(Component::ApiServer).unwrap();
    let three = agents.start("edge-3", &kubeconfigs[2]);
    one.await_words("a report was not taken");
    agents.bed.cp.launch(Component::ApiServer).unwrap();
    agents.wait("the return", "edge-1", &one, |it| row(it, "edge-3")["missed"].is_null());
    agents.wait("its own report", "edge-3", &three, |it| {
        it["reportedAt"].is_string() && it["reportedAt"] != before
    });

    assert_eq!(two.terminate(), Some(0));
    agents.wait("the farewell", "edge-2", &two, |it| it["leaving"] == true);
}
