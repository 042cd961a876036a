//! A state over a model of the API server, for tests of cover.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::delay::DelayRow;
use crate::model::{
    Bytes, Delay, MilliCpu, Node, NodeName, Owner, Phase, Pod, Resources, Taint, TaintEffect, Time,
};
use crate::placement::plugins::backup_reservation::BackupReservation;
use crate::placement::{
    BACKUP_LABEL, BACKUP_NAMESPACE, BACKUP_NODE_ANNOTATION, BackupMode, BackupPolicy, BackupRule,
    HANDOVER_TAINT, MoveRule, Profile,
};
use crate::state::{
    Action, BackupPod, BindOutcome, Change, Config, CoverOutcome, CoverTurned, Defect, Event, EvictOutcome,
    PodRef, State,
};

/// A state over a model of the API server that does what it is asked to at once.
pub(super) struct Bench {
    pub(super) state: State,
    policy: BackupPolicy,
    moves: MoveRule,
    pub(super) now: Time,
    pub(super) nodes: Vec<Node>,
    pub(super) pods: Vec<Pod>,
    /// What was done since it was last asked, a line each.
    pub(super) done: Vec<String>,
    /// Since when nodes are down.
    pub(super) down_since: BTreeMap<String, Time>,
    /// What the server says to who makes backups, if it makes none.
    pub(super) refuses: Option<String>,
    /// The largest backup that it makes, in GiB.
    pub(super) largest: i64,
}

pub(super) fn node(name: &str, gib: i64) -> Node {
    let allocatable = Resources { cpu: MilliCpu(64_000), memory: Bytes(gib << 30), ..Resources::default() };
    Node { allocatable, allowed_pods: 110, ..Node::named(name) }
}

/// A pod of so many GiB that may be so far from node a.
pub(super) fn pod(name: &str, gib: i64, ms: &str) -> Pod {
    let requests = Resources { memory: Bytes(gib << 30), ..Resources::default() };
    Pod { requests, labels: [("delay_a", ms)].into_iter().collect(), ..Pod::pending("default", name) }
}

/// The same of a Deployment, by this ReplicaSet of it.
pub(super) fn replica(pod: Pod, deployment: &str, hash: &str) -> Pod {
    let owner = Owner { kind: "ReplicaSet".into(), name: format!("{deployment}-{hash}").as_str().into() };
    let labels = pod.labels.iter().map(|(key, value)| (&**key, &**value));
    let labels = labels.chain([("pod-template-hash", hash)]).collect();
    Pod { owner: Some(owner), labels, ..pod }
}

pub(super) fn on(pod: Pod, node: &str, backup: Option<&str>) -> Pod {
    let annotations = backup.map(|node| (BACKUP_NODE_ANNOTATION, node)).into_iter().collect();
    Pod { node: Some(node.into()), phase: Phase::Running, annotations, ..pod }
}

pub(super) fn backup(name: &str, node: &str, gib: i64) -> Pod {
    let requests = Resources { memory: Bytes(gib << 30), ..Resources::default() };
    Pod {
        requests,
        node: Some(node.into()),
        phase: Phase::Running,
        labels: [BACKUP_LABEL].into_iter().collect(),
        ..Pod::pending(BACKUP_NAMESPACE, name)
    }
}

fn state(policy: BackupPolicy, moves: MoveRule) -> State {
    let rule = BackupRule { mode: BackupMode::Pods, policy, moves, ..BackupRule::default() };
    let profile = Profile::known("edge-scheduler").unwrap().with(Box::new(BackupReservation { rule }));
    State::new(Config::new(vec![profile]).of_pods_and_nodes())
}

// === impl Bench ===

impl Bench {
    /// Nodes a to d in a line, 10 ms a step, of 8 GiB each, and these pods.
    pub(super) fn new(pods: &[Pod]) -> Self {
        Self::with(BackupPolicy::BestEffort, &["a", "b", "c", "d"].map(|name| node(name, 8)), pods)
    }

    pub(super) fn with(policy: BackupPolicy, nodes: &[Node], pods: &[Pod]) -> Self {
        Self::of_rules(policy, MoveRule::default(), nodes, pods)
    }

    /// The same where pods are moved.
    pub(super) fn with_moves(moves: MoveRule, nodes: &[Node], pods: &[Pod]) -> Self {
        Self::of_rules(BackupPolicy::BestEffort, moves, nodes, pods)
    }

    fn of_rules(policy: BackupPolicy, moves: MoveRule, nodes: &[Node], pods: &[Pod]) -> Self {
        let mut bench = Self {
            state: state(policy, moves),
            policy,
            moves,
            now: Time::ZERO,
            nodes: nodes.to_vec(),
            pods: pods.to_vec(),
            done: Vec::new(),
            down_since: BTreeMap::new(),
            refuses: None,
            largest: i64::MAX,
        };
        bench.list();
        bench
    }

