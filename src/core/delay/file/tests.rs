use std::io::{self, BufReader, Read};

use super::*;
use crate::model::{Bytes, Delay, Node, Pod};
use crate::placement::WorkloadRef;

const NAMES: &str = r#"{"a": 0, "b": 1, "c": 2}"#;
const MATRIX: &str = "0 1 2\n3 0 4\n5 6 0\n";

fn read(matrix: &str, metadata: &str, wanted: &[&str]) -> Result<Vec<DelayRow>, FileError> {
    let wanted: Vec<NodeName> = wanted.iter().map(|name| NodeName::from(*name)).collect();
    read_rows(matrix.as_bytes(), metadata, &wanted)
}

#[track_caller]
fn check<T: std::fmt::Debug>(read: Result<T, FileError>, expected: &str) {
    assert_eq!(read.unwrap_err().within("file"), expected);
}

#[track_caller]
fn check_matrix(text: &str, expected: &str) {
    check(MatrixRows::read(text.as_bytes(), &[0]), expected);
}

#[test]
fn a_row_is_the_larger_of_both_directions() {
    let rows = read(MATRIX, NAMES, &["a", "c", "elsewhere"]).unwrap();
    let shown: Vec<String> = rows.iter().map(|row| format!("{} {:?}", row.from, row.to)).collect();
    assert_eq!(
        shown,
        [
            r#"a [(NodeName("b"), 3 ms), (NodeName("c"), 5 ms)]"#,
            r#"c [(NodeName("a"), 5 ms), (NodeName("b"), 6 ms)]"#,
            "elsewhere []",
        ]
    );
}

#[test]
fn every_notation_that_tools_print_is_read() {
    let matrix = "  0 1e-05\t.5 \r\n -0.0 0 5.\n1.5E1 +2 0\n\n  \n";
    let rows = read(matrix, NAMES, &["a", "b"]).unwrap();
    let micros: Vec<Vec<u32>> =
        rows.iter().map(|row| row.to.iter().map(|(_, delay)| delay.as_micros()).collect()).collect();
    assert_eq!(micros, [[1, 15_000], [1, 5_000]]);
}

