//! What `explain` shows.

use edge_core::model::Delay;
use serde::Serialize;

use super::subject::{State, Subject};
use crate::look::Look;
use crate::view::{API_VERSION, Report};
use crate::world::{Judgement, Miss, ScoredNode, Served, World};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ExplainReport {
    api_version: &'static str,
    kind: &'static str,
    items: Vec<Explained>,
    #[serde(skip)]
    all_nodes: bool,
}

/// A pod, explained.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Explained {
    pod: String,
    namespace: String,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<String>,
    scheduler_name: String,
    /// Why these are not the rules of its own scheduler.
    #[serde(skip_serializing_if = "Option::is_none")]
    caveat: Option<String>,
    nodes: usize,
    fitting: usize,
    /// Where it would go now.
    #[serde(skip_serializing_if = "Option::is_none")]
    choice: Option<String>,
    /// The scheduler's message, where it fits nowhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    blockers: Vec<Blocked>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nearest_miss: Option<String>,
    delays: Vec<Slack>,
    scores: Vec<Score>,
    /// Changes that would each give it a place.
    changes: Vec<String>,
}

#[derive(Serialize)]
struct Blocked {
    nodes: usize,
    plugin: &'static str,
    reason: String,
    names: Vec<String>,
}

/// How far a placed pod is from an anchor.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Slack {
    from: String,
    bound_ms: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    delay_ms: Option<f64>,
    #[serde(rename = "slackMs", skip_serializing_if = "Option::is_none")]
    left_ms: Option<f64>,
}

#[derive(Serialize)]
struct Score {
    node: String,
    total: i64,
    plugins: Vec<PluginScore>,
}

#[derive(Serialize)]
struct PluginScore {
    plugin: &'static str,
    #[serde(rename = "score")]
    weighted: i64,
}

/// How many rows of scores are shown to people.
const BEST: usize = 10;
/// How many names of nodes are shown with a reason.
const NAMED: usize = 3;
/// A terminal with fewer columns has room for fewer of them.
const NARROW: usize = 100;

// === impl ExplainReport ===

impl ExplainReport {
    pub(super) fn new(items: Vec<Explained>, all_nodes: bool) -> Self {
        Self { api_version: API_VERSION, kind: "Explanation", items, all_nodes }
    }
}

impl Report for ExplainReport {
    fn table(&self, look: Look) -> String {
        self.items.iter().map(|item| item.describe(look, self.all_nodes)).collect::<Vec<_>>().join("\n")
    }

    fn names(&self) -> Option<Vec<String>> {
        Some(self.items.iter().map(|item| format!("pod/{}", item.pod)).collect())
    }
}

// === impl Explained ===

impl Explained {
    #[expect(clippy::too_many_arguments, reason = "each is a part of the explanation, found out on its own")]
    pub(super) fn new(
        world: &mut World,
        subject: Subject,
        judgement: Judgement,
        scored: Vec<ScoredNode>,
        delays: Vec<Slack>,
        changes: Vec<String>,
        gate: Option<String>,
        served: &Served,
    ) -> Self {
        let Subject { pod, state } = subject;
        let scheduler = pod.scheduler_name.to_string();
        let caveat = (!served.has(&scheduler))
            .then(|| format!("scheduler {scheduler} is not ours; this is what the edge scheduler would say"));
        let profile = served.profile(&scheduler);
        let miss = if judgement.fits.is_empty() { world.nearest_miss(&pod, &profile) } else { None };
        let blockers = judgement.blockers.iter().map(|it| Blocked {
            nodes: it.nodes.len(),
            plugin: it.plugin,
            reason: it.reason.clone(),
            names: it.nodes.iter().map(|slot| world.name(*slot).to_string()).collect(),
        });
        let (choice, message) = match (gate, judgement.decision) {
            (Some(gate), _) => (None, Some(gate)),
            (None, Ok(node)) => (Some(node.to_string()), None),
            (None, Err(message)) => (None, Some(message)),
        };
        Self {
            pod: pod.key.name.to_string(),
            namespace: pod.key.namespace.to_string(),
            state: match state {
                State::Waits => "Pending",
                State::Placed => "Placed",
                State::WouldBe => "NotCreated",
            },
            node: pod.node.as_ref().map(ToString::to_string),
            scheduler_name: scheduler,
            caveat,
            nodes: judgement.total,
            fitting: judgement.fits.len(),
            choice,
            message,
            blockers: blockers.collect(),
            nearest_miss: miss.map(|miss| describe_miss(&miss)),
            delays,
            scores: scored.into_iter().map(Score::of).collect(),
            changes,
        }
    }

    /// Whether it has a place within its bounds, or would find one.
    pub(super) fn is_well(&self) -> bool {
        let is_broken = |slack: &Slack| slack.left_ms.is_some_and(|left| left < 0.0);
        match self.node {
            Some(_) => !self.delays.iter().any(is_broken),
            None => self.choice.is_some(),
        }
    }

