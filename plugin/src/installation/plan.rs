//! What an installation would change, asked of the server before anything is.

use std::fmt;

use edge_api::names::NAMESPACE;
use kube::Error;
use kube::core::Status;
use serde::Serialize;
use serde_json::Value;

use super::manifests::PART_OF;
use super::object::{KINDS, Object};
use super::owner::{Owner, our_fields, owner_of};
use super::store::{Force, Mode, Store};

/// What happens to an object. The words are kubectl's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Change {
    /// It is made.
    Created,
    /// It is changed.
    Configured,
    /// It is as it should be.
    Unchanged,
    /// It belonged to what was installed before and goes.
    Deleted,
}

/// What happens to one object.
#[derive(Debug)]
pub(crate) struct Step {
    /// As it should be; of one that goes, as it is.
    pub(crate) object: Object,
    /// As it is, if it is there.
    pub(crate) live: Option<Value>,
    /// As the server says it would be, where it could be asked.
    pub(crate) after: Option<Value>,
    /// What happens to it.
    pub(crate) change: Change,
}

/// Why an object can't be applied without taking it over.
#[derive(Debug)]
pub(crate) struct Conflict {
    /// The object.
    pub(crate) object: String,
    /// Who has it, and what of it.
    pub(crate) with: With,
}

/// Who has an object that is to be applied.
#[derive(Debug)]
pub(crate) enum With {
    /// A tool that looks after the whole of it.
    Owner(Owner),
    /// Others who said something else of some fields.
    Managers(String),
}

/// Why the server can't say what would change.
#[derive(Debug)]
pub(crate) struct PlanError {
    /// The object, if it is about one.
    pub(crate) object: Option<String>,
    /// What it answered.
    pub(crate) error: Error,
}

/// What an installation would change.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// For each object, in order.
    pub(crate) steps: Vec<Step>,
    /// What can't be applied without taking it over.
    pub(crate) conflicts: Vec<Conflict>,
}

impl From<Error> for PlanError {
    fn from(error: Error) -> Self {
        Self { object: None, error }
    }
}

// === impl Plan ===

impl Plan {
    /// Asks the server what these objects would change.
    pub(crate) async fn make(store: Store<'_>, objects: &[Object], force: Force) -> Result<Self, PlanError> {
        let mut plan = Self::default();
        let mut has_namespace = false;
        for object in objects {
            let live = store.get(&object.path()).await?;
            has_namespace |= object.kind().name == "Namespace" && live.is_some();
            let owner = live.as_ref().and_then(owner_of).filter(|_| force == Force::No);
            if let Some(owner) = owner {
                plan.conflicts.push(Conflict { object: object.to_string(), with: With::Owner(owner) });
                continue;
            }
            // In a namespace that is not there yet nothing can be tried.
            let can_try = live.is_some() || object.namespace() != Some(NAMESPACE) || has_namespace;
            let answer = if can_try { Some(store.apply(object, Mode::DryRun, force).await) } else { None };
            let after = match answer.transpose() {
                Ok(after) => after,
                Err(Error::Api(status)) if status.code == 409 => {
                    let with = With::Managers(managers(&status));
                    plan.conflicts.push(Conflict { object: object.to_string(), with });
                    continue;
                }
                Err(error) => return Err(PlanError { object: Some(object.to_string()), error }),
            };
            let change = change(live.as_ref(), after.as_ref());
            plan.steps.push(Step { object: object.clone(), live, after, change });
        }
        plan.add_leftovers(store, objects).await?;
        Ok(plan)
    }

    /// What was installed before and is no part of this.
    async fn add_leftovers(&mut self, store: Store<'_>, objects: &[Object]) -> Result<(), Error> {
        for kind in KINDS
            .iter()
            .rev()
            .filter(|kind| objects.iter().any(|it| it.kind() == *kind) || kind.name == "PodDisruptionBudget")
        {
            for object in store.objects(kind, &format!("labelSelector={}%3D{}", PART_OF.0, PART_OF.1)).await?
            {
                let is_ours = our_fields(object.value()).is_some();
                if is_ours && !objects.iter().any(|wanted| wanted.is_same(&object)) {
                    let live = Some(object.value().clone());
                    self.steps.push(Step { object, live, after: None, change: Change::Deleted });
                }
            }
        }
        Ok(())
    }
}

/// What comes of an object.
fn change(live: Option<&Value>, after: Option<&Value>) -> Change {
    let Some(live) = live else { return Change::Created };
    let Some(after) = after else { return Change::Configured };
    let is_same = our_fields(live) == our_fields(after) && essence(live) == essence(after);
    if is_same { Change::Unchanged } else { Change::Configured }
}

/// An object without what the server writes of itself.
pub(crate) fn essence(value: &Value) -> Value {
    let mut value = value.clone();
    if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
        for field in ["creationTimestamp", "generation", "managedFields", "resourceVersion", "uid"] {
            metadata.remove(field);
        }
    }
    if let Some(value) = value.as_object_mut() {
        value.remove("status");
    }
    value
}

/// Who said something else, and of what, by the server's answer.
fn managers(status: &Status) -> String {
    let causes = status.details.iter().flat_map(|it| &it.causes);
    let told = causes.map(|cause| {
        let who = cause.message.trim_start_matches("conflict with ");
        format!("{} is set by {who}", cause.field.trim_start_matches('.'))
    });
    told.collect::<Vec<_>>().join("; ")
}

// === impl Change ===

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Created => "created",
            Self::Configured => "configured",
            Self::Unchanged => "unchanged",
            Self::Deleted => "deleted",
        })
    }
}

// === impl Conflict ===

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.with {
            With::Owner(owner) => write!(f, "{} belongs to {owner}", self.object),
            With::Managers(fields) => write!(f, "{}: {fields}", self.object),
        }
    }
}
