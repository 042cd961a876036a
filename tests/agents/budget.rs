//! What an agent costs: CPU and bytes, with 8 peers each second and 40 each ten seconds, as in a large cluster.

use crate::{
    agent::{Agent, Asks, Priority, Transport},
    bed::{await_that, keys, name, network, turn},
};
use links::{Link, Passage};
use std::{
    fs,
    time::{Duration, Instant},
};

const HOSTS: usize = 49;
/// How long is measured.
const MEASURED: Duration = Duration::from_mins(1);

/// The places of the next hosts after this one, around the ring.
fn next(host: usize, distances: std::ops::RangeInclusive<usize>) -> Vec<usize> {
    distances.map(|distance| (host + distance) % HOSTS).collect()
}

/// Prints the figures, and holds them against the budget. Without Kubernetes an agent has one period, so there are two on
/// each host, and what both cost is counted.
#[test]
#[ignore = "two minutes; its figures are of use on a quiet machine only"]
fn budget() {
    let _turn = turn();
    let network = network(HOSTS);
    for host in 0..HOSTS {
        network.set_all_of(&name(host), Link::with_delay(Duration::from_millis(5))).unwrap();
    }
    let keys = keys();
    let start = |host, peers: &[usize], seconds, answers| {
        let (period, keys) = (Duration::from_secs(seconds), keys.path());
        let (transport, priority) = (Transport::Udp, Priority::Ordinary);
        Agent::start(&network, &Asks { host, peers, period, transport, answers, keys, priority })
    };
    let mut agents = Vec::new();
    for host in 0..HOSTS {
        agents.push([start(host, &next(host, 1..=8), 1, true), start(host, &next(host, 9..=48), 10, false)]);
    }
    let ready = |agent: &Agent, peers| {
        let counts = agent.counts();
        counts.len() == peers && counts.values().all(|count| *count >= 9)
    };
    await_that("all bursts are over", || agents.iter().all(|[ring, near]| ready(ring, 8) && ready(near, 40)));
    network.take_record().unwrap();
    let cpu = || agents[0].iter().map(|agent| cpu(agent.pid())).sum::<Duration>();
    let (begin, before) = (Instant::now(), cpu());
    await_that("the time is over", || begin.elapsed() >= MEASURED);
    let (used, seconds) = (cpu().saturating_sub(before), begin.elapsed().as_secs_f64());
    let record = network.take_record().unwrap();
    let bytes = |of: fn(&Passage) -> bool| {
        let lengths = record.iter().filter(|passage| of(passage)).map(|passage| passage.length);
        f64::from(u32::try_from(lengths.sum::<usize>()).unwrap()) / seconds
    };
    let (sent, received) = (bytes(|it| it.from == 0), bytes(|it| it.to == 0));
    let share = used.as_secs_f64() / seconds;
    println!("load: {}", fs::read_to_string("/proc/loadavg").unwrap().trim());
    println!(
        "sent {sent:.0} B/s, received {received:.0} B/s with the headers of IP; {:.2} % of a core",
        share * 100.0
    );
    assert!(sent + received <= 6_000.0 && share <= 0.01);
}

/// The CPU time of all threads of a process.
fn cpu(pid: u32) -> Duration {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
    let nanos = threads.map(|thread| {
        let text = fs::read_to_string(thread.path().join("schedstat")).unwrap();
        text.split_whitespace().next().unwrap().parse::<u64>().unwrap()
    });
    Duration::from_nanos(nanos.sum())
}
