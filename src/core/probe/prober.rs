//! Who is probed when, what is on its way, and what came of it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::lag::Reading;
use super::request::{Place, Requests};
use super::rhythm::Turn;
use super::step::{Step, step};
use super::window::{Sample, Window};
use super::{BURST, BURST_PERIOD, RING_PERIOD, UNREACHABLE_AFTER};
use crate::delay::Statistics;
use crate::model::{Delay, Name, NodeName, Time};

/// How long after another new pairs begin, so that many of them are no herd.
const START_SPACING: Duration = Duration::from_millis(20);
/// How many probes a suspected step may cost before it is left alone: losses cost some.
const MOST_DOUBTS: u8 = 2 * BURST;
/// In doubt the next probe goes out after this time though nothing came back: losses must not make a step late.
const DOUBT_PERIOD: Duration = BURST_PERIOD.saturating_mul(2);
/// How many more probes a crossed bound is confirmed by, and those of how many peers at once.
const CONFIRMED_BY: usize = 2;
const CONFIRMED_AT_ONCE: usize = 32;
/// Of fewer samples the 95th percentile is the largest.
const TELLING: usize = 20;
/// After so many missed in a row a peer is asked in turn again, and what was before the silence is forgotten.
const FORGOTTEN_AFTER: u16 = 8;

/// A peer that is to be probed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerPlan {
    /// Its node.
    pub name: NodeName,
    /// How often.
    pub period: Duration,
    /// Delays at which somebody's bound lies.
    pub bounds: Box<[Delay]>,
}

/// A probe that is to be sent now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// To whom.
    pub peer: NodeName,
    /// Its number; none is used twice.
    pub sequence: u32,
    /// The request that it is for; none if the peer is one of those that are always probed.
    pub request: Option<Name>,
}

/// What came of a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Who was probed.
    pub peer: NodeName,
    /// The probe's number.
    pub sequence: u32,
    /// The request that it was for; none if the peer is one of those that are always probed.
    pub request: Option<Name>,
    /// When it was sent.
    pub sent: Reading,
    /// What came of it.
    pub sample: Sample,
}

/// What is known of a peer.
#[derive(Clone, Debug)]
pub struct Known<'a> {
    /// Its node.
    pub name: &'a NodeName,
    /// What its samples tell.
    pub statistics: Statistics,
    /// Delays at which somebody's bound lies.
    pub bounds: &'a [Delay],
    /// Whether more will be known soon, because a burst is being sent or a doubt gone into.
    pub soon: bool,
}

/// The peers with their turns and samples, and the probes on their way.
#[derive(Clone, Debug)]
pub struct Prober {
    me: NodeName,
    timeout: Duration,
    /// Between 0 and the longest period: where the first turn is.
    chance: Duration,
    peers: BTreeMap<NodeName, Peer>,
    pub(super) requests: Requests,
    /// By number, which is the order in which they were sent.
    in_flight: BTreeMap<u32, InFlight>,
    sequence: u32,
    last_start: Option<Time>,
}

#[derive(Clone, Debug)]
struct Peer {
    plan: PeerPlan,
    turn: Turn,
    due: Time,
    window: Window,
    /// How many probes of a burst are still to be sent.
    burst: u8,
    /// How many probes were spent on a step that is suspected, the one that made it so included.
    doubts: u8,
    /// When that one was sent, and until when all that was sent is of that moment.
    peak: (Time, Time),
}

#[derive(Clone, Debug)]
struct InFlight {
    peer: NodeName,
    request: Option<Place>,
    sent: Reading,
}

// === impl Prober ===

impl Prober {
    /// With no peers yet. A probe that isn't answered within `timeout` is lost. `chance` is a random time that keeps
    /// agents that begin together apart.
    pub fn new(me: NodeName, timeout: Duration, chance: Duration) -> Self {
        Self {
            me,
            timeout,
            chance,
            peers: BTreeMap::new(),
            requests: Requests::default(),
            in_flight: BTreeMap::new(),
            sequence: 0,
            last_start: None,
        }
    }

    /// These and no others are to be probed from `now` on. Who stays keeps its samples and its turn. New ones begin
    /// with a burst, one after the other; each agent begins with the peer after itself, so that no peer is the first
    /// of all.
    pub fn set_peers(&mut self, plans: impl IntoIterator<Item = PeerPlan>, now: Time) {
        let plans: BTreeMap<NodeName, PeerPlan> = plans
            .into_iter()
            .filter(|plan| plan.name != self.me)
            .map(|plan| (plan.name.clone(), plan))
            .collect();
        self.peers.retain(|name, _| plans.contains_key(name));
        let after_me = plans.range(self.me.clone()..).chain(plans.range(..self.me.clone()));
        for (name, plan) in after_me {
            match self.peers.get_mut(name) {
                Some(peer) if peer.plan.period == plan.period => peer.plan = plan.clone(),
                Some(_) => {
                    let turn = self.free_turn(plan.period);
                    if let Some(peer) = self.peers.get_mut(name) {
                        peer.turn = turn;
                        peer.due = peer.due.min(turn.after(now));
                        peer.plan = plan.clone();
                    }
                }
                None => self.begin(plan.clone(), now),
            }
        }
    }

