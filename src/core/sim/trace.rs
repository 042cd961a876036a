//! What happened in a run: a hash that tells two runs apart, and the lines for a reader.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use super::chaos::Happening;
use super::failures::Failure;
use crate::model::Time;
use crate::state::NodeReason;

/// Something that a fault is to bring about. A simulation in which one of these never happens has lost a
/// fault, and shows nothing by holding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Sight {
    /// A write was sent on a watch that broke.
    MissedWrite,
    /// A watch told something once more long after.
    Straggler,
    /// A watch was taken up again from before it broke.
    ResumedWatch,
    /// A list came while bindings were on their way.
    ListWithBindingsInFlight,
    /// A pod could not be read.
    UnreadablePod,
    /// A binding of unknown outcome was sent again.
    BindingSentAgain,
    /// A binding was written after the scheduler gave up on the request.
    WrittenAfterTimeout,
    /// A binding was written that a scheduler sent which is no more.
    WrittenForTheDead,
    /// A binding reached the server when another pod had the name.
    BindingOfAPredecessor,
    /// A binding reached the server when the pod was gone.
    BindingOfADeletedPod,
    /// The scheduler died before it sent a binding.
    CrashBeforeBinding,
    /// The scheduler died after it sent a binding.
    CrashAfterBinding,
    /// The scheduler gave up rows of delays.
    DelaysGivenUp,
    /// A pod waits because a delay is not fresh.
    StaleDelay,
    /// A pod was placed by the last delays of a node that is not heard of.
    LastDelays,
    /// The bound of a placed pod was found broken.
    BoundBroken,
    /// It was found kept again.
    BoundKeptAgain,
    /// Pods were taken away for another one.
    Preemption,
    /// The scheduler never heard what came of that.
    PreemptionOfUnknownOutcome,
    /// A backup was made.
    BackupMade,
    /// A backup was taken away.
    BackupTaken,
    /// It was written where a pod's backup is.
    CoverWritten,
    /// A node got the taint of a handover, or lost it.
    HandoverTaint,
    /// The scheduler died before it sent a request about backups.
    CrashBeforeBackup,
    /// The scheduler died after it sent one.
    CrashAfterBackup,
    /// A pod had no backup.
    BackupMissing,
    /// It had one again.
    BackupFound,
    /// A pod was bound to where room was held for it.
    Handover,
    /// Probes were lost, each by itself.
    ProbesLost,
    /// A scheduler ended that was not the leader any more.
    EndedWithoutLease,
    /// The scheduler died before it took a pod off a node that failed.
    CrashBeforeEviction,
    /// The scheduler died after it asked for that.
    CrashAfterEviction,
    /// The scheduler died when the pod's condition was written, and the pod not deleted.
    CrashBetweenConditionAndDeletion,
    /// A pod was to be taken off, and the node's Lease was renewed meanwhile.
    LeaseRenewed,
    /// A pod was taken off a node that failed.
    Failover,
    /// A pod was removed from a node that somebody fenced.
    FencedFailover,
    /// A pod was taken off a node that ran and reached nobody.
    IsolatedFailover,
    /// A pod that may run twice was taken off a node that ran.
    FalseFastFailover,
    /// A pod was to be moved to keep its bound.
    MovedForDelay,
    /// A pod was to be moved to make room.
    MovedForRoom,
    /// A pod was to be moved so that less is reserved.
    MovedForReserve,
    /// A budget did not allow it.
    MoveAgainstBudget,
    /// A way to less reserve was found.
    LessReserve,
    /// The scheduler died before it asked for a pod to be moved.
    CrashBeforeMove,
    /// The scheduler died after that.
    CrashAfterMove,
    /// A node that was knocked at was silent.
    NobodyOpens,
    /// A node that was knocked at answered.
    SomebodyOpens,
    /// All was frozen.
    Frozen,
    /// It was no longer.
    Resumed,
    /// A node was lost.
    Lost,
    /// It was used again.
    Recovered,
    /// A run ended with pods that fit nowhere.
    PodsLeftOver,
    /// A run ended with all pods placed.
    AllPodsPlaced,
}

