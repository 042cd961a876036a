//! Label selectors (upstream: `apimachinery/pkg/apis/meta/v1.LabelSelectorAsSelector`, `apimachinery/pkg/labels`).

use super::{Labels, Name, Requirement, RequirementOp};

/// Which labels are meant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum LabelSelector {
    /// None: there is no selector.
    #[default]
    Nothing,
    /// Those for which all of these hold; if there are none, any.
    All(Box<[Requirement]>),
}

// === impl LabelSelector ===

impl LabelSelector {
    /// Whether it leaves everything in. That is not the same as there being none.
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::All(requirements) if requirements.is_empty())
    }

    /// Whether it is there at all.
    pub fn is_nothing(&self) -> bool {
        *self == Self::Nothing
    }

    /// Whether these labels are meant.
    pub fn matches(&self, labels: &Labels) -> bool {
        match self {
            Self::Nothing => false,
            Self::All(requirements) => {
                requirements.iter().all(|requirement| requirement.matches(labels.get(&requirement.key)))
            }
        }
    }

    /// Its requirements.
    pub fn requirements(&self) -> std::slice::Iter<'_, Requirement> {
        match self {
            Self::Nothing => [].iter(),
            Self::All(requirements) => requirements.iter(),
        }
    }

    /// The same selector with more requirements. One that isn't there stays so.
    #[must_use]
    pub fn with(self, more: impl IntoIterator<Item = Requirement>) -> Self {
        match self {
            Self::Nothing => Self::Nothing,
            Self::All(requirements) => Self::All(requirements.into_iter().chain(more).collect()),
        }
    }
}

/// The selector of exactly these labels among others (upstream: `labels.SelectorFromSet`).
impl From<&Labels> for LabelSelector {
    fn from(labels: &Labels) -> Self {
        Self::All(labels.iter().map(|(key, value)| Requirement::equals(key.clone(), value.clone())).collect())
    }
}

// === impl Requirement ===

impl Requirement {
    /// The label has this value.
    pub fn equals(key: Name, value: Name) -> Self {
        Self { key, op: RequirementOp::In, values: [value].into() }
    }

    /// The label is absent or has another value.
    pub fn differs(key: Name, value: Name) -> Self {
        Self { key, op: RequirementOp::NotIn, values: [value].into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().copied().collect()
    }

    #[track_caller]
    fn check(selector: &LabelSelector, pairs: &[(&str, &str)], expected: bool) {
        assert_eq!(selector.matches(&labels(pairs)), expected, "{selector:?} {pairs:?}");
    }

    #[test]
    fn no_selector_means_nothing_and_an_empty_one_everything() {
        check(&LabelSelector::Nothing, &[], false);
        check(&LabelSelector::Nothing, &[("app", "web")], false);
        check(&LabelSelector::All(Box::default()), &[], true);
        check(&LabelSelector::All(Box::default()), &[("app", "web")], true);
        assert!(LabelSelector::All(Box::default()).is_empty());
        assert!(!LabelSelector::Nothing.is_empty());
    }

    #[test]
    fn all_requirements_must_hold() {
        let selector = LabelSelector::from(&labels(&[("app", "web"), ("tier", "front")]));
        check(&selector, &[("app", "web"), ("tier", "front"), ("more", "")], true);
        check(&selector, &[("app", "web"), ("tier", "back")], false);
        check(&selector, &[("app", "web")], false);
        let other = selector.with([Requirement::differs("version".into(), "1".into())]);
        check(&other, &[("app", "web"), ("tier", "front")], true);
        check(&other, &[("app", "web"), ("tier", "front"), ("version", "2")], true);
        check(&other, &[("app", "web"), ("tier", "front"), ("version", "1")], false);
        let added = LabelSelector::Nothing.with([Requirement::equals("app".into(), "web".into())]);
        check(&added, &[("app", "web")], false);
    }
}
