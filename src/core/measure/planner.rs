//! The planner: it takes in what changes and gives the lists that change by it.

use std::collections::{BTreeMap, BTreeSet};

use super::coordinates::Coordinates;
use super::near::Near;
use super::plan::BOUNDS_AT_MOST;
use super::ring::Ring;
use super::roster::{Id, Roster};
use super::shortlist::{Choice, Shortlist, Wish};
use super::{Agent, AnchorInUse, Assignment, Interval, Peer, PlanSettings};
use crate::delay::{Report, Statistics};
use crate::model::{Delay, NodeName, Time};

/// How many shortlists at most are made anew in a step; the others wait for the next.
const SHORTLISTS: usize = 200;

/// Decides who measures whom.
///
/// Equal input in equal order gives equal plans; the order in which agents are listed makes no difference.
#[derive(Debug, Default)]
pub struct Planner {
    settings: PlanSettings,
    roster: Roster,
    ring: Ring,
    coordinates: Coordinates,
    near: Near,
    anchors: BTreeMap<NodeName, Anchor>,
    /// Where pods of anchors were before the last step.
    left: BTreeSet<NodeName>,
    shortlists: BTreeMap<NodeName, Shortlist>,
    /// Whether everybody measures everybody.
    mesh: bool,
    /// By number: what was last given out.
    given: Vec<Option<Assignment>>,
    /// Whether all lists may have changed since the last step.
    renewed: bool,
    /// Whether the anchors may have.
    anchors_renewed: bool,
}

/// What pods want of an anchor, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Anchor {
    bounds: BTreeSet<Delay>,
    /// What is told to those who measure: the bounds, and where they are broken.
    told: BTreeSet<Delay>,
    waiting: bool,
    users: BTreeSet<NodeName>,
}

// === impl Planner ===

impl Planner {
    /// A planner that knows of nobody yet.
    pub fn new(settings: PlanSettings) -> Self {
        Self { settings, mesh: true, ..Self::default() }
    }

    /// These are all agents there are.
    pub fn set_agents(&mut self, agents: Vec<Agent>) {
        let change = self.roster.set(agents);
        let end = self.roster.end();
        self.given.resize(end, None);
        for id in &change.went {
            if let Some(given) = self.given.get_mut(id.idx()) {
                *given = None;
            }
        }
        self.coordinates.resize(end, &change.went);
        self.near.resize(end, &change.went);
        for shortlist in self.shortlists.values_mut() {
            shortlist.forget(&change.went);
        }
        let other = !change.came.is_empty() || !change.went.is_empty();
        if other {
            self.ring = Ring::of(&self.roster);
            let n = self.roster.len();
            let most = self.settings.mesh_up_to;
            self.mesh = if self.mesh { n <= most } else { n <= most - most / 10 };
            self.anchors_renewed = true;
        }
        self.renewed |= other || change.moved;
    }

    /// These are all anchors in use.
    pub fn set_anchors(&mut self, anchors: Vec<AnchorInUse>) {
        let mut wanted: BTreeMap<NodeName, Anchor> = BTreeMap::new();
        for AnchorInUse { node, bound, broken_over, waiting, users } in anchors {
            let anchor = wanted.entry(node).or_default();
            anchor.bounds.insert(bound);
            anchor.told.extend([bound, broken_over]);
            anchor.waiting |= waiting;
            anchor.users.extend(users);
        }
        if wanted != self.anchors {
            self.anchors_renewed = true;
            let before = std::mem::replace(&mut self.anchors, wanted);
            self.left.extend(before.into_values().flat_map(|anchor| anchor.users));
        }
    }

    /// Takes in what a node measured. It moves coordinates, and tells anchors who is too far. What an agent reports
    /// that did not get its share of CPU is left out.
    pub fn learn(&mut self, report: &Report) {
        let Some(from) = self.roster.find(&report.from).filter(|_| !report.starved) else { return };
        let roster = &self.roster;
        let typical = |statistics: &Statistics| statistics.p50.or(statistics.min);
        let samples = report
            .rows
            .iter()
            .filter_map(|row| Some((roster.find(&row.peer)?, to_ms(typical(&row.statistics)?))));
        self.coordinates.replace(from, samples);
    }

