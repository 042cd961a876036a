//! Requests to the API server (upstream: `component-base/metrics/prometheus/restclient`).

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use futures::future::BoxFuture;
use http::{Request, Response};
use prometheus::{HistogramVec, IntCounterVec};
use tower::{Layer, Service};

use super::MetricsError;
use super::family::Families;
use super::family::Stability::Alpha;

const BUCKETS: [f64; 12] = [0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0];

/// How requests end, and how long they take.
#[derive(Clone)]
pub struct ClientMetrics {
    requests: IntCounterVec,
    duration: HistogramVec,
}

/// Puts a [`RequestTimer`] around a client.
#[derive(Clone)]
pub struct TimedRequests {
    metrics: ClientMetrics,
    host: Arc<str>,
}

/// Times requests on their way.
#[derive(Clone)]
pub struct RequestTimer<S> {
    inner: S,
    metrics: ClientMetrics,
    host: Arc<str>,
}

// === impl ClientMetrics ===

impl ClientMetrics {
    pub(super) fn new(families: &Families) -> Result<Self, MetricsError> {
        Ok(Self {
            requests: families.counters(
                "rest_client_requests_total",
                Alpha,
                "Number of HTTP requests, partitioned by status code, method, and host.",
                &["code", "method", "host"],
            )?,
            duration: families.histograms(
                "rest_client_request_duration_seconds",
                Alpha,
                "Request latency in seconds. Broken down by verb, and host.",
                &["verb", "host"],
                BUCKETS.to_vec(),
            )?,
        })
    }

    /// Times the requests to this host.
    pub fn layer(&self, host: &str) -> TimedRequests {
        TimedRequests { metrics: self.clone(), host: host.into() }
    }
}

impl<S> Layer<S> for TimedRequests {
    type Service = RequestTimer<S>;

    fn layer(&self, inner: S) -> RequestTimer<S> {
        RequestTimer { inner, metrics: self.metrics.clone(), host: Arc::clone(&self.host) }
    }
}

impl<S, B, R> Service<Request<B>> for RequestTimer<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Response<R>, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let method = request.method().clone();
        let (metrics, host, begin) = (self.metrics.clone(), Arc::clone(&self.host), Instant::now());
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await;
            let code = answer.as_ref().map(Response::status);
            let code = code.as_ref().map_or("<error>", |code| code.as_str());
            metrics.requests.with_label_values(&[code, method.as_str(), &host]).inc();
            let took = begin.elapsed().as_secs_f64();
            metrics.duration.with_label_values(&[method.as_str(), &host]).observe(took);
            answer
        })
    }
}
