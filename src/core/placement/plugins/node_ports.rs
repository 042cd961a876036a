//! NodePorts.

use crate::placement::Plugin;

/// NodePorts.
pub struct NodePorts;

impl Plugin for NodePorts {
    fn name(&self) -> &'static str {
        "NodePorts"
    }
}
