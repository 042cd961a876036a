//! An installation: what it consists of, and what there is of it in a cluster.
//!
//! ```text
//! manifests  the files in deploy/, with what was chosen laid over them
//! overlay    how parts are laid over objects
//! object     objects of the API as JSON
//! store      objects on the server
//! inventory  what there is of it in a cluster, and what depends on it
//! plan       what would change, asked of the server
//! owner      who else looks after an object
//! preflight  what is looked at beforehand, under codes
//! rivals     other schedulers
//! reports    what the agents report, in numbers
//! rollout    how far the pods are, and what holds them up
//! finding    what a look found
//! ```

pub(crate) mod finding;
pub(crate) mod inventory;
pub(crate) mod manifests;
pub(crate) mod object;
mod overlay;
pub(crate) mod owner;
pub(crate) mod plan;
pub(crate) mod preflight;
pub(crate) mod reports;
pub(crate) mod rivals;
pub(crate) mod rollout;
pub(crate) mod store;
