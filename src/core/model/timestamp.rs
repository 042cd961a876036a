//! Moments that objects of the API tell.

/// A moment that an object of the API tells, in seconds since 1970 UTC. Such moments are compared with each
/// other alone, never with the clock here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);
