//! The probe agent: measures the delays from its node to others, and answers the others' probes.
//!
//! ```text
//!  echo (a thread)    answers probes of others
//!  sender (a thread)  sends probes, reads answers; what they tell is for the core to say (edge_core::probe)
//! ```
//!
//! The two have threads of their own, so that neither waits for the other, nor for the Kubernetes client or anything
//! else that the process does.
//!
//! | module | subject |
//! |---|---|
//! | `clock` | both clocks |
//! | `socket` | sockets that say when a packet came in |
//! | `keys` | the keys, from the folder of a mounted Secret |
//! | `packet` | what a probe and its answer look like |
//! | `echo` | answering |
//! | `random` | random numbers |
//! | `wire` | sending and receiving by UDP, ICMP or TCP |
//! | `sender` | the thread that probes |
//! | `alone` | without Kubernetes: a list of peers, samples as lines of JSON |

mod alone;
mod clock;
mod echo;
mod keys;
mod packet;
mod random;
mod sender;
mod socket;
mod wire;

pub use alone::{Alone, AloneError, Peer, run};
