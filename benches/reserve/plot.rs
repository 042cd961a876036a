//! The plot, drawn by hand: reserve over the number of nodes, for equal and for unequal pods.

use std::fmt::Write as _;

use crate::row::Row;
use crate::table::{Case, cases};
use crate::world::Sizes;

const WIDTH: f64 = 420.0;
const HEIGHT: f64 = 300.0;
/// Around each of the two panels.
const MARGIN: f64 = 46.0;
/// What the vertical axis ends at, in percent.
const TOP: f64 = 60.0;

/// A line of the plot.
struct Series {
    name: &'static str,
    /// On a light ground and on a dark one.
    colours: [&'static str; 2],
    dash: &'static str,
    of: fn(&Row) -> f64,
}

const SERIES: [Series; 6] = [
    Series {
        name: "BME rule, as it needs",
        colours: ["#b2182b", "#ff7b72"],
        dash: "",
        of: |row| row.bme.map_or(f64::NAN, |bme| bme.1),
    },
    Series {
        name: "BME rule, as it reserves",
        colours: ["#d6604d", "#ffa28b"],
        dash: "2 3",
        of: |row| row.bme.map_or(f64::NAN, |bme| bme.0),
    },
    Series { name: "ours, online", colours: ["#2166ac", "#79c0ff"], dash: "", of: |row| row.online },
    Series {
        name: "ours, backups re-optimised",
        colours: ["#8073ac", "#d2a8ff"],
        dash: "",
        of: |row| row.backups,
    },
    Series {
        name: "ours, 10 % of pods moved",
        colours: ["#1b7837", "#7ee787"],
        dash: "",
        of: |row| row.moved,
    },
    Series {
        name: "lower bound, pods anywhere",
        colours: ["#555555", "#b1bac4"],
        dash: "6 4",
        of: |row| row.free,
    },
];

/// An SVG that is readable on a light ground and on a dark one.
pub(crate) fn svg(rows: &[Row]) -> String {
    let (width, height) = (2.0 * (WIDTH + 2.0 * MARGIN), HEIGHT + 2.0 * MARGIN + 70.0);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n{}<rect class=\"ground\" width=\"{width}\" height=\"{height}\"/>\n",
        style()
    );
    for (idx, sizes) in [Sizes::Equal, Sizes::Unequal].into_iter().enumerate() {
        let left = MARGIN + idx as f64 * (WIDTH + 2.0 * MARGIN);
        panel(&mut text, left, sizes, &cases(rows));
    }
    for (idx, Series { name, dash, .. }) in SERIES.iter().enumerate() {
        let (x, y) =
            (MARGIN + (idx % 3) as f64 * 310.0, HEIGHT + 2.0 * MARGIN + 24.0 + (idx / 3) as f64 * 22.0);
        let _ = writeln!(
            text,
            "<line class=\"line s{idx}\" x1=\"{x}\" y1=\"{y}\" x2=\"{}\" y2=\"{y}\" \
             stroke-dasharray=\"{dash}\"/><text x=\"{}\" y=\"{}\">{name}</text>",
            x + 28.0,
            x + 34.0,
            y + 4.0
        );
    }
    text.push_str("</svg>\n");
    text
}

fn style() -> String {
    let colours = |ground: usize| -> String {
        let series = SERIES.iter().enumerate();
        let lines: Vec<String> =
            series.map(|(idx, it)| format!(" .s{idx} {{ stroke: {} }}", it.colours[ground])).collect();
        lines.concat()
    };
    format!(
        "<style>\n\
         .line {{ fill: none; stroke-width: 2 }} .ground {{ fill: #ffffff }} text {{ fill: #1f2328 }} \
         .grid {{ stroke: #d8dee4 }}{}\n\
         @media (prefers-color-scheme: dark) {{ .ground {{ fill: #0d1117 }} text {{ fill: #e6edf3 }} \
         .grid {{ stroke: #30363d }}{} }}\n\
         </style>\n",
        colours(0),
        colours(1)
    )
}

fn panel(text: &mut String, left: f64, sizes: Sizes, cases: &[Case<'_>]) {
    let bottom = MARGIN + HEIGHT;
    let of_panel = |case: &&Case<'_>| {
        case.rows.first().is_some_and(|row| row.sizes == sizes.name() && row.resource == "memory")
    };
    let cases: Vec<&Case<'_>> = cases.iter().filter(of_panel).collect();
    let x = |idx: usize| left + (idx as f64 + 0.5) * WIDTH / cases.len().max(1) as f64;
    let y = |percent: f64| bottom - percent.min(TOP) / TOP * HEIGHT;
    let middle = left + WIDTH / 2.0;
    let _ = writeln!(
        text,
        "<text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\" font-size=\"14\">{} pods: reserve in % of what is covered</text>",
        MARGIN - 16.0,
        sizes.name()
    );
    for percent in [0, 10, 20, 30, 40, 50, 60] {
        let at = y(f64::from(percent));
        let _ = writeln!(
            text,
            "<line x1=\"{left}\" y1=\"{at}\" x2=\"{}\" y2=\"{at}\" class=\"grid\"/><text x=\"{}\" y=\"{}\" \
             text-anchor=\"end\">{percent}</text>",
            left + WIDTH,
            left - 6.0,
            at + 4.0
        );
    }
    for (idx, case) in cases.iter().enumerate() {
        let nodes = case.rows.first().map_or(0, |row| row.nodes);
        let _ = writeln!(
            text,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{nodes}</text>",
            x(idx),
            bottom + 18.0
        );
    }
    let _ =
        writeln!(text, "<text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">nodes</text>", bottom + 36.0);
    for (idx, Series { dash, of, .. }) in SERIES.iter().enumerate() {
        let point = |(idx, case): (usize, &&Case<'_>)| format!("{:.1},{:.1}", x(idx), y(case.mean(of)));
        let points: Vec<String> = cases.iter().enumerate().map(point).collect();
        let _ = writeln!(
            text,
            "<polyline class=\"line s{idx}\" points=\"{}\" stroke-dasharray=\"{dash}\"/>",
            points.join(" ")
        );
    }
}
