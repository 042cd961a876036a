//! `kubectl edge label-cloud`.

use clap::Args;

use super::label::{self, Label, Labelling};
use crate::failure::Failure;
use crate::session::Session;
use crate::view::Output;

/// Mark nodes as cloud nodes, to which pods without a delay constraint go
///
/// The label is kubernetes.io/role=cloud. Words and rules are those of "kubectl label": a node that
/// has another role is left alone unless --overwrite is given.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment, after_long_help = EXAMPLES)]
pub(crate) struct LabelCloud {
    #[command(flatten)]
    labelling: Labelling,
}

const EXAMPLES: &str = "\
Examples:
  kubectl edge label-cloud node1 node2
  kubectl edge label-cloud -l topology.kubernetes.io/zone=region --dry-run=server
  kubectl edge label-cloud --list
  kubectl edge label-cloud --remove node2";

// === impl LabelCloud ===

impl LabelCloud {
    pub(super) async fn run(&self, session: &Session) -> Result<Output, Failure> {
        let label = Label { key: "kubernetes.io/role".to_owned(), value: "cloud".to_owned() };
        label::run(&self.labelling, &label, label::Which::Named, session).await
    }
}
