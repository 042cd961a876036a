//! What selects pods, to spread by default the pods that belong together (upstream:
//! `plugins/helper/spread.go`).

use std::collections::HashMap;

use crate::model::{LabelSelector, Name, Pod, PodSelector, Requirement, SelectorKind};

/// The selectors of Services, ReplicationControllers, ReplicaSets and StatefulSets.
#[derive(Debug, Default)]
pub struct Selectors {
    by_namespace: HashMap<Name, OfNamespace>,
}

#[derive(Debug, Default)]
struct OfNamespace {
    services: HashMap<Name, LabelSelector>,
    controllers: HashMap<(SelectorKind, Name), LabelSelector>,
}

// === impl Selectors ===

impl Selectors {
    /// The selector of the pods that are spread together with this one: of those that have the labels that
    /// its Services and its controller select by. Empty if nothing selects it (upstream: `DefaultSelector`).
    pub fn of_pod(&self, pod: &Pod) -> LabelSelector {
        let mut requirements = Vec::new();
        if let Some(selectors) = self.by_namespace.get(&pod.key.namespace) {
            let services = selectors.services.values().filter(|selector| selector.matches(&pod.labels));
            requirements.extend(services.flat_map(LabelSelector::requirements).cloned());
            let controller = controller_of(pod);
            let of_controller = controller.as_ref().and_then(|key| selectors.controllers.get(key));
            if let (Some((SelectorKind::ReplicationController, _)), Some(its)) = (&controller, of_controller)
            {
                // Upstream merges the two as maps, so the controller's value of a label replaces the Services'.
                requirements
                    .retain(|known: &Requirement| its.requirements().all(|other| other.key != known.key));
            }
            requirements.extend(of_controller.into_iter().flat_map(LabelSelector::requirements).cloned());
        }
        LabelSelector::All(requirements.into())
    }

    /// Adds or replaces an object. Whether that changes anything.
    pub fn put(&mut self, object: PodSelector) -> bool {
        let PodSelector { kind, namespace, name, selector } = object;
        let selectors = self.by_namespace.entry(namespace).or_default();
        let old = match kind {
            SelectorKind::Service => selectors.services.insert(name, selector.clone()),
            _ => selectors.controllers.insert((kind, name), selector.clone()),
        };
        old != Some(selector)
    }

    /// Takes an object away. Whether it was there.
    pub fn remove(&mut self, kind: SelectorKind, namespace: &Name, name: &Name) -> bool {
        let Some(selectors) = self.by_namespace.get_mut(namespace) else { return false };
        let old = match kind {
            SelectorKind::Service => selectors.services.remove(name),
            _ => selectors.controllers.remove(&(kind, name.clone())),
        };
        if selectors.services.is_empty() && selectors.controllers.is_empty() {
            self.by_namespace.remove(namespace);
        }
        old.is_some()
    }

    /// Namespace and name of every object of a kind.
    pub fn names(&self, kind: SelectorKind) -> Vec<(Name, Name)> {
        let mut names = Vec::new();
        for (namespace, selectors) in &self.by_namespace {
            let controllers = selectors.controllers.keys().filter(|(other, _)| *other == kind);
            let services = selectors.services.keys().filter(|_| kind == SelectorKind::Service);
            let of_kind = services.chain(controllers.map(|(_, name)| name));
            names.extend(of_kind.map(|name| (namespace.clone(), name.clone())));
        }
        names.sort_unstable();
        names
    }
}

/// The key of the pod's controller, if that is of a kind whose selector counts.
fn controller_of(pod: &Pod) -> Option<(SelectorKind, Name)> {
    let owner = pod.owner.as_ref()?;
    let kinds = [SelectorKind::ReplicationController, SelectorKind::ReplicaSet, SelectorKind::StatefulSet];
    let kind = kinds.into_iter().find(|kind| kind.as_str() == &*owner.kind)?;
    Some((kind, owner.name.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Labels, Owner};

    fn object(kind: SelectorKind, name: &str, labels: &[(&str, &str)]) -> PodSelector {
        let selector = LabelSelector::from(&labels.iter().copied().collect::<Labels>());
        PodSelector { kind, namespace: "default".into(), name: name.into(), selector }
    }

    #[track_caller]
    fn check(selectors: &Selectors, pod: &Pod, expected: &[(&str, &str)]) {
        let found = selectors.of_pod(pod);
        let mut found: Vec<_> = found.requirements().map(|it| (&*it.key, &*it.values[0])).collect();
        found.sort_unstable();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_pod_is_spread_with_those_of_its_services_and_its_controller() {
        let mut selectors = Selectors::default();
        assert!(selectors.put(object(SelectorKind::Service, "web", &[("app", "web")])));
        assert!(!selectors.put(object(SelectorKind::Service, "web", &[("app", "web")])));
        assert!(selectors.put(object(SelectorKind::Service, "db", &[("app", "db")])));
        assert!(selectors.put(object(SelectorKind::ReplicaSet, "web-1", &[("hash", "1")])));
        assert!(selectors.put(object(SelectorKind::StatefulSet, "web-1", &[("set", "1")])));
        let labels: Labels = [("app", "web")].into_iter().collect();
        let pod = Pod { labels, ..Pod::pending("default", "web-1-x") };
        check(&selectors, &pod, &[("app", "web")]);
        let owned = |kind: &str| Pod {
            owner: Some(Owner { kind: kind.into(), name: "web-1".into() }),
            ..pod.clone()
        };
        check(&selectors, &owned("ReplicaSet"), &[("app", "web"), ("hash", "1")]);
        check(&selectors, &owned("StatefulSet"), &[("app", "web"), ("set", "1")]);
        selectors.put(object(
            SelectorKind::ReplicationController,
            "web-1",
            &[("app", "other"), ("version", "1")],
        ));
        check(&selectors, &owned("ReplicationController"), &[("app", "other"), ("version", "1")]);
        check(&selectors, &owned("Job"), &[("app", "web")]);
        check(&selectors, &Pod { key: crate::model::PodKey::new("other", "p"), ..pod.clone() }, &[]);
        check(&selectors, &Pod::pending("default", "p"), &[]);
        assert_eq!(selectors.names(SelectorKind::Service).len(), 2);
        assert!(selectors.remove(SelectorKind::Service, &"default".into(), &"web".into()));
        assert!(!selectors.remove(SelectorKind::Service, &"default".into(), &"web".into()));
        check(&selectors, &owned("ReplicaSet"), &[("hash", "1")]);
    }
}
