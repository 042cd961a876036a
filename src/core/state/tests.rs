//! Scenarios: events in, actions out, under a clock that the test sets.

mod delays;
mod preemption;
mod steps;

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::delay::DelayRow;
use crate::model::{
    Bytes, LabelSelector, Labels, MilliCpu, Namespace, Node, NodeName, PodAffinity, PodAffinityTerm,
    Resources, SelectorKind,
};
use crate::placement::plugins::backup_reservation::BackupReservation;
use crate::placement::{Point, PointStatus};

/// A state with two nodes of 4 GiB, and its clock.
pub(super) struct Bench {
    pub(super) state: State,
    pub(super) now: Time,
}

pub(super) fn node(name: &str) -> Node {
    let allocatable = Resources { cpu: MilliCpu(4000), memory: Bytes(4 << 30), ..Resources::default() };
    Node { allocatable, allowed_pods: 110, ..Node::named(name) }
}

pub(super) fn pod(name: &str, gib: i64) -> Pod {
    let requests = Resources { memory: Bytes(gib << 30), ..Resources::default() };
    Pod { requests, ..Pod::pending("default", name) }
}

/// `<pod>: <message>`, and where it is nominated to if that is to be written. That preemption helps nowhere is
/// left out.
fn describe(report: &Report) -> String {
    const NOT_HELPFUL: &str = " no new claims to deallocate, preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling.";
    let Report { pod, message, nominated_node, .. } = report;
    let message = message.strip_suffix(NOT_HELPFUL).unwrap_or(message);
    match nominated_node {
        NominatedNode::Unchanged => format!("{}: {message}", pod.key.name),
        NominatedNode::None => format!("{}: {message} -> none", pod.key.name),
        NominatedNode::Is(node) => format!("{}: {message} -> {node}", pod.key.name),
    }
}

/// What is said of a pod that finds no memory on either node, and of nobody there who could go.
fn full(pod: &str) -> String {
    let said = "no new claims to deallocate, preemption: 0/2 nodes are available: 2 No preemption victims found for incoming pod.";
    format!("{pod}: 0/2 nodes are available: 2 Insufficient memory. {said}")
}

pub(super) fn bound(pod: &Pod, node: &str) -> Pod {
    Pod { node: Some(node.into()), ..pod.clone() }
}

// === impl Bench ===

impl Bench {
    pub(super) fn new() -> Self {
        let off = BackupReservation::off();
        Self::with(Profile::known("edge-scheduler").unwrap().with(Box::new(off)))
    }

    /// The same with this profile.
    pub(super) fn with(profile: Profile) -> Self {
        let config = Config::new(vec![profile]).of_pods_and_nodes();
        let mut bench = Self { state: State::new(config), now: Time::ZERO };
        bench.apply(Event::Nodes(Change::Reset(vec![node("a"), node("b")])));
        bench.apply(Event::Pods(Change::Reset(Vec::new())));
        bench
    }

    pub(super) fn apply(&mut self, event: Event) {
        self.state.apply(event, self.now);
    }

    pub(super) fn put(&mut self, pod: &Pod) {
        self.apply(Event::Pods(Change::Put(Box::new(pod.clone()))));
    }

    pub(super) fn gone(&mut self, pod: &Pod) {
        self.apply(Event::Pods(Change::Gone(Box::new(pod.clone()))));
    }

    pub(super) fn bind(&mut self, pod: &Pod, outcome: BindOutcome) {
        self.apply(Event::Bind(PodRef::of(pod), outcome));
    }

    fn read(&mut self, pod: &Pod, outcome: ReadOutcome) {
        self.apply(Event::Read(PodRef::of(pod), outcome));
    }

    pub(super) fn wait(&mut self, seconds: u64) {
        self.now = self.now + Duration::from_secs(seconds);
    }

