//! Objects of the API as JSON, of the kinds that an installation has.

use std::fmt;

use serde_json::Value;

/// An object of the API.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Object(Value);

/// A kind of objects that an installation has.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    /// As in `kind`.
    pub(crate) name: &'static str,
    /// As in `apiVersion`.
    pub(crate) api_version: &'static str,
    /// As in paths.
    pub(crate) plural: &'static str,
    /// Whether its objects are in namespaces.
    pub(crate) is_namespaced: bool,
}

/// Why something is no object of ours.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum ObjectError {
    /// It has no kind or name.
    #[error("an object needs apiVersion, kind and metadata.name")]
    Incomplete,
    /// Installations have no such objects.
    #[error("{0} is no kind that an installation has")]
    Kind(String),
}

/// The kinds, in the order in which they are applied. They go in the opposite order.
pub(crate) const KINDS: [Kind; 17] = [
    kind("Namespace", "v1", "namespaces", false),
    kind("CustomResourceDefinition", "apiextensions.k8s.io/v1", "customresourcedefinitions", false),
    kind(
        "ValidatingAdmissionPolicy",
        "admissionregistration.k8s.io/v1",
        "validatingadmissionpolicies",
        false,
    ),
    kind(
        "ValidatingAdmissionPolicyBinding",
        "admissionregistration.k8s.io/v1",
        "validatingadmissionpolicybindings",
        false,
    ),
    kind("PriorityClass", "scheduling.k8s.io/v1", "priorityclasses", false),
    kind("ResourceQuota", "v1", "resourcequotas", true),
    kind("ServiceAccount", "v1", "serviceaccounts", true),
    kind("ClusterRole", "rbac.authorization.k8s.io/v1", "clusterroles", false),
    kind("ClusterRoleBinding", "rbac.authorization.k8s.io/v1", "clusterrolebindings", false),
    kind("Role", "rbac.authorization.k8s.io/v1", "roles", true),
    kind("RoleBinding", "rbac.authorization.k8s.io/v1", "rolebindings", true),
    kind("ConfigMap", "v1", "configmaps", true),
    kind("Secret", "v1", "secrets", true),
    kind("Lease", "coordination.k8s.io/v1", "leases", true),
    kind("PodDisruptionBudget", "policy/v1", "poddisruptionbudgets", true),
    kind("Deployment", "apps/v1", "deployments", true),
    kind("DaemonSet", "apps/v1", "daemonsets", true),
];

const fn kind(
    name: &'static str,
    api_version: &'static str,
    plural: &'static str,
    is_namespaced: bool,
) -> Kind {
    Kind { name, api_version, plural, is_namespaced }
}

// === impl Kind ===

impl Kind {
    /// The kind of this name.
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        KINDS.iter().find(|kind| kind.name == name)
    }

    /// The group of the API; empty for the core's.
    pub(crate) fn group(&self) -> &'static str {
        self.api_version.split_once('/').map_or("", |(group, _)| group)
    }

    /// Where objects of this kind are, in a namespace if one is given.
    pub(crate) fn path(&self, namespace: Option<&str>) -> String {
        let root = if self.group().is_empty() { "/api" } else { "/apis" };
        match namespace.filter(|_| self.is_namespaced) {
            Some(namespace) => {
                format!("{root}/{}/namespaces/{namespace}/{}", self.api_version, self.plural)
            }
            None => format!("{root}/{}/{}", self.api_version, self.plural),
        }
    }
}

// === impl Object ===

impl Object {
    /// An object of a kind that an installation has.
    pub(crate) fn new(value: Value) -> Result<Self, ObjectError> {
        let object = Self(value);
        let (kind, version) = (object.text("/kind"), object.text("/apiVersion"));
        if kind.is_empty() || version.is_empty() || object.name().is_empty() {
            return Err(ObjectError::Incomplete);
        }
        match Kind::named(kind) {
            Some(known) if known.api_version == version => Ok(object),
            _ => Err(ObjectError::Kind(format!("{kind} of {version}"))),
        }
    }

    /// What it is made of.
    pub(crate) fn value(&self) -> &Value {
        &self.0
    }

    /// What it is made of, to be changed.
    pub(crate) fn value_mut(&mut self) -> &mut Value {
        &mut self.0
    }

    /// What kind it is.
    pub(crate) fn kind(&self) -> &'static Kind {
        // `new` has seen that it is one of them.
        Kind::named(self.text("/kind")).unwrap_or(&KINDS[0])
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        self.text("/metadata/name")
    }

    /// Its namespace, if it is in one.
    pub(crate) fn namespace(&self) -> Option<&str> {
        self.0.pointer("/metadata/namespace").and_then(Value::as_str)
    }

    /// A text within it; empty if it is not there.
    pub(crate) fn text(&self, pointer: &str) -> &str {
        self.0.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    /// Where it is.
    pub(crate) fn path(&self) -> String {
        format!("{}/{}", self.kind().path(self.namespace()), self.name())
    }

    /// Whether both are of the same kind, name and namespace.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.kind() == other.kind() && self.name() == other.name() && self.namespace() == other.namespace()
    }
}

/// As kubectl names objects: `deployment.apps/edge-scheduler`.
impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind();
        let dot = if kind.group().is_empty() { "" } else { "." };
        write!(f, "{}{dot}{}/{}", kind.name.to_lowercase(), kind.group(), self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_object_says_where_it_is() {
        let check = |value: Value, path: &str, shown: &str| {
            let object = Object::new(value).unwrap();
            assert_eq!((object.path().as_str(), object.to_string().as_str()), (path, shown));
        };
        check(
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "edge-system"}}),
            "/api/v1/namespaces/edge-system",
            "namespace/edge-system",
        );
        check(
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a", "namespace": "b"}}),
            "/apis/apps/v1/namespaces/b/deployments/a",
            "deployment.apps/a",
        );
    }

    #[test]
    fn what_is_no_object_of_ours_is_told() {
        let refused = |value: Value| Object::new(value).unwrap_err().to_string();
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}});
        assert_eq!(refused(pod), "Pod of v1 is no kind that an installation has");
        let incomplete = json!({"apiVersion": "v1", "kind": "ConfigMap"});
        assert_eq!(refused(incomplete), "an object needs apiVersion, kind and metadata.name");
    }
}
