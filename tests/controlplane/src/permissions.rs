//! What accounts may do by their roles, and what they did by the API server's audit log: the difference.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::error::{Context, Error};
use crate::{Component, ControlPlane, Options};

/// The audit log of the service accounts of one namespace.
#[derive(Debug)]
pub struct AuditLog {
    namespace: String,
    path: PathBuf,
}

/// One thing that a role allows an account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Permission {
    /// The service account's name.
    account: String,
    verb: String,
    /// `<resource>[.<group>][/<subresource>]`, as kubectl writes it.
    resource: String,
    /// The only name, if the rule has names.
    name: Option<String>,
    /// The only namespace, if it is a role of a namespace.
    namespace: Option<String>,
}

/// One thing that an account did, or tried to do.
#[derive(Clone, Debug)]
struct Request {
    account: String,
    verb: String,
    resource: String,
    name: String,
    namespace: String,
    is_forbidden: bool,
}

/// What does not match.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Differences {
    /// Granted and not used.
    pub unused: BTreeSet<String>,
    /// Asked for and not granted.
    pub forbidden: BTreeSet<String>,
}

// === impl AuditLog ===

impl AuditLog {
    /// Has the API server write one, of what these accounts of `namespace` do, into `folder`.
    pub fn add(
        options: Options,
        folder: &Path,
        namespace: &str,
        accounts: &[&str],
    ) -> Result<(Self, Options), Error> {
        let users: Vec<String> =
            accounts.iter().map(|account| format!("system:serviceaccount:{namespace}:{account}")).collect();
        let policy = json!({
            "apiVersion": "audit.k8s.io/v1",
            "kind": "Policy",
            "omitStages": ["RequestReceived"],
            "rules": [{"level": "Metadata", "users": users}, {"level": "None"}],
        });
        let (policy_path, path) = (folder.join("audit-policy.json"), folder.join("audit.log"));
        std::fs::write(&policy_path, policy.to_string()).context(|| policy_path.display().to_string())?;
        let flag = |flag: &str, path: &Path| format!("--{flag}={}", path.display());
        let options = options
            .flag(Component::ApiServer, flag("audit-policy-file", &policy_path))
            .flag(Component::ApiServer, flag("audit-log-path", &path));
        Ok((Self { namespace: namespace.to_owned(), path }, options))
    }

    /// What is granted to the accounts and was not used so far, and what they asked for in vain.
    pub fn compare(&self, cluster: &ControlPlane) -> Result<Differences, Error> {
        let text = std::fs::read_to_string(&self.path).context(|| self.path.display().to_string())?;
        // The last line may be on its way.
        let events: Vec<Value> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let list = |kind: &str| cluster.client().get(&format!("/apis/rbac.authorization.k8s.io/v1/{kind}"));
        let mut roles = Vec::new();
        // Lists leave out what the items are.
        for (kind, plural) in [("ClusterRole", "clusterroles"), ("Role", "roles")] {
            roles.extend(items(&list(plural)?["items"]).iter().cloned().map(|mut role| {
                role["kind"] = kind.into();
                role
            }));
        }
        let mut bindings = Vec::new();
        for plural in ["clusterrolebindings", "rolebindings"] {
            bindings.extend_from_slice(items(&list(plural)?["items"]));
        }
        Ok(differences(&self.namespace, &roles, &bindings, &events))
    }
}

/// Compares the roles bound to service accounts of `namespace` with the events of an audit log.
fn differences(namespace: &str, roles: &[Value], bindings: &[Value], events: &[Value]) -> Differences {
    let requests: Vec<Request> = events.iter().flat_map(|event| Request::parse(namespace, event)).collect();
    let unused = granted(namespace, roles, bindings)
        .into_iter()
        .filter(|permission| !requests.iter().any(|request| permission.allows(request)))
        .map(|permission| permission.to_string())
        .collect();
    let forbidden = requests.iter().filter(|request| request.is_forbidden).map(ToString::to_string).collect();
    Differences { unused, forbidden }
}

fn granted(namespace: &str, roles: &[Value], bindings: &[Value]) -> BTreeSet<Permission> {
    let mut permissions = BTreeSet::new();
    for binding in bindings {
        let accounts = strings_at(&binding["subjects"], |subject| {
            (subject["kind"] == "ServiceAccount" && subject["namespace"] == namespace)
                .then(|| text(&subject["name"]))
        });
        let role = roles.iter().find(|role| {
            role["kind"] == binding["roleRef"]["kind"]
                && role["metadata"]["name"] == binding["roleRef"]["name"]
                && (role["kind"] == "ClusterRole"
                    || role["metadata"]["namespace"] == binding["metadata"]["namespace"])
        });
        let scope = binding["metadata"]["namespace"].as_str().map(str::to_owned);
        for account in accounts {
            let rules = role.map_or(&Value::Null, |role| &role["rules"]);
            permissions.extend(items(rules).iter().flat_map(|rule| expand(rule, &account, scope.as_ref())));
        }
    }
    permissions
}

/// A rule is all combinations of its lists.
fn expand(rule: &Value, account: &str, namespace: Option<&String>) -> Vec<Permission> {
    let list = |field: &str| strings_at(&rule[field], |item| Some(text(item)));
    let names: Vec<Option<String>> = list("resourceNames").into_iter().map(Some).collect();
    let names = if names.is_empty() { vec![None] } else { names };
    let mut all = Vec::new();
    for group in list("apiGroups") {
        for resource in list("resources") {
            for verb in list("verbs") {
                all.extend(names.iter().map(|name| Permission {
                    account: account.to_owned(),
                    verb: verb.clone(),
                    resource: full_name(&resource, &group),
                    name: name.clone(),
                    namespace: namespace.cloned(),
                }));
            }
        }
    }
    all
}

