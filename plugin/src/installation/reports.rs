//! What the agents report, in numbers: how many, how complete, how old.

use std::collections::BTreeSet;

use k8s_openapi::jiff::Timestamp;
use kube::Error;
use serde::{Deserialize, Serialize};

use super::store::Store;

/// What the agents report, in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Reports {
    /// How many nodes reported within three times the time they promised.
    pub(crate) nodes: usize,
    /// How many reported once and are silent since.
    pub(crate) silent: usize,
    /// How many ordered pairs are to be measured.
    pub(crate) pairs: usize,
    /// How many of these have an answered probe in a report that is not silent.
    pub(crate) measured: usize,
    /// Age of the newest report in seconds, by this machine's clock; none if there is no report.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) newest_seconds: Option<u64>,
    /// Age of the oldest report in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) oldest_seconds: Option<u64>,
    /// Agents that lack CPU, so that their numbers are not trusted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) starved: Vec<String>,
    /// The nodes that reported.
    #[serde(skip)]
    pub(crate) reporting: BTreeSet<String>,
}

/// What is read of a list; the rest is passed over without being kept.
#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    metadata: ListMeta,
    #[serde(default)]
    items: Vec<Item>,
}

#[derive(Default, Deserialize)]
struct ListMeta {
    #[serde(rename = "continue", default)]
    token: Option<String>,
}

#[derive(Deserialize)]
struct Item {
    metadata: Named,
    #[serde(default)]
    spec: Spec,
    #[serde(default)]
    status: Option<Status>,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

#[derive(Default, Deserialize)]
struct Spec {
    #[serde(default)]
    peers: Vec<Anything>,
}

#[derive(Deserialize)]
struct Anything {}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    #[serde(default)]
    reported_at: Option<Timestamp>,
    #[serde(default)]
    report_every_ms: Option<u32>,
    #[serde(default)]
    starved: bool,
    #[serde(default)]
    rows: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    #[serde(default)]
    p50_micros: Option<u32>,
}

/// A report may be late by this many times the time it promised.
const PATIENCE: u64 = 3;
/// What an agent promises that says nothing, in ms.
const USUAL: u32 = 60_000;
const PATH: &str = "/apis/kubectl-edge.dev/v1alpha1/nodedelays";

// === impl Reports ===

impl Reports {
    /// Reads all reports, page by page; none if the kind is not known.
    pub(crate) async fn read(store: Store<'_>, now: Timestamp) -> Result<Option<Self>, Error> {
        let mut reports = Self::default();
        let mut token = String::new();
        loop {
            let page: Option<Page> = store.get_as(&format!("{PATH}?limit=500{token}")).await?;
            let Some(page) = page else { return Ok(None) };
            for item in page.items {
                reports.add(item, now);
            }
            match page.metadata.token.filter(|it| !it.is_empty()) {
                Some(next) => token = format!("&continue={next}"),
                None => return Ok(Some(reports)),
            }
        }
    }

    fn add(&mut self, item: Item, now: Timestamp) {
        self.pairs += item.spec.peers.len();
        let Some(status) = item.status else { return };
        let Some(reported_at) = status.reported_at else { return };
        // Clocks differ; a report of the future is new.
        let age = now.duration_since(reported_at).as_secs().max(0).unsigned_abs();
        let promised = u64::from(status.report_every_ms.unwrap_or(USUAL)) * PATIENCE / 1000;
        if age > promised {
            self.silent += 1;
            return;
        }
        self.nodes += 1;
        self.measured += status.rows.iter().filter(|row| row.p50_micros.is_some()).count();
        self.newest_seconds = Some(self.newest_seconds.map_or(age, |newest| newest.min(age)));
        self.oldest_seconds = Some(self.oldest_seconds.map_or(age, |oldest| oldest.max(age)));
        if status.starved {
            self.starved.push(item.metadata.name.clone());
        }
        self.reporting.insert(item.metadata.name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reports_are_counted() {
        let now: Timestamp = "2026-01-01T00:10:00Z".parse().unwrap();
        let item = |name: &str, at: &str, starved: bool| {
            let rows = json!([{"peer": "x", "p50Micros": 3, "samples": 8}, {"peer": "y", "samples": 8}]);
            let status = json!({"reportedAt": at, "reportEveryMs": 60000, "starved": starved, "rows": rows});
            let peers = json!([{"name": "x"}, {"name": "y"}]);
            json!({"metadata": {"name": name}, "spec": {"peers": peers}, "status": status})
        };
        let silent = json!({"metadata": {"name": "c"}, "spec": {"peers": [{"name": "x"}]}});
        let items = json!([
            item("a", "2026-01-01T00:09:57.5Z", true),
            item("b", "2026-01-01T00:00:00Z", false),
            item("d", "2026-01-01T00:12:00Z", false),
            silent,
        ]);
        let mut reports = Reports::default();
        for item in serde_json::from_value::<Vec<Item>>(items).unwrap() {
            reports.add(item, now);
        }
        assert_eq!((reports.nodes, reports.silent, reports.pairs, reports.measured), (2, 1, 7, 2));
        assert_eq!((reports.newest_seconds, reports.oldest_seconds), (Some(0), Some(2)));
        assert_eq!(reports.starved, ["a"]);
    }
}
