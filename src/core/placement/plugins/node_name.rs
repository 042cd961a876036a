//! NodeName.

use crate::placement::Plugin;

/// NodeName.
pub struct NodeName;

impl Plugin for NodeName {
    fn name(&self) -> &'static str {
        "NodeName"
    }
}
