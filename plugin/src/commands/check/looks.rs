//! What is looked at, subject by subject.

use std::collections::BTreeMap;

use edge_api::names::{NAMESPACE, PROBE, PROBE_KEY, SCHEDULER};
use k8s_openapi::jiff::Timestamp;
use kube::Error;
use serde_json::Value;

use super::reports;
use crate::cluster::is_forbidden;
use crate::commands::install::{RELEASE_IMAGE, remembered, rollouts};
use crate::installation::finding::Finding;
use crate::installation::manifests::{self, DEFAULT_PROFILE};
use crate::installation::object::Object;
use crate::installation::reports::Reports;
use crate::installation::rollout::{Rollout, is_ready};
use crate::installation::store::Store;
use crate::installation::{preflight, rivals};

/// What several looks need.
pub(super) struct Facts {
    /// As everything should be.
    wanted: Vec<Object>,
    profiles: Vec<String>,
    image: String,
    /// None if there is no Deployment.
    replicas: Option<i64>,
    rollouts: Vec<Rollout>,
}

/// Profiles that pods ask for by name, whoever wrote their manifests.
const KNOWN_PROFILES: [&str; 3] = ["edge-scheduler", "custom-scheduler", "contrail-scheduler"];

const LOOK_INTO_LOG: &str = "kubectl logs -n edge-system deployment/edge-scheduler";
/// Why there is nothing to look at.
const NO_DEPLOYMENT: &str = "there is no deployment: see EDGE-C10";

/// The answer, or that a permission is missing.
enum Seen<T> {
    Yes(T),
    Forbidden,
}

fn seen<T>(answer: Result<T, Error>) -> Result<Seen<T>, Error> {
    match answer {
        Ok(value) => Ok(Seen::Yes(value)),
        Err(error) if is_forbidden(&error) => Ok(Seen::Forbidden),
        Err(error) => Err(error),
    }
}

// === impl Facts ===

impl Facts {
    /// Reads them; none if nothing is installed.
    pub(super) async fn gather(store: Store<'_>) -> Result<Option<Self>, Error> {
        let path = format!("/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{SCHEDULER}");
        let deployment = store.get(&path).await?;
        let namespace = store.get(&format!("/api/v1/namespaces/{NAMESPACE}")).await?;
        if deployment.is_none() && namespace.is_none() {
            return Ok(None);
        }
        let (settings, image) = remembered(store).await?;
        let image = image.unwrap_or_default();
        // What was applied once can be rendered; if not, there is nothing to compare with.
        let wanted = manifests::render(&settings, &image).unwrap_or_default();
        let profiles = manifests::profiles(&wanted).unwrap_or_default();
        let replicas = |it: &Value| it.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or_default();
        let replicas = deployment.as_ref().map(replicas);
        let rollouts = rollouts(store).await?;
        Ok(Some(Self { wanted, profiles, image, replicas, rollouts }))
    }

    /// Version, completeness, images, rivals.
    pub(super) async fn installation(&self, store: Store<'_>) -> Result<Vec<Finding>, Error> {
        let version = preflight::version(store).await?;
        let mut findings = vec![Finding { code: "EDGE-C01", ..version }];
        findings.push(self.completeness(store).await?);
        findings.push(self.images(store).await?);
        findings.push(match seen(rivals::find(store).await)? {
            Seen::Forbidden => Finding::unknown("EDGE-C04", "list deployments and get configmaps"),
            Seen::Yes(rivals) => {
                let shares = |it: &&rivals::Rival| {
                    it.is_edge || self.profiles.iter().any(|name| it.profiles.contains(name))
                };
                match rivals.iter().find(shares) {
                    Some(rival) => Finding::failed(
                        "EDGE-C04",
                        format!("{} places the same pods", rival.workload),
                        "stop one of the two",
                    ),
                    None => Finding::passed("EDGE-C04", "no other scheduler serves these profiles"),
                }
            }
        });
        Ok(findings)
    }

