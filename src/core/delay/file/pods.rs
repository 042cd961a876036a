//! The pods of a simulation: manifests of workloads.

use std::collections::HashSet;

use serde::{Deserialize, Deserializer};

use super::workload::{Copies, ManifestWorkload};
use super::{FileError, InputFile, Problem};
use crate::model::{Node, Pod, PodKey};
use crate::wire::{Interner, PodObject, Problem as WireProblem, WireError};

/// What one file of manifests holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifests {
    /// The workloads, in the order of the file.
    pub workloads: Vec<ManifestWorkload>,
    /// Objects that make no pods, such as `Service default/web`.
    pub ignored: Vec<String>,
}

/// The part of a manifest that tells what the rest is.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Head {
    kind: String,
    metadata: Option<HeadMeta>,
    items: Option<Vec<serde_yaml::Value>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct HeadMeta {
    name: Option<String>,
    namespace: Option<String>,
}

/// The part of a workload's manifest that makes pods.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Body {
    spec: Option<Spec>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Spec {
    replicas: Option<i64>,
    parallelism: Option<i64>,
    completions: Option<i64>,
    template: Option<PodObject>,
}

/// More pods than this of one workload are certainly a mistake.
const MAX_COPIES: i64 = 100_000;

/// Reads one file of manifests, of one document or many: `Deployment`, `StatefulSet`, `ReplicaSet`,
/// `DaemonSet`, `Job`, `Pod`, and `List` of them. Objects of other kinds make no pods and are listed as ignored.
///
/// Every document is read twice, first for its kind and then as an object of that kind, so that its errors
/// keep their places; a single reading would have to build a tree that has none.
pub fn parse_pods(text: &str) -> Result<Manifests, FileError> {
    let mut manifests = Manifests::default();
    let documents = serde_yaml::Deserializer::from_str(text).zip(serde_yaml::Deserializer::from_str(text));
    for (first, second) in documents {
        let head = Option::<Head>::deserialize(first).map_err(|error| yaml_error(&error))?;
        if let Some(head) = head {
            manifests.read(head, second)?;
        }
    }
    if manifests.workloads.is_empty() && manifests.ignored.is_empty() {
        let expected = "YAML manifests of Deployments";
        return Err(FileError::whole(InputFile::Pods, Problem::Empty { expected }));
    }
    Ok(manifests)
}

/// Makes the pods of all workloads of several files, in the order given; a `DaemonSet` has one on each
/// of `nodes`.
pub fn make_pods<'a>(
    workloads: impl IntoIterator<Item = &'a ManifestWorkload>,
    nodes: &[Node],
) -> Result<Vec<Pod>, FileError> {
    let mut pods = Vec::new();
    let mut seen_workloads = HashSet::new();
    let mut seen_pods: HashSet<PodKey> = HashSet::new();
    let repeated = |object: String| FileError::whole(InputFile::Pods, Problem::RepeatedWorkload { object });
    for workload in workloads {
        if !seen_workloads.insert((&workload.kind, &workload.template.key)) {
            return Err(repeated(workload.to_string()));
        }
        for pod in workload.pods(nodes) {
            if !seen_pods.insert(pod.key.clone()) {
                return Err(repeated(format!("Pod {}", pod.key)));
            }
            pods.push(pod);
        }
    }
    Ok(pods)
}

// === impl Manifests ===

impl Manifests {
    fn read<'de, D>(&mut self, head: Head, document: D) -> Result<(), FileError>
    where
        D: Deserializer<'de, Error = serde_yaml::Error>,
    {
        match &*head.kind {
            "" => Err(head.fault("kind", &WireProblem::Missing)),
            "List" => (1..).zip(head.items.into_iter().flatten()).try_for_each(|(number, item)| {
                Head::deserialize(&item)
                    .map_err(|error| yaml_error(&error))
                    .and_then(|head| self.read(head, item))
                    .map_err(|error| in_item(number, error))
            }),
            "Pod" => {
                let object = PodObject::deserialize(document).map_err(|error| yaml_error(&error))?;
                self.push(&head, object, Copies::Itself, "")
            }
            "Deployment" | "StatefulSet" | "ReplicaSet" | "DaemonSet" | "Job" => {
                let body = Body::deserialize(document).map_err(|error| yaml_error(&error))?;
                let spec = body.spec.unwrap_or_default();
                let copies = spec.copies(&head)?;
                let Some(template) = spec.template else {
                    return Err(head.fault("spec.template", &WireProblem::Missing));
                };
                self.push(&head, template, copies, "spec.template.")
            }
            _ => {
                self.ignored.push(head.object());
                Ok(())
            }
        }
    }

