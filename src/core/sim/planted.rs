//! Defects that are put in on purpose, to see them caught: those of a scheduler of this kind that are known, and those of
//! the BME scheduler. Some are in the state machine ([`Defect`]); the others are in what it is told or in what is made of
//! its requests, as if it had read or written them wrong.

use std::collections::BTreeSet;
use std::time::Duration;

use super::delays::MILLIS;
use super::make::FOREIGN;
use super::run::Run;
use super::view::View;
use crate::delay::DelayRow;
use crate::health::Sighting;
use crate::model::{Delay, Labels, NodeName, Pod, Resources};
use crate::state::{BindOutcome, Change, Defect, Event, HealthNews};

/// A defect put in on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Planted {
    /// In the scheduler's state.
    InState(Defect),
    /// Requests carry no UID, so that the server can't tell a pod from its successor.
    BindingWithoutUid,
    /// BME: nodes that are 0 ms apart are taken for unconnected.
    ZeroIsNoLink,
    /// BME: a bound of 0 ms is taken for none.
    ZeroIsNoBound,
    /// BME: in place of the nodes within a bound those of one cluster are used.
    ClusterForRadius,
    /// BME: a name is looked up by being part of another.
    PartOfAName,
    /// BME: of several delay constraints the first one counts.
    FirstLabelOnly,
    /// BME: pods that are there already, or of other schedulers, take up no room.
    OthersNotCounted,
    /// BME: of what pods request only memory counts.
    MemoryOnly,
    /// BME: what is reserved is a number, and nothing in the cluster holds it.
    ReservedOnPaper,
    /// BME: what came of a binding is not looked at.
    OutcomeNotRead,
    /// BME: who does not answer one observer is dead.
    OneObserver,
    /// BME: who is missing in an empty answer is dead.
    EmptyIsDead,
    /// BME: losses are found by counting, so that who comes meanwhile hides them.
    JoinHidesLoss,
}

/// Who comes so near a loss hides it.
const REFRESH: Duration = Duration::from_mins(1);

// === impl Planted ===

impl Planted {
    /// What of it is in the scheduler's state.
    pub(super) fn in_state(self) -> Option<Defect> {
        match self {
            Self::InState(defect) => Some(defect),
            Self::OneObserver | Self::EmptyIsDead => Some(Defect::ProbesAlone),
            _ => None,
        }
    }

    /// Whether a Lease is read again before a pod is taken off.
    pub(super) fn reads_leases(self) -> bool {
        self.in_state() != Some(Defect::ProbesAlone)
    }

    /// Whether it shows where pods are moved.
    pub(super) fn needs_moves(self) -> bool {
        let of_moves = [Defect::EvictsBeforeHeld];
        self.in_state().is_some_and(|defect| of_moves.contains(&defect))
    }

    /// Whether it shows where pods are covered by backups.
    pub(super) fn needs_cover(self) -> bool {
        let of_cover = [
            Defect::ReserveNeverGrows,
            Defect::GrowsThoughThereIsSlack,
            Defect::BackupOnOwnNode,
            Defect::ForgottenWithoutBackup,
            Defect::ReserveNotRebuilt,
        ];
        self == Self::ReservedOnPaper
            || self.needs_moves()
            || self.in_state().is_some_and(|defect| of_cover.contains(&defect))
    }

    /// Whether it shows where machines fail.
    pub(super) fn needs_failures(self) -> bool {
        let of_failover = [Defect::ProbesAlone, Defect::FirstLossOnly, Defect::StatefulToo];
        self == Self::JoinHidesLoss || self.in_state().is_some_and(|defect| of_failover.contains(&defect))
    }
}

// === impl Run ===

impl Run {
    /// An event as the scheduler reads it.
    pub(super) fn as_read(&self, event: &Event) -> Event {
        let Some(planted) = self.planted else { return event.clone() };
        match (planted, event) {
            (Planted::ZeroIsNoLink, Event::Delays(rows)) => {
                Event::Delays(rows.iter().map(without_zeros).collect())
            }
            (Planted::ClusterForRadius, Event::Delays(rows)) => {
                Event::Delays(rows.iter().map(|row| self.clustered(row)).collect())
            }
            (Planted::PartOfAName, Event::Delays(rows)) => {
                Event::Delays(rows.iter().map(|row| self.of_another(row)).collect())
            }
            (Planted::ZeroIsNoBound, Event::Pods(change)) => {
                Event::Pods(of_each(change, |pod| Some(with_constraints(pod, |_, millis| millis != "0"))))
            }
            (Planted::FirstLabelOnly, Event::Pods(change)) => {
                Event::Pods(of_each(change, |pod| Some(with_constraints(pod, |nth, _| nth == 0))))
            }
            (Planted::OthersNotCounted, Event::Pods(change)) => {
                Event::Pods(of_each(change, |pod| (&*pod.scheduler_name != FOREIGN).then(|| pod.clone())))
            }
            (Planted::MemoryOnly, Event::Pods(change)) => Event::Pods(of_each(change, |pod| {
                let requests = Resources { memory: pod.requests.memory, ..Resources::default() };
                Some(Pod { requests, ..pod.clone() })
            })),
            (Planted::ReservedOnPaper, Event::Pods(change)) => Event::Pods(of_each(change, |pod| {
                let requests = self.on_paper.get(&pod.key).unwrap_or(&pod.requests).clone();
                Some(Pod { requests, ..pod.clone() })
            })),
            (Planted::OutcomeNotRead, Event::Bind(pod, _)) => Event::Bind(pod.clone(), BindOutcome::Bound),
            (Planted::OneObserver, Event::Health(HealthNews::Sighted(sightings))) => {
                let first = self.world.machines.names().into_iter().next();
                let is_its = |it: &&Sighting| Some(&it.from) == first.as_ref();
                Event::Health(HealthNews::Sighted(sightings.iter().filter(is_its).cloned().collect()))
            }
            (Planted::EmptyIsDead, Event::Health(HealthNews::Sighted(sightings))) => {
                // In runs where the server was out of reach for a moment, its answer was empty.
                let is_empty = self.now < self.server_cut_until + REFRESH;
                let dead = |it: &Sighting| with_missed(it, |_, missed| if is_empty { 100 } else { missed });
                Event::Health(HealthNews::Sighted(sightings.iter().map(dead).collect()))
            }
            (Planted::JoinHidesLoss, Event::Health(HealthNews::Sighted(sightings))) => {
                let seen = |it: &Sighting| {
                    with_missed(it, |peer, missed| if self.is_hidden(peer) { 0 } else { missed })
                };
                Event::Health(HealthNews::Sighted(sightings.iter().map(seen).collect()))
            }
            _ => event.clone(),
        }
    }

