//! Network coordinates: delays that nobody measured, predicted from those that somebody did.
//!
//! Vivaldi (SIGCOMM 2004) as Serf has it: eight dimensions and a height, which stands for what a node's access adds
//! to all its delays, and an error by which two nodes' words are weighed. All coordinates are kept here, so every
//! sample moves both its ends, and samples are gone through again and again instead of being measured again.
//!
//! A prediction is often wrong, for short delays above all. It only chooses whom to measure.

use super::roster::Id;
use crate::random::mix;

/// Dimensions besides the height (Serf: `Dimensionality`).
const DIMENSIONS: usize = 8;
/// How much of the difference a sample takes away at most (Serf: `VivaldiCC`).
const STEP: f32 = 0.25;
/// This part of it remains at last.
const STEP_MIN: f32 = 0.1;
/// How much a sample counts for the error at most (Serf: `VivaldiCE`).
const ERROR_STEP: f32 = 0.25;
/// The error of a node of which nothing is known, and the largest there is (Serf: `VivaldiErrorMax`).
const ERROR_MAX: f32 = 1.5;
/// No height is less, in ms (Serf: `HeightMin`).
const HEIGHT_MIN: f32 = 0.01;
/// No delay counts as less, in ms: what is shorter is as near as can be.
const DELAY_MIN: f32 = 0.05;
/// A node's predictions are used after so many samples moved it.
const SETTLED_AFTER: u32 = 32;
/// What only wobbles moves nothing: a sample counts if it differs by this share from what is known, and this much in
/// ms.
const DIFFERS: (f32, f32) = (0.1, 0.2);
/// What is known then goes this part of the way to it.
const SMOOTHING: f32 = 0.25;
/// And all of the way if it differs by this share.
const STEPS: f32 = 0.5;
/// And samples are gone through more often until then.
const BEGINS_UNTIL: u32 = 4_096;
/// How many samples are gone through at a time at most.
const WORK: usize = 1_000_000;
/// How often at most each of them is while a node begins, and else.
const ROUNDS: [usize; 2] = [16, 2];

/// Where a node is: in ms.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Coordinate {
    place: [f32; DIMENSIONS],
    height: f32,
    error: f32,
    moves: u32,
}

/// A delay that was measured.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Sample {
    to: Id,
    ms: f32,
}

/// The coordinates of all agents, and what they come from.
#[derive(Clone, Debug, Default)]
pub(super) struct Coordinates {
    places: Vec<Coordinate>,
    samples: Vec<Vec<Sample>>,
    /// Counts the moves, as a source of directions.
    moves: u64,
    /// Whether there is something that was not gone through yet.
    news: bool,
}

// === impl Coordinate ===

impl Default for Coordinate {
    fn default() -> Self {
        Self { place: [0.0; DIMENSIONS], height: HEIGHT_MIN, error: ERROR_MAX, moves: 0 }
    }
}

impl Coordinate {
    /// The predicted delay, in ms.
    pub(super) fn to(&self, other: &Self) -> f32 {
        self.apart(other).sqrt() + self.height + other.height
    }

    /// The square of the distance without heights.
    fn apart(&self, other: &Self) -> f32 {
        self.place.iter().zip(&other.place).map(|(a, b)| (a - b) * (a - b)).sum()
    }

    /// How far it is from where it was.
    pub(super) fn moved_from(&self, then: &Self) -> f32 {
        self.apart(then).sqrt() + (self.height - then.height).abs()
    }

    /// Whether anything can be predicted from it.
    pub(super) fn is_settled(&self) -> bool {
        self.moves >= SETTLED_AFTER
    }

    /// Moves it as a sample of the delay to another node says (Vivaldi's figure 3; Serf's `updateVivaldi`).
    fn learn(&mut self, other: &Self, ms: f32, direction: u64) {
        let ms = ms.max(DELAY_MIN);
        let predicted = self.to(other);
        let wrong = (predicted - ms).abs() / ms;
        let weight = self.error / (self.error + other.error).max(f32::EPSILON);
        self.error = (ERROR_STEP * weight * wrong + self.error * (1.0 - ERROR_STEP * weight)).min(ERROR_MAX);
        self.push(self.step() * weight * (ms - predicted), other, direction);
        self.moves = self.moves.saturating_add(1);
    }

    /// A node that has found its place takes shorter steps: what samples contradict each other in would else keep all
    /// of them moving, and lists of near ones with them.
    #[expect(clippy::cast_precision_loss, reason = "a share needs no more")]
    fn step(&self) -> f32 {
        STEP * (BEGINS_UNTIL as f32 / self.moves.max(1) as f32).clamp(STEP_MIN, 1.0)
    }

