//! What was said on the command line: a workload, and anchors with or without a delay.

use std::fmt;

use edge_core::model::Delay;

use crate::failure::Failure;

/// A workload, by kind and name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) kind: Kind,
    pub(crate) name: String,
}

/// A kind of workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Deployment,
    StatefulSet,
    DaemonSet,
    ReplicaSet,
    CronJob,
    Job,
    Pod,
}

/// A delay constraint as it was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wish {
    /// Whence: a node or a workload, with its kind if that was said.
    pub(super) anchor: String,
    /// How far at most.
    pub(super) bound: Delay,
}

// === impl Kind ===

impl Kind {
    pub(super) const ALL: [Self; 7] = [
        Self::Deployment,
        Self::StatefulSet,
        Self::DaemonSet,
        Self::ReplicaSet,
        Self::CronJob,
        Self::Job,
        Self::Pod,
    ];

    /// The kind as manifests have it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Deployment => "Deployment",
            Self::StatefulSet => "StatefulSet",
            Self::DaemonSet => "DaemonSet",
            Self::ReplicaSet => "ReplicaSet",
            Self::CronJob => "CronJob",
            Self::Job => "Job",
            Self::Pod => "Pod",
        }
    }

    /// The kind in a word, as kubectl prints it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Deployment => "deployment.apps",
            Self::StatefulSet => "statefulset.apps",
            Self::DaemonSet => "daemonset.apps",
            Self::ReplicaSet => "replicaset.apps",
            Self::CronJob => "cronjob.batch",
            Self::Job => "job.batch",
            Self::Pod => "pod",
        }
    }

    /// Where objects of the kind are, before and after the namespace.
    pub(super) fn path(self) -> (&'static str, &'static str) {
        match self {
            Self::Deployment => ("/apis/apps/v1", "deployments"),
            Self::StatefulSet => ("/apis/apps/v1", "statefulsets"),
            Self::DaemonSet => ("/apis/apps/v1", "daemonsets"),
            Self::ReplicaSet => ("/apis/apps/v1", "replicasets"),
            Self::CronJob => ("/apis/batch/v1", "cronjobs"),
            Self::Job => ("/apis/batch/v1", "jobs"),
            Self::Pod => ("/api/v1", "pods"),
        }
    }

    /// The fields on the way from the object to what describes its pods; that of a pod is itself.
    pub(super) fn template(self) -> &'static [&'static str] {
        match self {
            Self::Deployment | Self::StatefulSet | Self::DaemonSet | Self::ReplicaSet | Self::Job => {
                &["spec", "template"]
            }
            Self::CronJob => &["spec", "jobTemplate", "spec", "template"],
            Self::Pod => &[],
        }
    }

    /// The kind of this name in a manifest.
    pub(super) fn of_manifest(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The kind by any name that kubectl takes.
    fn parse(word: &str) -> Option<Self> {
        let word = word.to_lowercase();
        let word = word.split('.').next().unwrap_or_default();
        Some(match word {
            "deploy" | "deployment" | "deployments" => Self::Deployment,
            "sts" | "statefulset" | "statefulsets" => Self::StatefulSet,
            "ds" | "daemonset" | "daemonsets" => Self::DaemonSet,
            "rs" | "replicaset" | "replicasets" => Self::ReplicaSet,
            "cj" | "cronjob" | "cronjobs" => Self::CronJob,
            "job" | "jobs" => Self::Job,
            "po" | "pod" | "pods" => Self::Pod,
            _ => return None,
        })
    }
}

// === impl Target ===

impl Target {
    /// The kind as manifests have it.
    pub(crate) fn kind_name(&self) -> &'static str {
        self.kind.name()
    }

    /// Reads it as kubectl would: `deploy/video`.
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        let wrong = |what: String| {
            Failure::usage(what).with_hint("name it as in deploy/video, sts/db, cronjob/report or rs/web")
        };
        let Some((kind, name)) = text.split_once('/') else {
            return Err(wrong(format!("{text:?} is not of the form KIND/NAME")));
        };
        match Kind::parse(kind) {
            Some(kind) if !name.is_empty() && !name.contains('/') => Ok(Self { kind, name: name.to_owned() }),
            Some(_) => Err(wrong(format!("{text:?} is not of the form KIND/NAME"))),
            None => Err(wrong(format!("{kind:?} is no kind of workload"))),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind.word(), self.name)
    }
}

