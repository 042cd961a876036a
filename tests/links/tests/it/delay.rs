//! Delays: both ways, one way, changed, IPv4 and IPv6.

use crate::support::{Echo, MS, STAMP, echoes, given};
use links::{HostSpec, Link, Network, Summary, round_trips, tcp_connect};
use std::{
    net::{IpAddr, TcpListener, TcpStream},
    time::{Duration, Instant},
};

const PATIENCE: Duration = Duration::from_secs(5);

fn pair() -> Network {
    Network::start(1, &[HostSpec::new("a"), HostSpec::new("b")]).unwrap()
}

/// Sends echoes from a to b; gives the medians seen and given, after checking each echo by itself.
fn medians(network: &Network, v6: bool, count: u32) -> (Duration, Duration) {
    let (a, b) = (network.host("a").unwrap(), network.host("b").unwrap());
    let [from, to] = [a, b].map(|host| host.addresses()[usize::from(v6)]);
    network.take_record().unwrap();
    let _echo = Echo::start(b, to);
    let seen = echoes(a, from, to, count, PATIENCE);
    let trips = given(&network.take_record().unwrap());
    assert_eq!(trips.len(), seen.len());
    let pairs: Vec<(Duration, Duration)> =
        seen.iter().zip(&trips).map(|(seen, trip)| (seen.delay.unwrap(), trip.given().unwrap())).collect();
    for (seen, given) in &pairs {
        assert!(*seen + STAMP >= *given, "seen {seen:?}, given {given:?}");
    }
    let median = |of: fn(&(Duration, Duration)) -> Duration| Summary::of(pairs.iter().map(of)).unwrap().p50;
    (median(|pair| pair.0), median(|pair| pair.1))
}

fn assert_near(seen: Duration, given: Duration) {
    assert!(seen < given + 5 * MS, "seen {seen:?}, given {given:?}");
}

#[test]
fn an_echo_takes_what_both_directions_were_given() {
    let network = pair();
    network.set_both("a", "b", Link::with_delay(10 * MS)).unwrap();
    for v6 in [false, true] {
        let (seen, given) = medians(&network, v6, 20);
        assert!((20 * MS..25 * MS).contains(&given), "given {given:?}");
        assert_near(seen, given);
    }
}

#[test]
fn directions_differ() {
    let network = pair();
    network.set("a", "b", Link::with_delay(40 * MS)).unwrap();
    network.set("b", "a", Link::with_delay(5 * MS)).unwrap();
    let [a, b] = ["a", "b"].map(|name| network.host(name).unwrap());
    let _echo = Echo::start(b, b.v4().into());
    echoes(a, a.v4().into(), b.v4().into(), 10, PATIENCE);
    let trips = given(&network.take_record().unwrap());
    let there = Summary::of(trips.iter().filter_map(|trip| trip.there.given())).unwrap();
    let back = Summary::of(trips.iter().filter_map(|trip| trip.back.as_ref()?.given())).unwrap();
    assert_eq!((there.count, back.count), (10, 10));
    assert!(there.min >= 40 * MS && back.min >= 5 * MS && back.p50 < 20 * MS, "{there}; {back}");
}

#[test]
fn a_step_holds_from_the_next_packet_on() {
    let network = pair();
    for delay in [1, 50, 1] {
        network.set_both("a", "b", Link::with_delay(delay * MS)).unwrap();
        let (seen, given) = medians(&network, false, 8);
        assert!((2 * delay * MS..(2 * delay + 10) * MS).contains(&given), "given {given:?}");
        assert_near(seen, given);
    }
}

#[test]
fn jitter_is_added() {
    let network = pair();
    network.set("a", "b", Link::with_delay(5 * MS).jitter(40 * MS)).unwrap();
    let [a, b] = ["a", "b"].map(|name| network.host(name).unwrap());
    let _echo = Echo::start(b, b.v4().into());
    echoes(a, a.v4().into(), b.v4().into(), 40, PATIENCE);
    let trips = given(&network.take_record().unwrap());
    let there = Summary::of(trips.iter().filter_map(|trip| trip.there.given())).unwrap();
    assert!(there.min >= 5 * MS && there.min < 20 * MS && there.max > 30 * MS, "{there}");
}

#[test]
fn a_tcp_connection_takes_a_round_trip() {
    let network = pair();
    network.set_both("a", "b", Link::with_delay(10 * MS)).unwrap();
    let [a, b] = ["a", "b"].map(|name| network.host(name).unwrap());
    let address = (IpAddr::V4(b.v4()), 80);
    let _listener = b.inside(move || TcpListener::bind(address)).unwrap().unwrap();
    let seen = a.inside(move || {
        let begin = Instant::now();
        TcpStream::connect(address).map(|_| begin.elapsed())
    });
    let seen = seen.unwrap().unwrap();
    let trips = round_trips(&network.take_record().unwrap(), tcp_connect);
    let [trip] = trips.as_slice() else { panic!("{trips:?}") };
    let given = trip.given().unwrap();
    assert!(given >= 20 * MS && seen + STAMP >= given, "seen {seen:?}, given {given:?}");
}
