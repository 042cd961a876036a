//! What follows from the reports that the scheduler was told of, reckoned anew each time from the reports themselves.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::delay::{DelayRules, DelaySource, Report};
use crate::model::{Delay, NodeName, Time};

/// The reports.
#[derive(Clone, Debug, Default)]
pub(super) struct Heard {
    /// What they are worth.
    pub(super) rules: DelayRules,
    words: BTreeMap<(DelaySource, NodeName), Words>,
    /// The last delay of a pair that was fresh before a report took it away, or took away what it followed from,
    /// and until when it was.
    last: BTreeMap<(NodeName, NodeName), (Time, Delay)>,
}

/// What one node said by one source.
#[derive(Clone, Debug)]
struct Words {
    /// The last word's time, and for how long it is one.
    at: Time,
    lasts: Duration,
    /// The last that is believed.
    believed: Option<(Time, Report)>,
}

// === impl Heard ===

impl Heard {
    /// Nothing was heard yet.
    pub(super) fn nothing(rules: DelayRules) -> Self {
        Self { rules, ..Self::default() }
    }

    /// A report is told at `now`.
    pub(super) fn told(&mut self, report: &Report, now: Time) {
        if !self.rules.sources.contains(&report.source) {
            return;
        }
        for peer in self.nodes().into_iter().filter(|peer| *peer != report.from) {
            let fresh = self.measured(&report.from, &peer, now).map(|delay| (now, delay));
            let last = fresh.or_else(|| self.before(&report.from, &peer));
            let known = self.last.get(&pair(&report.from, &peer)).copied();
            // Of two reports of one moment the one counts that is told last.
            if let Some(last) = last.filter(|last| known.is_none_or(|known| known.0 <= last.0)) {
                self.last.insert(pair(&report.from, &peer), last);
            }
        }
        let lasts = report.every.unwrap() * 3;
        let key = (report.source, report.from.clone());
        let words = self.words.entry(key).or_insert(Words { at: now, lasts, believed: None });
        (words.at, words.lasts) = (now, lasts);
        if !report.starved {
            words.believed = Some((now, report.clone()));
        }
    }

    /// Whether a node has reported, and does no more.
    pub(super) fn is_silent(&self, node: &NodeName, now: Time) -> bool {
        let words = self.words.iter().filter(|((_, from), _)| from == node);
        words.map(|(_, words)| words.at + words.lasts).max().is_some_and(|until| until <= now)
    }

    /// The delay of a pair of which a file says this, if it is fresh.
    pub(super) fn fresh(&self, a: &NodeName, b: &NodeName, file: Option<Delay>, now: Time) -> Option<Delay> {
        self.rules.sources.iter().find_map(|source| match source {
            DelaySource::File => file,
            DelaySource::Probe | DelaySource::Goldpinger => self.by(*source, a, b, now),
        })
    }

    /// The last delays of a pair that were fresh: before time took them away, and before a report did.
    pub(super) fn last(&self, a: &NodeName, b: &NodeName) -> Vec<Delay> {
        let last = self.before(a, b).into_iter().chain(self.last.get(&pair(a, b)).copied());
        last.map(|(_, delay)| delay).collect()
    }

    /// The last delay of a pair before time took it away, and when that was.
    fn before(&self, a: &NodeName, b: &NodeName) -> Option<(Time, Delay)> {
        let untils = self.rules.sources.iter().flat_map(|source| {
            [self.one_way(*source, a, b), self.one_way(*source, b, a)]
                .into_iter()
                .flatten()
                .map(|(_, until)| until)
        });
        let until = untils.max()?;
        Some((until, self.measured(a, b, until - Duration::from_nanos(1))?))
    }

    fn measured(&self, a: &NodeName, b: &NodeName, now: Time) -> Option<Delay> {
        self.fresh(a, b, None, now)
    }

    fn by(&self, source: DelaySource, a: &NodeName, b: &NodeName, now: Time) -> Option<Delay> {
        let directions = [self.one_way(source, a, b), self.one_way(source, b, a)];
        directions.into_iter().flatten().filter(|(_, until)| now < *until).map(|(delay, _)| delay).max()
    }

    /// What one node says of another, and until when it counts.
    fn one_way(&self, source: DelaySource, from: &NodeName, to: &NodeName) -> Option<(Delay, Time)> {
        let (at, report) = self.words.get(&(source, from.clone()))?.believed.as_ref()?;
        let row = report.rows.iter().find(|row| row.peer == *to)?;
        let enough = source != DelaySource::Probe || row.statistics.samples > 4;
        let age = Duration::from_millis(u64::try_from(row.statistics.age?.as_millis()).unwrap());
        let until = *at + report.every.unwrap() * 3 - age;
        row.statistics.p95.filter(|_| enough).map(|delay| (delay, until))
    }

    fn nodes(&self) -> Vec<NodeName> {
        let believed = self.words.values().filter_map(|words| words.believed.as_ref());
        let peers = believed.flat_map(|(_, report)| report.rows.iter().map(|row| row.peer.clone()));
        let mut nodes: Vec<NodeName> = peers.chain(self.words.keys().map(|(_, from)| from.clone())).collect();
        nodes.sort_unstable();
        nodes.dedup();
        nodes
    }
}

fn pair(a: &NodeName, b: &NodeName) -> (NodeName, NodeName) {
    if a < b { (a.clone(), b.clone()) } else { (b.clone(), a.clone()) }
}
