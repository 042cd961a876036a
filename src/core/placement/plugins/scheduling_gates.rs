//! SchedulingGates.

use crate::placement::Plugin;

/// SchedulingGates.
pub struct SchedulingGates;

impl Plugin for SchedulingGates {
    fn name(&self) -> &'static str {
        "SchedulingGates"
    }
}