    /// All that is to be done now, a line each.
    pub(super) fn actions(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        while let Some(action) = self.state.next(self.now) {
            lines.push(match action {
                Action::Bind(binding) => format!("bind {} to {}", binding.pod.key.name, binding.node),
                Action::WriteVolumes(it) => {
                    format!("write {} volumes of {}", it.writes.len(), it.pod.key.name)
                }
                Action::Read(pod) => format!("read {}", pod.key.name),
                Action::Report(report) => describe(&report),
                Action::Preempt(it) => {
                    let victims = it.victims.iter().map(|victim| format!(" {}", victim.pod.key.name));
                    format!(
                        "take{} from {} for {}",
                        victims.collect::<String>(),
                        it.node,
                        it.preemptor.key.name
                    )
                }
                Action::AnnouncePreempted(it) => format!("announce {} gone", it.victim.key.name),
                Action::Nominate(pod, node) => format!("nominate {} to {node:?}", pod.key.name),
                Action::Announce(it) => format!("announce {} on {}", it.pod.key.name, it.node),
                Action::AnnounceDelay(DelayTurn { pod, constraint, from, delay, turn, .. }) => {
                    let name = &pod.key.name;
                    format!("{turn:?} {name}: {delay} ms from {} on {from}", constraint.anchor)
                }
                Action::UseDelays(nodes) => format!("use delays of {nodes:?}"),
                Action::Evict(Eviction { pod, node, is_fenced, .. }) => {
                    let how = if is_fenced { " at once" } else { "" };
                    format!("evict {} from {node}{how}", pod.key.name)
                }
                Action::AnnounceEvicted(Evicted { pod, refused, .. }) => {
                    format!(
                        "announce {} evicted{}",
                        pod.key.name,
                        refused.map_or(String::new(), |it| format!(": not, {it}"))
                    )
                }
                Action::Relocate(it) => format!("move {} from {} to {}", it.pod.key.name, it.from, it.to),
                Action::AnnounceMove(it) => format!("{} {:?}", it.pod.key.name, it.turn),
                Action::Knock(node) => format!("knock at {node}"),
                Action::TellNode(NodeNotice { node, reason, .. }) => format!("{} {node}", reason.as_str()),
                Action::CreateBackup(it) => {
                    format!("make {} on {} of {}", it.key.name, it.node, it.requests.memory.0 >> 30)
                }
                Action::TaintNode(it) => format!("taint {}: {}", it.node, it.stands),
                Action::FenceNode(it) => format!("fence {}: {}", it.node, it.stands),
                Action::DeleteBackup(pod) => format!("take {}", pod.key.name),
                Action::WriteCover(it) => {
                    let node = it.backup.as_ref().map_or("none", NodeName::as_str);
                    format!("write backup of {}: {node}", it.pod.key.name)
                }
                Action::AnnounceCover(it) => format!("{} {:?}", it.pod.key.name, it.turned),
                Action::AnnounceBackups(turn) => format!("backups {turn:?}"),
            });
        }
        lines
    }

    #[track_caller]
    pub(super) fn expect(&mut self, expected: &[&str]) {
        assert_eq!(self.actions(), expected);
    }

    /// Binds the pod and tells on which node.
    #[track_caller]
    fn bind_somewhere(&mut self, pod: &Pod) -> String {
        self.put(pod);
        let actions = self.actions();
        let prefix = format!("bind {} to ", pod.key.name);
        actions[0].strip_prefix(&prefix).unwrap_or_else(|| panic!("{actions:?}")).to_owned()
    }
}

#[test]
fn nothing_is_decided_before_all_watches_have_delivered() {
    let selectors = |kind| Event::Selectors(kind, Change::Reset(Vec::new()));
    let lists = [
        Event::Pods(Change::Reset(vec![pod("web", 1)])),
        Event::Nodes(Change::Reset(vec![node("a")])),
        Event::Namespaces(Change::Reset(Vec::new())),
        Event::Storage(StorageChange::Claims(Change::Reset(Vec::new()))),
        Event::Storage(StorageChange::Volumes(Change::Reset(Vec::new()))),
        Event::Storage(StorageChange::Classes(Change::Reset(Vec::new()))),
        Event::Storage(StorageChange::CsiNodes(Change::Reset(Vec::new()))),
        Event::Storage(StorageChange::CsiDrivers(Change::Reset(Vec::new()))),
        Event::Storage(StorageChange::Capacities(Change::Reset(Vec::new()))),
        Event::Storage(StorageChange::Attachments(Change::Reset(Vec::new()))),
        Event::DisruptionBudgets(Change::Reset(Vec::new())),
        selectors(SelectorKind::Service),
        selectors(SelectorKind::ReplicationController),
        selectors(SelectorKind::ReplicaSet),
        selectors(SelectorKind::StatefulSet),
    ];
    assert_eq!(lists.len(), Watched::ALL.len());
    let mut state = State::new(Config::new(vec![Profile::known("edge-scheduler").unwrap()]));
    for list in lists {
        assert_eq!(state.next(Time::ZERO), None);
        assert_eq!(state.wake_at(), Time::NEVER);
        state.apply(list, Time::ZERO);
    }
    assert!(matches!(state.next(Time::ZERO), Some(Action::Bind(_))));
}

