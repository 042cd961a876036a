//! Tables of objects, as the API has them, and what is read from them.

mod company;
mod node_delays;
mod nodes;
mod pods;
mod requests;
mod storage;

use crate::model::{Node, Pod};

use super::{Interner, NodeObject, PodObject};

fn read_pod(json: &str) -> Result<Pod, String> {
    let object: PodObject = serde_json::from_str(json).map_err(|error| error.to_string())?;
    object.into_pod(&mut Interner::default()).map_err(|error| error.to_string())
}

fn read_node(json: &str) -> Result<Node, String> {
    let object: NodeObject = serde_json::from_str(json).map_err(|error| error.to_string())?;
    object.into_node(&mut Interner::default()).map_err(|error| error.to_string())
}

/// Reads a pod named `default/web` with this spec.
fn read_spec(spec: &str) -> Result<Pod, String> {
    read_pod(&format!(r#"{{"metadata": {{"name": "web"}}, "spec": {spec}}}"#))
}
