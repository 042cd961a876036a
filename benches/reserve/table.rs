//! The table: averages over the topologies, and the worst gap of any of them.

use std::fmt::Write as _;

use crate::row::Row;
use crate::world::Sizes;

/// Rows of the same case on different topologies.
pub(crate) struct Case<'a> {
    pub(crate) rows: Vec<&'a Row>,
}

/// The cases, by resource, sizes and number of nodes.
pub(crate) fn cases(rows: &[Row]) -> Vec<Case<'_>> {
    let mut nodes: Vec<usize> = rows.iter().map(|row| row.nodes).collect();
    nodes.sort_unstable();
    nodes.dedup();
    let mut cases = Vec::new();
    for sizes in Sizes::ALL {
        for resource in ["memory", "cpu"] {
            for nodes in &nodes {
                let same =
                    |row: &&Row| row.sizes == sizes.name() && row.resource == resource && row.nodes == *nodes;
                cases.push(Case { rows: rows.iter().filter(same).collect() });
            }
        }
    }
    cases.retain(|case| !case.rows.is_empty());
    cases
}

/// What is aimed at: so many percent above the bound as pods arrive, and after re-optimisation.
const AIMS: [f64; 2] = [15.0, 3.0];

/// Three Markdown tables: what is reserved, how far that is above what is proven, and whether that is as near as aimed
/// at for each topology.
pub(crate) fn markdown(rows: &[Row]) -> String {
    let mut reserves = String::from(
        "| pods | nodes | in radius | 1:1 | BME reserves | BME needs | online | re-optimised | pods moved too | bound, pods \
         as placed | bound, pods anywhere |\n|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    let mut gaps = String::from(
        "| pods | nodes | online | re-optimised | pods moved too | online, of pods anywhere | pods moved too, of pods \
         anywhere |\n|---|---|---|---|---|---|---|\n",
    );
    for case in cases(rows) {
        let Some(first) = case.rows.first() else { continue };
        let percent = |of: &dyn Fn(&Row) -> f64| format!("{:.1}", case.mean(of));
        let of_bme = |of: &dyn Fn((f64, f64)) -> f64| {
            first.bme.map_or("-".to_owned(), |_| percent(&|row| row.bme.map_or(f64::NAN, of)))
        };
        let gap = |of: &dyn Fn(&Row) -> f64| format!("{:.1} ({:.1})", case.mean(of), case.worst(of));
        let what = first.what();
        let cells = [
            percent(&|row| row.radius),
            "100".to_owned(),
            of_bme(&|bme| bme.0),
            of_bme(&|bme| bme.1),
            percent(&|row| row.online),
            percent(&|row| row.backups),
            percent(&|row| row.moved),
            percent(&|row| row.bound),
            percent(&|row| row.free),
        ];
        let _ = writeln!(reserves, "| {what} | {} | {} |", first.nodes, cells.join(" | "));
        let cells = [
            gap(&|row| above(row.online, row.bound)),
            gap(&|row| above(row.backups, row.bound)),
            gap(&|row| above(row.moved, row.bound_moved)),
            gap(&|row| above(row.online, row.free)),
            gap(&|row| above(row.moved, row.free)),
        ];
        let _ = writeln!(gaps, "| {what} | {} | {} |", first.nodes, cells.join(" | "));
    }
    format!("{reserves}\n{gaps}\n{}\n{}", by_topology(rows), footnotes(rows))
}

/// For each topology the worst of all its sizes.
fn by_topology(rows: &[Row]) -> String {
    let mut text = String::from(
        "| matrix | pods | online, worst | 15 % | re-optimised, worst | 3 % |\n|---|---|---|---|---|---|\n",
    );
    let mut kinds: Vec<(&str, String)> = rows.iter().map(|row| (&*row.topology, row.what())).collect();
    kinds.sort();
    kinds.dedup();
    for (topology, what) in kinds {
        let same = |row: &&Row| row.topology == topology && row.what() == what;
        let case = Case { rows: rows.iter().filter(same).collect() };
        let worst = [
            case.worst(&|row| above(row.online, row.bound)),
            case.worst(&|row| above(row.backups, row.bound)),
        ];
        let cells: Vec<String> = worst
            .iter()
            .zip(AIMS)
            .map(|(worst, aim)| format!("{worst:.1} | {}", if *worst <= aim { "met" } else { "missed" }))
            .collect();
        let _ = writeln!(text, "| {topology} | {what} | {} |", cells.join(" | "));
    }
    text
}

fn footnotes(rows: &[Row]) -> String {
    let wrong: usize = rows.iter().map(|row| row.wrong).sum();
    let mut text = format!("{} rows; violations found, and pods left out: {wrong}\n", rows.len());
    for (idx, what) in
        ["a decision, p99, µs", "re-optimising backups, ms", "with moves, ms"].iter().enumerate()
    {
        let of = |row: &Row| row.times.get(idx).copied().unwrap_or(f64::NAN);
        let longest = rows.iter().map(of).fold(0.0, f64::max);
        let _ = writeln!(text, "{what}: {longest:.0} at most");
    }
    text
}

/// How many percent a reserve is above a bound.
pub(crate) fn above(reserve: f64, bound: f64) -> f64 {
    100.0 * (reserve / bound - 1.0)
}

// === impl Case ===

impl Case<'_> {
    pub(crate) fn mean(&self, of: &dyn Fn(&Row) -> f64) -> f64 {
        self.rows.iter().map(|row| of(row)).sum::<f64>() / self.rows.len() as f64
    }

    fn worst(&self, of: &dyn Fn(&Row) -> f64) -> f64 {
        self.rows.iter().map(|row| of(row)).fold(f64::MIN, f64::max)
    }
}
