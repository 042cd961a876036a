//! Which nodes have which images (upstream: `backend/cache/cache.go`, `imageStates`).

use std::collections::HashMap;

use super::NodeSlot;
use crate::model::{Image, Name};

/// An image that is on at least one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageState {
    /// Its size in bytes, as the first of its nodes gave it.
    size: i64,
    /// The nodes it is on, by slot.
    nodes: Vec<NodeSlot>,
}

/// All images on the nodes, by each of their names.
#[derive(Debug, Default)]
pub struct Images {
    by_name: HashMap<Name, ImageState>,
}

// === impl ImageState ===

impl ImageState {
    /// Its size in bytes. Nodes may differ on it; as upstream, that of the node counts which has it
    /// longest.
    pub fn size(&self) -> i64 {
        self.size
    }

    /// The nodes it is on, by slot; never empty.
    pub fn nodes(&self) -> &[NodeSlot] {
        &self.nodes
    }
}

// === impl Images ===

impl Images {
    /// The image of this name, if a node has it.
    pub fn get(&self, name: &str) -> Option<&ImageState> {
        self.by_name.get(name)
    }

    /// Notes that `slot` has `images` now and no longer those it had.
    pub fn change(&mut self, slot: NodeSlot, had: &[Image], has: &[Image]) {
        // Most updates of a node leave its images alone.
        if had == has {
            return;
        }
        for name in had.iter().flat_map(|image| &image.names) {
            self.remove(slot, name);
        }
        for image in has {
            for name in &image.names {
                self.add(slot, name, image.size);
            }
        }
    }

    fn add(&mut self, slot: NodeSlot, name: &Name, size: i64) {
        let state = self
            .by_name
            .entry(name.clone())
            .or_insert_with(|| ImageState { size, nodes: Vec::with_capacity(1) });
        // A node that lists a name twice has the image once.
        if let Err(idx) = state.nodes.binary_search(&slot) {
            state.nodes.insert(idx, slot);
        }
    }

    fn remove(&mut self, slot: NodeSlot, name: &str) {
        let Some(state) = self.by_name.get_mut(name) else { return };
        if let Ok(idx) = state.nodes.binary_search(&slot) {
            state.nodes.remove(idx);
        }
        if state.nodes.is_empty() {
            self.by_name.remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(names: &[&str], size: i64) -> Image {
        Image { names: names.iter().map(|name| Name::from(*name)).collect(), size }
    }

    #[track_caller]
    fn check(images: &Images, name: &str, expected: Option<(i64, &[u32])>) {
        let found = images.get(name).map(|state| {
            let slots: Vec<u32> = state.nodes().iter().map(|slot| slot.0).collect();
            (state.size(), slots)
        });
        assert_eq!(found, expected.map(|(size, slots)| (size, slots.to_vec())), "{name}");
    }

    #[test]
    fn an_image_is_known_by_each_name_while_a_node_has_it() {
        let mut images = Images::default();
        images.change(NodeSlot(2), &[], &[image(&["a:1", "a@sha256:0"], 10)]);
        images.change(NodeSlot(0), &[], &[image(&["a:1"], 12), image(&["b:1"], 5)]);
        check(&images, "a:1", Some((10, &[0, 2])));
        check(&images, "a@sha256:0", Some((10, &[2])));
        check(&images, "b:1", Some((5, &[0])));
        images.change(NodeSlot(0), &[image(&["a:1"], 12), image(&["b:1"], 5)], &[]);
        check(&images, "a:1", Some((10, &[2])));
        check(&images, "b:1", None);
    }

    #[test]
    fn a_name_listed_twice_counts_once() {
        let mut images = Images::default();
        let twice = [image(&["a:1", "a:1"], 10), image(&["a:1"], 20)];
        images.change(NodeSlot(1), &[], &twice);
        check(&images, "a:1", Some((10, &[1])));
        images.change(NodeSlot(1), &twice, &[]);
        check(&images, "a:1", None);
    }

    #[test]
    fn the_size_is_that_of_the_node_that_has_it_longest() {
        let mut images = Images::default();
        images.change(NodeSlot(1), &[], &[image(&["a:1"], 10)]);
        images.change(NodeSlot(1), &[image(&["a:1"], 10)], &[image(&["a:1"], 11)]);
        check(&images, "a:1", Some((11, &[1])));
        images.change(NodeSlot(2), &[], &[image(&["a:1"], 30)]);
        check(&images, "a:1", Some((11, &[1, 2])));
    }
}
