//! What an installation is shown as.

use serde::Serialize;
use serde_json::Value;

use super::DryRun;
use crate::failure::Failure;
use crate::installation::manifests;
use crate::installation::object::Object;
use crate::installation::plan::{Change, Plan};
use crate::installation::rollout::Rollout;
use crate::look::Look;
use crate::view::{API_VERSION, Report};

/// What was done.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct InstallReport {
    api_version: &'static str,
    kind: &'static str,
    image: String,
    profiles: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dry_run: Option<&'static str>,
    items: Vec<Item>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rollouts: Vec<Rollout>,
    #[serde(skip)]
    suffix: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    object: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
    change: Change,
}

/// The manifests.
pub(super) struct ExportReport {
    objects: Vec<Object>,
    yaml: String,
}

// === impl InstallReport ===

impl InstallReport {
    pub(super) fn new(plan: &Plan, image: &str, profiles: Vec<String>, dry_run: DryRun) -> Self {
        let (dry_run, suffix) = dry_run.shown();
        let item = |object: &Object, change| Item {
            object: object.to_string(),
            namespace: object.namespace().map(ToOwned::to_owned),
            change,
        };
        Self {
            api_version: API_VERSION,
            kind: "Installation",
            image: image.to_owned(),
            profiles,
            dry_run,
            items: plan.steps.iter().map(|step| item(&step.object, step.change)).collect(),
            rollouts: Vec::new(),
            suffix,
        }
    }

    pub(super) fn with_rollouts(self, rollouts: Vec<Rollout>) -> Self {
        Self { rollouts, ..self }
    }

    fn count(&self, change: Change) -> Option<String> {
        let count = self.items.iter().filter(|item| item.change == change).count();
        (count > 0).then(|| format!("{count} {change}"))
    }
}

impl Report for InstallReport {
    fn table(&self, look: Look) -> String {
        let is_shown = |item: &&Item| look.wide || item.change != Change::Unchanged;
        let shown = self.items.iter().filter(is_shown);
        let mut lines: Vec<String> =
            shown.map(|item| format!("{} {}{}", item.object, item.change, self.suffix)).collect();
        let changes = [Change::Created, Change::Configured, Change::Unchanged, Change::Deleted];
        let counts: Vec<String> = changes.into_iter().filter_map(|it| self.count(it)).collect();
        lines.push(format!("{}{}", counts.join(", "), self.suffix));
        lines.extend(self.rollouts.iter().map(ToString::to_string));
        lines.join("\n") + "\n"
    }

    fn names(&self) -> Option<Vec<String>> {
        Some(self.items.iter().map(|item| item.object.clone()).collect())
    }
}

// === impl ExportReport ===

impl ExportReport {
    pub(super) fn new(objects: Vec<Object>) -> Result<Self, Failure> {
        let yaml = manifests::to_yaml(&objects)?;
        Ok(Self { objects, yaml })
    }
}

/// A list, as `kubectl apply -f` takes it.
impl Serialize for ExportReport {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let items: Vec<&Value> = self.objects.iter().map(Object::value).collect();
        serde_json::json!({"apiVersion": "v1", "kind": "List", "items": items}).serialize(serializer)
    }
}

impl Report for ExportReport {
    fn table(&self, _look: Look) -> String {
        self.yaml.clone()
    }

    fn names(&self) -> Option<Vec<String>> {
        Some(self.objects.iter().map(ToString::to_string).collect())
    }
}