    /// Begins with near ones that a plan before had, as after a restart, so that lists don't change for no reason.
    pub fn adopt_near<'a>(&mut self, node: &NodeName, near: impl IntoIterator<Item = &'a NodeName>) {
        let Some(id) = self.roster.find(node) else { return };
        let mut near: Vec<Id> = near.into_iter().filter_map(|name| self.roster.find(name)).collect();
        near.retain(|peer| *peer != id);
        near.truncate(self.settings.near);
        self.near.adopt(id, near);
        self.renewed = true;
    }

    /// The delay that coordinates predict between two nodes; none if too little was measured. Nothing may be
    /// admitted by it.
    pub fn predicted(&self, a: &NodeName, b: &NodeName) -> Option<Delay> {
        let at = |name| self.coordinates.get(self.roster.find(name)?).filter(|at| at.is_settled());
        Delay::from_millis_f64(f64::from(at(a)?.to(at(b)?))).ok()
    }

    /// Goes on with the plan: the lists that are not as they were after the last step. To be called every few
    /// seconds.
    pub fn step(&mut self, now: Time) -> Vec<Assignment> {
        self.coordinates.settle();
        let ids: Vec<Id> = self.roster.iter().map(|(_, id)| id).collect();
        let mut due: Vec<Id> = Vec::new();
        if std::mem::take(&mut self.anchors_renewed) {
            due.extend(self.renew_anchors(now));
        }
        if !self.mesh {
            due.extend(self.near.refresh(&ids, &self.coordinates, self.settings.near));
            due.extend(self.look_at_shortlists(&ids, now));
        }
        if std::mem::take(&mut self.renewed) {
            due = ids;
        }
        due.sort_unstable();
        due.dedup();
        let mut changed: Vec<Assignment> = due.into_iter().filter_map(|id| self.give(id)).collect();
        changed.sort_by(|a, b| a.node.cmp(&b.node));
        changed
    }

    /// What a node is to measure, as of the last step; none if it has no agent.
    pub fn peers_of(&self, node: &NodeName) -> Option<&[Peer]> {
        let given = self.given.get(self.roster.find(node)?.idx())?.as_ref()?;
        Some(&given.peers)
    }

    /// Has a shortlist for each anchor with an agent, and says for whom that may make a difference.
    fn renew_anchors(&mut self, now: Time) -> Vec<Id> {
        let Self { roster, anchors, shortlists, left, .. } = self;
        let users = anchors.values().flat_map(|anchor| &anchor.users);
        let mut due: Vec<Id> = users.chain(&*left).filter_map(|name| roster.find(name)).collect();
        left.clear();
        shortlists.retain(|name, _| {
            let stays = anchors.contains_key(name);
            due.extend(roster.find(name).filter(|_| !stays));
            stays
        });
        for (name, anchor) in anchors {
            let Some(id) = roster.find(name) else { continue };
            let users = anchor.users.iter().filter_map(|name| roster.find(name)).collect();
            let wish = Wish { bounds: anchor.bounds.clone(), waiting: anchor.waiting, users };
            if let Some(known) = shortlists.get_mut(name) {
                known.set(&wish, now);
            } else {
                shortlists.insert(name.clone(), Shortlist::new(&wish, now));
            }
            due.push(id);
        }
        due
    }

    /// Makes those shortlists anew whose time has come, the longest waiting first.
    fn look_at_shortlists(&mut self, ids: &[Id], now: Time) -> Vec<Id> {
        let Self { roster, shortlists, coordinates, settings, .. } = self;
        let choice = Choice { ids, coordinates, size: settings.shortlist };
        let mut due: Vec<(Time, Id, &mut Shortlist)> = shortlists
            .iter_mut()
            .filter_map(|(name, list)| Some((list.look_at(), roster.find(name)?, list)))
            .filter(|(at, ..)| *at <= now)
            .collect();
        due.sort_by_key(|(at, id, _)| (*at, *id));
        let looked = due.into_iter().take(SHORTLISTS);
        looked.filter_map(|(_, id, list)| list.look(id, choice, now).then_some(id)).collect()
    }

    /// Makes a node's list, and gives it out if it is another one.
    fn give(&mut self, id: Id) -> Option<Assignment> {
        let assignment = self.assign(id)?;
        let given = self.given.get_mut(id.idx())?;
        if given.as_ref() == Some(&assignment) {
            return None;
        }
        *given = Some(assignment.clone());
        Some(assignment)
    }

    fn assign(&self, id: Id) -> Option<Assignment> {
        let own = self.roster.get(id)?;
        let shortlist = self.shortlists.get(&own.node);
        let mut intervals: BTreeMap<&NodeName, (Id, Interval)> = BTreeMap::new();
        let mut add = |peers: &mut dyn Iterator<Item = Id>, interval: Interval| {
            for peer in peers.filter(|peer| *peer != id) {
                let Some(agent) = self.roster.get(peer) else { continue };
                let entry = intervals.entry(&agent.node).or_insert((peer, interval));
                entry.1 = entry.1.min(interval);
            }
        };
        add(&mut self.ring.after(id, self.settings.ring), Interval::Ring);
        if self.mesh {
            add(&mut self.roster.iter().map(|it| it.1), Interval::Mesh);
        } else {
            add(&mut self.near.of(id).iter().copied(), Interval::Near);
            add(&mut shortlist.into_iter().flat_map(Shortlist::members), Interval::Anchor);
        }
        let peers = intervals.into_values().filter_map(|(peer, interval)| {
            let agent = self.roster.get(peer)?;
            let address = agent.address_for(own)?.clone();
            let bounds = self.bounds_between(&own.node, &agent.node);
            Some(Peer { node: agent.node.clone(), address, interval, bounds })
        });
        Some(Assignment { node: own.node.clone(), peers: peers.collect() })
    }

    /// What a node is told of the delay to a peer: that of an anchor, which either of them may be.
    fn bounds_between(&self, own: &NodeName, peer: &NodeName) -> Vec<Delay> {
        let as_anchor = self.anchors.get(own);
        let as_user = self.anchors.get(peer).filter(|anchor| anchor.users.contains(own));
        let told = as_anchor.into_iter().chain(as_user).flat_map(|anchor| &anchor.told);
        told.collect::<BTreeSet<_>>().into_iter().copied().take(BOUNDS_AT_MOST).collect()
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a coordinate needs no more than seven digits")]
fn to_ms(delay: Delay) -> f32 {
    delay.as_millis_f64() as f32
}
