//! NodeResourcesFit.

use crate::placement::Plugin;

/// NodeResourcesFit.
pub struct NodeResourcesFit;

impl Plugin for NodeResourcesFit {
    fn name(&self) -> &'static str {
        "NodeResourcesFit"
    }
}