    /// Whether somebody came when this machine was lost.
    fn is_hidden(&self, name: &NodeName) -> bool {
        let machines = &self.world.machines;
        let Some(off) = machines.get(name).and_then(|it| it.off) else { return false };
        machines.iter().any(|(_, it)| it.joined + REFRESH > off && it.joined < off + REFRESH)
    }

    /// The row with the delay at which each node comes into the cluster of the row's own.
    fn clustered(&self, row: &DelayRow) -> DelayRow {
        let names: Vec<NodeName> = self.world.server.nodes.keys().cloned().collect();
        let truth = View::truth(&self.world.server, &self.world.delays);
        let millis: BTreeSet<u32> = MILLIS.into_iter().collect();
        let joins = |to: &NodeName| {
            let bound = millis.iter().find(|millis| {
                let micros = **millis * 1_000;
                clusters(&names, &truth, micros).iter().any(|it| it.contains(&row.from) && it.contains(to))
            })?;
            Delay::from_micros(*bound * 1_000).ok()
        };
        let to = row.to.iter().filter_map(|(to, _)| Some((to.clone(), joins(to)?)));
        DelayRow { from: row.from.clone(), to: to.collect() }
    }

    /// The row of the last node whose name has this one in it.
    fn of_another(&self, row: &DelayRow) -> DelayRow {
        let pairs = self.world.delays.pairs();
        let other = pairs.iter().rfind(|(name, _)| name.as_str().contains(row.from.as_str()));
        let cells = other.map(|(_, cells)| cells.iter().map(|(to, delay)| (to.clone(), *delay)).collect());
        DelayRow { from: row.from.clone(), to: cells.unwrap_or_else(|| row.to.clone()) }
    }
}

fn without_zeros(row: &DelayRow) -> DelayRow {
    let to = row.to.iter().filter(|(_, delay)| *delay != Delay::ZERO).cloned().collect();
    DelayRow { from: row.from.clone(), to }
}

/// A partition in which every pair of a cluster is within the bound, made greedily.
fn clusters(names: &[NodeName], truth: &View, micros: u32) -> Vec<Vec<NodeName>> {
    let mut clusters: Vec<Vec<NodeName>> = Vec::new();
    for name in names {
        let fits = |cluster: &&mut Vec<NodeName>| cluster.iter().all(|it| truth.is_within(it, name, micros));
        match clusters.iter_mut().find(fits) {
            Some(cluster) => cluster.push(name.clone()),
            None => clusters.push(vec![name.clone()]),
        }
    }
    clusters
}

fn of_each(change: &Change<Pod>, read: impl Fn(&Pod) -> Option<Pod>) -> Change<Pod> {
    match change {
        Change::Reset(pods) => Change::Reset(pods.iter().filter_map(read).collect()),
        // One that is not read is as one that is not there.
        Change::Put(pod) => {
            read(pod).map_or_else(|| Change::Gone(pod.clone()), |pod| Change::Put(Box::new(pod)))
        }
        Change::Gone(pod) => Change::Gone(pod.clone()),
    }
}

/// The pod with those of its labels of delays that are kept, by their number and value.
fn with_constraints(pod: &Pod, keeps: impl Fn(usize, &str) -> bool) -> Pod {
    let mut nth = 0;
    let kept = pod.labels.iter().filter(|(key, value)| {
        let is_bound = key.starts_with("delay_");
        nth += usize::from(is_bound);
        !is_bound || keeps(nth - 1, value)
    });
    let labels = Labels::new(kept.map(|(key, value)| (key.clone(), value.clone())).collect::<Vec<_>>());
    Pod { labels, ..pod.clone() }
}

fn with_missed(sighting: &Sighting, missed: impl Fn(&NodeName, u16) -> u16) -> Sighting {
    let mut read = sighting.clone();
    for seen in &mut read.peers {
        seen.missed = missed(&seen.peer, seen.missed);
    }
    read
}
