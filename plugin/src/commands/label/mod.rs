//! What `label-cloud` and `label-dpdk` have in common: `kubectl label` for one label of nodes.

mod detect;
mod report;

use clap::{Args, ValueEnum};
use clap_complete::engine::ArgValueCompleter;
use edge_api::names::PLUGIN_MANAGER;
use futures::stream::{self, StreamExt};
use k8s_openapi::api::core::v1::Node;
use kube::api::{Api, ListParams, Patch, PatchParams};
use kube::core::{ObjectMeta, PartialObjectMeta};
use serde_json::json;

use crate::cluster::Cluster;
use crate::completing::nodes;
use crate::failure::Failure;
use crate::session::Session;
use crate::view::Output;
use detect::Equipment;
use report::{Change, LabelReport};

/// Which nodes, and what to do with them.
#[expect(clippy::struct_excessive_bools, reason = "each is a flag; clap knows which exclude each other")]
#[derive(Debug, Args)]
pub(super) struct Labelling {
    /// The nodes
    #[arg(value_name = "NODE", conflicts_with_all = ["selector", "all"], add = ArgValueCompleter::new(nodes))]
    nodes: Vec<String>,
    /// Nodes whose labels this selector matches
    #[arg(short = 'l', long, value_name = "SELECTOR", conflicts_with = "all")]
    selector: Option<String>,
    /// All nodes
    #[arg(long)]
    all: bool,
    /// Take the label away
    #[arg(long, conflicts_with = "list")]
    remove: bool,
    /// List the nodes that have the label
    #[arg(long)]
    list: bool,
    /// Change the value of nodes that have another one
    #[arg(long)]
    overwrite: bool,
    /// Only say what would be done; "server" has the server check it
    #[arg(long, value_enum, default_value_t, value_name = "HOW")]
    dry_run: DryRun,
}

/// Whether something is really done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum DryRun {
    // It is.
    #[default]
    None,
    // Nothing is sent.
    Client,
    // The server checks it and does nothing.
    Server,
}

/// A label and its value.
#[derive(Clone, Debug)]
pub(super) struct Label {
    pub(super) key: String,
    pub(super) value: String,
}

/// How the nodes are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    /// As the user names them.
    Named,
    /// By what they are equipped with.
    Detected,
}

/// A node that may be labelled.
struct Candidate {
    metadata: ObjectMeta,
    /// Known only where it is looked for.
    equipment: Option<Equipment>,
}

/// How many nodes are changed at the same time.
const AT_ONCE: usize = 16;

/// Labels nodes.
pub(super) async fn run(
    labelling: &Labelling,
    label: &Label,
    which: Which,
    session: &Session,
) -> Result<Output, Failure> {
    let cluster = session.connect().await?;
    let api: Api<Node> = Api::all(cluster.client.clone());
    if labelling.list {
        return labelling.listed(label, &cluster, &api).await;
    }
    let (candidates, mut failures) = match which {
        Which::Named if labelling.is_open() => labelling.pick(label, session, &cluster, &api).await?,
        Which::Named => labelling.named(&cluster, &api).await?,
        Which::Detected => (labelling.equipped(&cluster, &api).await?, Vec::new()),
    };
    session.show_target(&cluster);
    let total = candidates.len();
    let changes = candidates.iter().map(|candidate| labelling.change(label, candidate, &cluster, &api));
    let mut changes = stream::iter(changes).buffered(AT_ONCE);
    let mut done = Vec::new();
    while let Some(change) = changes.next().await {
        match change {
            Ok(change) => done.push(change),
            Err(failure) => failures.push(failure),
        }
        session.talk.busy(&format!("{} of {total} nodes", done.len() + failures.len()));
    }
    let is_none = total == 0 && failures.is_empty() && which == Which::Detected;
    let notes = if is_none { vec!["No node has huge pages.".to_owned()] } else { Vec::new() };
    let report = LabelReport::changed(label, done, labelling.dry_run);
    Ok(Output::ok(report).with_failures(failures).with_notes(notes))
}

// === impl Labelling ===

impl Labelling {
    /// Whether nobody said which nodes.
    fn is_open(&self) -> bool {
        self.nodes.is_empty() && self.selector.is_none() && !self.all
    }

    fn params(&self) -> ListParams {
        match &self.selector {
            Some(selector) => ListParams::default().labels(selector),
            None => ListParams::default(),
        }
    }

    /// The nodes that the user names; a node that is not there is a failure of its own.
    async fn named(
        &self,
        cluster: &Cluster,
        api: &Api<Node>,
    ) -> Result<(Vec<Candidate>, Vec<Failure>), Failure> {
        if self.nodes.is_empty() {
            return Ok((self.known(cluster, api).await?, Vec::new()));
        }
        let reads =
            self.nodes.iter().map(|name| api.get_metadata(name.strip_prefix("node/").unwrap_or(name)));
        let mut reads = stream::iter(reads).buffered(AT_ONCE);
        let (mut candidates, mut failures) = (Vec::new(), Vec::new());
        while let Some(read) = reads.next().await {
            match read {
                Ok(node) => candidates.push(Candidate { metadata: node.metadata, equipment: None }),
                Err(error) => failures.push(cluster.problem(error)),
            }
        }
        Ok((candidates, failures))
    }

