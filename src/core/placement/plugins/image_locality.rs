//! ImageLocality (upstream: `plugins/imagelocality`).

use crate::placement::{Cycle, ImageState, MAX_NODE_SCORE, NodeScorer, NodeSlot, NodeView, Plugin, PreScore};

/// Prefers nodes that have the pod's images already, the more bytes the better.
///
/// An image counts by the share of the nodes that have it: one that only a node or two have would draw
/// all of its pods there.
pub struct ImageLocality;

/// Bytes below which an image is as good as absent: 23 MiB.
const MIN_THRESHOLD: i64 = 23 << 20;
/// Bytes for each container above which more don't count: 1,000 MiB.
const MAX_CONTAINER_THRESHOLD: i64 = 1_000 << 20;

struct Locality {
    /// The bytes that count, by slot; nodes beyond the end have none of the images.
    bytes: Vec<i64>,
    max_threshold: i64,
}

impl Plugin for ImageLocality {
    fn name(&self) -> &'static str {
        "ImageLocality"
    }

    fn pre_score<'a>(&'a self, cycle: Cycle<'a>, _feasible: &[NodeSlot]) -> PreScore<'a> {
        let (images, nodes) = (&cycle.pod.images, &cycle.snapshot.nodes);
        let mut bytes = Vec::new();
        for image in images.containers.iter().chain(&images.volumes) {
            if let Some(state) = nodes.image(image) {
                count(&mut bytes, state, nodes.len());
            }
        }
        // Where no node has any of them, all would score 0.
        if bytes.is_empty() {
            return PreScore::Skip;
        }
        let containers = i64::try_from(images.containers.len()).unwrap_or(i64::MAX);
        let max_threshold = MAX_CONTAINER_THRESHOLD.saturating_mul(containers);
        PreScore::Score(Box::new(Locality { bytes, max_threshold }))
    }
}

/// Adds the image to the bytes of the nodes that have it.
fn count(bytes: &mut Vec<i64>, state: &ImageState, num_nodes: usize) {
    let scaled = scaled(state, num_nodes);
    let end = state.nodes().last().map_or(0, |slot| slot.idx() + 1);
    bytes.resize(bytes.len().max(end), 0);
    for slot in state.nodes() {
        if let Some(sum) = bytes.get_mut(slot.idx()) {
            *sum = sum.saturating_add(scaled);
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "upstream rounds in the same way"
)]
fn scaled(state: &ImageState, num_nodes: usize) -> i64 {
    let spread = state.nodes().len() as f64 / num_nodes as f64;
    (state.size() as f64 * spread) as i64
}

impl NodeScorer for Locality {
    fn score(&self, node: NodeView<'_>) -> i64 {
        let bytes = self.bytes.get(node.slot.idx()).copied().unwrap_or(0);
        let counted = if bytes < MIN_THRESHOLD { MIN_THRESHOLD } else { bytes.min(self.max_threshold) };
        MAX_NODE_SCORE * (counted - MIN_THRESHOLD) / (self.max_threshold - MIN_THRESHOLD)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::placement::testing::{TestNode, TestPod, node, pod, score};

    const MIB: i64 = 1 << 20;

    #[track_caller]
    fn check(pod: &TestPod, nodes: &[TestNode], expected: Option<&[i64]>) {
        assert_eq!(score(&ImageLocality, pod, nodes).as_deref(), expected);
    }

    #[test]
    fn a_node_with_more_of_the_images_scores_higher() {
        let nodes = [
            node("both").image(&["a:1"], 1_000 * MIB).image(&["b:1"], 600 * MIB),
            node("one").image(&["a:1"], 1_000 * MIB),
            node("none").image(&["c:1"], 900 * MIB),
            node("empty"),
        ];
        // Half of the nodes have a, a quarter has b: 500 and 150 MiB count, out of 2,000.
        check(&pod("p").images(&["a:1", "b:1"], &[]), &nodes, Some(&[31, 24, 0, 0]));
        // Of one container 1,000 MiB are the limit.
        check(&pod("p").images(&["a:1"], &[]), &nodes, Some(&[48, 48, 0, 0]));
        // An image counts as often as it is used.
        check(&pod("p").images(&["a:1", "a:1"], &[]), &nodes, Some(&[49, 49, 0, 0]));
    }

    #[test]
    fn small_images_count_for_nothing_and_large_ones_up_to_the_limit() {
        let on = |size| [node("n").image(&["a:1"], size), node("m").image(&["a:1"], 0)];
        check(&pod("p").images(&["a:1"], &[]), &on(22 * MIB), Some(&[0, 0]));
        check(&pod("p").images(&["a:1"], &[]), &on(23 * MIB), Some(&[0, 0]));
        check(&pod("p").images(&["a:1"], &[]), &on(121 * MIB), Some(&[10, 10]));
        check(&pod("p").images(&["a:1"], &[]), &on(9_000 * MIB), Some(&[100, 100]));
    }

    #[test]
    fn an_image_volume_counts_without_raising_the_limit() {
        let nodes = [node("n").image(&["a:1"], 500 * MIB).image(&["data:1"], 500 * MIB)];
        check(&pod("p").images(&["a:1"], &["data:1"]), &nodes, Some(&[100]));
        check(&pod("p").images(&["a:1", "b:1"], &["data:1"]), &nodes, Some(&[49]));
    }

    #[test]
    fn where_no_node_has_an_image_the_score_is_skipped() {
        check(&pod("p").images(&["a:1"], &[]), &[node("n").image(&["a:2"], 500 * MIB)], None);
        check(&pod("p"), &[node("n").image(&["a:1"], 500 * MIB)], None);
    }

    #[test]
    fn an_image_is_found_by_any_of_its_names() {
        let nodes = [node("n").image(&["a:1", "a@sha256:0"], 1_000 * MIB)];
        check(&pod("p").images(&["a@sha256:0"], &[]), &nodes, Some(&[100]));
        check(&pod("p").images(&["a"], &[]), &nodes, None);
    }
}
