//! What pods request, from upstream's documented behaviour: KEP-753 (sidecars), KEP-1287 (in-place
//! resize), KEP-2837 (pod-level resources) and `component-helpers/resource/helpers.go`.

use super::read_pod;

const MI: i64 = 1024 * 1024;

/// What a pod with this spec and status requests: CPU in thousandths, memory in MiB; and the same for scoring.
#[derive(Debug, PartialEq)]
struct Expected {
    requests: (i64, i64),
    non_zero: (i64, i64),
}

fn expected(requests: (i64, i64), non_zero: (i64, i64)) -> Expected {
    Expected { requests, non_zero }
}

#[track_caller]
fn check(spec: &str, status: &str, expected: &Expected) {
    let json = format!(r#"{{"metadata": {{"name": "web"}}, "spec": {spec}, "status": {status}}}"#);
    let pod = read_pod(&json).unwrap();
    let in_mib = |bytes: i64| {
        assert_eq!(bytes % MI, 0, "{bytes}");
        bytes / MI
    };
    let read = Expected {
        requests: (pod.requests.cpu.0, in_mib(pod.requests.memory.0)),
        non_zero: (pod.non_zero.cpu.0, in_mib(pod.non_zero.memory.0)),
    };
    assert_eq!(&read, expected, "{spec} {status}");
}

#[track_caller]
fn check_spec(spec: &str, requests: (i64, i64), non_zero: (i64, i64)) {
    check(spec, "{}", &expected(requests, non_zero));
}

#[test]
fn containers_add_up() {
    check_spec(r#"{"containers": []}"#, (0, 0), (0, 0));
    check_spec(r#"{"containers": [{}]}"#, (0, 0), (100, 200));
    check_spec(r#"{"containers": [{}, {}]}"#, (0, 0), (200, 400));
    check_spec(
        r#"{"containers": [{"resources": {"requests": {"cpu": "250m", "memory": "64Mi"}}}, {"resources": {"requests": {"cpu": "1"}}}]}"#,
        (1250, 64),
        (1250, 264),
    );
    // A request of 0 is a request.
    check_spec(
        r#"{"containers": [{"resources": {"requests": {"cpu": "0", "memory": "0"}}}]}"#,
        (0, 0),
        (0, 0),
    );
}

#[test]
fn sums_are_exact_before_they_are_rounded_up() {
    let pod = read_pod(
        r#"{"metadata": {"name": "web"}, "spec": {"containers": [
            {"resources": {"requests": {"memory": "400m", "cpu": "0.5m", "example.com/a": "1"}}},
            {"resources": {"requests": {"memory": "400m", "cpu": "0.5m", "example.com/a": "2"}}}]}}"#,
    )
    .unwrap();
    // The API server rounds each amount up to thousandths, so CPU is 1 m twice.
    assert_eq!((pod.requests.memory.0, pod.requests.cpu.0), (1, 2));
    assert_eq!(pod.requests.scalars, [("example.com/a".into(), 3)]);
}

#[test]
fn a_limit_without_a_request_is_a_request() {
    check_spec(
        r#"{"containers": [{"resources": {"limits": {"cpu": "1", "memory": "64Mi"}, "requests": {"cpu": "500m"}}}]}"#,
        (500, 64),
        (500, 64),
    );
}

#[test]
fn an_init_container_counts_if_it_needs_more_than_the_rest() {
    // The example of `fit.go`: CPU 3, memory 3G.
    check_spec(
        r#"{"initContainers": [{"resources": {"requests": {"cpu": "2", "memory": "1Gi"}}}, {"resources": {"requests": {"cpu": "2", "memory": "3Gi"}}}],
            "containers": [{"resources": {"requests": {"cpu": "2", "memory": "1Gi"}}}, {"resources": {"requests": {"cpu": "1", "memory": "1Gi"}}}]}"#,
        (3000, 3072),
        (3000, 3072),
    );
    check_spec(r#"{"initContainers": [{}], "containers": [{}]}"#, (0, 0), (100, 200));
}

#[test]
fn sidecars_run_beside_containers_and_later_init_containers() {
    let sidecar =
        r#"{"restartPolicy": "Always", "resources": {"requests": {"cpu": "1", "memory": "100Mi"}}}"#;
    let init = r#"{"resources": {"requests": {"cpu": "5", "memory": "10Mi"}}}"#;
    let main = r#""containers": [{"resources": {"requests": {"cpu": "1", "memory": "100Mi"}}}]"#;
    check_spec(&format!(r#"{{"initContainers": [{sidecar}], {main}}}"#), (2000, 200), (2000, 200));
    check_spec(&format!(r#"{{"initContainers": [{sidecar}, {init}], {main}}}"#), (6000, 200), (6000, 200));
    check_spec(&format!(r#"{{"initContainers": [{init}, {sidecar}], {main}}}"#), (5000, 200), (5000, 200));
    check_spec(
        &format!(r#"{{"initContainers": [{sidecar}, {sidecar}, {init}, {sidecar}], {main}}}"#),
        (7000, 400),
        (7000, 400),
    );
    check_spec(
        r#"{"initContainers": [{"restartPolicy": "Always"}, {}], "containers": [{}]}"#,
        (0, 0),
        (200, 400),
    );
    // `restartPolicy` of an init container may also be OnFailure or Never: those end.
    check_spec(
        &format!(
            r#"{{"initContainers": [{{"restartPolicy": "OnFailure", "resources": {{"requests": {{"cpu": "3"}}}}}}], {main}}}"#
        ),
        (3000, 100),
        (3000, 200),
    );
}

#[test]
fn overhead_is_added() {
    check_spec(
        r#"{"overhead": {"cpu": "250m", "memory": "120Mi"}, "containers": [{"resources": {"requests": {"cpu": "1"}}}]}"#,
        (1250, 120),
        (1250, 320),
    );
}

#[test]
fn pod_level_requests_replace_the_containers() {
    let main = r#""containers": [{"resources": {"requests": {"cpu": "1", "memory": "100Mi"}}}, {}]"#;
    check_spec(
        &format!(r#"{{"resources": {{"requests": {{"cpu": "3"}}}}, {main}}}"#),
        (3000, 100),
        (3000, 100),
    );
    check_spec(
        &format!(
            r#"{{"resources": {{"requests": {{"cpu": "3", "memory": "1Gi"}}}}, "overhead": {{"cpu": "1"}}, {main}}}"#
        ),
        (4000, 1024),
        (4000, 1024),
    );
    // Neither the pod nor a container asks for memory: each container gets the default.
    check_spec(
        r#"{"resources": {"requests": {"cpu": "3"}}, "containers": [{}, {}]}"#,
        (3000, 0),
        (3000, 400),
    );
    // A resource that can't be had at pod level is no pod-level request.
    check_spec(
        r#"{"resources": {"requests": {"example.com/gpu": "3"}}, "containers": [{}]}"#,
        (0, 0),
        (100, 200),
    );
}

#[track_caller]
fn check_scored(spec: &str, expected: (i64, i64)) {
    let pod = read_pod(&format!(r#"{{"metadata": {{"name": "web"}}, "spec": {spec}}}"#)).unwrap();
    assert_eq!((pod.scored.cpu.0, pod.scored.memory.0 / MI), expected, "{spec}");
}

#[test]
fn pod_level_requests_do_not_count_in_the_score() {
    let containers = r#""containers": [{"resources": {"requests": {"cpu": "1"}}}, {}]"#;
    check_scored(&format!("{{{containers}}}"), (1100, 400));
    let level = format!(r#"{{"resources": {{"requests": {{"cpu": "3", "memory": "1Gi"}}}}, {containers}}}"#);
    check_scored(&level, (1100, 400));
    let overhead = format!(r#"{{"overhead": {{"cpu": "1"}}, {containers}}}"#);
    check_scored(&overhead, (2100, 400));
}

#[test]
fn pod_level_limits_make_requests() {
    // Where containers ask, their sum is the request; else the limit is.
    check_spec(
        r#"{"resources": {"limits": {"cpu": "3", "memory": "1Gi"}}, "containers": [{"resources": {"requests": {"cpu": "1"}}}, {}]}"#,
        (1000, 1024),
        (1000, 1024),
    );
    check_spec(r#"{"resources": {"limits": {"cpu": "3"}}, "containers": [{}]}"#, (3000, 0), (3000, 200));
}

/// A container of 1 CPU and 100 Mi, resized.
#[track_caller]
fn check_resize(status: &str, requests: (i64, i64)) {
    let spec = r#"{"containers": [{"name": "a", "resources": {"requests": {"cpu": "1", "memory": "100Mi"}}}, {"name": "b"}]}"#;
    let non_zero = (requests.0 + 100, requests.1 + 200);
    check(spec, status, &expected(requests, non_zero));
}

#[test]
fn during_a_resize_the_largest_amount_counts() {
    let infeasible = r#""conditions": [{"type": "PodScheduled", "reason": "Infeasible"}, {"type": "PodResizePending", "status": "True", "reason": "Infeasible"}]"#;
    let deferred = r#""conditions": [{"type": "PodResizePending", "status": "True", "reason": "Deferred"}]"#;
    let used = r#""resources": {"requests": {"cpu": "500m", "memory": "300Mi"}}"#;
    let granted = r#""allocatedResources": {"cpu": "700m", "memory": "50Mi"}"#;
    let statuses = |parts: &str| format!(r#""containerStatuses": [{{"name": "a", "ready": true, {parts}}}]"#);
    check_resize(&format!("{{{}}}", statuses(used)), (1000, 300));
    check_resize(&format!("{{{}}}", statuses(&format!("{used}, {granted}"))), (1000, 300));
    check_resize(&format!("{{{deferred}, {}}}", statuses(&format!("{used}, {granted}"))), (1000, 300));
    check_resize(&format!("{{{infeasible}, {}}}", statuses(&format!("{used}, {granted}"))), (700, 300));
    // Without `resources` in the status the kubelet knows no resize.
    check_resize(&format!("{{{}}}", statuses(granted)), (1000, 100));
    check_resize(
        r#"{"containerStatuses": [{"name": "other", "resources": {"requests": {"cpu": "9"}}}]}"#,
        (1000, 100),
    );
}

#[test]
fn a_sidecar_can_be_resized_and_an_init_container_can_not() {
    let spec = |policy: &str| {
        format!(
            r#"{{"initContainers": [{{"name": "i"{policy}, "resources": {{"requests": {{"cpu": "1", "memory": "1Mi"}}}}}}], "containers": []}}"#
        )
    };
    let status = r#"{"initContainerStatuses": [{"name": "i", "resources": {"requests": {"cpu": "2"}}}]}"#;
    check(&spec(r#", "restartPolicy": "Always""#), status, &expected((2000, 1), (2000, 1)));
    check(&spec(""), status, &expected((1000, 1), (1000, 1)));
}

#[test]
fn pod_level_resources_can_be_resized() {
    let spec = r#"{"resources": {"requests": {"cpu": "1", "memory": "100Mi"}}, "containers": [{}]}"#;
    let status = r#""resources": {"requests": {"cpu": "2"}}, "allocatedResources": {"memory": "50Mi"}"#;
    check(spec, &format!("{{{status}}}"), &expected((2000, 100), (2000, 100)));
    let refused = r#""conditions": [{"type": "PodResizePending", "reason": "Infeasible"}]"#;
    check(spec, &format!("{{{refused}, {status}}}"), &expected((2000, 50), (2000, 50)));
    check(spec, r#"{"allocatedResources": {"cpu": "9"}}"#, &expected((1000, 100), (1000, 100)));
}

#[test]
fn a_pod_level_default_is_made_before_any_resize() {
    let spec = |limits: &str| {
        format!(
            r#"{{"resources": {{"requests": {{"memory": "1Gi"}}}}, "containers": [
                {{"name": "a", "resources": {{"requests": {{"cpu": "1"}}, "limits": {{{limits}}}}}}}]}}"#
        )
    };
    let status = r#"{"containerStatuses": [{"name": "a", "resources": {"requests": {"cpu": "2"}}}]}"#;
    check(&spec(""), status, &expected((2000, 1024), (2000, 1024)));
    // Huge pages of a container make a limit of the pod, and with a limit CPU has its default at that level too.
    check(&spec(r#""hugepages-2Mi": "2Mi""#), status, &expected((1000, 1024), (1000, 1024)));
}

#[test]
fn only_resources_that_the_scheduler_counts_are_scalars() {
    let pod = read_pod(
        r#"{"metadata": {"name": "web"}, "spec": {"containers": [{"resources": {"requests": {
            "ephemeral-storage": "1Gi", "hugepages-2Mi": "4Mi", "example.com/gpu": "2", "kubernetes.io/x": "1",
            "attachable-volumes-y": "3", "requests.example.com/z": "1", "foo": "1", "pods": "1"}}}]}}"#,
    )
    .unwrap();
    assert_eq!(pod.requests.ephemeral_storage.0, 1024 * MI);
    let scalars: Vec<_> =
        pod.requests.scalars.iter().map(|(name, amount)| (name.as_str(), *amount)).collect();
    assert_eq!(
        scalars,
        [
            ("attachable-volumes-y", 3),
            ("example.com/gpu", 2),
            ("hugepages-2Mi", 4 * MI),
            ("kubernetes.io/x", 1)
        ]
    );
}

#[test]
fn limits_add_up_as_requests_do_and_overhead_counts_only_where_something_is_limited() {
    let limits = |spec: &str| {
        let json = format!(r#"{{"metadata": {{"name": "web"}}, "spec": {spec}}}"#);
        read_pod(&json).unwrap().limits.map(|limits| (limits.cpu.0, limits.memory.0 / MI))
    };
    assert_eq!(limits(r#"{"containers": [{"resources": {"requests": {"cpu": "1"}}}]}"#), None);
    let two = r#"{"resources": {"limits": {"cpu": "1", "memory": "64Mi"}}}, {"resources": {"limits": {"cpu": "500m"}}}"#;
    assert_eq!(limits(&format!(r#"{{"containers": [{two}]}}"#)), Some((1500, 64)));
    let init = r#"{"resources": {"limits": {"memory": "128Mi"}}}"#;
    assert_eq!(
        limits(&format!(r#"{{"containers": [{two}], "initContainers": [{init}]}}"#)),
        Some((1500, 128))
    );
    let overhead = r#""overhead": {"cpu": "250m", "memory": "8Mi"}"#;
    let one = r#"{"resources": {"limits": {"cpu": "1"}}}"#;
    assert_eq!(limits(&format!(r#"{{"containers": [{one}], {overhead}}}"#)), Some((1250, 0)));
    let pod_level = r#""resources": {"limits": {"cpu": "4"}}"#;
    assert_eq!(limits(&format!(r#"{{"containers": [{one}], {pod_level}}}"#)), Some((4000, 0)));
}
