//! Delays that Goldpinger measured (<https://github.com/bloomberg/goldpinger>), for clusters that have it.
//!
//! What it tells is one HTTP request a pair every 30 s, in whole milliseconds. So a pair has one sample and no
//! percentile, and a value stands for its upper end. Without sampling and below 300 instances one request to any
//! instance (`/check_all`) tells all; else every instance is asked (`/check`), because an instance that samples
//! tells of those alone that it samples.

mod answer;
mod http;
mod reader;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::net::SocketAddr;

use edge_core::delay::Report;
use edge_core::state::Event;
use futures::stream::{self, StreamExt};
use tokio::time::{Instant, MissedTickBehavior};
use tracing::{info, warn};

use super::{Closed, GoldpingerSource, Link};
use crate::cluster::Instance;
use answer::{Check, CheckAll};
use reader::Reader;

/// From so many instances on each is asked: one answer of all of them would be over 18 MB.
const ASK_EACH_FROM: usize = 300;
/// And their pods are listed this many times less often.
const LIST_EVERY: u64 = 10;
/// How many are asked at once.
const PARALLEL: usize = 16;
/// How many instances are asked for all before this time's answer is given up.
const TRIES: usize = 3;
/// So many times each instance is asked after it was seen that they sample, before one is asked for all again.
const SAMPLING_POLLS: u32 = 20;

/// Goldpinger as it is asked again and again.
#[derive(Debug)]
struct Poller {
    source: GoldpingerSource,
    reader: Reader,
    /// How often each instance has still to be asked.
    asks_each: u32,
    /// Which instance is asked next.
    turn: usize,
    /// The last complaint, so that each is made once.
    complaint: Option<String>,
    start: Instant,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
enum PollError {
    /// Its pods can't be listed.
    #[error("its pods can't be listed: {0}")]
    Pods(String),
    /// There are none.
    #[error("no pod with labels {selector} runs in {namespace}")]
    NoPods {
        /// Where they should be.
        namespace: String,
        /// What they should have.
        selector: String,
    },
    /// Nobody answered.
    #[error("none of those asked answered, the last: {0}")]
    Silent(String),
    /// Answers tell of no pair.
    #[error("its answers tell of no pair")]
    Empty,
}

/// Asks until the scheduler ends. Without an answer nothing is told: delays become stale, nodes don't die.
pub(super) async fn run(source: GoldpingerSource, link: &Link) -> Result<Infallible, Closed> {
    let mut poller = Poller::new(source);
    let mut instances: Vec<Instance> = Vec::new();
    let mut ticks = tokio::time::interval(poller.source.every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for poll in 0_u64.. {
        ticks.tick().await;
        let GoldpingerSource { namespace, selector, timeout, port, .. } = &poller.source;
        let mut reports = Ok(Vec::new());
        if instances.len() < ASK_EACH_FROM || poll % LIST_EVERY == 0 {
            match link.directory.instances(namespace, selector, *port, *timeout).await {
                Ok(listed) => instances = listed,
                Err(error) => reports = Err(PollError::Pods(error)),
            }
        }
        if reports.is_ok() {
            reports = poller.poll(&instances).await;
        }
        let reports = poller.heard(reports);
        for report in &reports {
            link.publisher.publish(report.clone());
        }
        if !reports.is_empty() {
            link.events.send(Event::Measured(reports)).await.map_err(|_| Closed)?;
        }
    }
    Err(Closed)
}

// === impl Poller ===

impl Poller {
    fn new(source: GoldpingerSource) -> Self {
        let reader = Reader::new(source.every);
        Self { source, reader, asks_each: 0, turn: 0, complaint: None, start: Instant::now() }
    }

    /// Says once what is wrong.
    fn heard(&mut self, reports: Result<Vec<Report>, PollError>) -> Vec<Report> {
        match reports {
            Ok(reports) => {
                if self.complaint.take().is_some() {
                    info!("Goldpinger answers again");
                }
                reports
            }
            Err(error) => {
                let text = error.to_string();
                if self.complaint.as_ref() != Some(&text) {
                    warn!(error = %text, "Goldpinger tells no delays; those it told become stale");
                }
                self.complaint = Some(text);
                Vec::new()
            }
        }
    }

    /// Asks once.
    async fn poll(&mut self, instances: &[Instance]) -> Result<Vec<Report>, PollError> {
        if instances.is_empty() {
            let GoldpingerSource { namespace, selector, .. } = &self.source;
            let namespace = if namespace.is_empty() { "any namespace".to_owned() } else { namespace.clone() };
            return Err(PollError::NoPods { namespace, selector: selector.clone() });
        }
        self.asks_each = self.asks_each.saturating_sub(1);
        let mut rows = Vec::new();
        if instances.len() < ASK_EACH_FROM && self.asks_each == 0 {
            rows = self.ask_one(instances).await?;
            if rows.len() < instances.len() && rows.iter().any(|(_, row)| row.len() < instances.len()) {
                // It tells of those it samples, or a slow instance's row is lost. Asked itself, each tells its own.
                self.asks_each = SAMPLING_POLLS;
            }
        }
        if self.asks_each > 0 || instances.len() >= ASK_EACH_FROM {
            rows = self.ask_each(instances).await?;
        }
        let now = self.start.elapsed();
        let reports: Vec<Report> = rows
            .into_iter()
            .filter_map(|(instance, check)| self.reader.read(&instance.node, &check, instances, now))
            .collect();
        self.reader.retain(instances);
        if reports.is_empty() { Err(PollError::Empty) } else { Ok(reports) }
    }

    /// Asks one instance for the rows of all.
    async fn ask_one<'a>(
        &mut self,
        instances: &'a [Instance],
    ) -> Result<Vec<(&'a Instance, Check)>, PollError> {
        let mut failure = String::new();
        for _ in 0..TRIES.min(instances.len()) {
            self.turn = (self.turn + 1) % instances.len();
            let Some(instance) = instances.get(self.turn) else { continue };
            let answer = http::get(instance.address, "/check_all", self.source.timeout).await;
            let read = answer.and_then(|body| CheckAll::read(&body).map_err(http::FetchError::Malformed));
            match read {
                Ok(all) => return Ok(all.rows(instances)),
                Err(error) => failure = format!("{}: {error}", instance.pod),
            }
        }
        Err(PollError::Silent(failure))
    }

    /// Asks every instance for its own row. Who does not answer in time loses no more than that.
    async fn ask_each<'a>(
        &mut self,
        instances: &'a [Instance],
    ) -> Result<Vec<(&'a Instance, Check)>, PollError> {
        let timeout = self.source.timeout;
        let addresses: Vec<(usize, SocketAddr)> = instances.iter().map(|it| it.address).enumerate().collect();
        let asked = stream::iter(addresses).map(move |(idx, address)| async move {
            let body = http::get(address, "/check", timeout).await;
            (idx, body.and_then(|body| Check::read(&body).map_err(http::FetchError::Malformed)))
        });
        let answers: Vec<_> = asked.buffer_unordered(PARALLEL).collect().await;
        let mut failure = String::new();
        let mut rows = Vec::with_capacity(answers.len());
        for (idx, answer) in answers {
            let Some(instance) = instances.get(idx) else { continue };
            match answer {
                Ok(check) => rows.push((instance, check)),
                Err(error) => failure = format!("{}: {error}", instance.pod),
            }
        }
        if rows.is_empty() {
            return Err(PollError::Silent(failure));
        }
        rows.sort_by(|a, b| a.0.node.cmp(&b.0.node));
        Ok(rows)
    }
}