// === impl Wish ===

impl Wish {
    pub(super) fn parse(text: &str) -> Result<Self, Failure> {
        let hint = "give it as in edge-1=25ms, db.shop=2.5 or deployment/db=10";
        let Some((anchor, value)) = text.rsplit_once('=') else {
            return Err(Failure::usage(format!("{text:?} is not of the form FROM=DELAY")).with_hint(hint));
        };
        check_anchor(anchor)?;
        let number = value.strip_suffix("ms").unwrap_or(value).trim_end();
        let bound = Delay::parse_millis(number);
        let bound = bound.map_err(|error| {
            Failure::usage(format!("delay {value:?} to {anchor} {error}")).with_hint(hint)
        })?;
        Ok(Self { anchor: anchor.to_owned(), bound })
    }
}

/// Whether a name may be an anchor's.
pub(super) fn check_anchor(anchor: &str) -> Result<(), Failure> {
    let is_name = |name: &str| {
        let is_end = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
        let bytes = name.as_bytes();
        is_end(bytes.first())
            && is_end(bytes.last())
            && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
    };
    let is_good = match anchor.split_once('/') {
        Some((kind, name)) => is_name(kind) && is_name(name),
        None => is_name(anchor),
    };
    if is_good {
        return Ok(());
    }
    let failure = Failure::usage(format!("{anchor:?} can't be the name of a node or workload"));
    Err(failure.with_hint("names have letters, digits, - and . and begin and end with a letter or digit"))
}

/// The workload, if one is named, and the other words.
pub(super) fn split(
    words: &[String],
    is_target: impl Fn(&str) -> bool,
) -> Result<(Option<Target>, Vec<&str>), Failure> {
    match words {
        [first, rest @ ..] if is_target(first) => {
            Ok((Some(Target::parse(first)?), rest.iter().map(String::as_str).collect()))
        }
        all => Ok((None, all.iter().map(String::as_str).collect())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workload_goes_by_the_names_kubectl_knows() {
        let check = |text: &str, expected: Result<&str, &str>| {
            let seen = Target::parse(text).map(|it| it.to_string()).map_err(|it| it.error.to_string());
            assert_eq!(seen.as_deref().map_err(String::as_str), expected);
        };
        check("deploy/video", Ok("deployment.apps/video"));
        check("Deployments.apps/video", Ok("deployment.apps/video"));
        check("po/a", Ok("pod/a"));
        check("node/a", Err("\"node\" is no kind of workload"));
        check("video", Err("\"video\" is not of the form KIND/NAME"));
    }

    #[test]
    fn a_delay_is_milliseconds() {
        let check = |text: &str, expected: Result<(&str, u32), &str>| {
            let seen = Wish::parse(text).map_err(|it| it.error.to_string());
            let seen = seen.as_ref().map(|it| (it.anchor.as_str(), it.bound.as_micros()));
            assert_eq!(seen.map_err(String::as_str), expected);
        };
        check("edge-1=25", Ok(("edge-1", 25_000)));
        check("edge-1=25ms", Ok(("edge-1", 25_000)));
        check("deployment/db.shop=2.5ms", Ok(("deployment/db.shop", 2_500)));
        check("edge-1=25s", Err("delay \"25s\" to edge-1 is not a number of milliseconds"));
        check("edge-1=-1", Err("delay \"-1\" to edge-1 is negative"));
        check("edge-1", Err("\"edge-1\" is not of the form FROM=DELAY"));
        check("-a=1", Err("\"-a\" can't be the name of a node or workload"));
    }
}
