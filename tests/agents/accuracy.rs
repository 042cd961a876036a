//! What agents measure against what the links gave.

use crate::{
    agent::{Priority, Transport},
    bed::{Run, turn},
    compare::{Compared, Pair, compare},
};
use links::Summary;
use std::{fs, time::Duration};

const EVERY_TRANSPORT: [Transport; 3] = [Transport::Udp, Transport::Icmp, Transport::Tcp];

/// By how much a clock that is read a little too early or too late, and rounding, may make a delay look smaller than it was.
const READING: Duration = Duration::from_micros(100);

/// What holds on any machine: no delay looks smaller than it was, nothing that was lost has a delay, and little that was
/// answered counts as lost. How near they are is not asserted here, because it depends on what else the machine does.
fn check(transport: Transport, loss: f64) {
    let (period, priority) = (Duration::from_millis(200), Priority::Ordinary);
    let run = Run { hosts: 8, transport, loss, period, samples: 24, priority };
    let outcome = run.outcome();
    let pairs = compare(&outcome, transport);
    assert_eq!(pairs.len(), 56);
    for pair in &pairs {
        assert!(pair.samples >= run.samples, "{pair:?}");
        assert_eq!(pair.only_links_lost, 0, "{pair:?}");
        assert!(pair.less.iter().all(|less| *less <= READING), "{pair:?}");
    }
    let sum = |of: fn(&Pair) -> usize| pairs.iter().map(of).sum::<usize>();
    let (samples, lost, mistaken) = (sum(|it| it.samples), sum(|it| it.lost), sum(|it| it.only_agent_lost));
    assert!(mistaken * 20 <= samples, "{mistaken} of {samples} are lost by agents alone");
    // Without losses a probe is lost, too, if the other agent has not begun yet.
    assert!(lost > 0 || loss <= 0.0, "{lost} of {samples} lost");
}

#[test]
fn udp_never_looks_faster_than_it_is_at_10_percent_loss() {
    check(Transport::Udp, 10.0);
}

#[test]
fn icmp_never_looks_faster_than_it_is_at_1_percent_loss() {
    check(Transport::Icmp, 1.0);
}

#[test]
fn tcp_never_looks_faster_than_it_is() {
    check(Transport::Tcp, 0.0);
}

/// Prints the figures of agents that run before all else, and holds them against what is promised: so they measure the agents
/// and not what else the machine does.
#[test]
#[ignore = "minutes, and a machine that is not too busy"]
fn accuracy() {
    let beyond = print_figures(Priority::First);
    assert!(beyond == 0, "{beyond} pairs are beyond 0.2 ms and 5 %");
}

/// Prints the same figures of agents that take their turn with all else that the machine does.
#[test]
#[ignore = "minutes; its figures tell as much of what else the machine does"]
fn accuracy_among_others() {
    print_figures(Priority::Ordinary);
}

/// Prints a row for every transport and loss. How many pairs are beyond what is promised.
fn print_figures(priority: Priority) -> usize {
    let _turn = turn();
    println!("\npriority: {priority:?}; load: {}", fs::read_to_string("/proc/loadavg").unwrap().trim());
    println!(
        "| transport | loss | probes | lost | p50 off: median, worst | p95 off: median, worst | probe by probe: p50, p99 | within |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|--:|");
    let mut beyond = Vec::new();
    for transport in EVERY_TRANSPORT {
        for loss in [0.0, 1.0, 10.0] {
            let period = Duration::from_millis(500);
            let run = Run { hosts: 8, transport, loss, period, samples: 40, priority };
            let pairs = compare(&run.outcome(), transport);
            print_row(run, &pairs);
            beyond.extend(
                pairs.into_iter().filter(|pair| !is_within(pair)).map(|pair| (transport, loss, pair)),
            );
        }
    }
    println!("load: {}", fs::read_to_string("/proc/loadavg").unwrap().trim());
    for (transport, loss, Pair { from, to, p50, p95, only_agent_lost, .. }) in &beyond {
        let name = transport.name();
        println!(
            "beyond: {name} at {loss} %, {from} to {to}: {p50:?}, {p95:?}, {only_agent_lost} lost by it alone"
        );
    }
    beyond.len()
}

fn print_row(run: Run, pairs: &[Pair]) {
    let sum = |of: fn(&Pair) -> usize| pairs.iter().map(of).sum::<usize>();
    let errors = |of: fn(&Pair) -> Compared| {
        let errors = Summary::of(pairs.iter().map(|pair| of(pair).error())).unwrap();
        format!("{:.3}, {:.3} ms", errors.p50.as_secs_f64() * 1e3, errors.max.as_secs_f64() * 1e3)
    };
    let off =
        pairs.iter().flat_map(|pair| pair.more.iter().zip(&pair.less).map(|(more, less)| *more.max(less)));
    let off = Summary::of(off).unwrap();
    println!(
        "| {} | {} % | {} | {} | {} | {} | {:.3}, {:.3} ms | {} of {} |",
        run.transport.name(),
        run.loss,
        sum(|pair| pair.samples),
        sum(|pair| pair.lost),
        errors(|pair| pair.p50),
        errors(|pair| pair.p95),
        off.p50.as_secs_f64() * 1e3,
        off.p99.as_secs_f64() * 1e3,
        pairs.iter().filter(|pair| is_within(pair)).count(),
        pairs.len(),
    );
}

fn is_within(pair: &Pair) -> bool {
    pair.p50.agrees() && pair.p95.agrees() && pair.only_agent_lost == 0 && pair.only_links_lost == 0
}
