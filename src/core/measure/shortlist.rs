//! Shortlists: whom an anchor measures because pods want to be near it.
//!
//! The anchor measures, not the candidates. So a new anchor changes one list and not hundreds, one report tells of
//! all candidates, and what an anchor sends has a limit of its own however many pods name it: at most
//! [`super::PlanSettings::shortlist`] peers every 10 s. With 256 of them these are 26 probes a second, 52 packets
//! with their answers, of about 130 bytes with all headers: 7 kB/s.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::coordinates::Coordinates;
use super::roster::Id;
use crate::model::{Delay, Time};

/// Candidates are predicted within this many times the bound.
const REACH: f32 = 2.0;
/// With each widening it is this many times as far.
const WIDER: f32 = 1.5;
/// After so many widenings everybody is in reach.
const WIDENINGS: u32 = 16;
/// A bound counts as at least this many ms when candidates are chosen: shorter delays can't be predicted.
const BOUND_MIN: f32 = 0.5;
/// While pods wait the list is widened this often: three rounds of measuring.
const WIDENED_EVERY: Duration = Duration::from_secs(30);
/// A list stays widened this long after the last pod waited.
const CALM: Duration = Duration::from_mins(5);
/// How often a list is looked at without anything new.
const LOOKED_AT_EVERY: Duration = Duration::from_mins(1);
/// If pods wait although a list is full, with each widening this part of it makes room for others: those that were
/// in it for the longest time. They come back when all others in reach had their turn.
const MOVES_ON: usize = 4;
/// Who was measured too far is not measured again for this long.
const RULED_OUT: Duration = Duration::from_mins(10);
/// Who is in a list stays in it up to this many times its reach, and its size.
const STAYS_WITHIN: f32 = 1.25;
/// A bound counts as missed by a measurement over this many times it.
const MISSED: f32 = 1.1;

/// Whom one anchor measures.
#[derive(Debug)]
pub(super) struct Shortlist {
    /// The bounds of its pods, ascending; never empty.
    pub(super) bounds: Vec<Delay>,
    /// Whether one of them waits.
    waiting: bool,
    /// Where they are.
    users: BTreeSet<Id>,
    /// Since when each is in the list.
    members: BTreeMap<Id, Time>,
    widened: u32,
    widen_at: Time,
    calm_at: Time,
    look_at: Time,
    /// Who was measured and is too far, and until when that is believed.
    ruled_out: BTreeMap<Id, Time>,
    /// Who had a turn, made room for others, and was not too far.
    rested: BTreeSet<Id>,
}

/// What pods want of an anchor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wish {
    pub(super) bounds: BTreeSet<Delay>,
    pub(super) waiting: bool,
    pub(super) users: BTreeSet<Id>,
}

/// What a list is made from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Choice<'a> {
    /// Everybody.
    pub(super) ids: &'a [Id],
    pub(super) coordinates: &'a Coordinates,
    /// How many a list may hold.
    pub(super) size: usize,
}

// === impl Shortlist ===

impl Shortlist {
    pub(super) fn new(wish: &Wish, now: Time) -> Self {
        Self {
            bounds: wish.bounds.iter().copied().collect(),
            waiting: wish.waiting,
            users: wish.users.clone(),
            members: BTreeMap::new(),
            widened: 0,
            widen_at: now + WIDENED_EVERY,
            calm_at: now,
            look_at: now,
            ruled_out: BTreeMap::new(),
            rested: BTreeSet::new(),
        }
    }

    /// Takes in what pods want now.
    pub(super) fn set(&mut self, wish: &Wish, now: Time) {
        let same =
            self.bounds.iter().eq(&wish.bounds) && self.waiting == wish.waiting && self.users == wish.users;
        if same {
            return;
        }
        if wish.waiting && !self.waiting {
            self.widen_at = now + WIDENED_EVERY;
        }
        if self.waiting && !wish.waiting {
            self.calm_at = now + CALM;
        }
        if !self.bounds.iter().eq(&wish.bounds) {
            self.ruled_out.clear();
        }
        self.bounds = wish.bounds.iter().copied().collect();
        self.waiting = wish.waiting;
        self.users.clone_from(&wish.users);
        self.look_at = now;
    }

    /// Takes out those who went, whose numbers may stand for others now.
    pub(super) fn forget(&mut self, went: &[Id]) {
        self.members.retain(|member, _| !went.contains(member));
        self.ruled_out.retain(|id, _| !went.contains(id));
        self.rested.retain(|id| !went.contains(id));
        self.users.retain(|id| !went.contains(id));
    }

