//! A probe agent's own `NodeDelays`: watched, and its status written.

use std::time::Duration;

use edge_api::{NodeDelays, NodeDelaysStatus, names};
use futures::{Stream, StreamExt};
use k8s_openapi::Resource;
use kube::Api;
use kube::api::{Patch, PatchParams};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, watcher};
use serde_json::json;
use tokio::time::timeout;
use tracing::{debug, warn};

/// How long a report may be on its way: then the connection is as good as dead.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// The agent's own object, and who may be in the way of it.
#[derive(Clone)]
pub struct OwnDelays {
    api: Api<NodeDelays>,
    name: String,
}

/// Why a report was not taken.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// There is no such object: the scheduler makes one for each node, and the watch tells when it is there.
    #[error("there is no NodeDelays {0}; the scheduler makes it")]
    Missing(String),
    /// It is not allowed, or not as it must be. Trying again helps only if somebody changes that.
    #[error("status of NodeDelays {name}: {message}")]
    Refused {
        /// The object.
        name: String,
        /// Why.
        message: String,
    },
    /// The API server is away, or too busy. Trying again helps.
    #[error("status of NodeDelays {name}: {message}")]
    Unreachable {
        /// The object.
        name: String,
        /// Why.
        message: String,
    },
}

// === impl OwnDelays ===

impl OwnDelays {
    /// Of the node of this name.
    pub fn new(client: kube::Client, node: &str) -> Self {
        Self { api: Api::all(client), name: node.to_owned() }
    }

    /// The object each time it changes, and none when it goes. Whatever goes wrong, the watch is taken up again.
    pub fn follow(&self) -> impl Stream<Item = Option<NodeDelays>> + Send + use<> {
        // The selector makes it one object that the server sends, whatever else there is.
        let config = watcher::Config::default().fields(&format!("metadata.name={}", self.name));
        let events = watcher(self.api.clone(), config).default_backoff();
        let mut is_there = false;
        let mut complained = false;
        events.filter_map(move |event| {
            let told = match event {
                Ok(watcher::Event::Init) => {
                    is_there = false;
                    None
                }
                Ok(watcher::Event::InitApply(object) | watcher::Event::Apply(object)) => {
                    is_there = true;
                    Some(Some(object))
                }
                Ok(watcher::Event::Delete(_)) => Some(None),
                Ok(watcher::Event::InitDone) => (!is_there).then_some(None),
                Err(error) => {
                    // Said once: the API server may be away for long, and the agent goes on without it.
                    if !std::mem::replace(&mut complained, true) {
                        warn!(%error, "NodeDelays can't be watched; what was known is probed on");
                    }
                    debug!(%error, "watching NodeDelays");
                    return std::future::ready(None);
                }
            };
            complained = false;
            std::future::ready(told)
        })
    }

    /// Writes the status, by server-side apply.
    pub async fn report(&self, status: &NodeDelaysStatus) -> Result<(), ReportError> {
        let object = json!({
            "apiVersion": edge_api::API_VERSION,
            "kind": NodeDelays::KIND,
            "metadata": {"name": self.name},
            "status": status,
        });
        let params = PatchParams::apply(names::PROBE_MANAGER).force();
        let patch = Patch::Apply(&object);
        let write = self.api.patch_status(&self.name, &params, &patch);
        match timeout(WRITE_TIMEOUT, write).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(kube::Error::Api(status))) => Err(match status.code {
                404 => ReportError::Missing(self.name.clone()),
                429 | 500.. => ReportError::Unreachable { name: self.name.clone(), message: status.message },
                _ => ReportError::Refused { name: self.name.clone(), message: status.message },
            }),
            Ok(Err(error)) => {
                Err(ReportError::Unreachable { name: self.name.clone(), message: error.to_string() })
            }
            Err(_) => Err(ReportError::Unreachable {
                name: self.name.clone(),
                message: format!("no answer within {} s", WRITE_TIMEOUT.as_secs()),
            }),
        }
    }
}
