//! Backups are in nobody's way: not in that of who drains or cordons a node, of a new DaemonSet, of the system's own pods, nor
//! of who deletes a namespace, be it theirs.

use controlplane::{FakeNode, KubeScheduler, Options};
use serde_json::{Value, json};

use crate::bed::{Bed, PODS, PodSpec};
use crate::handover::{items, requested};
use crate::healing::DEPLOYMENTS;

const SYSTEM_PODS: &str = "/api/v1/namespaces/edge-system/pods";
const DAEMON_SETS: &str = "/apis/apps/v1/namespaces/default/daemonsets";
const BACKUP: &str = "kubectl-edge.dev/backup-node";
/// So long kubectl waits for what it was told to do.
const TIMEOUT: &str = "--timeout=60s";

/// Groups of nodes that are near each other and far from all others, so that each case has its own. How many nodes, and
/// how many pods each of them takes; where that is few, nothing comes there by chance.
const GROUPS: [(&str, usize, u32); 7] = [
    ("drained", 3, 110),
    ("cordoned", 3, 110),
    ("daemon", 3, 110),
    ("narrow", 2, 110),
    ("places", 3, 2),
    ("critical", 3, 110),
    ("tenant", 2, 110),
];
const ONLY: &str = "only";

/// A pod, with its node and its backup's.
#[derive(Clone, Debug)]
struct Covered {
    node: String,
    backup: String,
}

// --- the bed ---

