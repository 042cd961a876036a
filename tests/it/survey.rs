//! The scheduler tells agents what to measure, and heeds what they report.

use std::collections::BTreeSet;
use std::thread;

use controlplane::{Client, FakeNode, Options};
use edge_api::{DelaySource, NodeDelays, NodeDelaysStatus, PeerDelay, PublishedLayers, Transport};
use serde_json::{Value, json};

use crate::bed::{Bed, NODE_DELAYS, PodSpec, Replica};
use crate::node_delays::agent;

pub(crate) const KEY: &str = "/api/v1/namespaces/edge-system/secrets/edge-probe-key";

fn bed(names: &[String], sources: impl Fn(&Bed) -> String) -> (Bed, Replica) {
    let bed = cluster(names);
    let scheduler = start_scheduler(&bed, &sources(&bed));
    (bed, scheduler)
}

/// A cluster with these nodes, and all that an installation brings but the scheduler.
pub(crate) fn cluster(names: &[String]) -> Bed {
    let nodes: Vec<FakeNode> = names.iter().map(FakeNode::new).collect();
    Bed::installed(Options::default(), &nodes)
}

/// A scheduler with these sources of delays, that has no more permissions than an installation gives it.
pub(crate) fn start_scheduler(bed: &Bed, sources: &str) -> Replica {
    let args = format!("{{sources: [{sources}], layers: {{initial: [2]}}}}");
    bed.replica_of_installation("scheduler", ("NetworkDelay", &args), &[])
}

pub(crate) fn names(count: usize) -> Vec<String> {
    (1..=count).map(|idx| format!("edge-{idx:02}")).collect()
}

fn object(bed: &Bed, node: &str) -> Option<NodeDelays> {
    let object = bed.cp.client().get(&format!("{NODE_DELAYS}/{node}")).ok()?;
    Some(serde_json::from_value(object).unwrap())
}

/// The agent says where it answers, and these delays in ms.
fn report(agent: &Client, node: &str, address: &str, delays: &[(String, u32)]) {
    let mut status = NodeDelaysStatus {
        addresses: vec![address.to_owned()],
        transport: Some(Transport::Udp),
        report_every_ms: Some(60_000),
        ..NodeDelaysStatus::default()
    };
    let row = |(peer, millis): &(String, u32)| {
        let micros = Some(millis * 1000);
        let (min_micros, p50_micros, p95_micros) = (micros, micros, micros);
        let peer = peer.clone();
        PeerDelay {
            peer,
            min_micros,
            p50_micros,
            p95_micros,
            samples: 32,
            age_ms: Some(1),
            ..PeerDelay::default()
        }
    };
    status.set_rows(delays.iter().map(row).collect());
    let object = json!({
        "apiVersion": edge_api::API_VERSION, "kind": "NodeDelays", "metadata": {"name": node}, "status": status,
    });
    agent.apply(&format!("{NODE_DELAYS}/{node}/status"), "edge-probe", &object).unwrap();
}

fn address(idx: usize) -> String {
    format!("10.0.0.{idx}:10270")
}

/// So far are two nodes from each other: a millisecond a step.
fn delays(names: &[String], own: usize) -> Vec<(String, u32)> {
    let others = names.iter().enumerate().filter(|(idx, _)| *idx != own);
    others.map(|(idx, name)| (name.clone(), u32::try_from(idx.abs_diff(own)).unwrap())).collect()
}

