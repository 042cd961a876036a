//! The profiles by which both judge: one configuration, read by each with its own code.

use edge_core::placement::Profile;
use edge_scheduler::config::Configuration;
use serde_json::{Value, json};

use crate::Error;

/// The profile of pods that name none.
pub(crate) const DEFAULT: &str = "default-scheduler";
/// The profiles with arguments, weights and plugins of their own, by name.
pub const VARIANTS: [&str; 4] = ["spread-by-list", "packed", "by-ratio", "reweighted"];
/// A profile that binds a pod to the node it selects, whatever the node is like.
pub(crate) const CANARY: &str = "canary";

/// The configuration, as JSON, which is YAML.
pub(crate) fn configuration() -> String {
    let canary: Vec<Value> =
        ["PrioritySort", "NodeAffinity", "DefaultBinder"].map(|name| json!({"name": name})).into();
    let canary = json!({
        "schedulerName": CANARY,
        "plugins": {"multiPoint": {"disabled": [{"name": "*"}], "enabled": canary}},
    });
    json!({
        "apiVersion": "kubescheduler.config.k8s.io/v1",
        "kind": "KubeSchedulerConfiguration",
        "clientConnection": {"qps": 10_000, "burst": 10_000},
        "percentageOfNodesToScore": 100,
        "profiles": [
            {"schedulerName": DEFAULT},
            spread_by_list(),
            packed(),
            by_ratio(),
            reweighted(),
            canary,
        ],
    })
    .to_string()
}

/// Our profiles, made from the configuration.
pub(crate) fn ours() -> Result<Vec<Profile>, Error> {
    let profiles = Configuration::read(&configuration()).and_then(|configuration| configuration.profiles());
    profiles.map_err(|error| Error::Configuration(error.to_string()))
}

fn args(name: &str, args: &Value) -> Value {
    json!({"name": name, "args": args})
}

fn spread_by_list() -> Value {
    let constraint = |skew: u32, key: &str, otherwise: &str| json!({"maxSkew": skew, "topologyKey": key, "whenUnsatisfiable": otherwise});
    let constraints =
        [constraint(1, "zone", "DoNotSchedule"), constraint(2, "kubernetes.io/hostname", "ScheduleAnyway")];
    json!({
        "schedulerName": VARIANTS[0],
        "pluginConfig": [args("PodTopologySpread", &json!({"defaultingType": "List", "defaultConstraints": constraints}))],
    })
}

fn packed() -> Value {
    let resources = json!([{"name": "cpu", "weight": 3}, {"name": "memory", "weight": 1}, {"name": "example.com/gpu", "weight": 5}]);
    json!({
        "schedulerName": VARIANTS[1],
        "pluginConfig": [
            args("NodeResourcesFit", &json!({"scoringStrategy": {"type": "MostAllocated", "resources": resources}})),
            args("NodeResourcesBalancedAllocation", &json!({"resources": [{"name": "cpu", "weight": 1}, {"name": "ephemeral-storage", "weight": 1}]})),
            args("InterPodAffinity", &json!({"hardPodAffinityWeight": 60, "ignorePreferredTermsOfExistingPods": true})),
        ],
    })
}

fn by_ratio() -> Value {
    let shape = json!([{"utilization": 0, "score": 2}, {"utilization": 40, "score": 9}, {"utilization": 100, "score": 0}]);
    let strategy = json!({
        "type": "RequestedToCapacityRatio",
        "resources": [{"name": "cpu", "weight": 1}, {"name": "memory", "weight": 2}],
        "requestedToCapacityRatio": {"shape": shape},
    });
    let preferred = json!([{
        "weight": 30,
        "preference": {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["east"]}]},
    }]);
    json!({
        "schedulerName": VARIANTS[2],
        "pluginConfig": [
            args("NodeResourcesFit", &json!({
                "scoringStrategy": strategy,
                "ignoredResources": ["example.com/nic"],
                "ignoredResourceGroups": ["other.example.com"],
            })),
            args("NodeAffinity", &json!({"addedAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": preferred}})),
            args("InterPodAffinity", &json!({"hardPodAffinityWeight": 0})),
        ],
    })
}

fn reweighted() -> Value {
    json!({
        "schedulerName": VARIANTS[3],
        "plugins": {
            "score": {
                "disabled": [{"name": "ImageLocality"}, {"name": "NodeResourcesBalancedAllocation"}],
                "enabled": [{"name": "NodeResourcesFit", "weight": 7}],
            },
            "filter": {"disabled": [{"name": "NodePorts"}]},
            "multiPoint": {"enabled": [{"name": "TaintToleration", "weight": 11}]},
        },
        "pluginConfig": [
            args("DefaultPreemption", &json!({"minCandidateNodesPercentage": 100, "minCandidateNodesAbsolute": 1})),
        ],
    })
}
