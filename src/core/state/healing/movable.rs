//! Which pods may be moved though nothing is wrong with their nodes.

use super::fate::is_for_one;
use crate::model::Pod;
use crate::placement::{MOVE_ANNOTATION, Snapshot, is_backup};

/// Why a pod stays where it is, whatever would be better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Stays {
    /// It ends anyway.
    #[error("it ends")]
    Ends,
    /// Nobody would make another one.
    #[error("nothing controls it, so nothing would replace it")]
    Bare,
    /// It belongs to its node.
    #[error("it belongs to its node")]
    OfItsNode,
    /// Its annotation says so.
    #[error("its annotation {MOVE_ANNOTATION} says that it stays")]
    Asked,
    /// It is missed while it is moved, or its going counts as a failure.
    #[error("it is one of a {0}, and its annotation {MOVE_ANNOTATION} does not say that it may be moved")]
    Kind(&'static str),
    /// Its volume has to go with it.
    #[error(
        "one node at a time can use its volume, and its annotation {MOVE_ANNOTATION} does not say that it may be moved"
    )]
    Volume,
}

/// Whether a pod may be taken off a node that lives, so that its controller makes another one elsewhere.
///
/// Its node ends it before its name or its volume is used again, so two of it never run, whatever it is. But those of a
/// StatefulSet are missed until the next one runs, a volume of a single node has to follow, and Jobs count one that
/// goes as failed. So these are moved only if they say that they may be.
pub(super) fn may_be_moved(pod: &Pod, snapshot: &Snapshot) -> Result<(), Stays> {
    let wish = pod.annotations.get(MOVE_ANNOTATION);
    if pod.terminating || pod.phase.is_terminal() {
        return Err(Stays::Ends);
    }
    if wish == Some("false") {
        return Err(Stays::Asked);
    }
    let is_wanted = wish == Some("true");
    match pod.owner.as_ref().map(|owner| &*owner.kind) {
        None => return Err(Stays::Bare),
        Some("DaemonSet" | "Node") => return Err(Stays::OfItsNode),
        Some(_) if is_backup(pod) => return Err(Stays::OfItsNode),
        Some("ReplicaSet") => (),
        Some(_) if is_wanted => (),
        Some("StatefulSet") => return Err(Stays::Kind("StatefulSet")),
        Some("Job") => return Err(Stays::Kind("Job")),
        Some(_) => return Err(Stays::Kind("controller that is not known")),
    }
    if !is_wanted && pod.volumes.iter().any(|volume| is_for_one(volume, pod, snapshot)) {
        return Err(Stays::Volume);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Owner, PodVolume};

    #[track_caller]
    fn check(kind: &str, wish: Option<&str>, volumes: &[PodVolume], expected: Result<(), Stays>) {
        let owner = (!kind.is_empty()).then(|| Owner { kind: kind.into(), name: "web".into() });
        let annotations = wish.map(|wish| (MOVE_ANNOTATION, wish)).into_iter().collect();
        let pod = Pod { owner, annotations, volumes: volumes.into(), ..Pod::pending("default", "web") };
        assert_eq!(may_be_moved(&pod, &Snapshot::default()), expected, "{kind} {wish:?} {volumes:?}");
    }

    #[test]
    fn only_pods_that_are_replaced_and_not_missed_are_moved() {
        let claim = [PodVolume::Claim("data".into())];
        check("ReplicaSet", None, &[], Ok(()));
        check("ReplicaSet", Some("false"), &[], Err(Stays::Asked));
        check("ReplicaSet", None, &claim, Err(Stays::Volume));
        check("ReplicaSet", Some("true"), &claim, Ok(()));
        check("StatefulSet", None, &[], Err(Stays::Kind("StatefulSet")));
        check("StatefulSet", Some("true"), &claim, Ok(()));
        check("Job", None, &[], Err(Stays::Kind("Job")));
        check("Job", Some("true"), &[], Ok(()));
        check("Other", None, &[], Err(Stays::Kind("controller that is not known")));
        check("DaemonSet", Some("true"), &[], Err(Stays::OfItsNode));
        check("Node", Some("true"), &[], Err(Stays::OfItsNode));
        check("", Some("true"), &[], Err(Stays::Bare));
    }
}