    /// The same with a defect put in.
    pub(super) fn with_defect(self, defect: Option<Defect>) -> Self {
        Self { state: self.state.with_defect(defect), ..self }
    }

    fn list(&mut self) {
        self.apply(Event::Nodes(Change::Reset(self.nodes.clone())));
        self.apply(Event::Pods(Change::Reset(self.pods.clone())));
        self.run();
    }

    /// The scheduler dies and starts anew.
    pub(super) fn restart(&mut self) {
        let defect = self.state.defect;
        self.state = state(self.policy, self.moves).with_defect(defect);
        self.list();
    }

    pub(super) fn node_gone(&mut self, node: Node) {
        self.nodes.retain(|known| known.name != node.name);
        self.apply(Event::Nodes(Change::Gone(Box::new(node))));
    }

    pub(super) fn apply(&mut self, event: Event) {
        self.state.apply(event, self.now);
    }

    pub(super) fn put(&mut self, pod: Pod) {
        self.pods.retain(|known| known.key != pod.key);
        self.pods.push(pod.clone());
        self.apply(Event::Pods(Change::Put(Box::new(pod))));
    }

    pub(super) fn gone(&mut self, name: &str) {
        let idx = self.pods.iter().position(|pod| &*pod.key.name == name).unwrap();
        let gone = self.pods.remove(idx);
        self.apply(Event::Pods(Change::Gone(Box::new(gone))));
    }

    pub(super) fn put_node(&mut self, node: Node) {
        self.nodes.retain(|known| known.name != node.name);
        self.nodes.push(node.clone());
        self.apply(Event::Nodes(Change::Put(Box::new(node))));
    }

    pub(super) fn find(&self, pod: &PodRef) -> Option<Pod> {
        self.pods.iter().find(|it| it.key == pod.key && it.uid == pod.uid).cloned()
    }

    pub(super) fn annotate(&mut self, pod: &PodRef, node: Option<&str>) {
        if let Some(pod) = self.find(pod) {
            let others = pod.annotations.iter().map(|(key, value)| (&**key, &**value));
            let others = others.filter(|(key, _)| *key != BACKUP_NODE_ANNOTATION);
            let annotations = others.chain(node.map(|node| (BACKUP_NODE_ANNOTATION, node))).collect();
            self.put(Pod { annotations, ..pod });
        }
    }

    /// Does all that is asked for.
    pub(super) fn run(&mut self) {
        while let Some(action) = self.state.next(self.now) {
            self.answer(action);
        }
        assert!(self.state.wake_at() > self.now, "it rests, and has more to do");
    }

    pub(super) fn answer(&mut self, action: Action) {
        match action {
            Action::UseDelays(nodes) => {
                let place = |name: &NodeName| i32::from(name.as_str().as_bytes()[0]);
                let between = |a: &NodeName, b: &NodeName| {
                    Delay::from_millis_f64(f64::from((place(a) - place(b)).abs() * 10))
                };
                let row = |from: &NodeName| {
                    let to = ["a", "b", "c", "d"].map(NodeName::from).into_iter();
                    DelayRow {
                        from: from.clone(),
                        to: to.map(|to| (to.clone(), between(from, &to).unwrap())).collect(),
                    }
                };
                let rows = nodes.iter().map(row).collect();
                self.apply(Event::Delays(rows));
            }
            Action::Bind(binding) => {
                let found = self.find(&binding.pod).unwrap();
                let before = found.annotations.iter().map(|(key, value)| (&**key, &**value));
                let decided = binding.annotations.iter().map(|(key, value)| (*key, value.as_str()));
                let annotations = before.chain(decided).collect();
                self.apply(Event::Bind(binding.pod.clone(), BindOutcome::Bound));
                self.put(Pod { node: Some(binding.node.clone()), annotations, ..found });
                let backup = binding.annotations.iter().find(|(key, _)| *key == BACKUP_NODE_ANNOTATION);
                let backup = backup.map_or("none", |(_, node)| node);
                self.done.push(format!("{} to {}, backup {backup}", binding.pod.key.name, binding.node));
                self.admit(&binding.pod, binding.node.as_str());
            }
            Action::CreateBackup(_) | Action::DeleteBackup(_) => self.answer_about_backup(action),
            Action::Evict(_) | Action::TaintNode(_) => self.answer_about_failure(action),
            Action::WriteCover(write) => {
                let node = write.backup.as_ref().map(NodeName::as_str);
                self.done.push(format!(
                    "{} has its backup on {}",
                    write.pod.key.name,
                    node.unwrap_or("none")
                ));
                self.annotate(&write.pod, node);
                self.apply(Event::CoverWritten(write, CoverOutcome::Done));
            }
            Action::AnnounceCover(turn) => {
                let what = match turn.turned {
                    CoverTurned::Missing(_) => "missing",
                    CoverTurned::Found => "found",
                };
                self.done.push(format!("backup of {} {what}", turn.pod.key.name));
            }
            Action::AnnounceBackups(turn) => self.done.push(format!("{turn:?}")),
            Action::Report(report) => self.done.push(format!("{}: {}", report.pod.key.name, report.message)),
            _ => (),
        }
    }