/// All groups on a control plane with kube-scheduler, whose scheduler of ours has no more permissions than an
/// installation gives it. KWOK plays the kubelets.
fn start() -> Bed {
    let named = |(group, count, pods): (&'static str, usize, u32)| {
        (1..=count).map(move |idx| (group, format!("{group}-{idx}"), pods))
    };
    let named: Vec<(&str, String, u32)> = GROUPS.into_iter().flat_map(named).collect();
    let nodes: Vec<FakeNode> = named
        .iter()
        .map(|(group, name, pods)| {
            let node = FakeNode::new(name).pods(*pods);
            if *pods < 10 { node.taint(ONLY, group, controlplane::Effect::NoSchedule) } else { node }
        })
        .collect();
    let options = Options {
        kwok: true,
        controller_manager: true,
        kube_scheduler: KubeScheduler::Default,
        ..Options::default()
    };
    let mut bed = Bed::installed(options, &nodes);
    bed.write_delays_of_groups(named.iter().map(|(_, name, _)| name));
    bed.start_scheduler_of_installation();
    bed
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// A pod of this group and size, which tolerates what keeps others off its nodes.
fn template(group: &str, memory: &str) -> Value {
    let mut pod = PodSpec::new(group).json();
    pod["metadata"]["labels"] = json!({"app": group, format!("delay_{group}-1"): "5"});
    pod["spec"]["containers"][0]["resources"]["requests"]["memory"] = memory.into();
    pod["spec"]["tolerations"] = json!([{"key": ONLY, "operator": "Exists"}]);
    pod
}

/// Makes a pod of this group that nothing controls.
fn create(bed: &Bed, group: &str, memory: &str) -> Covered {
    bed.cp.client().create(PODS, &template(group, memory)).unwrap();
    covered(bed, group, 1, |_| true).remove(0)
}

fn deploy(bed: &Bed, group: &str, replicas: u32, memory: &str) {
    let mut template = template(group, memory);
    template["metadata"]["name"].take();
    let selector = json!({"matchLabels": {"app": group}});
    let object = json!({
        "metadata": {"name": group},
        "spec": {"replicas": replicas, "selector": selector, "template": template},
    });
    bed.cp.client().create(DEPLOYMENTS, &object).unwrap();
}

/// The pods of a group that don't end and are on a node.
fn live(bed: &Bed, app: &str) -> Vec<Value> {
    let listed = items(bed, &format!("{PODS}?labelSelector=app={app}"));
    let is_live =
        |pod: &Value| pod["metadata"]["deletionTimestamp"].is_null() && pod["spec"]["nodeName"].is_string();
    listed.into_iter().filter(is_live).collect()
}

/// What backups request on a node, in bytes; none if there are none.
fn reserved(bed: &Bed, node: &str) -> Option<i64> {
    let listed = items(bed, &format!("{SYSTEM_PODS}?labelSelector=app.kubernetes.io/name%3Dedge-backup"));
    let there = listed.iter().filter(|pod| pod["spec"]["nodeName"] == node);
    let there = there.filter(|pod| pod["status"]["phase"] != "Failed");
    there.map(requested).reduce(|a, b| a + b)
}

/// Waits until so many pods of a group are placed and covered, with room reserved for each, as `holds` has it.
fn covered(bed: &Bed, group: &str, count: usize, holds: impl Fn(&Covered) -> bool) -> Vec<Covered> {
    bed.wait(&format!("{count} covered pods of {group}"), || {
        let pods = live(bed, group);
        let of = |pod: &Value| Covered {
            node: text(&pod["spec"]["nodeName"]),
            backup: text(&pod["metadata"]["annotations"][BACKUP]),
        };
        let found: Vec<Covered> = pods.iter().map(of).collect();
        let is_good = |(pod, it): (&Value, &Covered)| {
            it.node != it.backup
                && holds(it)
                && reserved(bed, &it.backup).is_some_and(|reserved| reserved >= requested(pod))
        };
        (found.len() == count && pods.iter().zip(&found).all(is_good)).then_some(found)
    })
}

fn await_no_backup(bed: &Bed, node: &str) {
    bed.wait(&format!("no backup on {node}"), || reserved(bed, node).is_none().then_some(()));
}

/// Waits until one pod of this application is on this node.
fn await_on(bed: &Bed, app: &str, node: &str) {
    bed.wait(&format!("{app} on {node}"), || {
        live(bed, app).iter().any(|pod| pod["spec"]["nodeName"] == node).then_some(())
    });
}

/// A DaemonSet of this scheduler that is for one node.
fn run_daemon(bed: &Bed, app: &str, node: &str, memory: &str, scheduler: &str) {
    let mut template = template(app, memory);
    template["metadata"] = json!({"labels": {"app": app}});
    template["spec"]["nodeSelector"] = json!({"kubernetes.io/hostname": node});
    template["spec"]["schedulerName"] = scheduler.into();
    let selector = json!({"matchLabels": {"app": app}});
    let object = json!({"metadata": {"name": app}, "spec": {"selector": selector, "template": template}});
    bed.cp.client().create(DAEMON_SETS, &object).unwrap();
}

// --- the cases ---

fn a_drain_ends(bed: &Bed) {
    deploy(bed, "drained", 2, "2Gi");
    let budget = json!({
        "metadata": {"name": "drained"},
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"app": "drained"}}},
    });
    let budgets = "/apis/policy/v1/namespaces/default/poddisruptionbudgets";
    bed.cp.client().create(budgets, &budget).unwrap();
    // Somebody has protected even what does nothing. It is taken away all the same, because its node is cordoned.
    let budget = json!({
        "metadata": {"name": "backups"},
        "spec": {"minAvailable": "100%", "selector": {"matchLabels": {"app.kubernetes.io/name": "edge-backup"}}},
    });
    let budgets = "/apis/policy/v1/namespaces/edge-system/poddisruptionbudgets";
    bed.cp.client().create(budgets, &budget).unwrap();
    let node = covered(bed, "drained", 2, |_| true).remove(0).backup;
    bed.cp.kubectl(&["drain", &node, "--ignore-daemonsets", TIMEOUT]).unwrap();
    covered(bed, "drained", 2, |it| it.node != node && it.backup != node);
    await_no_backup(bed, &node);
}

fn a_cordoned_node_holds_no_backup(bed: &Bed) {
    let Covered { node, backup } = create(bed, "cordoned", "2Gi");
    bed.cp.kubectl(&["cordon", &backup]).unwrap();
    let now = covered(bed, "cordoned", 1, |it| it.backup != backup).remove(0);
    assert_eq!(now.node, node);
    await_no_backup(bed, &backup);
    // There is no other one left.
    bed.cp.kubectl(&["cordon", &now.backup]).unwrap();
    bed.events_of("cordoned", "BackupMissing");
    await_no_backup(bed, &now.backup);
    bed.cp.kubectl(&["uncordon", &backup]).unwrap();
    covered(bed, "cordoned", 1, |it| it.backup == backup);
    bed.events_of("cordoned", "BackupFound");
}

