//! What is said, as `NodeDelays` has it.

use std::net::SocketAddr;
use std::time::Duration;

use edge_api::{DelaySource, NodeDelaysStatus, PeerDelay, ProbeResult, Transport};
use edge_core::delay::Measurement;
use edge_core::model::Delay;
use edge_core::probe::{RequestResult, Statement};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;

/// The status to write now.
pub(super) fn status(
    statement: &Statement,
    addresses: &[SocketAddr],
    transport: Transport,
) -> NodeDelaysStatus {
    let report = &statement.report;
    let mut status = NodeDelaysStatus {
        source: DelaySource::Probe,
        addresses: one_of_each_family(addresses),
        reported_at: Some(MicroTime(Timestamp::now())),
        report_every_ms: report.every.map(millis),
        starved: report.starved,
        leaving: statement.is_leaving,
        transport: Some(transport),
        results: statement.results.iter().map(result).collect(),
        ..NodeDelaysStatus::default()
    };
    status.set_rows(report.rows.iter().map(row).collect());
    status
}

fn one_of_each_family(addresses: &[SocketAddr]) -> Vec<String> {
    let first = |ipv6| addresses.iter().find(|address| address.is_ipv6() == ipv6);
    let preferred = addresses.first().is_some_and(SocketAddr::is_ipv6);
    [first(preferred), first(!preferred)].into_iter().flatten().map(ToString::to_string).collect()
}

fn row(measurement: &Measurement) -> PeerDelay {
    let it = &measurement.statistics;
    PeerDelay {
        peer: measurement.peer.as_str().to_owned(),
        min_micros: it.min.map(Delay::as_micros),
        p50_micros: it.p50.map(Delay::as_micros),
        p95_micros: it.p95.map(Delay::as_micros),
        jitter_micros: it.jitter.map(Delay::as_micros),
        lost: it.lost.into(),
        samples: it.samples.into(),
        missed: it.missed.into(),
        age_ms: it.age.map(millis),
    }
}

fn result(result: &RequestResult) -> ProbeResult {
    ProbeResult {
        id: result.id.to_string(),
        micros: result.samples.iter().map(|sample| sample.delay().map(Delay::as_micros)).collect(),
        running: result.is_running,
    }
}

fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_each_address_family_one_address_is_told() {
        let parse = |it: &[&str]| it.iter().map(|it| it.parse().unwrap()).collect::<Vec<SocketAddr>>();
        let all = parse(&["[fd00::1]:1", "10.0.0.1:1", "[fd00::2]:1", "10.0.0.2:1"]);
        assert_eq!(one_of_each_family(&all), ["[fd00::1]:1", "10.0.0.1:1"]);
        assert_eq!(one_of_each_family(&all[1..2]), ["10.0.0.1:1"]);
        assert!(one_of_each_family(&[]).is_empty());
    }
}