#[test]
fn an_assumed_pod_takes_up_room_at_once() {
    let mut bench = Bench::new();
    let first = bench.bind_somewhere(&pod("one", 3));
    let second = bench.bind_somewhere(&pod("two", 3));
    assert_ne!(first, second);
    bench.put(&pod("three", 3));
    bench.expect(&[&full("three")]);
}

#[test]
fn a_pod_is_woken_by_what_cures_it_alone() {
    let mut bench = Bench::new();
    let (one, two) = (pod("one", 3), pod("two", 3));
    let node = bench.bind_somewhere(&one);
    bench.bind_somewhere(&two);
    bench.put(&pod("three", 3));
    bench.actions();
    bench.bind(&one, BindOutcome::Bound);
    bench.put(&bound(&one, &node));
    bench.expect(&[&format!("announce one on {node}")]);
    bench.gone(&bound(&one, &node));
    bench.expect(&[&format!("bind three to {node}")]);
}

#[test]
fn a_pod_that_never_fits_is_reported_once_and_tried_again_after_five_minutes() {
    let mut bench = Bench::new();
    bench.put(&pod("huge", 100));
    let line = "huge: 0/2 nodes are available: 2 Insufficient memory.";
    bench.expect(&[line]);
    bench.wait(299);
    bench.expect(&[]);
    bench.wait(31);
    bench.expect(&[line]);
}

#[test]
fn a_refused_binding_gives_the_room_back_and_is_tried_again_after_backoff() {
    let mut bench = Bench::new();
    let web = pod("web", 4);
    bench.bind_somewhere(&web);
    bench.bind(&web, BindOutcome::Refused("forbidden".to_owned()));
    bench.expect(&["web: forbidden"]);
    assert!(bench.state.snapshot.nodes.iter().all(|node| node.usage.pods.is_empty()));
    bench.wait(1);
    assert!(bench.actions()[0].starts_with("bind web"));
}

#[test]
fn an_unknown_outcome_keeps_the_room_until_the_pod_was_read() {
    let mut bench = Bench::new();
    let web = pod("web", 4);
    let node = bench.bind_somewhere(&web);
    bench.bind(&web, BindOutcome::Unknown("timed out".to_owned()));
    bench.expect(&["read web"]);
    bench.read(&web, ReadOutcome::Failed);
    bench.expect(&[]);
    bench.wait(1);
    bench.expect(&["read web"]);
    // Not bound, but the request may still arrive: the same binding is written again.
    bench.read(&web, ReadOutcome::Found(Box::new(web.clone())));
    bench.wait(10);
    bench.expect(&[&format!("bind web to {node}")]);
    bench.bind(&web, BindOutcome::Conflict);
    bench.expect(&["read web"]);
    bench.read(&web, ReadOutcome::Found(Box::new(bound(&web, &node))));
    bench.expect(&[&format!("announce web on {node}")]);
    assert_eq!(bench.state.in_flight(), 0);
}

#[test]
fn a_pod_deleted_while_it_is_bound_leaves_nothing_behind() {
    let mut bench = Bench::new();
    let web = pod("web", 4);
    bench.bind_somewhere(&web);
    bench.gone(&web);
    bench.bind(&web, BindOutcome::Gone);
    bench.expect(&[]);
    assert!(bench.state.snapshot.nodes.iter().all(|node| node.usage.pods.is_empty()));
    // A late word of it changes nothing.
    bench.put(&web);
    bench.expect(&[]);
}

#[test]
fn a_new_pod_of_the_same_name_is_another_pod() {
    let mut bench = Bench::new();
    let old = pod("web", 4);
    bench.bind_somewhere(&old);
    let new = Pod { uid: "second".into(), ..pod("web", 4) };
    bench.put(&new);
    let actions = bench.actions();
    assert!(actions[0].starts_with("bind web"), "{actions:?}");
    bench.bind(&old, BindOutcome::Conflict);
    bench.expect(&["read web"]);
    bench.read(&old, ReadOutcome::Found(Box::new(new.clone())));
    bench.expect(&[]);
    let pods: usize = bench.state.snapshot.nodes.iter().map(|node| node.usage.pods.len()).sum();
    assert_eq!(pods, 1);
}

#[test]
fn what_a_new_list_does_not_have_is_gone() {
    let mut bench = Bench::new();
    let (placed, waiting) = (bound(&pod("placed", 4), "a"), pod("waiting", 100));
    bench.put(&placed);
    bench.put(&waiting);
    bench.actions();
    bench.apply(Event::Pods(Change::Reset(Vec::new())));
    assert_eq!(bench.state.queue.len(), QueueLen::default());
    assert!(bench.state.snapshot.nodes.iter().all(|node| node.usage.pods.is_empty()));
    bench.apply(Event::Nodes(Change::Reset(vec![node("b")])));
    assert_eq!(bench.state.snapshot.nodes.len(), 1);
}

