//! Pods, field by field.

use crate::model::{HostPort, Labels, Phase, Pod, Protocol, TaintEffect, Timestamp, TolerationOp, Version};
use crate::wire::{Interner, PodObject};

use super::{read_pod, read_spec};

/// A pod as the API server gives it, with much that isn't read.
const FULL: &str = r#"{
  "apiVersion": "v1", "kind": "Pod",
  "metadata": {
    "name": "web-7c5-x", "generateName": "web-7c5-", "namespace": "shop", "uid": "0d1e", "resourceVersion": "4711",
    "generation": 3, "creationTimestamp": "2026-01-01T00:00:00Z", "deletionTimestamp": "2026-01-02T00:00:00Z",
    "deletionGracePeriodSeconds": 30, "labels": {"delay_edge-1": "25", "app": "web"},
    "annotations": {"kubectl-edge.dev/backup": "true", "kubectl.kubernetes.io/last-applied-configuration": "{\"a\": 1}"},
    "ownerReferences": [
      {"apiVersion": "v1", "kind": "ConfigMap", "name": "other", "uid": "1"},
      {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-7c5", "uid": "2", "controller": true, "blockOwnerDeletion": true}
    ],
    "managedFields": [{"manager": "kubelet", "fieldsV1": {"f:metadata": {"f:labels": {}}}}]
  },
  "spec": {
    "nodeName": "edge-2", "schedulerName": "custom-scheduler", "priority": 1000, "preemptionPolicy": "Never",
    "schedulingGates": [{"name": "example.com/wait"}],
    "nodeSelector": {"disk": "ssd"},
    "initContainers": [{"name": "init", "image": "busybox", "env": [{"name": "A", "value": "b"}]}],
    "containers": [{"name": "app", "image": "registry:5000/web:1.2", "volumeMounts": [{"name": "v", "mountPath": "/v"}]}],
    "volumes": [{"name": "v", "projected": {"sources": []}}, {"name": "i", "image": {"reference": "data"}}]
  },
  "status": {"phase": "Running", "podIP": "10.0.0.1", "startTime": "2026-01-01T00:00:01Z",
    "nominatedNodeName": "", "conditions": [{"type": "Ready", "status": "True", "lastProbeTime": null}]}
}"#;

fn labels<const N: usize>(pairs: [(&str, &str); N]) -> Labels {
    pairs.into_iter().collect()
}

#[test]
fn a_pod_of_the_api_server_is_read() {
    let pod = read_pod(FULL).unwrap();
    assert_eq!(pod.key.to_string(), "shop/web-7c5-x");
    assert_eq!((pod.uid.as_str(), pod.version, pod.generation), ("0d1e", Version(4711), 3));
    assert_eq!(pod.labels, labels([("app", "web"), ("delay_edge-1", "25")]));
    assert_eq!(pod.annotations, labels([("kubectl-edge.dev/backup", "true")]));
    let owner = pod.owner.unwrap();
    assert_eq!((&*owner.kind, &*owner.name), ("ReplicaSet", "web-7c5"));
    assert_eq!((&*pod.scheduler_name, pod.priority), ("custom-scheduler", 1000));
    assert_eq!((pod.preempts, pod.started), (false, Some(Timestamp(1_767_225_601))));
    assert_eq!((pod.nominated_node, pod.preempted), (None, false));
    assert_eq!(pod.node.unwrap().as_str(), "edge-2");
    assert_eq!((pod.phase, pod.terminating), (Phase::Running, true));
    assert_eq!(*pod.gates, ["example.com/wait".into()]);
    assert_eq!(pod.node_selector, labels([("disk", "ssd")]));
    assert_eq!(*pod.images.containers, ["registry:5000/web:1.2".into(), "busybox:latest".into()]);
    assert_eq!(*pod.images.volumes, ["data:latest".into()]);
    assert_eq!(pod.unsupported, None);
}

