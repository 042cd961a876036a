//! Layers as they are published.

use serde::{Deserialize, Serialize};

/// The version of the form below.
pub const LAYERS_VERSION: u32 = 1;

/// For some delay values a partition of the nodes in which every pair of a cluster is within the value. It stands
/// as JSON in the ConfigMap [`crate::names::LAYERS`] under [`crate::names::LAYERS_KEY`], written by the leader.
///
/// Every cluster of every layer stands in one piece in `nodes`, so that a layer is no more than the sizes of its
/// clusters, one after the other.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PublishedLayers {
    /// [`LAYERS_VERSION`]; another one is not to be read.
    pub version: u32,
    /// The nodes. Empty if they would not fit; then only the sizes are told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<String>,
    /// How many pairs of nodes there are, and how many of them have a delay that counts. The others count as
    /// infinite.
    pub pairs: u64,
    /// See `pairs`.
    pub known_pairs: u64,
    /// By delay value in ascending order.
    pub layers: Vec<PublishedLayer>,
}

/// A layer as it is published.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PublishedLayer {
    /// The delay value in microseconds.
    pub delay_micros: u32,
    /// The sizes of the clusters, in the order of `nodes`.
    pub sizes: Vec<u32>,
}

// === impl PublishedLayers ===

impl PublishedLayers {
    /// The clusters of a layer; none if the sizes don't fit the nodes.
    pub fn clusters<'a>(&'a self, layer: &PublishedLayer) -> Option<Vec<&'a [String]>> {
        let mut rest = &self.nodes[..];
        let mut clusters = Vec::with_capacity(layer.sizes.len());
        for size in &layer.sizes {
            let (cluster, after) = rest.split_at_checked(usize::try_from(*size).ok()?)?;
            clusters.push(cluster);
            rest = after;
        }
        rest.is_empty().then_some(clusters)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clusters_are_read_by_their_sizes() {
        let json = r#"{"version":1,"nodes":["a","b","c"],"pairs":3,"knownPairs":2,
            "layers":[{"delayMicros":10000,"sizes":[2,1]},{"delayMicros":20000,"sizes":[2]}]}"#;
        let layers: PublishedLayers = serde_json::from_str(json).unwrap();
        let clusters = |idx: usize| layers.clusters(&layers.layers[idx]);
        assert_eq!(clusters(0).unwrap(), [&["a".to_owned(), "b".to_owned()][..], &["c".to_owned()]]);
        assert_eq!(clusters(1), None);
    }
}
