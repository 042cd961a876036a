//! The smallest change that would give a pod a place: a wider bound, or a smaller request.

use edge_core::delay::DelayConstraints;
use edge_core::model::{Bytes, Delay, MilliCpu, Pod, Resources};
use edge_core::placement::{NodeSlot, Profile};

use crate::world::{World, relaxed};

/// Anchors, and the bounds that they would have to have.
type Needed = Vec<(String, Delay)>;

/// How many nodes are named.
const NAMED: usize = 3;

/// Changes that would each do alone, in words.
pub(super) fn smallest(world: &mut World, pod: &Pod, profile: &Profile) -> Vec<String> {
    let mut changes = Vec::new();
    changes.extend(wider(world, pod, profile));
    changes.extend(smaller(world, pod, profile, Resource::Memory));
    changes.extend(smaller(world, pod, profile, Resource::Cpu));
    changes
}

/// Which bound would have to be widened, and how far, where that is enough.
fn wider(world: &mut World, pod: &Pod, profile: &Profile) -> Option<String> {
    let constraints = DelayConstraints::of_pod(pod).ok().filter(|it| !it.list.is_empty())?;
    let fits = world.judge(&relaxed(pod), profile).fits;
    world.load_delays(pod);
    let mut best: Option<(u64, Needed, NodeSlot)> = None;
    for slot in fits {
        let mut needed = Needed::new();
        let mut over = 0;
        let mut is_known = true;
        for it in &constraints.list {
            match world.delay_to(pod, it, constraints.replicas, slot) {
                Some(delay) if delay > it.bound => {
                    over += u64::from(delay.as_micros() - it.bound.as_micros());
                    needed.push((it.anchor.to_string(), delay));
                }
                Some(_) => (),
                None => is_known = false,
            }
        }
        if is_known && !needed.is_empty() && best.as_ref().is_none_or(|(least, ..)| over < *least) {
            best = Some((over, needed, slot));
        }
    }
    let (_, needed, slot) = best?;
    let bounds: Vec<String> =
        needed.iter().map(|(anchor, delay)| format!("delay {anchor} {delay} ms")).collect();
    Some(format!("{} → {}", bounds.join(" and "), world.name(slot)))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Resource {
    Memory,
    Cpu,
}

/// How little would have to be requested, where that is enough.
fn smaller(world: &mut World, pod: &Pod, profile: &Profile, resource: Resource) -> Option<String> {
    let mut small = pod.clone();
    match resource {
        Resource::Memory => small.requests = Resources { memory: Bytes(0), ..pod.requests.clone() },
        Resource::Cpu => small.requests = Resources { cpu: MilliCpu(0), ..pod.requests.clone() },
    }
    let fits = world.judge(&small, profile).fits;
    let free = |slot: &NodeSlot| {
        let node = world.snapshot.nodes.get(*slot)?;
        let (all, used) = (&node.node.allocatable, &node.usage.requested);
        Some(match resource {
            Resource::Memory => all.memory.0 - used.memory.0,
            Resource::Cpu => all.cpu.0 - used.cpu.0,
        })
    };
    let mut frees: Vec<(i64, NodeSlot)> = fits.iter().filter_map(|slot| Some((free(slot)?, *slot))).collect();
    frees.sort_unstable_by(|a, b| b.cmp(a));
    let (most, _) = *frees.first()?;
    let wanted = match resource {
        Resource::Memory => pod.requests.memory.0,
        Resource::Cpu => pod.requests.cpu.0,
    };
    if most <= 0 || most >= wanted {
        return None;
    }
    let names = frees.iter().take_while(|(free, _)| *free == most).take(NAMED);
    let names: Vec<String> = names.map(|(_, slot)| world.name(*slot).to_string()).collect();
    let amount = match resource {
        Resource::Memory => format!("requests.memory {}", memory(most)),
        Resource::Cpu => format!("requests.cpu {most}m"),
    };
    Some(format!("{amount} → {}", names.join(", ")))
}

/// The amount in the largest unit that loses nothing that matters, rounded down.
pub(super) fn memory(bytes: i64) -> String {
    const UNITS: [(&str, i64); 3] = [("Gi", 1 << 30), ("Mi", 1 << 20), ("Ki", 1 << 10)];
    let unit = UNITS.iter().find(|(_, size)| bytes >= *size * 8 || bytes >= *size && bytes % *size == 0);
    unit.map_or_else(|| bytes.to_string(), |(name, size)| format!("{}{name}", bytes / size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_shown_in_units_that_can_be_requested() {
        assert_eq!(memory(5 << 30), "5Gi");
        assert_eq!(memory((5 << 30) + (512 << 20)), "5632Mi");
        assert_eq!(memory(9 << 30), "9Gi");
        assert_eq!(memory(100), "100");
    }
}
