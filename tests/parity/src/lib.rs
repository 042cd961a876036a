//! The same cluster state judged by kube-scheduler and by edge-scheduler.
//!
//! A [`ClusterState`] is data. The [`Bed`] writes it to a real API server, so that defaults and validation are the
//! server's. The real kube-scheduler then judges its pod, and so does edge-scheduler's core, from the very objects
//! that the server gave back. [`Bed::judge`] compares verdict, message, feasible nodes and every plugin's score.
//!
//! | module | subject |
//! |---|---|
//! | `state`, `node`, `pod`, `storage`, `object` | the data, with builders |
//! | `generate` | states from a seed |
//! | `profiles` | the profiles by which both judge |
//! | `bed` | the control plane: states written and cleared, kube-scheduler known to have seen them |
//! | `upstream`, `log` | what kube-scheduler decides, and the scores it logs |
//! | `ours` | what edge-scheduler's core decides |
//! | `verdict` | verdicts and how they differ |

mod bed;
mod error;
pub mod generate;
mod log;
pub mod node;
pub mod object;
mod ours;
pub mod pod;
pub mod profiles;
mod rng;
pub mod state;
pub mod storage;
mod upstream;
mod verdict;

pub use bed::Bed;
pub use error::Error;
pub use node::{Node, node};
pub use object::Object;
pub use pod::{Container, Pod, pod};
pub use rng::Rng;
pub use state::{ClusterState, state};
pub use storage::Storage;
pub use verdict::{Difference, Judgement, Outcome, ScoreTable};
