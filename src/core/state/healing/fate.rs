//! Which pods of a failed node may go.

use crate::delay::DelayConstraints;
use crate::model::{AccessModes, Disk, Name, Pod, PodVolume, Taint, TaintEffect};
pub use crate::placement::FAILOVER_ANNOTATION;
use crate::placement::Snapshot;

/// What becomes of a pod whose node has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// It stays: it belongs to the node, or wants to.
    Stays,
    /// It goes once somebody has seen to it that the node is off: two of it must never run.
    AfterFencing,
    /// It goes when the node is lost.
    Goes,
    /// It goes when the node is suspect and answers nobody.
    GoesQuickly,
}

/// Taints that a node gets that is not heard of (upstream: `core/v1.TaintNode…`).
const GONE: [&str; 2] = ["node.kubernetes.io/unreachable", "node.kubernetes.io/not-ready"];

// === impl Fate ===

impl Fate {
    /// What becomes of `pod`.
    pub fn of(pod: &Pod, snapshot: &Snapshot) -> Self {
        let wish = pod.annotations.get(FAILOVER_ANNOTATION);
        let kind = pod.owner.as_ref().map(|owner| &*owner.kind);
        if matches!(kind, Some("DaemonSet" | "Node")) || wish == Some("false") || tolerates_for_ever(pod) {
            return Self::Stays;
        }
        let is_wanted = matches!(wish, Some("true" | "fast"));
        let may_run_twice = match kind {
            Some("ReplicaSet") => true,
            Some("Job") => is_wanted,
            Some(_) | None => false,
        };
        if !may_run_twice || pod.volumes.iter().any(|volume| is_for_one(volume, pod, snapshot)) {
            Self::AfterFencing
        } else if wish == Some("fast") {
            Self::GoesQuickly
        } else {
            Self::Goes
        }
    }
}

/// Whether it is ours to see to the pod if its scheduler name is served: in the profile of the default scheduler only if
/// it asked for more than that does.
pub fn is_healed(pod: &Pod) -> bool {
    let asks = || {
        pod.annotations.get(FAILOVER_ANNOTATION).is_some()
            || DelayConstraints::of_pod(pod).is_ok_and(|constraints| !constraints.list.is_empty())
    };
    &*pod.scheduler_name != "default-scheduler" || asks()
}

/// Whether the pod wants to stay on a node that is not heard of.
fn tolerates_for_ever(pod: &Pod) -> bool {
    let of = |key: &str| Taint { key: key.into(), value: "".into(), effect: TaintEffect::NoExecute };
    let stays = |taint: &Taint| pod.tolerations.iter().any(|it| it.seconds.is_none() && it.tolerates(taint));
    !pod.tolerations.is_empty() && GONE.iter().any(|key| stays(&of(key)))
}

/// Whether the volume may be used by one node or pod at a time; one that is not known may be.
pub(super) fn is_for_one(volume: &PodVolume, pod: &Pod, snapshot: &Snapshot) -> bool {
    let of_claim = |name: &Name| {
        let claim = snapshot.volumes.claim(&pod.key.namespace, name);
        claim.is_none_or(|claim| claim.access_modes.is_for_one())
    };
    match volume {
        PodVolume::Claim(name) => of_claim(name),
        // It is made anew with the next pod.
        PodVolume::Ephemeral(_) => false,
        PodVolume::Disk(
            Disk::Gce { read_only, .. } | Disk::Iscsi { read_only, .. } | Disk::Rbd { read_only, .. },
        ) => !read_only,
        PodVolume::Disk(_) => true,
    }
}

// === impl AccessModes ===

impl AccessModes {
    /// Whether one node or one pod at a time may be all that can use it.
    fn is_for_one(self) -> bool {
        let of = |word: &str| Self::WORDS.iter().find(|(known, _)| *known == word).map(|(_, mode)| *mode);
        ["ReadWriteOncePod", "ReadWriteOnce"].into_iter().filter_map(of).any(|mode| self.contain(mode))
    }
}
