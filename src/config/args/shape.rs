//! A curve from utilization to score (upstream: `UtilizationShapePoint`, `validateFunctionShape`).

use edge_core::placement::plugins::node_resources_fit::{Shape, ShapePoint};
use serde::{Deserialize, Serialize};

use crate::error::{FieldErrors, Path};

/// A point of the curve.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Point {
    utilization: i32,
    score: i32,
}

pub(super) fn validate(shape: &[Point], path: &Path, errors: &mut FieldErrors) {
    if shape.is_empty() {
        return errors.required(path.clone(), "at least one point must be specified");
    }
    let unsorted = shape.windows(2).position(|pair| matches!(pair, [a, b] if a.utilization >= b.utilization));
    if let Some((idx, point)) = unsorted.and_then(|idx| Some((idx + 1, shape.get(idx + 1)?))) {
        let path = path.index(idx).child("utilization");
        errors.invalid(path, point.utilization, "values must be sorted in increasing order");
    }
    for (idx, point) in shape.iter().enumerate() {
        let fields = [("utilization", point.utilization, 100), ("score", point.score, 10)];
        for (field, value, most) in fields.into_iter().filter(|(_, value, most)| !(0..=*most).contains(value))
        {
            let detail = format!("not in valid range [0, {most}]");
            errors.invalid(path.index(idx).child(field), value, detail);
        }
    }
}

/// The curve as the core has it.
pub(super) fn curve(shape: &[Point]) -> Shape {
    Shape::new(
        shape.iter().map(|it| ShapePoint { utilization: it.utilization.into(), score: it.score.into() }),
    )
}