#[test]
fn what_a_pod_leaves_out_is_what_the_api_server_makes_of_it() {
    let pod = read_pod(r#"{"metadata": {"name": "web"}}"#).unwrap();
    let expected =
        Pod { generation: 0, scheduler_name: "default-scheduler".into(), ..Pod::pending("default", "web") };
    assert_eq!(pod, expected);
}

#[test]
fn null_means_absent_everywhere() {
    let absent = read_pod(r#"{"metadata": {"name": "web"}, "spec": {"containers": [{}]}}"#).unwrap();
    let null = r#"{"metadata": {"name": "web", "namespace": null, "uid": null, "resourceVersion": null,
        "generation": null, "deletionTimestamp": null, "labels": null, "annotations": null, "ownerReferences": null},
      "spec": {"nodeName": null, "schedulerName": null, "priority": null, "preemptionPolicy": null, "hostNetwork": null, "schedulingGates": null,
        "containers": [{"name": null, "image": null, "resources": {"requests": null, "limits": null}, "ports": null,
          "restartPolicy": null}], "initContainers": null, "resources": null, "overhead": null,
        "nodeSelector": null, "affinity": {"nodeAffinity": null, "podAffinity": null, "podAntiAffinity": {
          "requiredDuringSchedulingIgnoredDuringExecution": null}}, "tolerations": null,
        "volumes": null, "resourceClaims": null, "topologySpreadConstraints": null},
      "status": {"phase": null, "conditions": null, "startTime": null, "nominatedNodeName": null, "containerStatuses": null, "initContainerStatuses": null,
        "resources": null, "allocatedResources": null}}"#;
    assert_eq!(read_pod(null).unwrap(), absent);
    assert_eq!(
        read_pod(r#"{"metadata": {"name": "web"}, "spec": {"containers": [{}]}, "status": null}"#).unwrap(),
        absent
    );
}

#[test]
fn json_and_yaml_mean_the_same() {
    let yaml: PodObject = serde_yaml::from_str(
        "metadata:\n  name: web\n  labels: {delay_edge-1: '25'}\n  annotations:\n    kubectl-edge.dev/delay: edge-2=3\n    other: x\n\
         spec:\n  hostNetwork: true\n  containers:\n  - image: web\n    ports: [{containerPort: 80}]\n    \
         resources: {requests: {cpu: 0.5, memory: 1073741824, example.com/gpu: 1}}\n  \
         tolerations: [{operator: Exists, value: }]\n  affinity:\n",
    )
    .unwrap();
    let json = r#"{"metadata": {"name": "web", "labels": {"delay_edge-1": "25"},
        "annotations": {"kubectl-edge.dev/delay": "edge-2=3"}},
      "spec": {"hostNetwork": true, "containers": [{"image": "web", "ports": [{"hostPort": 80, "containerPort": 80}],
        "resources": {"requests": {"cpu": "500m", "memory": "1Gi", "example.com/gpu": "1"}}}],
        "tolerations": [{"operator": "Exists"}]}}"#;
    assert_eq!(yaml.into_pod(&mut Interner::default()).unwrap(), read_pod(json).unwrap());
}

