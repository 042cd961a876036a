//! Label selectors (upstream: `apimachinery/pkg/apis/meta/v1.LabelSelectorAsSelector`).

use super::{Labels, Requirement};

/// A label selector: all of its requirements must hold. One without requirements selects everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelSelector {
    /// The requirements. A pair of `matchLabels` is one with the operator `In` and a single value.
    pub requirements: Box<[Requirement]>,
}

// === impl LabelSelector ===

impl LabelSelector {
    /// Whether an object with these labels is selected.
    pub fn matches(&self, labels: &Labels) -> bool {
        self.requirements.iter().all(|requirement| requirement.holds_for(labels))
    }
}

#[cfg(test)]
mod tests {
    use super::super::RequirementOp;
    use super::*;

    #[track_caller]
    fn check(requirements: &[(&str, RequirementOp, &[&str])], expected: bool) {
        let labels: Labels = [("zone", "east"), ("size", "5")].into_iter().collect();
        let requirement = |(key, op, values): &(&str, RequirementOp, &[&str])| Requirement {
            key: (*key).into(),
            op: *op,
            values: values.iter().map(|value| (*value).into()).collect(),
        };
        let selector = LabelSelector { requirements: requirements.iter().map(requirement).collect() };
        assert_eq!(selector.matches(&labels), expected, "{requirements:?}");
    }

    #[test]
    fn all_requirements_must_hold() {
        check(&[], true);
        check(&[("zone", RequirementOp::In, &["east"])], true);
        check(&[("zone", RequirementOp::In, &["west"])], false);
        check(&[("none", RequirementOp::NotIn, &["west"])], true);
        check(&[("size", RequirementOp::Exists, &[]), ("zone", RequirementOp::In, &["east"])], true);
        check(&[("size", RequirementOp::DoesNotExist, &[]), ("zone", RequirementOp::In, &["east"])], false);
    }

    #[test]
    fn a_requirement_that_can_not_be_parsed_selects_nothing() {
        check(&[("none", RequirementOp::NotIn, &[])], false);
    }
}
