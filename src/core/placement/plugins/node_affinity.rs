//! NodeAffinity.

use crate::placement::Plugin;

/// NodeAffinity.
pub struct NodeAffinity;

impl Plugin for NodeAffinity {
    fn name(&self) -> &'static str {
        "NodeAffinity"
    }
}
