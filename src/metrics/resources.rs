//! What each pod asks for (upstream: `pkg/scheduler/metrics/resources`).

use std::fmt::Write;

use edge_core::model::{Pod, Resources};
use edge_core::state::State;

/// What a pod asks for, and who it is.
#[derive(Clone, Debug)]
pub struct PodAmounts {
    /// The labels of the pod, as they are written.
    labels: String,
    /// Resource, unit, amount.
    requests: Vec<(String, &'static str, f64)>,
    limits: Vec<(String, &'static str, f64)>,
}

// === impl PodAmounts ===

impl PodAmounts {
    /// Those of all pods, waiting and placed.
    pub fn all(state: &State) -> Vec<Self> {
        let placed = state.cache().iter().map(|placed| {
            let node = state.snapshot().nodes.name(placed.slot).map_or("", |name| name.as_str());
            Self::of(&placed.pod, node)
        });
        let waiting = state.queue().iter().map(|queued| Self::of(&queued.pod, ""));
        placed.chain(waiting).collect()
    }

    fn of(pod: &Pod, node: &str) -> Self {
        let labels = format!(
            "namespace=\"{}\",pod=\"{}\",node=\"{}\",scheduler=\"{}\",priority=\"{}\"",
            escape(&pod.key.namespace),
            escape(&pod.key.name),
            escape(node),
            escape(&pod.scheduler_name),
            pod.priority,
        );
        let limits = pod.limits.as_deref().map(amounts).unwrap_or_default();
        Self { labels, requests: amounts(&pod.requests), limits }
    }
}

/// The text that Prometheus reads.
pub fn render(pods: &[PodAmounts]) -> String {
    let mut text = String::new();
    write_family(&mut text, "kube_pod_resource_limit", "Resources limit for", pods, |pod| &pod.limits);
    write_family(&mut text, "kube_pod_resource_request", "Resources requested by", pods, |pod| &pod.requests);
    text
}

fn write_family(
    text: &mut String,
    name: &str,
    what: &str,
    pods: &[PodAmounts],
    amounts: fn(&PodAmounts) -> &Vec<(String, &'static str, f64)>,
) {
    if pods.iter().all(|pod| amounts(pod).is_empty()) {
        return;
    }
    // Writing to a string can't fail.
    _ = writeln!(
        text,
        "# HELP {name} [STABLE] {what} workloads on the cluster, broken down by pod. This shows the resource usage \
         the scheduler and kubelet expect per pod for resources along with the unit for the resource if any.\n\
         # TYPE {name} gauge"
    );
    for pod in pods {
        for (resource, unit, amount) in amounts(pod) {
            let (labels, resource) = (&pod.labels, escape(resource));
            _ = writeln!(text, "{name}{{{labels},resource=\"{resource}\",unit=\"{unit}\"}} {amount}");
        }
    }
}

fn amounts(resources: &Resources) -> Vec<(String, &'static str, f64)> {
    let Resources { cpu, memory, ephemeral_storage, scalars } = resources;
    let fixed = [
        ("cpu", "cores", as_float(cpu.0) / 1000.0),
        ("memory", "bytes", as_float(memory.0)),
        ("ephemeral-storage", "bytes", as_float(ephemeral_storage.0)),
    ];
    let fixed = fixed.into_iter().map(|(name, unit, amount)| (name.to_owned(), unit, amount));
    let scalars =
        scalars.iter().map(|(name, amount)| (name.to_string(), unit(name.as_str()), as_float(*amount)));
    fixed.chain(scalars).filter(|(_, _, amount)| *amount != 0.0).collect()
}

fn unit(resource: &str) -> &'static str {
    match resource {
        _ if resource.starts_with("hugepages-") => "bytes",
        _ if resource.starts_with("attachable-volumes-") => "integer",
        _ => "",
    }
}

#[expect(clippy::cast_precision_loss, reason = "a metric is a float")]
fn as_float(amount: i64) -> f64 {
    amount as f64
}

fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
