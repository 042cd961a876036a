//! What the state machine makes of delays: which are in use, and whom a change of them concerns.

use std::collections::BTreeSet;

use super::{Action, Defect, State};
use crate::delay::{AnchorNodes, DelayConstraints, DelayRow, Falls, Heard, Report, Reviewed, resolve};
use crate::model::{NodeName, Pod, Time};
use crate::placement::{ClusterEvent, NodeSlot, PluginSet, Snapshot};

// === impl State ===

impl State {
    pub(super) fn apply_delays(&mut self, rows: &[DelayRow], now: Time) {
        self.catch_up(now);
        for row in rows {
            // A row that was given up may still be on its way. Its changes are not told any more, so it must
            // not be taken for the present one.
            let slot = self.snapshot.nodes.slot(row.from.as_str());
            let Some(slot) = slot.filter(|slot| self.snapshot.delays.row(*slot).is_some()) else { continue };
            let merged = self.has(Defect::StaleDelays).then(|| self.merge_with_known(row));
            let row = merged.as_ref().unwrap_or(row);
            let reviewed = self.snapshot.delays.load(row, &mut self.snapshot.nodes, now);
            self.reviewed(slot, &reviewed, now);
            self.judge_around(slot, now);
        }
        self.queue.resume_awaiting_delays();
    }

    pub(super) fn apply_measured(&mut self, reports: &[Report], now: Time) {
        self.catch_up(now);
        for report in reports {
            let misread = self.misreads().then(|| self.misread(report, now));
            let report = misread.as_ref().unwrap_or(report);
            let Heard { from, source, peers, falls, heard_again } =
                self.snapshot.delays.hear(report, &mut self.snapshot.nodes, now);
            for (row, falls) in falls {
                self.wake_near(row, &falls, now);
            }
            if heard_again {
                self.heard_otherwise(now);
            }
            self.judge_between(from, &peers, source, now);
        }
    }

    /// Brings what placed pods are judged by up to date, before something more is told of it.
    fn catch_up(&mut self, now: Time) {
        self.review_delays(now);
        if self.is_synced() {
            self.find_anchors(now);
        }
    }

    /// Time has passed, so that delays may have become stale.
    pub(super) fn review_delays(&mut self, now: Time) {
        while let Some((row, reviewed)) = self.snapshot.delays.review_due(&self.snapshot.nodes, now) {
            self.reviewed(row, &reviewed, now);
        }
    }

    /// A node came, went or changed, and with it what its delays are worth.
    pub(super) fn review_delays_of(&mut self, node: &NodeName, now: Time) {
        let Some(slot) = self.snapshot.nodes.slot(node.as_str()) else { return };
        let reviewed = self.snapshot.delays.look_over(slot, &self.snapshot.nodes, now);
        self.reviewed(slot, &reviewed, now);
    }

    fn reviewed(&mut self, row: NodeSlot, reviewed: &Reviewed, now: Time) {
        self.wake_near(row, &reviewed.falls, now);
        if reviewed.heard_otherwise {
            self.heard_otherwise(now);
        }
    }

    /// A node that anchors are on is not heard of any more, or is again, so that other replicas of them count.
    fn heard_otherwise(&mut self, now: Time) {
        self.bounds.nodes_changed();
        self.wake(&ClusterEvent::DelaysChanged(&Falls::everywhere()), now);
    }

    /// Tries again the pods with an anchor on this node that these smaller delays may have let in.
    fn wake_near(&mut self, from: NodeSlot, falls: &Falls, now: Time) {
        if !self.queue.has_bound_within(falls) {
            return;
        }
        let event = ClusterEvent::DelaysChanged(falls);
        let cured = |pod: &Pod, rejected_by: PluginSet| {
            self.may_cure(&event, pod, rejected_by) && anchor_slots(&self.snapshot, pod).contains(&from)
        };
        for key in self.queue.curable(cured) {
            self.requeue(&key, event.label(), now);
        }
    }

    /// Asks for the delays from these nodes, on top of those in use.
    pub(super) fn use_delays(&mut self, nodes: &[NodeName]) {
        let mut new = false;
        for node in nodes {
            let slot = self.snapshot.nodes.slot_of(node);
            new |= self.snapshot.delays.ask(slot);
        }
        if new {
            self.announce_delays_in_use();
        }
    }

    fn announce_delays_in_use(&mut self) {
        let names = self.snapshot.delays.slots().filter_map(|slot| self.snapshot.nodes.name(slot).cloned());
        let mut names: Vec<NodeName> = names.collect();
        names.sort_unstable();
        self.actions.push_back(Action::UseDelays(names));
    }

    /// Gives up delays that no waiting and no placed pod is bound by.
    pub(super) fn sweep_delays(&mut self) {
        let mut in_use = BTreeSet::new();
        let waiting = self.queue.iter().map(|queued| &queued.pod);
        for pod in waiting.chain(self.cache.iter().map(|placed| &placed.pod)) {
            in_use.extend(anchor_slots(&self.snapshot, pod));
        }
        in_use.extend(self.rows_for_cover());
        let before = self.snapshot.delays.slots().count();
        self.snapshot.delays.retain(|slot| in_use.contains(&slot));
        if self.snapshot.delays.slots().count() != before {
            self.announce_delays_in_use();
        }
    }
}

/// The nodes that the anchors of a pod are on.
fn anchor_slots(snapshot: &Snapshot, pod: &Pod) -> Vec<NodeSlot> {
    let Ok(constraints) = DelayConstraints::of_pod(pod) else { return Vec::new() };
    let anchors = constraints.list.iter().map(|constraint| resolve(snapshot, pod, &constraint.anchor));
    let slots = anchors.filter_map(|resolved| match resolved {
        Ok(AnchorNodes::On(slots)) => Some(slots),
        Ok(AnchorNodes::FirstOfItself) | Err(_) => None,
    });
    slots.flatten().collect()
}
