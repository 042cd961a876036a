//! What draws pods to one another and keeps them apart. What kube-scheduler says of the same is compared in
//! `tests/parity`.

use std::sync::Arc;

use super::InterPodAffinity;
use crate::model::{
    LabelSelector, Labels, Pod, PodAffinity, PodAffinityTerm, Requirement, WeightedPodAffinityTerm,
};
use crate::placement::testing::{TestNode, check_forks, cluster, node, score_in, verdicts};
use crate::placement::{ClusterEvent, Plugin};
use crate::random::Random;

const NEAR: &str = "final: node(s) didn't match pod affinity rules";
const AWAY: &str = "preemptible: node(s) didn't match pod anti-affinity rules";
const KEPT_OFF: &str = "preemptible: node(s) didn't satisfy existing pods anti-affinity rules";

/// Nodes a and b in zone east, c in zone west, d in none.
fn zones() -> [TestNode; 4] {
    let zone = |name, zone| node(name).label("zone", zone);
    [zone("a", "east"), zone("b", "east"), zone("c", "west"), node("d")]
}

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().copied().collect()
}

/// A term that means the pods of this app in the namespace `default`.
fn term(topology: &str, app: &str) -> PodAffinityTerm {
    PodAffinityTerm {
        topology_key: topology.into(),
        selector: LabelSelector::from(&labels(&[("app", app)])),
        namespaces: ["default".into()].into(),
        namespace_selector: LabelSelector::Nothing,
    }
}

fn app(name: &str) -> Pod {
    Pod { labels: labels(&[("app", name)]), ..Pod::pending("default", name) }
}

fn on(node: &str, pod: Pod) -> Pod {
    Pod { node: Some(node.into()), ..pod }
}

fn with(pod: Pod, change: impl FnOnce(&mut PodAffinity)) -> Pod {
    let mut affinity = pod.pod_affinity.as_deref().cloned().unwrap_or_default();
    change(&mut affinity);
    Pod { pod_affinity: Some(Arc::new(affinity)), ..pod }
}

fn near(pod: Pod, term: PodAffinityTerm) -> Pod {
    with(pod, |affinity| affinity.required = [term].into())
}

fn away(pod: Pod, term: PodAffinityTerm) -> Pod {
    with(pod, |affinity| affinity.required_anti = [term].into())
}

fn rather_near(pod: Pod, weight: i64, term: PodAffinityTerm) -> Pod {
    with(pod, |affinity| affinity.preferred = [WeightedPodAffinityTerm { weight, term }].into())
}

#[track_caller]
fn check(pod: &Pod, placed: &[Pod], expected: [&str; 4]) {
    let found = verdicts(&InterPodAffinity::default(), pod, &cluster(&zones(), placed));
    assert_eq!(found, expected, "{:?}", pod.pod_affinity);
}

#[test]
fn a_pod_goes_where_the_pods_are_that_it_must_be_near_to() {
    let web = near(app("web"), term("zone", "db"));
    check(&web, &[], [NEAR; 4]);
    check(&web, &[on("a", app("db"))], ["fits", "fits", NEAR, NEAR]);
    check(&web, &[on("d", app("db"))], [NEAR; 4]);
    check(&near(app("db"), term("zone", "db")), &[], ["fits", "fits", "fits", NEAR]);
    check(&near(app("db"), term("zone", "db")), &[on("c", app("db"))], [NEAR, NEAR, "fits", NEAR]);
}

#[test]
fn a_pod_goes_where_no_pods_are_that_it_must_not_be_near_to() {
    let web = away(app("web"), term("zone", "db"));
    check(&web, &[], ["fits"; 4]);
    check(&web, &[on("a", app("db"))], [AWAY, AWAY, "fits", "fits"]);
    check(&web, &[on("c", app("db")), on("d", app("db"))], ["fits", "fits", AWAY, "fits"]);
}

#[test]
fn placed_pods_keep_others_off() {
    let keeper = away(app("db"), term("zone", "web"));
    check(&app("web"), &[on("a", keeper.clone())], [KEPT_OFF, KEPT_OFF, "fits", "fits"]);
    check(&app("other"), &[on("a", keeper.clone())], ["fits"; 4]);
    let mut elsewhere = keeper;
    elsewhere.key = crate::model::PodKey::new("shop", "db");
    check(&app("web"), &[on("c", elsewhere)], ["fits", "fits", KEPT_OFF, "fits"]);
}

#[test]
fn namespaces_are_selected_by_their_labels() {
    let by = |requirement: Requirement| PodAffinityTerm {
        namespaces: Box::default(),
        namespace_selector: LabelSelector::All([requirement].into()),
        ..term("zone", "db")
    };
    let team = Requirement::equals("team".into(), "a".into());
    let mut db = on("a", app("db"));
    db.key = crate::model::PodKey::new("shop", "db");
    let mut snapshot = cluster(&zones(), &[db]);
    let judge = |snapshot: &_, requirement| {
        verdicts(&InterPodAffinity::default(), &near(app("web"), by(requirement)), snapshot)
    };
    assert_eq!(judge(&snapshot, team.clone()), [NEAR; 4]);
    snapshot.namespaces.insert("shop".into(), labels(&[("team", "a")]));
    assert_eq!(judge(&snapshot, team), ["fits", "fits", NEAR, NEAR]);
    // As upstream, a selector that no labels match means every namespace.
    let not_a = Requirement::differs("team".into(), "a".into());
    assert_eq!(judge(&snapshot, not_a), ["fits", "fits", NEAR, NEAR]);
}

