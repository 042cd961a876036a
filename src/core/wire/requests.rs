//! What a pod requests in all (upstream: `component-helpers/resource.PodRequests`, as called by
//! `PodInfo.CalculateResource` with the feature gates of Kubernetes 1.36).

use serde::Deserialize;

use crate::model::{NonZeroRequest, Resources};

use super::amount::{AmountPairs, Amounts, CPU, MEMORY, is_huge_pages, is_overcommittable, is_pod_level};
use super::condition::is_resize_refused;
use super::error::Fault;
use super::intern::Interner;
use super::pod::{Container, PodObject};

/// What a container without requests counts as for scoring, in thousandths: 100 m and 200 MiB.
const NON_ZERO_DEFAULTS: [(&str, i128); 2] = [(CPU, 100), (MEMORY, 200 * 1024 * 1024 * 1000)];

/// What a pod uses of a node.
pub(super) struct Usage {
    pub(super) requests: Resources,
    pub(super) non_zero: NonZeroRequest,
    pub(super) scored: NonZeroRequest,
}

/// `resources` of a container or a pod.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Requirements {
    requests: AmountPairs,
    limits: AmountPairs,
}

/// What the kubelet has given to a container that was resized in place.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ContainerStatus {
    name: Option<String>,
    resources: Option<Requirements>,
    allocated_resources: AmountPairs,
}

/// When a container runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Main,
    Init,
    Sidecar,
}

/// Whether it counts what containers have been resized to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Resizes {
    Count,
    Ignore,
}

/// The parts of a pod's request, checked, before they are added up.
struct Parts<'a> {
    containers: Vec<(Role, Amounts<'a>)>,
    /// Requests at the level of the pod, which replace the containers' sum.
    pod_level: Amounts<'a>,
    overhead: Amounts<'a>,
}

/// Reads and adds up what the pod requests.
pub(super) fn read(pod: &PodObject, interner: &mut Interner) -> Result<Usage, Fault> {
    let parts = Parts::read(pod)?;
    let requests = parts.total(&[]);
    let defaults: Vec<(&str, i128)> = NON_ZERO_DEFAULTS
        .into_iter()
        .filter(|(name, _)| parts.pod_level.is_empty() || requests.get(name).is_none())
        .collect();
    let mut scored = sum(&parts.containers, &NON_ZERO_DEFAULTS);
    scored.add(&parts.overhead);
    Ok(Usage {
        non_zero: parts.total(&defaults).non_zero(),
        scored: scored.non_zero(),
        requests: requests.into_resources(interner),
    })
}

/// Adds up the pod's limits, none if it has none (upstream: `component-helpers/resource.PodLimits`).
pub(super) fn read_limits(pod: &PodObject, interner: &mut Interner) -> Result<Option<Box<Resources>>, Fault> {
    let main = pod.spec.containers.iter().map(|container| (Role::Main, container));
    let init =
        pod.spec.init_containers.iter().map(|container| {
            (if container.is_restartable() { Role::Sidecar } else { Role::Init }, container)
        });
    let containers = main.chain(init).map(|(role, container)| Ok((role, container.resources.read_limits()?)));
    let mut limits = sum(&containers.collect::<Result<Vec<_>, Fault>>()?, &[]);
    for (name, amount) in pod.spec.resources.read_limits()?.iter().filter(|(name, _)| is_pod_level(name)) {
        limits.set(name, amount);
    }
    if limits.is_empty() {
        return Ok(None);
    }
    let mut overhead = Amounts::read(&pod.spec.overhead)?;
    for (name, amount) in overhead.clone().iter() {
        // What is not limited is not limited by its overhead.
        overhead.set(name, if limits.get(name).is_some_and(|limit| limit != 0) { amount } else { 0 });
    }
    limits.add(&overhead);
    Ok(Some(Box::new(limits.into_resources(interner))))
}

/// The amounts in force during a resize: the largest of what is wanted, used and granted
/// (upstream: `determineEffectiveRequests`).
fn effective<'a>(
    wanted: Amounts<'a>,
    used: &'a AmountPairs,
    granted: &'a AmountPairs,
    is_refused: bool,
) -> Result<Amounts<'a>, Fault> {
    let mut amounts = if is_refused { Amounts::default() } else { wanted };
    amounts.raise_to(&Amounts::read(used).map_err(|fault| fault.under(format_args!("resources.requests")))?);
    amounts
        .raise_to(&Amounts::read(granted).map_err(|fault| fault.under(format_args!("allocatedResources")))?);
    Ok(amounts)
}

// === impl Requirements ===

impl Requirements {
    /// The requests; a limit without a request is one, as the API server has it.
    fn read(&self) -> Result<Amounts<'_>, Fault> {
        let mut requests = self.read_requests()?;
        requests.default_to(&self.read_limits()?);
        Ok(requests)
    }

    fn read_requests(&self) -> Result<Amounts<'_>, Fault> {
        Amounts::read(&self.requests).map_err(|fault| fault.under(format_args!("resources.requests")))
    }

    fn read_limits(&self) -> Result<Amounts<'_>, Fault> {
        Amounts::read(&self.limits).map_err(|fault| fault.under(format_args!("resources.limits")))
    }
}

// === impl Parts ===

