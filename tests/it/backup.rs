//! Backups: room on other nodes, kept by real pods.

use controlplane::{FakeNode, KubeScheduler, Options};
use serde_json::{Value, json};

use crate::bed::{Bed, LINE, PODS, PodSpec, line_delays};

const SYSTEM: &str = "/api/v1/namespaces/edge-system";
const NODE: &str = "kubectl-edge.dev/backup-node";

/// The nodes of the line, of 8 GiB each, with what is installed and no scheduler of ours yet.
fn bed(options: Options) -> Bed {
    let nodes = LINE.map(|name| FakeNode::new(name).memory("8Gi"));
    let bed = Bed::installed(options, &nodes);
    bed.write_delays(&LINE, &line_delays());
    bed
}

/// The backups, each with its node and what it requests of memory, sorted.
fn backups(bed: &Bed) -> Vec<(String, String)> {
    let list = bed.cp.client().get(&format!("{SYSTEM}/pods")).unwrap();
    let of = |pod: &Value| {
        let memory = &pod["spec"]["containers"][0]["resources"]["requests"]["memory"];
        (text(&pod["spec"]["nodeName"]), text(memory))
    };
    let mut found: Vec<(String, String)> = list["items"].as_array().unwrap().iter().map(of).collect();
    found.sort();
    found
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Waits until the pod says where its backup is, and `holds` of that.
fn backup_of(bed: &Bed, pod: &str, holds: impl Fn(&str) -> bool) -> String {
    bed.wait(&format!("the backup of {pod}"), || {
        let node = text(&bed.pod(pod)["metadata"]["annotations"][NODE]);
        (!node.is_empty() && holds(&node)).then_some(node)
    })
}

fn await_backups(bed: &Bed, expected: &[(&str, &str)]) {
    let expected: Vec<(String, String)> =
        expected.iter().map(|(node, memory)| ((*node).to_owned(), (*memory).to_owned())).collect();
    let mut last = Vec::new();
    bed.wait(&format!("backups {expected:?}"), || {
        let found = backups(bed);
        if found != last {
            eprintln!("backups: {found:?}");
            last.clone_from(&found);
        }
        (found == expected).then_some(())
    });
}

#[test]
fn room_for_a_pod_is_kept_on_another_node_against_every_scheduler() {
    let options = Options { kube_scheduler: KubeScheduler::Default, ..Options::default() };
    let mut bed = bed(options);
    bed.start_scheduler_of_installation();
    bed.create(&PodSpec { memory: "2Gi", ..PodSpec::new("web").delay("edge-1", "10") });
    let node = bed.node_of("web");
    let backup = backup_of(&bed, "web", |_| true);
    let radius = ["edge-1", "edge-2"];
    assert!(radius.contains(&&*node) && radius.contains(&&*backup) && node != backup, "{node} {backup}");
    await_backups(&bed, &[(&backup, "2147483648")]);

    let pod = bed.cp.client().get(&format!("{SYSTEM}/pods")).unwrap()["items"][0].clone();
    let deployment =
        bed.cp.client().get("/apis/apps/v1/namespaces/edge-system/deployments/edge-scheduler").unwrap();
    assert_eq!(pod["spec"]["priority"], 1_000_000_000);
    assert_eq!(pod["spec"]["preemptionPolicy"], "Never");
    assert_eq!(pod["metadata"]["ownerReferences"][0]["uid"], deployment["metadata"]["uid"]);
    let image = &deployment["spec"]["template"]["spec"]["containers"][0]["image"];
    assert_eq!(pod["spec"]["containers"][0]["image"], *image);
    assert_eq!(pod["spec"]["containers"][0]["args"], json!(["pause"]));

    // Of 8 GiB two are kept, for kube-scheduler as well.
    let theirs = |name: &str, memory: &'static str| {
        let mut pod = PodSpec { scheduler: "default-scheduler", memory, ..PodSpec::new(name) }.json();
        pod["spec"]["nodeSelector"] = json!({"kubernetes.io/hostname": backup});
        bed.cp.client().create(PODS, &pod).unwrap();
    };
    theirs("too-large", "7Gi");
    bed.message_of("too-large", |message| message.contains("1 Insufficient memory"));
    theirs("small", "5Gi");
    assert_eq!(bed.node_of("small"), backup);
    bed.check_permissions(&[
        "edge-scheduler: create pods in edge-system",
        "edge-scheduler: get deployments.apps edge-scheduler in edge-system",
    ]);
}

#[test]
fn backups_outlive_the_scheduler_and_leave_a_node_that_is_drained() {
    let mut bed = bed(Options::default());
    bed.start_scheduler();
    bed.create(&PodSpec { memory: "2Gi", ..PodSpec::new("web").delay("edge-3", "10") });
    let node = bed.node_of("web");
    let backup = backup_of(&bed, "web", |_| true);
    await_backups(&bed, &[(&backup, "2147483648")]);

    // Without a scheduler one is taken away and one too many is made.
    bed.kill_scheduler();
    let list = bed.cp.client().get(&format!("{SYSTEM}/pods")).unwrap();
    let mut orphan = list["items"][0].clone();
    let name = text(&orphan["metadata"]["name"]);
    bed.cp.client().delete(&format!("{SYSTEM}/pods/{name}")).unwrap();
    let labels = orphan["metadata"]["labels"].clone();
    orphan["metadata"] = json!({"name": "edge-backup-cloud-1-1", "labels": labels});
    orphan["spec"]["nodeName"] = "cloud-1".into();
    orphan["status"].take();
    bed.cp.client().create(&format!("{SYSTEM}/pods"), &orphan).unwrap();
    bed.start_scheduler();
    await_backups(&bed, &[(&backup, "2147483648")]);
    assert_eq!(backup_of(&bed, "web", |_| true), backup);

    bed.cp.kubectl(&["drain", &backup]).unwrap();
    let moved = backup_of(&bed, "web", |node| node != backup);
    assert_ne!(moved, node);
    await_backups(&bed, &[(&moved, "2147483648")]);
}

#[test]
fn backups_that_are_refused_are_told_once_and_hold_up_no_pod() {
    let mut bed = Bed::with(Options::default(), &LINE.map(|name| FakeNode::new(name).memory("8Gi")));
    bed.write_delays(&LINE, &line_delays());
    bed.start_scheduler();
    bed.create(&PodSpec::new("web").delay("edge-1", "10"));
    bed.node_of("web");
    // There is no namespace for them.
    let told = bed.events_of("edge-system", "BackupsRefused");
    let note = text(&told[0]["note"]);
    assert!(note.ends_with("there is no namespace edge-system"), "{note}");
    assert_eq!(told[0]["regarding"]["kind"], "Namespace");

    bed.install();
    let list = || bed.cp.client().get(&format!("{SYSTEM}/pods")).unwrap();
    bed.wait("a backup", || list()["items"].as_array().filter(|items| items.len() == 1).map(|_| ()));
    bed.events_of("edge-system", "BackupsMade");

    // None can be the backup of a pod that fits nowhere else.
    bed.create(&PodSpec::new("alone").delay("cloud-1", "0"));
    bed.node_of("alone");
    let told = bed.events_of("alone", "BackupMissing");
    assert_eq!(
        told[0]["note"],
        "No node can be its backup: 0/6 nodes are available: 1 node(s) were the pod's own, \
         5 node(s) exceeded the delay to cloud-1 (0 ms)."
    );
    assert_eq!(bed.pod("alone")["metadata"]["annotations"][NODE], Value::Null);
}
