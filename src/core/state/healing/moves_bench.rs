//! A cluster whose delays change and whose pods can be evicted, for tests of moves.

use std::collections::BTreeMap;
use std::time::Duration;

use super::cover_bench::{Bench, on, pod, replica};
use super::{MoveTurn, RelocateOutcome, Relocation};
use crate::delay::{DelayRow, Turn};
use crate::model::{Delay, Node, NodeName, Pod, Time};
use crate::moves::Rhythm;
use crate::placement::{BACKUP_NODE_ANNOTATION, MoveRule};
use crate::state::{Action, Defect, Event, MoveNotice, NominatedNode};

/// A cluster in which delays are what a file says.
pub(super) struct Field {
    pub(super) bench: Bench,
    /// In ms, between two nodes, the first in the alphabet first; 10 ms a step where nothing is said.
    delays: BTreeMap<(String, String), u32>,
    in_use: Vec<NodeName>,
    /// What the server says to who evicts, if it does not.
    pub(super) refuses: Option<RelocateOutcome>,
    /// For how long pods end.
    pub(super) grace: u64,
    ending: Vec<(Time, String)>,
    /// What was evicted when, with its target.
    pub(super) evicted: Vec<(Time, Relocation)>,
    /// The same, with all pods there were then.
    pub(super) seen: Vec<(Time, Relocation, Vec<Pod>)>,
    /// The scheduler ends in place of carrying out the next action but so many.
    pub(super) dies_at: Option<usize>,
}

pub(super) const RULE: MoveRule = MoveRule {
    keeps_promise: true,
    makes_room: true,
    reoptimize: crate::placement::Reoptimize::Off,
    rhythm: Rhythm { per_minute: 3, dwell: Duration::from_mins(1) },
};

/// A pod of this Deployment, of so many GiB, that may be so far from a.
pub(super) fn of(deployment: &str, name: &str, gib: i64, ms: &str) -> Pod {
    replica(pod(name, gib, ms), deployment, "x1")
}

// === impl Field ===

impl Field {
    /// Nodes of 8 GiB in a line and these pods, which have been there for long.
    pub(super) fn new(nodes: &[Node], pods: &[Pod]) -> Self {
        Self::with(RULE, nodes, pods)
    }

    pub(super) fn with(rule: MoveRule, nodes: &[Node], pods: &[Pod]) -> Self {
        let mut field = Self {
            bench: Bench::with_moves(rule, nodes, pods),
            delays: BTreeMap::new(),
            in_use: nodes.iter().map(|node| node.name.clone()).collect(),
            refuses: None,
            grace: 2,
            ending: Vec::new(),
            evicted: Vec::new(),
            seen: Vec::new(),
            dies_at: None,
        };
        field.pass(100);
        field.bench.done.clear();
        field
    }

    pub(super) fn delay(&self, a: &str, b: &str) -> u32 {
        let (a, b) = if a < b { (a, b) } else { (b, a) };
        let by_place = || u32::from(b.as_bytes()[0] - a.as_bytes()[0]) * 10;
        self.delays.get(&(a.to_owned(), b.to_owned())).copied().unwrap_or_else(by_place)
    }

    /// From now on two nodes are so far from each other.
    pub(super) fn set_delay(&mut self, a: &str, b: &str, ms: u32) {
        let (a, b) = if a < b { (a, b) } else { (b, a) };
        self.delays.insert((a.to_owned(), b.to_owned()), ms);
        let nodes = self.in_use.clone();
        self.tell_delays(&nodes);
    }

    fn tell_delays(&mut self, nodes: &[NodeName]) {
        let all = self.bench.nodes.iter().map(|node| node.name.clone()).collect::<Vec<_>>();
        let row = |from: &NodeName| {
            let delay = |to: &NodeName| {
                Delay::from_millis_f64(f64::from(self.delay(from.as_str(), to.as_str()))).unwrap()
            };
            DelayRow { from: from.clone(), to: all.iter().map(|to| (to.clone(), delay(to))).collect() }
        };
        let rows = nodes.iter().map(row).collect();
        self.bench.apply(Event::Delays(rows));
    }

    /// Does all that is asked for.
    pub(super) fn run(&mut self) {
        while let Some(action) = self.bench.state.next(self.bench.now) {
            if self.dies_at == Some(0) && is_request(&action) {
                self.dies_at = None;
                self.restart();
                continue;
            }
            if is_request(&action) {
                self.dies_at = self.dies_at.map(|left| left - 1);
            }
            match action {
                Action::UseDelays(nodes) => {
                    self.in_use.clone_from(&nodes);
                    self.tell_delays(&nodes);
                }
                Action::Relocate(relocation) => self.evict(relocation),
                Action::AnnounceMove(notice) => self.bench.done.push(describe(&notice)),
                Action::AnnounceDelay(told) => {
                    let is = if told.turn == Turn::Exceeded { "too far" } else { "near again" };
                    self.bench.done.push(format!("{} is {is}", told.pod.key.name));
                }
                Action::Report(report) => {
                    if let NominatedNode::Is(node) = &report.nominated_node
                        && let Some(pod) = self.bench.find(&report.pod)
                    {
                        self.bench.put(Pod { nominated_node: Some(node.clone()), ..pod });
                    }
                    self.bench.answer(Action::Report(report));
                }
                other => self.bench.answer(other),
            }
        }
    }

