//! The machines under the nodes: kubelets that renew Leases, agents that probe each other, and what fails of it.
//!
//! Everything that is said here is said to the server, and from there the scheduler's watches tell it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::rng::{Permille, Rng};
use super::server::Server;
use crate::health::{Seen, Sighting};
use crate::model::{NodeName, Time};

/// How far apart probes are, and so the beats of this model.
pub(super) const BEAT: Duration = Duration::from_secs(1);
/// How often an agent reports at least (as the agents do by default).
const EVERY: Duration = Duration::from_mins(1);
/// A kubelet renews its Lease after this, and up to 400 ms.
const RENEWED_AFTER: Duration = Duration::from_secs(10);
/// One that could not tries again within this time (upstream: `maxBackoff` of the Lease controller).
const TRIED_AGAIN: u64 = 7_000;
/// So many probes in a row that were lost are news.
const MISSES: u16 = 3;
/// A node that lives and has reached the server for so long has said so.
pub(super) const SAYS_SO: Duration = Duration::from_secs(11);

/// All machines, and what is between them.
#[derive(Debug, Default)]
pub(super) struct Machines {
    by_name: BTreeMap<NodeName, Machine>,
    /// So many probes in a thousand are lost, each by itself.
    pub(super) loss: Permille,
    /// So many are lost until then: bursts that strike all at once.
    pub(super) storm: (Permille, Time),
    /// Those who are beyond a cut reach only each other until then.
    pub(super) split_until: Time,
    /// The server answers nobody until then.
    pub(super) outage_until: Time,
}

/// A machine.
#[derive(Clone, Debug, Default)]
pub(super) struct Machine {
    /// Since when it is off.
    pub(super) off: Option<Time>,
    /// Until then it reaches nobody.
    pub(super) cut_until: Time,
    /// Until then it reaches all but its neighbours.
    pub(super) probes_cut_until: Time,
    /// Until then it reaches all but the server.
    pub(super) uplink_cut_until: Time,
    /// Until then its agent doesn't get its share of CPU, and sees misses that are none.
    pub(super) starved_until: Time,
    /// Until then its agent is being replaced.
    pub(super) agent_away_until: Time,
    /// When it came.
    pub(super) joined: Time,
    /// Whether it is beyond the cut.
    pub(super) beyond: bool,
    /// Since when it lives and reaches the server.
    connected: Option<Time>,
    renews_at: Time,
    /// When the server last took a renewal.
    renewed: Time,
    missed: BTreeMap<NodeName, u16>,
    told: u64,
    reported: Option<Time>,
    has_news: bool,
    is_leaving: bool,
}

// === impl Machines ===

impl Machines {
    /// The machine of a node.
    pub(super) fn get(&self, name: &NodeName) -> Option<&Machine> {
        self.by_name.get(name)
    }

    /// The machine of a node, to do something to it.
    pub(super) fn of(&mut self, name: &NodeName) -> &mut Machine {
        self.by_name.entry(name.clone()).or_default()
    }

    /// The nodes.
    pub(super) fn names(&self) -> Vec<NodeName> {
        self.by_name.keys().cloned().collect()
    }

