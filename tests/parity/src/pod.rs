//! Pods as data.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::object::map;
use crate::state::push;

/// A `Pod` object as it will be written. The bed gives it its name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Pod(pub Value);

/// A container of a pod.
#[derive(Clone, Debug, PartialEq)]
pub struct Container(pub Value);

/// A pod with one container that requests nothing.
pub fn pod() -> Pod {
    let Container(main) = Container::new("main");
    Pod(json!({"apiVersion": "v1", "kind": "Pod", "metadata": {}, "spec": {"containers": [main]}}))
}

/// A node selector term with one requirement on a label.
pub fn on_label(key: &str, operator: &str, values: &[&str]) -> Value {
    json!({"matchExpressions": [{"key": key, "operator": operator, "values": values}]})
}

/// A node selector term with a requirement on the node's name.
pub fn on_name(operator: &str, name: &str) -> Value {
    json!({"matchFields": [{"key": "metadata.name", "operator": operator, "values": [name]}]})
}

/// A term of affinity to the pods with these labels, in the domains of this node label.
pub fn near(topology: &str, labels: &[(&str, &str)]) -> Value {
    json!({"topologyKey": topology, "labelSelector": {"matchLabels": map(labels)}})
}

/// A constraint on how the pods with these labels are spread over the domains of this node label.
pub fn spread(max_skew: u32, topology: &str, when_unsatisfiable: &str, labels: &[(&str, &str)]) -> Value {
    json!({
        "maxSkew": max_skew,
        "topologyKey": topology,
        "whenUnsatisfiable": when_unsatisfiable,
        "labelSelector": {"matchLabels": map(labels)},
    })
}

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";

// === impl Container ===

impl Container {
    /// A container that requests nothing. Its image is on no node unless a state says so.
    pub fn new(name: &str) -> Self {
        Self(json!({"name": name, "image": "example.com/app:1"}))
    }

    /// Sets its image.
    #[must_use]
    pub fn image(mut self, image: &str) -> Self {
        self.0["image"] = image.into();
        self
    }

    /// Sets a request. Extended resources and huge pages can't be overcommitted, so the limit is the same.
    #[must_use]
    pub fn request(mut self, resource: &str, quantity: &str) -> Self {
        self.0["resources"]["requests"][resource] = quantity.into();
        if !matches!(resource, "cpu" | "memory" | "ephemeral-storage") {
            self = self.limit(resource, quantity);
        }
        self
    }

    /// Sets a limit.
    #[must_use]
    pub fn limit(mut self, resource: &str, quantity: &str) -> Self {
        self.0["resources"]["limits"][resource] = quantity.into();
        self
    }

    /// Adds a port of the node; an empty address is all of them.
    #[must_use]
    pub fn host_port(mut self, port: u16, protocol: &str, ip: &str) -> Self {
        let port = json!({"containerPort": port, "hostPort": port, "protocol": protocol, "hostIP": ip});
        push(&mut self.0["ports"], port);
        self
    }

    /// Makes an init container run on beside the containers.
    #[must_use]
    pub fn sidecar(mut self) -> Self {
        self.0["restartPolicy"] = "Always".into();
        self
    }
}

// === impl Pod ===

impl Pod {
    fn spec(&mut self) -> &mut Value {
        &mut self.0["spec"]
    }

    fn main(mut self, change: impl FnOnce(Container) -> Container) -> Self {
        let main = self.0["spec"]["containers"][0].take();
        self.0["spec"]["containers"][0] = change(Container(main)).0;
        self
    }

    /// Sets a field of the spec.
    #[must_use]
    pub fn with(mut self, field: &str, value: Value) -> Self {
        self.spec()[field] = value;
        self
    }

    /// Sets a request of the first container.
    #[must_use]
    pub fn request(self, resource: &str, quantity: &str) -> Self {
        self.main(|main| main.request(resource, quantity))
    }

    /// Sets a limit of the first container.
    #[must_use]
    pub fn limit(self, resource: &str, quantity: &str) -> Self {
        self.main(|main| main.limit(resource, quantity))
    }

    /// Sets the image of the first container.
    #[must_use]
    pub fn image(self, image: &str) -> Self {
        self.main(|main| main.image(image))
    }

    /// Adds a port of the node to the first container; an empty address is all of them.
    #[must_use]
    pub fn host_port(self, port: u16, protocol: &str, ip: &str) -> Self {
        self.main(|main| main.host_port(port, protocol, ip))
    }

    /// Replaces the first container.
    #[must_use]
    pub fn first(self, container: Container) -> Self {
        self.main(|_| container)
    }

    /// Adds a container.
    #[must_use]
    pub fn container(mut self, container: Container) -> Self {
        push(&mut self.spec()["containers"], container.0);
        self
    }

    /// Adds an init container or a sidecar.
    #[must_use]
    pub fn init(mut self, container: Container) -> Self {
        push(&mut self.spec()["initContainers"], container.0);
        self
    }

    /// Sets a request at the level of the pod.
    #[must_use]
    pub fn pod_request(mut self, resource: &str, quantity: &str) -> Self {
        self.spec()["resources"]["requests"][resource] = quantity.into();
        self
    }

