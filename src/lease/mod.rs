//! Leader election by a Lease (upstream: `client-go/tools/leaderelection`).
//!
//! ```text
//! record     what a Lease says
//! election   pure: what to ask the server next, and who leads, from what was observed and when
//! elector    the task that asks, again and again
//! tenure     until when this replica may act, for those who act
//! ```
//!
//! Whether a Lease has run out is judged by our own monotonic clock alone: times in a Lease are another
//! machine's. Our own renewal counts from before it was sent, another's from when it was seen.

mod election;
mod elector;
mod record;
mod settings;
mod tenure;
#[cfg(test)]
mod tests;

pub use election::{Answer, Election, Request, Standing, Step};
pub use elector::Leadership;
pub use record::Record;
pub use settings::{Settings, SettingsError, identity};
pub use tenure::Tenure;
