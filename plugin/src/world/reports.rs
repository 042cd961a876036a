//! The cluster's `NodeDelays`, told to the core as the scheduler tells it.

use std::time::Duration;

use edge_core::delay::{DelayRules, Report};
use edge_core::wire::{Interner, NodeDelaysObject};
use k8s_openapi::jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::measured::NodeReport;
use super::{Measured, World, list, now};
use crate::cluster::{Cluster, Gaps, is_not_found};
use crate::failure::Failure;

/// What all nodes report; none if the cluster doesn't know of it.
pub(super) struct Reports(Option<Vec<Box<RawValue>>>);

/// All `NodeDelays`, and what is wrong with those that can't be read; none if the cluster doesn't know the kind. Those
/// that may not be seen are none.
pub(super) async fn listed<T: DeserializeOwned>(
    cluster: &Cluster,
    gaps: &mut Gaps,
) -> Result<Option<(Vec<T>, Vec<String>)>, Failure> {
    let path = format!("/apis/{}/nodedelays", edge_api::API_VERSION);
    let answer = match list::<T>(cluster, &path).await {
        Err(error) if is_not_found(&error) => return Ok(None),
        answer => answer,
    };
    let objects = gaps.allow(cluster, answer, "list nodedelays", "delays")?;
    let (mut read, mut unreadable) = (Vec::new(), Vec::new());
    for object in objects.into_iter().flatten() {
        match object {
            Ok(object) => read.push(object),
            Err(error) => unreadable.push(format!("nodedelays: {error}")),
        }
    }
    Ok(Some((read, unreadable)))
}

// === impl Reports ===

impl Reports {
    pub(super) async fn read(cluster: &Cluster, gaps: &mut Gaps) -> Result<Self, Failure> {
        // As text each of them can be read.
        let listed = listed(cluster, gaps).await?;
        Ok(Self(listed.map(|(objects, _)| objects)))
    }

    /// Tells the core, each report when it was written.
    pub(super) fn tell(&self, world: &mut World) {
        let at = Timestamp::now();
        for object in self.0.iter().flatten() {
            match read(object, at, &mut world.interner) {
                Ok(Some((report, age))) => {
                    world.snapshot.delays.hear(&report, &mut world.snapshot.nodes, now() - age);
                }
                Ok(None) => (),
                Err(error) => world.unreadable.push(error),
            }
        }
    }

    /// The same for views.
    pub(super) fn measured(&self, rules: &DelayRules) -> Measured {
        let Some(objects) = &self.0 else { return Measured::default() };
        let objects = objects.iter().filter_map(|object| serde_json::from_str(object.get()).ok());
        Measured::of(objects, rules, Timestamp::now())
    }
}

/// The report and its age; none before the first one.
fn read(
    object: &RawValue,
    at: Timestamp,
    interner: &mut Interner,
) -> Result<Option<(Report, Duration)>, String> {
    let age = serde_json::from_str::<NodeReport>(object.get()).map_err(|error| error.to_string())?.age(at);
    let read = serde_json::from_str::<NodeDelaysObject>(object.get()).map_err(|error| error.to_string())?;
    let read = read.into_node_delays(interner).map_err(|error| error.to_string())?;
    Ok(read.report.map(|report| (report, age)))
}
