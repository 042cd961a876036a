//! From answers to reports, without any I/O.

use std::collections::HashMap;
use std::time::Duration;

use edge_core::delay::{DelaySource, Measurement, Report, Statistics};
use edge_core::model::{Delay, NodeName};

use super::answer::{Check, PodResult, find};
use crate::cluster::Instance;

/// A row that shrank to less than half is taken as a row only when it was seen so often.
const SHRUNKEN_POLLS: u32 = 3;

/// Makes reports of answers.
#[derive(Debug)]
pub(super) struct Reader {
    every: Duration,
    rows: HashMap<NodeName, Known>,
}

/// What is known of a node's rows so far.
#[derive(Debug, Default)]
struct Known {
    /// How many peers the last row had that was taken.
    peers: usize,
    /// How many rows in a row were not taken.
    shrunken: u32,
    /// By peer when its result was made, by the other's clock, and when that was first seen, by ours.
    seen: HashMap<NodeName, (Option<String>, Duration)>,
}

// === impl Reader ===

impl Reader {
    /// A reader of answers that come so often.
    pub(super) fn new(every: Duration) -> Self {
        Self { every, rows: HashMap::new() }
    }

    /// What a node measured; none if the answer is no data: without a peer, or with so few all at once that the
    /// instance more likely lost sight of the others than they went. `now` counts from any origin.
    pub(super) fn read(
        &mut self,
        from: &NodeName,
        check: &Check,
        instances: &[Instance],
        now: Duration,
    ) -> Option<Report> {
        let mut peers: HashMap<&NodeName, &PodResult> = HashMap::new();
        for (key, result) in &check.results {
            let instance = find(instances, key, result.pod_ip.as_deref(), result.host_ip.as_deref());
            let Some(peer) = instance.map(|it| &it.node).filter(|peer| *peer != from) else { continue };
            // Of two pods on one node the slower one counts, but one that answers before one that does not.
            let rank = |it: &PodResult| (it.ok, it.millis.unwrap_or_default());
            let known = peers.entry(peer).or_insert(result);
            if rank(result) > rank(known) {
                *known = result;
            }
        }
        let known = self.rows.entry(from.clone()).or_default();
        // Peers whose pods went are no sign of anything.
        let expected = known.peers.min(instances.len());
        if peers.is_empty() || peers.len() * 2 < expected && known.shrunken + 1 < SHRUNKEN_POLLS {
            known.shrunken += 1;
            return None;
        }
        known.peers = peers.len();
        known.shrunken = 0;
        known.seen.retain(|peer, _| peers.contains_key(peer));
        let mut rows: Vec<Measurement> = peers
            .into_iter()
            .map(|(peer, result)| Measurement {
                peer: peer.clone(),
                statistics: known.statistics(peer, result, now),
            })
            .collect();
        rows.sort_by(|a, b| a.peer.cmp(&b.peer));
        Some(Report {
            from: from.clone(),
            source: DelaySource::Goldpinger,
            every: Some(self.every),
            starved: false,
            rows,
        })
    }

    /// Forgets the nodes that have no instance any more.
    pub(super) fn retain(&mut self, instances: &[Instance]) {
        self.rows.retain(|node, _| instances.iter().any(|instance| instance.node == *node));
    }
}

// === impl Known ===

impl Known {
    /// One request is one sample; no percentile is claimed of it.
    fn statistics(&mut self, peer: &NodeName, result: &PodResult, now: Duration) -> Statistics {
        let seen = self.seen.entry(peer.clone()).or_insert_with(|| (result.ping_time.clone(), now));
        if seen.0 != result.ping_time {
            *seen = (result.ping_time.clone(), now);
        }
        // The hosts' clocks are not compared: a result is as old as we have known it.
        let age = now.saturating_sub(seen.1);
        match delay(result) {
            Some(delay) => Statistics {
                min: Some(delay),
                p50: Some(delay),
                samples: 1,
                age: Some(age),
                ..Statistics::default()
            },
            None => Statistics { lost: 1, samples: 1, missed: 1, ..Statistics::default() },
        }
    }
}

/// The delay of a request that was answered: milliseconds are cut off, so that `v` was less than `v + 1`, and nothing
/// at all less than 1. Nothing is made to look smaller than it was.
fn delay(result: &PodResult) -> Option<Delay> {
    let millis = result.millis.unwrap_or_default();
    let millis = if millis.fract() == 0.0 { millis + 1.0 } else { millis };
    Delay::from_millis_f64(millis).ok().filter(|_| result.ok)
}
