//! `NodeDelays`, field by field.

use std::time::Duration;

use crate::delay::{DelaySource, Measurement, Report, Statistics};
use crate::health::Seen;
use crate::measure::{Interval, Peer};
use crate::model::Delay;
use crate::wire::Interner;
use crate::wire::node_delays::{NodeDelays, NodeDelaysObject, SpecDigest};

fn read(json: &str) -> Result<NodeDelays, String> {
    let object: NodeDelaysObject = serde_json::from_str(json).map_err(|error| error.to_string())?;
    object.into_node_delays(&mut Interner::default()).map_err(|error| error.to_string())
}

/// The object of edge-1 with this spec and status.
fn read_parts(spec: &str, status: &str) -> Result<NodeDelays, String> {
    read(&format!(r#"{{"metadata": {{"name": "edge-1"}}, "spec": {spec}, "status": {status}}}"#))
}

const FULL: &str = r#"{
  "apiVersion": "kubectl-edge.dev/v1alpha1", "kind": "NodeDelays",
  "metadata": {"name": "edge-1", "uid": "7", "resourceVersion": "12", "managedFields": [{"manager": "edge-probe"}],
    "ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": "edge-1", "uid": "node-7", "controller": true}]},
  "spec": {"reportEveryMs": 60000, "requests": [{"id": "1"}], "peers": [
    {"name": "edge-2", "address": "10.0.0.2:10270", "interval": "Ring", "boundsMicros": [2500, 25000]},
    {"name": "edge-3", "address": "[fd00::3]:10270", "interval": "Mesh"}]},
  "status": {"source": "Probe", "addresses": ["10.0.0.1:10270"], "reportedAt": "2026-01-01T00:00:00.000000Z",
    "reportEveryMs": 60000, "starved": true, "leaving": true, "transport": "UDP", "measured": 2, "nearest": "edge-2 0.80 ms",
    "rows": [
      {"peer": "edge-2", "minMicros": 700, "p50Micros": 800, "p95Micros": 900, "jitterMicros": 10, "lost": 1,
       "samples": 32, "missed": 0, "ageMs": 400},
      {"peer": "edge-3", "lost": 8, "samples": 8, "missed": 8}]}
}"#;

#[test]
fn what_a_node_measured_and_is_to_measure_is_read() {
    let read = read(FULL).unwrap();
    let millis = |millis: &str| Delay::parse_millis(millis).ok();
    let answered = Statistics {
        min: millis("0.7"),
        p50: millis("0.8"),
        p95: millis("0.9"),
        jitter: millis("0.01"),
        lost: 1,
        samples: 32,
        missed: 0,
        age: Some(Duration::from_millis(400)),
    };
    let silent = Statistics { lost: 8, samples: 8, missed: 8, ..Statistics::default() };
    let peer = |node: &str, address: &str, interval, bounds: &[&str]| Peer {
        node: node.into(),
        address: address.into(),
        interval,
        bounds: bounds.iter().map(|bound| Delay::parse_millis(bound).unwrap()).collect(),
    };
    let peers = [
        peer("edge-2", "10.0.0.2:10270", Interval::Ring, &["2.5", "25"]),
        peer("edge-3", "[fd00::3]:10270", Interval::Mesh, &[]),
    ];
    let expected = NodeDelays {
        node: "edge-1".into(),
        owner: Some("node-7".into()),
        addresses: vec!["10.0.0.1:10270".into()],
        leaving: true,
        spec: SpecDigest::of(&peers, Some(Duration::from_mins(1))),
        neighbours: vec!["edge-2".into()],
        told: read.told,
        report: Some(Report {
            from: "edge-1".into(),
            source: DelaySource::Probe,
            every: Some(Duration::from_mins(1)),
            starved: true,
            rows: vec![
                Measurement { peer: "edge-2".into(), statistics: answered },
                Measurement { peer: "edge-3".into(), statistics: silent },
            ],
        }),
    };
    assert_eq!(read, expected);
    let sighting = read.sighting().unwrap();
    assert!(sighting.leaving && sighting.starved);
    assert_eq!(sighting.peers, [Seen { peer: "edge-2".into(), missed: 0 }], "the other is probed seldom");
    let mut moved = peers.clone();
    moved[1].address = "10.0.0.3:10270".into();
    let others = [
        SpecDigest::of(&peers, None),
        SpecDigest::of(&moved, Some(Duration::from_mins(1))),
        SpecDigest::of(&peers[..1], Some(Duration::from_mins(1))),
    ];
    assert!(!others.contains(&read.spec), "{others:?}");
}

#[test]
fn what_is_absent_means_nothing_known() {
    for (spec, status) in [("{}", "null"), ("null", "null"), (r#"{"peers": null}"#, "null")] {
        assert_eq!(read_parts(spec, status), Ok(NodeDelays::none_of("edge-1".into())), "{spec} {status}");
    }
    let every = |status: &str| read_parts("{}", status).map(|read| read.report.and_then(|it| it.every));
    assert_eq!(every("{}"), Ok(Some(Duration::from_mins(1))), "no report holds for ever");
    assert_eq!(every(r#"{"source": "File"}"#), Ok(None), "but a file does");
    assert_eq!(every(r#"{"source": "File", "reportEveryMs": 0}"#), Ok(None));
    let refusal = read_parts("{}", r#"{"source": "Dice"}"#).unwrap_err();
    assert_eq!(
        refusal,
        r#"nodedelays edge-1: status.source is "Dice"; it must be one of Probe, Goldpinger, File"#
    );
}

#[test]
fn a_report_is_told_from_the_next_and_from_a_change_of_spec() {
    let told = |spec: &str, status: &str| read_parts(spec, status).unwrap().told;
    let status = |at: u8| format!(r#"{{"reportedAt": "2026-01-01T00:00:0{at}.000000Z", "rows": []}}"#);
    assert_eq!(told("{}", &status(1)), told(r#"{"reportEveryMs": 1000}"#, &status(1)));
    assert_ne!(told("{}", &status(1)), told("{}", &status(2)));
}

#[test]
fn a_delay_over_ten_minutes_is_none() {
    let read = read_parts("{}", r#"{"rows": [{"peer": "a", "p95Micros": 600000001, "samples": 70000}]}"#);
    let report = read.unwrap().report.unwrap();
    assert_eq!((report.rows[0].statistics.p95, report.rows[0].statistics.samples), (None, u16::MAX));
}
