//! Label selectors.

use serde::Deserialize;

use crate::model::{LabelSelector, Requirement, RequirementOp};

use super::decode::{Pairs, or_default};
use super::error::{Fault, Problem};
use super::intern::Interner;

const OPERATORS: &str = "In, NotIn, Exists, DoesNotExist";

/// A label selector as the API has it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct LabelSelectorObject {
    match_labels: Pairs<String>,
    #[serde(deserialize_with = "or_default")]
    match_expressions: Vec<ExpressionObject>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct ExpressionObject {
    #[serde(deserialize_with = "or_default")]
    key: String,
    #[serde(deserialize_with = "or_default")]
    operator: String,
    #[serde(deserialize_with = "or_default")]
    values: Vec<String>,
}

// === impl LabelSelectorObject ===

impl LabelSelectorObject {
    /// Checks the selector.
    pub(super) fn read(&self, interner: &mut Interner) -> Result<LabelSelector, Fault> {
        let mut requirements = Vec::with_capacity(self.match_labels.0.len() + self.match_expressions.len());
        for (key, value) in &self.match_labels.0 {
            let values = [interner.intern(value)].into();
            requirements.push(Requirement { key: interner.intern(key), op: RequirementOp::In, values });
        }
        for (idx, expression) in self.match_expressions.iter().enumerate() {
            let read = expression.read(interner);
            requirements.push(read.map_err(|fault| fault.under(format_args!("matchExpressions[{idx}]")))?);
        }
        Ok(LabelSelector { requirements: requirements.into() })
    }
}

// === impl ExpressionObject ===

impl ExpressionObject {
    fn read(&self, interner: &mut Interner) -> Result<Requirement, Fault> {
        let op = match self.operator.as_str() {
            "In" => RequirementOp::In,
            "NotIn" => RequirementOp::NotIn,
            "Exists" => RequirementOp::Exists,
            "DoesNotExist" => RequirementOp::DoesNotExist,
            other => return Err(Problem::word(other, OPERATORS).at("operator")),
        };
        Ok(Requirement { key: interner.intern(&self.key), op, values: interner.names(&self.values) })
    }
}
