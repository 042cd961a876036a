//! Answering: who is answered, and what an answer is.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use edge_core::model::{NodeName, Time};

use super::super::counters::Counters;
use super::super::keys::{Key, Keyring, Keys};
use super::super::packet::{Header, Kind, Packet, SIZE, hash, short_hash};
use super::responder::{EACH, MOST_SESSIONS, Responder};
use super::start;

const SOURCE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

struct Bed {
    keyring: Keyring,
    responder: Responder,
    now: Time,
}

impl Bed {
    fn new() -> Self {
        let keyring = Keyring::own();
        let responder = Responder::new(NodeName::from("b"), keyring.clone());
        Self { keyring, responder, now: Time::from_origin(Duration::from_secs(1000)) }
    }

    /// Sends a packet; a while later than the one before, so that no limit is met.
    fn send(&mut self, packet: &[u8]) -> Option<Header> {
        self.now = self.now + EACH.every;
        self.send_now(packet)
    }

    fn send_now(&mut self, packet: &[u8]) -> Option<Header> {
        let answer = self.responder.answer(packet, SOURCE, self.now, || Duration::from_micros(7))?;
        let (header, answer) = Header::read(&answer).unwrap();
        assert!(header.verify(answer, &self.keyring.keys(), &NodeName::from("b")).is_some());
        assert!(answer.len() <= packet.len());
        Some(header)
    }

    fn probe(&self, change: impl FnOnce(&mut Header)) -> Packet {
        self.probe_for("b", change)
    }

    fn probe_for(&self, receiver: &str, change: impl FnOnce(&mut Header)) -> Packet {
        let receiver = NodeName::from(receiver);
        let keys = self.keyring.keys();
        let mut header = Header {
            kind: Kind::Probe,
            key: keys.current().id,
            sequence: 1,
            session: 11,
            incarnation: 0,
            prober: hash(&NodeName::from("a")),
            receiver: short_hash(&receiver),
            held_nanos: 0,
        };
        change(&mut header);
        header.sign(keys.current(), &receiver)
    }
}

#[test]
fn a_probe_gets_its_answer() {
    let mut bed = Bed::new();
    let answer = bed.send(&bed.probe(|it| it.sequence = 77)).unwrap();
    assert_eq!((answer.kind, answer.sequence, answer.session), (Kind::Answer, 77, 11));
    assert_eq!(answer.held_nanos, 7_000);
}

#[test]
fn a_probe_is_answered_once() {
    let mut bed = Bed::new();
    let incarnation = bed.send(&bed.probe(|_| ())).unwrap().incarnation;
    let known = |sequence, session| {
        move |it: &mut Header| (it.incarnation, it.sequence, it.session) = (incarnation, sequence, session)
    };
    for (sequence, session, answered) in
        [(5, 11, true), (5, 11, false), (4, 11, true), (4, 11, false), (5, 12, true), (5, 11, false)]
    {
        let packet = bed.probe(known(sequence, session));
        assert_eq!(bed.send(&packet).is_some(), answered, "{sequence} of session {session}");
    }
}

#[test]
fn sessions_take_bounded_memory_and_none_is_answered_again() {
    let mut bed = Bed::new();
    let first = bed.send(&bed.probe(|_| ())).unwrap().incarnation;
    let of =
        |bed: &Bed, session| bed.probe(|it: &mut Header| (it.incarnation, it.session) = (first, session));
    for session in 0..MOST_SESSIONS as u64 {
        assert!(bed.send(&of(&bed, session)).is_some());
    }
    assert!(bed.send(&of(&bed, 3)).is_none());
    // One more, and all are forgotten, but what they have sent is not for the new incarnation.
    let second = bed.send(&of(&bed, u64::MAX)).unwrap().incarnation;
    assert_ne!(first, second);
    assert_eq!(bed.send(&of(&bed, 3)).map(|it| it.incarnation), Some(second));
}

