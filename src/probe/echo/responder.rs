//! Which probes are answered, and how.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use edge_core::model::{NodeName, Time};
use edge_core::probe::{Rate, ReplayWindow, SourceLimit};

use super::super::keys::Keyring;
use super::super::packet::{Header, Kind, Packet, short_hash};
use super::super::random;

/// What one source may ask. Agents ask each other ten times a second in a burst; several may be behind one address.
pub(super) const EACH: Rate = Rate { burst: 200, every: Duration::from_millis(10) };
/// What all may ask: as much as costs a few per cent of a core.
const ALL: Rate = Rate { burst: 10_000, every: Duration::from_micros(200) };
/// How many sources are told apart.
const MOST_SOURCES: usize = 8192;
/// How many sessions are known at once. Each takes about 60 bytes.
pub(super) const MOST_SESSIONS: usize = 16_384;

/// Answers probes that are from agents with our key, each once.
///
/// Which were answered is known since this responder's incarnation, a random number, began. Every probe says which
/// incarnation it is for, so one that was recorded before does not pass for a new one. A prober that does not know
/// the incarnation is told in the answer; such a probe opens no session.
#[derive(Debug)]
pub(super) struct Responder {
    me: NodeName,
    short: u32,
    keyring: Keyring,
    incarnation: u64,
    /// By prober and session.
    sessions: HashMap<(u64, u64), ReplayWindow>,
    limit: SourceLimit<IpAddr>,
}

// === impl Responder ===

impl Responder {
    pub(super) fn new(me: NodeName, keyring: Keyring) -> Self {
        Self {
            short: short_hash(&me),
            me,
            keyring,
            incarnation: random::number(),
            sessions: HashMap::new(),
            limit: SourceLimit::new(EACH, ALL, MOST_SOURCES),
        }
    }

    /// The answer to a packet that came from `from`; none if it gets none. What costs least is looked at first.
    pub(super) fn answer(
        &mut self,
        packet: &[u8],
        from: IpAddr,
        now: Time,
        held: impl FnOnce() -> Duration,
    ) -> Option<Packet> {
        let (header, packet) = Header::read(packet)?;
        if header.kind != Kind::Probe || header.receiver != self.short || !self.limit.admit(from, now) {
            return None;
        }
        let keys = self.keyring.keys();
        let key = header.verify(packet, &keys, &self.me)?;
        if header.incarnation == self.incarnation && !self.is_new(&header) {
            return None;
        }
        let held_nanos = u32::try_from(held().as_nanos()).unwrap_or_default();
        let answer = Header { kind: Kind::Answer, incarnation: self.incarnation, held_nanos, ..header };
        Some(answer.sign(key, &self.me))
    }

    fn is_new(&mut self, header: &Header) -> bool {
        let session = (header.prober, header.session);
        if self.sessions.len() >= MOST_SESSIONS && !self.sessions.contains_key(&session) {
            // What was answered can't be forgotten one by one, or it would be answered again.
            self.sessions.clear();
            self.incarnation = random::number();
            return true;
        }
        self.sessions.entry(session).or_default().accept(header.sequence)
    }
}
