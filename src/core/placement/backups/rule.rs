//! Whose pods are covered, and how strictly.

use super::{MOVE_ANNOTATION, MoveRule, is_backup};
use crate::delay::DelayConstraints;
use crate::model::{Name, Pod};

/// Annotation of a pod: `"true"`, it is covered by a backup; `"false"`, it is not.
pub const BACKUP_ANNOTATION: &str = "kubectl-edge.dev/backup";
/// Annotation of a pod: `fast` to go from a failed node on the word of its neighbours alone, though two of it may run for a
/// while; `true` on the pods of a Job to let them go at all; `false` to stay whatever happens.
pub const FAILOVER_ANNOTATION: &str = "kubectl-edge.dev/failover";
/// Annotation that the scheduler writes: the node where the pod's backup is.
pub const BACKUP_NODE_ANNOTATION: &str = "kubectl-edge.dev/backup-node";
/// Annotation that the scheduler writes into a pod that came for a hold: the UID of the pod in whose place it came.
pub const IN_PLACE_OF_ANNOTATION: &str = "kubectl-edge.dev/in-place-of";
/// The taint of a node whose backups are being handed over, or made anew: nothing else is placed there meanwhile.
pub const HANDOVER_TAINT: &str = "kubectl-edge.dev/handover";

/// Which pods of a profile are covered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BackupMode {
    /// None.
    Off,
    /// Those whose annotation asks for it.
    OnRequest,
    /// Those with a delay constraint too, unless their annotation says that they are not.
    #[default]
    Pods,
}

/// What becomes of a pod that can't be covered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BackupPolicy {
    /// It is placed anyway, and covered as soon as it can be.
    #[default]
    BestEffort,
    /// It waits.
    Required,
}

/// How the pods of a profile are covered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BackupRule {
    /// Which of them.
    pub mode: BackupMode,
    /// How strictly.
    pub policy: BackupPolicy,
    /// For what pods are moved, covered or not.
    pub moves: MoveRule,
    /// What becomes of them when their node fails.
    pub failover: FailoverRule,
}

/// Whether the pods of a profile are started elsewhere when their node fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailoverRule {
    /// Whether they are at all.
    pub is_on: bool,
    /// Whether those that ask for it are on the word of their node's neighbours alone.
    pub is_fast: bool,
}

/// What the annotations of a pod may say that are about failures and moves.
const WORDS: [(&str, &[&str]); 2] =
    [(FAILOVER_ANNOTATION, &["fast", "true", "false"]), (MOVE_ANNOTATION, &["true", "false"])];

/// Whether a pod is to be covered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WantsBackup {
    /// It is.
    Yes,
    /// It is not.
    No,
    /// Its annotation says neither, but this.
    Unclear(Name),
}

// === impl BackupMode ===

impl BackupMode {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Off, Self::OnRequest, Self::Pods];

    /// The name that configurations use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Off => "Off",
            Self::OnRequest => "OnRequest",
            Self::Pods => "Pods",
        }
    }

    /// The mode of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.name() == name)
    }

    /// The mode where a profile of this name says nothing: for profiles that are not ours, and for that of the
    /// Contrail scheduler, the one that changes least.
    pub fn default_of_profile(scheduler_name: &str) -> Self {
        match scheduler_name {
            "edge-scheduler" | "custom-scheduler" => Self::Pods,
            _ => Self::OnRequest,
        }
    }
}

// === impl BackupPolicy ===

impl BackupPolicy {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::BestEffort, Self::Required];

    /// The name that configurations use.
    pub fn name(self) -> &'static str {
        match self {
            Self::BestEffort => "BestEffort",
            Self::Required => "Required",
        }
    }

    /// The policy of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|policy| policy.name() == name)
    }
}

// === impl FailoverRule ===

impl Default for FailoverRule {
    fn default() -> Self {
        Self { is_on: true, is_fast: true }
    }
}

// === impl BackupRule ===

impl BackupRule {
    /// Whether `pod` is to be covered. The pods of a DaemonSet belong to their nodes and have no place elsewhere.
    pub fn wants(self, pod: &Pod) -> WantsBackup {
        let is_daemon = pod.owner.as_ref().is_some_and(|owner| &*owner.kind == "DaemonSet");
        if self.mode == BackupMode::Off || is_daemon || is_backup(pod) {
            return WantsBackup::No;
        }
        match pod.annotations.shared(BACKUP_ANNOTATION) {
            Some(value) if &**value == "true" => WantsBackup::Yes,
            Some(value) if &**value == "false" => WantsBackup::No,
            Some(value) => WantsBackup::Unclear(value.clone()),
            None if self.mode == BackupMode::Pods && DelayConstraints::any(pod) => WantsBackup::Yes,
            None => WantsBackup::No,
        }
    }
}

/// What is wrong with an annotation of the pod that is about failures or moves; none if nothing is.
///
/// Whoever wrote a word that means nothing wanted something, and finds that out when it matters, if nobody says so before.
pub fn unreadable(pod: &Pod) -> Option<String> {
    WORDS.iter().find_map(|(key, words)| {
        let value = pod.annotations.get(key).filter(|value| !words.contains(value))?;
        let known: Vec<String> = words.iter().map(|word| format!("{word:?}")).collect();
        Some(format!("annotation {key}: value {value:?} is none of {}", known.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Owner;

    #[track_caller]
    fn check(mode: BackupMode, pod: &Pod, expected: &WantsBackup) {
        let rule = BackupRule { mode, ..BackupRule::default() };
        assert_eq!(rule.wants(pod), *expected, "{mode:?} {:?} {:?}", pod.labels, pod.annotations);
    }

    fn pod(delay: bool, backup: Option<&str>) -> Pod {
        let labels = if delay { vec![("delay_a", "5")] } else { Vec::new() };
        let annotations = backup.map(|value| (BACKUP_ANNOTATION, value));
        Pod {
            labels: labels.into_iter().collect(),
            annotations: annotations.into_iter().collect(),
            ..Pod::pending("default", "web")
        }
    }

    #[test]
    fn pods_with_a_delay_constraint_are_covered_and_those_that_ask() {
        use BackupMode::{Off, OnRequest, Pods};
        check(Pods, &pod(true, None), &WantsBackup::Yes);
        check(Pods, &pod(true, Some("false")), &WantsBackup::No);
        check(Pods, &pod(false, None), &WantsBackup::No);
        check(Pods, &pod(false, Some("true")), &WantsBackup::Yes);
        check(Pods, &pod(true, Some("maybe")), &WantsBackup::Unclear("maybe".into()));
        check(OnRequest, &pod(true, None), &WantsBackup::No);
        check(OnRequest, &pod(true, Some("true")), &WantsBackup::Yes);
        check(Off, &pod(true, Some("true")), &WantsBackup::No);
        check(Off, &pod(true, Some("maybe")), &WantsBackup::No);
    }

    #[test]
    fn pods_of_a_daemon_set_are_not_covered() {
        let owner = Some(Owner { kind: "DaemonSet".into(), name: "agent".into() });
        check(BackupMode::Pods, &Pod { owner, ..pod(true, Some("true")) }, &WantsBackup::No);
    }
}