impl<'a> Parts<'a> {
    fn read(pod: &'a PodObject) -> Result<Self, Fault> {
        let overhead = Amounts::read(&pod.spec.overhead);
        Ok(Self {
            containers: read_containers(pod, Resizes::Count)?,
            pod_level: Self::read_pod_level(pod)?,
            overhead: overhead.map_err(|fault| fault.under(format_args!("spec.overhead")))?,
        })
    }

    /// Requests at the level of the pod, and during a resize those in force.
    fn read_pod_level(pod: &'a PodObject) -> Result<Amounts<'a>, Fault> {
        let mut wanted = read_wanted_pod_level(pod)?;
        let Some(used) = &pod.status.resources else {
            return Ok(wanted);
        };
        let granted = &pod.status.allocated_resources;
        let in_force =
            effective(wanted.clone(), &used.requests, granted, is_resize_refused(&pod.status.conditions));
        let in_force = in_force.map_err(|fault| fault.under(format_args!("status")))?;
        for (name, _) in wanted.clone().iter() {
            wanted.set(name, in_force.get(name).unwrap_or(0));
        }
        Ok(wanted)
    }

    /// The pod's request, if a container that lists none of `defaults` requests that.
    fn total(&self, defaults: &[(&'a str, i128)]) -> Amounts<'a> {
        let mut total = sum(&self.containers, defaults);
        for (name, amount) in self.pod_level.iter() {
            total.set(name, amount);
        }
        total.add(&self.overhead);
        total
    }
}

/// Requests at the level of the pod with the API server's defaults, which it makes before anything can be
/// resized (upstream: `defaultHugePagePodLimits`, `defaultPodRequests`).
fn read_wanted_pod_level(pod: &PodObject) -> Result<Amounts<'_>, Fault> {
    let in_spec = |fault: Fault| fault.under(format_args!("spec"));
    let mut wanted = pod.spec.resources.read_requests().map_err(in_spec)?;
    let mut limits = pod.spec.resources.read_limits().map_err(in_spec)?;
    if !(wanted.is_empty() && limits.is_empty()) {
        let containers = read_containers(pod, Resizes::Ignore)?;
        let mut sum = sum(&containers, &[]);
        // What a container requests of huge pages is its limit too.
        for (name, amount) in sum.iter().filter(|(name, _)| is_huge_pages(name)) {
            if wanted.get(name).is_none() && limits.get(name).is_none() {
                limits.set(name, amount);
            }
        }
        if !limits.is_empty() {
            sum.retain(is_overcommittable);
            wanted.default_to(&sum);
            wanted.default_to(&limits);
        }
    }
    wanted.retain(is_pod_level);
    Ok(wanted)
}

/// What containers request together: all containers and sidecars together, or an init container beside the
/// sidecars started before it, whichever is larger (upstream: `AggregateContainerRequests`).
fn sum<'a>(containers: &[(Role, Amounts<'a>)], defaults: &[(&'a str, i128)]) -> Amounts<'a> {
    let defaults = Amounts::of(defaults);
    let mut running = Amounts::default();
    let mut sidecars = Amounts::default();
    let mut starting = Amounts::default();
    for (role, amounts) in containers {
        let mut amounts = amounts.clone();
        amounts.default_to(&defaults);
        match role {
            Role::Main => running.add(&amounts),
            Role::Sidecar => {
                running.add(&amounts);
                sidecars.add(&amounts);
                starting.raise_to(&sidecars);
            }
            Role::Init => {
                amounts.add(&sidecars);
                starting.raise_to(&amounts);
            }
        }
    }
    running.raise_to(&starting);
    running
}

fn read_containers(pod: &PodObject, resizes: Resizes) -> Result<Vec<(Role, Amounts<'_>)>, Fault> {
    let main = pod.spec.containers.iter().enumerate().map(|(idx, container)| {
        let amounts = read_container(pod, container, Role::Main, resizes);
        amounts.map_err(|fault| fault.under(format_args!("spec.containers[{idx}]")))
    });
    let init = pod.spec.init_containers.iter().enumerate().map(|(idx, container)| {
        let role = if container.is_restartable() { Role::Sidecar } else { Role::Init };
        let amounts = read_container(pod, container, role, resizes);
        amounts.map_err(|fault| fault.under(format_args!("spec.initContainers[{idx}]")))
    });
    main.chain(init).collect()
}

/// What a container requests; one that keeps running may have been resized in place.
fn read_container<'a>(
    pod: &'a PodObject,
    container: &'a Container,
    role: Role,
    resizes: Resizes,
) -> Result<(Role, Amounts<'a>), Fault> {
    let wanted = container.resources.read()?;
    let may_be_resized = resizes == Resizes::Count && role != Role::Init;
    let status = if may_be_resized { find_status(pod, container) } else { None };
    let Some((status, used)) = status.and_then(|status| Some((status, status.resources.as_ref()?))) else {
        return Ok((role, wanted));
    };
    let in_force = effective(
        wanted,
        &used.requests,
        &status.allocated_resources,
        is_resize_refused(&pod.status.conditions),
    );
    Ok((role, in_force.map_err(|fault| fault.under(format_args!("status")))?))
}

fn find_status<'a>(pod: &'a PodObject, container: &Container) -> Option<&'a ContainerStatus> {
    let mut statuses = pod.status.init_container_statuses.iter().chain(&pod.status.container_statuses);
    statuses.find(|status| status.name == container.name)
}
