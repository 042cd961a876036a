//! NodeResourcesBalancedAllocation.

use crate::placement::Plugin;

/// NodeResourcesBalancedAllocation.
pub struct NodeResourcesBalancedAllocation;

impl Plugin for NodeResourcesBalancedAllocation {
    fn name(&self) -> &'static str {
        "NodeResourcesBalancedAllocation"
    }
}