    /// The scheduler dies and starts anew.
    fn restart(&mut self) {
        self.bench.restart();
        self.in_use = self.bench.nodes.iter().map(|node| node.name.clone()).collect();
        let nodes = self.in_use.clone();
        self.tell_delays(&nodes);
    }

    /// Puts a defect in.
    pub(super) fn set_defect(&mut self, defect: Option<Defect>) {
        self.bench.state.defect = defect;
    }

    /// Whether the pod was not asked to go for the same target shortly before, and refused.
    pub(super) fn is_asked_for_first_time(&self, at: Time, relocation: &Relocation) -> bool {
        let mut before = self.evicted.iter().take_while(|(time, it)| *time < at || it != relocation);
        !before.any(|(time, it)| it == relocation && at.since(*time) < Duration::from_mins(1))
    }

    fn evict(&mut self, relocation: Relocation) {
        let name = relocation.pod.key.name.to_string();
        self.evicted.push((self.bench.now, relocation.clone()));
        self.seen.push((self.bench.now, relocation.clone(), self.bench.pods.clone()));
        self.bench.done.push(format!("evict {name} from {}", relocation.from));
        let outcome = self.refuses.clone().unwrap_or(RelocateOutcome::Evicted);
        if outcome == RelocateOutcome::Evicted
            && let Some(pod) = self.bench.find(&relocation.pod)
        {
            self.bench.put(Pod { terminating: true, ..pod.clone() });
            let fresh = Pod::pending(&pod.key.namespace, &format!("{name}+"));
            let annotations = pod
                .annotations
                .iter()
                .filter(|(key, _)| &***key != BACKUP_NODE_ANNOTATION)
                .map(|(key, value)| (&**key, &**value))
                .collect();
            let (labels, owner, requests) = (pod.labels.clone(), pod.owner.clone(), pod.requests.clone());
            self.bench.put(Pod { labels, annotations, owner, requests, ..fresh });
            self.ending.push((self.bench.now + Duration::from_secs(self.grace), name));
        }
        self.bench.apply(Event::Relocated(relocation, outcome));
    }

    /// Lets time pass second by second.
    pub(super) fn pass(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.bench.now = self.bench.now + Duration::from_secs(1);
            let now = self.bench.now;
            for (_, name) in self.ending.extract_if(.., |(at, _)| *at <= now).collect::<Vec<_>>() {
                self.bench.gone(&name);
            }
            self.run();
        }
    }

    /// What was done of these kinds, by the words that begin or end the lines; the rest is forgotten.
    pub(super) fn done(&mut self) -> Vec<String> {
        self.run();
        let is_of_cover = |line: &str| {
            ["make ", "take ", "taint "].iter().any(|word| line.starts_with(word))
                || line.contains(" has its backup ")
                || line.starts_with("backup of ")
        };
        std::mem::take(&mut self.bench.done).into_iter().filter(|line| !is_of_cover(line)).collect()
    }

    #[track_caller]
    pub(super) fn expect(&mut self, expected: &[&str]) {
        assert_eq!(self.done(), expected);
    }

    /// Where a pod is.
    pub(super) fn node_of(&self, name: &str) -> Option<String> {
        let pod = self.bench.pods.iter().find(|pod| &*pod.key.name == name)?;
        pod.node.as_ref().map(ToString::to_string)
    }

    /// A pod that runs on a node, with its backup on another.
    pub(super) fn put(&mut self, pod: Pod, node: &str, backup: &str) {
        self.bench.put(on(pod, node, Some(backup)));
    }
}

/// Whether something is written.
fn is_request(action: &Action) -> bool {
    matches!(
        action,
        Action::Relocate(_)
            | Action::CreateBackup(_)
            | Action::DeleteBackup(_)
            | Action::TaintNode(_)
            | Action::Bind(_)
            | Action::WriteCover(_)
    )
}

/// A pod of 1 GiB of a Deployment, which may be so far from others.
pub(super) fn near(deployment: &str, anchors: &[(&str, &str)]) -> Pod {
    let pod = of(deployment, deployment, 1, "0");
    let others = pod.labels.iter().filter(|(key, _)| !key.starts_with("delay_"));
    let labels: Vec<(String, String)> =
        others.map(|(key, value)| (key.to_string(), value.to_string())).collect();
    let anchors = anchors.iter().map(|(anchor, ms)| (format!("delay_{anchor}"), (*ms).to_owned()));
    let labels = labels.into_iter().chain(anchors).collect();
    Pod { labels, ..pod }
}

fn describe(MoveNotice { pod, turn, .. }: &MoveNotice) -> String {
    let name = &pod.key.name;
    match turn {
        MoveTurn::Moved { from, to } => format!("{name} moves from {from} to {to}"),
        MoveTurn::Refused(why) => format!("{name} refused: {why}"),
        MoveTurn::Nowhere(why) => format!("{name} nowhere: {why}"),
        MoveTurn::Stays(why) => format!("{name} stays: {why}"),
    }
}