#[test]
fn preferences_add_up_over_pods_and_are_scaled_between_the_least_and_the_most() {
    let scores = |plugin: &InterPodAffinity, pod: &Pod, placed: &[Pod]| {
        score_in(plugin, pod, &cluster(&zones(), placed))
    };
    let default = InterPodAffinity::default();
    let web = rather_near(app("web"), 10, term("zone", "db"));
    assert_eq!(scores(&default, &web, &[]), None);
    let placed = [on("a", app("db")), on("b", app("db")), on("c", app("db"))];
    assert_eq!(scores(&default, &web, &placed), Some(vec![100, 100, 50, 0]));
    let far = WeightedPodAffinityTerm { weight: 5, term: term("zone", "db") };
    let web = with(app("web"), |affinity| affinity.preferred_anti = [far].into());
    assert_eq!(scores(&default, &web, &placed), Some(vec![0, 0, 50, 100]));
    // What placed pods require of such pods counts with the weight of the arguments.
    let keen = [
        on("c", near(app("db"), term("zone", "web"))),
        on("a", rather_near(app("db"), 2, term("zone", "web"))),
    ];
    assert_eq!(scores(&default, &app("web"), &keen), Some(vec![100, 100, 50, 0]));
    let eager = InterPodAffinity { hard_pod_affinity_weight: 4, ..default };
    assert_eq!(scores(&eager, &app("web"), &keen), Some(vec![50, 50, 100, 0]));
    let ignoring = InterPodAffinity { ignore_preferred_terms_of_existing_pods: true, ..eager };
    assert_eq!(scores(&ignoring, &app("web"), &keen), None);
}

#[track_caller]
fn check_cured(pod: &Pod, event: ClusterEvent<'_>, expected: bool) {
    assert_eq!(InterPodAffinity::default().cured_by(pod, &event), expected, "{event:?}");
}

#[test]
fn a_pod_waits_for_pods_that_it_is_concerned_with() {
    let (web, db, other) = (near(app("web"), term("zone", "db")), app("db"), app("other"));
    check_cured(&web, ClusterEvent::PodPlaced(&db), true);
    check_cured(&web, ClusterEvent::PodPlaced(&other), false);
    check_cured(&web, ClusterEvent::PodFreed(&db), false);
    check_cured(&web, ClusterEvent::PodUpdated { old: &other, new: &db }, true);
    check_cured(&web, ClusterEvent::PodUpdated { old: &db, new: &db }, false);
    let first = near(app("db"), term("zone", "db"));
    check_cured(&first, ClusterEvent::PodFreed(&db), true);
    let apart = away(app("web"), term("zone", "db"));
    check_cured(&apart, ClusterEvent::PodFreed(&db), true);
    check_cured(&apart, ClusterEvent::PodFreed(&other), false);
    check_cured(&apart, ClusterEvent::PodPlaced(&db), false);
    check_cured(&apart, ClusterEvent::PodUpdated { old: &db, new: &other }, true);
    check_cured(&app("web"), ClusterEvent::PodFreed(&away(app("db"), term("zone", "web"))), true);
    check_cured(&app("web"), ClusterEvent::PodFreed(&away(app("db"), term("zone", "cache"))), false);
}

#[test]
fn a_pod_waits_for_nodes_and_namespaces_that_it_is_concerned_with() {
    let web = near(app("web"), term("zone", "db"));
    let [a, _, c, d] = zones().map(|node| node.node);
    check_cured(&web, ClusterEvent::NodeAdded(&a), true);
    check_cured(&web, ClusterEvent::NodeAdded(&d), false);
    check_cured(&app("web"), ClusterEvent::NodeAdded(&d), true);
    check_cured(&web, ClusterEvent::NodeUpdated { old: &a, new: &c }, true);
    check_cured(&web, ClusterEvent::NodeUpdated { old: &a, new: &a }, false);
    check_cured(&app("web"), ClusterEvent::NodeRemoved(&a), true);
    let team = LabelSelector::from(&labels(&[("team", "a")]));
    let selecting = near(app("web"), PodAffinityTerm { namespace_selector: team, ..term("zone", "db") });
    let (of_a, of_b) = (labels(&[("team", "a")]), labels(&[("team", "b")]));
    let (shop, own) = ("shop".into(), "default".into());
    let changed = |name, old, new| ClusterEvent::NamespaceChanged { name, old, new };
    check_cured(&selecting, changed(&shop, None, Some(&of_a)), true);
    check_cured(&selecting, changed(&shop, Some(&of_b), None), false);
    check_cured(&web, changed(&shop, Some(&of_b), Some(&of_a)), false);
    check_cured(&web, changed(&own, Some(&of_b), Some(&of_a)), true);
}

#[test]
fn a_fork_judges_as_if_the_other_pods_were_there() {
    let nodes = |numbers: &mut Random| {
        let zone = |numbers: &mut Random| ["east", "west", "north"][numbers.below(3)];
        let one = |name, numbers: &mut Random| {
            let node = node(name).label("host", name);
            if numbers.below(5) == 0 { node } else { node.label("zone", zone(numbers)) }
        };
        ["a", "b", "c", "d"].map(|name| one(name, numbers)).into()
    };
    let pod = |numbers: &mut Random| {
        let random = |numbers: &mut Random| {
            let topology = ["zone", "host"][numbers.below(2)];
            term(topology, ["web", "db"][numbers.below(2)])
        };
        let mut pod = app(["web", "db", "other"][numbers.below(3)]);
        if numbers.below(3) == 0 {
            pod = near(pod, random(numbers));
        }
        if numbers.below(3) == 0 {
            pod = away(pod, random(numbers));
        }
        pod
    };
    for seed in 1..=300 {
        check_forks(&InterPodAffinity::default(), seed * 7919, nodes, pod);
    }
}