#[test]
fn a_template_is_given_a_name() {
    let template: PodObject = serde_json::from_str(r#"{"metadata": {"labels": {"app": "web"}}}"#).unwrap();
    let pod = template.named("shop", "web-0").into_pod(&mut Interner::default()).unwrap();
    assert_eq!((pod.key.to_string().as_str(), pod.uid.as_str()), ("shop/web-0", "shop/web-0"));
}

#[test]
fn every_phase_is_read_and_an_unknown_one_is_unknown() {
    for (text, expected) in [
        (r#""Pending""#, Phase::Pending),
        (r#""""#, Phase::Pending),
        ("null", Phase::Pending),
        (r#""Running""#, Phase::Running),
        (r#""Succeeded""#, Phase::Succeeded),
        (r#""Failed""#, Phase::Failed),
        (r#""Unknown""#, Phase::Unknown),
        (r#""Paused""#, Phase::Unknown),
    ] {
        let pod = read_pod(&format!(r#"{{"metadata": {{"name": "a"}}, "status": {{"phase": {text}}}}}"#));
        assert_eq!(pod.unwrap().phase, expected, "{text}");
    }
}

#[track_caller]
fn check_ports(spec: &str, expected: &[(&str, Protocol, u16)]) {
    let to_port = |&(ip, protocol, port): &(&str, _, _)| HostPort { ip: ip.into(), protocol, port };
    let expected: Vec<HostPort> = expected.iter().map(to_port).collect();
    assert_eq!(*read_spec(spec).unwrap().ports, expected);
}

#[test]
fn host_ports_are_those_of_containers_that_keep_running() {
    check_ports(r#"{"containers": [{"ports": [{"containerPort": 80}]}]}"#, &[]);
    check_ports(r#"{"containers": [{"ports": [{"containerPort": 80, "hostPort": 0}]}]}"#, &[]);
    check_ports(r#"{"containers": [{"ports": [{"hostPort": 80}]}]}"#, &[("0.0.0.0", Protocol::Tcp, 80)]);
    check_ports(
        r#"{"containers": [{"ports": [{"hostPort": 53, "hostIP": "10.0.0.1", "protocol": "UDP"}, {"hostPort": 65535, "protocol": "SCTP", "hostIP": ""}]}]}"#,
        &[("10.0.0.1", Protocol::Udp, 53), ("0.0.0.0", Protocol::Sctp, 65535)],
    );
    check_ports(
        r#"{"initContainers": [{"ports": [{"hostPort": 1}]}, {"restartPolicy": "Always", "ports": [{"hostPort": 2}]}],
            "containers": [{"ports": [{"hostPort": 3}]}]}"#,
        &[("0.0.0.0", Protocol::Tcp, 2), ("0.0.0.0", Protocol::Tcp, 3)],
    );
    check_ports(
        r#"{"hostNetwork": true, "containers": [{"ports": [{"containerPort": 80}, {"containerPort": 1, "hostPort": 2}]}]}"#,
        &[("0.0.0.0", Protocol::Tcp, 80), ("0.0.0.0", Protocol::Tcp, 2)],
    );
}

#[test]
fn tolerations_have_their_defaults_and_an_unknown_operator_tolerates_nothing() {
    let pod = read_spec(
        r#"{"tolerations": [{"key": "a", "value": "b", "effect": "NoSchedule"}, {"operator": "Exists"},
            {"key": "c", "operator": "Gt", "value": "5"}, {"key": "d", "operator": "Equal", "effect": "", "tolerationSeconds": 300}]}"#,
    );
    let tolerations = pod.unwrap().tolerations;
    let read: Vec<_> = tolerations.iter().map(|it| (&*it.key, it.op, &*it.value, it.effect)).collect();
    assert_eq!(
        read,
        [
            ("a", TolerationOp::Equal, "b", Some(TaintEffect::NoSchedule)),
            ("", TolerationOp::Exists, "", None),
            ("d", TolerationOp::Equal, "", None),
        ]
    );
}

#[test]
fn node_affinity_is_read() {
    let pod = read_spec(
        r#"{"affinity": {"nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
              {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a", "b"]}, {"key": "gpu", "operator": "Exists"}]},
              {"matchFields": [{"key": "metadata.name", "operator": "NotIn", "values": ["n1"]}]}, {}]},
            "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "preference": {
              "matchExpressions": [{"key": "cores", "operator": "Gt", "values": ["4"]}]}}]}}}"#,
    );
    let affinity = pod.unwrap().node_affinity;
    let terms = affinity.required.unwrap().terms;
    let sizes: Vec<_> = terms.iter().map(|term| (term.expressions.len(), term.fields.len())).collect();
    assert_eq!(sizes, [(2, 0), (0, 1), (0, 0)]);
    assert_eq!(affinity.preferred.iter().map(|it| it.weight).collect::<Vec<_>>(), [100]);
}

#[track_caller]
fn check_unsupported(spec: &str, expected: Option<&str>) {
    let read = read_spec(spec).unwrap().unsupported;
    match expected {
        Some(part) => assert!(read.is_some_and(|reason| reason.contains(part)), "{read:?} {spec}"),
        None => assert_eq!(read, None, "{spec}"),
    }
}

#[test]
fn what_can_not_be_honoured_is_told() {
    check_unsupported(r#"{"resourceClaims": [{"name": "gpu"}]}"#, Some("resourceClaims"));
}

#[track_caller]
fn check_error(spec: &str, expected: &str) {
    assert_eq!(read_spec(spec).unwrap_err(), format!("pod default/web: {expected}"));
}

#[test]
fn an_error_names_the_object_the_field_and_the_fix() {
    check_error(
        r#"{"containers": [{"resources": {"requests": {"cpu": "many"}}}]}"#,
        r#"spec.containers[0].resources.requests.cpu is "many"; write a decimal number with a suffix such as m, k, Mi, Gi or e3"#,
    );
    check_error(
        r#"{"initContainers": [{}, {"resources": {"limits": {"memory": "-1Gi"}}}]}"#,
        r#"spec.initContainers[1].resources.limits.memory is "-1Gi"; an amount must be 0 or more"#,
    );
    check_error(r#"{"overhead": {"cpu": -1}}"#, r#"spec.overhead.cpu is "-1"; an amount must be 0 or more"#);
    check_error(
        r#"{"resources": {"requests": {"cpu": ""}}}"#,
        r#"spec.resources.requests.cpu is ""; write a decimal number with a suffix such as m, k, Mi, Gi or e3"#,
    );
    check_error(
        r#"{"containers": [{"ports": [{}, {"hostPort": 70000}]}]}"#,
        "spec.containers[0].ports[1].hostPort is 70000; it must be from 1 to 65535",
    );
    check_error(
        r#"{"containers": [{"ports": [{"hostPort": 80, "protocol": "ICMP"}]}]}"#,
        r#"spec.containers[0].ports[0].protocol is "ICMP"; it must be one of TCP, UDP, SCTP"#,
    );
    check_error(
        r#"{"tolerations": [{"operator": "Exists", "effect": "Never"}]}"#,
        r#"spec.tolerations[0].effect is "Never"; it must be one of NoSchedule, PreferNoSchedule, NoExecute"#,
    );
    check_error(
        r#"{"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
            {"matchFields": [{"key": "metadata.name", "operator": "Like"}]}]}}}}"#,
        r#"spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchFields[0].operator is "Like"; it must be one of In, NotIn, Exists, DoesNotExist, Gt, Lt"#,
    );
    check_error(
        r#"{"affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 101}]}}}"#,
        "spec.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight is 101; it must be from 1 to 100",
    );
    assert_eq!(
        read_pod(r#"{"metadata": {"namespace": "shop"}}"#).unwrap_err(),
        "pod shop/(unnamed): metadata.name is missing; every object has it"
    );
}

#[test]
fn a_field_of_the_wrong_type_is_an_error_with_its_place() {
    let error = read_pod(r#"{"metadata": {"name": "a", "labels": {"delay_edge-1": 25}}}"#).unwrap_err();
    assert!(error.contains("invalid type: integer `25`, expected a string at line 1"), "{error}");
}

#[test]
fn a_pod_tells_of_preemption() {
    let status = |status: &str| {
        read_pod(&format!(r#"{{"metadata": {{"name": "web"}}, "status": {status}}}"#)).unwrap()
    };
    let nominated = status(r#"{"nominatedNodeName": "edge-1"}"#).nominated_node;
    assert_eq!(nominated, Some("edge-1".into()));
    let preempted = |fields: &str| {
        let condition = format!(r#"{{"type": "DisruptionTarget", {fields}}}"#);
        status(&format!(r#"{{"conditions": [{{"type": "Ready"}}, {condition}]}}"#)).preempted
    };
    assert!(preempted(r#""status": "True", "reason": "PreemptionByScheduler""#));
    assert!(!preempted(r#""status": "False", "reason": "PreemptionByScheduler""#));
    assert!(!preempted(r#""status": "True", "reason": "EvictionByEvictionAPI""#));
}
