//! Arguments of BackupReservation about pods that are moved.

use edge_core::moves::Rhythm;
use edge_core::placement::{MoveRule, Reoptimize};
use serde::{Deserialize, Serialize};

use crate::duration::GoDuration;
use crate::error::{FieldErrors, Path};

/// For what pods are moved, and how often.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct MoveArgs {
    /// Whether pods go elsewhere whose delay constraints are broken.
    keep_promise: Option<bool>,
    /// Whether pods go elsewhere to make room for one that has no other place.
    make_room: Option<bool>,
    /// What goes elsewhere so that less has to be reserved.
    reoptimize: Option<String>,
    /// How many pods are moved a minute.
    per_minute: Option<u32>,
    /// For how long a pod stays where it was placed.
    dwell: Option<GoDuration>,
}

// === impl MoveArgs ===

impl MoveArgs {
    /// Fills in what is done in the profile of this name if it says nothing.
    pub(super) fn complete(&mut self, scheduler_name: &str) {
        let MoveRule { keeps_promise, makes_room, reoptimize, rhythm } =
            MoveRule::default_of_profile(scheduler_name);
        self.keep_promise.get_or_insert(keeps_promise);
        self.make_room.get_or_insert(makes_room);
        self.reoptimize.get_or_insert_with(|| reoptimize.name().to_owned());
        self.per_minute.get_or_insert(rhythm.per_minute);
        self.dwell.get_or_insert_with(|| rhythm.dwell.into());
    }

    pub(super) fn validate(&self, path: &Path, errors: &mut FieldErrors) {
        if let Some(name) = self.reoptimize.as_ref().filter(|name| Reoptimize::from_name(name).is_none()) {
            errors.unsupported(path.child("reoptimize"), name, &Reoptimize::ALL.map(Reoptimize::name));
        }
        if self.per_minute == Some(0) {
            let why = "must be greater than 0; to move no pods, switch off what they are moved for";
            errors.invalid(path.child("perMinute"), 0, why);
        }
        if let Some(dwell) = self.dwell.filter(|dwell| *dwell < GoDuration::default()) {
            errors.invalid(path.child("dwell"), dwell, "must be zero or positive");
        }
    }

    /// The same for the plugin; none if something in it is wrong.
    pub(super) fn rule(&self) -> Option<MoveRule> {
        Some(MoveRule {
            keeps_promise: self.keep_promise?,
            makes_room: self.make_room?,
            reoptimize: Reoptimize::from_name(self.reoptimize.as_deref()?)?,
            rhythm: Rhythm { per_minute: self.per_minute?, dwell: self.dwell?.get() },
        })
    }
}
