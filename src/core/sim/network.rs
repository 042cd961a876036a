//! The way of a request to the server and of its outcome back.

use std::time::Duration;

use super::faults::RequestFaults;
use super::rng::Rng;
use super::run::Run;
use crate::model::{NodeName, PodUid, Time};
use crate::state::{BindOutcome, Binding, PodRef};

/// After this long without a reply the shell gives up on a request.
pub(super) const TIMEOUT: Duration = Duration::from_secs(5);
/// Until then, after it was given up on, a request may still be written.
const LATEST: u64 = 20_000;

/// A binding on its way to the server.
#[derive(Clone, Debug)]
pub(super) struct Request {
    /// Which scheduler sent it.
    pub(super) incarnation: u32,
    /// The pod it was decided for.
    pub(super) pod: PodRef,
    /// The UID that the request carries.
    pub(super) uid: Option<PodUid>,
    /// The node.
    pub(super) node: NodeName,
    /// The annotations.
    pub(super) annotations: Vec<(&'static str, String)>,
    /// Whether the server's answer reaches the scheduler.
    pub(super) answered: Answered,
}

/// What the scheduler hears of a request that the server has worked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answered {
    /// The server's answer.
    Truly,
    /// Status 500, whatever the server did.
    WithError,
    /// Nothing.
    Never,
    /// Nothing: it has given up on the request before it is written.
    TooLate,
}

/// What becomes of a request.
#[derive(Debug, Default)]
pub(super) struct Fate {
    /// It reaches the server then.
    pub(super) arrives: Option<(Time, Answered)>,
    /// The scheduler hears this then, whatever the server does.
    pub(super) outcome: Option<(Time, BindOutcome)>,
}

// === impl Fate ===

impl Fate {
    /// Draws what becomes of a request sent now.
    pub(super) fn draw(faults: &RequestFaults, rng: &mut Rng, now: Time) -> Self {
        let soon = now + rng.millis(1, 50);
        let unknown = |text: &str| BindOutcome::Unknown(text.to_owned());
        let timed_out = Some((now + TIMEOUT, unknown("timed out")));
        let replied = |outcome| Self { arrives: None, outcome: Some((soon, outcome)) };
        if rng.chance(faults.throttled) {
            replied(unknown("429 too many requests"))
        } else if rng.chance(faults.error_before) {
            replied(unknown("500 internal error"))
        } else if rng.chance(faults.refused) {
            replied(BindOutcome::Refused("403 forbidden".to_owned()))
        } else if rng.chance(faults.false_conflict) {
            replied(BindOutcome::Conflict)
        } else if rng.chance(faults.error_after) {
            Self { arrives: Some((soon, Answered::WithError)), outcome: None }
        } else if rng.chance(faults.reply_lost) {
            Self { arrives: Some((soon, Answered::Never)), outcome: timed_out }
        } else if rng.chance(faults.written_later) {
            let late = now + TIMEOUT + rng.millis(1, LATEST);
            Self { arrives: Some((late, Answered::TooLate)), outcome: timed_out }
        } else if rng.chance(faults.never_written) {
            Self { arrives: None, outcome: timed_out }
        } else {
            Self { arrives: Some((soon, Answered::Truly)), outcome: None }
        }
    }
}

impl Request {
    /// A request for a binding that a scheduler decided.
    pub(super) fn new(binding: &Binding, incarnation: u32, answered: Answered) -> Self {
        Self {
            incarnation,
            pod: binding.pod.clone(),
            uid: Some(binding.pod.uid.clone()),
            node: binding.node.clone(),
            annotations: binding.annotations.clone(),
            answered,
        }
    }
}

// === impl Run ===

impl Run {
    /// What becomes of a request that is sent now.
    pub(super) fn fate(&mut self) -> Fate {
        if self.is_cut_off() {
            let outcome = Some((self.now + TIMEOUT, BindOutcome::Unknown("timed out".to_owned())));
            return Fate { arrives: None, outcome };
        }
        Fate::draw(&self.faults.request, &mut self.rng, self.now)
    }

    /// Whether the scheduler reaches no server.
    pub(super) fn is_cut_off(&self) -> bool {
        self.now < self.server_cut_until
    }

    /// Whether the scheduler dies before it sends something.
    pub(super) fn dies_before(&mut self) -> bool {
        let dies = self.rng.chance(self.faults.request.crash_before) || self.is_to_die();
        if dies {
            self.crash();
        }
        dies
    }

    /// Whether the scheduler dies when it has sent something.
    pub(super) fn dies_after(&mut self) -> bool {
        let dies = self.rng.chance(self.faults.request.crash_after) || self.is_to_die();
        if dies {
            self.crash();
        }
        dies
    }

    /// Whether this is the moment, before or after a write, at which it is to die.
    fn is_to_die(&mut self) -> bool {
        self.moments += 1;
        self.dies_at == Some(self.moments)
    }
}
