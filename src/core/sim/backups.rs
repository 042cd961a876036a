//! Backups: made, taken away and written into pods, with the faults that bindings have.

use super::network::{Answered, Fate};
use super::planted::Planted;
use super::run::{Run, Step};
use super::server::Server;
use super::trace::Sight;
use super::view::View;
use crate::model::{
    Labels, Name, NonZeroRequest, Owner, Phase, Pod, PodKey, PodUid, Taint, TaintEffect, Version,
};
use crate::placement::{BACKUP_LABEL, BACKUP_NODE_ANNOTATION, HANDOVER_TAINT};
use crate::state::{BackupPod, BindOutcome, CoverOutcome, CoverWrite, Event, HandoverTaint, PodRef};

/// What the scheduler asks for.
#[derive(Clone, Debug)]
pub(super) enum CoverRequest {
    /// A backup.
    Make(BackupPod),
    /// That one goes.
    Take(PodRef),
    /// That it is written where a pod's backup is.
    Write(CoverWrite),
    /// That a node has the taint of a handover, or has it no more.
    Taint(HandoverTaint),
}

/// What the UIDs begin with of pods that were asked for and nobody has told of.
const ASKED: &str = "asked/";

// === impl Run ===

impl Run {
    /// The scheduler asks for something.
    pub(super) fn send_cover(&mut self, request: &CoverRequest) {
        if let CoverRequest::Make(backup) = request {
            self.view.asked_for(backup);
        }
        if self.dies_before() {
            self.trace.saw(Sight::CrashBeforeBackup);
            return;
        }
        let Fate { arrives, outcome } = self.fate();
        if let Some((at, answered)) = arrives {
            let incarnation = self.incarnation;
            self.plan(at, Step::Cover { incarnation, request: request.clone(), answered });
        }
        if let Some((at, outcome)) = outcome {
            let outcome = match outcome {
                BindOutcome::Refused(why) => CoverOutcome::Refused(why),
                other => CoverOutcome::Unknown(format!("{other:?}")),
            };
            self.plan(at, Step::Tell(self.incarnation, request.told(outcome)));
        }
        if self.dies_after() {
            self.trace.saw(Sight::CrashAfterBackup);
        }
    }

    /// A request reaches the server.
    pub(super) fn cover(&mut self, incarnation: u32, request: &CoverRequest, answered: Answered) {
        let is_late = incarnation != self.incarnation || answered == Answered::TooLate;
        self.trace.note(self.now, format_args!("{request:?}, {answered:?}"));
        let mut request = request.clone();
        if let CoverRequest::Make(backup) = &mut request
            && self.planted == Some(Planted::ReservedOnPaper)
        {
            let requests = std::mem::take(&mut backup.requests);
            self.on_paper.insert(backup.key.clone(), requests);
        }
        self.trace.saw(request.work(&mut self.world.server, is_late));
        let outcome = match answered {
            Answered::Never | Answered::TooLate => return,
            Answered::WithError => CoverOutcome::Unknown("500 internal error".to_owned()),
            Answered::Truly => CoverOutcome::Done,
        };
        self.plan_in(1, 50, Step::Tell(incarnation, request.told(outcome)));
    }
}

// === impl CoverRequest ===

impl CoverRequest {
    fn told(&self, outcome: CoverOutcome) -> Event {
        match self {
            Self::Make(backup) => Event::BackupMade(backup.key.clone(), outcome),
            Self::Take(pod) => Event::BackupTaken(pod.clone(), outcome),
            Self::Write(write) => Event::CoverWritten(write.clone(), outcome),
            Self::Taint(taint) => Event::NodeTainted(taint.clone(), outcome),
        }
    }

    fn work(&self, server: &mut Server, is_late: bool) -> Sight {
        match self {
            Self::Make(backup) => {
                // A second one of that name is not made.
                if server.create_pod(made(backup, Phase::Pending)) && is_late {
                    server.upset_by_pod(&backup.node);
                }
                Sight::BackupMade
            }
            Self::Take(pod) => {
                if server.pods.get(&pod.key).is_some_and(|known| known.uid == pod.uid) {
                    server.remove_pod(&pod.key);
                }
                Sight::BackupTaken
            }
            Self::Taint(HandoverTaint { node, uid, stands }) => {
                if server.nodes.get(node).is_some_and(|known| known.uid == *uid) {
                    server.update_node(node, |node| {
                        let others =
                            node.taints.iter().filter(|taint| &*taint.key != HANDOVER_TAINT).cloned();
                        let effect = TaintEffect::NoSchedule;
                        let own = Taint { key: HANDOVER_TAINT.into(), value: "".into(), effect };
                        node.taints = others.chain(stands.then_some(own)).collect();
                    });
                }
                Sight::HandoverTaint
            }
            Self::Write(CoverWrite { pod, backup }) => {
                let known = server.pods.get(&pod.key).is_some_and(|known| known.uid == pod.uid);
                if known {
                    server.update_pod(&pod.key, |pod| {
                        let kept =
                            pod.annotations.iter().filter(|(key, _)| &***key != BACKUP_NODE_ANNOTATION);
                        let kept = kept.map(|(key, value)| (key.clone(), value.clone()));
                        let node =
                            backup.iter().map(|node| (BACKUP_NODE_ANNOTATION.into(), node.as_str().into()));
                        pod.annotations = Labels::new(kept.chain(node).collect::<Vec<_>>());
                    });
                }
                Sight::CoverWritten
            }
        }
    }
}

/// A backup as the server has it.
fn made(backup: &BackupPod, phase: Phase) -> Pod {
    let BackupPod { key, node, requests } = backup;
    let owner: Name = "edge-scheduler".into();
    Pod {
        node: Some(node.clone()),
        requests: requests.clone(),
        non_zero: NonZeroRequest { cpu: requests.cpu, memory: requests.memory },
        labels: [BACKUP_LABEL].into_iter().collect(),
        owner: Some(Owner { kind: "Deployment".into(), name: owner }),
        priority: 1_000_000_000,
        preempts: false,
        phase,
        ..Pod::pending(&key.namespace, &key.name)
    }
}

// === impl View ===

impl View {
    /// The scheduler counts on a backup that it has asked for.
    fn asked_for(&mut self, backup: &BackupPod) {
        let is_known = self.pods.values().any(|pod| pod.key == backup.key);
        if !is_known {
            let uid = PodUid::new(format!("{ASKED}{}", backup.key.name));
            let pod = Pod { uid: uid.clone(), version: Version(0), ..made(backup, Phase::Pending) };
            self.pods.insert(uid, pod);
        }
    }

    /// It does so no longer if it is told that it was refused.
    pub(super) fn told_of_backup(&mut self, key: &PodKey, outcome: &CoverOutcome) {
        if matches!(outcome, CoverOutcome::Refused(_)) {
            self.pods.retain(|uid, pod| pod.key != *key || !is_asked(uid));
        }
    }
}

/// Whether it is the UID of a pod that was asked for and that nobody has told of.
pub(super) fn is_asked(uid: &PodUid) -> bool {
    uid.as_str().starts_with(ASKED)
}
