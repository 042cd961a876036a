//! Events of the API (`events.k8s.io/v1`), as far as the scheduler's are read.

use k8s_openapi::jiff::Timestamp;
use serde::Deserialize;

/// An event.
#[derive(Default, Deserialize)]
pub(crate) struct Event {
    pub(crate) metadata: EventName,
    #[serde(default)]
    pub(crate) reason: String,
    #[serde(default)]
    pub(crate) note: String,
    #[serde(default)]
    pub(crate) regarding: Regarding,
    #[serde(rename = "eventTime")]
    pub(crate) at: Option<Timestamp>,
    #[serde(default)]
    pub(crate) series: Option<Series>,
}

#[derive(Default, Deserialize)]
pub(crate) struct EventName {
    pub(crate) name: String,
}

/// What an event is about.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Regarding {
    pub(crate) uid: String,
}

/// The same was told again.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Series {
    pub(crate) last_observed_time: Option<Timestamp>,
}

// === impl Event ===

impl Event {
    /// When it was told for the last time.
    pub(crate) fn last_told(&self) -> Option<Timestamp> {
        self.series.as_ref().and_then(|series| series.last_observed_time).or(self.at)
    }
}