#[test]
fn rows_without_a_name_are_of_no_interest() {
    let rows = read(MATRIX, r#"{"c": 2, "a": 0}"#, &["a"]).unwrap();
    assert_eq!(rows[0].to, [("c".into(), Delay::from_micros(5_000).unwrap())]);
}

#[test]
fn a_malformed_matrix_is_refused_with_line_and_column() {
    check_matrix("0 1\n1 abc\n", r#"file:2:3: "abc" is not a number of milliseconds"#);
    check_matrix("0 1\n  nan 0\n", r#"file:2:3: "nan" is not a number of milliseconds"#);
    check_matrix("0 inf\n1 0\n", r#"file:1:3: "inf" is not a number of milliseconds"#);
    check_matrix("0 -\n1 0\n", r#"file:1:3: "-" is not a number of milliseconds"#);
    check_matrix("0 1.2.3\n1 0\n", r#"file:1:3: "1.2.3" is not a number of milliseconds"#);
    check_matrix("0 -1.5\n1 0\n", r#"file:1:3: "-1.5" is negative"#);
    check_matrix("0 600001\n1 0\n", r#"file:1:3: "600001" is over 600000 ms"#);
    check_matrix("0 1e999\n1 0\n", r#"file:1:3: "1e999" is over 600000 ms"#);
    check_matrix(
        "0,1\n1,0\n",
        r#"file:1:1: "0,1" is not a number of milliseconds; separate the values with spaces"#,
    );
    check_matrix("0 \u{b5}\n", "file:1:3: \"\u{b5}\" is not a number of milliseconds");
    check_matrix(
        &format!("0 {}\n", "x".repeat(1000)),
        &format!(r#"file:1:3: "{}" is not a number of milliseconds"#, "x".repeat(40)),
    );
}

#[test]
fn a_matrix_of_another_shape_is_refused() {
    let empty = "file: is empty; it should hold round-trip times in milliseconds, one row a line";
    check_matrix("", empty);
    check_matrix(" \n\n", empty);
    let same = "all rows must have the same number";
    check_matrix(
        "0 1 2\n1 0\n2 1 0\n",
        &format!("file:2:4: the row has 2 values, but the first has 3; {same}"),
    );
    check_matrix("0 1\n1 0  7 8\n", &format!("file:2:6: the row has 4 values, but the first has 2; {same}"));
    check_matrix(" 0 1\n  1 0 7\n", &format!("file:2:7: the row has 3 values, but the first has 2; {same}"));
    check_matrix("0 1\n", "file:1:1: the matrix ends after 1 of 2 rows; it must be square");
    check_matrix("0 1 2\n1 0 1\n\n", "file:2:1: the matrix ends after 2 of 3 rows; it must be square");
    check_matrix("0\n1\n", "file:2:1: row 2 is more than the 1 columns of the matrix; it must be square");
    let blank = "the line is blank; only the end of the matrix may have blank lines";
    check_matrix("0 1\n\n \n1 0\n", &format!("file:2:1: {blank}"));
    check_matrix("\n0 1\n1 0\n", &format!("file:1:1: {blank}"));
}

#[test]
fn a_stream_that_never_ends_a_line_is_refused() {
    let endless = BufReader::new(io::repeat(b' '));
    check(
        MatrixRows::read(endless, &[0]),
        "file:1:16777217: the line is longer than 16777216 bytes; write one row of the matrix a line",
    );
}

#[test]
fn a_matrix_that_cannot_be_read_to_its_end_is_refused() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("disk on fire"))
        }
    }
    let half = BufReader::new("0 1\n".as_bytes().chain(Broken));
    check(MatrixRows::read(half, &[0]), "file: can't be read: disk on fire");
}

#[test]
fn malformed_metadata_is_refused() {
    let check_metadata = |text: &str, expected: &str| check(Metadata::parse(text), expected);
    check_metadata("", "file: is empty; it should hold a JSON object: node name to row index");
    check_metadata("{}", r#"file: names no node; write {"<node name>": <row index>, …}"#);
    check_metadata("[1]", "file:1:1: invalid type: sequence, expected an object: node name to row index");
    check_metadata("{\"a\": 0,\n \"b\"", "file:2:4: EOF while parsing an object");
    check_metadata("{\"a\": 0} {}", "file:1:10: trailing characters");
    check_metadata("{\"a\": 0,\n\"a\": 1}", "file:2:7: \"a\" is there twice; each node has one row");
    check_metadata(
        "{\"a\": 1,\n\"b\": 1}",
        "file:2:7: \"b\" has row index 1, but so has \"a\"; each node has its own row",
    );
    for value in ["-1", "1.5", "\"0\"", "null", "[]", "1e3"] {
        let Err(error) = Metadata::parse(&format!(r#"{{"a": {value}}}"#)) else { panic!("{value} was read") };
        assert!(error.to_string().contains("is no row index; give a whole number"), "{error}");
    }
}

#[test]
fn metadata_must_match_the_matrix() {
    check(
        read(MATRIX, r#"{"a": 0, "z": 3}"#, &["a"]),
        r#"file: "z" has row index 3, but the matrix has 3 rows; the last is 2"#,
    );
}

#[test]
fn nodes_have_the_memory_given_and_no_other_limit() {
    let text = r#"[{"name": "a", "allocatable_memory": "8Gi", "cloud": true},
                   {"name": "b", "allocatable_memory": 1024, "note": "ignored"}]"#;
    let nodes = parse_nodes(text).unwrap();
    let [a, b] = nodes.as_slice() else { panic!("two nodes, not {}", nodes.len()) };
    assert_eq!((a.name.as_str(), a.allocatable.memory), ("a", Bytes(8 << 30)));
    assert_eq!(a.labels.get("kubernetes.io/role"), Some("cloud"));
    assert_eq!((b.allocatable.memory, b.labels.is_empty()), (Bytes(1024), true));
    assert_eq!((b.allocatable.cpu, b.allowed_pods), (UNLIMITED_CPU, UNLIMITED_PODS));
    let single = parse_nodes(r#"{"name": "c", "allocatable_memory": "1Gi"}"#).unwrap();
    assert_eq!(merge_nodes([nodes, single]).unwrap().len(), 3);
}

#[test]
fn malformed_nodes_are_refused() {
    let check_nodes = |text: &str, expected: &str| check(parse_nodes(text), expected);
    check_nodes(
        " \n",
        r#"file: is empty; it should hold a JSON list of {"name", "allocatable_memory", "cloud"}"#,
    );
    check_nodes("[{\n\"cloud\": true}]", "file:2:14: missing field `name`");
    check_nodes("\"edge-1\"", "file:1:8: invalid type: string \"edge-1\", expected a sequence");
    check_nodes(
        r#"[{"name": "a", "allocatable_memory": "8GB"}]"#,
        "file: node \"a\": allocatable_memory is \"8GB\"; write a decimal number with a suffix such as m, k, Mi, Gi or e3",
    );
    check_nodes(
        r#"[{"name": "a", "allocatable_memory": "-1Gi"}]"#,
        "file: node \"a\": allocatable_memory is \"-1Gi\"; an amount must be 0 or more",
    );
    check_nodes(
        r#"[{"name": "", "allocatable_memory": "1Gi"}]"#,
        "file: node \"\": name is missing; every object has it",
    );
    check_nodes(
        r#"[{"name": "a", "allocatable_memory": true}]"#,
        "file:1:42: an amount of memory such as \"8Gi\"",
    );
    let twice = || parse_nodes(r#"{"name": "a", "allocatable_memory": "1Gi"}"#).unwrap();
    check(
        merge_nodes([twice(), twice()]),
        r#"file: node "a" is there twice; names must be unique over all files"#,
    );
}

const DEPLOYMENT: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 2
  template:
    metadata:
      labels: {app: web, delay_edge-1: \"25\"}
    spec:
      schedulerName: custom-scheduler
      containers:
      - name: web
        image: web
        resources: {requests: {memory: 6Gi}}
";

fn nodes(names: &[&str]) -> Vec<Node> {
    names.iter().map(|name| Node::named(*name)).collect()
}

/// The pods of a file, as namespace, name and owner.
#[track_caller]
fn check_pods(text: &str, expected: &[&str]) {
    let manifests = parse_pods(text).unwrap();
    let pods = make_pods(&manifests.workloads, &nodes(&["n1", "n2"])).unwrap();
    let owner = |pod: &Pod| pod.owner.as_ref().map(|owner| format!(" {} {}", owner.kind, owner.name));
    let shown: Vec<String> =
        pods.iter().map(|pod| format!("{}{}", pod.key, owner(pod).unwrap_or_default())).collect();
    assert_eq!(shown, expected);
}

#[test]
fn a_deployment_makes_pods_as_in_a_cluster() {
    let manifests = parse_pods(DEPLOYMENT).unwrap();
    let pods = make_pods(&manifests.workloads, &[]).unwrap();
    let [pod, second] = pods.as_slice() else { panic!("two pods, not {}", pods.len()) };
    assert_ne!((&pod.key, &pod.uid), (&second.key, &second.uid));
    assert_eq!(pod.labels.get("delay_edge-1"), Some("25"));
    assert_eq!(pod.requests.memory, Bytes(6 << 30));
    assert_eq!(&*pod.scheduler_name, "custom-scheduler");
    let workloads: Vec<String> = WorkloadRef::of_pod(pod).iter().map(ToString::to_string).collect();
    let hash = pod.labels.get("pod-template-hash").unwrap();
    assert_eq!(workloads, ["Deployment default/web".to_owned(), format!("ReplicaSet default/web-{hash}")]);
    assert_eq!(pod.key.to_string(), format!("default/web-{hash}-0"));
}

#[test]
fn every_kind_of_workload_makes_its_pods() {
    let of = |kind: &str, fields: &str| {
        format!("kind: {kind}\nmetadata: {{name: x, namespace: ns}}\nspec:\n  {fields}\n  template: {{}}\n")
    };
    check_pods(&of("StatefulSet", "replicas: 2"), &["ns/x-0 StatefulSet x", "ns/x-1 StatefulSet x"]);
    check_pods(&of("ReplicaSet", "replicas: 1"), &["ns/x-0 ReplicaSet x"]);
    check_pods(&of("ReplicaSet", "replicas: 0"), &[]);
    check_pods(&of("DaemonSet", "replicas: 7"), &["ns/x-0 DaemonSet x", "ns/x-1 DaemonSet x"]);
    check_pods(&of("Job", "parallelism: 2"), &["ns/x-0 Job x", "ns/x-1 Job x"]);
    check_pods(&of("Job", "parallelism: 2\n  completions: 1"), &["ns/x-0 Job x"]);
    check_pods("kind: Pod\nmetadata: {name: x}\n", &["default/x"]);
    let list =
        "kind: List\nitems:\n- kind: Pod\n  metadata: {name: x}\n- kind: Service\n  metadata: {name: y}\n";
    check_pods(list, &["default/x"]);
    assert_eq!(parse_pods(list).unwrap().ignored, ["Service default/y"]);
}

#[test]
fn a_pod_of_a_daemon_set_fits_its_node_alone() {
    let text = "kind: DaemonSet\nmetadata: {name: x}\nspec: {template: {}}\n";
    let nodes = nodes(&["n1", "n2"]);
    let pods = make_pods(&parse_pods(text).unwrap().workloads, &nodes).unwrap();
    let admitted: Vec<Vec<bool>> =
        pods.iter().map(|pod| nodes.iter().map(|node| pod.admits(node)).collect()).collect();
    assert_eq!(admitted, [[true, false], [false, true]]);
}

#[test]
fn many_documents_and_empty_ones_are_read() {
    let manifests =
        parse_pods(&format!("---\n# nothing\n---\n{DEPLOYMENT}---\nkind: Pod\nmetadata: {{name: x}}\n"));
    assert_eq!(manifests.unwrap().workloads.len(), 2);
}

#[test]
fn malformed_manifests_are_refused() {
    let check_pods = |text: &str, expected: &str| check(parse_pods(text), expected);
    check_pods("# nothing\n", "file: is empty; it should hold YAML manifests of Deployments");
    check_pods("metadata: {name: x}\n", "file: object default/x: kind is missing; every object has it");
    check_pods("kind: Pod\n", "file: Pod default/(unnamed): metadata.name is missing; every object has it");
    check_pods(
        "kind: Deployment\nmetadata: {name: x}\n",
        "file: Deployment default/x: spec.template is missing; every object has it",
    );
    check_pods(
        &DEPLOYMENT.replace("replicas: 2", "replicas: 1000000000"),
        "file: Deployment default/web: spec.replicas is 1000000000; it must be from 0 to 100000",
    );
    check_pods(
        &DEPLOYMENT.replace("replicas: 2", "replicas: two"),
        "file:6:13: spec.replicas: invalid type: string \"two\", expected i64",
    );
    check_pods(
        "kind: List\nitems:\n- {kind: Pod, metadata: {name: x, labels: {delay_a: 25}}}\n",
        "file: item 1 of the List: invalid type: integer `25`, expected a string; write it in quotes",
    );
    check_pods(
        &DEPLOYMENT.replace("6Gi", "6GB"),
        "file: Deployment default/web: spec.template.spec.containers[0].resources.requests.memory is \"6GB\"; write a decimal number with a suffix such as m, k, Mi, Gi or e3",
    );
    check_pods(
        "kind: Pod\nmetadata: {name: x\n",
        "file:3:1: did not find expected ',' or '}', while parsing a flow mapping at line 2 column 11",
    );
    check_pods("kind: []\n", "file:1:7: kind: invalid type: sequence, expected a string");
    let twice = parse_pods(&format!("{DEPLOYMENT}---\n{DEPLOYMENT}")).unwrap();
    check(
        make_pods(&twice.workloads, &[]),
        "file: Deployment default/web is there twice; names must be unique over all files",
    );
}
