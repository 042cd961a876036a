//! How exact the links are: what an echo takes beyond the delay that they say they gave, and how late they are.
//!
//! `cargo bench -p links --bench path [-- PROBES]`

use links::{Fate, Host, HostSpec, Leg, Link, Network, RoundTrip, Summary, lateness, round_trips, udp};
use std::{
    error::Error,
    fs,
    io::{self, Write},
    net::UdpSocket,
    thread,
    time::{Duration, Instant},
};

const PORT: u16 = 7;
const PATIENCE: Duration = Duration::from_secs(2);

fn main() -> Result<(), Box<dyn Error>> {
    let count = std::env::args().find_map(|arg| arg.parse().ok()).unwrap_or(500);
    let network = Network::start(1, &[HostSpec::new("a"), HostSpec::new("b")])?;
    let mut out = io::stdout().lock();
    let load = fs::read_to_string("/proc/loadavg")?;
    writeln!(out, "{count} echoes each; real-time: {}; load: {}", network.is_real_time(), load.trim())?;
    writeln!(
        out,
        "| delay each way, ms | beyond the record, ms | answering, ms | late, ms |\n|---|---|---|---|"
    )?;
    echo_from(network.host("b")?)?;
    for delay in [0, 1, 10, 50] {
        network.set_both("a", "b", Link::with_delay(Duration::from_millis(delay)))?;
        network.take_record()?;
        let seen = echoes(network.host("a")?, network.host("b")?, count)?;
        let record = network.take_record()?;
        let trips = round_trips(&record, udp(leg));
        let there = seen
            .iter()
            .zip(&trips)
            .filter_map(|((begin, _), trip)| trip.began().checked_duration_since(*begin));
        let back = seen.iter().zip(&trips).filter_map(|((_, end), trip)| match trip.back.as_ref()?.fate {
            Fate::Sent { sent, .. } => end.checked_duration_since(sent),
            Fate::Lost | Fate::Refused => None,
        });
        let cell = |summary: Option<Summary>| summary.map_or(String::new(), brief);
        writeln!(
            out,
            "| {delay} | {} | {} | {} | {} |",
            cell(Summary::of(there)),
            cell(Summary::of(back)),
            cell(Summary::of(trips.iter().filter_map(RoundTrip::turnaround))),
            cell(lateness(&record)),
        )?;
    }
    Ok(())
}

/// Answers on this host until the program ends.
fn echo_from(host: &Host) -> Result<(), Box<dyn Error>> {
    let address = (host.v4(), PORT);
    let socket = host.inside(move || UdpSocket::bind(address))??;
    thread::spawn(move || {
        let mut buffer = [0; 8];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            buffer[0] = 1;
            // One that can't be answered is one that is not counted.
            let _ = socket.send_to(buffer.get(..length).unwrap_or_default(), from);
        }
    });
    Ok(())
}

/// When each echo was sent, and when it was back.
fn echoes(from: &Host, to: &Host, count: u32) -> Result<Vec<(Instant, Instant)>, Box<dyn Error>> {
    let address = (from.v4(), 0);
    let socket = from.inside(move || UdpSocket::bind(address))??;
    socket.connect((to.v4(), PORT))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    (0..count)
        .map(|number| {
            let [_, high, middle, low] = number.to_be_bytes();
            let begin = Instant::now();
            socket.send(&[0, high, middle, low])?;
            socket.recv(&mut [0; 8])?;
            Ok((begin, Instant::now()))
        })
        .collect()
}

fn leg(payload: &[u8]) -> Option<Leg<u32>> {
    let [kind, rest @ ..] = u32::from_be_bytes(payload.try_into().ok()?).to_be_bytes();
    let [high, middle, low] = rest;
    let number = u32::from_be_bytes([0, high, middle, low]);
    Some(if kind == 0 { Leg::Request(number) } else { Leg::Reply(number) })
}

fn brief(summary: Summary) -> String {
    let ms = |duration: Duration| duration.as_secs_f64() * 1e3;
    let Summary { p50, p95, p99, max, .. } = summary;
    format!("p50 {:.3}, p95 {:.3}, p99 {:.3}, max {:.3}", ms(p50), ms(p95), ms(p99), ms(max))
}
