//! `kubectl edge label-dpdk`.

use clap::Args;

use super::label::{self, Label, Labelling, Which};
use crate::failure::Failure;
use crate::session::Session;
use crate::view::Output;

/// Mark nodes as DPDK nodes, whose number of virtual machine interfaces is limited
///
/// The label is agent-mode=dpdk, which the plugin VMICapacity looks for. Words and rules are those
/// of "kubectl label".
#[derive(Debug, Args)]
#[command(verbatim_doc_comment, after_long_help = EXAMPLES)]
pub(crate) struct LabelDpdk {
    #[command(flatten)]
    labelling: Labelling,
    /// Find the nodes: those with huge pages and a DPDK, SR-IOV or VFIO device
    #[arg(long, conflicts_with_all = ["nodes", "all", "list"])]
    detect: bool,
    /// The label, if the scheduler's configuration has another one
    #[arg(long, value_name = "KEY=VALUE", default_value = "agent-mode=dpdk", value_parser = parse)]
    label: Label,
}

const EXAMPLES: &str = "\
Examples:
  kubectl edge label-dpdk --detect --dry-run=server
  kubectl edge label-dpdk edge-3 edge-4
  kubectl edge label-dpdk --remove --all";

fn parse(text: &str) -> Result<Label, String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok(Label { key: key.to_owned(), value: value.to_owned() }),
        Some(_) | None => Err("it should be KEY=VALUE".to_owned()),
    }
}

// === impl LabelDpdk ===

impl LabelDpdk {
    pub(super) async fn run(&self, session: &Session) -> Result<Output, Failure> {
        let which = if self.detect { Which::Detected } else { Which::Named };
        label::run(&self.labelling, &self.label, which, session).await
    }
}
