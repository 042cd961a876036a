//! Answers, with upstream's headers and texts.

use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use http::{Response, StatusCode};
use http_body_util::Full;
use hyper::body::Bytes;
use serde_json::json;

/// An answer.
pub(crate) type Reply = Response<Full<Bytes>>;

/// Plain text.
pub(crate) fn text(body: impl Into<Bytes>) -> Reply {
    of("text/plain; charset=utf-8", body)
}

/// An answer of this kind.
pub(crate) fn of(content_type: &'static str, body: impl Into<Bytes>) -> Reply {
    let mut reply = Response::new(Full::new(body.into()));
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    reply
}

/// A failure in plain text.
pub(crate) fn failure(status: StatusCode, message: impl Into<String>) -> Reply {
    let mut message = message.into();
    message.push('\n');
    let mut reply = text(message);
    *reply.status_mut() = status;
    reply.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    reply
}

/// A failure as the API server words it (`metav1.Status`).
pub(super) fn status(status: StatusCode, reason: &str, message: &str) -> Reply {
    let body = json!({
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        "code": status.as_u16(),
    });
    let mut reply = of("application/json", format!("{body}\n"));
    *reply.status_mut() = status;
    reply.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    reply
}