    fn push(&mut self, head: &Head, object: PodObject, copies: Copies, path: &str) -> Result<(), FileError> {
        let Some(name) = head.name().filter(|name| !name.is_empty()) else {
            return Err(head.fault("metadata.name", &WireProblem::Missing));
        };
        let pod = object.named(head.namespace(), name).into_pod(&mut Interner::default());
        let template =
            pod.map_err(|WireError { field, problem, .. }| head.fault(&format!("{path}{field}"), &problem))?;
        self.workloads.push(ManifestWorkload { kind: head.kind.as_str().into(), copies, template });
        Ok(())
    }
}

// === impl Head ===

impl Head {
    fn name(&self) -> Option<&str> {
        self.metadata.as_ref()?.name.as_deref()
    }

    fn namespace(&self) -> &str {
        let namespace = self.metadata.as_ref().and_then(|metadata| metadata.namespace.as_deref());
        namespace.filter(|namespace| !namespace.is_empty()).unwrap_or("default")
    }

    fn object(&self) -> String {
        let kind = if self.kind.is_empty() { "object" } else { &self.kind };
        format!("{kind} {}/{}", self.namespace(), self.name().unwrap_or("(unnamed)"))
    }

    fn fault(&self, field: &str, problem: &WireProblem) -> FileError {
        let (object, field, problem) = (self.object(), field.to_owned(), problem.to_string());
        FileError::whole(InputFile::Pods, Problem::Field { object, field, problem })
    }
}

// === impl Spec ===

impl Spec {
    /// How many pods there are; where the field is absent, as many as the API server would put there.
    fn copies(&self, head: &Head) -> Result<Copies, FileError> {
        let count = |field: &str, value: Option<i64>| {
            let value = value.unwrap_or(1);
            if (0..=MAX_COPIES).contains(&value) {
                return Ok(u32::try_from(value).unwrap_or_default());
            }
            Err(head.fault(field, &WireProblem::Range { value, least: 0, most: MAX_COPIES }))
        };
        match &*head.kind {
            "DaemonSet" => Ok(Copies::OnePerNode),
            // As many as run at once, and none that has nothing left to do.
            "Job" => {
                let parallelism = count("spec.parallelism", self.parallelism)?;
                let completions = self.completions.or(self.parallelism);
                Ok(Copies::Count(parallelism.min(count("spec.completions", completions)?)))
            }
            _ => Ok(Copies::Count(count("spec.replicas", self.replicas)?)),
        }
    }
}

/// An item of a List was read as a tree, which has no lines: its number must do.
fn in_item(number: usize, error: FileError) -> FileError {
    let problem = match error.problem {
        Problem::Yaml(text) => Problem::Yaml(format!("item {number} of the List: {text}")),
        named => named,
    };
    FileError { problem, ..error }
}

fn yaml_error(error: &serde_yaml::Error) -> FileError {
    let location = error.location().map(|location| (location.line(), location.column()));
    let mut message = error.to_string();
    if let Some((line, column)) = location {
        // The position is told once, in front.
        message = message.replace(&format!(" at line {line} column {column}"), "");
    }
    // Unquoted numbers in labels are the commonest mistake.
    let is_scalar = ["integer", "floating", "boolean"].iter().any(|kind| message.contains(kind));
    if is_scalar && message.ends_with("expected a string") {
        message.push_str("; write it in quotes");
    }
    match location {
        Some((line, column)) => FileError::at(InputFile::Pods, line, column, Problem::Yaml(message)),
        None => FileError::whole(InputFile::Pods, Problem::Yaml(message)),
    }
}
