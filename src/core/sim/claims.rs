//! What the scheduler says of cover, and what it takes away: P2, P5 and P6 at any moment.

use std::collections::BTreeMap;

use super::backups::is_asked;
use super::covered::{amounts, is_to_be_covered, plus, violation};
use super::invariants::Violation;
use super::view::View;
use crate::model::{NodeName, Pod};
use crate::placement::{NodeSlot, is_backup};
use crate::state::{PodRef, State};

/// Where the scheduler says that all are covered, what its book says is there, by what it was told (P2; and P5, that
/// it says so when it isn't).
pub(super) fn is_as_it_says(state: &State, view: &View) -> Result<(), Violation> {
    if !view.listed.is_all() || state.cover_count().uncovered > 0 {
        return Ok(());
    }
    let snapshot = state.snapshot();
    let mut covered: BTreeMap<(NodeName, NodeName), [i64; 4]> = BTreeMap::new();
    // What a pod says that is on its way counts once it has arrived.
    for (pod, node) in view.placed().filter(|(pod, _)| is_to_be_covered(pod) && pod.node.is_some()) {
        let entry = snapshot.backups.book.of(&pod.uid);
        let backup = entry.and_then(|entry| snapshot.nodes.name(entry.backup));
        let Some(backup) = backup.filter(|backup| *backup != node) else {
            return Err(violation(format!(
                "{} on {node} has its backup on {backup:?}, and all are said to be covered",
                pod.key
            )));
        };
        let sum = covered.entry((backup.clone(), node.clone())).or_default();
        *sum = plus(*sum, amounts(&pod.requests));
    }
    for ((backup, node), sum) in covered {
        let there = view.placed().filter(|(pod, on)| **on == backup && is_backup(pod) && !pod.terminating);
        let there = there.filter(|(pod, _)| !is_asked(&pod.uid));
        let held = there.map(|(pod, _)| amounts(&pod.requests)).fold([0; 4], plus);
        if (0..4).any(|idx| sum[idx] > held[idx]) {
            return Err(violation(format!(
                "{backup} holds {held:?}, covers {sum:?} of {node}, and all are said to be covered"
            )));
        }
    }
    Ok(())
}

/// The scheduler takes a backup away (P6): what is left is enough, or somebody goes first who needs the room.
pub(super) fn may_take(state: &State, view: &View, pod: &PodRef) -> Result<(), Violation> {
    if view.going.contains(&pod.uid) {
        // It was asked to go before, and may be gone: that was judged then.
        return Ok(());
    }
    let Some(piece) =
        view.pods.get(&pod.uid).filter(|piece| !piece.phase.is_terminal() && !piece.terminating)
    else {
        return Ok(());
    };
    let Some(node) = piece.node.as_ref().and_then(|node| view.nodes.get(node)) else { return Ok(()) };
    let snapshot = state.snapshot();
    let mut by_primary: BTreeMap<NodeSlot, [i64; 4]> = BTreeMap::new();
    let mut others = [0; 4];
    for (other, on) in view.placed().filter(|(other, _)| !is_backup(other)) {
        if *on == node.name {
            others = plus(others, amounts(&other.requests));
        }
        let Some(entry) = snapshot.backups.book.of(&other.uid) else { continue };
        if snapshot.nodes.name(entry.backup) == Some(&node.name) {
            let sum = by_primary.entry(entry.primary).or_default();
            *sum = plus(*sum, amounts(&other.requests));
        }
    }
    let nominated =
        view.pods.values().filter(|it| it.node.is_none() && it.nominated_node.as_ref() == Some(&node.name));
    let owed = nominated.map(|it| amounts(&it.requests)).fold([0; 4], plus);
    let there = view.placed().filter(|(it, on)| **on == node.name && is_backup(it) && !it.terminating);
    let there: Vec<&Pod> = there.map(|(it, _)| it).collect();
    let held = there.iter().map(|it| amounts(&it.requests)).fold([0; 4], plus);
    // What goes already, and is asked to go once more, is no part of what is left.
    let stays = there.iter().filter(|it| it.uid != pod.uid && !view.going.contains(&it.uid));
    let rest = stays.map(|it| amounts(&it.requests)).fold([0; 4], plus);
    let has = amounts(&node.allocatable);
    let is_needed = (0..4).any(|idx| others[idx] + owed[idx] + held[idx] > has[idx]);
    // In a handover somebody has the room who is bound when it is free. Whom it was shared with is said to be uncovered,
    // and is covered anew.
    let mut takers =
        snapshot.backups.holds.takers().filter(|(_, on)| snapshot.nodes.name(*on) == Some(&node.name));
    let is_handed_over = takers.any(|(uid, _)| view.pods.get(uid).is_some_and(|it| it.node.is_none()));
    let is_needed = is_needed || is_handed_over;
    match by_primary.iter().find(|(_, sum)| (0..4).any(|idx| sum[idx] > rest[idx])) {
        Some((primary, sum)) if !is_needed => {
            let primary = snapshot.nodes.name(*primary);
            let what = format!("{} goes, {rest:?} is left, and {sum:?} is covered of {primary:?}", pod.key);
            Err(violation(what))
        }
        Some(_) | None => Ok(()),
    }
}
