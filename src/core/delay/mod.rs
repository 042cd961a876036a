//! Delays between nodes: what pods ask for, what is known, and the file formats.

mod anchor;
mod constraint;
mod falls;
pub mod file;
mod lost;
mod measured;
mod measurement;
mod row;
mod standing;
mod table;

pub use anchor::{AnchorNodes, Unresolved, is_node, is_replica, resolve};
pub use constraint::{
    Anchor, ConstraintError, DECISION_ANNOTATION, DELAY_ANNOTATION, DELAY_LABEL_PREFIX, DELAY_TO_ANNOTATION,
    DelayConstraint, DelayConstraints, Replicas,
};
pub use falls::{Change, Falls};
pub use lost::after_loss;
pub use measured::{DelayRules, Hysteresis, HysteresisError, Measured, Pair, Reported, Statistic};
pub use measurement::{DelaySource, Measurement, Report, Statistics};
pub use row::LoadedRow;
pub use standing::{Compared, Standing, Turn};
pub use table::{DelayRow, DelayTable, Heard, Reviewed, Row, is_unheard};
