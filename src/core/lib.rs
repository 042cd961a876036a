//! The pure core of edge-scheduler: events go in, actions come out.
//!
//! ```text
//! model       nouns: names, units, nodes, pods, labels, time
//! cover       backup cover: who is covered where, what that takes, how to take less
//! delay       delays between nodes: constraints, rows in use, the file formats
//! health      which nodes have failed, by what others say of them
//! layers      partitions of the nodes by delay, complete linkage
//! measure     the measurement plan: who measures whom
//! moves       moving pods that run: which first, how often, by which moves room is made
//! placement   verbs: `place()` judges one pod against the nodes; one file per plugin
//! probe       the probe agent: whom to probe when, what the answers tell
//! state       `State::apply(event, now)`, `State::next(now)`: cache, queue, bindings in flight
//! simulation  the BME simulation, driven through the same state
//! ```
//!
//! Nothing here does I/O, reads a clock, starts a task or draws a random number: time and
//! randomness come in as values and decisions go out as values. The crate has no dependency that
//! could; a test reads its manifest and sources to keep it so.

pub mod cover;
pub mod delay;
pub mod health;
pub mod layers;
pub mod measure;
pub mod model;
pub mod moves;
pub mod placement;
pub mod probe;
pub mod random;
#[cfg(test)]
mod sim;
pub mod simulation;
pub mod state;
pub mod wire;