    /// Names and labels of the nodes that the selector matches.
    async fn known(&self, cluster: &Cluster, api: &Api<Node>) -> Result<Vec<Candidate>, Failure> {
        let nodes = cluster.list_metadata(api, self.params()).await.map_err(|it| cluster.problem(it))?;
        let candidate =
            |node: PartialObjectMeta<Node>| Candidate { metadata: node.metadata, equipment: None };
        Ok(nodes.into_iter().map(candidate).collect())
    }

    /// The nodes that have anything that DPDK needs.
    async fn equipped(&self, cluster: &Cluster, api: &Api<Node>) -> Result<Vec<Candidate>, Failure> {
        let nodes = cluster.list(api, self.params()).await.map_err(|it| cluster.problem(it))?;
        let candidate = |node: Node| {
            let equipment = Equipment::of(&node)?;
            Some(Candidate { metadata: node.metadata, equipment: Some(equipment) })
        };
        Ok(nodes.into_iter().filter_map(candidate).collect())
    }

    /// Has the user choose among all nodes.
    async fn pick(
        &self,
        label: &Label,
        session: &Session,
        cluster: &Cluster,
        api: &Api<Node>,
    ) -> Result<(Vec<Candidate>, Vec<Failure>), Failure> {
        if !session.talk.is_interactive() {
            let failure = Failure::usage("one or more nodes must be named");
            return Err(failure.with_hint("name them, or choose them by -l SELECTOR or --all"));
        }
        let mut nodes = self.known(cluster, api).await?;
        nodes.retain(|node| label.is_on(&node.metadata) == self.remove);
        if nodes.is_empty() {
            let state = if self.remove { "no node has" } else { "every node has" };
            session.talk.note(&format!("{state} {}={}", label.key, label.value));
            return Ok((Vec::new(), Vec::new()));
        }
        let items: Vec<(String, bool)> = nodes.iter().map(|node| (node.name().to_owned(), false)).collect();
        let verb = if self.remove { "without" } else { "with" };
        let prompt = format!("Nodes {verb} {}={}", label.key, label.value);
        let chosen = session.talk.choose(&prompt, &items)?;
        let mut idx = 0;
        nodes.retain(|_| {
            idx += 1;
            chosen.contains(&(idx - 1))
        });
        Ok((nodes, Vec::new()))
    }

    async fn listed(&self, label: &Label, cluster: &Cluster, api: &Api<Node>) -> Result<Output, Failure> {
        let (mut candidates, failures) = self.named(cluster, api).await?;
        candidates.retain(|node| label.is_on(&node.metadata));
        let nodes = candidates.iter().map(|node| node.name().to_owned()).collect();
        Ok(Output::ok(LabelReport::listed(label, nodes)).with_failures(failures))
    }

    /// Labels one node, or takes its label away, by the rules of `kubectl label`.
    async fn change(
        &self,
        label: &Label,
        node: &Candidate,
        cluster: &Cluster,
        api: &Api<Node>,
    ) -> Result<Change, Failure> {
        let name = node.name();
        if let Some(why) = node.equipment.as_ref().and_then(Equipment::lack).filter(|_| !self.remove) {
            return Ok(Change::skipped(name, why));
        }
        let note = node.equipment.as_ref().map(Equipment::describe);
        let old = node.metadata.labels.as_ref().and_then(|labels| labels.get(&label.key));
        let patch = match (self.remove, old) {
            (true, None) => return Ok(Change::absent(name, &label.key)),
            (false, Some(old)) if *old == label.value => return Ok(Change::unchanged(name, note)),
            (_, Some(old)) if *old != label.value && !self.overwrite => {
                let what = format!(
                    "node {name}: '{}' already has a value ({old}), and --overwrite is false",
                    label.key
                );
                return Err(Failure::new(what));
            }
            (true, Some(_)) => json!({"metadata": {"labels": {&label.key: null}}}),
            (false, _) => json!({"metadata": {"labels": {&label.key: &label.value}}}),
        };
        if self.dry_run != DryRun::Client {
            let params = PatchParams {
                dry_run: self.dry_run == DryRun::Server,
                field_manager: Some(PLUGIN_MANAGER.to_owned()),
                ..PatchParams::default()
            };
            let patched = api.patch_metadata(name, &params, &Patch::Merge(&patch)).await;
            patched.map_err(|error| cluster.problem(error))?;
        }
        Ok(if self.remove { Change::removed(name, note) } else { Change::added(name, note) })
    }
}

// === impl DryRun ===

impl DryRun {
    /// What a report says of it, and what is printed behind what was not done.
    pub(crate) fn shown(self) -> (Option<&'static str>, &'static str) {
        match self {
            Self::None => (None, ""),
            Self::Client => (Some("client"), " (dry run)"),
            Self::Server => (Some("server"), " (server dry run)"),
        }
    }
}

// === impl Label ===

impl Label {
    fn is_on(&self, metadata: &ObjectMeta) -> bool {
        metadata.labels.as_ref().and_then(|labels| labels.get(&self.key)) == Some(&self.value)
    }
}

// === impl Candidate ===

impl Candidate {
    fn name(&self) -> &str {
        self.metadata.name.as_deref().unwrap_or_default()
    }
}
