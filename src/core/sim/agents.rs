//! A model of the probe agents: how long the links are, and what is reported of them.

use std::collections::BTreeMap;
use std::time::Duration;

use super::delays::MILLIS;
use super::faults::ReportFaults;
use super::rng::Rng;
use crate::delay::{DelayRules, DelaySource, Measurement, Report, Statistics};
use crate::model::{Delay, NodeName};

/// The agents.
#[derive(Debug, Default)]
pub(super) struct Agents {
    /// How long a link is, by direction.
    links: BTreeMap<(NodeName, NodeName), Delay>,
}

// === impl Agents ===

impl Agents {
    /// A link's delay steps, one way.
    pub(super) fn step(&mut self, from: &NodeName, to: &NodeName, rng: &mut Rng) {
        self.links.insert((from.clone(), to.clone()), length(rng));
    }

    /// What the agent on a node reports of these others.
    pub(super) fn report<'a>(
        &mut self,
        from: &NodeName,
        others: impl Iterator<Item = &'a NodeName>,
        (every, faults): (Duration, &ReportFaults),
        rng: &mut Rng,
    ) -> Report {
        let mut rows = Vec::new();
        for peer in others.filter(|peer| *peer != from) {
            let link = self.links.entry((from.clone(), peer.clone())).or_insert_with(|| length(rng));
            if rng.chance(850) {
                rows.push(Measurement { peer: peer.clone(), statistics: statistics(*link, faults, rng) });
            }
        }
        Report {
            from: from.clone(),
            source: if rng.chance(faults.other_source) {
                DelaySource::Goldpinger
            } else {
                DelaySource::Probe
            },
            every: Some(every),
            starved: rng.chance(faults.starved),
            rows,
        }
    }
}

fn length(rng: &mut Rng) -> Delay {
    Delay::from_micros(MILLIS[rng.below(MILLIS.len())] * 1_000).unwrap()
}

fn statistics(link: Delay, faults: &ReportFaults, rng: &mut Rng) -> Statistics {
    let delay = Some(link).filter(|_| !rng.chance(faults.lost));
    let samples = if rng.chance(faults.few) { 4 } else { 5 };
    let age = delay.map(|_| rng.millis(0, 2_000));
    Statistics { min: delay, p50: delay, p95: delay, samples, age, ..Statistics::default() }
}

/// Rules of a run in which something is measured.
pub(super) fn rules(rng: &mut Rng) -> DelayRules {
    let [probe, other, file] = [DelaySource::Probe, DelaySource::Goldpinger, DelaySource::File];
    let orders = [vec![probe], vec![probe, other], vec![other, probe, file], vec![file, probe]];
    let graces = [None, Some(Duration::ZERO), Some(Duration::from_secs(30))];
    DelayRules {
        sources: orders[rng.below(orders.len())].clone(),
        anchor_grace: graces[rng.below(graces.len())],
        ..DelayRules::default()
    }
}
