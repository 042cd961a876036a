//! `DynamicResources` (upstream: `plugins/dynamicresources`).

use crate::placement::{Plugin, PostFilter, Unschedulable};

/// Devices of `ResourceClaims` are not allocated by this version: a pod that has such a claim is refused in
/// every profile ([`crate::model::Pod::unsupported`]). It is a plugin so that configurations can name it, and so
/// that what is said of a pod without claims is what upstream says.
pub struct DynamicResources;

/// A pod without claims has none to give back.
const NO_CLAIMS: &str = "no new claims to deallocate";
/// Upstream's state of the cycle has no entry of the plugin if PreFilter ended before it (`fwk.ErrNotFound`).
const NO_STATE: &str = "not found";

impl Plugin for DynamicResources {
    fn name(&self) -> &'static str {
        "DynamicResources"
    }

    fn post_filter(&self, unschedulable: &Unschedulable<'_>) -> PostFilter {
        if unschedulable.pre_filtered(self.name()) {
            PostFilter::Reject { said: Some(NO_CLAIMS.into()), gives_up: false }
        } else {
            PostFilter::Fail(NO_STATE.into())
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::model::Pod;
    use crate::placement::testing::{node, on_name, pod, snapshot};
    use crate::placement::{Decision, Profile, place};

    /// What is said of a pod that finds no place, in the default profile.
    #[track_caller]
    fn check(pod: &Pod, expected: &str) {
        let profile = Profile::known("edge-scheduler").unwrap();
        let Decision::Reject(error) = place(&snapshot(&[node("a").cpu(100)]), pod, &profile) else {
            panic!("{pod:?}")
        };
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn it_has_its_say_before_preemption() {
        let said = "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, \
                    preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.";
        check(&pod("web").cpu(200), said);
    }

    #[test]
    fn a_pod_rejected_before_it_was_asked_is_not_helped_at_all() {
        let named = pod("web").require(on_name(&[&["a"], &["b"]]));
        check(&named, "0/1 nodes are available: pod affinity terms conflict. not found");
    }

    #[test]
    fn what_ours_reject_is_told_as_if_they_were_asked_last() {
        let mut late = Pod::pending("default", "web");
        late.labels = [("delay_db", "5")].into_iter().collect();
        let said = "0/1 nodes are available: anchor db is not placed: there is no such node, and no workload db in \
                    namespace default has a pod on a node. no new claims to deallocate, \
                    preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.";
        check(&late, said);
    }

    #[test]
    fn a_refused_pod_is_told_the_one_reason() {
        check(
            &Pod { unsupported: Some("has a claim"), ..Pod::pending("default", "web") },
            "0/1 nodes are available: has a claim.",
        );
    }
}