/// `resource` may have a subresource behind a slash.
fn full_name(resource: &str, group: &str) -> String {
    let (resource, subresource) = resource.split_once('/').map_or((resource, None), |(a, b)| (a, Some(b)));
    let group = if group.is_empty() { String::new() } else { format!(".{group}") };
    let subresource = subresource.map_or_else(String::new, |name| format!("/{name}"));
    format!("{resource}{group}{subresource}")
}

fn items(list: &Value) -> &[Value] {
    list.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn strings_at(list: &Value, pick: impl Fn(&Value) -> Option<String>) -> Vec<String> {
    items(list).iter().filter_map(pick).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

// === impl Permission ===

impl Permission {
    fn allows(&self, request: &Request) -> bool {
        self.account == request.account
            && self.verb == request.verb
            && self.resource == request.resource
            && self.name.as_ref().is_none_or(|name| *name == request.name)
            && self.namespace.as_ref().is_none_or(|namespace| *namespace == request.namespace)
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { account, verb, resource, name, namespace } = self;
        write!(f, "{account}: {verb} {resource}")?;
        name.as_ref().map_or(Ok(()), |name| write!(f, " {name}"))?;
        namespace.as_ref().map_or(Ok(()), |namespace| write!(f, " in {namespace}"))
    }
}

// === impl Request ===

impl Request {
    /// Of an account of this namespace, for a resource. A patch that made the object took the permission to create
    /// it too (upstream: `endpoints/handlers/patch.go`).
    fn parse(namespace: &str, event: &Value) -> Vec<Self> {
        let patched = Self::read(namespace, event);
        let made = event["verb"] == "patch" && event["responseStatus"]["code"] == 201;
        let made =
            patched.clone().filter(|_| made).map(|request| Self { verb: "create".to_owned(), ..request });
        patched.into_iter().chain(made).collect()
    }

    fn read(namespace: &str, event: &Value) -> Option<Self> {
        let user = event["user"]["username"].as_str()?;
        let account = user.strip_prefix(&format!("system:serviceaccount:{namespace}:"))?;
        let object = &event["objectRef"];
        let resource = object["resource"].as_str()?;
        let with_subresource = match object["subresource"].as_str() {
            Some(subresource) => format!("{resource}/{subresource}"),
            None => resource.to_owned(),
        };
        Some(Self {
            account: account.to_owned(),
            verb: text(&event["verb"]),
            resource: full_name(&with_subresource, object["apiGroup"].as_str().unwrap_or_default()),
            name: text(&object["name"]),
            namespace: text(&object["namespace"]),
            is_forbidden: event["annotations"]["authorization.k8s.io/decision"] == "forbid",
        })
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { account, verb, resource, name, namespace, .. } = self;
        write!(f, "{account}: {verb} {resource} {name:?} in {namespace:?}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn event(account: &str, verb: &str, object: &Value, decision: &str) -> Value {
        json!({
            "user": {"username": format!("system:serviceaccount:edge:{account}")},
            "verb": verb,
            "objectRef": object,
            "annotations": {"authorization.k8s.io/decision": decision},
        })
    }

    #[test]
    fn what_is_granted_and_not_used_and_what_is_used_and_not_granted() {
        let roles = [
            json!({"kind": "ClusterRole", "metadata": {"name": "wide"}, "rules": [
                {"apiGroups": [""], "resources": ["pods", "pods/binding"], "verbs": ["create"]},
                {"apiGroups": ["apps"], "resources": ["replicasets"], "verbs": ["list", "watch", "create"]},
            ]}),
            json!({"kind": "Role", "metadata": {"name": "narrow", "namespace": "edge"}, "rules": [
                {"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["key"], "verbs": ["get"]},
            ]}),
        ];
        let binding = |kind: &str, role: &str, namespace: Value| {
            let subjects = json!([{"kind": "ServiceAccount", "name": "it", "namespace": "edge"}]);
            json!({"metadata": {"namespace": namespace}, "roleRef": {"kind": kind, "name": role}, "subjects": subjects})
        };
        let bindings =
            [binding("ClusterRole", "wide", Value::Null), binding("Role", "narrow", "edge".into())];
        let pod = json!({"resource": "pods", "subresource": "binding", "namespace": "a", "name": "web"});
        let sets = json!({"resource": "replicasets", "apiGroup": "apps"});
        let elsewhere = json!({"resource": "secrets", "namespace": "other", "name": "key"});
        let mut made = event("it", "patch", &sets, "allow");
        made["responseStatus"]["code"] = 201.into();
        let events = [
            event("it", "create", &pod, "allow"),
            event("it", "watch", &sets, "allow"),
            made,
            event("it", "get", &elsewhere, "forbid"),
            event("stranger", "list", &sets, "allow"),
        ];

        let found = differences("edge", &roles, &bindings, &events);

        let unused = ["it: create pods", "it: get secrets key in edge", "it: list replicasets.apps"];
        assert_eq!(found.unused, unused.map(str::to_owned).into());
        assert_eq!(found.forbidden, [r#"it: get secrets "key" in "other""#.to_owned()].into());
    }
}
