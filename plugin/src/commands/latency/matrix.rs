//! `kubectl edge latency matrix`.

use edge_core::model::Delay;
use serde::Serialize;

use super::cells::{filled, legend, painted, text};
use super::groups::{Group, between, groups};
use super::scene::{Coverage, Scene};
use super::{By, Matrix};
use crate::args::Format;
use crate::failure::Failure;
use crate::look::Look;
use crate::view::{API_VERSION, Output, Report};
use crate::world::Pair;

/// More rows than this are not shown; they would be no picture any more.
const MOST_ROWS: usize = 64;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MatrixReport {
    api_version: &'static str,
    kind: &'static str,
    coverage: Coverage,
    by: &'static str,
    /// Rows and columns, in order.
    groups: Vec<GroupHead>,
    /// From each group to each; null where nothing is known or it is the same node.
    ms: Vec<Vec<Option<f64>>>,
    #[serde(skip)]
    cells: Vec<Vec<Option<Pair>>>,
}

#[derive(Serialize)]
struct GroupHead {
    name: String,
    nodes: usize,
}

/// All pairs of nodes.
pub(super) fn all(scene: &Scene) -> Output {
    let report = MatrixReport::new(scene, By::Node, &groups(scene, By::Node, Delay::ZERO), true);
    Output::ok(report).with_gaps(scene.gaps.clone())
}

// === impl Matrix ===

impl Matrix {
    pub(super) fn show(&self, scene: &Scene, format: Format) -> Result<Output, Failure> {
        let is_object = matches!(format, Format::Json | Format::Yaml);
        let millis = self.layer.strip_suffix("ms").unwrap_or(&self.layer);
        let layer = Delay::parse_millis(millis);
        let layer = layer.map_err(|error| Failure::usage(format!("--layer {:?} {error}", self.layer)))?;
        let groups = groups(scene, self.by, layer);
        let report = MatrixReport::new(scene, self.by, &groups, is_object);
        Ok(Output::ok(report).with_gaps(scene.gaps.clone()))
    }
}

// === impl MatrixReport ===

impl MatrixReport {
    fn new(scene: &Scene, by: By, groups: &[Group], is_object: bool) -> Self {
        let found = between(scene, groups);
        let count = groups.len();
        let is_itself =
            |from: usize, to: usize| from == to && groups.get(from).is_some_and(|it| it.nodes.len() == 1);
        let cell = |from: usize, to: usize| {
            let known = found.get(&(from, to)).copied().unwrap_or(Pair::Unknown);
            (!is_itself(from, to)).then_some(known)
        };
        // A picture that nobody could read is not worked out; as an object it has no limit.
        let shown = if is_object || count <= MOST_ROWS { count } else { 0 };
        let cells: Vec<Vec<Option<Pair>>> =
            (0..shown).map(|from| (0..shown).map(|to| cell(from, to)).collect()).collect();
        let ms = |pair: &Option<Pair>| pair.and_then(Pair::fresh).map(Delay::as_millis_f64);
        Self {
            api_version: API_VERSION,
            kind: "LatencyMatrix",
            coverage: scene.coverage(),
            by: match by {
                By::Node => "node",
                By::Site => "site",
                By::Layer => "layer",
            },
            groups: groups
                .iter()
                .map(|it| GroupHead { name: it.name.clone(), nodes: it.nodes.len() })
                .collect(),
            ms: cells.iter().map(|row| row.iter().map(ms).collect()).collect(),
            cells,
        }
    }

    /// With numbers where there is room, else glyphs alone.
    fn map(&self, look: Look) -> String {
        let names: Vec<&str> = self.groups.iter().map(|it| it.name.as_str()).collect();
        let first = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        let width = look.width.unwrap_or(usize::MAX);
        let cell = |pair: &Option<Pair>| pair.map_or("· ".to_owned(), |pair| text(pair, look));
        let longest = |to: usize| {
            let cells = self.cells.iter().filter_map(|row| row.get(to)).map(|it| cell(it).chars().count());
            let head = names.get(to).map_or(0, |name| name.chars().count());
            cells.chain([head]).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..names.len()).map(longest).collect();
        if first + widths.iter().map(|it| it + 2).sum::<usize>() <= width {
            let heads = names.iter().zip(&widths).map(|(name, width)| format!("  {name:>width$}"));
            let mut text =
                format!("{}\n", look.strong(&format!("{:first$}{}", "", heads.collect::<String>())));
            for (name, row) in names.iter().zip(&self.cells) {
                let cells = row.iter().zip(&widths).map(|(pair, width)| {
                    let padded = format!("{:>width$}", cell(pair));
                    format!("  {}", pair.map_or_else(|| padded.clone(), |pair| painted(&padded, pair, look)))
                });
                let line = look.strong(&format!("{name:first$}")) + &cells.collect::<String>();
                text.push_str(line.trim_end());
                text.push('\n');
            }
            return text;
        }
        // The columns are in the order of the rows, so they need no names.
        let mut text = String::new();
        for (name, row) in names.iter().zip(&self.cells) {
            let cells = row.iter().map(|pair| pair.map_or("· ".to_owned(), |pair| filled(pair, look)));
            let line = look.strong(&format!("{name:first$}  ")) + &cells.collect::<String>();
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text + "columns in the order of the rows\n"
    }
}

impl Report for MatrixReport {
    fn table(&self, look: Look) -> String {
        let head = look.caption(&self.coverage.head());
        let count = self.groups.len();
        if count > MOST_ROWS {
            let hint = if self.by == "node" {
                "--by site or --by layer shows fewer"
            } else {
                "-o json has them all"
            };
            return format!("{head}{count} rows are too many for a picture: {hint}\n");
        }
        [head, look.caption("rows from, columns to"), self.map(look), legend(look)].concat()
    }

    fn names(&self) -> Option<Vec<String>> {
        (self.by == "node").then(|| self.groups.iter().map(|it| format!("node/{}", it.name)).collect())
    }
}