    async fn completeness(&self, store: Store<'_>) -> Result<Finding, Error> {
        let mut missing = Vec::new();
        for object in &self.wanted {
            match seen(store.get(&object.path()).await)? {
                Seen::Forbidden => {
                    return Ok(Finding::unknown("EDGE-C02", &format!("get {}", object.kind().plural)));
                }
                Seen::Yes(None) => missing.push(object.to_string()),
                Seen::Yes(Some(_)) => (),
            }
        }
        Ok(if missing.is_empty() {
            Finding::passed("EDGE-C02", format!("all {} objects are there", self.wanted.len()))
        } else {
            const NAMED: usize = 3;
            let more = match missing.len().saturating_sub(NAMED) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let named = missing.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
            let message = format!("half an installation: {named}{more} missing");
            Finding::failed("EDGE-C02", message, "kubectl edge install")
        })
    }

    async fn images(&self, store: Store<'_>) -> Result<Finding, Error> {
        if self.replicas.is_none() {
            return Ok(Finding::skipped("EDGE-C03", NO_DEPLOYMENT));
        }
        let path = format!("/apis/apps/v1/namespaces/{NAMESPACE}/daemonsets/{PROBE}");
        let agents = match seen(store.get(&path).await)? {
            Seen::Forbidden => return Ok(Finding::unknown("EDGE-C03", "get daemonsets in edge-system")),
            Seen::Yes(agents) => agents,
        };
        let theirs =
            agents.as_ref().and_then(|it| it.pointer("/spec/template/spec/containers/0/image")?.as_str());
        Ok(match (theirs, RELEASE_IMAGE) {
            (Some(theirs), _) if theirs != self.image => Finding::warning(
                "EDGE-C03",
                format!("the scheduler runs {}, its agents {theirs}", self.image),
                "kubectl edge install",
            ),
            (_, Some(release)) if tag(release) != tag(&self.image) => Finding::warning(
                "EDGE-C03",
                format!("installed is {}, this plugin's release has {release}", self.image),
                "kubectl edge install, or another release of the plugin",
            ),
            _ => Finding::passed("EDGE-C03", format!("image {}", self.image)),
        })
    }

    /// Replicas and leader.
    pub(super) async fn scheduler(&self, store: Store<'_>) -> Result<Vec<Finding>, Error> {
        let mut findings = vec![self.rollout("EDGE-C10", "deployment")];
        let at_fault = if self.replicas.is_some() { LOOK_INTO_LOG } else { "kubectl edge install" };
        findings.push(leader(store, at_fault).await?);
        let is_alone = self.profiles.iter().any(|name| name == DEFAULT_PROFILE);
        findings.push(match (is_alone, self.replicas) {
            (_, None) => Finding::skipped("EDGE-C12", NO_DEPLOYMENT),
            (true, Some(..2)) => Finding::warning(
                "EDGE-C12",
                "it is the cluster's only scheduler and has one replica: if its node is lost, nobody places it anew",
                "kubectl edge install --ha, or run it as a static pod (deploy/static-pod)",
            ),
            (_, Some(..2)) => Finding::passed("EDGE-C12", "one replica; --ha makes a second on another node"),
            (_, Some(replicas)) => Finding::passed("EDGE-C12", format!("{replicas} replicas")),
        });
        Ok(findings)
    }

    /// Agents, their keys, their reports.
    pub(super) async fn agents(&self, store: Store<'_>) -> Result<Vec<Finding>, Error> {
        let mut findings = vec![self.rollout("EDGE-C20", "daemonset")];
        let path = format!("/api/v1/namespaces/{NAMESPACE}/secrets/{PROBE_KEY}");
        findings.push(match seen(store.get(&path).await)? {
            Seen::Forbidden => Finding::unknown("EDGE-C21", "get secrets in edge-system"),
            Seen::Yes(Some(_)) => Finding::passed("EDGE-C21", "the agents have keys"),
            Seen::Yes(None) => Finding::failed(
                "EDGE-C21",
                format!("Secret {PROBE_KEY} is not there: agents can't know each other"),
                "the scheduler that leads makes it: see EDGE-C10 and EDGE-C11, and its log",
            ),
        });
        let nodes = match seen(store.list("/api/v1/nodes", "").await)? {
            Seen::Forbidden => return Ok(push(findings, Finding::unknown("EDGE-C22", "list nodes"))),
            Seen::Yes(nodes) => nodes,
        };
        let told = match seen(Reports::read(store, Timestamp::now()).await)? {
            Seen::Forbidden => return Ok(push(findings, Finding::unknown("EDGE-C22", "list nodedelays"))),
            Seen::Yes(told) => told.unwrap_or_default(),
        };
        findings.extend([reports::silent(&nodes, &told), reports::starved(&told), reports::coverage(&told)]);
        Ok(findings)
    }