    /// Sets a limit at the level of the pod.
    #[must_use]
    pub fn pod_limit(mut self, resource: &str, quantity: &str) -> Self {
        self.spec()["resources"]["limits"][resource] = quantity.into();
        self
    }

    /// Asks for a label of the node.
    #[must_use]
    pub fn select(mut self, key: &str, value: &str) -> Self {
        self.spec()["nodeSelector"][key] = value.into();
        self
    }

    /// Adds a required term of node affinity; one of them has to match.
    #[must_use]
    pub fn require(mut self, term: Value) -> Self {
        push(&mut self.spec()["affinity"]["nodeAffinity"][REQUIRED]["nodeSelectorTerms"], term);
        self
    }

    /// Adds a preferred term of node affinity.
    #[must_use]
    pub fn prefer(mut self, weight: u32, term: Value) -> Self {
        let mut preferred = json!({"weight": weight});
        preferred["preference"] = term;
        push(&mut self.spec()["affinity"]["nodeAffinity"][PREFERRED], preferred);
        self
    }

    /// Tolerates taints of this key and value. An empty effect is every effect, no value is any value and an empty key
    /// with it is any key.
    #[must_use]
    pub fn tolerate(mut self, key: &str, value: Option<&str>, effect: &str) -> Self {
        let operator = if value.is_some() { "Equal" } else { "Exists" };
        let toleration = json!({"key": key, "operator": operator, "value": value, "effect": effect});
        push(&mut self.spec()["tolerations"], toleration);
        self
    }

    /// Adds a volume.
    #[must_use]
    pub fn volume(mut self, mut volume: Value) -> Self {
        let count = self.spec()["volumes"].as_array().map_or(0, Vec::len);
        volume["name"] = format!("volume-{count}").into();
        push(&mut self.spec()["volumes"], volume);
        self
    }

    /// Adds a volume that is a claim.
    #[must_use]
    pub fn claim(self, name: &str) -> Self {
        self.volume(json!({"persistentVolumeClaim": {"claimName": name}}))
    }

    /// Sets a label.
    #[must_use]
    pub fn label(mut self, key: &str, value: &str) -> Self {
        self.0["metadata"]["labels"][key] = value.into();
        self
    }

    /// Puts a placed pod into this namespace.
    #[must_use]
    pub fn in_namespace(mut self, namespace: &str) -> Self {
        self.0["metadata"]["namespace"] = namespace.into();
        self
    }

    /// Has this controller own it.
    #[must_use]
    pub fn owned_by(mut self, version: &str, kind: &str, name: &str) -> Self {
        let owner =
            json!({"apiVersion": version, "kind": kind, "name": name, "uid": name, "controller": true});
        push(&mut self.0["metadata"]["ownerReferences"], owner);
        self
    }

    /// Must be near the pods of this term.
    #[must_use]
    pub fn near(mut self, term: Value) -> Self {
        push(&mut self.spec()["affinity"]["podAffinity"][REQUIRED], term);
        self
    }

    /// Must not be near the pods of this term.
    #[must_use]
    pub fn away_from(mut self, term: Value) -> Self {
        push(&mut self.spec()["affinity"]["podAntiAffinity"][REQUIRED], term);
        self
    }

    /// Would rather be near the pods of this term.
    #[must_use]
    pub fn rather_near(mut self, weight: u32, term: Value) -> Self {
        let mut preferred = json!({"weight": weight});
        preferred["podAffinityTerm"] = term;
        push(&mut self.spec()["affinity"]["podAffinity"][PREFERRED], preferred);
        self
    }

    /// Would rather not be near the pods of this term.
    #[must_use]
    pub fn rather_away_from(mut self, weight: u32, term: Value) -> Self {
        let mut preferred = json!({"weight": weight});
        preferred["podAffinityTerm"] = term;
        push(&mut self.spec()["affinity"]["podAntiAffinity"][PREFERRED], preferred);
        self
    }

    /// Whether the nodes that it selects are those that it is spread over, so that a pinned copy is another pod.
    pub(crate) fn is_spread_by_its_selector(&self) -> bool {
        let constraints = self.0["spec"]["topologySpreadConstraints"].as_array();
        constraints.into_iter().flatten().any(|constraint| {
            constraint["whenUnsatisfiable"] == "DoNotSchedule" && constraint["nodeAffinityPolicy"] != "Ignore"
        })
    }

    /// Adds a topology spread constraint.
    #[must_use]
    pub fn spread(mut self, constraint: Value) -> Self {
        push(&mut self.spec()["topologySpreadConstraints"], constraint);
        self
    }

    /// Adds a scheduling gate.
    #[must_use]
    pub fn gate(mut self, name: &str) -> Self {
        push(&mut self.spec()["schedulingGates"], json!({"name": name}));
        self
    }

    /// Sets a field of the status, for a pod that is placed.
    #[must_use]
    pub fn status(mut self, field: &str, value: Value) -> Self {
        self.0["status"][field] = value;
        self
    }
}
