//! A cell of a heat map: classes of delays, as glyphs and colours.

use edge_core::model::Delay;
use owo_colors::{OwoColorize, XtermColors};

use crate::look::Look;
use crate::world::Pair;

use super::scene::millis;

/// Where classes end, in microseconds: each is about twice the one before, which is how delays differ.
const EDGES: [u32; 6] = [2_000, 5_000, 10_000, 25_000, 50_000, 100_000];
const GLYPHS: [&str; 7] = ["▁", "▂", "▃", "▅", "▆", "▇", "█"];
/// Viridis in the terminal's 256 colours, in as many steps as can be told apart there.
const COLORS: [u8; 7] = [53, 53, 24, 30, 30, 72, 220];

/// Which class a delay is in.
fn class(delay: Delay) -> usize {
    EDGES.iter().filter(|edge| delay.as_micros() >= **edge).count()
}

/// A cell's text: number and glyph, or what stands for what is not known.
pub(super) fn text(pair: Pair) -> String {
    match pair {
        Pair::Fresh(delay) => format!("{} {}", millis(delay), glyph(delay)),
        Pair::Stale(delay) => format!("~{} {}", millis(delay), glyph(delay)),
        Pair::Unanswered => "✕".to_owned(),
        Pair::Unknown => "-".to_owned(),
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
            let color = COLORS.get(class(delay)).copied().unwrap_or(220);
            // Dark letters on light colours, light ones on dark.
            let letters = if color == 220 || color == 72 { 16 } else { 231 };
            text.color(XtermColors::from(letters)).on_color(XtermColors::from(color)).to_string()
        }
        Pair::Unanswered => look.error(text),
        Pair::Stale(_) => look.faint(text),
        Pair::Fresh(_) | Pair::Unknown => text.to_owned(),
    }
}

/// What the glyphs mean.
pub(super) fn legend() -> String {
    let classes = GLYPHS.iter().zip(EDGES).map(|(glyph, edge)| format!("{glyph}<{}", edge / 1000));
    let classes: Vec<String> = classes.collect();
    format!("{} █≥100 ms   · itself   ~ stale   - not measured   ✕ not answered", classes.join(" "))
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
