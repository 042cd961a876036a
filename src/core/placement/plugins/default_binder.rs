//! DefaultBinder (upstream: `plugins/defaultbinder`).

use crate::placement::Plugin;

/// Binds: in every profile that is the action [`crate::state::Action::Bind`]. It is a plugin so that
/// configurations can name it.
pub struct DefaultBinder;

impl Plugin for DefaultBinder {
    fn name(&self) -> &'static str {
        "DefaultBinder"
    }
}
