//! ImageLocality.

use parity::{Container, Pod, node, pod, state};
use serde_json::json;

use crate::support::check;

const MIB: i64 = 1 << 20;

/// Node a has `example.com/app:1`, of this many MiB, and node b has not.
#[track_caller]
fn check_app(sentence: &str, mib: i64, pod: Pod, expected: &str) {
    let with = node("a").image(&["example.com/app:1", "example.com/app@sha256:0123"], mib * MIB);
    check(sentence, state([with, node("b")]).pod(pod), expected);
}

#[test]
fn an_image_that_is_there() {
    check_app("draws a pod", 500, pod(), "a");
    check_app("draws none if it is small", 45, pod(), "a b");
    check_app("draws one once it counts", 80, pod(), "a");
    check_app("draws no pod that uses another", 500, pod().image("example.com/app:2"), "a b");
    check_app("draws no pod that uses its latest", 500, pod().image("example.com/app"), "a b");
    let digest = pod().image("example.com/app@sha256:0123");
    check_app("is known by each of its names", 500, digest, "a");
    let init = pod().image("example.com/x:1").init(Container::new("first"));
    check_app("draws a pod that begins with it", 500, init, "a");
    let volume = json!([{"name": "data", "image": {"reference": "example.com/app:1"}}]);
    let mounts = pod().image("example.com/x:1").with("volumes", volume);
    check_app("draws a pod that mounts it", 500, mounts, "a");
}

#[test]
fn images_that_are_there() {
    let latest = state([node("a").image(&["example.com:5000/app:latest"], 900 * MIB), node("b")]);
    check("are the latest without a tag", latest.pod(pod().image("example.com:5000/app")), "a");
    let (one, two) = (["example.com/app:1"], ["example.com/two:1"]);
    let spread = [
        node("a").image(&one, 400 * MIB),
        node("b").image(&two, 400 * MIB),
        node("c").image(&two, 400 * MIB),
    ];
    let both = pod().container(Container::new("two").image("example.com/two:1"));
    check("count by the share of nodes that have them", state(spread).pod(both), "b c");
    let sizes = [node("a").image(&one, 900 * MIB), node("b").image(&one, 10 * MIB), node("c")];
    check("count by the size that was told first", state(sizes), "a b");
}
