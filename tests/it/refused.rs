//! Backups that the server refuses: each obstacle is told once, nobody is stormed, and pods are bound all the same.

use controlplane::FakeNode;
use serde_json::{Value, json};

use crate::bed::{Bed, PodSpec};
use crate::handover::items;

const SYSTEM: &str = "/api/v1/namespaces/edge-system";
const ADMISSION: &str = "/apis/admissionregistration.k8s.io/v1";
const PRIORITY: &str = "/apis/scheduling.k8s.io/v1/priorityclasses";
/// What an obstacle for backups alone is bound to.
const BACKUPS: &str = "edge-backup";
/// Groups of two nodes that are near each other and far from all others: who is in one is covered in it.
const GROUPS: [&str; 3] = ["words", "sizes", "silence"];

fn start() -> Bed {
    let names: Vec<String> =
        GROUPS.iter().flat_map(|group| (1..=2).map(move |idx| format!("{group}-{idx}"))).collect();
    let nodes: Vec<FakeNode> = names.iter().map(FakeNode::new).collect();
    let mut bed = Bed::installed(controlplane::Options::default(), &nodes);
    bed.write_delays_of_groups(names.iter());
    bed.start_scheduler_of_installation();
    bed
}

/// A pod that can only be on the first node of a group, so that its backup is on the second. It is bound, whatever
/// becomes of its backup.
fn create(bed: &Bed, name: &str, group: &str, memory: &'static str) {
    let mut pod = PodSpec { memory, ..PodSpec::new(name).delay(&format!("{group}-1"), "5") }.json();
    let first = json!({"matchFields": [
        {"key": "metadata.name", "operator": "In", "values": [format!("{group}-1")]},
    ]});
    let preference = json!([{"weight": 100, "preference": first}]);
    pod["spec"]["affinity"] =
        json!({"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": preference}});
    bed.cp.client().create(crate::bed::PODS, &pod).unwrap();
    bed.node_of(name);
}

/// A backup as an administrator would make it; what the server says to it, without making it.
fn rehearse(bed: &Bed, memory: &str) -> Result<(), String> {
    let restricted = json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}});
    let container = json!({
        "name": "backup", "image": "pause", "securityContext": restricted,
        "resources": {"requests": {"memory": memory}},
    });
    let nobody = json!({"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}});
    let pod = json!({
        "metadata": {"name": "rehearsal", "labels": {"app.kubernetes.io/name": BACKUPS}},
        "spec": {
            "priorityClassName": BACKUPS, "nodeName": "words-1", "securityContext": nobody, "containers": [container],
        },
    });
    let made = bed.cp.client().create(&format!("{SYSTEM}/pods?dryRun=All"), &pod);
    made.map(drop).map_err(|error| error.to_string())
}

/// Waits until the server says these words to who makes a backup of this size.
fn await_obstacle(bed: &Bed, memory: &str, words: &str) {
    bed.wait(words, || rehearse(bed, memory).err().filter(|said| said.contains(words)).map(drop));
}

fn await_no_obstacle(bed: &Bed) {
    bed.wait("no obstacle", || rehearse(bed, "3Gi").ok());
}

/// What was told of backups so far, in this order: the words of each refusal, and `made`.
fn told(bed: &Bed) -> Vec<String> {
    let events = bed.cp.client().get("/apis/events.k8s.io/v1/namespaces/default/events").unwrap();
    let mut told: Vec<(String, String)> = Vec::new();
    for event in events["items"].as_array().unwrap() {
        let at = event["eventTime"].as_str().unwrap_or_default().to_owned();
        let note = event["note"].as_str().unwrap_or_default().to_owned();
        let what = match event["reason"].as_str() {
            Some("BackupsRefused") => note,
            Some("BackupsMade") => "made".to_owned(),
            _ => continue,
        };
        assert!(event["series"].is_null(), "told again and again: {event}");
        told.push((at, what));
    }
    told.sort();
    told.into_iter().map(|(_, what)| what).collect()
}

/// Waits until so much was told.
fn await_told(bed: &Bed, count: usize) -> Vec<String> {
    bed.wait_for_a_try(&format!("{count} events of backups"), || {
        Some(told(bed)).filter(|told| told.len() >= count)
    })
}

/// How often the server has refused a backup in these words.
fn refusals(bed: &Bed, words: &str) -> usize {
    let log = std::fs::read_to_string(bed.log()).unwrap();
    log.lines().filter(|line| line.contains("a backup was") && line.contains(words)).count()
}

fn await_refusals(bed: &Bed, words: &str, count: usize) {
    bed.wait_for_a_try(&format!("{count} refusals: {words}"), || {
        (refusals(bed, words) >= count).then_some(())
    });
}

/// What backups there are.
fn backups(bed: &Bed) -> Vec<Value> {
    let selector = format!("labelSelector=app.kubernetes.io/name={BACKUPS}");
    items(bed, &format!("{SYSTEM}/pods?{selector}"))
}

fn await_backup_on(bed: &Bed, group: &str) {
    bed.wait_for_a_try(&format!("a backup in {group}"), || {
        let is_in =
            |pod: &Value| pod["spec"]["nodeName"].as_str().is_some_and(|node| node.starts_with(group));
        backups(bed).iter().any(is_in).then_some(())
    });
}

/// A quota, a policy, no PriorityClass: the reason changes, but as long as nothing can be made it is told once.
fn one_obstacle_after_the_other(bed: &Bed) {
    let hard = json!({"requests.memory": "1Mi"});
    let quota = json!({"metadata": {"name": "none"}, "spec": {"hard": hard}});
    bed.cp.client().create(&format!("{SYSTEM}/resourcequotas"), &quota).unwrap();
    // This would be written by the controller manager.
    let counted = json!({"status": {"hard": hard, "used": {"requests.memory": "0"}}});
    bed.cp.client().merge(&format!("{SYSTEM}/resourcequotas/none/status"), &counted).unwrap();
    await_obstacle(bed, "1Gi", "quota: none");
    create(bed, "web", "words", "1Gi");
    let first = await_told(bed, 1);
    assert!(first[0].contains("quota: none"), "{first:?}");

    let rule = json!({
        "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"],
    });
    let validation = json!({
        "expression": format!("object.?metadata.?labels[?'app.kubernetes.io/name'].orValue('') != '{BACKUPS}'"),
        "message": "not in this house",
    });
    let policy = json!({"metadata": {"name": BACKUPS}, "spec": {
        "matchConstraints": {"resourceRules": [rule]}, "validations": [validation],
    }});
    let binding = json!({"metadata": {"name": BACKUPS}, "spec": {
        "policyName": BACKUPS, "validationActions": ["Deny"],
    }});
    bed.cp.client().create(&format!("{ADMISSION}/validatingadmissionpolicies"), &policy).unwrap();
    bed.cp.client().create(&format!("{ADMISSION}/validatingadmissionpolicybindings"), &binding).unwrap();
    await_obstacle(bed, "1Gi", "not in this house");
    bed.cp.client().delete(&format!("{SYSTEM}/resourcequotas/none")).unwrap();
    await_refusals(bed, "not in this house", 1);

    let class = bed.cp.client().get(&format!("{PRIORITY}/{BACKUPS}")).unwrap();
    bed.cp.client().delete(&format!("{PRIORITY}/{BACKUPS}")).unwrap();
    await_obstacle(bed, "1Gi", "no PriorityClass");
    for kind in ["validatingadmissionpolicybindings", "validatingadmissionpolicies"] {
        bed.cp.client().delete(&format!("{ADMISSION}/{kind}/{BACKUPS}")).unwrap();
    }
    await_refusals(bed, "no PriorityClass", 1);
    assert_eq!(told(bed), first, "it is told once");

    let class = json!({
        "metadata": {"name": BACKUPS}, "value": class["value"], "preemptionPolicy": class["preemptionPolicy"],
    });
    bed.cp.client().create(PRIORITY, &class).unwrap();
    await_no_obstacle(bed);
    await_backup_on(bed, "words");
    assert_eq!(await_told(bed, 2)[1], "made");
}