#[test]
fn a_gated_pod_is_not_tried_until_its_gates_are_gone() {
    let mut bench = Bench::new();
    let gated = Pod { gates: ["example.com/wait".into()].into(), ..pod("web", 1) };
    bench.put(&gated);
    bench.expect(&[]);
    assert_eq!(bench.state.queue.len().gated, 1);
    bench.put(&pod("web", 1));
    assert!(bench.actions()[0].starts_with("bind web"));
}

#[test]
fn higher_priority_goes_first_and_then_who_waits_longest() {
    let mut bench = Bench::new();
    let names = ["low", "early", "late"];
    for (name, priority) in names.into_iter().zip([-1, 5, 5]) {
        bench.put(&Pod { priority, ..pod(name, 0) });
        bench.wait(1);
    }
    let order: Vec<String> = bench.actions();
    let order: Vec<&str> = order.iter().map(|line| line.split(' ').nth(1).unwrap()).collect();
    assert_eq!(order, ["early", "late", "low"]);
}

#[test]
fn no_more_bindings_are_on_their_way_than_allowed() {
    let mut bench = Bench::new();
    bench.state.config.max_in_flight = 2;
    let pods = ["one", "two", "three"].map(|name| pod(name, 0));
    for pod in &pods {
        bench.put(pod);
    }
    assert_eq!(bench.actions().len(), 2);
    bench.bind(&pods[0], BindOutcome::Bound);
    assert_eq!(bench.actions().len(), 2, "an announcement and the third binding");
}

#[test]
fn what_comes_into_the_queues_is_counted_by_its_cause() {
    let mut bench = Bench::new();
    let web = pod("web", 6);
    bench.put(&web);
    bench.actions();
    let allocatable = Resources { cpu: MilliCpu(4000), memory: Bytes(8 << 30), ..Resources::default() };
    let large = Node { allocatable, ..node("c") };
    bench.apply(Event::Nodes(Change::Put(Box::new(large))));
    bench.expect(&["bind web to c"]);
    bench.bind(&web, BindOutcome::Refused("no".to_owned()));
    bench.wait(10);
    bench.actions();
    let incoming = bench.state.queue().incoming();
    let incoming: Vec<String> =
        incoming.iter().map(|((queue, cause), count)| format!("{queue} {cause} {count}")).collect();
    let expected = [
        "active BackoffComplete 1",
        "active PopFromBackoffQ 1",
        "active UnschedulablePodAdd 1",
        "backoff NodeAdd 1",
        "backoff ScheduleAttemptFailure 1",
        "unschedulable ScheduleAttemptFailure 1",
    ];
    assert_eq!(incoming, expected);
}

/// Writes down what it is told.
#[derive(Default)]
struct Notes(Vec<String>);

impl Observer for Notes {
    fn begin(&mut self, profile: &Name) {
        self.0.push(format!("begin {profile}"));
    }

    fn asked(&mut self, plugin: &'static str, point: Point, times: usize) {
        if plugin == "NodeResourcesFit" {
            self.0.push(format!("{} asked {times}", point.name()));
        }
    }

    fn ended(&mut self, point: Point, status: PointStatus) {
        self.0.push(format!("{} {}", point.name(), status.name()));
    }
}

#[test]
fn a_cycle_tells_who_watches_what_it_does() {
    let mut bench = Bench::new();
    bench.put(&pod("web", 1));
    let mut notes = Notes::default();
    bench.state.next_observed(bench.now, &mut notes);
    let expected = [
        "begin edge-scheduler",
        "PreFilter asked 1",
        "PreFilter Success",
        "Filter asked 2",
        "Filter Success",
        "PreScore asked 1",
        "Score asked 2",
        "PreScore Success",
        "Score Success",
        "Reserve Success",
    ];
    assert_eq!(notes.0, expected);
    bench.put(&pod("large", 6));
    let mut notes = Notes::default();
    bench.state.next_observed(bench.now, &mut notes);
    assert_eq!(
        notes.0,
        [
            "begin edge-scheduler",
            "PreFilter asked 1",
            "PreFilter Success",
            "Filter asked 2",
            "Filter Success",
            "PostFilter Unschedulable",
        ]
    );
}