    /// Moves it away from another node, or towards it.
    fn push(&mut self, force: f32, other: &Self, direction: u64) {
        let distance = self.apart(other).sqrt();
        if distance > f32::EPSILON {
            for (own, from) in self.place.iter_mut().zip(&other.place) {
                *own += (*own - from) / distance * force;
            }
            let height = (self.height + other.height) * force / distance + self.height;
            self.height = height.max(HEIGHT_MIN);
        } else {
            // Two in one place go apart in any direction, but in the same one in every run.
            for (own, dimension) in self.place.iter_mut().zip(1..) {
                *own += unit(mix(direction ^ dimension)) * force;
            }
        }
    }
}

/// From -0.5 to 0.5.
#[expect(clippy::cast_precision_loss, reason = "24 bits fit exactly")]
fn unit(random: u64) -> f32 {
    (random >> 40) as f32 / (1_u64 << 24) as f32 - 0.5
}

// === impl Coordinates ===

impl Coordinates {
    /// Makes room for numbers below `end`, and forgets what was known of those who went.
    pub(super) fn resize(&mut self, end: usize, went: &[Id]) {
        self.places.resize(end, Coordinate::default());
        self.samples.resize(end, Vec::new());
        for id in went {
            if let Some(place) = self.places.get_mut(id.idx()) {
                *place = Coordinate::default();
            }
            if let Some(samples) = self.samples.get_mut(id.idx()) {
                samples.clear();
            }
        }
        if !went.is_empty() {
            for samples in &mut self.samples {
                samples.retain(|sample| !went.contains(&sample.to));
            }
        }
    }

    /// Replaces what a node measured: delays in ms.
    pub(super) fn replace(&mut self, from: Id, samples: impl Iterator<Item = (Id, f32)>) {
        let Some(known) = self.samples.get_mut(from.idx()) else { return };
        let mut new: Vec<Sample> = Vec::with_capacity(known.len());
        for (to, ms) in samples.filter(|(to, _)| *to != from) {
            let before = known.iter().find(|sample| sample.to == to).map(|sample| sample.ms);
            let apart = before.map_or(f32::MAX, |before| (ms - before).abs());
            let ms = match before {
                Some(before) if apart <= DIFFERS.1.max(before * DIFFERS.0) => before,
                Some(before) if apart < before * STEPS => before + (ms - before) * SMOOTHING,
                _ => ms,
            };
            self.news |= before != Some(ms);
            new.push(Sample { to, ms });
        }
        *known = new;
    }

    pub(super) fn get(&self, id: Id) -> Option<&Coordinate> {
        self.places.get(id.idx())
    }

    /// What a node measured last to another, in ms.
    pub(super) fn measured(&self, from: Id, to: Id) -> Option<f32> {
        self.samples.get(from.idx())?.iter().find(|sample| sample.to == to).map(|sample| sample.ms)
    }

    /// Goes through the samples while there are new ones, or nodes that have not settled.
    pub(super) fn settle(&mut self) {
        let begins = |(own, at): (&Vec<Sample>, &Coordinate)| !own.is_empty() && at.moves < BEGINS_UNTIL;
        let begins = self.samples.iter().zip(&self.places).any(begins);
        if !std::mem::take(&mut self.news) && !begins {
            return;
        }
        let samples: usize = self.samples.iter().map(Vec::len).sum();
        let [first, later] = ROUNDS;
        for _ in 0..(WORK / samples.max(1)).clamp(1, if begins { first } else { later }) {
            self.round();
        }
    }

    /// Goes through all samples once. From round to round nodes take their turns in another order, or those at the
    /// end would always have the last word.
    fn round(&mut self) {
        let Self { places, samples, moves, .. } = self;
        let n = samples.len();
        let start = usize::try_from(mix(*moves) >> 33).unwrap_or(0) % n.max(1);
        for (from, own) in samples.iter().enumerate().cycle().skip(start).take(n) {
            for Sample { to, ms } in own {
                let (Some(mut one), Some(mut other)) =
                    (places.get(from).copied(), places.get(to.idx()).copied())
                else {
                    continue;
                };
                let before = one;
                *moves += 1;
                one.learn(&other, *ms, *moves);
                other.learn(&before, *ms, !*moves);
                if let Some(place) = places.get_mut(from) {
                    *place = one;
                }
                if let Some(place) = places.get_mut(to.idx()) {
                    *place = other;
                }
            }
        }
    }
}