#[test]
fn fifty_agents_are_told_whom_to_measure_and_pods_are_placed_by_what_they_report() {
    let names = names(50);
    let (bed, scheduler) = bed(&names, |_| "{probe: {}}".to_owned());
    let wait = |what: &str, probe: &mut dyn FnMut() -> Option<()>| {
        let seen = controlplane::wait_for(what, crate::bed::DEADLINE, || Ok(probe()));
        seen.unwrap_or_else(|error| panic!("{error}\n{}", scheduler.log()));
    };
    wait("an object of each node", &mut || {
        names.iter().all(|name| object(&bed, name).is_some()).then_some(())
    });
    let uid = bed.cp.client().get("/api/v1/nodes/edge-01").unwrap()["metadata"]["uid"].clone();
    let owners = object(&bed, "edge-01").unwrap().metadata.owner_references.unwrap();
    assert_eq!((owners.len(), &owners[0].kind, json!(owners[0].uid)), (1, &"Node".to_owned(), uid));

    let agents: Vec<Client> = names.iter().map(|name| agent(&bed, name)).collect();
    thread::scope(|scope| {
        for (idx, (name, agent)) in names.iter().zip(&agents).enumerate() {
            let names = &names;
            scope.spawn(move || report(agent, name, &address(idx), &delays(names, idx)));
        }
    });
    wait("each to be told to measure all others", &mut || {
        let told = |name: &String| {
            let spec = object(&bed, name)?.spec;
            let peers: Vec<(&str, &str)> =
                spec.peers.iter().map(|peer| (peer.name.as_str(), peer.address.as_str())).collect();
            let others = names.iter().enumerate().filter(|(_, other)| *other != name);
            let addresses: Vec<(String, String)> =
                others.map(|(idx, other)| (other.clone(), address(idx))).collect();
            let all = addresses.iter().map(|(name, address)| (name.as_str(), address.as_str()));
            (spec.report_every_ms == Some(60_000) && peers == all.collect::<Vec<_>>()).then_some(())
        };
        names.iter().all(|name| told(name).is_some()).then_some(())
    });

    a_pod_waits_until_both_directions_are_within_the_delay(&bed, &agents, &names);
    the_agents_have_a_key(&bed, &scheduler);
    layers_of_the_configuration_and_of_pods_are_published(&bed, &names);
    bed.cp.client().delete(&format!("{NODE_DELAYS}/edge-07")).unwrap();
    wait("an object that somebody deleted", &mut || object(&bed, "edge-07").map(|_| ()));
    bed.check_permissions(&["edge-scheduler: create nodedelays.kubectl-edge.dev"]);
}

/// No node but edge-05 has the label, and it is four steps from the anchor.
fn a_pod_waits_until_both_directions_are_within_the_delay(bed: &Bed, agents: &[Client], names: &[String]) {
    let label = json!({"metadata": {"labels": {"here": "yes"}}});
    bed.cp.client().merge("/api/v1/nodes/edge-05", &label).unwrap();
    let mut pod = PodSpec::new("near").delay("edge-01", "3").json();
    pod["spec"]["nodeSelector"] = json!({"here": "yes"});
    bed.cp.client().create(crate::bed::PODS, &pod).unwrap();
    bed.message_of("near", |message| message.contains("nodes are available"));
    for (own, other) in [(4, 0), (0, 4)] {
        assert_eq!(bed.pod("near")["spec"]["nodeName"], Value::Null);
        let mut nearer = delays(names, own);
        nearer.iter_mut().filter(|(name, _)| *name == names[other]).for_each(|(_, millis)| *millis = 3);
        report(&agents[own], &names[own], &address(own), &nearer);
    }
    assert_eq!(bed.node_of("near"), "edge-05");
}

/// The nodes are on a line, a millisecond from the next, but for the first and the fifth. One layer is configured, and a pod has the other's bound.
fn layers_of_the_configuration_and_of_pods_are_published(bed: &Bed, names: &[String]) {
    let layers = bed.wait("layers of all nodes", || {
        let object = bed.cp.client().get("/api/v1/namespaces/edge-system/configmaps/edge-layers").ok()?;
        let text = object["data"]["layers.json"].as_str()?;
        let layers: PublishedLayers = serde_json::from_str(text).unwrap();
        (layers.known_pairs == 1225 && layers.layers.len() == 2).then_some(layers)
    });
    assert_eq!((layers.pairs, layers.nodes.len()), (1225, names.len()));
    let place = |name: &String| names.binary_search(name).unwrap();
    for (layer, millis) in layers.layers.iter().zip([2, 3]) {
        assert_eq!(layer.delay_micros, millis * 1_000);
        let clusters = layers.clusters(layer).unwrap();
        for cluster in &clusters {
            let places: BTreeSet<usize> = cluster.iter().map(place).collect();
            assert_eq!(places.len(), cluster.len());
            let far = |a: usize, b: usize| if (a, b) == (0, 4) { 3 } else { b - a };
            let pairs = places.iter().flat_map(|a| places.range(a + 1..).map(|b| far(*a, *b)));
            assert!(pairs.max().unwrap_or(0) <= millis as usize, "{cluster:?} at {millis} ms");
        }
        assert!(
            clusters.len() < names.len() && clusters.iter().map(|it| it.len()).sum::<usize>() == names.len()
        );
    }
}

