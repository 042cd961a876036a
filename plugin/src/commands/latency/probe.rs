//! `kubectl edge latency probe`: asks a node's agent to measure now.

use std::time::{Duration, Instant};

use edge_api::names::PLUGIN_MANAGER;
use edge_api::{NodeDelays, ProbeRequest};
use edge_core::model::Delay;
use http::Request;
use serde::Serialize;
use serde_json::json;

use super::Probe;
use super::scene::millis;
use crate::cluster::{Cluster, is_not_found};
use crate::failure::{Ending, Failure};
use crate::look::Look;
use crate::session::Session;
use crate::view::{API_VERSION, Output, Report};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ProbeReport {
    api_version: &'static str,
    kind: &'static str,
    from: String,
    to: String,
    sent: usize,
    lost: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    min_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    median_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_ms: Option<f64>,
    ms: Vec<Option<f64>>,
}

/// How often the result is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(300);

// === impl Probe ===

impl Probe {
    pub(super) async fn run(&self, session: &Session) -> Result<Output, Failure> {
        let cluster = session.connect().await?;
        let (from, to) = (read(&cluster, &self.from).await?, read(&cluster, &self.to).await?);
        let address = to.status.as_ref().and_then(|status| status.addresses.first()).cloned();
        let address = address.ok_or_else(|| {
            let failure = Failure::new(format!("the agent of {} has not said where it answers", self.to));
            failure.with_hint("\"kubectl edge status\" shows which agents run")
        })?;
        let id = format!(
            "kubectl-{}-{}",
            std::process::id(),
            k8s_openapi::jiff::Timestamp::now().as_millisecond()
        );
        let request = ProbeRequest { id: id.clone(), peer: self.to.clone(), address, count: self.count };
        let result = self.ask(&cluster, session, &from, &request).await;
        // What was asked for is taken back, whatever came of it.
        let current = read(&cluster, &self.from).await?;
        let rest: Vec<&ProbeRequest> = current.spec.requests.iter().filter(|it| it.id != id).collect();
        write(&cluster, &current, &json!(rest)).await?;
        Ok(Output::ok(self.report(&result?)))
    }

    async fn ask(
        &self,
        cluster: &Cluster,
        session: &Session,
        from: &NodeDelays,
        request: &ProbeRequest,
    ) -> Result<Vec<Option<u32>>, Failure> {
        let requests: Vec<&ProbeRequest> = from.spec.requests.iter().chain([request]).collect();
        write(cluster, from, &json!(requests)).await?;
        let begun = Instant::now();
        let mut seen = 0;
        loop {
            let object = read(cluster, &self.from).await?;
            let results = object.status.map(|status| status.results).unwrap_or_default();
            let result = results.into_iter().find(|result| result.id == request.id);
            if let Some(result) = result {
                seen = result.micros.len();
                if !result.running {
                    return Ok(result.micros);
                }
            }
            session
                .talk
                .waiting(&format!("{} of {} probes from {} to {}", seen, self.count, self.from, self.to));
            if begun.elapsed() > self.timeout {
                let failure = Failure::new(format!("the agent of {} gave no result in time", self.from));
                return Err(failure
                    .with_hint("is it running? --timeout waits longer")
                    .ending(Ending::TimedOut));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    fn report(&self, micros: &[Option<u32>]) -> ProbeReport {
        let mut known: Vec<Delay> =
            micros.iter().flatten().filter_map(|it| Delay::from_micros(*it).ok()).collect();
        known.sort_unstable();
        let ms = |delay: Option<&Delay>| delay.map(|it| it.as_millis_f64());
        ProbeReport {
            api_version: API_VERSION,
            kind: "LatencyProbe",
            from: self.from.clone(),
            to: self.to.clone(),
            sent: micros.len(),
            lost: micros.len() - known.len(),
            min_ms: ms(known.first()),
            median_ms: ms(known.get(known.len() / 2)),
            max_ms: ms(known.last()),
            ms: micros.iter().map(|it| it.map(|micros| f64::from(micros) / 1000.0)).collect(),
        }
    }
}

fn path(name: &str) -> String {
    format!("/apis/{}/nodedelays/{name}", edge_api::API_VERSION)
}

async fn read(cluster: &Cluster, node: &str) -> Result<NodeDelays, Failure> {
    let request = Request::get(path(node)).body(Vec::new())?;
    cluster.client.request(request).await.map_err(|error| {
        if is_not_found(&error) {
            let failure = Failure::new(format!("nothing is measured on node {node}"));
            return failure
                .with_hint("is it a node, and does its agent run? \"kubectl get nodedelays\" lists them");
        }
        cluster.problem(error)
    })
}

/// Asks for these measurements, unless somebody else asked in the meantime.
async fn write(cluster: &Cluster, object: &NodeDelays, requests: &serde_json::Value) -> Result<(), Failure> {
    let name = object.metadata.name.as_deref().unwrap_or_default();
    let version = &object.metadata.resource_version;
    let patch = json!({"metadata": {"resourceVersion": version}, "spec": {"requests": requests}});
    let request = Request::patch(format!("{}?fieldManager={PLUGIN_MANAGER}", path(name)))
        .header("content-type", "application/merge-patch+json")
        .body(serde_json::to_vec(&patch)?)?;
    let answer = cluster.client.request::<NodeDelays>(request).await;
    answer.map(|_| ()).map_err(|error| cluster.problem(error))
}

impl Report for ProbeReport {
    fn table(&self, look: Look) -> String {
        let show = |ms: Option<f64>| {
            ms.and_then(|ms| Delay::from_millis_f64(ms).ok()).map_or("-".to_owned(), millis)
        };
        let row = [
            self.from.clone(),
            self.to.clone(),
            self.sent.to_string(),
            self.lost.to_string(),
            show(self.min_ms),
            show(self.median_ms),
            show(self.max_ms),
        ];
        look.columns(["FROM", "TO", "SENT", "LOST", "MIN", "MEDIAN", "MAX"], vec![row])
    }
}
