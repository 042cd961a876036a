//! The connection to the cluster, made as kubectl makes it.
//!
//! ```text
//! files      the kubeconfig files, merged
//! effective  what they and the flags come to: cluster, user, namespace
//! credentials  keys, certificates and tokens, read
//! proxy      whether there is a proxy on the way
//! exchange   around every request: time-out, warnings, the log of -v
//! problem    what an error means to the user
//! ```

mod effective;
mod exchange;
mod files;
mod gaps;
mod problem;
mod proxy;

pub(crate) use gaps::Gaps;
pub(crate) use problem::{Problem, is_forbidden, is_not_found};

use std::fmt::Debug;

use kube::api::{Api, ListParams};
use kube::client::ClientBuilder;
use kube::core::PartialObjectMeta;
use serde::de::DeserializeOwned;

use crate::args::Connection;
use crate::failure::Failure;
use crate::talk::Talk;
use exchange::Exchange;

/// A cluster.
#[derive(Clone)]
pub(crate) struct Cluster {
    /// For requests.
    pub(crate) client: kube::Client,
    /// The namespace that was asked for, else that of the context, else `default`.
    pub(crate) namespace: String,
    /// The kubeconfig context; none in a pod, or where flags say it all.
    pub(crate) context: Option<String>,
    /// The API server's address.
    pub(crate) server: String,
}

/// How many objects are asked for at once, as kubectl does.
const PAGE: u32 = 500;

/// The namespace that these flags and the kubeconfig files come to.
pub(crate) fn namespace(flags: &Connection) -> Result<String, Failure> {
    Ok(effective::Effective::load(flags)?.namespace)
}

// === impl Cluster ===

impl Cluster {
    /// A connection to the cluster that the flags and kubeconfig files name. A credential plugin is run; nothing
    /// is sent to the server yet.
    pub(crate) async fn connect(flags: &Connection, name: &str, talk: &Talk) -> Result<Self, Failure> {
        let effective = effective::Effective::load(flags)?;
        let server = effective.server();
        let (namespace, context) = (effective.namespace.clone(), effective.context.clone());
        let config = effective.into_config(name)?;
        let exchange = Exchange::new(talk, flags.request_timeout, flags.v.unwrap_or_default());
        // A credential plugin runs until it ends, and may ask the user something.
        let built = tokio::task::spawn_blocking(move || ClientBuilder::try_from(config)).await?;
        let client = built.problem(&server)?.with_layer(&exchange).build();
        Ok(Self { client, namespace, context, server })
    }

    /// All objects, in pages.
    pub(crate) async fn list<K>(&self, api: &Api<K>, params: ListParams) -> Result<Vec<K>, kube::Error>
    where
        K: Clone + DeserializeOwned + Debug,
    {
        let mut params = params.limit(PAGE);
        let mut objects = Vec::new();
        loop {
            let page = api.list(&params).await?;
            objects.extend(page.items);
            match page.metadata.continue_.filter(|it| !it.is_empty()) {
                Some(token) => params = params.continue_token(&token),
                None => return Ok(objects),
            }
        }
    }

    /// Metadata alone of all objects, in pages.
    pub(crate) async fn list_metadata<K>(
        &self,
        api: &Api<K>,
        params: ListParams,
    ) -> Result<Vec<PartialObjectMeta<K>>, kube::Error>
    where
        K: Clone + DeserializeOwned + Debug,
    {
        let mut params = params.limit(PAGE);
        let mut objects = Vec::new();
        loop {
            let page = api.list_metadata(&params).await?;
            objects.extend(page.items);
            match page.metadata.continue_.filter(|it| !it.is_empty()) {
                Some(token) => params = params.continue_token(&token),
                None => return Ok(objects),
            }
        }
    }

    /// An error of this cluster as the user should see it.
    pub(crate) fn problem(&self, error: kube::Error) -> Failure {
        problem::failure(error, &self.server)
    }
}
