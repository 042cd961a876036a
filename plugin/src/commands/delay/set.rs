//! `kubectl edge delay set` and `unset`.

use serde::Serialize;
use serde_json::Value;

use super::edit::{Change, patch};
use super::fit::Fit;
use super::words::{Kind, Target, Wish, check_anchor, split};
use super::workload::Workload;
use super::{How, Set, Unset, edit, offline};
use crate::cluster::{Cluster, Gaps};
use crate::commands::label::DryRun;
use crate::commands::version::differing_versions;
use crate::failure::{Failure, Hint};
use crate::look::Look;
use crate::session::Session;
use crate::view::{API_VERSION, Output, Report, to_stdout};
use crate::world::{Served, World};

/// What is to become of a workload's constraints.
pub(super) enum Wanted<'a> {
    /// These hold from now on; pods go to this scheduler if one is named.
    Set(Vec<Wish>, Option<&'a str>),
    /// These anchors set none any more; none of all if there are none.
    Unset(Vec<&'a str>),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ChangeReport {
    api_version: &'static str,
    kind: &'static str,
    object: String,
    namespace: String,
    result: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    dry_run: Option<&'static str>,
    changes: Vec<Change>,
    consequence: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    fit: Option<Fit>,
    #[serde(skip)]
    suffix: &'static str,
}

// === impl Set ===

impl Set {
    pub(super) fn run(&self, session: &Session) -> Result<Output, Failure> {
        let (target, wishes) = split(&self.words, |word| !word.contains('='))?;
        let wishes: Vec<Wish> = wishes.into_iter().map(Wish::parse).collect::<Result<_, _>>()?;
        if wishes.is_empty() {
            let failure = Failure::usage("no constraint is given");
            return Err(failure.with_hint("give at least one, as in edge-1=25ms"));
        }
        let wanted = Wanted::Set(wishes, self.scheduler.as_deref());
        self.how.run(session, target, &wanted)
    }
}

// === impl Unset ===

impl Unset {
    pub(super) fn run(&self, session: &Session) -> Result<Output, Failure> {
        let has_target = self.how.filename.is_none();
        let (target, anchors) = split(&self.words, |word| has_target || Target::parse(word).is_ok())?;
        for anchor in &anchors {
            check_anchor(anchor)?;
        }
        if anchors.is_empty() != self.all {
            let failure = Failure::usage("name the anchors, or all of them by --all");
            return Err(failure.with_hint("\"kubectl edge delay get\" lists them"));
        }
        self.how.run(session, target, &Wanted::Unset(anchors))
    }
}

// === impl How ===

impl How {
    fn run(&self, session: &Session, target: Option<Target>, wanted: &Wanted<'_>) -> Result<Output, Failure> {
        match (&self.filename, target) {
            (Some(file), target) => offline::change(file, target.as_ref(), wanted, self),
            (None, Some(target)) => session.online(self.change(session, &target, wanted)),
            (None, None) => {
                Err(Failure::usage("no workload is named").with_hint("name it as in deploy/video"))
            }
        }
    }

    async fn change(
        &self,
        session: &Session,
        target: &Target,
        wanted: &Wanted<'_>,
    ) -> Result<Output, Failure> {
        let cluster = session.connect().await?;
        let mut gaps = Gaps::default();
        let workload = Workload::read(&cluster, target).await?;
        if let Some((kind, name)) = workload.controller() {
            let failure = Failure::new(format!("{} is controlled by {kind} {name}", workload.shown()));
            return Err(failure.with_hint("change what controls it instead"));
        }
        let served = Served::read(&cluster, &mut gaps).await?;
        let changes = wanted.changes(&workload, &served)?;
        if changes.is_empty() {
            let report = ChangeReport::new(&workload, changes, self.dry_run, None, "delay not changed");
            return Ok(Output::ok(report).with_gaps(gaps.into_messages()));
        }
        let patch = patch(&changes, workload.kind.template());
        let mut edited = workload.clone();
        edit::merge(&mut edited.object, &patch, true);
        refuse(&edited, self.force)?;
        let fit = self.fit(session, &cluster, &edited, wanted, &served, &mut gaps).await?;
        let report = ChangeReport::new(&workload, changes, self.dry_run, fit, wanted.verb());
        if self.dry_run == DryRun::None {
            report.announce(session);
            session.talk.confirm("Proceed?", self.yes)?;
        }
        if self.dry_run != DryRun::Client {
            workload.patch(&cluster, patch, self.dry_run).await?;
        }
        Ok(Output::ok(report).with_gaps(gaps.into_messages()))
    }

    async fn fit(
        &self,
        session: &Session,
        cluster: &Cluster,
        edited: &Workload,
        wanted: &Wanted<'_>,
        served: &Served,
        gaps: &mut Gaps,
    ) -> Result<Option<Fit>, Failure> {
        if matches!(wanted, Wanted::Unset(_)) {
            return Ok(None);
        }
        session.talk.busy("reading nodes, pods and delays");
        let mut world = World::read(cluster, served, gaps).await?;
        // Beforehand: it is by these that the question is answered.
        let warnings = served.warnings().into_iter().chain(differing_versions(cluster).await);
        warnings.for_each(|warning| session.talk.warning(&warning));
        Fit::of(&mut world, edited, served).map(Some)
    }
}

/// Refuses what can't be changed, or should not be.
fn refuse(edited: &Workload, force: bool) -> Result<(), Failure> {
    match edited.kind {
        Kind::Job | Kind::Pod => {
            to_stdout(&manifest(&edited.object)?)?;
            let failure = Failure::new(format!("{} can't be changed any more", edited.shown()));
            Err(failure.with_hint("the edited manifest was printed; delete the old one and create it anew"))
        }
        Kind::DaemonSet if !force => {
            let failure = Failure::new(format!(
                "{} wants a pod on every node; one outside the delay would be left without",
                edited.shown()
            ));
            Err(failure.with_hint("--force changes it all the same"))
        }
        Kind::Deployment | Kind::StatefulSet | Kind::ReplicaSet | Kind::CronJob | Kind::DaemonSet => Ok(()),
    }
}

/// The object without what the server writes, so that it can be created anew.
fn manifest(object: &Value) -> Result<String, Failure> {
    let mut object = object.clone();
    if let Some(fields) = object.as_object_mut() {
        fields.remove("status");
    }
    if let Some(metadata) = object["metadata"].as_object_mut() {
        for field in
            ["uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "selfLink"]
        {
            metadata.remove(field);
        }
    }
    if let Some(spec) = object["spec"].as_object_mut() {
        spec.remove("nodeName");
        // A Job's own label and selector are the server's, unless they were said to be the user's.
        if spec.get("manualSelector") != Some(&Value::Bool(true)) && spec.contains_key("template") {
            spec.remove("selector");
        }
    }
    for labels in ["/metadata/labels", "/spec/template/metadata/labels"] {
        if let Some(labels) = object.pointer_mut(labels).and_then(Value::as_object_mut) {
            labels.retain(|key, _| {
                !key.ends_with("controller-uid") && key != "batch.kubernetes.io/job-name" && key != "job-name"
            });
        }
    }
    serde_yaml::to_string(&object).hint("this is a mistake of the plugin")
}

// === impl Wanted ===

impl Wanted<'_> {
    /// What has to change in the workload's template.
    pub(super) fn changes(&self, workload: &Workload, served: &Served) -> Result<Vec<Change>, Failure> {
        let template = workload.template();
        match self {
            Self::Set(wishes, scheduler) => {
                let mut changes = template.set(wishes);
                changes.extend(scheduler_change(workload, *scheduler, served)?);
                Ok(changes)
            }
            Self::Unset(anchors) => {
                let known: Vec<(String, String)> = template.constraints();
                let all: Vec<&str> = known.iter().map(|(anchor, _)| anchor.as_str()).collect();
                let (changes, missing) = template.unset(if anchors.is_empty() { &all } else { anchors });
                if missing.is_empty() {
                    return Ok(changes);
                }
                let what = format!("{} has no constraint on {}", workload.shown(), missing.join(", "));
                let known = if all.is_empty() {
                    "it has none".to_owned()
                } else {
                    format!("it has {}", all.join(", "))
                };
                Err(Failure::new(what).with_hint(known))
            }
        }
    }

    pub(super) fn verb(&self) -> &'static str {
        match self {
            Self::Set(..) => "delay set",
            Self::Unset(_) => "delay unset",
        }
    }
}

