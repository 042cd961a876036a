//! `DynamicResources` (upstream: `plugins/dynamicresources`).

use crate::placement::Plugin;

/// Devices of `ResourceClaims` are not allocated by this version: a pod that has such a claim is refused in
/// every profile ([`crate::model::Pod::unsupported`]). It is a plugin so that configurations can name it.
pub struct DynamicResources;

impl Plugin for DynamicResources {
    fn name(&self) -> &'static str {
        "DynamicResources"
    }
}
