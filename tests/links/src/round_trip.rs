//! Requests and replies of the record, put together: the round-trip time that the links gave to each probe.

use crate::{
    packet::{Protocol, field},
    record::{Fate, Passage},
};
use std::{
    collections::BTreeMap,
    net::IpAddr,
    time::{Duration, Instant},
};

/// What a packet is to a probe; the key is the same for a request and its reply, once the addresses are taken together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leg<K> {
    /// It asks.
    Request(K),
    /// It answers.
    Reply(K),
}

/// One probe and what the links did with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoundTrip<K> {
    /// The place of the host that asked.
    pub from: usize,
    /// The place of the host that was asked.
    pub to: usize,
    /// What tells it from other probes between the two.
    pub key: K,
    /// The request.
    pub there: Passage,
    /// The reply; none if there was none, or not yet.
    pub back: Option<Passage>,
}

/// Puts requests and replies together, in the order of the requests. A request that is seen again before it is answered
/// is the same probe, and its first packet counts.
pub fn round_trips<K: Ord + Clone>(
    passages: &[Passage],
    leg: impl Fn(&Passage) -> Option<Leg<K>>,
) -> Vec<RoundTrip<K>> {
    let mut trips: Vec<RoundTrip<K>> = Vec::new();
    let mut open: BTreeMap<(IpAddr, IpAddr, K), usize> = BTreeMap::new();
    let mut sorted: Vec<&Passage> = passages.iter().collect();
    sorted.sort_by_key(|passage| passage.received);
    for passage in sorted {
        let Passage { from, to, flow, .. } = *passage;
        match leg(passage) {
            Some(Leg::Request(key)) => {
                open.entry((flow.source, flow.destination, key.clone())).or_insert_with(|| {
                    trips.push(RoundTrip { from, to, key, there: passage.clone(), back: None });
                    trips.len() - 1
                });
            }
            Some(Leg::Reply(key)) => {
                let trip = open.remove(&(flow.destination, flow.source, key));
                if let Some(trip) = trip.and_then(|place| trips.get_mut(place)) {
                    trip.back = Some(passage.clone());
                }
            }
            None => {}
        }
    }
    trips
}

/// Echo requests and replies of ICMP and `ICMPv6`, by identifier and sequence number.
pub fn icmp_echo(passage: &Passage) -> Option<Leg<(u16, u16)>> {
    if passage.flow.protocol != Protocol::Icmp {
        return None;
    }
    let number = |at| field::<2>(&passage.head, at).map(u16::from_be_bytes);
    let key = (number(4)?, number(6)?);
    match passage.head.first()? {
        8 | 128 => Some(Leg::Request(key)),
        0 | 129 => Some(Leg::Reply(key)),
        _ => None,
    }
}

/// The first two packets of a TCP connection, by the ports of who connects and who is connected to. A refusal is no answer,
/// because whoever stands in between may refuse.
pub fn tcp_connect(passage: &Passage) -> Option<Leg<(u16, u16)>> {
    const SYN: u8 = 0b10;
    const RST: u8 = 0b100;
    const ACK: u8 = 0b1_0000;
    if passage.flow.protocol != Protocol::Tcp {
        return None;
    }
    let (source, destination) = ports(&passage.head)?;
    match passage.head.get(13)? & (SYN | RST | ACK) {
        SYN => Some(Leg::Request((source, destination))),
        flags if flags == SYN | ACK => Some(Leg::Reply((destination, source))),
        _ => None,
    }
}

/// UDP datagrams, by what `read` finds in their payload.
pub fn udp<K>(read: impl Fn(&[u8]) -> Option<Leg<K>>) -> impl Fn(&Passage) -> Option<Leg<K>> {
    move |passage| {
        let is_udp = passage.flow.protocol == Protocol::Udp;
        passage.head.get(8..).filter(|_| is_udp).and_then(&read)
    }
}

fn ports(head: &[u8]) -> Option<(u16, u16)> {
    Some((u16::from_be_bytes(field(head, 0)?), u16::from_be_bytes(field(head, 2)?)))
}

// === impl RoundTrip ===

impl<K> RoundTrip<K> {
    /// The delay that the links gave, both ways together; none if the probe was not answered.
    pub fn given(&self) -> Option<Duration> {
        Some(self.there.given()? + self.back.as_ref()?.given()?)
    }

