//! What all views are views of: nodes, what was measured, and how much of it there is.

use std::time::Duration;

use edge_api::names::{LAYERS, LAYERS_KEY, NAMESPACE};
use edge_api::{LAYERS_VERSION, PublishedLayers};
use edge_core::model::Delay;
use k8s_openapi::api::core::v1::{ConfigMap, Node};
use kube::api::{Api, ListParams};
use serde::Serialize;

use crate::cluster::{Cluster, Gaps};
use crate::failure::Failure;
use crate::world::{Freshness, Measured, Moves, Served, Statistic, World};

use super::bounds::{Bound, bounds};

/// What there is to be seen.
pub(super) struct Scene {
    pub(super) measured: Measured,
    pub(super) statistic: Statistic,
    /// What constraints are judged by.
    pub(super) judged_by: Statistic,
    /// The nodes of the cluster that measure or are measured, by name.
    pub(super) nodes: Vec<Placed>,
    /// The delay constraints of the pods that have a place; only where they were asked for.
    pub(super) bounds: Vec<Bound>,
    /// The layers that the scheduler published; only where they were asked for, and there are any.
    pub(super) layers: Option<PublishedLayers>,
    pub(super) gaps: Vec<String>,
    pub(super) context: Option<String>,
}

/// A node and where it is.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    pub(super) name: String,
    /// Its place among the measured; none if nothing is known of it.
    pub(super) idx: Option<usize>,
    /// Its zone, if it is labelled.
    pub(super) zone: Option<String>,
}

/// What a view is of, in its first line.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Coverage {
    pub(super) statistic: &'static str,
    pub(super) nodes: usize,
    pub(super) pairs: usize,
    pub(super) measured_pairs: usize,
    pub(super) stale_pairs: usize,
    pub(super) unanswered_pairs: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) newest_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) oldest_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) samples: Option<[u32; 2]>,
    pub(super) sources: Vec<String>,
    /// How many nodes report by a source that is not configured.
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) passed_over: usize,
    /// Agents that did not get their share of CPU, so that their numbers are not trusted.
    pub(super) starved: Vec<String>,
}

const ZONES: [&str; 2] = ["topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone"];

// === impl Scene ===

impl Scene {
    pub(super) async fn read(
        cluster: &Cluster,
        statistic: Option<Statistic>,
        needs_pods: bool,
    ) -> Result<Self, Failure> {
        let mut gaps = Gaps::default();
        let api: Api<Node> = Api::all(cluster.client.clone());
        let answer = cluster.list_metadata(&api, ListParams::default()).await;
        let listed = gaps.allow(cluster, answer, "list nodes", "zones")?;
        let served = Served::read(cluster, &mut gaps).await?;
        let (measured, bounds) = if needs_pods {
            let mut world = World::read(cluster, &served, &mut gaps).await?;
            let moves = Moves::read(cluster).await;
            let needs = "list events.events.k8s.io in all namespaces";
            let moves = gaps.allow(cluster, moves, needs, "why pods are not moved")?.unwrap_or_default();
            let bounds = bounds(&mut world, &served, &moves);
            (world.measured, bounds)
        } else {
            (Measured::read(cluster, &served.rules, &mut gaps).await?, Vec::new())
        };
        if !measured.is_installed {
            let failure = Failure::new("the cluster knows no NodeDelays");
            return Err(failure.with_hint("\"kubectl edge install\" installs what measures delays"));
        }
        let mut nodes: Vec<Placed> = match listed {
            Some(listed) => {
                listed.into_iter().filter_map(|node| Placed::of(node.metadata, &measured)).collect()
            }
            None => measured.nodes.iter().enumerate().map(|(idx, it)| Placed::known(idx, &it.name)).collect(),
        };
        nodes.sort_by_cached_key(|node| natural(&node.name));
        let context = cluster.context.clone();
        let judged_by = served.rules.statistic.into();
        let statistic = statistic.unwrap_or(judged_by);
        let unreadable = measured.unreadable.iter().map(|why| format!("passed over: {why}"));
        let gaps = gaps.into_messages().into_iter().chain(unreadable).collect();
        Ok(Self { measured, statistic, judged_by, nodes, bounds, layers: None, gaps, context })
    }

