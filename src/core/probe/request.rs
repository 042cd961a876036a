//! Measurements that somebody asked for once.

use std::collections::BTreeMap;

use super::BURST_PERIOD;
use super::window::Sample;
use crate::model::{Name, NodeName, Time};

/// The most probes of a request.
const MOST_PROBES: u32 = 1000;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestPlan {
    /// Names the request.
    pub id: Name,
    /// Whom to probe.
    pub peer: NodeName,
    /// How often.
    pub count: u32,
}

/// What came of a request, so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestResult {
    /// The request.
    pub id: Name,
    /// What came of its probes, in the order in which they were sent.
    pub samples: Vec<Sample>,
    /// Whether more will follow.
    pub is_running: bool,
}

/// The requests that there are, with their results.
#[derive(Clone, Debug, Default)]
pub(super) struct Requests {
    by_id: BTreeMap<Name, Request>,
}

/// A probe of a request: which request, and the how many-th of its probes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) request: Name,
    idx: usize,
}

#[derive(Clone, Debug)]
struct Request {
    peer: NodeName,
    count: u32,
    due: Time,
    /// Of each probe that was sent; none as long as nothing came of it.
    samples: Vec<Option<Sample>>,
}

// === impl Requests ===

impl Requests {
    /// There are these and no others. What is known of one stays.
    pub(super) fn set(&mut self, plans: impl IntoIterator<Item = RequestPlan>, now: Time) {
        let mut old = std::mem::take(&mut self.by_id);
        for plan in plans {
            let known = old.remove(&plan.id).filter(|request| request.peer == plan.peer);
            let count = plan.count.min(MOST_PROBES);
            let new = || Request { peer: plan.peer, count, due: now, samples: Vec::new() };
            self.by_id.insert(plan.id, known.unwrap_or_else(new));
        }
    }

    /// These results are known from before the agent began: they are not measured again.
    pub(super) fn know(&mut self, results: impl IntoIterator<Item = RequestResult>) {
        for result in results.into_iter().filter(|result| !result.is_running) {
            if let Some(request) = self.by_id.get_mut(&result.id) {
                request.count = u32::try_from(result.samples.len()).unwrap_or(MOST_PROBES);
                request.samples = result.samples.into_iter().map(Some).collect();
            }
        }
    }

    /// When the next probe is due.
    pub(super) fn due_at(&self) -> Time {
        let unsent = self.by_id.values().filter(|request| request.has_more());
        unsent.map(|request| request.due).min().unwrap_or(Time::NEVER)
    }

    /// The next probe, if one is due.
    pub(super) fn next(&mut self, now: Time) -> Option<(NodeName, Place)> {
        let unsent = self.by_id.iter_mut().filter(|(_, request)| request.has_more());
        let (id, request) = unsent.min_by_key(|(_, it)| it.due).filter(|(_, it)| it.due <= now)?;
        let place = Place { request: id.clone(), idx: request.samples.len() };
        request.samples.push(None);
        request.due = now + BURST_PERIOD;
        Some((request.peer.clone(), place))
    }

    /// Puts in what came of a probe; whether there is still such a request.
    pub(super) fn take(&mut self, place: &Place, sample: Sample) -> bool {
        let request = self.by_id.get_mut(&place.request);
        let cell = request.and_then(|request| request.samples.get_mut(place.idx));
        cell.map(|cell| *cell = Some(sample)).is_some()
    }

    /// Whether nothing more will come of a request; true if there is none.
    pub(super) fn is_done(&self, id: &str) -> bool {
        self.by_id.get(id).is_none_or(Request::is_done)
    }

    /// The results, of those requests whose first probe has come back or is lost.
    pub(super) fn results(&self) -> Vec<RequestResult> {
        let results = self.by_id.iter().map(|(id, request)| RequestResult {
            id: id.clone(),
            samples: request.samples.iter().map_while(|sample| *sample).collect(),
            is_running: !request.is_done(),
        });
        results.filter(|result| !result.samples.is_empty()).collect()
    }
}

// === impl Request ===

impl Request {
    fn has_more(&self) -> bool {
        self.samples.len() < usize::try_from(self.count).unwrap_or(usize::MAX)
    }

    fn is_done(&self) -> bool {
        !self.has_more() && self.samples.iter().all(Option::is_some)
    }
}