    /// Begins a burst with a peer whose path may have changed, such as by a new address.
    pub fn probe_anew(&mut self, peer: &NodeName, now: Time) {
        if let Some(peer) = self.peers.get_mut(peer) {
            peer.burst = BURST;
            peer.due = now;
        }
    }

    /// Probes these peers now, a few times more and until they have samples enough for a single peak not to tell: that
    /// they crossed a bound is to be told again by newer samples. Of very many only some are probed, so that they can
    /// wobble around their bounds together and cost little.
    pub fn confirm<'a>(&mut self, peers: impl IntoIterator<Item = &'a NodeName>, now: Time) {
        for peer in peers.into_iter().take(CONFIRMED_AT_ONCE) {
            if let Some(peer) = self.peers.get_mut(peer) {
                let probes = CONFIRMED_BY.max(TELLING.saturating_sub(peer.window.len()));
                peer.burst = peer.burst.max(u8::try_from(probes).unwrap_or(u8::MAX));
                peer.due = peer.due.min(now);
            }
        }
    }

    fn begin(&mut self, plan: PeerPlan, now: Time) {
        let start = self.last_start.map_or(now, |last| now.max(last + START_SPACING));
        self.last_start = Some(start);
        let turn = self.free_turn(plan.period);
        let peer = Peer {
            turn,
            due: start,
            window: Window::default(),
            burst: BURST,
            doubts: 0,
            peak: (Time::ZERO, Time::ZERO),
            plan: plan.clone(),
        };
        self.peers.insert(plan.name, peer);
    }

    fn free_turn(&self, period: Duration) -> Turn {
        Turn::between(period, self.peers.values().map(|peer| peer.turn), self.chance)
    }

    /// When something is to be done next: a probe sent, or one given up.
    pub fn wake_at(&self) -> Time {
        let peers = self.peers.values().map(|peer| peer.due).min().unwrap_or(Time::NEVER);
        let due = peers.min(self.requests.due_at());
        let given_up = self.in_flight.values().next().map_or(Time::NEVER, |it| it.sent.at + self.timeout);
        due.min(given_up)
    }

    /// The next probe that is to be sent at `now`, if any. It counts as sent now until [`Self::sent`] says when.
    pub fn next(&mut self, now: Reading) -> Option<Probe> {
        let (peer, request) = match self.next_peer(now.at) {
            Some(peer) => (peer, None),
            None => self.requests.next(now.at).map(|(peer, place)| (peer, Some(place)))?,
        };
        self.sequence = self.sequence.wrapping_add(1);
        let probe = Probe {
            peer: peer.clone(),
            sequence: self.sequence,
            request: request.as_ref().map(|place| place.request.clone()),
        };
        self.in_flight.insert(self.sequence, InFlight { peer, request, sent: now });
        Some(probe)
    }

    fn next_peer(&mut self, now: Time) -> Option<NodeName> {
        let next = self.peers.iter_mut().min_by_key(|(_, peer)| peer.due);
        let (name, peer) = next.filter(|(_, peer)| peer.due <= now)?;
        peer.begin_probe(now);
        Some(name.clone())
    }

    /// A probe was sent just after `at`.
    pub fn sent(&mut self, sequence: u32, at: Reading) {
        if let Some(probe) = self.in_flight.get_mut(&sequence) {
            probe.sent = at;
        }
    }

    /// To whom a probe was sent, and when; none if none of that number is on its way.
    pub fn on_its_way(&self, sequence: u32) -> Option<(&NodeName, Reading)> {
        self.in_flight.get(&sequence).map(|probe| (&probe.peer, probe.sent))
    }

    /// A probe's answer was read at `at`, after it had been held up for `held` along the way by what is no network:
    /// waiting to be read. None if that probe isn't on its way (any more).
    pub fn answered(&mut self, sequence: u32, at: Time, held: Duration) -> Option<Outcome> {
        let probe = self.in_flight.remove(&sequence)?;
        let elapsed = at.since(probe.sent.at);
        let took = elapsed.checked_sub(held).unwrap_or(elapsed);
        let sample = if took <= self.timeout { answered_after(took) } else { Sample::Lost };
        self.take(probe, sequence, sample, at)
    }

    /// Gives up probes that were not answered in time. Whatever has come in by `now` must have been read before.
    pub fn give_up(&mut self, now: Time) -> Vec<Outcome> {
        let late = self.in_flight.iter().take_while(|(_, probe)| probe.sent.at + self.timeout <= now);
        let late: Vec<u32> = late.map(|(sequence, _)| *sequence).collect();
        let mut outcomes = Vec::new();
        for sequence in late {
            let Some(probe) = self.in_flight.remove(&sequence) else { continue };
            outcomes.extend(self.take(probe, sequence, Sample::Lost, now));
        }
        outcomes
    }

    /// Forgets all probes on their way: this machine did not run, so that their silence says nothing of the peers.
    pub fn forget_in_flight(&mut self) {
        self.in_flight.clear();
    }

    /// Puts what came of a probe into the peer's window, and brings its next turn forward where something new has
    /// shown; or into the result of the request. None if nobody wants to know any more.
    fn take(&mut self, probe: InFlight, sequence: u32, sample: Sample, now: Time) -> Option<Outcome> {
        let InFlight { peer: name, request, sent } = probe;
        let outcome = |request| Outcome { peer: name.clone(), sequence, request, sent, sample };
        if let Some(place) = request {
            return self.requests.take(&place, sample).then(|| outcome(Some(place.request)));
        }
        let peer = self.peers.get_mut(&name)?;
        let missed = peer.window.missed();
        peer.window.push(sample, sent.at, now);
        match sample {
            // What was sent later has been answered.
            Sample::Lost if peer.window.missed() == missed => (),
            Sample::Lost => peer.ask_again(sent.at, now),
            Sample::Answered(_) if missed >= UNREACHABLE_AFTER => {
                if missed >= FORGOTTEN_AFTER {
                    peer.window.keep_newest(1);
                }
                peer.start_burst(BURST - 1, now);
            }
            Sample::Answered(_) => peer.look_for_step(sent.at, now),
        }
        Some(outcome(None))
    }

    /// What is known of the peers at `now`, by name.
    pub fn known(&self, now: Time) -> impl Iterator<Item = Known<'_>> {
        let known = self.peers.iter().filter(|(_, peer)| !peer.window.is_empty());
        known.map(move |(name, peer)| peer.known(name, now))
    }

    /// What is known of one peer at `now`.
    pub fn peer(&self, name: &NodeName, now: Time) -> Option<Known<'_>> {
        let (name, peer) = self.peers.get_key_value(name)?;
        Some(peer.known(name, now))
    }

    /// How many peers there are.
    pub fn n_peers(&self) -> usize {
        self.peers.len()
    }
}

