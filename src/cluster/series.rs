//! Repeated notices: one object that counts (upstream: `client-go/tools/events`).
//!
//! The first is written, the second makes a series of it, and from then on they are only counted. The count is
//! written again now and then, and when the series has ended.

use std::collections::HashMap;
use std::collections::hash_map::{DefaultHasher, Entry};
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::{Duration, Instant};

use edge_core::model::{Name, PodUid};
use serde::Serialize;

use super::notice::{Body, Metadata, Notice};
use super::timestamp;

/// A notice repeats one that was last seen this long ago or less; after it the count is final.
const END: Duration = Duration::from_mins(6);
/// How often the count of a long series is written, which also keeps the server from expiring it.
const REFRESH: Duration = Duration::from_mins(30);
/// How often series that have ended are looked for.
const SWEEP_INTERVAL: Duration = Duration::from_mins(1);
/// How many series are kept; the notices of further ones are written one by one.
const KEPT: usize = 4096;

/// What is to be written of a notice.
#[derive(Clone, Debug)]
pub(super) enum Write {
    /// It is new.
    New(Box<Body>),
    /// It is there; its count changed. Should it be gone, it is new.
    Repeat(Box<Body>),
    /// Its count will not change any more.
    Final(Metadata, Count),
}

/// How often a notice was seen, and when last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Count {
    pub(super) count: u32,
    last_observed_time: String,
}

/// The notices that may repeat.
#[derive(Default)]
pub(super) struct SeriesCache {
    by_key: HashMap<Key, Series>,
    next_sweep: Option<Instant>,
}

/// What makes a notice the same as another; of the note its hash, as notes are long.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    pod: PodUid,
    scheduler_name: Name,
    reason: &'static str,
    note: u64,
}

struct Series {
    metadata: Metadata,
    event_time: String,
    count: Count,
    seen: Instant,
    written_count: u32,
    written: Instant,
}

// === impl Count ===

impl Count {
    fn of(count: u32) -> Self {
        Self { count, last_observed_time: timestamp::micro() }
    }
}

// === impl Key ===

impl Key {
    fn of(notice: &Notice<'_>) -> Self {
        let mut note = DefaultHasher::new();
        notice.note.hash(&mut note);
        Self {
            pod: notice.pod.uid.clone(),
            scheduler_name: Arc::clone(notice.scheduler_name),
            reason: notice.reason,
            note: note.finish(),
        }
    }
}

// === impl SeriesCache ===

impl SeriesCache {
    /// Counts a notice; what is to be written of it, if anything.
    pub(super) fn record(
        &mut self,
        notice: &Notice<'_>,
        to_body: impl FnOnce() -> Body,
        now: Instant,
    ) -> Option<Write> {
        if !notice.repeats {
            return Some(Write::New(to_body().into()));
        }
        let is_full = self.by_key.len() >= KEPT;
        match self.by_key.entry(Key::of(notice)) {
            Entry::Occupied(entry) => {
                let series = entry.into_mut().repeat(now)?;
                let mut body = to_body();
                body.metadata = series.metadata.clone();
                body.event_time.clone_from(&series.event_time);
                body.series = Some(series.count.clone());
                Some(Write::Repeat(body.into()))
            }
            Entry::Vacant(entry) => {
                let body = to_body();
                if !is_full {
                    entry.insert(Series::first(&body, now));
                }
                Some(Write::New(body.into()))
            }
        }
    }

    /// Forgets the series that have ended by `now`; what is to be written of them.
    pub(super) fn sweep(&mut self, now: Instant) -> Vec<Write> {
        if self.next_sweep.is_some_and(|at| now < at) {
            return Vec::new();
        }
        self.next_sweep = Some(now + SWEEP_INTERVAL);
        let ended = self.by_key.extract_if(|_, series| now.duration_since(series.seen) > END);
        let ended = ended.filter(|(_, series)| series.count.count > series.written_count);
        ended.map(|(_, series)| Write::Final(series.metadata, series.count)).collect()
    }
}

// === impl Series ===

impl Series {
    fn first(body: &Body, now: Instant) -> Self {
        Self {
            metadata: body.metadata.clone(),
            event_time: body.event_time.clone(),
            count: Count::of(1),
            seen: now,
            written_count: 1,
            written: now,
        }
    }

    /// Counts once more; the series, if the count is to be written.
    fn repeat(&mut self, now: Instant) -> Option<&Self> {
        self.count = Count::of(self.count.count.saturating_add(1));
        self.seen = now;
        if self.written_count > 1 && now.duration_since(self.written) < REFRESH {
            return None;
        }
        self.written_count = self.count.count;
        self.written = now;
        Some(self)
    }
}
