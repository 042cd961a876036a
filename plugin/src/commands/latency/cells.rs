//! A cell of a heat map: classes of delays, as glyphs and colours.

use edge_core::model::Delay;
use owo_colors::{OwoColorize, XtermColors};

use crate::look::Look;
use crate::world::Pair;

use super::scene::millis;

/// Where classes end, in microseconds: each is about twice the one before, which is how delays differ.
const EDGES: [u32; 6] = [2_000, 5_000, 10_000, 25_000, 50_000, 100_000];
const GLYPHS: [&str; 7] = ["▁", "▂", "▃", "▅", "▆", "▇", "█"];
/// Dark to light, in the terminal's 256 colours: background, what is written on it, and what shows on it as a pattern.
const COLORS: [(u8, u8, u8); 7] = [
    (54, 231, 91),
    (61, 231, 104),
    (31, 231, 38),
    (36, 16, 43),
    (77, 16, 114),
    (148, 16, 191),
    (226, 16, 220),
];

/// Which class a delay is in.
fn class(delay: Delay) -> usize {
    EDGES.iter().filter(|edge| delay.as_micros() >= **edge).count()
}

/// A cell's text: its number, and the glyph of its class where there is no colour; or what stands for what is not
/// known.
pub(super) fn text(pair: Pair, look: Look) -> String {
    match pair {
        Pair::Fresh(delay) if look.has_colors() => format!(" {} ", millis(delay)),
        Pair::Fresh(delay) => format!("{} {}", millis(delay), glyph(delay)),
        Pair::Stale(delay) => format!("~{} {}", millis(delay), glyph(delay)),
        Pair::Unanswered => "✕ ".to_owned(),
        Pair::Unknown => "- ".to_owned(),
    }
}

/// The glyph of a delay's class.
pub(super) fn glyph(delay: Delay) -> &'static str {
    GLYPHS.get(class(delay)).copied().unwrap_or("█")
}

/// A cell without a number, for maps that are too wide for numbers.
pub(super) fn narrow(pair: Pair) -> &'static str {
    match pair {
        Pair::Fresh(delay) => glyph(delay),
        Pair::Stale(_) => "~",
        Pair::Unanswered => "✕",
        Pair::Unknown => "-",
    }
}

/// The text on the colour of the delay's class.
pub(super) fn painted(text: &str, pair: Pair, look: Look) -> String {
    match pair {
        Pair::Fresh(delay) if look.has_colors() => {
            let (ground, letters, _) = colors(delay);
            text.color(XtermColors::from(letters)).on_color(XtermColors::from(ground)).to_string()
        }
        Pair::Unanswered => look.error(text),
        Pair::Stale(_) | Pair::Unknown => look.faint(text),
        Pair::Fresh(_) => text.to_owned(),
    }
}

/// A cell without a number, two columns wide: colour with a pattern of the same, so that it is not by colour alone.
pub(super) fn filled(pair: Pair, look: Look) -> String {
    match pair {
        Pair::Fresh(delay) if look.has_colors() => {
            let (ground, _, pattern) = colors(delay);
            let text = glyph(delay).repeat(2);
            text.color(XtermColors::from(pattern)).on_color(XtermColors::from(ground)).to_string()
        }
        pair => painted(&format!("{} ", narrow(pair)), pair, look),
    }
}

fn colors(delay: Delay) -> (u8, u8, u8) {
    COLORS.get(class(delay)).copied().unwrap_or((226, 16, 220))
}

/// What glyphs and colours mean.
pub(super) fn legend(look: Look) -> String {
    let heads = EDGES.iter().map(|edge| format!("<{}", edge / 1000)).chain(["≥100 ms".to_owned()]);
    // Classes by a delay of each: the ends of those before.
    let delays = [0].into_iter().chain(EDGES).filter_map(|micros| Delay::from_micros(micros).ok());
    let classes = delays
        .zip(heads)
        .map(|(delay, head)| format!("{} {head}", filled(Pair::Fresh(delay), look).trim_end()));
    let classes: Vec<String> = classes.collect();
    let others = look.caption("· itself   ~ stale   - not measured   ✕ not answered");
    if others.is_empty() { others } else { format!("{}\n{others}", classes.join("  ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_class_has_its_glyph() {
        let check = |micros, expected: &str| assert_eq!(glyph(Delay::from_micros(micros).unwrap()), expected);
        check(0, "▁");
        check(1_999, "▁");
        check(2_000, "▂");
        check(24_999, "▅");
        check(99_999, "▇");
        check(100_000, "█");
    }
}
