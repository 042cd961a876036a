//! How a request to the API server ended, by what the caller does next.

use std::time::Duration;

use kube::core::Status;

/// How long to hold back where the server is throttling and doesn't say for how long.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The object is not there.
    #[error("not found")]
    Gone,
    /// The object is not as the request says.
    #[error("{}", .0.message)]
    Conflict(Box<Status>),
    /// The server will not do it; asking again is of no use.
    #[error("{}", .0.message)]
    Refused(Box<Status>),
    /// The server has too much to do.
    #[error("the server is throttling: {}", status.message)]
    Throttled {
        /// What it says.
        status: Box<Status>,
        /// When it is to be asked again.
        retry_after: Duration,
    },
    /// The server failed, the connection broke, or the answer makes no sense: done or not, nobody knows.
    #[error("{0}")]
    Unknown(#[source] Box<kube::Error>),
    /// The same, as no answer came in time.
    #[error("no answer within {} s", .0.as_secs())]
    TimedOut(Duration),
}

/// Waits for an answer, but not for ever.
pub(super) async fn within<T>(
    timeout: Duration,
    answer: impl Future<Output = kube::Result<T>>,
) -> Result<T, Failure> {
    match tokio::time::timeout(timeout, answer).await {
        Ok(answer) => answer.map_err(Failure::from),
        Err(_) => Err(Failure::TimedOut(timeout)),
    }
}

// === impl Failure ===

impl Failure {
    /// Whether the same request may well succeed a little later.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::Gone | Self::Conflict(_) | Self::Refused(_) => false,
            Self::Throttled { .. } | Self::Unknown(_) | Self::TimedOut(_) => true,
        }
    }
}

impl From<kube::Error> for Failure {
    fn from(error: kube::Error) -> Self {
        let kube::Error::Api(status) = error else {
            return Self::Unknown(error.into());
        };
        match status.code {
            404 => Self::Gone,
            409 => Self::Conflict(status),
            429 => {
                let asked = status.details.as_ref().map_or(0, |details| details.retry_after_seconds);
                let retry_after = if asked == 0 { RETRY_AFTER } else { Duration::from_secs(asked.into()) };
                Self::Throttled { status, retry_after }
            }
            // A token that has just run out, and a server that waited too long, say nothing of the request.
            401 | 408 => Self::Unknown(kube::Error::Api(status).into()),
            400..=499 => Self::Refused(status),
            _ => Self::Unknown(kube::Error::Api(status).into()),
        }
    }
}
