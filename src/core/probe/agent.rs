//! All that the agent decides, in one place: what to send, and what to say.

use std::time::Duration;

use super::lag::Reading;
use super::prober::{Known, Outcome, PeerPlan, Probe, Prober};
use super::report::{Reason, Reporter};
use super::request::{RequestPlan, RequestResult};
use super::starvation::Starvation;
use crate::delay::{DelaySource, Measurement, Report};
use crate::model::{NodeName, Time};

/// How often is reported if nobody says.
pub const REPORT_EVERY: Duration = Duration::from_mins(1);

/// What an agent starts with.
#[derive(Clone, Debug)]
pub struct AgentConfig {
    /// The name of its node.
    pub me: NodeName,
    /// When a probe counts as lost.
    pub timeout: Duration,
    /// How late the agent may run without harm.
    pub tolerance: Duration,
    /// A random number between 0 and 1.
    pub chance: f64,
}

/// What the scheduler wants to be measured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Whom to probe, again and again.
    pub peers: Vec<PeerPlan>,
    /// What to measure once.
    pub requests: Vec<RequestPlan>,
    /// Results of such requests from before the agent began.
    pub results: Vec<RequestResult>,
    /// How often to report at least; none if nobody has said.
    pub report_every: Option<Duration>,
    /// Whether nothing is there of what was reported before.
    pub anew: bool,
}

/// What is to be said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// What was measured.
    pub report: Report,
    /// What was asked for once.
    pub results: Vec<RequestResult>,
    /// Whether the agent is about to end.
    pub is_leaving: bool,
}

/// The agent's state.
#[derive(Clone, Debug)]
pub struct Agent {
    me: NodeName,
    prober: Prober,
    reporter: Reporter,
    starvation: Starvation,
    is_leaving: bool,
}

// === impl Agent ===

impl Agent {
    /// An agent that has nothing to do yet.
    pub fn new(config: AgentConfig) -> Self {
        let AgentConfig { me, timeout, tolerance, chance } = config;
        Self {
            prober: Prober::new(me.clone(), timeout, super::PERIOD.mul_f64(chance.clamp(0.0, 1.0))),
            me,
            reporter: Reporter::new(REPORT_EVERY, chance),
            starvation: Starvation::new(tolerance),
            is_leaving: false,
        }
    }

    /// Measures this and nothing else from `now` on.
    pub fn follow(&mut self, plan: Plan, now: Time) {
        self.prober.set_peers(plan.peers, now);
        self.prober.requests.set(plan.requests, now);
        self.prober.requests.know(plan.results);
        self.reporter.resume(plan.report_every.unwrap_or(REPORT_EVERY), plan.anew);
    }

    /// There is nobody to report to any more. Who is probed stays.
    pub fn pause(&mut self) {
        self.reporter.pause();
    }

    /// A peer may be reached by another path now.
    pub fn probe_anew(&mut self, peer: &NodeName, now: Time) {
        self.prober.probe_anew(peer, now);
    }

    /// When there is something to do next.
    pub fn wake_at(&self) -> Time {
        self.prober.wake_at().min(self.reporter.due_at())
    }

    /// The next probe that is to be sent at `now`, if any.
    pub fn next(&mut self, now: Reading) -> Option<Probe> {
        self.prober.next(now)
    }

    /// A probe was sent just after `at`.
    pub fn sent(&mut self, sequence: u32, at: Reading) {
        self.prober.sent(sequence, at);
    }

    /// To whom a probe was sent, and when; none if none of that number is on its way.
    pub fn on_its_way(&self, sequence: u32) -> Option<(&NodeName, Reading)> {
        self.prober.on_its_way(sequence)
    }

    /// A probe's answer was read at `at`; it was held up for `held` by what is no network.
    pub fn answered(&mut self, sequence: u32, at: Time, held: Duration) -> Option<Outcome> {
        let outcome = self.prober.answered(sequence, at, held)?;
        self.observe(&outcome, at);
        Some(outcome)
    }

    /// Gives up what was not answered in time. Whatever has come in by `now` must have been read before.
    pub fn give_up(&mut self, now: Time) -> Vec<Outcome> {
        let outcomes = self.prober.give_up(now);
        for outcome in &outcomes {
            self.observe(outcome, now);
        }
        outcomes
    }

    /// The machine did not run: the silence of what is on its way says nothing.
    pub fn forget_in_flight(&mut self) {
        self.prober.forget_in_flight();
    }

    /// The sending thread ran this long after it could have.
    pub fn woke(&mut self, lag: Duration, now: Time) {
        let before = self.starvation.is_starved();
        self.starvation.woke(lag);
        let is_starved = self.starvation.is_starved();
        if is_starved == before {
            return;
        }
        self.reporter.set_starved(is_starved, now);
        // What has changed meanwhile was told by nothing that counts.
        self.prober.known(now).for_each(|known| self.reporter.observe(&known, now));
    }

    /// The agent is about to end: that is the last thing to say.
    pub fn leave(&mut self, now: Time) {
        self.is_leaving = true;
        self.reporter.note(Reason::Last, now);
    }

    /// What is to be said at `now`, if anything. How that went is told by [`Self::written`] or [`Self::failed`].
    pub fn statement(&mut self, now: Time) -> Option<Statement> {
        if self.reporter.due_at() > now {
            return None;
        }
        let known: Vec<Known<'_>> = self.prober.known(now).collect();
        self.reporter.begin(&known, now);
        let rows = known.into_iter();
        let rows = rows.map(|Known { name, statistics, .. }| Measurement { peer: name.clone(), statistics });
        let report = Report {
            from: self.me.clone(),
            source: DelaySource::Probe,
            every: Some(self.reporter.every()),
            starved: self.starvation.is_starved(),
            rows: rows.collect(),
        };
        Some(Statement { report, results: self.prober.requests.results(), is_leaving: self.is_leaving })
    }

    /// What was to be said was taken.
    pub fn written(&mut self, now: Time) {
        let crossed = self.reporter.written(now);
        self.prober.confirm(&crossed, now);
    }

    /// It was not; `chance` is a random number between 0 and 1.
    pub fn failed(&mut self, now: Time, chance: f64) {
        self.reporter.failed(now, chance);
    }

    /// Whether the agent lacks CPU.
    pub fn is_starved(&self) -> bool {
        self.starvation.is_starved()
    }

    /// How many peers are probed.
    pub fn n_peers(&self) -> usize {
        self.prober.n_peers()
    }

    fn observe(&mut self, outcome: &Outcome, now: Time) {
        if let Some(request) = &outcome.request {
            if self.prober.requests.is_done(request) {
                self.reporter.note(Reason::Urgent, now);
            }
            return;
        }
        if let Some(known) = self.prober.peer(&outcome.peer, now) {
            self.reporter.observe(&known, now);
        }
    }
}
