//! The Lease of the leader election, as the API has it (upstream: `client-go/tools/leaderelection/resourcelock`).

use std::fmt;
use std::time::Duration;

use futures::{Stream, StreamExt};
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::Api;
use kube::api::PostParams;
use kube::runtime::{WatchStreamExt, watcher};
use tracing::{debug, warn};

use super::answer::{Failure, within};
use crate::lease::{Answer, Record, Request};

/// A Lease and the version of it that was last seen.
pub struct LeaseLock {
    api: Api<Lease>,
    namespace: String,
    name: String,
    seen: Option<Lease>,
    /// What the last failure was, so that an outage is told once.
    failure: Option<String>,
}

// === impl LeaseLock ===

impl LeaseLock {
    /// The Lease of this name. Nothing is sent yet.
    pub fn new(client: kube::Client, namespace: &str, name: &str) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            seen: None,
            failure: None,
        }
    }

    /// Asks the server.
    pub async fn ask(&mut self, request: &Request, timeout: Duration) -> Answer {
        let answer = match request {
            Request::Read => within(timeout, self.api.get(&self.name)).await,
            Request::Create(record) => {
                let lease = self.to_lease(record);
                within(timeout, self.api.create(&PostParams::default(), &lease)).await
            }
            Request::Renew(record) | Request::Take(record) => {
                let lease = self.to_lease(record);
                within(timeout, self.api.replace(&self.name, &PostParams::default(), &lease)).await
            }
        };
        match answer {
            Ok(lease) => {
                self.failure = None;
                let record = lease.spec.as_ref().map(to_record).unwrap_or_default();
                self.seen = Some(lease);
                if *request == Request::Read { Answer::Found(record) } else { Answer::Written }
            }
            Err(Failure::Gone) if *request == Request::Read => {
                self.seen = None;
                Answer::Missing
            }
            Err(failure) => {
                self.tell(&failure);
                Answer::Failed
            }
        }
    }

    /// Says when nobody holds the Lease, at once; a server that doesn't let us watch it says nothing.
    pub fn releases(&self) -> impl Stream<Item = ()> + Send + use<> {
        let api = self.api.clone();
        watcher::watch_object(api, &self.name).default_backoff().filter_map(async |seen| match seen {
            Ok(Some(lease)) => {
                let holder = lease.spec.and_then(|spec| spec.holder_identity).unwrap_or_default();
                holder.is_empty().then_some(())
            }
            Ok(None) => Some(()),
            Err(error) => {
                debug!(%error, "the lease is not watched; it is read now and then");
                None
            }
        })
    }

    /// The Lease with what it says replaced; what others wrote beside it stays.
    fn to_lease(&self, record: &Record) -> Lease {
        let metadata = self.seen.as_ref().map(|seen| seen.metadata.clone());
        let metadata = metadata.unwrap_or_else(|| ObjectMeta {
            namespace: Some(self.namespace.clone()),
            name: Some(self.name.clone()),
            ..ObjectMeta::default()
        });
        Lease { metadata, spec: Some(to_spec(record)) }
    }

    fn tell(&mut self, failure: &Failure) {
        let text = failure.to_string();
        // A lost race is how elections go.
        if matches!(failure, Failure::Conflict(_)) || self.failure.as_ref() == Some(&text) {
            debug!(lease = %self, error = %text, "the lease was not read or written");
            return;
        }
        match failure {
            Failure::Refused(_) => warn!(
                lease = %self,
                error = %text,
                "the lease can't be used: without it this replica binds nothing; allow get, create and update of \
                 it, name another by --leader-elect-resource-name and --leader-elect-resource-namespace, or, \
                 where there is one replica, set --leader-elect=false"
            ),
            Failure::Gone => {
                warn!(lease = %self, error = %text, "the lease can't be made: is its namespace there?");
            }
            Failure::Conflict(_) | Failure::Throttled { .. } | Failure::Unknown(_) | Failure::TimedOut(_) => {
                warn!(lease = %self, error = %text, "the lease was not read or written");
            }
        }
        self.failure = Some(text);
    }
}

impl fmt::Display for LeaseLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

fn to_record(spec: &LeaseSpec) -> Record {
    let seconds = spec.lease_duration_seconds.unwrap_or_default();
    Record {
        holder: spec.holder_identity.clone().unwrap_or_default(),
        duration: Duration::from_secs(u64::try_from(seconds).unwrap_or_default()),
        transitions: spec.lease_transitions.unwrap_or_default(),
        acquired: spec.acquire_time.as_ref().map(|time| time.0),
        renewed: spec.renew_time.as_ref().map(|time| time.0),
    }
}

fn to_spec(record: &Record) -> LeaseSpec {
    LeaseSpec {
        holder_identity: Some(record.holder.clone()),
        lease_duration_seconds: Some(i32::try_from(record.duration.as_secs()).unwrap_or(i32::MAX)),
        lease_transitions: Some(record.transitions),
        acquire_time: record.acquired.map(MicroTime),
        renew_time: record.renewed.map(MicroTime),
        ..LeaseSpec::default()
    }
}
