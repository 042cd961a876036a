//! The agents' key is changed, and no agent fails to understand another meanwhile.

use std::fs;
use std::net::UdpSocket;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use k8s_openapi::ByteString;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::bed::{Bed, NODE_DELAYS, Replica};
use crate::node_delays::agents_kubeconfig;
use crate::survey::{KEY, cluster, names, start_scheduler};

/// A node's agent, and the folder with its keys, which is the test's to change, as the kubelet does for a pod.
struct Agent<'a> {
    bed: &'a Bed,
    node: &'a str,
    process: Replica,
    /// How often other keys were put there.
    n_changes: usize,
}

// === impl Agent ===

impl<'a> Agent<'a> {
    fn start(bed: &'a Bed, node: &'a str, address: (&str, u16), secret: &Value) -> Self {
        let folder = put_keys(bed, node, secret);
        let (kubeconfig, port) = (agents_kubeconfig(bed, node), address.1.to_string());
        let flags = ["--listen", address.0, "--port", &port, "--health-bind-address=", "--key-directory"];
        let flags = [&flags[..], &[folder.to_str().unwrap(), "--kubeconfig", kubeconfig.to_str().unwrap()]];
        Self { bed, node, process: bed.probe(node, &flags.concat()), n_changes: 0 }
    }

    /// Puts other keys into its folder, all at once.
    fn put(&mut self, secret: &Value) {
        put_keys(self.bed, self.node, secret);
        self.n_changes += 1;
    }

    /// Waits until the keys that were put there are in force.
    fn await_keys(&self) {
        let said = || self.process.log().matches("other keys are in force").count();
        let heeded = controlplane::wait_for("other keys", crate::bed::DEADLINE, || {
            Ok((said() >= self.n_changes).then_some(()))
        });
        heeded.unwrap_or_else(|error| panic!("{error}\n{}", self.process.log()));
    }

    /// Asks it to probe another agent, and waits until that is done: how many probes were answered.
    fn answered(&self, id: &str, peer: &str, address: (&str, u16)) -> usize {
        let address = format!("{}:{}", address.0, address.1);
        let request = json!({"id": id, "peer": peer, "address": address, "count": 5});
        let path = format!("{NODE_DELAYS}/{}", self.node);
        let spec = json!({"spec": {"requests": [request]}});
        self.bed.wait("its object", || self.bed.cp.client().merge(&path, &spec).ok());
        let micros = self.bed.wait("the result of a request", || {
            let object = self.bed.cp.client().get(&path).ok()?;
            let results = object["status"]["results"].as_array()?;
            let done = results.iter().find(|it| it["id"] == id && it["running"] != true)?;
            done["micros"].as_array().cloned()
        });
        micros.iter().filter(|it| it.is_u64()).count()
    }
}

/// A folder with the keys of the Secret, the same for a node each time.
fn put_keys(bed: &Bed, node: &str, secret: &Value) -> PathBuf {
    let folder = bed.matrix().with_file_name(format!("keys-{node}"));
    let version = tempfile::tempdir_in(folder.parent().unwrap()).unwrap().keep();
    for (name, key) in secret["data"].as_object().unwrap() {
        let key: ByteString = serde_json::from_value(key.clone()).unwrap();
        fs::write(version.join(name), key.0).unwrap();
    }
    let link = version.with_extension("link");
    symlink(version, &link).unwrap();
    fs::rename(link, &folder).unwrap();
    folder
}

/// A scheduler that begins now looks after the key at once; the one before ends.
fn look_after(
    bed: &Bed,
    scheduler: &mut Replica,
    note: &Value,
    what: &str,
    holds: impl Fn(&Value) -> bool,
) -> Value {
    bed.cp.client().merge(KEY, &json!({"metadata": {"annotations": note}})).unwrap();
    assert_eq!(scheduler.terminate(), Some(0));
    *scheduler = start_scheduler(bed, "{probe: {}}");
    bed.wait(what, || bed.cp.client().get(KEY).ok().filter(|secret| holds(secret)))
}

/// As if the phase had begun so long ago that the next one is due.
fn long_ago() -> Value {
    json!({"kubectl-edge.dev/key-since": (Timestamp::now() - SignedDuration::from_mins(11)).to_string()})
}

#[test]
fn agents_understand_each_other_while_their_key_is_changed() {
    let names = names(2);
    let bed = cluster(&names);
    let mut scheduler = start_scheduler(&bed, "{probe: {}}");
    let first = bed.wait("the key", || bed.cp.client().get(KEY).ok());
    let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let at = [("127.0.0.21", port), ("127.0.0.22", port)];
    let mut one = Agent::start(&bed, &names[0], at[0], &first);
    let mut two = Agent::start(&bed, &names[1], at[1], &first);
    let all_answered = |id: &str, one: &Agent<'_>, two: &Agent<'_>| {
        let answered = [one.answered(id, &names[1], at[1]), two.answered(id, &names[0], at[0])];
        assert_eq!(answered, [5, 5], "{id}\n{}\n{}", one.process.log(), two.process.log());
    };
    all_answered("one-key", &one, &two);

    // The next key gets to all agents, and is not used yet.
    let phase = |secret: &Value, phase: &str| {
        secret["metadata"]["annotations"]["kubectl-edge.dev/key-phase"] == phase
    };
    let asked = json!({"kubectl-edge.dev/rotate-key": ""});
    let spreading = look_after(&bed, &mut scheduler, &asked, "the next key", |it| phase(it, "spreading"));
    assert_eq!(spreading["data"]["current"], first["data"]["current"]);
    one.put(&spreading);
    two.put(&spreading);
    one.await_keys();
    two.await_keys();

    // It is used, but the second agent doesn't know that yet.
    let retiring =
        look_after(&bed, &mut scheduler, &long_ago(), "the change of keys", |it| phase(it, "retiring"));
    assert_eq!(retiring["data"]["current"], spreading["data"]["other"]);
    assert_eq!(retiring["data"]["other"], first["data"]["current"]);
    one.put(&retiring);
    one.await_keys();
    all_answered("two-keys", &one, &two);

    // The old one is gone, but the second agent doesn't know that yet.
    two.put(&retiring);
    two.await_keys();
    let settled =
        look_after(&bed, &mut scheduler, &long_ago(), "one key", |it| it["data"]["other"].is_null());
    assert_eq!(settled["data"]["current"], retiring["data"]["current"]);
    one.put(&settled);
    one.await_keys();
    all_answered("new-key", &one, &two);

    // Who has the old one alone is not understood any more: keys do make a difference.
    two.put(&first);
    two.await_keys();
    let answered = [one.answered("old-key", &names[1], at[1]), two.answered("old-key", &names[0], at[0])];
    assert_eq!(answered, [0, 0]);
}
