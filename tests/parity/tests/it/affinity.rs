//! NodeAffinity.

use parity::pod::{on_label, on_name};
use parity::{Pod, node, pod, state};
use serde_json::{Value, json};

use crate::support::check;

const NO_MATCH: &str = "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.";

/// On one node in zone east with a disk of size 5.
#[track_caller]
fn check_east(sentence: &str, pod: Pod, expected: &str) {
    let east = node("a").label("zone", "east").label("size", "5").label("word", "five");
    check(sentence, state([east]).pod(pod), expected);
}

#[track_caller]
fn check_required(sentence: &str, term: Value, expected: &str) {
    check_east(sentence, pod().require(term), expected);
}

#[test]
fn a_node_selector() {
    check_east("admits a node with its label", pod().select("zone", "east"), "a");
    check_east("admits no node with another value", pod().select("zone", "west"), NO_MATCH);
    check_east("admits no node without the label", pod().select("gpu", ""), NO_MATCH);
    let both = pod().select("zone", "east").select("size", "6");
    check_east("must match in every label", both, NO_MATCH);
    let required = pod().select("zone", "east").require(on_label("size", "In", &["6"]));
    check_east("must match beside required terms", required, NO_MATCH);
}

#[test]
fn operators() {
    check_required("In: one of the values", on_label("zone", "In", &["west", "east"]), "a");
    check_required("In: none of the values", on_label("zone", "In", &["west"]), NO_MATCH);
    check_required("In: no such label", on_label("gpu", "In", &[""]), NO_MATCH);
    check_required("NotIn: none of the values", on_label("zone", "NotIn", &["west"]), "a");
    check_required("NotIn: one of the values", on_label("zone", "NotIn", &["east"]), NO_MATCH);
    check_required("NotIn: no such label", on_label("gpu", "NotIn", &["yes"]), "a");
    check_required("Exists", on_label("zone", "Exists", &[]), "a");
    check_required("Exists: no such label", on_label("gpu", "Exists", &[]), NO_MATCH);
    check_required("DoesNotExist", on_label("zone", "DoesNotExist", &[]), NO_MATCH);
    check_required("DoesNotExist: no such label", on_label("gpu", "DoesNotExist", &[]), "a");
    check_required("Gt: greater", on_label("size", "Gt", &["4"]), "a");
    check_required("Gt: equal", on_label("size", "Gt", &["5"]), NO_MATCH);
    check_required("Lt: less", on_label("size", "Lt", &["6"]), "a");
    check_required("Lt: equal", on_label("size", "Lt", &["5"]), NO_MATCH);
    check_required("Gt: the label is no number", on_label("word", "Gt", &["0"]), NO_MATCH);
    check_required("Lt: no such label", on_label("gpu", "Lt", &["9"]), NO_MATCH);
    check_required("Gt: the bound is no number", on_label("size", "Gt", &["few"]), NO_MATCH);
}

#[test]
fn required_terms() {
    let (east, west) = (on_label("zone", "In", &["east"]), on_label("zone", "In", &["west"]));
    check_east("are alternatives", pod().require(west.clone()).require(east), "a");
    let both = json!({"matchExpressions": [
        {"key": "zone", "operator": "In", "values": ["east"]},
        {"key": "size", "operator": "Gt", "values": ["5"]},
    ]});
    check_required("must hold in every expression", both, NO_MATCH);
    check_required("match nothing when empty", json!({}), NO_MATCH);
    check_east("leave the others when one is empty", pod().require(json!({})).require(west), NO_MATCH);
}

#[test]
fn terms_on_the_name() {
    let two = || state([node("a"), node("b").allocatable("cpu", "1")]);
    check("admit the node of that name alone", two().pod(pod().require(on_name("In", "b"))), "b");
    check("admit all others", two().pod(pod().require(on_name("NotIn", "b"))), "a");
    let full = two().pod(pod().require(on_name("In", "b")).request("cpu", "2"));
    check(
        "leave the other nodes unlooked at",
        full,
        "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) didn't satisfy plugin(s) [NodeAffinity].",
    );
    check(
        "may name no node that is there",
        two().pod(pod().require(on_name("In", "c"))),
        "0/2 nodes are available: 2 node(s) didn't satisfy plugin(s) [NodeAffinity].",
    );
    let conflict = json!({"matchFields": [
        {"key": "metadata.name", "operator": "In", "values": ["a"]},
        {"key": "metadata.name", "operator": "In", "values": ["b"]},
    ]});
    check(
        "may conflict",
        two().pod(pod().require(conflict.clone())),
        "0/2 nodes are available: pod affinity terms conflict.",
    );
    let other = pod().require(conflict).require(on_name("In", "b"));
    check("may conflict without harm to another term", two().pod(other), "b");
    let either = pod().require(on_name("In", "b")).require(on_name("In", "a")).request("cpu", "2");
    check("are alternatives as well", two().pod(either), "a");
    let or_label = pod().require(on_name("In", "b")).require(on_label("gpu", "Exists", &[]));
    check(
        "do not narrow beside a term without a name",
        two().pod(or_label.request("cpu", "2")),
        "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) didn't match Pod's node affinity/selector.",
    );
}

#[test]
fn preferred_terms() {
    let nodes =
        || state([node("a").label("zone", "east"), node("b").label("disk", "ssd").allocatable("cpu", "2")]);
    let east = || pod().prefer(10, on_label("zone", "In", &["east"]));
    let slow = || on_label("disk", "In", &["ssd"]);
    check("draw a pod", nodes().pod(east().request("cpu", "1")), "a");
    check("draw it by weight", nodes().pod(east().prefer(11, slow()).request("cpu", "1")), "b");
    let sum = east().prefer(11, slow()).prefer(5, on_label("kubernetes.io/hostname", "In", &["a"]));
    check("draw it by the sum of weights", nodes().pod(sum), "a");
    check("may be on the name", nodes().pod(pod().prefer(1, on_name("In", "b"))), "b");
    check("keep no node off", nodes().pod(east().require(slow())), "b");
    let nothing = pod().prefer(100, json!({})).request("cpu", "1");
    check("prefer nothing when empty", nodes().pod(nothing), "a");
    let bad = pod().prefer(100, on_label("disk", "Gt", &["much"])).request("cpu", "1");
    check(
        "can't be weighed when they can't be read",
        nodes().pod(bad.clone()),
        "SchedulerError: running PreScore plugin \"NodeAffinity\": [0].matchExpressions[0].values[0]: \
         Invalid value: \"much\": for 'Gt', 'Lt' operators, the value must be an integer",
    );
    check("need not be read where there is no choice", nodes().pod(bad.clone().select("zone", "east")), "a");
    let twice = bad.prefer(1, json!({})).prefer(1, on_label("size", "Lt", &["little"]));
    check(
        "are all told that can't be read",
        nodes().pod(twice),
        "SchedulerError: running PreScore plugin \"NodeAffinity\": [[0].matchExpressions[0].values[0]: \
         Invalid value: \"much\": for 'Gt', 'Lt' operators, the value must be an integer, \
         [2].matchExpressions[0].values[0]: \
         Invalid value: \"little\": for 'Gt', 'Lt' operators, the value must be an integer]",
    );
}
