//! One case: what the rules reserve, and the bounds.

use edge_core::cover::{Bound, Effort, Freedom, Kind, bound};

use crate::bme::Bme;
use crate::covering::Covering;
use crate::row::Row;
use crate::world::Workload;

/// The share of the pods that re-optimisation may move.
const MOVED_ONE_OF: usize = 10;
const EFFORT: Effort = Effort { rounds: 400, tolerance: 0.002 };
/// Where pods may be anywhere a round takes much longer.
const FREE_EFFORT: Effort = Effort { rounds: 250, tolerance: 0.005 };

/// Measures one case: a row for each resource.
pub(crate) fn measure(workload: &Workload, steps: usize) -> Vec<Row> {
    let bme = Bme::of(workload);
    let (online, p99) = Covering::online(workload, steps);
    let (backups, took_backups) = online.improved(0);
    let (moved, took_moved) = online.improved(workload.pods.len() / MOVED_ONE_OF);
    let bounds = bound(&online.problem(), Freedom::Backups, EFFORT);
    let bounds_moved = bound(&moved.problem(), Freedom::Backups, EFFORT);
    let free = bound(&online.problem(), Freedom::Pods, FREE_EFFORT);
    let wrong = [&online, &backups, &moved].iter().map(|it| it.wrong()).sum::<usize>() + bme.left_out;
    let demand = online.demand();
    let radii = workload.pods.iter().map(|arrival| arrival.radius.len());
    let radius = radii.sum::<usize>() as f64 / workload.pods.len() as f64;
    let known = bounds.iter().filter_map(|bound| Some((&bound.kind, name(&bound.kind)?)));
    let rows = known.map(|(kind, name)| {
        let share = |part: i64| 100.0 * part as f64 / kind.of(&demand) as f64;
        let lower =
            |bounds: &[Bound]| bounds.iter().find(|it| it.kind == *kind).map_or(0.0, |it| share(it.lower));
        let is_memory = *kind == Kind::Memory;
        Row {
            topology: workload.topology.clone(),
            nodes: workload.nodes.len(),
            sizes: workload.sizes.name().to_owned(),
            resource: name.to_owned(),
            pods: workload.pods.len(),
            radius,
            bme: is_memory.then(|| (share(bme.reserves), share(bme.needs))),
            online: share(kind.of(&online.reserved())),
            backups: share(kind.of(&backups.reserved())),
            moved: share(kind.of(&moved.reserved())),
            bound: lower(&bounds),
            bound_moved: lower(&bounds_moved),
            free: lower(&free),
            wrong,
            times: [
                p99.as_secs_f64() * 1e6,
                took_backups.as_secs_f64() * 1e3,
                took_moved.as_secs_f64() * 1e3,
            ],
        }
    });
    rows.collect()
}

fn name(kind: &Kind) -> Option<&'static str> {
    match kind {
        Kind::Memory => Some("memory"),
        Kind::Cpu => Some("cpu"),
        Kind::EphemeralStorage | Kind::Scalar(_) => None,
    }
}