#[test]
fn who_is_not_known_gets_no_answer() {
    let mut bed = Bed::new();
    let good = bed.probe(|_| ());
    for idx in 0..SIZE {
        let mut packet = good;
        packet[idx] ^= 1;
        assert!(bed.send(&packet).is_none(), "byte {idx}");
    }
    let stranger = Key::new(&[9; 32]);
    let (header, _) = Header::read(&good).unwrap();
    let receiver = NodeName::from("b");
    for key in [stranger.id, header.key] {
        // With its own number, and with that of a key that we have.
        let mut packet = header.sign(&stranger, &receiver);
        packet[2..4].copy_from_slice(&key.0.to_be_bytes());
        assert!(bed.send(&packet).is_none());
    }
    assert!(bed.send(&bed.probe_for("c", |it| it.receiver = short_hash(&receiver))).is_none());
    assert!(bed.send(&bed.probe_for("c", |_| ())).is_none());
    assert!(bed.send(&bed.probe(|it| it.kind = Kind::Answer)).is_none());
    for packet in [&good[..SIZE - 1], &[&good[..], &[0]].concat(), &[]] {
        assert!(bed.send(packet).is_none(), "{} bytes", packet.len());
    }
    assert!(bed.send(&good).is_some());
}

#[test]
fn a_source_that_asks_too_much_is_not_answered() {
    let mut bed = Bed::new();
    let answered = (0..10 * EACH.burst)
        .filter(|sequence| bed.send_now(&bed.probe(|it| it.sequence = *sequence)).is_some())
        .count();
    assert_eq!(answered, EACH.burst as usize);
    assert!(bed.send(&bed.probe(|it| it.sequence = u32::MAX)).is_some());
}

#[test]
fn an_answer_is_authenticated_with_the_key_of_its_probe() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("current"), [1; 32]).unwrap();
    std::fs::write(folder.path().join("other"), [2; 32]).unwrap();
    let keyring = Keyring::read(folder.path()).unwrap();
    let (me, now) = (NodeName::from("b"), Time::from_origin(Duration::from_secs(1)));
    let mut responder = Responder::new(me.clone(), keyring.clone());
    let keys: std::sync::Arc<Keys> = keyring.keys();
    for secret in [[1; 32], [2; 32]] {
        let key = Key::new(&secret);
        let (kind, receiver) = (Kind::Probe, short_hash(&me));
        let header = Header {
            kind,
            key: key.id,
            sequence: 1,
            session: 1,
            incarnation: 0,
            prober: 3,
            receiver,
            held_nanos: 0,
        };
        let answer = responder.answer(&header.sign(&key, &me), SOURCE, now, Duration::default).unwrap();
        let (answered, answer) = Header::read(&answer).unwrap();
        assert_eq!(answered.key, key.id);
        assert!(answered.verify(answer, &keys, &me).is_some());
    }
}

#[test]
fn on_a_socket_too_nobody_else_is_answered_and_an_answer_is_no_larger() {
    let bed = Bed::new();
    let (me, counters) = (NodeName::from("b"), Counters::default());
    let anywhere: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let bound = start(&me, &[anywhere], bed.keyring.clone(), counters.clone()).unwrap();
    let socket = UdpSocket::bind(anywhere).unwrap();
    socket.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    socket.connect(bound[0]).unwrap();
    let ask = |packets: &[&[u8]]| {
        for packet in packets {
            socket.send(packet).unwrap();
        }
        let mut buffer = [0; 2048];
        let len = socket.recv(&mut buffer).unwrap();
        assert_eq!(len, SIZE);
        Header::read(&buffer[..len]).unwrap().0
    };
    let incarnation = ask(&[&bed.probe(|_| ())]).incarnation;
    let probe = |sequence| bed.probe(|it| (it.incarnation, it.sequence) = (incarnation, sequence));
    assert_eq!(ask(&[&probe(5)]).sequence, 5);
    // What gets no answer is known by the next answer being the next one's.
    let mut forged = probe(6);
    forged[SIZE - 1] ^= 1;
    assert_eq!(ask(&[&probe(5), &forged, &[1; 100], b"", &probe(7)]).sequence, 7);
    assert_eq!((counters.get(|it| &it.echoed), counters.get(|it| &it.refused)), (3, 4));
}