/// Constraints mean something to our scheduler only. One that is none of ours is not taken from its pods.
fn scheduler_change(
    workload: &Workload,
    wanted: Option<&str>,
    served: &Served,
) -> Result<Option<Change>, Failure> {
    let template = workload.template();
    let ours = wanted.unwrap_or_else(|| served.preferred());
    if !served.has(ours) {
        let failure = Failure::new(format!("scheduler {ours:?} is not served"));
        return Err(failure.with_hint(format!("there is {}", served.names.join(", "))));
    }
    match template.scheduler_name.as_deref() {
        Some(name) if name == ours || wanted.is_none() && served.has(name) => Ok(None),
        None | Some("default-scheduler") => Ok(Some(template.schedule_by(ours))),
        Some(name) if served.has(name) => Ok(Some(template.schedule_by(ours))),
        Some(name) => {
            let what = format!("{}: its scheduler {name:?} is not one that is served", workload.shown());
            Err(Failure::new(what)
                .with_hint(format!("there is {}; change schedulerName first", served.names.join(", "))))
        }
    }
}

// === impl ChangeReport ===

impl ChangeReport {
    fn new(
        workload: &Workload,
        changes: Vec<Change>,
        dry_run: DryRun,
        fit: Option<Fit>,
        result: &'static str,
    ) -> Self {
        let (dry_run, suffix) = dry_run.shown();
        let consequence = if changes.is_empty() { String::new() } else { consequence(workload) };
        Self {
            api_version: API_VERSION,
            kind: "DelayChange",
            object: workload.shown(),
            namespace: workload.namespace.clone(),
            result,
            dry_run,
            changes,
            consequence,
            fit,
            suffix,
        }
    }

