//! Objects that pods and nodes are judged by, beside themselves.

use std::collections::HashSet;

use super::{Change, State, Watched};
use crate::model::{DisruptionBudget, Name, Namespace, PodSelector, SelectorKind, Time};
use crate::placement::ClusterEvent;

// === impl State ===

impl State {
    pub(super) fn apply_namespaces(&mut self, change: Change<Namespace>, now: Time) {
        match change {
            Change::Reset(namespaces) => {
                let listed: HashSet<&Name> = namespaces.iter().map(|namespace| &namespace.name).collect();
                let known = self.snapshot.namespaces.keys();
                let unlisted: Vec<Name> = known.filter(|name| !listed.contains(name)).cloned().collect();
                for name in unlisted {
                    self.namespace_gone(&name, now);
                }
                for namespace in namespaces {
                    self.put_namespace(namespace, now);
                }
                self.listed.insert(Watched::Namespaces);
            }
            Change::Put(namespace) => self.put_namespace(*namespace, now),
            Change::Gone(namespace) => self.namespace_gone(&namespace.name, now),
        }
    }

    /// A budget cures no rejection: it only has a say in which pods are taken away.
    pub(super) fn apply_budgets(&mut self, change: Change<DisruptionBudget>) {
        let budgets = &mut self.snapshot.budgets;
        match change {
            Change::Reset(listed) => {
                budgets.clear();
                for budget in listed {
                    budgets.put(budget);
                }
                self.listed.insert(Watched::DisruptionBudgets);
            }
            Change::Put(budget) => budgets.put(*budget),
            Change::Gone(budget) => budgets.remove(&budget.namespace, &budget.name),
        }
    }

    pub(super) fn apply_selectors(&mut self, kind: SelectorKind, change: Change<PodSelector>, now: Time) {
        match change {
            Change::Reset(objects) => {
                let listed: HashSet<(&Name, &Name)> =
                    objects.iter().map(|object| (&object.namespace, &object.name)).collect();
                let mut unlisted = self.snapshot.selectors.names(kind);
                unlisted.retain(|(namespace, name)| !listed.contains(&(namespace, name)));
                for (namespace, name) in unlisted {
                    self.selector_gone(kind, &namespace, &name, now);
                }
                for object in objects {
                    self.put_selector(object, now);
                }
                self.listed.insert(watched(kind));
            }
            Change::Put(object) => self.put_selector(*object, now),
            Change::Gone(object) => self.selector_gone(kind, &object.namespace, &object.name, now),
        }
    }

    fn put_selector(&mut self, object: PodSelector, now: Time) {
        let namespace = object.namespace.clone();
        if self.snapshot.selectors.put(object) {
            self.wake(&ClusterEvent::SelectorChanged { namespace: &namespace }, now);
        }
    }

    fn selector_gone(&mut self, kind: SelectorKind, namespace: &Name, name: &Name, now: Time) {
        if self.snapshot.selectors.remove(kind, namespace, name) {
            self.wake(&ClusterEvent::SelectorChanged { namespace }, now);
        }
    }

    fn put_namespace(&mut self, namespace: Namespace, now: Time) {
        let Namespace { name, labels } = namespace;
        let old = self.snapshot.namespaces.insert(name.clone(), labels.clone());
        if old.as_ref() != Some(&labels) {
            let event = ClusterEvent::NamespaceChanged { name: &name, old: old.as_ref(), new: Some(&labels) };
            self.wake(&event, now);
        }
    }

    fn namespace_gone(&mut self, name: &Name, now: Time) {
        if let Some(old) = self.snapshot.namespaces.remove(name) {
            self.wake(&ClusterEvent::NamespaceChanged { name, old: Some(&old), new: None }, now);
        }
    }
}

/// The kind as it is watched.
fn watched(kind: SelectorKind) -> Watched {
    match kind {
        SelectorKind::Service => Watched::Services,
        SelectorKind::ReplicationController => Watched::ReplicationControllers,
        SelectorKind::ReplicaSet => Watched::ReplicaSets,
        SelectorKind::StatefulSet => Watched::StatefulSets,
    }
}
