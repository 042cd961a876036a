//! The plugins: one file each, one line each in [`REGISTRY`].

pub mod backup_reservation;
pub mod cloud_offload;
pub mod default_binder;
pub mod default_preemption;
pub mod dynamic_resources;
pub mod image_locality;
pub mod inter_pod_affinity;
pub mod network_delay;
pub mod node_affinity;
pub mod node_declared_features;
pub mod node_name;
pub mod node_ports;
pub mod node_resources_balanced_allocation;
pub mod node_resources_fit;
pub mod node_unschedulable;
pub mod node_volume_limits;
pub mod pod_topology_spread;
pub mod priority_sort;
pub mod scheduling_gates;
pub mod taint_toleration;
pub mod vmi_capacity;
pub mod volume_binding;
pub mod volume_restrictions;
pub mod volume_zone;

use super::Plugin;
use super::Point::{
    self, Bind, Filter, PostFilter, PreBind, PreEnqueue, PreFilter, PreScore, QueueSort, Reserve, Score,
};

/// A plugin that profiles can name.
pub struct Registration {
    /// Its name, as upstream has it.
    pub name: &'static str,
    /// Whether it is ours and not one of kube-scheduler's.
    pub is_ours: bool,
    /// The weight of its score where a profile gives none; upstream's for upstream's plugins. 0 means 1.
    pub weight: i32,
    /// The extension points it has.
    pub points: &'static [Point],
    /// Makes it with its default arguments.
    pub build: fn() -> Box<dyn Plugin>,
}

/// All plugins, in the order in which they run (upstream: `apis/config/v1/default_plugins.go`). Ours
/// stand where what can't be changed ends and what is used up begins, so that a node outside the
/// radius is reported as such and not as full.
pub const REGISTRY: &[Registration] = &[
    Registration {
        name: "SchedulingGates",
        is_ours: false,
        weight: 0,
        points: &[PreEnqueue],
        build: || Box::new(scheduling_gates::SchedulingGates),
    },
    Registration {
        name: "PrioritySort",
        is_ours: false,
        weight: 0,
        points: &[QueueSort],
        build: || Box::new(priority_sort::PrioritySort),
    },
    Registration {
        name: "NodeUnschedulable",
        is_ours: false,
        weight: 0,
        points: &[Filter],
        build: || Box::new(node_unschedulable::NodeUnschedulable),
    },
    Registration {
        name: "NodeName",
        is_ours: false,
        weight: 0,
        points: &[Filter],
        build: || Box::new(node_name::NodeName),
    },
    Registration {
        name: "TaintToleration",
        is_ours: false,
        weight: 3,
        points: &[Filter, PreScore, Score],
        build: || Box::new(taint_toleration::TaintToleration),
    },
    Registration {
        name: "NodeAffinity",
        is_ours: false,
        weight: 2,
        points: &[PreFilter, Filter, PreScore, Score],
        build: || Box::<node_affinity::NodeAffinity>::default(),
    },
    Registration {
        name: "NetworkDelay",
        is_ours: true,
        weight: 1,
        points: &[PreFilter, Filter, Score, Reserve],
        build: || Box::new(network_delay::NetworkDelay),
    },
    Registration {
        name: "CloudOffload",
        is_ours: true,
        weight: 5,
        points: &[Filter, Score],
        build: || Box::new(cloud_offload::CloudOffload::default()),
    },
    Registration {
        name: "NodePorts",
        is_ours: false,
        weight: 0,
        points: &[PreFilter, Filter],
        build: || Box::new(node_ports::NodePorts),
    },
    Registration {
        name: "VMICapacity",
        is_ours: true,
        weight: 1,
        points: &[Filter, Score],
        build: || Box::new(vmi_capacity::VmiCapacity::default()),
    },
    Registration {
        name: "NodeResourcesFit",
        is_ours: false,
        weight: 1,
        points: &[PreFilter, Filter, PreScore, Score],
        build: || Box::<node_resources_fit::NodeResourcesFit>::default(),
    },
    Registration {
        name: "VolumeRestrictions",
        is_ours: false,
        weight: 0,
        points: &[PreFilter, Filter],
        build: || Box::new(volume_restrictions::VolumeRestrictions),
    },
    Registration {
        name: "NodeVolumeLimits",
        is_ours: false,
        weight: 0,
        points: &[PreFilter, Filter],
        build: || Box::new(node_volume_limits::NodeVolumeLimits),
    },
    Registration {
        name: "VolumeBinding",
        is_ours: false,
        weight: 0,
        points: &[PreFilter, Filter, PreScore, Score, Reserve, PreBind],
        build: || Box::<volume_binding::VolumeBinding>::default(),
    },
    Registration {
        name: "VolumeZone",
        is_ours: false,
        weight: 0,
        points: &[PreFilter, Filter],
        build: || Box::new(volume_zone::VolumeZone),
    },
    Registration {
        name: "PodTopologySpread",
        is_ours: false,
        weight: 2,
        points: &[PreFilter, Filter, PreScore, Score],
        build: || Box::<pod_topology_spread::PodTopologySpread>::default(),
    },
    Registration {
        name: "InterPodAffinity",
        is_ours: false,
        weight: 2,
        points: &[PreFilter, Filter, PreScore, Score],
        build: || Box::<inter_pod_affinity::InterPodAffinity>::default(),
    },
    Registration {
        name: "DynamicResources",
        is_ours: false,
        weight: 2,
        points: &[PreEnqueue, PreFilter, Filter, PostFilter, Score, Reserve, PreBind],
        build: || Box::new(dynamic_resources::DynamicResources),
    },
    Registration {
        name: "BackupReservation",
        is_ours: true,
        weight: 3,
        points: &[PreFilter, Filter, PreScore, Score, Reserve],
        build: || Box::new(backup_reservation::BackupReservation::off()),
    },
    Registration {
        name: "DefaultPreemption",
        is_ours: false,
        weight: 0,
        points: &[PreEnqueue, PostFilter],
        build: || Box::<default_preemption::DefaultPreemption>::default(),
    },
    Registration {
        name: "NodeResourcesBalancedAllocation",
        is_ours: false,
        weight: 1,
        points: &[PreScore, Score],
        build: || Box::<node_resources_balanced_allocation::NodeResourcesBalancedAllocation>::default(),
    },
    Registration {
        name: "ImageLocality",
        is_ours: false,
        weight: 1,
        points: &[Score],
        build: || Box::new(image_locality::ImageLocality),
    },
    Registration {
        name: "DefaultBinder",
        is_ours: false,
        weight: 0,
        points: &[Bind],
        build: || Box::new(default_binder::DefaultBinder),
    },
    Registration {
        name: "NodeDeclaredFeatures",
        is_ours: false,
        weight: 0,
        points: &[PreFilter, Filter],
        build: || Box::new(node_declared_features::NodeDeclaredFeatures),
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_plugin_is_registered_once_under_its_own_name() {
        for (idx, registration) in REGISTRY.iter().enumerate() {
            assert_eq!((registration.build)().name(), registration.name);
            assert_eq!(REGISTRY.iter().position(|other| other.name == registration.name), Some(idx));
        }
        assert!(REGISTRY.len() <= 64, "a PluginSet holds 64 plugins");
    }
}
