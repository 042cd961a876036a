//! The nodes of a simulation.

use std::collections::HashSet;

use serde::{Deserialize, Deserializer};

use super::{FileError, InputFile, Problem};
use crate::model::{Bytes, MilliCpu, Node, NodeName, Quantity, Resources};
use crate::wire::Problem as WireProblem;

/// A node as the file has it. Further fields are ignored.
#[derive(Deserialize)]
struct Entry {
    name: String,
    #[serde(deserialize_with = "quantity_text")]
    allocatable_memory: String,
    #[serde(default)]
    cloud: bool,
}

/// The files know memory alone, so nothing else may limit: a million cores. It is the same for every node and
/// far above any sum of requests, so it moves no score either.
pub const UNLIMITED_CPU: MilliCpu = MilliCpu(1_000_000_000);
/// As [`UNLIMITED_CPU`], for ephemeral storage: a pebibyte.
pub const UNLIMITED_STORAGE: Bytes = Bytes(1 << 50);
/// As [`UNLIMITED_CPU`], for the number of pods. Extended resources are not unlimited but absent: a pod that
/// asks for one stays pending and says so.
pub const UNLIMITED_PODS: i64 = 1_000_000_000;

/// Reads one file of nodes: a list, or a single object as in a folder with a file for each node.
///
/// A list is read again as the list it is, so that its errors keep their places.
pub fn parse_nodes(text: &str) -> Result<Vec<Node>, FileError> {
    let failed = |error: serde_json::Error| FileError::json(InputFile::Nodes, &error, None);
    let entries = match text.trim_start().chars().next() {
        None => {
            let expected = "a JSON list of {\"name\", \"allocatable_memory\", \"cloud\"}";
            return Err(FileError::whole(InputFile::Nodes, Problem::Empty { expected }));
        }
        Some('{') => vec![serde_json::from_str(text).map_err(failed)?],
        Some(_) => serde_json::from_str(text).map_err(failed)?,
    };
    entries.into_iter().map(Entry::into_node).collect()
}

/// Puts the nodes of several files together, in the order given.
pub fn merge_nodes(files: impl IntoIterator<Item = Vec<Node>>) -> Result<Vec<Node>, FileError> {
    let nodes: Vec<Node> = files.into_iter().flatten().collect();
    let mut seen: HashSet<&NodeName> = HashSet::new();
    match nodes.iter().find(|node| !seen.insert(&node.name)) {
        None => Ok(nodes),
        Some(node) => {
            let name = node.name.to_string();
            Err(FileError::whole(InputFile::Nodes, Problem::RepeatedNode { name }))
        }
    }
}

// === impl Entry ===

impl Entry {
    fn into_node(self) -> Result<Node, FileError> {
        let fault = |field: &str, problem: &WireProblem| {
            let (object, field, problem) =
                (format!("node {:?}", self.name), field.to_owned(), problem.to_string());
            FileError::whole(InputFile::Nodes, Problem::Field { object, field, problem })
        };
        if self.name.is_empty() {
            return Err(fault("name", &WireProblem::Missing));
        }
        let text = &self.allocatable_memory;
        let memory = Quantity::parse(text)
            .map_err(|_| fault("allocatable_memory", &WireProblem::Quantity(text.clone())))?
            .value();
        if memory < 0 {
            return Err(fault("allocatable_memory", &WireProblem::Negative(text.clone())));
        }
        let labels = self.cloud.then_some(("kubernetes.io/role", "cloud"));
        Ok(Node {
            labels: labels.into_iter().collect(),
            allocatable: Resources {
                cpu: UNLIMITED_CPU,
                memory: Bytes(memory),
                ephemeral_storage: UNLIMITED_STORAGE,
                scalars: Vec::new(),
            },
            allowed_pods: UNLIMITED_PODS,
            ..Node::named(self.name)
        })
    }
}

/// Kubernetes writes quantities as text or as plain numbers.
fn quantity_text<'de, D: Deserializer<'de>>(json: D) -> Result<String, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "an amount of memory such as \"8Gi\"")]
    enum Amount {
        Text(String),
        Number(serde_json::Number),
    }
    Ok(match Amount::deserialize(json)? {
        Amount::Text(text) => text,
        Amount::Number(number) => number.to_string(),
    })
}
