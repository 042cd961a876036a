//! PrioritySort.

use crate::placement::Plugin;

/// PrioritySort.
pub struct PrioritySort;

impl Plugin for PrioritySort {
    fn name(&self) -> &'static str {
        "PrioritySort"
    }
}
