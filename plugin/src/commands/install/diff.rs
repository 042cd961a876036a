//! What an installation would change, as a unified diff.

use serde::Serialize;
use serde_json::Value;
use similar::TextDiff;

use crate::failure::Ending;
use crate::installation::plan::{Change, Plan, Step, essence};
use crate::look::Look;
use crate::view::{API_VERSION, Output, Report};

/// The objects that would change.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DiffReport {
    api_version: &'static str,
    kind: &'static str,
    items: Vec<Item>,
}

#[derive(Serialize)]
struct Item {
    object: String,
    change: Change,
    diff: String,
}

/// The diff; that there is one is a finding.
pub(super) fn output(plan: &Plan) -> Output {
    let changed = plan.steps.iter().filter(|step| step.change != Change::Unchanged);
    let items: Vec<Item> = changed.map(item).collect();
    let ending = if items.is_empty() { Ending::Ok } else { Ending::Findings };
    Output::ok(DiffReport { api_version: API_VERSION, kind: "InstallationDiff", items }).ending(ending)
}

fn item(step: &Step) -> Item {
    let object = step.object.to_string();
    let before = step.live.as_ref().map(text).unwrap_or_default();
    let wanted = match step.change {
        Change::Deleted => None,
        Change::Created | Change::Configured | Change::Unchanged => {
            Some(step.after.as_ref().unwrap_or_else(|| step.object.value()))
        }
    };
    let after = wanted.map(text).unwrap_or_default();
    let diff = TextDiff::from_lines(&before, &after);
    let diff = diff.unified_diff().header(&format!("live/{object}"), &format!("wanted/{object}")).to_string();
    Item { object, change: step.change, diff }
}

fn text(value: &Value) -> String {
    // What came as JSON can be written as YAML.
    serde_yaml::to_string(&essence(value)).unwrap_or_default()
}

// === impl DiffReport ===

impl Report for DiffReport {
    fn table(&self, look: Look) -> String {
        let lines = self.items.iter().flat_map(|item| item.diff.lines());
        let painted = lines.map(|line| match line.chars().next() {
            Some('+') => look.good(line) + "\n",
            Some('-') => look.error(line) + "\n",
            Some('@') => look.hint(line) + "\n",
            _ => format!("{line}\n"),
        });
        painted.collect()
    }

    fn names(&self) -> Option<Vec<String>> {
        Some(self.items.iter().map(|item| item.object.clone()).collect())
    }
}
