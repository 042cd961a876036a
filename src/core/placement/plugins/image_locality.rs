//! ImageLocality.

use crate::placement::Plugin;

/// ImageLocality.
pub struct ImageLocality;

impl Plugin for ImageLocality {
    fn name(&self) -> &'static str {
        "ImageLocality"
    }
}
