//! The backups that are on their way: asked for, or asked to go. None is lost: each leaves these tables by an
//! outcome, by the watch, or is asked for again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::model::{PodKey, PodUid, Time};
use crate::placement::NodeSlot;
use crate::state::{Backoff, BackupPod};

/// How many requests about backups may be on their way at once.
pub(super) const MAX_IN_FLIGHT: usize = 8;
/// After this long a request that was answered is sent again, if the watch has not told of its effect.
pub(super) const UNSEEN: Duration = Duration::from_secs(30);
/// How long to wait after failures.
pub(super) const BACKOFF: Backoff = Backoff { initial: Duration::from_secs(2), max: Duration::from_mins(5) };

/// The backups that are on their way.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    /// Those that were asked for and that no watch has told of.
    pub(super) asked: BTreeMap<PodKey, Asked>,
    /// Those that were asked to go and that no watch has told to be gone.
    pub(super) going: BTreeMap<PodKey, Going>,
    /// Nodes whose backups failed, were refused by their kubelet or were taken away: nothing is made there until then.
    pub(super) held_up: BTreeMap<NodeSlot, HeldUp>,
    /// What keeps backups from being made anywhere, and until when that is not tried again.
    pub(super) refused: Option<Refused>,
    /// The last number used in a backup's name, by node.
    pub(super) serials: BTreeMap<NodeSlot, u64>,
    /// Nodes that would have asked for something if less were on its way.
    pub(super) waiting: BTreeSet<NodeSlot>,
}

/// A backup that was asked for.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) slot: NodeSlot,
    pub(super) backup: BackupPod,
    /// Whether a request is on its way.
    pub(super) in_flight: bool,
    /// When it is asked for again, if none is.
    pub(super) again: Time,
    pub(super) failures: u32,
}

/// A backup that was asked to go.
#[derive(Clone, Debug)]
pub(super) struct Going {
    pub(super) uid: PodUid,
    pub(super) in_flight: bool,
    pub(super) again: Time,
    pub(super) failures: u32,
}

/// A node where no backup is made for a while.
#[derive(Clone, Copy, Debug)]
pub(super) struct HeldUp {
    pub(super) until: Time,
    pub(super) failures: u32,
}

/// The server makes no backups, or not those that it is asked for on some nodes.
#[derive(Clone, Debug, Default)]
pub(super) struct Refused {
    /// Until then none is asked for where one was refused, as long as none was made.
    pub(super) until: Time,
    /// How often all were refused.
    pub(super) failures: u32,
    /// The nodes whose last one was refused, and until when none is asked for there, if others were made.
    pub(super) nodes: BTreeMap<NodeSlot, HeldUp>,
    /// Whether others were made, or may be: what is refused are those of some nodes, by their size for example.
    pub(super) is_partial: bool,
}

// === impl Refused ===

impl Refused {
    /// Until when none is asked for on this node. Where none was refused it may be another matter, so one is tried.
    pub(super) fn until_on(&self, slot: NodeSlot) -> Time {
        match self.nodes.get(&slot) {
            None => Time::ZERO,
            Some(node) if self.is_partial => node.until,
            Some(_) => self.until,
        }
    }
}

// === impl Pieces ===

impl Pieces {
    /// How many requests are on their way.
    pub(super) fn in_flight(&self) -> usize {
        self.asked.values().filter(|it| it.in_flight).count()
            + self.going.values().filter(|it| it.in_flight).count()
    }

    /// Whether one more request may be sent for a node; if not, it is remembered that it waits.
    pub(super) fn may_send(&mut self, slot: NodeSlot) -> bool {
        let may = self.in_flight() < MAX_IN_FLIGHT;
        if !may {
            self.waiting.insert(slot);
        }
        may
    }

    /// Whether something was asked for on a node.
    pub(super) fn is_asked_on(&self, slot: NodeSlot) -> bool {
        self.asked.values().any(|it| it.slot == slot)
    }

    /// The next thing to be sent again, or to be tried again.
    pub(super) fn next_due(&self) -> Option<Time> {
        let asked = self.asked.values().filter(|it| !it.in_flight).map(|it| it.again);
        let going = self.going.values().filter(|it| !it.in_flight).map(|it| it.again);
        let held_up = self.held_up.values().map(|it| it.until);
        let refused = self.refused.iter().map(|it| it.until);
        // What failed long ago and was not tried since is no reason to wake.
        asked
            .chain(going)
            .chain(held_up.filter(|it| *it != Time::ZERO))
            .chain(refused.filter(|it| *it != Time::ZERO))
            .min()
    }
}
