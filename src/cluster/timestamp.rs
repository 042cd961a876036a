//! The time of day, as the API writes it.

use k8s_openapi::jiff::Timestamp;

/// The time to the second, such as `2026-01-31T12:00:00Z` (`metav1.Time`).
pub(super) fn seconds() -> String {
    format!("{:.0}", Timestamp::now())
}

/// The time to the microsecond, such as `2026-01-31T12:00:00.000001Z` (`metav1.MicroTime`).
pub(super) fn micro() -> String {
    format!("{:.6}", Timestamp::now())
}

/// Nanoseconds since 1970, to tell names apart.
pub(super) fn nanoseconds() -> i128 {
    Timestamp::now().as_nanosecond()
}
