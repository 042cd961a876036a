//! Delays between nodes: what pods ask for, what is known, and the file formats.

mod anchor;
mod constraint;
pub mod file;
mod measurement;
mod table;

pub use anchor::{AnchorNodes, Unresolved, is_node, is_replica, resolve};
pub use constraint::{
    Anchor, ConstraintError, DECISION_ANNOTATION, DELAY_ANNOTATION, DELAY_LABEL_PREFIX, DELAY_TO_ANNOTATION,
    DelayConstraint, DelayConstraints, Replicas,
};
pub use measurement::{DelaySource, Measurement, Report, Statistics};
pub use table::{DelayRow, DelayTable, Row};
