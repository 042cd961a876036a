//! Flags of the feature gates (upstream: `component-base/featuregate`, `component-base/compatibility`).

use clap::Args;

/// Which features are on.
///
/// Features here don't depend on gates: what kube-scheduler does by default is always on, and what is off
/// there by default is absent. The flags are accepted so that command lines of kube-scheduler are.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Feature gate flags")]
pub struct FeatureGateArgs {
    /// Feature gates as name=true or name=false, each with or without the component "kube:" before it. Names
    /// and locked values are checked; a gate has no effect.
    #[arg(long, value_name = "NAME=BOOL", value_delimiter = ',', value_parser = parse)]
    pub feature_gates: Vec<Gate>,
    /// Accepted; this program has one behaviour.
    #[arg(long, value_name = "VERSION", value_delimiter = ',')]
    pub emulated_version: Vec<String>,
    /// Accepted; this program has one behaviour.
    #[arg(long, value_name = "VERSION", value_delimiter = ',')]
    pub min_compatibility_version: Vec<String>,
}

/// A feature gate as it was set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gate {
    /// Its name.
    pub name: &'static str,
    /// Its value.
    pub value: bool,
}

/// Name, and the value if it is locked, one a line.
const KNOWN: &str = include_str!("feature_gates.txt");

/// Reads `name=value`. The texts are upstream's.
fn parse(text: &str) -> Result<Gate, String> {
    let text = text.trim();
    let (name, value) = text.split_once('=').ok_or_else(|| format!("missing bool value for {text}"))?;
    let name = match name.trim().split_once(':') {
        None => name.trim(),
        Some(("kube", name)) => name,
        Some((component, _)) => return Err(format!("component not registered: {component}")),
    };
    let value = super::bool::parse(value.trim())
        .map_err(|why| format!("invalid value of {name}={value}, err: {why}"))?;
    let (known, locked) = find(name).ok_or_else(|| format!("unrecognized feature gate: {name}"))?;
    match locked {
        Some(locked) if locked != value => {
            Err(format!("cannot set feature gate {name} to {value}, feature is locked to {locked}"))
        }
        Some(_) | None => Ok(Gate { name: known, value }),
    }
}

/// The gate of this name, and the value if it is locked.
fn find(name: &str) -> Option<(&'static str, Option<bool>)> {
    let mut lines = KNOWN.lines().map(|line| line.split_once(' ').unwrap_or((line, "")));
    let (name, locked) = lines.find(|(known, _)| *known == name)?;
    Some((name, locked.parse().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<(&str, bool), &str>) {
        let parsed = parse(text);
        let found = parsed.as_ref().map(|gate| (gate.name, gate.value)).map_err(String::as_str);
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn gates_are_known_by_name_and_may_be_locked() {
        check("SchedulerAsyncPreemption=false", Ok(("SchedulerAsyncPreemption", false)));
        check("kube:AllAlpha=true", Ok(("AllAlpha", true)));
        check("SchedulerQueueingHints=true", Ok(("SchedulerQueueingHints", true)));
        let locked = "cannot set feature gate SchedulerQueueingHints to false, feature is locked to true";
        check("SchedulerQueueingHints=false", Err(locked));
        check("Unheard=true", Err("unrecognized feature gate: Unheard"));
        check("wardle:X=true", Err("component not registered: wardle"));
        check("AllBeta", Err("missing bool value for AllBeta"));
        check("AllBeta=yes", Err(r#"invalid value of AllBeta=yes, err: "yes" is neither true nor false"#));
    }
}
