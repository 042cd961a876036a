//! Whether pods that run are moved.

use crate::moves::Rhythm;

/// Annotation of a pod: `"false"`, it stays where it was placed; `"true"`, it may be moved although it is one of a
/// StatefulSet or a Job, or has a volume that one node at a time can use.
pub const MOVE_ANNOTATION: &str = "kubectl-edge.dev/move";

/// For what the pods of a profile are moved, and how often. By default none is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MoveRule {
    /// A pod whose delay constraint is broken goes where it is kept.
    pub keeps_promise: bool,
    /// Pods make room for one that fits nowhere within its delay constraints.
    pub makes_room: bool,
    /// Who goes elsewhere so that less has to be reserved.
    pub reoptimize: Reoptimize,
    /// How often.
    pub rhythm: Rhythm,
}

/// What goes elsewhere so that less has to be reserved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reoptimize {
    /// Nothing.
    #[default]
    Off,
    /// Backups.
    Backups,
    /// Backups, and a few pods.
    Pods,
}

// === impl MoveRule ===

impl MoveRule {
    /// All is done.
    pub fn on() -> Self {
        let rhythm = Rhythm::default();
        Self { keeps_promise: true, makes_room: true, reoptimize: Reoptimize::Pods, rhythm }
    }

    /// As it is for a profile of this name that says nothing: in ours all is done, in others nothing.
    pub fn default_of_profile(scheduler_name: &str) -> Self {
        match scheduler_name {
            "edge-scheduler" | "custom-scheduler" => Self::on(),
            _ => Self::default(),
        }
    }
}

// === impl Reoptimize ===

impl Reoptimize {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Off, Self::Backups, Self::Pods];

    /// The name that configurations use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Off => "Off",
            Self::Backups => "Backups",
            Self::Pods => "Pods",
        }
    }

    /// The one of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name() == name)
    }
}
