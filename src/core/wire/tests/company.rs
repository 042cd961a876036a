//! What pods are to one another: affinity, spreading, and the objects that select them.

use super::{read_pod, read_spec};
use crate::model::{LabelSelector, PodSelector, Requirement, SelectorKind};
use crate::wire::{Interner, LabelledObject, NamespaceObject, SelectingObject};

/// A selector in words: `nothing`, or its requirements.
fn show(selector: &LabelSelector) -> String {
    if selector.is_nothing() {
        return "nothing".into();
    }
    let show = |it: &Requirement| format!("{} {:?} {}", it.key, it.op, it.values.join("|")).trim_end().into();
    format!("[{}]", selector.requirements().map(show).collect::<Vec<String>>().join(", "))
}

/// Reads a pod `shop/web-1` of version 2 with this term of affinity.
#[track_caller]
fn check_term(term: &str, expected: &str) {
    let pod = read_pod(&format!(
        r#"{{"metadata": {{"namespace": "shop", "name": "web-1", "labels": {{"version": "2"}}}},
            "spec": {{"affinity": {{"podAffinity": {{"requiredDuringSchedulingIgnoredDuringExecution": [{term}]}}}}}}}}"#
    ));
    let affinity = pod.unwrap().pod_affinity.unwrap();
    let term = &affinity.required[0];
    let namespaces = format!("{} + {}", term.namespaces.join("|"), show(&term.namespace_selector));
    assert_eq!(format!("{}: {} in {namespaces}", term.topology_key, show(&term.selector)), expected);
}

#[test]
fn a_term_says_which_pods_and_where() {
    check_term(r#"{"topologyKey": "zone"}"#, "zone: nothing in shop + nothing");
    check_term(r#"{"topologyKey": "zone", "labelSelector": {}}"#, "zone: [] in shop + nothing");
    check_term(
        r#"{"topologyKey": "zone", "labelSelector": {"matchLabels": {"app": "web"}, "matchExpressions": [
            {"key": "tier", "operator": "NotIn", "values": ["a", "b"]}, {"key": "x", "operator": "Exists"}]}}"#,
        "zone: [app In web, tier NotIn a|b, x Exists] in shop + nothing",
    );
    check_term(r#"{"topologyKey": "zone", "namespaces": ["a", "b"]}"#, "zone: nothing in a|b + nothing");
    check_term(r#"{"topologyKey": "zone", "namespaceSelector": {}}"#, "zone: nothing in  + []");
    check_term(
        r#"{"topologyKey": "zone", "namespaces": ["a"], "namespaceSelector": {"matchLabels": {"team": "x"}}}"#,
        "zone: nothing in a + [team In x]",
    );
}

#[test]
fn a_term_takes_in_labels_of_the_pod_unless_the_server_has_done_so() {
    let keys = r#""matchLabelKeys": ["version", "none"]"#;
    check_term(
        &format!(r#"{{"topologyKey": "zone", "labelSelector": {{}}, {keys}}}"#),
        "zone: [version In 2] in shop + nothing",
    );
    check_term(
        r#"{"topologyKey": "zone", "labelSelector": {}, "mismatchLabelKeys": ["version"]}"#,
        "zone: [version NotIn 2] in shop + nothing",
    );
    check_term(
        &format!(
            r#"{{"topologyKey": "zone", {keys}, "labelSelector": {{"matchExpressions": [
                {{"key": "version", "operator": "In", "values": ["1"]}}]}}}}"#
        ),
        "zone: [version In 1] in shop + nothing",
    );
    check_term(&format!(r#"{{"topologyKey": "zone", {keys}}}"#), "zone: nothing in shop + nothing");
}

#[test]
fn terms_are_required_or_preferred_and_near_or_not() {
    let lists = |weight: &str| {
        format!(
            r#"{{"requiredDuringSchedulingIgnoredDuringExecution": [{{"topologyKey": "a"}}],
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {{"weight": {weight}, "podAffinityTerm": {{"topologyKey": "b"}}}}, {{"weight": 100, "podAffinityTerm": {{"topologyKey": "c"}}}}]}}"#
        )
    };
    let both =
        format!(r#"{{"affinity": {{"podAffinity": {}, "podAntiAffinity": {}}}}}"#, lists("1"), lists("7"));
    let affinity = read_spec(&both).unwrap().pod_affinity.unwrap();
    assert_eq!((affinity.required.len(), affinity.required_anti.len()), (1, 1));
    let weights = |terms: &[crate::model::WeightedPodAffinityTerm]| {
        terms.iter().map(|term| (term.weight, term.term.topology_key.to_string())).collect::<Vec<_>>()
    };
    assert_eq!(weights(&affinity.preferred), [(1, "b".to_owned()), (100, "c".to_owned())]);
    assert_eq!(weights(&affinity.preferred_anti), [(7, "b".to_owned()), (100, "c".to_owned())]);
    assert_eq!(
        read_spec(r#"{"affinity": {"podAffinity": {}, "podAntiAffinity": null}}"#).unwrap().pod_affinity,
        None
    );
}

/// Reads the one constraint of a pod of version 2.
#[track_caller]
fn check_spread(constraint: &str, expected: &str) {
    let pod = read_pod(&format!(
        r#"{{"metadata": {{"name": "web", "labels": {{"version": "2"}}}},
            "spec": {{"topologySpreadConstraints": [{{"topologyKey": "zone", "maxSkew": 2, {constraint}}}]}}}}"#
    ));
    let pod = pod.unwrap();
    let it = &pod.spread[0];
    let policies = format!("affinity {}, taints {}", it.honors_affinity, it.honors_taints);
    let skew = format!("{} {} {:?} {}", it.topology_key, it.max_skew, it.when_unsatisfiable, it.min_domains);
    assert_eq!(format!("{skew}: {}, {policies}", show(&it.selector)), expected);
}