    pub(super) fn members(&self) -> impl Iterator<Item = Id> {
        self.members.keys().copied()
    }

    /// When it is to be looked at next.
    pub(super) fn look_at(&self) -> Time {
        if self.waiting { self.look_at.min(self.widen_at) } else { self.look_at }
    }

    /// Chooses anew; whether the list changed.
    pub(super) fn look(&mut self, own: Id, choice: Choice<'_>, now: Time) -> bool {
        self.look_at = now + LOOKED_AT_EVERY;
        if self.waiting && self.widen_at <= now {
            self.widened = (self.widened + 1).min(WIDENINGS);
            self.widen_at = now + WIDENED_EVERY;
            if self.members.len() >= choice.size {
                self.move_on();
            }
        } else if !self.waiting && self.calm_at <= now {
            self.widened = 0;
            self.rested.clear();
        }
        let bound = self.bounds.last().map_or(0.0, |bound| to_ms(*bound));
        let reach = (0..self.widened).fold(bound.max(BOUND_MIN) * REACH, |reach, _| reach * WIDER);
        self.rule_out(own, choice, bound, reach, now);
        let mut chosen = self.choose(own, choice, reach);
        if chosen.len() < choice.size && !self.rested.is_empty() {
            self.rested.clear();
            chosen = self.choose(own, choice, reach);
        }
        let changed = !chosen.iter().eq(self.members.keys());
        let since = |id: &Id| self.members.get(id).copied().unwrap_or(now);
        self.members = chosen.iter().map(|id| (*id, since(id))).collect();
        changed
    }

    /// Makes room: pods wait, so those that are measured don't do, for whatever reason.
    fn move_on(&mut self) {
        let mut oldest: Vec<(Time, Id)> = self.members.iter().map(|(id, since)| (*since, *id)).collect();
        oldest.retain(|(_, id)| !self.users.contains(id));
        oldest.sort_unstable();
        oldest.truncate(self.members.len() / MOVES_ON);
        self.rested.extend(oldest.into_iter().map(|(_, id)| id));
    }

    /// Who was measured out of reach is left out for a while, and, if pods wait and there is no room for others,
    /// who was measured over their bound.
    fn rule_out(&mut self, own: Id, choice: Choice<'_>, bound: f32, reach: f32, now: Time) {
        self.ruled_out.retain(|_, until| *until > now);
        let full = self.waiting && self.members.len() >= choice.size;
        for member in self.members.keys().filter(|member| !self.users.contains(member)) {
            let too_far = |ms: f32| ms > reach * STAYS_WITHIN || full && ms > bound * MISSED;
            if choice.coordinates.measured(own, *member).is_some_and(too_far) {
                self.ruled_out.insert(*member, now + RULED_OUT);
            }
        }
    }

    fn choose(&self, own: Id, choice: Choice<'_>, reach: f32) -> BTreeSet<Id> {
        let Choice { ids, coordinates, size } = choice;
        let mut chosen: BTreeSet<Id> =
            self.users.iter().copied().filter(|id| *id != own).take(size).collect();
        let at = coordinates.get(own).filter(|at| at.is_settled());
        let mut candidates: Vec<(f32, Id)> = ids
            .iter()
            .filter(|id| **id != own && !chosen.contains(id))
            .filter(|id| !self.ruled_out.contains_key(id) && !self.rested.contains(id))
            .filter_map(|id| {
                let predicted = || Some(at?.to(coordinates.get(*id).filter(|at| at.is_settled())?));
                // Of whom nothing is known may be anywhere; he is asked last.
                let ms =
                    coordinates.measured(own, *id).or_else(predicted).or(self.waiting.then_some(f32::MAX))?;
                let stays = self.members.contains_key(id);
                (ms <= reach || ms >= f32::MAX || stays && ms <= reach * STAYS_WITHIN).then_some((ms, *id))
            })
            .collect();
        candidates.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let room = size - chosen.len();
        let stay = candidates.iter().take(room + room / 4).map(|it| it.1);
        let stay: Vec<Id> = stay.filter(|id| self.members.contains_key(id)).take(room).collect();
        chosen.extend(stay);
        for (_, id) in candidates {
            if chosen.len() >= size {
                break;
            }
            chosen.insert(id);
        }
        chosen
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a bound needs no more than seven digits here")]
fn to_ms(delay: Delay) -> f32 {
    delay.as_millis_f64() as f32
}