/// Two words in a row of the agents at both ends break a bound, and two more restore it.
#[test]
fn that_a_bound_is_broken_or_kept_again_is_told_by_events_of_the_pod() {
    let names = names(2);
    let (bed, _scheduler) = bed(&names, |_| "{probe: {}}".to_owned());
    bed.wait("both objects", || names.iter().all(|name| object(&bed, name).is_some()).then_some(()));
    let agents: Vec<Client> = names.iter().map(|name| agent(&bed, name)).collect();
    let both_report = |millis: u32| {
        for own in [0, 1] {
            let other = names[1 - own].clone();
            report(&agents[own], &names[own], &address(own), &[(other, millis)]);
        }
    };
    both_report(3);
    bed.cp
        .client()
        .merge("/api/v1/nodes/edge-02", &json!({"metadata": {"labels": {"here": "yes"}}}))
        .unwrap();
    let mut pod = PodSpec::new("near").delay("edge-01", "5").json();
    pod["spec"]["nodeSelector"] = json!({"here": "yes"});
    bed.cp.client().create(crate::bed::PODS, &pod).unwrap();
    assert_eq!(bed.node_of("near"), "edge-02");

    // Over the bound, but not by a tenth of it: said twice, and nothing follows.
    let by_a_little = |own: usize, millis| {
        let other = names[1 - own].clone();
        report(&agents[own], &names[own], &address(own), &[(other, millis)]);
    };
    by_a_little(0, 4);
    by_a_little(0, 5);
    both_report(9);
    let exceeded = bed.events_of("near", "DelayExceeded");
    assert_eq!((exceeded.len(), &exceeded[0]["type"]), (1, &json!("Warning")));
    assert_eq!(exceeded[0]["note"], "The delay to edge-01 on node edge-01 is 9 ms, over the bound of 5 ms");
    // The larger of both directions counts: as long as one end says otherwise it is not kept.
    by_a_little(0, 4);
    both_report(5);
    by_a_little(0, 4);
    let restored = bed.events_of("near", "DelayRestored");
    assert_eq!((restored.len(), &restored[0]["type"]), (1, &json!("Normal")));
    assert_eq!(
        restored[0]["note"],
        "The delay to edge-01 on node edge-01 is 5 ms, again within the bound of 5 ms"
    );
    assert_eq!(bed.events_of("near", "DelayExceeded").len(), 1);
}

/// The leader makes it, with room for one key.
fn the_agents_have_a_key(bed: &Bed, scheduler: &Replica) {
    let key: Value =
        controlplane::wait_for("the key", crate::bed::DEADLINE, || Ok(bed.cp.client().get(KEY).ok()))
            .unwrap_or_else(|error| panic!("{error}\n{}", scheduler.log()));
    let current = key["data"]["current"].as_str().unwrap();
    // 32 bytes in base64.
    assert_eq!((current.len(), key["data"].as_object().unwrap().len()), (44, 1));
    assert!(!scheduler.log().contains(current));
}

#[test]
fn what_a_file_says_of_an_anchor_is_shown_as_its_node_delays() {
    let names = names(3);
    let (bed, scheduler) = bed(&names, |bed| {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        bed.write_delays(&names, &[&[0.0, 2.5, 40.0], &[2.5, 0.0, 9.0], &[40.0, 9.0, 0.0]]);
        let (matrix, metadata) = (bed.matrix(), bed.metadata());
        format!("{{file: {{delayMatrix: {}, metadata: {}}}}}", matrix.display(), metadata.display())
    });
    bed.create(&PodSpec::new("near").delay("edge-01", "3"));
    bed.node_of("near");
    let shown = controlplane::wait_for("the status of edge-01", crate::bed::DEADLINE, || {
        Ok(object(&bed, "edge-01").and_then(|object| object.status))
    });
    let status = shown.unwrap_or_else(|error| panic!("{error}\n{}", scheduler.log()));
    assert_eq!((status.source, status.nearest.as_deref()), (DelaySource::File, Some("edge-02 2.50 ms")));
    let rows: Vec<(&str, Option<u32>)> =
        status.rows.iter().map(|row| (row.peer.as_str(), row.p50_micros)).collect();
    assert_eq!(rows, [("edge-02", Some(2_500)), ("edge-03", Some(40_000))]);
    assert!(object(&bed, "edge-02").is_none(), "nobody asked for its delays");
    // The admission policy asks whether it has the permission `report`, which is no request of its own.
    bed.check_permissions(&["edge-scheduler: patch nodedelays.kubectl-edge.dev/status"]);
}
