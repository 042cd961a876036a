//! Why a state could not be judged at all.

use edge_core::wire::WireError;

/// Why a state could not be judged at all; a difference between the two is not an error but a result.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The control plane failed, or the API server refused an object of the state.
    #[error(transparent)]
    Cluster(#[from] controlplane::Error),
    /// An object that the API server gave back is none for us.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// An object that the API server gave back has not even the shape of one.
    #[error("decoding an object of the API server: {0}")]
    Json(#[from] serde_json::Error),
    /// A file with a state can't be read.
    #[error("reading a state: {0}")]
    Yaml(#[from] serde_yaml::Error),
    /// A file can't be read.
    #[error("{0}: {1}")]
    File(String, std::io::Error),
    /// The profiles can't be made from the configuration.
    #[error("the configuration: {0}")]
    Configuration(String),
    /// kube-scheduler contradicts itself, so the bed did not show it the same state each time.
    #[error("a node is feasible for the pod alone or for its pinned copy alone; {0}")]
    Contradiction(String),
    /// kube-scheduler logged something that can't be understood.
    #[error("kube-scheduler's log: {0}")]
    Log(String),
}
