//! What a `NodeDelays` asks for, as the core has it.

use std::net::SocketAddr;
use std::time::Duration;

use edge_api::{Interval, NodeDelays, PeerToMeasure, ProbeRequest, ProbeResult};
use edge_core::model::{Delay, Name, NodeName};
use edge_core::probe::{PERIOD, PeerPlan, Plan, RING_PERIOD, RequestPlan, RequestResult, Sample};
use tracing::warn;

use super::sender::Targets;

/// What the object asks for. Of an object that is new to the agent the results stay, and nothing is reported there yet
/// by this agent. An address that is none costs that one peer.
pub(super) fn targets(object: &NodeDelays, is_new: bool) -> Targets {
    let mut targets = Targets::default();
    for peer in &object.spec.peers {
        if let Some(address) = address(object, &peer.name, &peer.address) {
            let plan = peer_plan(peer);
            targets.peers.insert(plan.name.clone(), address);
            targets.plan.peers.push(plan);
        }
    }
    for request in &object.spec.requests {
        if let Some(address) = address(object, &request.peer, &request.address) {
            let plan = request_plan(request);
            targets.requests.insert(plan.id.clone(), address);
            targets.plan.requests.push(plan);
        }
    }
    let status = object.status.as_ref();
    let results = status.filter(|_| is_new).map(|status| status.results.iter().map(result).collect());
    Targets {
        plan: Plan {
            results: results.unwrap_or_default(),
            report_every: object.spec.report_every_ms.map(|ms| Duration::from_millis(ms.into())),
            anew: is_new || status.is_none(),
            ..targets.plan
        },
        ..targets
    }
}

fn address(object: &NodeDelays, peer: &str, address: &str) -> Option<SocketAddr> {
    let parsed = address.parse();
    if parsed.is_err() {
        let object = object.metadata.name.as_deref().unwrap_or_default();
        warn!(
            peer,
            address, "NodeDelays {object}: spec: the address is no address:port; the peer is not probed"
        );
    }
    parsed.ok()
}

fn peer_plan(peer: &PeerToMeasure) -> PeerPlan {
    let bounds = peer.bounds_micros.iter().filter_map(|micros| Delay::from_micros(*micros).ok());
    PeerPlan {
        name: NodeName::from(peer.name.as_str()),
        period: match peer.interval {
            Interval::Ring => RING_PERIOD,
            Interval::Mesh | Interval::Near | Interval::Anchor => PERIOD,
        },
        bounds: bounds.collect(),
    }
}

fn request_plan(request: &ProbeRequest) -> RequestPlan {
    RequestPlan {
        id: Name::from(request.id.as_str()),
        peer: NodeName::from(request.peer.as_str()),
        count: request.count,
    }
}

fn result(result: &ProbeResult) -> RequestResult {
    let sample = |micros: &Option<u32>| {
        micros.and_then(|it| Delay::from_micros(it).ok()).map_or(Sample::Lost, Sample::Answered)
    };
    RequestResult {
        id: Name::from(result.id.as_str()),
        samples: result.micros.iter().map(sample).collect(),
        is_running: result.running,
    }
}

#[cfg(test)]
mod tests {
    use edge_api::NodeDelaysSpec;

    use super::*;

    fn peer(name: &str, address: &str, interval: Interval) -> PeerToMeasure {
        let bounds_micros = vec![5_000, u32::MAX];
        PeerToMeasure { name: name.into(), address: address.into(), interval, bounds_micros }
    }

    #[test]
    fn one_bad_address_costs_one_peer() {
        let peers = vec![
            peer("a", "10.0.0.1:10270", Interval::Ring),
            peer("b", "b.example.com:10270", Interval::Near),
            peer("c", "[fd00::3]:10270", Interval::Near),
        ];
        let spec = NodeDelaysSpec { peers, ..Default::default() };
        let targets = targets(&NodeDelays { spec, ..Default::default() }, true);
        let found: Vec<_> = targets.plan.peers.iter().map(|it| (it.name.as_str(), it.period)).collect();
        assert_eq!(found, [("a", RING_PERIOD), ("c", PERIOD)]);
        assert_eq!(targets.plan.peers[0].bounds.iter().map(|it| it.as_micros()).collect::<Vec<_>>(), [5_000]);
        assert_eq!(targets.peers.len(), 2);
        assert!(targets.plan.anew);
    }
}