// === impl Peer ===

impl Peer {
    fn known<'a>(&'a self, name: &'a NodeName, now: Time) -> Known<'a> {
        let soon = self.burst > 0 || self.is_in_doubt();
        Known { name, statistics: self.window.statistics(now), bounds: &self.plan.bounds, soon }
    }

    /// A probe goes out; when the next one does.
    fn begin_probe(&mut self, now: Time) {
        if self.is_in_doubt() {
            self.peak.1 = now;
        }
        self.burst = self.burst.saturating_sub(1);
        self.due = if self.burst > 0 {
            now + BURST_PERIOD
        } else if self.is_in_doubt() {
            self.doubts += 1;
            now + DOUBT_PERIOD
        } else {
            self.turn.after(now)
        };
    }

    /// Whether a step is suspected, and more probes may be spent on it.
    fn is_in_doubt(&self) -> bool {
        (1..MOST_DOUBTS).contains(&self.doubts)
    }

    /// A probe was lost. Whether the peer can be reached is found out a second after another, until that is sure, and
    /// some more times, because a few probes in a row are lost by chance, too.
    fn ask_again(&mut self, sent: Time, now: Time) {
        if self.window.missed() < FORGOTTEN_AFTER {
            self.due = self.due.min(now.max(sent + RING_PERIOD));
        }
    }

    /// A probe that was sent at `sent` was answered.
    fn look_for_step(&mut self, sent: Time, now: Time) {
        match step(&self.window) {
            Step::None if self.doubts > 0 => {
                // They are of one moment. If they counted as much as samples of as many turns, a short peak would be
                // a high percentile for minutes.
                let (first, last) = self.peak;
                self.window.forget_peak(first, last);
                if self.is_in_doubt() && self.burst == 0 {
                    self.due = self.turn.after(now);
                }
                self.doubts = 0;
            }
            Step::None => (),
            Step::Suspected => {
                if self.doubts == 0 {
                    self.doubts = 1;
                    self.peak = (sent, now);
                }
                if self.is_in_doubt() {
                    self.due = self.due.min(now + BURST_PERIOD);
                }
            }
            Step::Confirmed(newest) => {
                self.doubts = 0;
                self.window.keep_newest(newest);
                self.start_burst(BURST.saturating_sub(u8::try_from(newest).unwrap_or(BURST)), now);
            }
        }
    }

    fn start_burst(&mut self, probes: u8, now: Time) {
        self.burst = self.burst.max(probes);
        self.due = self.due.min(now + BURST_PERIOD);
    }
}

/// The delay in whole microseconds, rounded up: it never looks smaller than it was.
fn answered_after(took: Duration) -> Sample {
    let micros = u32::try_from(took.as_nanos().div_ceil(1000)).ok();
    micros.and_then(|micros| Delay::from_micros(micros).ok()).map_or(Sample::Lost, Sample::Answered)
}
