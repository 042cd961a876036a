//! What a change of constraints does to the description of pods. Nothing is read or written here.

use std::collections::BTreeMap;

use edge_core::delay::{DELAY_ANNOTATION, DELAY_LABEL_PREFIX};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::words::Wish;

/// A field of a pod template that changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Change {
    /// What it is to people, such as `label delay_edge-1`.
    pub(super) field: String,
    /// Where it is in the template.
    #[serde(skip)]
    pub(super) path: [&'static str; 2],
    /// Its key there; none for a field that has no keys.
    #[serde(skip)]
    pub(super) key: Option<String>,
    pub(super) old: Option<String>,
    pub(super) new: Option<String>,
}

/// The part of a pod template that matters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Template {
    pub(super) labels: BTreeMap<String, String>,
    pub(super) annotations: BTreeMap<String, String>,
    pub(super) scheduler_name: Option<String>,
}

/// The longest anchor that fits a label: a label's name has 63 characters at most.
const LONGEST_IN_LABEL: usize = 63 - DELAY_LABEL_PREFIX.len();

const LABELS: [&str; 2] = ["metadata", "labels"];
const ANNOTATIONS: [&str; 2] = ["metadata", "annotations"];
const SCHEDULER: [&str; 2] = ["spec", "schedulerName"];

// === impl Template ===

impl Template {
    /// Reads it from the object that describes the pods.
    pub(super) fn of(template: &Value) -> Self {
        let map = |field: &str| {
            let entries = template["metadata"][field].as_object().into_iter().flatten();
            entries.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
        };
        let scheduler_name = template["spec"]["schedulerName"].as_str().filter(|name| !name.is_empty());
        Self {
            labels: map("labels"),
            annotations: map("annotations"),
            scheduler_name: scheduler_name.map(str::to_owned),
        }
    }

    /// The constraints: anchor and value as they are written.
    pub(super) fn constraints(&self) -> Vec<(String, String)> {
        let labels = self.labels.iter().filter_map(|(key, value)| {
            let anchor = key.strip_prefix(DELAY_LABEL_PREFIX).filter(|anchor| !anchor.is_empty())?;
            Some((anchor.to_owned(), value.clone()))
        });
        labels.chain(self.entries()).collect()
    }

    /// Those of the annotation.
    fn entries(&self) -> Vec<(String, String)> {
        let text = self.annotations.get(DELAY_ANNOTATION).map_or("", String::as_str);
        let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        let split = |entry: &str| match entry.split_once('=') {
            Some((anchor, value)) => (anchor.trim().to_owned(), value.trim().to_owned()),
            None => (entry.to_owned(), String::new()),
        };
        entries.map(split).collect()
    }

    /// What has to change for these constraints to hold. An anchor that does not fit a label, or whose kind is
    /// said, goes to the annotation; no anchor is in both.
    pub(super) fn set(&self, wishes: &[Wish]) -> Vec<Change> {
        let mut new = self.clone();
        let mut entries = self.entries();
        for Wish { anchor, bound } in wishes {
            let value = bound.to_string();
            entries.retain(|(known, _)| known != anchor);
            if anchor.contains('/') || anchor.len() > LONGEST_IN_LABEL {
                entries.push((anchor.clone(), value));
            } else {
                new.labels.insert(format!("{DELAY_LABEL_PREFIX}{anchor}"), value);
            }
        }
        new.write_entries(&entries);
        self.changes(&new)
    }

    /// What has to change for these anchors to set no constraints any more; also those that set none.
    pub(super) fn unset(&self, anchors: &[&str]) -> (Vec<Change>, Vec<String>) {
        let known: Vec<String> = self.constraints().into_iter().map(|(anchor, _)| anchor).collect();
        let missing = anchors.iter().filter(|anchor| !known.iter().any(|it| it == *anchor));
        let mut new = self.clone();
        let mut entries = self.entries();
        for anchor in anchors {
            new.labels.remove(&format!("{DELAY_LABEL_PREFIX}{anchor}"));
            entries.retain(|(known, _)| known != anchor);
        }
        new.write_entries(&entries);
        (self.changes(&new), missing.map(|anchor| (*anchor).to_owned()).collect())
    }

    /// The change of the scheduler's name.
    pub(super) fn schedule_by(&self, name: &str) -> Change {
        Change {
            field: "schedulerName".to_owned(),
            path: SCHEDULER,
            key: None,
            old: self.scheduler_name.clone(),
            new: Some(name.to_owned()),
        }
    }

    fn write_entries(&mut self, entries: &[(String, String)]) {
        if entries.is_empty() {
            self.annotations.remove(DELAY_ANNOTATION);
            return;
        }
        let text: Vec<String> = entries
            .iter()
            .map(
                |(anchor, value)| if value.is_empty() { anchor.clone() } else { format!("{anchor}={value}") },
            )
            .collect();
        self.annotations.insert(DELAY_ANNOTATION.to_owned(), text.join(","));
    }

