//! `kubectl edge delay lint`.

use std::collections::HashMap;

use edge_core::delay::{AnchorNodes, DelayConstraints, is_node, resolve};
use edge_core::model::Pod;
use edge_core::wire::{Interner, PodObject};
use k8s_openapi::api::core::v1::Service;
use serde::{Deserialize, Serialize};

use super::Lint;
use super::fit::pod_of;
use super::get::all;
use super::text;
use super::words::{Kind, Target};
use super::workload::Workload;
use crate::cluster::{Cluster, Gaps};
use crate::failure::{Ending, Failure};
use crate::files;
use crate::look::Look;
use crate::session::Session;
use crate::view::{API_VERSION, Output, Report};
use crate::world::{Served, World, list};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Findings {
    api_version: &'static str,
    kind: &'static str,
    workloads: usize,
    items: Vec<Finding>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Finding {
    object: String,
    namespace: String,
    severity: Severity,
    message: String,
    fix: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
enum Severity {
    Error,
    Warning,
}

// === impl Lint ===

impl Lint {
    pub(super) fn run(&self, session: &Session) -> Result<Output, Failure> {
        match &self.filename {
            Some(path) => {
                let mut workloads = Vec::new();
                for file in files::read_all(path, &["yaml", "yml", "json"])? {
                    for document in text::documents(&file.text) {
                        workloads.extend(Workload::of(serde_yaml::from_str(document)?, None, "default"));
                    }
                }
                Ok(output(workloads.iter().flat_map(offline).collect(), workloads.len(), Gaps::default()))
            }
            None => session.online(self.online(session)),
        }
    }

    async fn online(&self, session: &Session) -> Result<Output, Failure> {
        let cluster = session.connect().await?;
        let mut gaps = Gaps::default();
        let workloads = match &self.target {
            Some(target) => vec![Workload::read(&cluster, &Target::parse(target)?).await?],
            None => all(&cluster, self.all_namespaces, None, &mut gaps).await?,
        };
        let constrained: Vec<&Workload> =
            workloads.iter().filter(|it| !it.template().constraints().is_empty()).collect();
        let served = Served::read(&cluster, &mut gaps).await?;
        let mut world = World::read(&cluster, &served, &mut gaps).await?;
        let services = services(&cluster, &mut gaps).await?;
        let mut findings = Vec::new();
        for workload in &constrained {
            findings.extend(offline(workload));
            findings.extend(scheduler(workload, &served));
            if let Ok(pod) = pod_of(&mut world, workload) {
                findings.extend(anchors(workload, &pod, &world, &services));
            }
        }
        Ok(output(findings, constrained.len(), gaps))
    }
}

fn output(mut findings: Vec<Finding>, workloads: usize, gaps: Gaps) -> Output {
    findings
        .sort_by(|a, b| (a.severity, &a.namespace, &a.object).cmp(&(b.severity, &b.namespace, &b.object)));
    let ending = if findings.is_empty() { Ending::Ok } else { Ending::Findings };
    let note = format!("{} in {workloads} workloads with delay constraints", count(findings.len()));
    let report = Findings { api_version: API_VERSION, kind: "DelayLint", workloads, items: findings };
    Output::ok(report).ending(ending).with_gaps(gaps.into_messages()).with_notes(vec![note])
}

fn count(findings: usize) -> String {
    match findings {
        0 => "No mistakes".to_owned(),
        1 => "1 finding".to_owned(),
        count => format!("{count} findings"),
    }
}

/// What can be said of the manifest alone.
fn offline(workload: &Workload) -> Vec<Finding> {
    let finding = |severity, message: String, fix: &str| Finding::new(workload, severity, message, fix);
    let template = workload.template();
    let constraints = template.constraints();
    if constraints.is_empty() {
        return Vec::new();
    }
    let mut findings = Vec::new();
    let object = PodObject::deserialize(workload.template_object().clone());
    let pod = object.map_err(|error| error.to_string()).and_then(|object| {
        let pod = object.named(&workload.namespace, &workload.name).into_pod(&mut Interner::default());
        pod.map_err(|error| error.to_string())
    });
    match pod.and_then(|pod| DelayConstraints::of_pod(&pod).map_err(|error| error.to_string())) {
        Ok(_) => (),
        Err(error) => findings.push(finding(Severity::Error, error, "\"delay set\" writes it rightly")),
    }
    let mut bounds: HashMap<&str, &str> = HashMap::new();
    for (anchor, bound) in &constraints {
        if let Some(other) = bounds.insert(anchor, bound).filter(|other| other != bound) {
            let message = format!("anchor {anchor} is bound twice, by {other} and {bound}; both must hold");
            findings.push(finding(Severity::Warning, message, "keep the smaller one"));
        }
    }
    if workload.kind == Kind::DaemonSet {
        let message = "its pods on nodes outside the delay wait for ever".to_owned();
        findings.push(finding(Severity::Warning, message, "choose the nodes by a nodeSelector instead"));
    }
    if let None | Some("default-scheduler") = template.scheduler_name.as_deref() {
        let message = "its pods go to the default scheduler, which does not know of delays".to_owned();
        let fix = "set schedulerName to edge-scheduler, unless it serves default-scheduler here";
        findings.push(finding(Severity::Error, message, fix));
    }
    findings
}

fn scheduler(workload: &Workload, served: &Served) -> Option<Finding> {
    let name = workload.template().scheduler_name?;
    if served.has(&name) || !served.is_known || name == "default-scheduler" {
        return None;
    }
    let message = format!("schedulerName {name} is not served");
    let fix = format!("there is {}", served.names.join(", "));
    Some(Finding::new(workload, Severity::Error, message, &fix))
}

fn anchors(workload: &Workload, pod: &Pod, world: &World, services: &[Service]) -> Vec<Finding> {
    let Ok(constraints) = DelayConstraints::of_pod(pod) else { return Vec::new() };
    let mut findings = Vec::new();
    for constraint in &constraints.list {
        let anchor = &constraint.anchor;
        match resolve(&world.snapshot, pod, anchor) {
            Err(error) => findings.push(Finding::new(
                workload,
                Severity::Error,
                error.to_string(),
                "name a node, or a workload that has a pod on a node",
            )),
            Ok(AnchorNodes::On(nodes)) if nodes.len() > 1 && !is_node(&world.snapshot, anchor) => {
                findings.extend(loose(workload, &anchor.name, services));
            }
            Ok(_) => (),
        }
    }
    findings
}

/// The nearest of several replicas bounds traffic only where the Service keeps it near.
fn loose(workload: &Workload, anchor: &str, services: &[Service]) -> Option<Finding> {
    let name = anchor.split('.').next().unwrap_or_default();
    let service = services.iter().find(|it| it.metadata.name.as_deref() == Some(name))?;
    let distribution = service.spec.as_ref().and_then(|spec| spec.traffic_distribution.as_deref());
    if distribution.is_some_and(|it| it.starts_with("Prefer")) {
        return None;
    }
    let message = format!(
        "the nearest of {anchor}'s pods is within the delay, but Service {name} may send traffic to any"
    );
    let fix = "set the Service's trafficDistribution to PreferSameZone or PreferSameNode";
    Some(Finding::new(workload, Severity::Warning, message, fix))
}

async fn services(cluster: &Cluster, gaps: &mut Gaps) -> Result<Vec<Service>, Failure> {
    let answer = list::<Service>(cluster, "/api/v1/services").await;
    let listed = gaps.allow(cluster, answer, "list services", "whether traffic is kept near")?;
    Ok(listed.unwrap_or_default().into_iter().flatten().collect())
}

// === impl Finding ===

impl Finding {
    fn new(workload: &Workload, severity: Severity, message: String, fix: &str) -> Self {
        let (object, namespace) = (workload.shown(), workload.namespace.clone());
        Self { object, namespace, severity, message, fix: fix.to_owned() }
    }
}

impl Report for Findings {
    fn table(&self, look: Look) -> String {
        let line = |it: &Finding| {
            let mark = match it.severity {
                Severity::Error => look.error("✗"),
                Severity::Warning => look.warning("!"),
            };
            let Finding { object, namespace, message, fix, .. } = it;
            let head = format!("{mark} {} {message}", look.strong(&format!("{namespace} {object}")));
            let fix = format!("  {} {fix}", look.hint("fix:"));
            format!("{}\n{}\n", look.fold(&head, 2), look.fold(&fix, 7))
        };
        self.items.iter().map(line).collect()
    }

    fn names(&self) -> Option<Vec<String>> {
        Some(self.items.iter().map(|it| it.object.clone()).collect())
    }
}
