//! Around every request: its time-out, the server's warnings, the log of `-v`.

use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use http::{HeaderMap, Request, Response};
use tower::{BoxError, Layer, Service};

use crate::talk::Talk;

/// Puts [`Exchanges`] around a client.
pub(super) struct Exchange {
    talk: Talk,
    timeout: Option<Duration>,
    is_logged: bool,
}

/// A client whose requests end in time and are told of.
#[derive(Clone)]
pub(super) struct Exchanges<S> {
    inner: S,
    talk: Talk,
    timeout: Option<Duration>,
    is_logged: bool,
}

/// A request was not answered in time.
#[derive(Debug, thiserror::Error)]
#[error("no answer within {0:?}")]
pub(super) struct TimedOut(pub(super) Duration);

/// From this level of `-v` on kubectl tells every request.
const REQUESTS: u8 = 6;

/// The texts of `Warning` headers (RFC 7234, 5.5): `299 - "text"`, several with commas between.
fn warnings(headers: &HeaderMap) -> Vec<String> {
    let values = headers.get_all("warning").iter().filter_map(|value| value.to_str().ok());
    values.flat_map(quoted).collect()
}

/// What stands in double quotes, with backslashes taken out. A date may follow a text in quotes of its own; it
/// ends in GMT.
fn quoted(value: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut text: Option<String> = None;
    let mut letters = value.chars();
    while let Some(letter) = letters.next() {
        match (&mut text, letter) {
            (None, '"') => text = Some(String::new()),
            (None, _) => (),
            (Some(_), '"') => found.extend(text.take()),
            (Some(text), '\\') => text.extend(letters.next()),
            (Some(text), letter) => text.push(letter),
        }
    }
    found.retain(|text| !text.ends_with("GMT"));
    found
}

// === impl Exchange ===

impl Exchange {
    /// A time-out of zero is none.
    pub(super) fn new(talk: &Talk, timeout: Option<Duration>, verbosity: u8) -> Self {
        let timeout = timeout.filter(|timeout| !timeout.is_zero());
        Self { talk: talk.clone(), timeout, is_logged: verbosity >= REQUESTS }
    }
}

impl<S> Layer<S> for Exchange {
    type Service = Exchanges<S>;

    fn layer(&self, inner: S) -> Exchanges<S> {
        let Self { talk, timeout, is_logged } = self;
        Exchanges { inner, talk: talk.clone(), timeout: *timeout, is_logged: *is_logged }
    }
}

impl<S, B, R> Service<Request<B>> for Exchanges<S>
where
    S: Service<Request<B>, Response = Response<R>, Error = BoxError>,
    S::Future: Send + 'static,
{
    type Response = Response<R>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Response<R>, BoxError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let line = self.is_logged.then(|| format!("{} {}", request.method(), request.uri()));
        let (talk, timeout, begun) = (self.talk.clone(), self.timeout, Instant::now());
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = match timeout {
                Some(limit) => match tokio::time::timeout(limit, answer).await {
                    Ok(answer) => answer,
                    Err(_) => Err(TimedOut(limit).into()),
                },
                None => answer.await,
            };
            if let Some(line) = line {
                let status = answer.as_ref().map_or("no answer".to_owned(), |it| it.status().to_string());
                talk.note(&format!("{line} {status} in {} milliseconds", begun.elapsed().as_millis()));
            }
            for warning in answer.as_ref().map(|answer| warnings(answer.headers())).unwrap_or_default() {
                talk.server_warning(&crate::look::plain(&warning));
            }
            answer
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_a_warning_is_what_stands_in_quotes() {
        let check = |value: &str, expected: &[&str]| assert_eq!(quoted(value), expected, "{value:?}");
        check(r#"299 - "batch/v1beta1 is deprecated""#, &["batch/v1beta1 is deprecated"]);
        check(r#"299 - "say \"no\"", 299 - "b, c""#, &[r#"say "no""#, "b, c"]);
        check(r#"299 - "a" "Wed, 21 Oct 2015 07:28:00 GMT""#, &["a"]);
        check(r#"299 - "open"#, &[]);
    }
}
