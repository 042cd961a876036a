//! What is explained: a pod that is there, one that a workload would make, one of a manifest.

use std::path::Path;

use edge_core::delay::file::{make_pods, parse_pods};
use edge_core::model::{Phase, Pod};
use edge_core::placement::WorkloadRef;

use crate::cluster::Cluster;
use crate::commands::delay::{Target, Workload, pod_of};
use crate::failure::Failure;
use crate::files;
use crate::world::World;

/// What is explained.
pub(super) struct Subject {
    pub(super) pod: Pod,
    pub(super) state: State,
}

/// How it is with the pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It is there and waits.
    Waits,
    /// It has a place.
    Placed,
    /// It is not there.
    WouldBe,
}

// === impl Subject ===

impl Subject {
    pub(super) fn would_be(pod: Pod) -> Self {
        Self { pod, state: State::WouldBe }
    }

    fn of(pod: Pod) -> Self {
        let state = if pod.node.is_some() { State::Placed } else { State::Waits };
        Self { pod, state }
    }
}

/// The pods of a file, one of each workload: its copies are alike.
pub(super) fn of_file(path: &Path) -> Result<Vec<Pod>, Failure> {
    let mut pods = Vec::new();
    for file in files::read_all(path, &["yaml", "yml", "json"])? {
        let manifests = parse_pods(&file.text).map_err(|error| Failure::new(error.within(&file.name)))?;
        for workload in &manifests.workloads {
            let made = make_pods([workload], &[]).map_err(|error| Failure::new(error.within(&file.name)))?;
            pods.push(made.into_iter().next().unwrap_or_else(|| workload.template.clone()));
        }
    }
    if pods.is_empty() {
        return Err(Failure::new(format!("{} holds nothing that makes pods", path.display())));
    }
    Ok(pods)
}

/// The pod of this name; of a workload one that waits, else one that it would make.
pub(super) async fn find(world: &mut World, cluster: &Cluster, name: &str) -> Result<Subject, Failure> {
    let pod_name =
        name.strip_prefix("pod/").or_else(|| name.strip_prefix("po/")).or_else(|| name.strip_prefix("pods/"));
    if let Some(pod_name) = pod_name.or((!name.contains('/')).then_some(name)) {
        return of_pod(world, &cluster.namespace, pod_name);
    }
    let target = Target::parse(name)?;
    let workload = Workload::read(cluster, &target).await?;
    let is_of = |pod: &&Pod| {
        WorkloadRef::of_pod(pod).iter().any(|it| {
            *it.kind == *target.kind_name()
                && *it.name == *target.name
                && *it.namespace == *workload.namespace
        })
    };
    if let Some(waiting) = world.waiting.iter().find(|pod| is_of(pod)) {
        return Ok(Subject::of(waiting.clone()));
    }
    Ok(Subject::would_be(pod_of(world, &workload)?))
}

fn of_pod(world: &World, namespace: &str, name: &str) -> Result<Subject, Failure> {
    let is_it = |pod: &Pod| *pod.key.namespace == *namespace && *pod.key.name == *name;
    let placed = world.snapshot.nodes.iter().flat_map(|node| node.usage.pods.iter());
    let placed = placed.map(AsRef::as_ref).find(|pod| is_it(pod));
    let found = placed.or_else(|| world.waiting.iter().find(|pod| is_it(pod)));
    match found {
        Some(pod) if pod.phase == Phase::Pending || pod.node.is_some() => Ok(Subject::of(pod.clone())),
        Some(_) | None => {
            let failure =
                Failure::new(format!("pods {name:?} not found in namespace {namespace}, or it has ended"));
            Err(failure.with_hint("-n chooses another namespace; a workload is named as in deploy/video"))
        }
    }
}
