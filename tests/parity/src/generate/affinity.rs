//! Node selectors and node affinity.

use serde_json::{Value, json};

use super::{SIZES, ZONES};
use crate::{Pod, Rng};

/// Adds a node selector, required terms and preferred terms, each in some of the cases; a modest pod seldom requires
/// anything.
pub(super) fn selecting(rng: &mut Rng, mut pod: Pod, nodes: &[&str], modest: bool) -> Pod {
    if !modest && rng.percent(15) {
        pod = pod.select("zone", rng.pick(&ZONES));
    }
    if !modest && rng.percent(5) {
        pod = pod.select("disk", rng.pick(&["ssd", ""]));
    }
    if rng.percent(if modest { 10 } else { 35 }) {
        for _ in 0..rng.range(1, 3) {
            pod = pod.require(term(rng, nodes, true));
        }
    }
    if rng.percent(40) {
        for _ in 0..rng.range(1, 4) {
            let weight = u32::try_from(rng.range(1, 100)).unwrap_or(1);
            pod = pod.prefer(weight, {
                let unreadable = rng.percent(3);
                term(rng, nodes, unreadable)
            });
        }
    }
    pod
}

/// Up to two requirements on labels and up to two on the name; seldom none at all.
fn term(rng: &mut Rng, nodes: &[&str], may_be_unreadable: bool) -> Value {
    let expressions: Vec<Value> =
        (0..rng.pick(&[0, 1, 1, 2])).map(|_| on_label(rng, may_be_unreadable)).collect();
    let fields: Vec<Value> = (0..rng.pick(&[0, 0, 0, 1, 2])).map(|_| on_name(rng, nodes)).collect();
    json!({"matchExpressions": expressions, "matchFields": fields})
}

fn on_label(rng: &mut Rng, may_be_unreadable: bool) -> Value {
    let key = rng.pick(&["zone", "size", "disk", "none"]);
    let operator = rng.pick(&["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"]);
    let values: Vec<&str> = match operator {
        "Exists" | "DoesNotExist" => Vec::new(),
        // The server lets bounds pass that are no numbers.
        "Gt" | "Lt" if may_be_unreadable => vec![rng.pick(&SIZES)],
        "Gt" | "Lt" => vec![rng.pick(&["1", "5", "0"])],
        _ if key == "size" => vec![rng.pick(&["1", "5", "large"]), "9"],
        _ => vec![rng.pick(&ZONES), rng.pick(&["east", "ssd", ""])],
    };
    json!({"key": key, "operator": operator, "values": values})
}

fn on_name(rng: &mut Rng, nodes: &[&str]) -> Value {
    let name = if nodes.is_empty() || rng.percent(10) { "ghost" } else { rng.pick(nodes) };
    json!({"key": "metadata.name", "operator": rng.pick(&["In", "In", "NotIn"]), "values": [name]})
}