    /// Tells beforehand what is going to happen.
    fn announce(&self, session: &Session) {
        session.talk.done();
        session.talk.note(self.plan(session.talk.look()).trim_end());
    }

    fn plan(&self, look: Look) -> String {
        let mut lines = vec![look.strong(&self.object)];
        lines.extend(self.changes.iter().map(|change| format!("  {}", change.describe())));
        lines.extend((!self.consequence.is_empty()).then(|| self.consequence.clone()));
        lines.extend(self.fit.as_ref().map(|fit| fit.describe(look)));
        lines.join("\n") + "\n"
    }
}

/// What the change does to pods that are there.
fn consequence(workload: &Workload) -> String {
    let spec = &workload.object["spec"];
    let pods = |count: i64| if count == 1 { "1 pod".to_owned() } else { format!("{count} pods") };
    let replicas = spec["replicas"].as_i64().unwrap_or(1);
    match workload.kind {
        Kind::Deployment if spec["paused"] == true => {
            "It is paused: its pods are replaced when it is resumed.".to_owned()
        }
        Kind::Deployment => {
            let how = match spec["strategy"]["type"].as_str() {
                Some("Recreate") => "all at once".to_owned(),
                _ => format!(
                    "at most {} unavailable",
                    show(&spec["strategy"]["rollingUpdate"]["maxUnavailable"], "25%")
                ),
            };
            format!("This restarts {} ({how}).", pods(replicas))
        }
        Kind::StatefulSet if spec["updateStrategy"]["type"] == "OnDelete" => {
            "Its pods stay as they are until they are deleted (OnDelete).".to_owned()
        }
        Kind::StatefulSet => {
            let kept =
                spec["updateStrategy"]["rollingUpdate"]["partition"].as_i64().unwrap_or(0).min(replicas);
            format!("This restarts {}, one after the other.", pods(replicas - kept))
        }
        Kind::DaemonSet => {
            let count = workload.object["status"]["desiredNumberScheduled"].as_i64().unwrap_or(0);
            format!("This restarts {}; each waits if its node is outside the delay.", pods(count))
        }
        Kind::ReplicaSet => {
            format!("Its {} stay as they are; new ones follow the constraint.", pods(replicas))
        }
        Kind::CronJob => "It holds from its next run on.".to_owned(),
        Kind::Job | Kind::Pod => String::new(),
    }
}

fn show(value: &Value, default: &str) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => default.to_owned(),
    }
}

impl Report for ChangeReport {
    fn table(&self, look: Look) -> String {
        let line = format!("{} {}{}\n", self.object, self.result, self.suffix);
        if self.dry_run.is_some() { format!("{}{line}", self.plan(look)) } else { line }
    }

    fn names(&self) -> Option<Vec<String>> {
        Some(vec![self.object.clone()])
    }
}