    fn changes(&self, new: &Self) -> Vec<Change> {
        let mut changes = changes_of("label", LABELS, &self.labels, &new.labels);
        changes.extend(changes_of("annotation", ANNOTATIONS, &self.annotations, &new.annotations));
        changes
    }
}

fn changes_of(
    what: &str,
    path: [&'static str; 2],
    old: &BTreeMap<String, String>,
    new: &BTreeMap<String, String>,
) -> Vec<Change> {
    let keys: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let changed = keys.into_iter().filter(|key| old.get(*key) != new.get(*key));
    let change = |key: &String| Change {
        field: format!("{what} {key}"),
        path,
        key: Some(key.clone()),
        old: old.get(key).cloned(),
        new: new.get(key).cloned(),
    };
    changed.map(change).collect()
}

// === impl Change ===

impl Change {
    /// In a line.
    pub(super) fn describe(&self) -> String {
        let show =
            |value: &Option<String>| value.as_ref().map_or("(none)".to_owned(), |value| format!("{value:?}"));
        format!("{}: {} → {}", self.field, show(&self.old), show(&self.new))
    }

    /// The change as a JSON merge patch of the template.
    fn patch(&self) -> Value {
        let [outer, inner] = self.path;
        let new = self.new.as_ref().map_or(Value::Null, |new| Value::String(new.clone()));
        match &self.key {
            Some(key) => json!({outer: {inner: {key: new}}}),
            None => json!({outer: {inner: new}}),
        }
    }
}

/// The changes as a JSON merge patch of the object, in which the template is at this path.
pub(super) fn patch(changes: &[Change], template: &[&str]) -> Value {
    let mut patch = Value::Object(Map::new());
    for change in changes {
        merge(&mut patch, &change.patch(), false);
    }
    template.iter().rev().fold(patch, |inner, field| json!({ *field: inner }))
}

/// Applies a JSON merge patch (RFC 7396); nulls are kept where patches themselves are merged.
pub(super) fn merge(target: &mut Value, patch: &Value, deletes: bool) {
    let Value::Object(fields) = patch else {
        target.clone_from(patch);
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Some(object) = target.as_object_mut() else { return };
    for (key, value) in fields {
        if deletes && value.is_null() {
            object.remove(key);
        } else {
            merge(object.entry(key.clone()).or_insert(Value::Null), value, deletes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(labels: &[(&str, &str)], annotation: Option<&str>) -> Template {
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        let annotations = annotation.iter().map(|text| owned(&(DELAY_ANNOTATION, text))).collect();
        Template { labels: labels.iter().map(owned).collect(), annotations, scheduler_name: None }
    }

    fn shown(changes: &[Change]) -> Vec<String> {
        changes.iter().map(Change::describe).collect()
    }

    #[test]
    fn an_anchor_goes_where_it_fits() {
        let long = "n".repeat(58);
        let check = |template: &Template, wishes: &[&str], expected: &[&str]| {
            let wishes: Vec<Wish> = wishes.iter().map(|wish| Wish::parse(wish).unwrap()).collect();
            assert_eq!(shown(&template.set(&wishes)), expected);
        };
        let plain = template(&[("app", "web"), ("delay_a", "5")], None);
        check(&plain, &["b=25ms"], &["label delay_b: (none) → \"25\""]);
        check(&plain, &["a=2.5"], &["label delay_a: \"5\" → \"2.5\""]);
        check(&plain, &["a=5"], &[]);
        let expected = format!("annotation kubectl-edge.dev/delay: (none) → \"{long}=25\"");
        check(&plain, &[&format!("{long}=25")], &[&expected]);
        let annotated = template(&[], Some("deployment/db=10, c=3"));
        let expected =
            "annotation kubectl-edge.dev/delay: \"deployment/db=10, c=3\" → \"c=3,deployment/db=4\"";
        check(&annotated, &["deployment/db=4"], &[expected]);
        let moved = [
            "label delay_c: (none) → \"3\"",
            "annotation kubectl-edge.dev/delay: \"deployment/db=10, c=3\" → \"deployment/db=10\"",
        ];
        check(&annotated, &["c=3"], &moved);
    }

    #[test]
    fn what_is_unset_leaves_nothing_behind() {
        let both = template(&[("delay_a", "5")], Some("node/b=1"));
        let (changes, missing) = both.unset(&["a", "node/b", "c"]);
        let expected =
            ["label delay_a: \"5\" → (none)", "annotation kubectl-edge.dev/delay: \"node/b=1\" → (none)"];
        assert_eq!(shown(&changes), expected);
        assert_eq!(missing, ["c"]);
        let patch = patch(&changes, &["spec", "template"]);
        let expected = json!({"spec": {"template": {"metadata": {
            "labels": {"delay_a": null}, "annotations": {DELAY_ANNOTATION: null},
        }}}});
        assert_eq!(patch, expected);
        let mut object =
            json!({"spec": {"template": {"metadata": {"labels": {"delay_a": "5", "app": "x"}}}}});
        merge(&mut object, &patch, true);
        assert_eq!(object["spec"]["template"]["metadata"]["labels"], json!({"app": "x"}));
    }
}
