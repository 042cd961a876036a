//! What this version can't honour: a pod that asks for it is refused, never bound wrongly.

use super::pod::PodSpec;

/// Why a pod with this spec can't be placed rightly, if so.
pub(super) fn reason(spec: &PodSpec) -> Option<&'static str> {
    let claims = !spec.resource_claims.is_empty();
    claims.then_some("pod uses resourceClaims, which this version does not schedule")
}
