//! Timing of extension points, for an [`Observer`] has no clock but ours.

use std::time::{Duration, Instant};

use edge_core::model::Name;
use edge_core::placement::{Observer, Point, PointStatus};

use super::SchedulerMetrics;

/// Times the cycles that it watches.
pub struct CycleTimer {
    metrics: SchedulerMetrics,
    profile: Name,
    begun: Option<Instant>,
    /// When something was last told.
    last: Instant,
    spent: [Duration; Point::ALL.len()],
}

// === impl CycleTimer ===

impl CycleTimer {
    /// A timer that writes down what it sees.
    pub fn new(metrics: SchedulerMetrics) -> Self {
        let spent = [Duration::ZERO; Point::ALL.len()];
        Self { metrics, profile: "".into(), begun: None, last: Instant::now(), spent }
    }

    /// The pod was judged, if one was.
    pub fn finish(&mut self) {
        if let Some(begun) = self.begun.take() {
            // What came after the last word was no judging any more.
            self.metrics.judged(self.last.duration_since(begun).as_secs_f64());
        }
    }
}

impl Observer for CycleTimer {
    fn begin(&mut self, profile: &Name) {
        self.finish();
        if self.profile != *profile {
            self.profile = profile.clone();
        }
        self.last = Instant::now();
        self.begun = Some(self.last);
        self.spent = [Duration::ZERO; Point::ALL.len()];
    }

    fn spent(&mut self, point: Point) {
        let now = Instant::now();
        if let Some(spent) = self.spent.get_mut(point as usize) {
            *spent += now.duration_since(self.last);
        }
        self.last = now;
    }

    fn asked(&mut self, plugin: &'static str, point: Point, times: usize) {
        self.metrics.asked(plugin, point, &self.profile, times);
    }

    fn ended(&mut self, point: Point, status: PointStatus) {
        let spent = self.spent.get(point as usize).copied().unwrap_or_default();
        self.metrics.point_ended(point, status, &self.profile, spent.as_secs_f64());
    }
}
