//! What the agents' reports tell.

use std::collections::BTreeSet;

use edge_api::names::{NAMESPACE, PROBE};
use serde_json::Value;

use crate::installation::finding::Finding;
use crate::installation::reports::Reports;
use crate::installation::rollout::is_ready;

/// Why there is nothing to look at.
const NO_REPORTS: &str = "no agent reports";

/// Whether a node that is ready says nothing.
pub(super) fn silent(nodes: &[Value], reports: &Reports) -> Finding {
    let name =
        |node: &Value| node.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default().to_owned();
    let is_linux = |node: &&Value| {
        node.pointer("/metadata/labels/kubernetes.io~1os").is_none_or(|os| *os == "linux") && is_ready(node)
    };
    let ready: BTreeSet<String> = nodes.iter().filter(is_linux).map(name).collect();
    if ready.is_empty() {
        return Finding::skipped("EDGE-C22", "no node is ready");
    }
    let silent: Vec<&String> = ready.iter().filter(|name| !reports.reporting.contains(*name)).collect();
    let Some(first) = silent.first() else {
        return Finding::passed("EDGE-C22", format!("all {} ready nodes report delays", ready.len()));
    };
    let message = match &silent[..] {
        [only] => format!("ready node {only} reports no delays: its delays count as unknown"),
        _ => format!(
            "{} ready nodes report no delays, such as {first}: their delays count as unknown",
            silent.len()
        ),
    };
    Finding::failed(
        "EDGE-C22",
        message,
        format!("kubectl logs -n {NAMESPACE} daemonset/{PROBE}; UDP between nodes must be open"),
    )
}

/// Whether an agent lacks CPU.
pub(super) fn starved(reports: &Reports) -> Finding {
    if reports.reporting.is_empty() {
        return Finding::skipped("EDGE-C23", NO_REPORTS);
    }
    match reports.starved.first() {
        None => Finding::passed("EDGE-C23", "no agent lacks CPU"),
        Some(first) => {
            let message = match reports.starved.len() {
                1 => format!("the agent on {first} lacks CPU: its delays are not trusted"),
                count => format!("{count} agents lack CPU, such as on {first}: their delays are not trusted"),
            };
            Finding::failed(
                "EDGE-C23",
                message,
                format!("raise requests.cpu of daemonset/{PROBE}, by install -f"),
            )
        }
    }
}

/// Whether a pair is not measured that should be.
pub(super) fn coverage(reports: &Reports) -> Finding {
    if reports.reporting.is_empty() {
        return Finding::skipped("EDGE-C24", NO_REPORTS);
    }
    if reports.measured >= reports.pairs {
        return Finding::passed("EDGE-C24", format!("all {} pairs are measured", reports.measured));
    }
    let message = format!("{} of {} pairs that should be measured are", reports.measured, reports.pairs);
    Finding::warning("EDGE-C24", message, "kubectl edge latency shows which are not")
}