#[test]
fn an_announcement_says_how_long_the_pod_was_tried() {
    let mut bench = Bench::new();
    let web = pod("web", 4);
    for name in ["x", "y"] {
        let filler = bound(&pod(name, 3), if name == "x" { "a" } else { "b" });
        bench.put(&filler);
    }
    bench.put(&web);
    bench.actions();
    bench.wait(5);
    bench.gone(&bound(&pod("x", 3), "a"));
    bench.expect(&["bind web to a"]);
    bench.wait(1);
    bench.bind(&web, BindOutcome::Bound);
    let Some(Action::Announce(told)) = bench.state.next(bench.now) else { panic!("it was bound") };
    let seconds = |time: Time| time.since_origin().as_secs();
    assert_eq!((told.attempts, seconds(told.first_tried), seconds(told.tried)), (2, 0, 5));
}

#[test]
fn a_replica_that_does_not_lead_binds_nothing_and_goes_on_at_once_when_it_does() {
    let mut bench = Bench::new();
    bench.apply(Event::Leads(false));
    bench.put(&pod("web", 1));
    bench.expect(&[]);
    bench.apply(Event::Leads(true));
    assert!(bench.actions()[0].starts_with("bind web to "));
}

#[test]
fn a_replica_that_leads_no_more_begins_nothing_but_says_what_came_of_it() {
    let mut bench = Bench::new();
    let (web, db) = (pod("web", 1), pod("db", 1));
    let (node, _) = (bench.bind_somewhere(&web), bench.bind_somewhere(&db));
    bench.bind(&db, BindOutcome::Unknown("no answer".to_owned()));
    bench.expect(&["read db"]);
    bench.read(&db, ReadOutcome::Failed);
    bench.apply(Event::Leads(false));
    bench.put(&pod("more", 1));
    bench.bind(&web, BindOutcome::Bound);
    bench.expect(&[&format!("announce web on {node}")]);
    bench.wait(60);
    bench.expect(&[]);
    assert!(bench.state.wake_at() > bench.now, "it would wake for nothing");
}

#[test]
fn delays_are_asked_for_once_and_given_up_when_nobody_uses_them() {
    let mut bench = Bench::new();
    let near = Pod { labels: [("delay_a", "5")].into_iter().collect(), ..pod("web", 0) };
    bench.put(&near);
    bench.expect(&["use delays of [NodeName(\"a\")]"]);
    bench.apply(Event::Delays(vec![DelayRow { from: "a".into(), to: Vec::new() }]));
    bench.expect(&["bind web to a"]);
    bench.bind(&near, BindOutcome::Bound);
    bench.gone(&near);
    bench.actions();
    bench.wait(301);
    bench.expect(&["use delays of []"]);
}

#[test]
fn a_pod_that_awaited_delays_keeps_its_turn() {
    let mut bench = Bench::new();
    let near = Pod { labels: [("delay_a", "5")].into_iter().collect(), ..pod("early", 3) };
    bench.put(&near);
    bench.expect(&["use delays of [NodeName(\"a\")]"]);
    bench.wait(1);
    bench.put(&Pod { labels: [("delay_a", "0")].into_iter().collect(), ..pod("another", 3) });
    bench.actions();
    bench.apply(Event::Delays(vec![DelayRow { from: "a".into(), to: Vec::new() }]));
    let actions = bench.actions();
    assert_eq!(actions.first().map(String::as_str), Some("bind early to a"));
}

#[test]
fn a_pod_is_woken_by_the_namespace_that_it_selects() {
    let mut bench = Bench::new();
    let labels = |key: &str, value: &str| [(key, value)].into_iter().collect::<Labels>();
    bench.apply(Event::Nodes(Change::Put(Box::new(Node { labels: labels("zone", "east"), ..node("a") }))));
    let db = Pod { labels: labels("app", "db"), ..Pod::pending("shop", "db") };
    bench.put(&bound(&db, "a"));
    let term = PodAffinityTerm {
        topology_key: "zone".into(),
        selector: LabelSelector::from(&labels("app", "db")),
        namespaces: Box::default(),
        namespace_selector: LabelSelector::from(&labels("team", "x")),
    };
    let affinity = PodAffinity { required: [term].into(), ..PodAffinity::default() };
    bench.put(&Pod { pod_affinity: Some(Arc::new(affinity)), ..pod("web", 1) });
    assert!(bench.actions()[0].contains("2 node(s) didn't match pod affinity rules"));
    let namespace = |name: &str, team| {
        let namespace = Namespace { name: name.into(), labels: labels("team", team) };
        Event::Namespaces(Change::Put(Box::new(namespace)))
    };
    bench.wait(2);
    bench.apply(namespace("lab", "y"));
    bench.expect(&[]);
    bench.apply(namespace("shop", "x"));
    bench.expect(&["bind web to a"]);
}
