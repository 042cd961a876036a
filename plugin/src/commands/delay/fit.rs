//! How many nodes fit a workload's pods now.

use edge_core::model::Pod;
use edge_core::wire::PodObject;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::workload::Workload;
use crate::failure::Failure;
use crate::look::Look;
use crate::world::{Served, World};

/// How many nodes fit, and which one nearly does.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Fit {
    nodes: usize,
    fitting: usize,
    /// What stops the others, by how many.
    blockers: Vec<Stopped>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nearest_miss: Option<NearMiss>,
    #[serde(skip_serializing_if = "Option::is_none")]
    best: Option<String>,
    scheduler_name: String,
}

#[derive(Clone, Debug, Serialize)]
struct Stopped {
    plugin: &'static str,
    reason: String,
    nodes: usize,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct NearMiss {
    node: String,
    from: String,
    delay_ms: f64,
    bound_ms: f64,
}

// === impl Fit ===

impl Fit {
    /// Judges a pod as the workload's controller would make it from this object.
    pub(super) fn of(world: &mut World, workload: &Workload, served: &Served) -> Result<Self, Failure> {
        let pod = pod_of(world, workload)?;
        let scheduler_name = pod.scheduler_name.to_string();
        let profile = served.profile(&scheduler_name);
        let judgement = world.judge(&pod, &profile);
        let miss = world.nearest_miss(&pod, &profile).map(|miss| NearMiss {
            node: miss.node.to_string(),
            from: miss.anchor,
            delay_ms: miss.delay.as_millis_f64(),
            bound_ms: miss.bound.as_millis_f64(),
        });
        let stopped = judgement.blockers.iter().map(|it| Stopped {
            plugin: it.plugin,
            reason: it.reason.clone(),
            nodes: it.nodes.len(),
        });
        Ok(Self {
            nodes: judgement.total,
            fitting: judgement.fits.len(),
            blockers: stopped.collect(),
            nearest_miss: miss,
            best: judgement.decision.ok().map(|node| node.to_string()),
            scheduler_name,
        })
    }

    /// In a few lines.
    pub(super) fn describe(&self, look: Look) -> String {
        let head = format!("Fits now: {} of {} nodes", self.fitting, self.nodes);
        let best =
            self.best.as_ref().map(|node| format!("; the next pod would go to {node}")).unwrap_or_default();
        let head = if self.fitting == 0 { look.warning(&head) } else { look.good(&head) };
        let mut lines = vec![format!("{head}{best}")];
        if let Some(miss) = &self.nearest_miss {
            let NearMiss { node, from, delay_ms, bound_ms } = miss;
            lines.push(format!("{node} just misses: {delay_ms} ms to {from}, {bound_ms} ms allowed"));
        }
        let shown = if self.fitting == 0 { &self.blockers[..] } else { &[] };
        lines.extend(shown.iter().map(|it| format!("  {:>5}  {}", it.nodes, it.reason)));
        lines.join("\n")
    }
}

/// A pod as the workload's controller would make it.
pub(crate) fn pod_of(world: &mut World, workload: &Workload) -> Result<Pod, Failure> {
    let template: Value = workload.template_object().clone();
    let object = PodObject::deserialize(template)?.named(&workload.namespace, &workload.name);
    let mut pod = object.into_pod(&mut world.interner)?;
    pod.node = None;
    pod.owner = Some(edge_core::model::Owner {
        kind: workload.kind.name().into(),
        name: workload.name.as_str().into(),
    });
    Ok(pod)
}