    /// Pods that nobody would place.
    pub(super) async fn pods(&self, store: Store<'_>) -> Result<Vec<Finding>, Error> {
        let query = "fieldSelector=spec.nodeName%3D%2Cstatus.phase%3DPending";
        let pods = match seen(store.list("/api/v1/pods", query).await)? {
            Seen::Forbidden => return Ok(vec![Finding::unknown("EDGE-C30", "list pods")]),
            Seen::Yes(pods) => pods,
        };
        let mut unserved: BTreeMap<&str, usize> = BTreeMap::new();
        let names = pods.iter().filter_map(|pod| pod.pointer("/spec/schedulerName")?.as_str());
        for name in names.filter(|name| KNOWN_PROFILES.contains(name)) {
            if !self.profiles.iter().any(|served| served == name) {
                *unserved.entry(name).or_default() += 1;
            }
        }
        let finding = |(name, count): (&str, usize)| {
            let pods = if count == 1 { "a pod waits" } else { &format!("{count} pods wait") };
            let message = format!("{pods} for {name}, which is not served");
            Finding::failed("EDGE-C30", message, format!("kubectl edge install --profile {name}"))
        };
        let mut findings: Vec<Finding> = unserved.into_iter().map(finding).collect();
        if findings.is_empty() {
            findings.push(Finding::passed("EDGE-C30", "no pod waits for a profile that is not served"));
        }
        Ok(findings)
    }

    fn rollout(&self, code: &'static str, kind: &str) -> Finding {
        match self.rollouts.iter().find(|it| it.workload.starts_with(kind)) {
            Some(rollout) if rollout.is_done => Finding::passed(code, rollout.to_string()),
            Some(rollout) => {
                let fix = format!("kubectl describe -n {NAMESPACE} {}", rollout.workload);
                Finding::failed(code, rollout.to_string(), fix)
            }
            None => Finding::failed(code, format!("there is no {kind}"), "kubectl edge install"),
        }
    }
}

fn push(mut findings: Vec<Finding>, finding: Finding) -> Vec<Finding> {
    findings.push(finding);
    findings
}

/// The part of an image that tells releases apart, wherever it is pulled from.
fn tag(image: &str) -> &str {
    image.rsplit('/').next().unwrap_or(image)
}

async fn leader(store: Store<'_>, fix: &str) -> Result<Finding, Error> {
    let path = format!("/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/{SCHEDULER}");
    let lease = match seen(store.get(&path).await)? {
        Seen::Forbidden => return Ok(Finding::unknown("EDGE-C11", "get leases in edge-system")),
        Seen::Yes(lease) => lease,
    };
    let holder =
        lease.as_ref().and_then(|it| it.pointer("/spec/holderIdentity")?.as_str()).unwrap_or_default();
    let Some(pod) = holder.split('_').next().filter(|it| !it.is_empty()) else {
        return Ok(Finding::failed("EDGE-C11", "no replica leads: nothing is placed", fix));
    };
    let found = seen(store.get(&format!("/api/v1/namespaces/{NAMESPACE}/pods/{pod}")).await)?;
    Ok(match found {
        Seen::Forbidden => Finding::unknown("EDGE-C11", "get pods in edge-system"),
        Seen::Yes(Some(found)) if is_ready(&found) => Finding::passed("EDGE-C11", format!("{pod} leads")),
        Seen::Yes(_) => {
            let message = format!("{pod} leads by its Lease but is not ready, or gone");
            Finding::warning(
                "EDGE-C11",
                message,
                "another replica takes over when the Lease has run out, within 15 s",
            )
        }
    })
}