/// The trace of a run.
#[derive(Debug, Default)]
pub(super) struct Trace {
    /// FNV-1a of all lines.
    pub(super) hash: u64,
    /// How many lines there were.
    pub(super) len: usize,
    /// What was seen, and how often.
    pub(super) sights: BTreeMap<Sight, u64>,
    /// What failed, and how often.
    pub(super) failures: BTreeMap<String, u64>,
    /// What else happened in the cluster, and how often.
    pub(super) happenings: BTreeMap<String, u64>,
    /// The lines, if they are kept. A run that failed is run again to get them, so that the many
    /// that don't fail needn't pay for them.
    pub(super) lines: Option<Vec<String>>,
}

struct Hasher<'a>(&'a mut u64);

// === impl Sight ===

impl Sight {
    /// Those of every run.
    pub(super) const OF_ALL: [Self; 21] = [
        Self::MissedWrite,
        Self::Straggler,
        Self::ResumedWatch,
        Self::ListWithBindingsInFlight,
        Self::UnreadablePod,
        Self::BindingSentAgain,
        Self::WrittenAfterTimeout,
        Self::WrittenForTheDead,
        Self::BindingOfAPredecessor,
        Self::BindingOfADeletedPod,
        Self::CrashBeforeBinding,
        Self::CrashAfterBinding,
        Self::DelaysGivenUp,
        Self::StaleDelay,
        Self::LastDelays,
        Self::BoundBroken,
        Self::BoundKeptAgain,
        Self::Preemption,
        Self::PreemptionOfUnknownOutcome,
        Self::PodsLeftOver,
        Self::AllPodsPlaced,
    ];
    /// Those of runs in which machines fail and pods have backups and are moved.
    pub(super) const OF_YEARS: [Self; 31] = [
        Self::ProbesLost,
        Self::BackupMade,
        Self::BackupTaken,
        Self::CoverWritten,
        Self::HandoverTaint,
        Self::Handover,
        Self::CrashBeforeBackup,
        Self::CrashAfterBackup,
        Self::BackupMissing,
        Self::BackupFound,
        Self::EndedWithoutLease,
        Self::CrashBeforeEviction,
        Self::CrashAfterEviction,
        Self::CrashBetweenConditionAndDeletion,
        Self::LeaseRenewed,
        Self::Failover,
        Self::FencedFailover,
        Self::IsolatedFailover,
        Self::MovedForDelay,
        Self::MovedForRoom,
        Self::MovedForReserve,
        Self::MoveAgainstBudget,
        Self::LessReserve,
        Self::NobodyOpens,
        Self::SomebodyOpens,
        Self::Frozen,
        Self::Resumed,
        Self::Lost,
        Self::Recovered,
        Self::PodsLeftOver,
        Self::AllPodsPlaced,
    ];
}

// === impl Trace ===

impl Trace {
    /// A trace that keeps its lines, or not.
    pub(super) fn new(keep: bool) -> Self {
        Self { hash: 0xcbf2_9ce4_8422_2325, lines: keep.then(Vec::new), ..Self::default() }
    }

    /// Notes that something was seen.
    pub(super) fn saw(&mut self, sight: Sight) {
        *self.sights.entry(sight).or_default() += 1;
    }

    /// Notes that something failed.
    pub(super) fn failed(&mut self, failure: Failure) {
        *self.failures.entry(format!("{failure:?}")).or_default() += 1;
    }

    /// Notes that something happened.
    pub(super) fn happened(&mut self, happening: Happening) {
        *self.happenings.entry(format!("{happening:?}")).or_default() += 1;
    }

    /// Notes what was told of a node.
    pub(super) fn told(&mut self, reason: NodeReason) {
        match reason {
            NodeReason::FailoverFrozen => self.saw(Sight::Frozen),
            NodeReason::FailoverResumed => self.saw(Sight::Resumed),
            NodeReason::NodeLost => self.saw(Sight::Lost),
            NodeReason::NodeRecovered => self.saw(Sight::Recovered),
            NodeReason::NodeSuspect
            | NodeReason::NodeReached
            | NodeReason::NodeReturned
            | NodeReason::NodeFenced => (),
        }
    }

    /// Notes what happened.
    pub(super) fn note(&mut self, now: Time, what: fmt::Arguments<'_>) {
        let now = now.since_origin().as_millis();
        self.len += 1;
        write!(Hasher(&mut self.hash), "{now} {what}").unwrap();
        if let Some(lines) = &mut self.lines {
            lines.push(format!("{:>8}.{:03}  {what}", now / 1000, now % 1000));
        }
    }
}

// === impl Hasher ===

impl Write for Hasher<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            *self.0 = (*self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        Ok(())
    }
}