/// What is too large is refused, and told once, while others are made.
fn one_that_is_too_large(bed: &Bed) {
    let limit = json!({"type": "Container", "max": {"memory": "2Gi"}});
    let range = json!({"metadata": {"name": "small"}, "spec": {"limits": [limit]}});
    bed.cp.client().create(&format!("{SYSTEM}/limitranges"), &range).unwrap();
    await_obstacle(bed, "3Gi", "2Gi");
    create(bed, "large", "sizes", "3Gi");
    let first = await_told(bed, 3);
    assert!(first[2].contains("2Gi"), "{first:?}");
    // There was one for another pod of this group, to which this one adds.
    let before = backups(bed).len();
    create(bed, "more", "words", "512Mi");
    bed.wait_for_a_try("another backup", || (backups(bed).len() > before).then_some(()));
    let count = refusals(bed, "2Gi");
    await_refusals(bed, "2Gi", count + 1);
    assert_eq!(told(bed), first, "it is neither over nor new");

    bed.cp.client().delete(&format!("{SYSTEM}/limitranges/small")).unwrap();
    await_no_obstacle(bed);
    await_backup_on(bed, "sizes");
    assert_eq!(await_told(bed, 4)[3], "made");
}

/// A webhook does not answer, so that nobody knows whether the backup will be made.
fn a_webhook_that_is_down(bed: &Bed) {
    let hook = json!({
        "name": "down.example.com",
        "clientConfig": {"url": "https://127.0.0.1:1/"},
        "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "edge-system"}},
        "failurePolicy": "Fail", "sideEffects": "None", "admissionReviewVersions": ["v1"], "timeoutSeconds": 1,
    });
    let hooks = format!("{ADMISSION}/validatingwebhookconfigurations");
    bed.cp.client().create(&hooks, &json!({"metadata": {"name": "down"}, "webhooks": [hook]})).unwrap();
    await_obstacle(bed, "1Gi", "failed calling webhook");
    create(bed, "last", "silence", "1Gi");
    let first = await_told(bed, 5);
    assert!(first[4].contains("failed calling webhook"), "{first:?}");
    await_refusals(bed, "failed calling webhook", 5);
    assert_eq!(told(bed), first, "it is told once");

    bed.cp.client().delete(&format!("{hooks}/down")).unwrap();
    await_no_obstacle(bed);
    await_backup_on(bed, "silence");
    assert_eq!(await_told(bed, 6)[5], "made");
}

#[test]
fn each_obstacle_is_told_once_and_keeps_no_pod_from_being_bound() {
    let bed = start();
    one_obstacle_after_the_other(&bed);
    one_that_is_too_large(&bed);
    a_webhook_that_is_down(&bed);
}