    fn describe(&self, look: Look, all_nodes: bool) -> String {
        let mut lines = vec![self.head(look)];
        lines.extend(self.caveat.iter().map(|caveat| look.warning(caveat)));
        lines.extend(self.delays.iter().filter(|_| self.node.is_some()).map(Slack::describe));
        let count = format!("{} of {} nodes fit.", self.fitting, self.nodes);
        lines.push(if self.fitting == 0 { look.warning(&count) } else { look.good(&count) });
        lines.extend(self.elsewhere());
        let mut parts = vec![look.fold_all(&lines.join("\n")) + "\n"];
        if !self.blockers.is_empty() {
            let rows = self.blockers.iter().map(|blocked| blocked.cells(all_nodes, look)).collect();
            let plugin = Some("PLUGIN").filter(|_| look.wide);
            let heads = ["NODES", "FIRST BLOCKER"].into_iter().chain(plugin).chain(["SUCH AS"]);
            parts.push(look.table(heads.map(str::to_owned).collect(), rows));
        }
        if !self.changes.is_empty() {
            let changes = self.changes.join("\n  ");
            parts.push(format!("Smallest changes that would place it:\n  {changes}\n"));
        }
        if let Some(message) = self.message.as_ref().filter(|_| self.node.is_none()) {
            parts.push(look.fold_all(&format!("The scheduler says: {message}\n")));
        }
        if !self.scores.is_empty() && self.scores.iter().any(|score| !score.plugins.is_empty()) {
            parts.push(self.score_table(look));
        }
        parts.join("\n")
    }

    /// Where a pod would go that is placed, if not where it is.
    fn elsewhere(&self) -> Option<String> {
        let (node, choice) = (self.node.as_ref()?, self.choice.as_ref()?);
        let fits = self.scores.iter().any(|score| score.node == *node);
        let it = if fits { "It" } else { "It does not fit where it is any more: it" };
        (node != choice).then(|| format!("{it} would go to {choice} now."))
    }

    fn head(&self, look: Look) -> String {
        let pod = look.strong(&format!("pod/{}", self.pod));
        match (&self.node, &self.choice, self.state) {
            (Some(node), ..) => format!("{pod} is on {node}"),
            (None, Some(node), "Pending") => format!("{pod} waits; it would go to {node} now"),
            (None, Some(node), _) => format!("{pod} would go to {node}"),
            (None, None, "Pending") => format!("{pod} waits"),
            (None, None, _) => format!("{pod} would have to wait"),
        }
    }

    fn score_table(&self, look: Look) -> String {
        let plugins: Vec<&str> = self
            .scores
            .iter()
            .flat_map(|it| it.plugins.iter().map(|it| it.plugin))
            .fold(Vec::new(), |mut seen, plugin| {
                if !seen.contains(&plugin) {
                    seen.push(plugin);
                }
                seen
            });
        // Whole names are for wide terminals.
        let short = |plugin: &str| {
            let name = plugin.trim_start_matches("NodeResources").trim_start_matches("Node");
            if look.wide { plugin.to_owned() } else { name.to_owned() }
        };
        let heads =
            ["NODE", "TOTAL"].into_iter().map(str::to_owned).chain(plugins.iter().map(|it| short(it)));
        let here = self.node.as_ref().or(self.choice.as_ref());
        let is_here = |score: &&Score| Some(&score.node) == here;
        let shown = self.scores.iter().enumerate().filter(|(idx, score)| *idx < BEST || is_here(score));
        let row = |(_, score): (usize, &Score)| {
            let of = |plugin: &str| {
                score.plugins.iter().find(|it| it.plugin == plugin).map(|it| it.weighted.to_string())
            };
            let here = if is_here(&score) { " ←" } else { "" };
            let mut row = vec![format!("{}{here}", score.node), score.total.to_string()];
            row.extend(plugins.iter().map(|plugin| of(plugin).unwrap_or_else(|| "-".to_owned())));
            row
        };
        let more = self.scores.len().saturating_sub(BEST);
        let more = if more > 0 { format!("{more} more nodes fit\n") } else { String::new() };
        format!("{}{more}", look.table(heads.collect(), shown.map(row).collect()))
    }
}

fn describe_miss(miss: &Miss) -> String {
    let Miss { node, anchor, delay, bound } = miss;
    format!("{node} is {delay} ms from {anchor}, {bound} ms are allowed")
}

// === impl Blocked ===

impl Blocked {
    fn cells(&self, all_nodes: bool, look: Look) -> Vec<String> {
        let named = if look.width.is_some_and(|width| width < NARROW) { NAMED - 1 } else { NAMED };
        let shown = if all_nodes { self.names.len() } else { named.min(self.names.len()) };
        let names = self.names.iter().take(shown).map(String::as_str).collect::<Vec<_>>().join(", ");
        let more = if shown < self.names.len() { ", …" } else { "" };
        let plugin = if self.plugin.is_empty() { "-" } else { self.plugin };
        let plugin = Some(plugin.to_owned()).filter(|_| look.wide);
        let head = [self.nodes.to_string(), self.reason.clone()];
        head.into_iter().chain(plugin).chain([format!("{names}{more}")]).collect()
    }
}

// === impl Slack ===

impl Slack {
    pub(super) fn new(from: String, bound: Delay, delay: Option<Delay>) -> Self {
        let slack = delay.map(|delay| bound.as_millis_f64() - delay.as_millis_f64());
        // Tenths of a microsecond come of subtracting and mean nothing.
        let left_ms = slack.map(|slack| (slack * 1000.0).round() / 1000.0);
        Self { from, bound_ms: bound.as_millis_f64(), delay_ms: delay.map(Delay::as_millis_f64), left_ms }
    }

    fn describe(&self) -> String {
        let Self { from, bound_ms, delay_ms, left_ms } = self;
        match (delay_ms, left_ms) {
            (Some(delay), Some(slack)) => {
                format!("{delay} ms from {from}, {bound_ms} ms allowed: slack {slack} ms")
            }
            _ => format!("its delay from {from} is not known, {bound_ms} ms allowed"),
        }
    }
}

// === impl Score ===

impl Score {
    fn of(node: ScoredNode) -> Self {
        let plugins = node.scores.into_iter().map(|(plugin, score)| PluginScore { plugin, weighted: score });
        Self { node: node.node.to_string(), total: node.total, plugins: plugins.collect() }
    }
}