    /// All that is there, by name.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&NodeName, &Machine)> {
        self.by_name.iter()
    }

    /// Whether what is on a node runs and can be told from the server.
    pub(super) fn is_in_touch(&self, name: &NodeName, now: Time) -> bool {
        self.get(name).is_none_or(|it| self.reaches_server(it, now))
    }

    /// For how long a node has lived and reached the server; none if it doesn't.
    pub(super) fn in_touch_for(&self, name: &NodeName, now: Time) -> Option<Duration> {
        self.get(name)?.connected.map(|since| now.since(since))
    }

    /// Whether a machine is off whose agent had said that it ends: for a while that says nothing.
    pub(super) fn is_excused(&self) -> bool {
        self.by_name.values().any(|it| it.off.is_some() && it.is_leaving)
    }

    /// For how long the server has not heard of a node's kubelet.
    pub(super) fn unheard_for(&self, name: &NodeName, now: Time) -> Duration {
        self.get(name).map_or(Duration::ZERO, |it| now.since(it.renewed))
    }

    /// Whether somebody beside the server, who reaches nodes if `reaches`, would get an answer from this one.
    pub(super) fn answers(&self, name: &NodeName, now: Time) -> bool {
        self.get(name).is_some_and(|it| it.off.is_none() && it.cut_until <= now && !self.is_beyond(it, now))
    }

    /// All that is between machines works again; who is off stays so.
    pub(super) fn calm(&mut self) {
        (self.loss, self.storm) = (0, (0, Time::ZERO));
        (self.split_until, self.outage_until) = (Time::ZERO, Time::ZERO);
        for it in self.by_name.values_mut() {
            let past = Time::ZERO;
            (it.cut_until, it.probes_cut_until, it.uplink_cut_until) = (past, past, past);
            (it.starved_until, it.agent_away_until, it.beyond) = (past, past, false);
        }
    }

    /// A second passes.
    pub(super) fn beat(&mut self, server: &mut Server, rng: &mut Rng, now: Time) {
        self.keep_to(server, rng, now);
        let names = self.names();
        for name in &names {
            let reaches = self.get(name).is_some_and(|it| self.reaches_server(it, now));
            let machine = self.of(name);
            machine.connected = if reaches { Some(machine.connected.unwrap_or(now)) } else { None };
            if machine.off.is_some() {
                continue;
            }
            if machine.renews_at <= now {
                if reaches {
                    machine.renewed = now;
                    machine.renews_at = now + RENEWED_AFTER + rng.millis(0, 400);
                    server.renew(name);
                } else {
                    machine.renews_at = now + rng.millis(200, TRIED_AGAIN);
                }
            }
            self.probe(name, &names, rng, now);
            self.tell(name, server, now);
        }
    }

    /// There is a machine for each node, and for no other.
    fn keep_to(&mut self, server: &mut Server, rng: &mut Rng, now: Time) {
        let gone: Vec<NodeName> =
            self.by_name.keys().filter(|name| !server.nodes.contains_key(*name)).cloned().collect();
        for name in gone {
            self.by_name.remove(&name);
            server.forget_machine(&name);
        }
        for name in server.nodes.keys() {
            self.by_name.entry(name.clone()).or_insert_with(|| Machine {
                renews_at: now + rng.millis(0, 2_000),
                renewed: now,
                joined: now,
                has_news: true,
                ..Machine::default()
            });
        }
    }

    fn is_beyond(&self, machine: &Machine, now: Time) -> bool {
        machine.beyond && now < self.split_until
    }

    fn reaches_server(&self, machine: &Machine, now: Time) -> bool {
        machine.off.is_none()
            && machine.cut_until <= now
            && machine.uplink_cut_until <= now
            && self.outage_until <= now
            && !self.is_beyond(machine, now)
    }

    fn reach_each_other(&self, a: &Machine, b: &Machine, now: Time) -> bool {
        let is_reached = |it: &Machine| {
            it.off.is_none()
                && it.cut_until <= now
                && it.probes_cut_until <= now
                && it.agent_away_until <= now
        };
        is_reached(a) && is_reached(b) && self.is_beyond(a, now) == self.is_beyond(b, now)
    }

    /// An agent probes all others.
    fn probe(&mut self, from: &NodeName, names: &[NodeName], rng: &mut Rng, now: Time) {
        let Some(mut machine) = self.by_name.remove(from) else { return };
        let stormy = if now < self.storm.1 { self.storm.0 } else { 0 };
        machine.missed.retain(|peer, _| self.by_name.contains_key(peer));
        for peer in names.iter().filter(|peer| *peer != from) {
            let Some(other) = self.by_name.get(peer) else { continue };
            let lost = !self.reach_each_other(&machine, other, now)
                || (self.loss > 0 && rng.chance(self.loss))
                || (stormy > 0 && rng.chance(stormy))
                || (now < machine.starved_until && rng.chance(700));
            let missed = machine.missed.entry(peer.clone()).or_default();
            let before = *missed;
            *missed = if lost { before.saturating_add(1) } else { 0 };
            machine.has_news |= (before < MISSES) != (*missed < MISSES);
        }
        self.by_name.insert(from.clone(), machine);
    }

    /// An agent reports, if it has something to say and can.
    fn tell(&mut self, from: &NodeName, server: &mut Server, now: Time) {
        let can = self.get(from).is_some_and(|it| self.reaches_server(it, now));
        let machine = self.of(from);
        let is_leaving = now < machine.agent_away_until;
        let is_due = machine.reported.is_none_or(|at| at + EVERY <= now + 10 * BEAT) && !is_leaving;
        let is_news = machine.has_news && !is_leaving || is_leaving != machine.is_leaving;
        if !can || !(is_due || is_news) {
            return;
        }
        machine.told += 1;
        (machine.reported, machine.has_news, machine.is_leaving) = (Some(now), false, is_leaving);
        let sighting = Sighting {
            from: from.clone(),
            told: machine.told,
            every: EVERY,
            starved: now < machine.starved_until,
            leaving: is_leaving,
            peers: machine
                .missed
                .iter()
                .map(|(peer, missed)| Seen { peer: peer.clone(), missed: *missed })
                .collect(),
        };
        server.put_sighting(sighting);
    }

    /// The nodes of half of the machines, or of those in one zone.
    pub(super) fn some(&self, in_zone: Option<&BTreeSet<NodeName>>, rng: &mut Rng) -> Vec<NodeName> {
        let names = self.names();
        if let Some(zone) = in_zone {
            return names.into_iter().filter(|name| zone.contains(name)).collect();
        }
        let from = rng.below(names.len().max(1));
        names.iter().cycle().skip(from).take(names.len().div_ceil(2)).cloned().collect()
    }
}
