//! A PodDisruptionBudget as the API has it.

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::model::{DisruptionBudget, LabelSelector};

use super::decode::{Pairs, or_default};
use super::error::{Fault, WireError};
use super::intern::Interner;
use super::meta::{Identity, Meta};
use super::selector::LabelSelectorObject;

/// A PodDisruptionBudget as the API has it; only what preemption needs is read.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct DisruptionBudgetObject {
    #[serde(deserialize_with = "or_default")]
    metadata: Meta,
    #[serde(deserialize_with = "or_default")]
    spec: BudgetSpec,
    #[serde(deserialize_with = "or_default")]
    status: BudgetStatus,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct BudgetSpec {
    selector: Option<LabelSelectorObject>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct BudgetStatus {
    disruptions_allowed: Option<i32>,
    disrupted_pods: Pairs<IgnoredAny>,
}

// === impl DisruptionBudgetObject ===

impl DisruptionBudgetObject {
    /// Which object it is.
    pub fn identity(&self) -> Identity {
        self.metadata.identity()
    }

    /// Checks the object and turns it into a budget.
    pub fn into_budget(self, interner: &mut Interner) -> Result<DisruptionBudget, WireError> {
        self.read(interner).map_err(|fault| {
            let name = self.metadata.name.as_deref().unwrap_or("(unnamed)");
            fault.of("poddisruptionbudget", format!("{}/{name}", self.metadata.namespace_or_default()))
        })
    }

    fn read(&self, interner: &mut Interner) -> Result<DisruptionBudget, Fault> {
        let Self { metadata, spec, status } = self;
        let selector = match &spec.selector {
            Some(selector) => {
                selector.read(interner).map_err(|fault| fault.under(format_args!("spec.selector")))?
            }
            None => LabelSelector::default(),
        };
        let disrupted = status.disrupted_pods.0.iter().map(|(name, _)| interner.intern(name)).collect();
        Ok(DisruptionBudget {
            namespace: interner.intern(metadata.namespace_or_default()),
            name: metadata.required_name()?.into(),
            selector,
            allowed: status.disruptions_allowed.unwrap_or(0),
            disrupted,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(object: &str) -> Result<DisruptionBudget, WireError> {
        serde_json::from_str::<DisruptionBudgetObject>(object).unwrap().into_budget(&mut Interner::default())
    }

    #[test]
    fn a_budget_of_the_api_server_is_read() {
        let budget = read(
            r#"{"apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
              "metadata": {"name": "web", "namespace": "shop", "uid": "1"},
              "spec": {"minAvailable": 2, "selector": {"matchLabels": {"app": "web"}}},
              "status": {"currentHealthy": 3, "desiredHealthy": 2, "disruptionsAllowed": 1, "expectedPods": 3,
                "disruptedPods": {"web-1": "2026-01-01T00:00:00Z"}, "conditions": []}}"#,
        )
        .unwrap();
        assert_eq!((&*budget.namespace, &*budget.name, budget.allowed), ("shop", "web", 1));
        assert_eq!(*budget.disrupted, ["web-1".into()]);
        assert!(budget.selects(&[("app", "web")].into_iter().collect()));
        assert!(!budget.selects(&[("app", "db")].into_iter().collect()));
    }

    #[test]
    fn a_budget_without_requirements_selects_no_pod() {
        for selector in ["null", "{}", r#"{"matchLabels": {}, "matchExpressions": null}"#] {
            let object = format!(
                r#"{{"metadata": {{"name": "all"}}, "spec": {{"selector": {selector}}}, "status": null}}"#
            );
            let budget = read(&object).unwrap();
            assert!(!budget.selects(&[("app", "web")].into_iter().collect()), "{selector}");
            assert_eq!((budget.allowed, budget.disrupted.len()), (0, 0));
        }
    }

    #[test]
    fn what_can_not_be_read_is_named() {
        let object = r#"{"metadata": {"name": "web", "namespace": "shop"},
            "spec": {"selector": {"matchExpressions": [{"key": "app", "operator": "Is"}]}}}"#;
        let error = read(object).unwrap_err().to_string();
        assert!(error.contains("shop/web") && error.contains("spec.selector.matchExpressions[0]"), "{error}");
    }
}