    fn answer_about_backup(&mut self, action: Action) {
        match action {
            Action::CreateBackup(BackupPod { key, node, requests }) => {
                let gib = requests.memory.0 >> 30;
                let outcome = match self.refuses.clone() {
                    Some(why) => CoverOutcome::Refused(why),
                    None if gib > self.largest => CoverOutcome::Refused("too large".to_owned()),
                    None => CoverOutcome::Done,
                };
                if outcome == CoverOutcome::Done {
                    self.put(Pod { requests, ..backup(&key.name, node.as_str(), gib) });
                }
                self.done.push(format!("make {gib} on {node}"));
                self.apply(Event::BackupMade(key, outcome));
            }
            Action::DeleteBackup(pod) => {
                let Some(found) = self.find(&pod) else {
                    return self.apply(Event::BackupTaken(pod, CoverOutcome::Done));
                };
                self.done.push(format!(
                    "take {} from {}",
                    found.requests.memory.0 >> 30,
                    found.node.unwrap()
                ));
                self.gone(&pod.key.name);
                self.apply(Event::BackupTaken(pod, CoverOutcome::Done));
            }
            _ => (),
        }
    }

    fn answer_about_failure(&mut self, action: Action) {
        match action {
            Action::Evict(eviction) => {
                self.done.push(format!("evict {} from {}", eviction.pod.key.name, eviction.node));
                if let Some(pod) = self.find(&eviction.pod).filter(|pod| !pod.terminating) {
                    self.put(Pod { terminating: true, ..pod.clone() });
                    self.succeed(&pod);
                }
                self.apply(Event::Evicted(eviction, EvictOutcome::Deleted));
            }
            Action::TaintNode(wanted) => {
                let found = self.nodes.iter().find(|node| node.name == wanted.node).unwrap().clone();
                let others = found.taints.iter().filter(|taint| &*taint.key != HANDOVER_TAINT).cloned();
                let ours =
                    Taint { key: HANDOVER_TAINT.into(), value: "".into(), effect: TaintEffect::NoSchedule };
                let taints = others.chain(wanted.stands.then_some(ours)).collect();
                self.done.push(format!("taint {}: {}", wanted.node, wanted.stands));
                self.put_node(Node { taints, ..found });
                self.apply(Event::NodeTainted(wanted, CoverOutcome::Done));
            }
            _ => (),
        }
    }

    /// A controller makes another pod in place of one that ends.
    pub(super) fn succeed(&mut self, pod: &Pod) {
        let name = format!("{}+", pod.key.name);
        let fresh = Pod::pending(&pod.key.namespace, &name);
        let (labels, owner, requests) = (pod.labels.clone(), pod.owner.clone(), pod.requests.clone());
        self.put(Pod { labels, owner, requests, ..fresh });
    }

    /// A kubelet takes a pod in, or refuses it because others have the room.
    fn admit(&mut self, pod: &PodRef, name: &str) {
        let node = self.nodes.iter().find(|node| node.name.as_str() == name).unwrap();
        let here = self.pods.iter().filter(|pod| pod.node.as_ref().is_some_and(|it| it.as_str() == name));
        let taken: i64 = here.map(|pod| pod.requests.memory.0).sum();
        if taken > node.allocatable.memory.0 {
            self.done.push(format!("{} is refused on {name}: OutOfmemory", pod.key.name));
            let refused = self.find(pod).unwrap();
            self.put(Pod { phase: Phase::Failed, ..refused.clone() });
            self.pods.retain(|known| known.key != refused.key);
            self.succeed(&refused);
        }
    }

    /// Lets time pass second by second.
    pub(super) fn pass(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.now = self.now + Duration::from_secs(1);
            self.run();
        }
    }

    #[track_caller]
    pub(super) fn expect(&mut self, expected: &[&str]) {
        self.run();
        assert_eq!(std::mem::take(&mut self.done), expected);
    }

    /// In GiB, what the backups on each node hold.
    pub(super) fn held(&self) -> String {
        let held = |name: &str| {
            let on = self.pods.iter().filter(|pod| &*pod.key.namespace == BACKUP_NAMESPACE);
            let on = on.filter(|pod| pod.node.as_ref().is_some_and(|node| node.as_str() == name));
            let sizes: Vec<String> = on.map(|pod| (pod.requests.memory.0 >> 30).to_string()).collect();
            (!sizes.is_empty()).then(|| format!("{name}:{}", sizes.join("+")))
        };
        ["a", "b", "c", "d"].into_iter().filter_map(held).collect::<Vec<_>>().join(" ")
    }
}

pub(super) fn tainted(name: &str, key: &str) -> Node {
    let taint = Taint { key: key.into(), value: "".into(), effect: TaintEffect::NoSchedule };
    Node { taints: [taint].into(), ..node(name, 8) }
}