    /// With the layers that the scheduler published. Who may not see them, or finds none, has those that are linked
    /// here of the same delays.
    pub(super) async fn with_layers(self, cluster: &Cluster) -> Self {
        let api: Api<ConfigMap> = Api::namespaced(cluster.client.clone(), NAMESPACE);
        let found = api.get_opt(LAYERS).await.ok().flatten();
        let text = found.and_then(|found| found.data?.remove(LAYERS_KEY));
        let layers = text.and_then(|text| serde_json::from_str::<PublishedLayers>(&text).ok());
        Self { layers: layers.filter(|layers| layers.version == LAYERS_VERSION), ..self }
    }

    /// The node of this name.
    pub(super) fn find(&self, name: &str) -> Result<&Placed, Failure> {
        let name = name.strip_prefix("node/").unwrap_or(name);
        self.nodes.iter().find(|node| node.name == name).ok_or_else(|| {
            let near = self.nodes.iter().find(|node| node.name.contains(name) || name.contains(&node.name));
            let failure = Failure::new(format!("nodes {name:?} not found"));
            match near {
                Some(near) => failure.with_hint(format!("is it {}?", near.name)),
                None => failure.with_hint("\"kubectl get nodes\" lists them"),
            }
        })
    }

    /// How much is known.
    pub(super) fn coverage(&self) -> Coverage {
        let count = self.nodes.len();
        let is_node: Vec<bool> = {
            let mut is_node = vec![false; self.measured.nodes.len()];
            for idx in self.nodes.iter().filter_map(|node| node.idx) {
                if let Some(slot) = is_node.get_mut(idx) {
                    *slot = true;
                }
            }
            is_node
        };
        let is_node = |idx: usize| is_node.get(idx).copied().unwrap_or_default();
        let (mut fresh, mut stale, mut unanswered) = (0, 0, 0);
        let mut ages: Option<(Duration, Duration)> = None;
        let mut samples: Option<[u32; 2]> = None;
        for from in self.nodes.iter().filter_map(|node| node.idx) {
            for cell in self.measured.row(from).iter().filter(|cell| is_node(cell.peer) && cell.peer != from)
            {
                match cell.freshness {
                    Freshness::Fresh => fresh += 1,
                    Freshness::Stale => stale += 1,
                    Freshness::Unanswered => unanswered += 1,
                }
                if let Some(age) = cell.age {
                    ages = Some(ages.map_or((age, age), |(new, old)| (new.min(age), old.max(age))));
                }
                let n = cell.samples;
                samples = Some(samples.map_or([n, n], |[least, most]| [least.min(n), most.max(n)]));
            }
        }
        let reports = self.measured.nodes.iter().filter_map(|node| Some((node, node.report.as_ref()?)));
        let mut sources: Vec<String> = reports
            .clone()
            .map(|(_, head)| match head.transport {
                Some(transport) => {
                    format!("{:?} over {}", head.source, format!("{transport:?}").to_uppercase())
                }
                None => format!("{:?}", head.source),
            })
            .collect();
        sources.sort_unstable();
        sources.dedup();
        let starved = reports.filter(|(_, head)| head.starved).map(|(node, _)| node.name.clone()).collect();
        Coverage {
            statistic: self.statistic.name(),
            nodes: count,
            pairs: count * count.saturating_sub(1),
            measured_pairs: fresh,
            stale_pairs: stale,
            unanswered_pairs: unanswered,
            newest_seconds: ages.map(|(new, _)| new.as_secs()),
            oldest_seconds: ages.map(|(_, old)| old.as_secs()),
            samples,
            sources,
            passed_over: self.measured.passed_over,
            starved,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// A name with its numbers as numbers, so that edge-10 comes after edge-9.
pub(super) fn natural(name: &str) -> Vec<(String, u64)> {
    let mut parts = Vec::new();
    let mut rest = name;
    while !rest.is_empty() {
        let text = rest.find(|it: char| it.is_ascii_digit()).unwrap_or(rest.len());
        let (head, tail) = rest.split_at(text);
        let digits = tail.find(|it: char| !it.is_ascii_digit()).unwrap_or(tail.len());
        let (number, tail) = tail.split_at(digits);
        parts.push((head.to_owned(), number.parse().unwrap_or_default()));
        rest = tail;
    }
    parts
}

/// Milliseconds with three digits that mean something.
pub(super) fn millis(delay: Delay) -> String {
    let value = delay.as_millis_f64();
    match value {
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}

/// An age in a few letters, as kubectl tells it.
pub(super) fn age(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7_200 => format!("{}m", seconds / 60),
        7_200..172_800 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

// === impl Placed ===

impl Placed {
    fn of(metadata: kube::core::ObjectMeta, measured: &Measured) -> Option<Self> {
        let name = metadata.name?;
        let labels = metadata.labels.unwrap_or_default();
        let zone = ZONES.iter().find_map(|key| labels.get(*key)).filter(|zone| !zone.is_empty());
        Some(Self { idx: measured.find(&name), zone: zone.cloned(), name })
    }

    fn known(idx: usize, name: &str) -> Self {
        Self { name: name.to_owned(), idx: Some(idx), zone: None }
    }
}

// === impl Coverage ===

impl Coverage {
    /// In one line.
    pub(super) fn head(&self) -> String {
        let Self { statistic, nodes, pairs, measured_pairs, stale_pairs, unanswered_pairs, .. } = self;
        let thousandths = (measured_pairs * 1000).checked_div(*pairs).unwrap_or(0);
        // Where each node measures a few of many, the first place after the point is what there is to see.
        let share = match thousandths {
            0..100 => format!("{}.{}", thousandths / 10, thousandths % 10),
            _ => (thousandths / 10).to_string(),
        };
        let mut parts = vec![
            format!("{statistic} round trip, ms"),
            format!("{nodes} nodes"),
            format!("{measured_pairs} of {pairs} pairs measured ({share} %)"),
        ];
        parts.extend((*stale_pairs > 0).then(|| format!("{stale_pairs} stale")));
        parts.extend((*unanswered_pairs > 0).then(|| format!("{unanswered_pairs} not answered")));
        if let (Some(new), Some(old)) = (self.newest_seconds, self.oldest_seconds) {
            parts.push(format!("newest {}, oldest {}", age(new), age(old)));
        }
        parts.extend(self.samples.map(|[least, most]| {
            if least == most {
                format!("over {most} probes")
            } else {
                format!("over {least} to {most} probes")
            }
        }));
        parts.extend((!self.sources.is_empty()).then(|| self.sources.join(", ")));
        parts.extend(
            (self.passed_over > 0)
                .then(|| format!("{} nodes report by a source that does not count here", self.passed_over)),
        );
        let line = parts.join(" · ");
        if self.starved.is_empty() {
            return line;
        }
        format!("{line}\nnot trusted, because the agent got too little CPU: {}", self.starved.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_names_are_numbers() {
        let mut names = ["edge-10", "edge-9", "cloud-1", "edge-9a"];
        names.sort_by_key(|name| natural(name));
        assert_eq!(names, ["cloud-1", "edge-9", "edge-9a", "edge-10"]);
    }

    #[test]
    fn three_digits_are_enough() {
        let check =
            |micros, expected: &str| assert_eq!(millis(Delay::from_micros(micros).unwrap()), expected);
        check(812, "0.81");
        check(12_345, "12.3");
        check(312_345, "312");
    }
}
