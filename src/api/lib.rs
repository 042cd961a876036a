//! The objects of `kubectl-edge.dev`, and the names that scheduler, agent and plugin agree on.
//!
//! Types only: whoever reads or writes these objects brings the client. A change here is a change of the API,
//! and of its schema in `deploy/`.

mod layers;
pub mod names;
mod node_delays;

pub use layers::{LAYERS_VERSION, PublishedLayer, PublishedLayers};
pub use node_delays::{
    DelaySource, Interval, NodeDelays, NodeDelaysSpec, NodeDelaysStatus, PeerDelay, PeerToMeasure,
    ProbeRequest, ProbeResult, Transport,
};

/// The API group of all objects, labels and annotations of ours.
pub const GROUP: &str = "kubectl-edge.dev";
/// The version of the objects.
pub const VERSION: &str = "v1alpha1";
/// Group and version, as in `apiVersion`.
pub const API_VERSION: &str = "kubectl-edge.dev/v1alpha1";
