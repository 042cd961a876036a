//! `kubectl edge delay get`.

use futures::future::try_join_all;
use serde::Serialize;
use serde_json::Value;

use super::Get;
use super::words::{Kind, Target};
use super::workload::{Workload, path};
use crate::cluster::{Cluster, Gaps};
use crate::failure::Failure;
use crate::look::Look;
use crate::session::Session;
use crate::view::{API_VERSION, Output, Report};
use crate::world::list;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ConstraintList {
    api_version: &'static str,
    kind: &'static str,
    items: Vec<Item>,
    #[serde(skip)]
    is_qualified: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    namespace: String,
    workload: String,
    from: String,
    bound: String,
    scheduler_name: String,
}

// === impl Get ===

impl Get {
    pub(super) async fn run(&self, session: &Session) -> Result<Output, Failure> {
        let cluster = session.connect().await?;
        let mut gaps = Gaps::default();
        let workloads = match &self.target {
            Some(target) => vec![Workload::read(&cluster, &Target::parse(target)?).await?],
            None => all(&cluster, self.all_namespaces, self.selector.as_deref(), &mut gaps).await?,
        };
        let items: Vec<Item> = workloads.iter().flat_map(items_of).collect();
        let nothing = items.is_empty().then(|| nothing(self, &cluster));
        let report = ConstraintList {
            api_version: API_VERSION,
            kind: "DelayConstraintList",
            items,
            is_qualified: self.all_namespaces,
        };
        Ok(Output::ok(report).with_gaps(gaps.into_messages()).with_notes(nothing.into_iter().collect()))
    }
}

fn nothing(get: &Get, cluster: &Cluster) -> String {
    match (&get.target, get.all_namespaces) {
        (Some(target), _) => format!("{target} has no delay constraints."),
        (None, true) => "No delay constraints found.".to_owned(),
        (None, false) => format!("No delay constraints found in {} namespace.", cluster.namespace),
    }
}

/// All workloads that nothing else controls.
pub(super) async fn all(
    cluster: &Cluster,
    all_namespaces: bool,
    selector: Option<&str>,
    gaps: &mut Gaps,
) -> Result<Vec<Workload>, Failure> {
    let namespace = (!all_namespaces).then_some(cluster.namespace.as_str());
    let selector = selector.map(|it| format!("?labelSelector={}", encoded(it))).unwrap_or_default();
    let lists = Kind::ALL.into_iter().map(|kind| {
        let path = format!("{}{selector}", path(kind, namespace, None));
        async move { Ok::<_, Failure>((kind, list::<Value>(cluster, &path).await)) }
    });
    let mut workloads = Vec::new();
    for (kind, answer) in try_join_all(lists).await? {
        let (_, plural) = kind.path();
        let Some(objects) = gaps.allow(cluster, answer, &format!("list {plural}"), plural)? else { continue };
        let found =
            objects.into_iter().flatten().filter_map(|object| Workload::of(object, Some(kind), "default"));
        workloads.extend(found.filter(|workload| workload.controller().is_none()));
    }
    workloads.sort_by(|a, b| (&a.namespace, a.kind, &a.name).cmp(&(&b.namespace, b.kind, &b.name)));
    Ok(workloads)
}

fn encoded(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~/".contains(&byte);
    text.bytes()
        .map(|byte| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

fn items_of(workload: &Workload) -> Vec<Item> {
    let template = workload.template();
    let scheduler = template.scheduler_name.clone().unwrap_or_else(|| "default-scheduler".to_owned());
    let item = |(from, bound): (String, String)| Item {
        namespace: workload.namespace.clone(),
        workload: workload.shown(),
        from,
        bound,
        scheduler_name: scheduler.clone(),
    };
    template.constraints().into_iter().map(item).collect()
}

impl Report for ConstraintList {
    fn table(&self, look: Look) -> String {
        if self.items.is_empty() {
            return String::new();
        }
        let row = |it: &Item| {
            let mut row =
                vec![it.workload.clone(), it.from.clone(), it.bound.clone(), it.scheduler_name.clone()];
            if self.is_qualified {
                row.insert(0, it.namespace.clone());
            }
            row
        };
        let mut heads = vec!["WORKLOAD", "FROM", "BOUND (ms)", "SCHEDULER"];
        if self.is_qualified {
            heads.insert(0, "NAMESPACE");
        }
        look.table(heads.into_iter().map(str::to_owned).collect(), self.items.iter().map(row).collect())
    }

    fn names(&self) -> Option<Vec<String>> {
        let mut names: Vec<String> = self.items.iter().map(|it| it.workload.clone()).collect();
        names.dedup();
        Some(names)
    }
}
