//! A limit on requests: so many a second in the long run, and so many at once
//! (upstream: `client-go/util/flowcontrol`, a token bucket).

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};
use tower::{Layer, Service};

/// A limit that the clients made with it share.
#[derive(Clone, Debug)]
pub(super) struct Limit {
    bucket: Option<Arc<Mutex<Bucket>>>,
}

/// The requests that may be sent at once. Those that wait are owed.
#[derive(Debug)]
struct Bucket {
    per_second: f64,
    burst: f64,
    left: f64,
    since: Instant,
}

/// A service that waits for the limit before each request.
#[derive(Debug)]
pub(super) struct Limited<S> {
    limit: Limit,
    inner: S,
    turn: Turn,
}

/// Whether the next request may be sent.
#[derive(Debug)]
enum Turn {
    NotAsked,
    Waits(Pin<Box<Sleep>>),
    Come,
}

// === impl Limit ===

impl Limit {
    /// So many requests a second, none or fewer meaning any number, and so many at once.
    pub(super) fn new(per_second: f32, burst: i32) -> Self {
        let burst = f64::from(burst.max(1));
        let bucket = Bucket { per_second: per_second.into(), burst, left: burst, since: Instant::now() };
        Self { bucket: (per_second > 0.0).then(|| Arc::new(Mutex::new(bucket))) }
    }

    /// How long the next request has to wait.
    fn wait(&self) -> Duration {
        let Some(bucket) = &self.bucket else { return Duration::ZERO };
        bucket.lock().unwrap_or_else(PoisonError::into_inner).take(Instant::now())
    }
}

// === impl Bucket ===

impl Bucket {
    fn take(&mut self, now: Instant) -> Duration {
        let earned = now.saturating_duration_since(self.since).as_secs_f64() * self.per_second;
        self.since = now;
        self.left = (self.left + earned).min(self.burst) - 1.0;
        if self.left >= 0.0 {
            return Duration::ZERO;
        }
        Duration::try_from_secs_f64(-self.left / self.per_second).unwrap_or(Duration::MAX)
    }
}

impl<S> Layer<S> for Limit {
    type Service = Limited<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Limited { limit: self.clone(), inner, turn: Turn::NotAsked }
    }
}

impl<S: Service<R>, R> Service<R> for Limited<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        if matches!(self.turn, Turn::NotAsked) {
            let wait = self.limit.wait();
            // Even a sleep of no length ends with the timer's next tick, a millisecond later.
            self.turn = if wait.is_zero() { Turn::Come } else { Turn::Waits(Box::pin(sleep(wait))) };
        }
        if let Turn::Waits(sleep) = &mut self.turn {
            ready!(sleep.as_mut().poll(context));
            self.turn = Turn::Come;
        }
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: R) -> Self::Future {
        self.turn = Turn::NotAsked;
        self.inner.call(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How long each of so many requests waits, in ms, if each is sent when the one before it was.
    #[track_caller]
    fn check(per_second: f32, burst: i32, pause: u64, expected: &[u128]) {
        let limit = Limit::new(per_second, burst);
        let Some(bucket) = &limit.bucket else { return assert!(expected.iter().all(|wait| *wait == 0)) };
        let mut bucket = bucket.lock().unwrap();
        let mut now = bucket.since;
        for wait in expected {
            assert_eq!(bucket.take(now).as_millis(), *wait, "{per_second} {burst} {pause}");
            now += Duration::from_millis(pause);
        }
    }

    #[test]
    fn a_burst_goes_at_once_and_the_rest_in_turn() {
        check(50.0, 3, 0, &[0, 0, 0, 20, 40, 60]);
        check(50.0, 1, 20, &[0, 0, 0, 0]);
        check(50.0, 1, 10, &[0, 10, 20, 30]);
        check(0.5, 0, 0, &[0, 2_000, 4_000]);
        check(-1.0, 1, 0, &[0, 0, 0]);
    }

    #[test]
    fn what_was_not_used_does_not_add_up() {
        check(10.0, 2, 60_000, &[0, 0, 0]);
        let limit = Limit::new(10.0, 2);
        let mut bucket = limit.bucket.as_ref().unwrap().lock().unwrap();
        let later = bucket.since + Duration::from_mins(1);
        assert_eq!([(); 3].map(|()| bucket.take(later).as_millis()), [0, 0, 100]);
    }
}
