//! Arguments of BackupReservation.

use edge_core::placement::plugins::backup_reservation::BackupReservation;
use edge_core::placement::{BackupMode, BackupPolicy, BackupRule, FailoverRule, Plugin};
use serde::{Deserialize, Serialize};

use super::moves::MoveArgs;
use super::{Args, Context};
use crate::error::{FieldErrors, Path};

/// Which pods are covered by backups, and how strictly.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct BackupReservationArgs {
    mode: String,
    policy: String,
    failover: Failover,
    /// The image of backups where that of the scheduler itself is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<String>,
    /// For what pods are moved, and how often.
    moves: MoveArgs,
}

/// Whether pods are started elsewhere when their node fails.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Failover {
    enabled: bool,
    /// Whether those annotated `kubectl-edge.dev/failover: fast` don't wait for their node's Lease.
    fast: bool,
}

impl Default for Failover {
    fn default() -> Self {
        let FailoverRule { is_on, is_fast } = FailoverRule::default();
        Self { enabled: is_on, fast: is_fast }
    }
}

impl Args for BackupReservationArgs {
    const PLUGIN: &'static str = "BackupReservation";

    fn complete(&mut self, profile: &Context<'_>) {
        if self.mode.is_empty() {
            // Who enables the plugin by its name wants pods to be covered.
            let mode = if profile.enabled {
                BackupMode::Pods
            } else {
                BackupMode::default_of_profile(profile.scheduler_name)
            };
            mode.name().clone_into(&mut self.mode);
        }
        if self.policy.is_empty() {
            BackupPolicy::default().name().clone_into(&mut self.policy);
        }
        self.moves.complete(profile.scheduler_name);
    }

    fn validate(&self, path: &Path, errors: &mut FieldErrors) {
        if BackupMode::from_name(&self.mode).is_none() {
            errors.unsupported(path.child("mode"), &self.mode, &BackupMode::ALL.map(BackupMode::name));
        }
        if BackupPolicy::from_name(&self.policy).is_none() {
            let known = BackupPolicy::ALL.map(BackupPolicy::name);
            errors.unsupported(path.child("policy"), &self.policy, &known);
        }
        if self.image.as_ref().is_some_and(|image| image.trim().is_empty()) {
            errors.invalid(path.child("image"), "", "give an image, or leave it out");
        }
        self.moves.validate(&path.child("moves"), errors);
    }

    fn plugin(&self) -> Option<Box<dyn Plugin>> {
        let rule = BackupRule {
            mode: BackupMode::from_name(&self.mode)?,
            policy: BackupPolicy::from_name(&self.policy)?,
            failover: FailoverRule { is_on: self.failover.enabled, is_fast: self.failover.fast },
            moves: self.moves.rule()?,
        };
        Some(Box::new(BackupReservation { rule }))
    }

    fn backup_image(&self) -> Option<&str> {
        self.image.as_deref()
    }
}
