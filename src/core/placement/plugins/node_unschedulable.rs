//! NodeUnschedulable.

use crate::placement::Plugin;

/// NodeUnschedulable.
pub struct NodeUnschedulable;

impl Plugin for NodeUnschedulable {
    fn name(&self) -> &'static str {
        "NodeUnschedulable"
    }
}
