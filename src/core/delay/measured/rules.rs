//! Which measurements count, and for how long.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::delay::{DelaySource, Statistics};
use crate::model::Delay;

/// What is made of measurements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DelayRules {
    /// The sources in order of precedence. What others say is passed over.
    pub sources: Vec<DelaySource>,
    /// Which statistic is a pair's delay.
    pub statistic: Statistic,
    /// So old a measurement is stale; none means three report periods of the one who reports it. What is reported
    /// once and for all never is.
    pub stale_after: Option<Duration>,
    /// By how much a bound has to be exceeded before it counts as broken for a pod that is placed.
    pub hysteresis: Hysteresis,
    /// For how long the last fresh delays of an anchor's node stay in force that nothing is heard of; none means
    /// until there is no such node any more.
    pub anchor_grace: Option<Duration>,
    /// The delay values that there are layers of whether or not pods ask for them.
    pub layers: Vec<Delay>,
}

/// Which statistic of the samples is a pair's delay. A source that doesn't have it gives what it has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Statistic {
    /// The smallest.
    Min,
    /// The median.
    P50,
    /// The 95th percentile.
    #[default]
    P95,
}

/// A share of a bound, in percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hysteresis(u8);

/// A text is no hysteresis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a whole percentage from 0% to 100%, such as \"10%\"")]
pub struct HysteresisError;

/// After so many report periods without a word a measurement is stale.
const STALE_PERIODS: u32 = 3;
// === impl DelayRules ===

impl Default for DelayRules {
    fn default() -> Self {
        Self {
            sources: vec![DelaySource::Probe, DelaySource::Goldpinger, DelaySource::File],
            statistic: Statistic::default(),
            stale_after: None,
            hysteresis: Hysteresis::default(),
            anchor_grace: None,
            layers: Vec::new(),
        }
    }
}

impl DelayRules {
    /// How old a measurement may be of one who reports every so often; none if it may be of any age.
    pub fn stale_after(&self, every: Option<Duration>) -> Option<Duration> {
        let every = every?;
        Some(self.stale_after.unwrap_or_else(|| every.saturating_mul(STALE_PERIODS)))
    }
}

// === impl Statistic ===

impl Statistic {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Min, Self::P50, Self::P95];

    /// Its name in a configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Min => "min",
            Self::P50 => "p50",
            Self::P95 => "p95",
        }
    }

    /// The one of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|statistic| statistic.name() == name)
    }

    /// What `statistics` of this source say of the delay, if they can be trusted. An agent's need some samples;
    /// another source has one, which it answers for.
    pub fn of(self, source: DelaySource, statistics: &Statistics) -> Option<Delay> {
        if source == DelaySource::Probe && statistics.samples < Statistics::ENOUGH_SAMPLES {
            return None;
        }
        let Statistics { min, p50, p95, .. } = *statistics;
        match self {
            Self::Min => min.or(p50).or(p95),
            Self::P50 => p50.or(p95).or(min),
            Self::P95 => p95.or(p50).or(min),
        }
    }
}

// === impl Hysteresis ===

impl Hysteresis {
    /// The hysteresis of so many percent, at most 100.
    pub fn from_percent(percent: u8) -> Result<Self, HysteresisError> {
        if percent <= 100 { Ok(Self(percent)) } else { Err(HysteresisError) }
    }

    /// Whether a delay is over a bound by more than this.
    pub fn is_over(self, delay: Delay, bound: Delay) -> bool {
        let bound = u64::from(bound.as_micros());
        u64::from(delay.as_micros()) * 100 > bound * (100 + u64::from(self.0))
    }

    /// The largest delay that is not over a bound by more than this.
    pub fn limit(self, bound: Delay) -> Delay {
        let micros = u64::from(bound.as_micros()) * (100 + u64::from(self.0)) / 100;
        u32::try_from(micros).ok().and_then(|micros| Delay::from_micros(micros).ok()).unwrap_or(Delay::MAX)
    }
}

impl Default for Hysteresis {
    fn default() -> Self {
        Self(10)
    }
}

impl FromStr for Hysteresis {
    type Err = HysteresisError;

    fn from_str(text: &str) -> Result<Self, HysteresisError> {
        let digits = text.strip_suffix('%').ok_or(HysteresisError)?;
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(HysteresisError);
        }
        digits.parse().ok().and_then(|percent| Self::from_percent(percent).ok()).ok_or(HysteresisError)
    }
}

impl fmt::Display for Hysteresis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0)
    }
}
