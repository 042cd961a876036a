//! From files to a scenario.

use anyhow::anyhow;
use edge_core::delay::file::{
    DelayFiles, FileError, InputFile, ManifestWorkload, Metadata, make_pods, merge_nodes, parse_nodes,
    parse_pods,
};
use edge_core::model::{Node, NodeName, Pod};
use edge_core::placement::Profile;
use edge_core::simulation::Scenario;

use super::Simulate;
use crate::failure::{Failure, Hint};
use crate::files;

/// So many names are listed in a warning.
const MAX_NAMES: usize = 5;
const HINT_FORMATS: &str = "'simulate --help' describes the files";

// === impl Simulate ===

impl Simulate {
    /// Reads all files; tells what is odd about them though it can be used.
    pub(super) fn load(&self) -> Result<(Scenario, Vec<String>), Failure> {
        let mut warnings = Vec::new();
        let nodes = self.load_nodes()?;
        let pods = self.load_pods(&nodes, &mut warnings)?;
        let delays = self.load_delays(&nodes)?;
        let scenario = Scenario { nodes, pods, delays };
        self.match_names(&scenario, &mut warnings)?;
        Ok((scenario, warnings))
    }

    fn load_nodes(&self) -> Result<Vec<Node>, Failure> {
        let mut nodes = Vec::new();
        for file in files::read_all(&self.nodes, &["json"])? {
            nodes.push(parse_nodes(&file.text).map_err(|error| malformed(&error, &file.name))?);
        }
        let nodes = merge_nodes(nodes).map_err(|error| self.malformed(&error))?;
        if nodes.is_empty() {
            return Err(anyhow!("{}: holds no nodes", self.nodes.display())).hint(HINT_FORMATS);
        }
        Ok(nodes)
    }

    fn load_pods(&self, nodes: &[Node], warnings: &mut Vec<String>) -> Result<Vec<Pod>, Failure> {
        let mut workloads: Vec<ManifestWorkload> = Vec::new();
        for file in files::read_all(&self.pods, &["yaml", "yml", "json"])? {
            let manifests = parse_pods(&file.text).map_err(|error| malformed(&error, &file.name))?;
            let made_nothing = manifests.ignored.iter();
            warnings.extend(made_nothing.map(|object| format!("{}: {object} makes no pods", file.name)));
            workloads.extend(manifests.workloads);
        }
        for workload in &mut workloads {
            self.choose_profile(workload, warnings);
        }
        make_pods(&workloads, nodes).map_err(|error| self.malformed(&error))
    }

    /// A manifest that names no scheduler says `default-scheduler`, as far as can be told.
    fn choose_profile(&self, workload: &mut ManifestWorkload, warnings: &mut Vec<String>) {
        let name = workload.template.scheduler_name.clone();
        let unnamed = &*name == "default-scheduler";
        if !unnamed && Profile::known(&name).is_some() {
            return;
        }
        if !unnamed {
            warnings.push(format!("{workload}: scheduler {name} is not known; judged by {}", self.profile));
        }
        workload.template.scheduler_name = self.profile.as_str().into();
    }

    fn load_delays(&self, nodes: &[Node]) -> Result<DelayFiles, Failure> {
        let metadata = files::read(&self.metadata)?;
        let metadata = Metadata::parse(&metadata.text).map_err(|error| self.malformed(&error))?;
        let matrix = files::open(&self.delay_matrix)?;
        let wanted: Vec<NodeName> = nodes.iter().map(|node| node.name.clone()).collect();
        DelayFiles::read(matrix, metadata, &wanted).map_err(|error| self.malformed(&error))
    }

    fn match_names(&self, scenario: &Scenario, warnings: &mut Vec<String>) -> Result<(), Failure> {
        let (nodes, metadata) = (self.nodes.display(), self.metadata.display());
        let (without_row, without_node) = scenario.unmatched();
        if without_row.len() == scenario.nodes.len() {
            let error = anyhow!("no node of {nodes} has a row in {metadata}");
            return Err(error).hint("a node has the same name in both");
        }
        if !without_row.is_empty() {
            let names = list(&without_row);
            warnings.push(format!("{metadata} has no row for {names}; their delays are unknown"));
        }
        if !without_node.is_empty() {
            warnings.push(format!("{metadata} has rows for {}, not in {nodes}", list(&without_node)));
        }
        Ok(())
    }

    /// An error in one of the files, or over all of a folder.
    fn malformed(&self, error: &FileError) -> Failure {
        let path = match error.file {
            InputFile::Matrix => &self.delay_matrix,
            InputFile::Metadata => &self.metadata,
            InputFile::Nodes => &self.nodes,
            InputFile::Pods => &self.pods,
        };
        malformed(error, &path.display().to_string())
    }
}

fn malformed(error: &FileError, name: &str) -> Failure {
    Failure::from(anyhow!(error.within(name))).with_hint(HINT_FORMATS)
}

/// The names, shortened if they are many.
fn list(names: &[&NodeName]) -> String {
    let shown: Vec<&str> = names.iter().take(MAX_NAMES).map(|name| name.as_str()).collect();
    match names.len().saturating_sub(MAX_NAMES) {
        0 => shown.join(", "),
        rest => format!("{} and {rest} more", shown.join(", ")),
    }
}
