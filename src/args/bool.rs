//! Switches as Go's flags have them: `--x`, `--x=true`, `--x=0`.

/// Reads a truth value (Go's `strconv.ParseBool`).
pub(super) fn parse(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(format!("{text:?} is neither true nor false")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_truth_value_is_read_as_go_reads_it() {
        for (text, expected) in [("true", Some(true)), ("F", Some(false)), ("1", Some(true)), ("yes", None)] {
            assert_eq!(parse(text).ok(), expected, "{text}");
        }
    }
}
