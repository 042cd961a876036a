//! Losses: as many as asked, the same for the same seed, and recorded.

use crate::support::{Echo, MS, bind, echoes, given};
use links::{Fate, HostSpec, Link, Loss, Network, Passage, bytes_sent};
use std::{
    net::UdpSocket,
    time::{Duration, Instant},
};

const COUNT: u32 = 2_000;

/// Sends numbered datagrams from a to b; gives the numbers that arrived, and the record.
fn one_way(seed: u64) -> (Vec<u32>, Vec<Passage>) {
    let network = Network::start(seed, &[HostSpec::new("a"), HostSpec::new("b")]).unwrap();
    network.set("a", "b", Link::default().loss(Loss::percent(10.0))).unwrap();
    let [a, b] = ["a", "b"].map(|name| network.host(name).unwrap());
    let receiver = bind(b, b.v4().into(), 0);
    let sender = bind(a, a.v4().into(), 0);
    sender.connect(receiver.local_addr().unwrap()).unwrap();
    let (mut arrived, mut record) = (Vec::new(), Vec::new());
    for number in 0..COUNT {
        sender.send(&number.to_be_bytes()).unwrap();
        if number % 50 == 49 {
            record.extend(await_passages(&network, 50));
            arrived.extend(received(&receiver));
        }
    }
    (arrived, record)
}

/// Waits until the fates of so many packets are known: no queue of the kernel overflows meanwhile.
fn await_passages(network: &Network, count: usize) -> Vec<Passage> {
    let mut record = Vec::new();
    let deadline = Instant::now() + Duration::from_secs(10);
    while record.len() < count {
        assert!(Instant::now() < deadline, "{} of {count} packets", record.len());
        record.extend(network.take_record().unwrap());
    }
    record
}

fn received(socket: &UdpSocket) -> Vec<u32> {
    socket.set_nonblocking(true).unwrap();
    let mut buffer = [0; 4];
    std::iter::from_fn(|| socket.recv(&mut buffer).ok().map(|_| u32::from_be_bytes(buffer))).collect()
}

#[test]
fn as_many_are_lost_as_asked_and_the_record_says_which() {
    let (arrived, record) = one_way(5);
    let lost = COUNT as usize - arrived.len();
    assert!((140..260).contains(&lost), "{lost} of {COUNT} lost");
    let number = |passage: &Passage| u32::from_be_bytes(passage.head[8..12].try_into().unwrap());
    let sent: Vec<u32> = record.iter().filter(|it| it.fate != Fate::Lost).map(number).collect();
    assert_eq!(sent, arrived);
    assert_eq!(bytes_sent(&record, 0), COUNT as usize * 32, "20 of IP, 8 of UDP, 4 of ours");

    assert_eq!(one_way(5).0, arrived, "the same seed");
    assert_ne!(one_way(6).0, arrived, "another seed");
}

#[test]
fn nothing_passes_a_link_that_is_down_and_all_does_once_it_is_up() {
    let names = ["a", "b", "c"];
    let network = Network::start(1, &names.map(HostSpec::new)).unwrap();
    let [a, b, c] = names.map(|name| network.host(name).unwrap());
    let _echoes = [b, c].map(|host| Echo::start(host, host.v4().into()));
    let answered = |host: &links::Host| {
        let seen = echoes(a, a.v4().into(), host.v4().into(), 3, 300 * MS);
        assert_eq!(seen.iter().map(|seen| seen.sequence).collect::<Vec<_>>(), [0, 1, 2]);
        seen.iter().filter(|seen| seen.delay.is_some()).count()
    };
    network.set_all_of("b", Link::default().down()).unwrap();
    assert_eq!((answered(b), answered(c)), (0, 3));
    let trips = given(&network.take_record().unwrap());
    assert_eq!(trips.iter().filter(|trip| trip.given().is_none()).count(), 3);
    network.set_all_of("b", Link::default()).unwrap();
    assert_eq!((answered(b), answered(c)), (3, 3));
}
