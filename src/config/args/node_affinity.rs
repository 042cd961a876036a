//! Arguments of NodeAffinity.

use edge_core::model::{NodeAffinity as Affinity, NodeSelectorTerm};
use edge_core::placement::Plugin;
use edge_core::placement::plugins::node_affinity::NodeAffinity;
use edge_core::wire::{NodeAffinityObject, Problem, WireError};
use serde::{Deserialize, Serialize};

use super::Args;
use crate::error::{FieldErrors, Path};

/// What is required and preferred of nodes on top of what pods say.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct NodeAffinityArgs {
    #[serde(skip_serializing_if = "Option::is_none")]
    added_affinity: Option<NodeAffinityObject>,
}

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";
const OPERATORS: [&str; 6] = ["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"];
const UNREADABLE: &str = "can't be parsed: In and NotIn need values, Exists and DoesNotExist take none, \
                          Gt and Lt one integer, and values have to be those of labels";

impl Args for NodeAffinityArgs {
    const PLUGIN: &'static str = "NodeAffinity";

    fn validate(&self, path: &Path, errors: &mut FieldErrors) {
        let path = path.child("addedAffinity");
        match self.affinity() {
            Ok(affinity) => validate(&affinity, &path, errors),
            Err(WireError { field, problem: Problem::Word { value, .. }, .. }) => {
                errors.unsupported(path.child(&field), value, &OPERATORS);
            }
            Err(WireError { field, problem: Problem::Range { value, .. }, .. }) => {
                errors.invalid(path.child(&field), value, "must be in the range 1-100");
            }
            Err(WireError { field, problem, .. }) => {
                errors.invalid(path.child(&field), "", problem.to_string());
            }
        }
    }

    fn plugin(&self) -> Option<Box<dyn Plugin>> {
        Some(Box::new(NodeAffinity { added: self.affinity().ok()? }))
    }
}

// === impl NodeAffinityArgs ===

impl NodeAffinityArgs {
    fn affinity(&self) -> Result<Affinity, WireError> {
        self.added_affinity.as_ref().map_or(Ok(Affinity::default()), NodeAffinityObject::read_alone)
    }
}

fn validate(affinity: &Affinity, path: &Path, errors: &mut FieldErrors) {
    let required = affinity.required.iter().flat_map(|required| &required.terms).enumerate();
    let required =
        required.map(|(idx, term)| (path.child(REQUIRED).child("nodeSelectorTerms").index(idx), term));
    let preferred = affinity.preferred.iter().enumerate();
    let preferred =
        preferred.map(|(idx, it)| (path.child(PREFERRED).index(idx).child("preference"), &it.term));
    for (path, term) in required.chain(preferred).filter(|(_, term)| !is_empty(term) && !term.is_usable()) {
        let keys: Vec<&str> =
            term.expressions.iter().chain(&term.fields).map(|requirement| &*requirement.key).collect();
        errors.invalid(path, keys, UNREADABLE);
    }
}

/// An empty term matches nothing and is no mistake, as upstream.
fn is_empty(term: &NodeSelectorTerm) -> bool {
    term.expressions.is_empty() && term.fields.is_empty()
}