fn a_new_daemon_set_gets_room(bed: &Bed) {
    let Covered { node, backup } = create(bed, "daemon", "5Gi");
    run_daemon(bed, "late", &backup, "3500Mi", "default-scheduler");
    await_on(bed, "late", &backup);
    covered(bed, "daemon", 1, |it| it.node == node && it.backup != backup);
}

fn a_daemon_set_of_ours_goes_before_cover(bed: &Bed) {
    let Covered { backup, .. } = create(bed, "narrow", "5Gi");
    run_daemon(bed, "ours", &backup, "3500Mi", "edge-scheduler");
    await_on(bed, "ours", &backup);
    bed.events_of("narrow", "BackupMissing");
    bed.wait("the pod to say that it has no backup", || {
        bed.pod("narrow")["metadata"]["annotations"][BACKUP].is_null().then_some(())
    });
    await_no_backup(bed, &backup);
    bed.cp.client().delete(&format!("{DAEMON_SETS}/ours")).unwrap();
    covered(bed, "narrow", 1, |it| it.backup == backup);
}

fn a_new_daemon_set_gets_a_place_among_the_pods(bed: &Bed) {
    // A node takes two pods: its agent and one more.
    let Covered { node, backup } = create(bed, "places", "100Mi");
    run_daemon(bed, "small", &backup, "100Mi", "default-scheduler");
    await_on(bed, "small", &backup);
    covered(bed, "places", 1, |it| it.node == node && it.backup != backup);
}

fn the_systems_own_pods_preempt_backups(bed: &Bed) {
    let Covered { node, backup } = create(bed, "critical", "5Gi");
    let create = |app: &str, node: &str, scheduler: &'static str| {
        let mut pod = PodSpec { scheduler, memory: "3500Mi", ..PodSpec::new(app) }.json();
        pod["metadata"]["labels"] = json!({"app": app});
        pod["spec"]["nodeSelector"] = json!({"kubernetes.io/hostname": node});
        pod["spec"]["priorityClassName"] = "system-node-critical".into();
        bed.cp.client().create(PODS, &pod).unwrap();
    };
    create("theirs", &backup, "default-scheduler");
    await_on(bed, "theirs", &backup);
    let next = covered(bed, "critical", 1, |it| it.node == node && it.backup != backup).remove(0).backup;
    create("our-own", &next, "edge-scheduler");
    await_on(bed, "our-own", &next);
    bed.events_of("critical", "BackupMissing");
    await_no_backup(bed, &next);
}

fn with_a_namespace_its_cover_goes(bed: &Bed) {
    bed.cp.kubectl(&["create", "namespace", "tenant"]).unwrap();
    // Its account is made a moment later.
    let path = "/api/v1/namespaces/tenant/pods";
    bed.wait("a pod of the tenant", || bed.cp.client().create(path, &template("tenant", "2Gi")).ok());
    let backup = bed.wait("its backup", || {
        let pod = bed.cp.client().get(&format!("{path}/tenant")).unwrap();
        let backup = text(&pod["metadata"]["annotations"][BACKUP]);
        reserved(bed, &backup).map(|_| backup)
    });
    bed.cp.kubectl(&["delete", "namespace", "tenant", TIMEOUT]).unwrap();
    await_no_backup(bed, &backup);
}

/// Whoever takes all of it away, without having stopped the scheduler before.
fn their_own_namespace_can_be_deleted(bed: &Bed) {
    bed.cp.kubectl(&["delete", "namespace", "edge-system", TIMEOUT]).unwrap();
    bed.create(&PodSpec::new("later").delay("tenant-1", "5"));
    bed.node_of("later");
    bed.events_of("edge-system", "BackupsRefused");
}

#[test]
fn backups_are_in_nobodys_way() {
    let bed = start();
    let cases: [fn(&Bed); 7] = [
        a_drain_ends,
        a_cordoned_node_holds_no_backup,
        a_new_daemon_set_gets_room,
        a_daemon_set_of_ours_goes_before_cover,
        a_new_daemon_set_gets_a_place_among_the_pods,
        the_systems_own_pods_preempt_backups,
        with_a_namespace_its_cover_goes,
    ];
    let all = &bed;
    std::thread::scope(|scope| {
        for case in cases {
            scope.spawn(move || case(all));
        }
    });
    bed.check_permissions(&[]);
    their_own_namespace_can_be_deleted(&bed);
}
