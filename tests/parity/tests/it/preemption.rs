//! Pods that fit nowhere unless others go: which ones go, and from which node.

use std::collections::BTreeMap;

use parity::storage::budget;
use parity::{ClusterState, Judgement, Outcome, Pod, generate, node, pod, state};

use crate::support::{number, with_bed};

/// The first seed of the short run; each next state has the next seed.
const SEED: u64 = 1;
/// How many states the short run has.
const STATES: u64 = 20;

fn classed(class: &str, cpu: &str) -> Pod {
    let pod = pod().request("cpu", cpu);
    if class.is_empty() { pod } else { pod.with("priorityClassName", class.into()) }
}

fn started(at: &str, pod: Pod) -> Pod {
    pod.status("phase", "Running".into()).status("startTime", format!("2026-01-01T00:00:{at}Z").into())
}

fn labelled(app: &str, mut pod: Pod) -> Pod {
    pod.0["metadata"]["labels"]["app"] = app.into();
    pod
}

/// `<node>: <victims>`, or the message.
fn describe(judgement: &Judgement) -> String {
    let preemption = judgement.preemption.iter().next();
    match (&judgement.outcome, preemption) {
        (_, Some((node, victims))) => {
            format!("{node}: {}", victims.iter().cloned().collect::<Vec<_>>().join(" "))
        }
        (Outcome::Waits { message, .. }, None) => message.clone(),
        (outcome, None) => format!("{outcome:?}"),
    }
}

/// Both agree about the victims, and they are those expected. Placed pods are called `placed-<n>`, from 0.
#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "a table reads better without a borrow in each line")]
fn check(sentence: &str, state: ClusterState, expected: &str) {
    let judged = with_bed(|bed| bed.judge(&state)).unwrap_or_else(|error| panic!("{sentence}: {error}"));
    let judgement = judged.unwrap_or_else(|difference| panic!("{sentence}: {difference}"));
    let found = describe(&judgement);
    assert!(found == expected, "{sentence}: expected {expected:?}\n{judgement}\n{}", state.to_yaml());
}

#[test]
fn the_least_important_pods_of_the_cheapest_node_go() {
    let two = || state([node("a"), node("b")]);
    let full = || two().placed("a", classed("middle", "4")).placed("b", classed("low", "4"));
    check("the lower priority", full().pod(classed("high", "1")), "b: placed-1");
    check("of two the lower one", full().pod(classed("middle", "1")), "b: placed-1");
    let ages = || state([node("a")]).placed("a", started("20", classed("low", "2")));
    let ages = || ages().placed("a", started("10", classed("low", "2")));
    check("the younger one", ages().pod(classed("high", "2")), "a: placed-0");
    check("both", ages().pod(classed("high", "3")), "a: placed-0 placed-1");
    let fresh = state([node("a")]).placed("a", classed("low", "2")).placed("a", classed("low", "2"));
    check("of pods that were not started the first", fresh.pod(classed("high", "2")), "a: placed-0");
    let port = |class: &str| classed(class, "100m").host_port(80, "TCP", "");
    let ports = state([node("a")]).placed("a", port("low")).placed("a", classed("low", "100m"));
    check("who has the port", ports.pod(port("high")), "a: placed-0");
}

#[test]
fn budgets_are_kept_if_possible() {
    let pods = || {
        let state = state([node("a"), node("b")]).placed("a", labelled("web", classed("low", "4")));
        state.placed("b", labelled("db", classed("middle", "4")))
    };
    let high = || classed("high", "1");
    check("the one without a budget", pods().storage([budget("web", 0)]).pod(high()), "b: placed-1");
    check("a budget that allows it", pods().storage([budget("web", 1)]).pod(high()), "a: placed-0");
    let none = [budget("web", 0), budget("db", 0)];
    check("if both break one", pods().storage(none).pod(high()), "a: placed-0");
}

#[test]
fn why_preemption_does_not_help_is_told() {
    let full = || state([node("a"), node("b").cordoned(), node("c").allocatable("cpu", "1")]);
    let same = full().placed("a", classed("high", "4")).pod(classed("high", "2"));
    let said = "0/3 nodes are available: 1 node(s) were unschedulable, 2 Insufficient cpu. \
                no new claims to deallocate, preemption: ";
    let nobody = "0/3 nodes are available: 1 No preemption victims found for incoming pod, \
                  2 Preemption is not helpful for scheduling.";
    check("nobody is lower", same, &format!("{said}{nobody}"));
    let beside = full().placed("a", classed("high", "3")).placed("a", classed("low", "1"));
    let not_enough =
        "0/3 nodes are available: 1 Insufficient cpu, 2 Preemption is not helpful for scheduling.";
    check("not enough", beside.pod(classed("high", "2")), &format!("{said}{not_enough}"));
    let never = classed("never", "2");
    let never = full().placed("a", classed("low", "4")).pod(never);
    check("a pod that never preempts", never, &format!("{said}not eligible due to preemptionPolicy=Never."));
}

#[test]
fn a_pod_that_goes_already_is_waited_for() {
    let mut going = classed("low", "4");
    going.0["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
    let state = state([node("a")]).placed("a", going).pod(classed("high", "1"));
    check("it is not deleted once more", state, "a: ");
}

/// `PARITY_STATES` and `PARITY_SEED` set how many states there are, and the first one's seed.
#[test]
fn random_preemptions() {
    let (seed, states) = (number("PARITY_SEED", SEED), number("PARITY_STATES", STATES));
    let mut kinds: BTreeMap<&str, u64> = BTreeMap::new();
    for seed in seed..seed + states {
        let state = generate::preemption(seed);
        let judged = with_bed(|bed| bed.judge(&state))
            .unwrap_or_else(|error| panic!("seed {seed}: {error}\n{}", state.to_yaml()));
        let kind = judged.as_ref().map_or("different", |judgement| match &judgement.outcome {
            Outcome::Bound(_) => "bound",
            Outcome::Gated => "gated",
            Outcome::Waits { .. } if judgement.preemption.is_empty() => "preemption does not help",
            Outcome::Waits { .. } => "preempts",
        });
        *kinds.entry(kind).or_default() += 1;
        if let Err(difference) = judged {
            let replay =
                format!("PARITY_SEED={seed} PARITY_STATES=1 cargo test -p parity random_preemptions");
            eprintln!("seed {seed}: {difference}replay: {replay}\n");
        }
    }
    eprintln!("{states} random preemptions from seed {seed}: {kinds:?}");
    assert!(!kinds.contains_key("different"), "the schedulers differ: {kinds:?}");
}
