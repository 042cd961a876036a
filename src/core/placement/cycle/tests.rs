use std::sync::Arc;

use super::*;
use crate::placement::Plugin;
use crate::placement::testing::{TestNode, TestPod, node, on_name, pod, snapshot};
use crate::placement::{PreFilter, Rejection, Resolvable, Verdict};

/// A plugin that answers PreFilter in one way.
struct Answers(&'static str, Answer);

#[derive(Clone, Copy)]
enum Answer {
    Skip,
    Narrow(&'static [&'static str]),
    Reject(Resolvable, &'static str),
    Await(&'static str),
}

struct All;

impl NodeFilter for All {
    fn filter(&self, _node: NodeView<'_>) -> Verdict {
        Verdict::Fits
    }
}

impl Plugin for Answers {
    fn name(&self) -> &'static str {
        self.0
    }

    fn pre_filter<'a>(&'a self, _cycle: Cycle<'a>) -> PreFilter<'a> {
        match self.1 {
            Answer::Skip => PreFilter::Skip,
            Answer::Narrow(names) => {
                PreFilter::Narrow(names.iter().map(|name| NodeName::from(*name)).collect(), Box::new(All))
            }
            Answer::Reject(resolvable, reason) => {
                PreFilter::Reject(Rejection { resolvable, ..Rejection::unresolvable(reason) })
            }
            Answer::Await(node) => PreFilter::AwaitDelays(vec![NodeName::from(node)]),
        }
    }
}

const NAMES: [&str; 3] = ["A", "B", "C"];
const PREEMPTIBLE: Resolvable = Resolvable::ByPreemption;

/// The decision for a pod on nodes n1 to n4 by plugins A, B and C that answer so: the node, what the
/// pod waits for, or the message and the plugins that are blamed.
#[track_caller]
fn check(answers: [Answer; 3], expected: &str) {
    let plugins = (0..).zip(NAMES).zip(answers).map(|((idx, name), answer)| Enabled {
        idx,
        plugin: Box::new(Answers(name, answer)),
        weight: 1,
    });
    let profile = Profile::of_plugins(plugins);
    let cluster = snapshot(&["n1", "n2", "n3", "n4"].map(node));
    assert_eq!(describe(place(&cluster, &pod("p"), &profile), &profile), expected);
}

fn describe(decision: Decision, profile: &Profile) -> String {
    match decision {
        Decision::Place(placement) => placement.node.to_string(),
        Decision::AwaitDelays(nodes) => format!("awaits {nodes:?}"),
        Decision::Fail(message) => format!("fails: {message}"),
        Decision::Reject(error) => {
            let blamed = |enabled: &&Arc<Enabled>| error.diagnosis.plugins.contains(enabled.idx);
            let names = profile.plugins().iter().filter(blamed).map(|enabled| enabled.plugin.name());
            format!("{error} ({})", names.collect::<Vec<_>>().join(" "))
        }
    }
}

#[test]
fn a_rejection_without_remedy_ends_pre_filter() {
    let never = Answer::Reject(Resolvable::No, "never");
    let other = Answer::Reject(Resolvable::No, "other");
    check([never, other, Answer::Skip], "0/4 nodes are available: never. (A)");
    // It also outweighs what was found before it.
    let now = Answer::Reject(PREEMPTIBLE, "not now");
    check([now, never, Answer::Skip], "0/4 nodes are available: never. (B)");
    check([Answer::Narrow(&["n1"]), never, Answer::Skip], "0/4 nodes are available: never. (B)");
    check([Answer::Await("n1"), never, Answer::Skip], "0/4 nodes are available: never. (B)");
}

#[test]
fn after_a_rejection_that_preemption_may_cure_the_others_are_asked() {
    let (now, later) = (Answer::Reject(PREEMPTIBLE, "not now"), Answer::Reject(PREEMPTIBLE, "nor later"));
    check([now, Answer::Skip, Answer::Skip], "0/4 nodes are available: not now. (A)");
    check([now, later, Answer::Skip], "0/4 nodes are available: nor later. (B)");
    check([now, Answer::Narrow(&["n1"]), Answer::Skip], "0/4 nodes are available: not now. (A B)");
    check([now, Answer::Await("n1"), Answer::Skip], "awaits [NodeName(\"n1\")]");
}

#[test]
fn plugins_narrow_the_nodes_together() {
    let (first, second) = (Answer::Narrow(&["n2", "n1", "gone"]), Answer::Narrow(&["n3", "n2"]));
    check([first, second, Answer::Skip], "n2");
    check(
        [Answer::Skip, first, Answer::Narrow(&["n4", "n3"])],
        "0/4 nodes are available: node(s) didn't satisfy plugin(s) [B C] simultaneously. (B C)",
    );
    check(
        [Answer::Narrow(&[]), first, second],
        "0/4 nodes are available: node(s) didn't satisfy plugin A. (A)",
    );
}

#[test]
fn nodes_left_out_are_counted_as_such() {
    check(
        [Answer::Narrow(&["gone", "lost"]), Answer::Skip, Answer::Narrow(&["gone"])],
        "0/4 nodes are available: 4 node(s) didn't satisfy plugin(s) [A C]. (A C)",
    );
}

#[track_caller]
fn check_upstream(pod: &TestPod, nodes: &[TestNode], expected: &str) {
    let profile = Profile::with_all_plugins("test").without(&["DynamicResources", "DefaultPreemption"]);
    assert_eq!(describe(place(&snapshot(nodes), pod, &profile), &profile), expected);
}

#[test]
fn the_first_filter_that_rejects_a_node_gives_its_reason() {
    let effect = crate::model::TaintEffect::NoSchedule;
    let nodes = [
        node("cordoned").cordoned().taint("a", "", effect),
        node("tainted").taint("a", "", effect).cpu(100),
        node("small").cpu(100).memory(10),
        node("large").cpu(1_000),
        node("larger").cpu(1_000),
    ];
    check_upstream(
        &pod("p").cpu(200).memory(5),
        &nodes,
        "0/5 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint(s), \
         1 node(s) were unschedulable, 2 Insufficient memory. \
         (NodeUnschedulable TaintToleration NodeResourcesFit)",
    );
}

#[test]
fn of_the_nodes_that_an_affinity_names_each_has_its_own_reason() {
    let nodes = [node("n1").cpu(100), node("n2").cordoned(), node("n3").cpu(900), node("n4")];
    let named = pod("p").cpu(200).require(on_name(&[&["n1"]])).require(on_name(&[&["n2"]]));
    check_upstream(
        &named.clone().require(on_name(&[&["n2"]])),
        &nodes,
        "0/4 nodes are available: 1 Insufficient cpu, 1 node(s) were unschedulable, \
         2 node(s) didn't satisfy plugin(s) [NodeAffinity]. \
         (NodeUnschedulable NodeAffinity NodeResourcesFit)",
    );
    check_upstream(&named.require(on_name(&[&["n3"]])), &nodes, "n3");
    check_upstream(
        &pod("p").require(on_name(&[&["n1"], &["n2"]])),
        &nodes,
        "0/4 nodes are available: pod affinity terms conflict. (NodeAffinity)",
    );
}

#[test]
fn without_nodes_no_plugin_is_blamed() {
    check_upstream(
        &pod("p").require(on_name(&[&["a"], &["b"]])),
        &[],
        "no nodes available to schedule pods ()",
    );
}

#[test]
fn the_node_with_the_highest_weighted_score_is_chosen() {
    let effect = crate::model::TaintEffect::PreferNoSchedule;
    let nodes = [
        node("full").cpu(1_000).memory(1_000).with_pods(&[pod("o").cpu(800).memory(800).build()]),
        node("put-off").cpu(1_000).memory(1_000).taint("a", "", effect),
        node("empty").cpu(1_000).memory(1_000),
    ];
    check_upstream(&pod("p").cpu(100).memory(100), &nodes, "empty");
    // The taint weighs three times as much as the room.
    check_upstream(&pod("p").cpu(100).memory(100), &nodes[..2], "full");
}
