//! TaintToleration.

use crate::placement::Plugin;

/// TaintToleration.
pub struct TaintToleration;

impl Plugin for TaintToleration {
    fn name(&self) -> &'static str {
        "TaintToleration"
    }
}
