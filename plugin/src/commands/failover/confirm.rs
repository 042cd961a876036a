//! Somebody says that nodes are off.

use edge_core::model::NodeName;
use edge_core::state::{CONFIRMED_ANNOTATION, FENCED_ANNOTATION};
use serde_json::json;

use super::report::Confirmed;
use super::told::Verdict;
use super::waiting::{LEASES, Unwell, Wait};
use crate::cluster::Cluster;
use crate::commands::label::DryRun;
use crate::failure::Failure;
use crate::installation::store::{Mode, Store};
use crate::session::Session;
use crate::world::World;

/// What is said of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// It is off.
    IsOff,
    /// It is off and stays off until somebody has seen to it.
    StaysOff,
}

/// A node that is to be said to be off, as it is now.
pub(super) struct Candidate<'a> {
    node: &'a Unwell,
    /// The version of its Lease. A node that is alive renews it, and then nothing was confirmed.
    version: String,
}

/// Looks whether the nodes may be said to be off.
pub(super) async fn candidates<'a>(
    names: &[String],
    cluster: &Cluster,
    world: &World,
    unwell: &'a [Unwell],
) -> Result<Vec<Candidate<'a>>, Failure> {
    let mut candidates = Vec::new();
    for name in names {
        let name = name.strip_prefix("node/").unwrap_or(name);
        let is_there = |slot| world.snapshot.nodes.get(slot).is_some();
        if !world.snapshot.nodes.slot(NodeName::new(name).as_str()).is_some_and(is_there) {
            return Err(Failure::new(format!("nodes \"{name}\" not found")));
        }
        let node = unwell.iter().find(|it| it.node == name && it.verdict != Verdict::Returning);
        let Some(node) = node else {
            let failure = Failure::new(format!("node {name} is neither suspect nor lost, nor not ready"));
            return Err(failure.with_hint("a node that is alive takes a confirmation back by itself"));
        };
        let Some(version) = version(cluster, name).await? else {
            let failure = Failure::new(format!("node {name} has no Lease in kube-node-lease"));
            return Err(failure.with_hint("a confirmation holds until the Lease is renewed, so it needs one"));
        };
        candidates.push(Candidate { node, version });
    }
    Ok(candidates)
}

/// Says what follows, and asks whether it is so.
pub(super) fn ask(
    session: &Session,
    candidates: &[Candidate<'_>],
    word: Word,
    yes: bool,
) -> Result<(), Failure> {
    for Candidate { node, .. } in candidates {
        let (moved, lost) = match word {
            Word::IsOff => (node.stateless, 0),
            Word::StaysOff => (node.stateless + node.count(Wait::Fence) - node.bare(), node.bare()),
        };
        let are = |count: usize| if count == 1 { "1 pod is".to_owned() } else { format!("{count} pods are") };
        let lost = if lost == 0 {
            String::new()
        } else {
            format!(", {} gone for good: nothing controls it", are(lost))
        };
        let Unwell { node, verdict, .. } = node;
        session.talk.note(&format!(
            "node {node} is {}: {} started elsewhere{lost}",
            verdict.as_str(),
            are(moved)
        ));
    }
    let names: Vec<&str> = candidates.iter().map(|it| it.node.node.as_str()).collect();
    let verb = if names.len() == 1 { "Is" } else { "Are" };
    let stays = if word == Word::StaysOff { ", and to stay off" } else { "" };
    session.talk.confirm(&format!("{verb} {} off, for certain{stays}?", names.join(", ")), yes)
}

/// Says that the node is off.
pub(super) async fn write(
    cluster: &Cluster,
    candidate: &Candidate<'_>,
    word: Word,
    dry_run: DryRun,
) -> Result<Confirmed, Failure> {
    let Candidate { node: Unwell { node, uid, confirmed, fenced, .. }, version: confirmed_version } =
        candidate;
    let result = |result| Confirmed { node: node.clone(), result, lease_version: confirmed_version.clone() };
    let (key, done) = match word {
        Word::IsOff if *confirmed => return Ok(result("not confirmed (it is already)")),
        Word::IsOff => (CONFIRMED_ANNOTATION, "confirmed"),
        Word::StaysOff if *fenced => return Ok(result("not fenced (it is already)")),
        Word::StaysOff => (FENCED_ANNOTATION, "fenced"),
    };
    let mode = match dry_run {
        DryRun::Client => return Ok(result(done)),
        DryRun::Server => Mode::DryRun,
        DryRun::None => Mode::Real,
    };
    let annotations = json!({key: confirmed_version});
    // With its UID it is this node, and no other that was made under its name since.
    let part = json!({"metadata": {"uid": uid, "annotations": annotations}});
    let store = Store { cluster };
    let written = store.merge(&format!("/api/v1/nodes/{node}"), &part, mode).await;
    written.map_err(|error| cluster.problem(error))?;
    if version(cluster, node).await?.as_ref() != Some(confirmed_version) {
        let failure = Failure::new(format!("node {node} is alive: its Lease was renewed meanwhile"));
        return Err(failure.with_hint("the confirmation holds no longer; look at the network to it"));
    }
    Ok(result(done))
}

/// The version of a node's Lease, if it has one.
async fn version(cluster: &Cluster, node: &str) -> Result<Option<String>, Failure> {
    let lease = Store { cluster }.get(&format!("{LEASES}/{node}")).await;
    let lease = lease.map_err(|error| cluster.problem(error))?;
    let version = lease.as_ref().and_then(|it| it.pointer("/metadata/resourceVersion")?.as_str());
    Ok(version.map(ToOwned::to_owned))
}
