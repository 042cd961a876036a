//! The PodDisruptionBudgets, by namespace.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::model::{DisruptionBudget, Name, Pod};

/// The PodDisruptionBudgets of the cluster.
#[derive(Debug, Default)]
pub struct Budgets {
    by_namespace: HashMap<Name, BTreeMap<Name, DisruptionBudget>>,
}

// === impl Budgets ===

impl Budgets {
    /// Adds or replaces a budget.
    pub fn put(&mut self, budget: DisruptionBudget) {
        self.by_namespace.entry(budget.namespace.clone()).or_default().insert(budget.name.clone(), budget);
    }

    /// Takes a budget away.
    pub fn remove(&mut self, namespace: &str, name: &str) {
        if let Some(budgets) = self.by_namespace.get_mut(namespace) {
            budgets.remove(name);
            if budgets.is_empty() {
                self.by_namespace.remove(namespace);
            }
        }
    }

    /// Takes all budgets away.
    pub fn clear(&mut self) {
        self.by_namespace.clear();
    }

    /// Parts pods that are to be taken away into those for which a budget has nothing left by then and the
    /// others; in either the order stays. Upstream: `filterPodsWithPDBViolation`.
    pub fn part(&self, pods: Vec<Arc<Pod>>) -> (Vec<Arc<Pod>>, Vec<Arc<Pod>>) {
        let mut left = HashMap::new();
        pods.into_iter().partition(|pod| self.takes_too_many(pod, &mut left))
    }

    /// Counts the pod in each of its budgets; whether one of them has less than nothing `left` then.
    fn takes_too_many<'a>(&'a self, pod: &Pod, left: &mut HashMap<(&'a Name, &'a Name), i32>) -> bool {
        let budgets = self.by_namespace.get(&pod.key.namespace);
        let budgets = budgets.into_iter().flat_map(BTreeMap::values);
        let mut too_many = false;
        for budget in budgets.filter(|budget| budget.selects(&pod.labels)) {
            // It was counted by the server already.
            if budget.disrupted.contains(&pod.key.name) {
                continue;
            }
            let left = left.entry((&budget.namespace, &budget.name)).or_insert(budget.allowed);
            *left = left.saturating_sub(1);
            too_many |= *left < 0;
        }
        too_many
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{LabelSelector, Requirement, RequirementOp};

    /// A budget named by the value of the label `app` that it selects.
    fn budget(namespace: &str, app: &str, allowed: i32, disrupted: &[&str]) -> DisruptionBudget {
        let requirement =
            Requirement { key: "app".into(), op: RequirementOp::In, values: [app.into()].into() };
        DisruptionBudget {
            namespace: namespace.into(),
            name: app.into(),
            selector: LabelSelector::All([requirement].into()),
            allowed,
            disrupted: disrupted.iter().map(|name| (*name).into()).collect(),
        }
    }

    /// `pods` as `<name>:<app>`, in the namespace `default`; those that break a budget stand first.
    #[track_caller]
    fn check(budgets: &[DisruptionBudget], pods: &str, expected: &str) {
        let mut all = Budgets::default();
        budgets.iter().cloned().for_each(|budget| all.put(budget));
        let pods = pods.split(' ').map(|pod| {
            let (name, app) = pod.split_once(':').unwrap();
            let labels = if app.is_empty() { Vec::new() } else { vec![("app", app)] };
            Arc::new(Pod { labels: labels.into_iter().collect(), ..Pod::pending("default", name) })
        });
        let (violating, others) = all.part(pods.collect());
        let names = |pods: &[Arc<Pod>]| pods.iter().map(|pod| &*pod.key.name).collect::<Vec<_>>().join(" ");
        assert_eq!(format!("{} | {}", names(&violating), names(&others)), expected);
    }

    #[test]
    fn a_budget_is_used_up_in_the_order_of_the_pods() {
        check(&[], "a:web b:db", " | a b");
        check(&[budget("default", "web", 1, &[])], "a:web b:db c:web d:web", "c d | a b");
        check(&[budget("default", "web", 0, &[])], "a:web b:", "a | b");
        check(&[budget("other", "web", 0, &[])], "a:web", " | a");
    }

    #[test]
    fn a_pod_whose_going_is_counted_uses_nothing_up() {
        check(&[budget("default", "web", 0, &["a"])], "a:web b:web", "b | a");
    }

    #[test]
    fn every_budget_of_a_pod_counts() {
        let web = budget("default", "web", 5, &[]);
        let tight = DisruptionBudget { name: "tight".into(), allowed: 1, ..web.clone() };
        check(&[web, tight], "a:web b:web", "b | a");
    }

    #[test]
    fn budgets_come_and_go() {
        let mut budgets = Budgets::default();
        budgets.put(budget("default", "web", 0, &[]));
        budgets.remove("default", "web");
        budgets.remove("default", "web");
        assert!(budgets.by_namespace.is_empty());
    }
}
