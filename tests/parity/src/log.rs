//! The scores that kube-scheduler writes to its log.
//!
//! At verbosity 10 `schedule_one.go` logs what each plugin gave each feasible node, which no API tells. The lines are
//! written before the pod is bound, so they are there as soon as a verdict is.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::Error;
use crate::verdict::ScoreTable;

/// The kube-scheduler flag that brings the lines.
pub(crate) const FLAG: &str = "--vmodule=schedule_one=10,executor=2";

/// A log that is being written.
#[derive(Debug)]
pub(crate) struct Log {
    file: File,
    /// The beginning of a line whose end is not written yet.
    rest: String,
}

/// What the log says of one pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Attempts {
    /// How often it was tried.
    pub(crate) count: usize,
    /// The scores of the last try.
    pub(crate) scores: ScoreTable,
    /// Whether pods are being deleted for it.
    pub(crate) preempts: bool,
    /// Whether that is done.
    pub(crate) preempted: bool,
}

// === impl Attempts ===

impl Attempts {
    /// Takes in what was read later.
    pub(crate) fn add(&mut self, later: Self) {
        let Self { count, scores, preempts, preempted } = later;
        self.count += count;
        if count > 0 {
            self.scores = scores;
        }
        self.preempts |= preempts;
        self.preempted |= preempted;
    }
}

// === impl Log ===

impl Log {
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let file = File::open(path).map_err(|error| Error::File(path.display().to_string(), error))?;
        Ok(Self { file, rest: String::new() })
    }

    /// Reads what was written since the last call and gives what it says of `pod`, as `namespace/name`.
    pub(crate) fn read(&mut self, pod: &str) -> Result<Attempts, Error> {
        let mut text = std::mem::take(&mut self.rest);
        let read = self.file.read_to_string(&mut text);
        read.map_err(|error| Error::Log(error.to_string()))?;
        let end = text.rfind('\n').map_or(0, |idx| idx + 1);
        self.rest = text.split_off(end);
        parse(&text, pod)
    }
}

fn parse(text: &str, pod: &str) -> Result<Attempts, Error> {
    let mut attempts = Attempts::default();
    for line in text.lines().filter(|line| field(line, "preemptor") == Some(pod)) {
        attempts.preempts |= line.contains("\"Start the preemption asynchronously\"");
        attempts.preempted |= line.contains("\"Async Preemption finished completely\"");
    }
    for line in text.lines().filter(|line| field(line, "pod") == Some(pod)) {
        if line.contains("\"Attempting to schedule pod\"") {
            attempts.count += 1;
            attempts.scores = ScoreTable::default();
        }
        if line.contains("\"Plugin scored node for pod\"") {
            let unreadable = || Error::Log(format!("unreadable line {line:?}"));
            let get = |name| field(line, name).ok_or_else(unreadable);
            let score = get("score")?.parse().map_err(|_| unreadable())?;
            attempts.scores.add(get("plugin")?, get("node")?, score);
        }
    }
    Ok(attempts)
}

/// The value of ` name=value` or ` name="value"`; names of objects hold nothing that would be escaped.
fn field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let (_, value) = line.split_once(&format!(" {name}="))?;
    match value.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next(),
        None => value.split(' ').next(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scores_of_the_last_try_of_the_pod_count() {
        let line = |pod: &str, score: &str| {
            format!(
                "I1 s.go:9] \"Plugin scored node for pod\" pod=\"d/{pod}\" plugin=\"P\" node=\"n\" score={score}\n"
            )
        };
        let tried = "I1 s.go:1] \"Attempting to schedule pod\" pod=\"d/a\"\n";
        let text = [tried, &line("a", "5"), tried, &line("a", "7"), &line("b", "8")].concat();
        let mut scores = ScoreTable::default();
        scores.add("P", "n", 7);
        assert_eq!(parse(&text, "d/a").unwrap(), Attempts { count: 2, scores, ..Attempts::default() });
        assert!(parse(&line("a", "x"), "d/a").is_err());
        assert_eq!(parse(&line("b", "x"), "d/a").unwrap(), Attempts::default());
    }
}