    /// How long the host that was asked took to answer; none if it did not.
    pub fn turnaround(&self) -> Option<Duration> {
        let Fate::Sent { sent, .. } = self.there.fate else { return None };
        Some(self.back.as_ref()?.received.saturating_duration_since(sent))
    }

    /// When the request reached the links.
    pub fn began(&self) -> Instant {
        self.there.received
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::Flow;

    const MS: Duration = Duration::from_millis(1);

    struct Wire(Instant);

    impl Wire {
        /// A packet between hosts 0 and 1, received and, if it arrives, sent at these milliseconds.
        fn packet(
            &self,
            from: u8,
            protocol: Protocol,
            head: &[u8],
            received: u32,
            sent: Option<u32>,
        ) -> Passage {
            let address = |host: u8| IpAddr::from([10, 0, 0, host]);
            let at = |ms: u32| self.0 + ms * MS;
            Passage {
                from: from.into(),
                to: (1 - from).into(),
                flow: Flow { source: address(from), destination: address(1 - from), protocol },
                length: head.len() + 20,
                head: head.to_vec(),
                received: at(received),
                fate: sent.map_or(Fate::Lost, |sent| Fate::Sent { due: at(sent), sent: at(sent) }),
            }
        }
    }

    fn echo(kind: u8, sequence: u8) -> [u8; 8] {
        [kind, 0, 0, 0, 0, 7, 0, sequence]
    }

    fn syn(from: u8, to: u8, flags: u8) -> [u8; 14] {
        [0, from, 0, to, 0, 0, 0, 0, 0, 0, 0, 0, 0, flags]
    }

    #[test]
    fn both_ways_are_added_and_the_answerer_is_not() {
        let wire = Wire(Instant::now());
        let record = [
            wire.packet(0, Protocol::Icmp, &echo(8, 1), 0, Some(10)),
            wire.packet(0, Protocol::Icmp, &echo(8, 2), 1, None),
            wire.packet(0, Protocol::Icmp, &echo(8, 3), 2, Some(12)),
            wire.packet(1, Protocol::Icmp, &echo(0, 1), 13, Some(33)),
            wire.packet(1, Protocol::Icmp, &echo(0, 3), 14, None),
            wire.packet(1, Protocol::Icmp, &echo(8, 1), 15, Some(16)),
        ];
        let trips = round_trips(&record, icmp_echo);
        let given: Vec<_> = trips.iter().map(|trip| (trip.from, trip.key.1, trip.given())).collect();
        assert_eq!(given, [(0, 1, Some(30 * MS)), (0, 2, None), (0, 3, None), (1, 1, None)]);
        assert_eq!(trips[0].turnaround(), Some(3 * MS));
    }

    #[test]
    fn a_repeated_request_is_one_probe_and_a_refusal_no_answer() {
        let wire = Wire(Instant::now());
        let record = [
            wire.packet(0, Protocol::Tcp, &syn(1, 80, 2), 0, Some(1)),
            wire.packet(0, Protocol::Tcp, &syn(1, 80, 2), 1, Some(2)),
            wire.packet(1, Protocol::Tcp, &syn(80, 1, 0x12), 3, Some(5)),
            wire.packet(0, Protocol::Tcp, &syn(1, 80, 0x10), 5, Some(6)),
            wire.packet(0, Protocol::Tcp, &syn(1, 80, 2), 7, Some(8)),
            wire.packet(1, Protocol::Tcp, &syn(80, 1, 0x12), 8, Some(9)),
            wire.packet(0, Protocol::Tcp, &syn(2, 80, 2), 10, Some(11)),
            wire.packet(1, Protocol::Tcp, &syn(80, 2, 0x14), 11, Some(12)),
        ];
        let given: Vec<_> = round_trips(&record, tcp_connect).iter().map(RoundTrip::given).collect();
        assert_eq!(given, [Some(3 * MS), Some(2 * MS), None]);
    }

    #[test]
    fn payloads_of_udp_are_read_and_others_are_not() {
        let wire = Wire(Instant::now());
        let datagram = [0, 1, 0, 2, 0, 9, 0, 0, 42];
        let read = udp(|payload: &[u8]| payload.first().map(|byte| Leg::Request(*byte)));
        assert_eq!(read(&wire.packet(0, Protocol::Udp, &datagram, 0, None)), Some(Leg::Request(42)));
        assert_eq!(read(&wire.packet(0, Protocol::Tcp, &datagram, 0, None)), None);
    }
}
