//! What a probe and its answer look like.
//!
//! Both have 56 bytes, so that an answer is never larger than what it answers. Numbers are big-endian.
//!
//! | bytes | what |
//! |---|---|
//! | 1 | version |
//! | 1 | kind: 1 a probe, 2 its answer |
//! | 2 | number of the key |
//! | 4 | sequence number |
//! | 8 | session: a random number of the prober, new at each start |
//! | 8 | incarnation: a random number of the one who answers. A probe has the one it was told last, an answer the true one. |
//! | 8 | prober: hash of its node's name |
//! | 4 | receiver: hash of the node's name |
//! | 4 | in an answer: how many nanoseconds the probe lay before it was answered |
//! | 16 | HMAC-SHA-256 of all that and of the receiver's full name, truncated |

use edge_core::model::NodeName;
use ring::digest;

use super::keys::{Key, KeyId, Keys};

/// The size of a packet.
pub(super) const SIZE: usize = 56;
const MAC: usize = 16;
const SIGNED: usize = SIZE - MAC;
const VERSION: u8 = 1;

/// A probe or an answer.
pub(super) type Packet = [u8; SIZE];

/// Whether it asks or answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Probe,
    Answer,
}

/// What a packet says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: Kind,
    pub(super) key: KeyId,
    pub(super) sequence: u32,
    pub(super) session: u64,
    pub(super) incarnation: u64,
    pub(super) prober: u64,
    pub(super) receiver: u32,
    pub(super) held_nanos: u32,
}

// === impl Header ===

impl Header {
    /// What a packet says, if it looks like one of ours. Who it is from is not known yet.
    pub(super) fn read(packet: &[u8]) -> Option<(Self, &Packet)> {
        let packet: &Packet = packet.try_into().ok()?;
        let [version, kind, rest @ ..] = packet;
        let kind = match (version, kind) {
            (&VERSION, 1) => Kind::Probe,
            (&VERSION, 2) => Kind::Answer,
            _ => return None,
        };
        let mut rest: &[u8] = rest;
        let header = Self {
            kind,
            key: KeyId(u16::from_be_bytes(take(&mut rest)?)),
            sequence: u32::from_be_bytes(take(&mut rest)?),
            session: u64::from_be_bytes(take(&mut rest)?),
            incarnation: u64::from_be_bytes(take(&mut rest)?),
            prober: u64::from_be_bytes(take(&mut rest)?),
            receiver: u32::from_be_bytes(take(&mut rest)?),
            held_nanos: u32::from_be_bytes(take(&mut rest)?),
        };
        Some((header, packet))
    }

    /// The packet, authenticated; `receiver` is the full name of the node that the probe is or was for.
    pub(super) fn sign(&self, key: &Key, receiver: &NodeName) -> Packet {
        let kind = match self.kind {
            Kind::Probe => 1,
            Kind::Answer => 2,
        };
        let fields: [&[u8]; 8] = [
            &[VERSION, kind],
            &key.id.0.to_be_bytes(),
            &self.sequence.to_be_bytes(),
            &self.session.to_be_bytes(),
            &self.incarnation.to_be_bytes(),
            &self.prober.to_be_bytes(),
            &self.receiver.to_be_bytes(),
            &self.held_nanos.to_be_bytes(),
        ];
        let mut packet = [0; SIZE];
        for (place, byte) in packet.iter_mut().zip(fields.into_iter().flatten()) {
            *place = *byte;
        }
        let mac = mac(&packet, key, receiver);
        if let Some(place) = packet.last_chunk_mut() {
            *place = mac;
        }
        packet
    }

    /// The key that the packet was authenticated with, if it was with one of these.
    pub(super) fn verify<'k>(&self, packet: &Packet, keys: &'k Keys, receiver: &NodeName) -> Option<&'k Key> {
        let theirs: &[u8; MAC] = packet.last_chunk()?;
        keys.of_id(self.key).find(|key| is_same(&mac(packet, key, receiver), theirs))
    }
}

/// The hash by which a node's name is known in packets.
pub(super) fn hash(name: &NodeName) -> u64 {
    let hash = digest::digest(&digest::SHA256, name.as_str().as_bytes());
    hash.as_ref().first_chunk().map_or(0, |it| u64::from_be_bytes(*it))
}

/// The shorter hash of whom a probe is for: it only saves work on packets for others. The full name is in what is
/// authenticated.
pub(super) fn short_hash(name: &NodeName) -> u32 {
    (hash(name) >> 32) as u32
}

fn mac(packet: &Packet, key: &Key, receiver: &NodeName) -> [u8; MAC] {
    let (signed, _) = packet.split_at(SIGNED);
    let tag = key.sign(&[signed, receiver.as_str().as_bytes()]);
    tag.as_ref().first_chunk().copied().unwrap_or_default()
}

/// Compares in a time that does not depend on where the first difference is.
fn is_same(ours: &[u8; MAC], theirs: &[u8; MAC]) -> bool {
    ours.iter().zip(theirs).fold(0, |differences, (a, b)| differences | (a ^ b)) == 0
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, left) = rest.split_first_chunk()?;
    *rest = left;
    Some(*taken)
}