#[test]
fn a_spread_constraint_has_the_defaults_of_the_api() {
    check_spread(
        r#""whenUnsatisfiable": "DoNotSchedule""#,
        "zone 2 DoNotSchedule 1: nothing, affinity true, taints false",
    );
    check_spread(
        r#""whenUnsatisfiable": "ScheduleAnyway", "labelSelector": {"matchLabels": {"app": "web"}},
            "nodeAffinityPolicy": "Ignore", "nodeTaintsPolicy": "Honor""#,
        "zone 2 ScheduleAnyway 1: [app In web], affinity false, taints true",
    );
    check_spread(
        r#""minDomains": 3, "matchLabelKeys": ["version", "none"], "labelSelector": {}"#,
        "zone 2 DoNotSchedule 3: [version In 2], affinity true, taints false",
    );
    // The server has taken it in, and the pod's label has not changed since.
    check_spread(
        r#""matchLabelKeys": ["version"], "labelSelector": {"matchExpressions": [
            {"key": "version", "operator": "In", "values": ["2"]}]}"#,
        "zone 2 DoNotSchedule 1: [version In 2], affinity true, taints false",
    );
}

#[track_caller]
fn check_error(spec: &str, expected: &str) {
    assert_eq!(read_spec(spec).unwrap_err(), format!("pod default/web: spec.{expected}"));
}

#[test]
fn an_error_names_the_field_and_the_fix() {
    check_error(
        r#"{"affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
            {"topologyKey": "a", "labelSelector": {"matchExpressions": [{"key": "a", "operator": "Gt"}]}}]}}}"#,
        "affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].labelSelector.\
         matchExpressions[0].operator is \"Gt\"; it must be one of In, NotIn, Exists, DoesNotExist",
    );
    check_error(
        r#"{"affinity": {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"labelSelector": {}}]}}}"#,
        "affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey is missing; \
         every object has it",
    );
    check_error(
        r#"{"affinity": {"podAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [
            {"weight": 1, "podAffinityTerm": {"topologyKey": "a", "namespaceSelector": {"matchExpressions": [
                {"key": "a", "operator": "In"}]}}}]}}}"#,
        "affinity.podAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].podAffinityTerm.\
         namespaceSelector.matchExpressions[0].values is empty; In and NotIn list at least one value",
    );
    check_error(
        r#"{"topologySpreadConstraints": [{"topologyKey": "a", "maxSkew": 0}]}"#,
        "topologySpreadConstraints[0].maxSkew is 0; it must be from 1 to 2147483647",
    );
    check_error(
        r#"{"topologySpreadConstraints": [{"topologyKey": "a", "maxSkew": 1, "whenUnsatisfiable": "Never"}]}"#,
        "topologySpreadConstraints[0].whenUnsatisfiable is \"Never\"; it must be one of DoNotSchedule, ScheduleAnyway",
    );
    check_error(
        r#"{"topologySpreadConstraints": [{"topologyKey": "a", "maxSkew": 1, "nodeTaintsPolicy": "Maybe"}]}"#,
        "topologySpreadConstraints[0].nodeTaintsPolicy is \"Maybe\"; it must be one of Honor, Ignore",
    );
}

#[test]
fn of_a_namespace_the_labels_are_read() {
    let json = r#"{"metadata": {"name": "shop", "labels": {"team": "a"}}, "spec": {"finalizers": []}}"#;
    let object: NamespaceObject = serde_json::from_str(json).unwrap();
    let namespace = object.into_namespace(&mut Interner::default()).unwrap();
    assert_eq!((&*namespace.name, namespace.labels.get("team")), ("shop", Some("a")));
    let unnamed = NamespaceObject::default().into_namespace(&mut Interner::default()).unwrap_err();
    assert_eq!(unnamed.to_string(), "namespace (unnamed): metadata.name is missing; every object has it");
}

#[track_caller]
fn check_selector(read: Result<PodSelector, crate::wire::WireError>, expected: &str) {
    let PodSelector { kind, namespace, name, selector } = read.unwrap();
    assert_eq!(format!("{} {namespace}/{name}: {}", kind.as_str(), show(&selector)), expected);
}

#[test]
fn of_what_selects_pods_the_selector_is_read() {
    let object =
        |spec: &str| format!(r#"{{"metadata": {{"namespace": "shop", "name": "web"}}, "spec": {spec}}}"#);
    let labelled = |spec: &str| {
        let object: LabelledObject = serde_json::from_str(&object(spec)).unwrap();
        object.into_selector(SelectorKind::Service, &mut Interner::default())
    };
    check_selector(labelled(r#"{"selector": {"app": "web"}}"#), "Service shop/web: [app In web]");
    check_selector(labelled("{}"), "Service shop/web: nothing");
    let selecting = |spec: &str| {
        let object: SelectingObject = serde_json::from_str(&object(spec)).unwrap();
        object.into_selector(SelectorKind::ReplicaSet, &mut Interner::default())
    };
    let selector = r#"{"selector": {"matchLabels": {"app": "web"}, "matchExpressions": [
        {"key": "x", "operator": "DoesNotExist"}]}, "replicas": 3}"#;
    check_selector(selecting(selector), "ReplicaSet shop/web: [app In web, x DoesNotExist]");
    let wrong =
        r#"{"selector": {"matchExpressions": [{"key": "x", "operator": "Exists", "values": ["y"]}]}}"#;
    assert_eq!(
        selecting(wrong).unwrap_err().to_string(),
        "ReplicaSet shop/web: spec.selector.matchExpressions[0].values lists values; Exists and DoesNotExist have none"
    );
}
