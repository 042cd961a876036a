//! The objects of an installation on the server.

use edge_api::names::PLUGIN_MANAGER;
use http::{Method, Request};
use kube::Error;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Value, json};

use super::object::{Kind, Object};
use crate::cluster::{Cluster, is_not_found};

/// Reads and writes objects.
#[derive(Clone, Copy)]
pub(crate) struct Store<'a> {
    pub(crate) cluster: &'a Cluster,
}

/// Whether the server keeps what it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// It says what would come of it.
    DryRun,
    /// It does it.
    Real,
}

/// Whether what others said of a field is overruled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Force {
    /// A conflict is an error.
    No,
    /// Ours counts.
    Yes,
}

/// What is read of a list to count what is in it.
#[derive(Deserialize)]
struct Counted {
    #[serde(default)]
    metadata: ListMeta,
    /// The server writes `null` where there are none.
    items: Option<Vec<IgnoredAny>>,
}

#[derive(Default, Deserialize)]
struct ListMeta {
    #[serde(rename = "continue", default)]
    token: Option<String>,
}

// === impl Store ===

impl Store<'_> {
    /// What is at this path, if something is.
    pub(crate) async fn get(&self, path: &str) -> Result<Option<Value>, Error> {
        self.get_as(path).await
    }

    /// The same, where only some of it is of interest.
    pub(crate) async fn get_as<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, Error> {
        present(self.request(Method::GET, path, None, "application/json").await)
    }

    /// How many objects are at this path; nothing but their metadata is sent.
    pub(crate) async fn count(&self, path: &str, query: &str) -> Result<usize, Error> {
        const METADATA: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
        let mut count = 0;
        let mut token = String::new();
        loop {
            let uri = format!("{path}?limit=500&{query}{token}");
            let request = Request::get(uri).header("Accept", METADATA).body(Vec::new());
            let list: Counted = self.cluster.client.request(request.map_err(Error::HttpError)?).await?;
            count += list.items.map_or(0, |items| items.len());
            match list.metadata.token.filter(|it| !it.is_empty()) {
                Some(next) => token = format!("&continue={next}"),
                None => return Ok(count),
            }
        }
    }

    /// All objects at this path, in pages; none if the server does not know the kind.
    pub(crate) async fn list(&self, path: &str, query: &str) -> Result<Vec<Value>, Error> {
        let mut items = Vec::new();
        let mut token = String::new();
        loop {
            let page = format!("{path}?limit=500&{query}{token}");
            let Some(mut list) = self.get(&page).await? else { return Ok(items) };
            if let Some(Value::Array(page)) = list.get_mut("items").map(Value::take) {
                items.extend(page);
            }
            match list.pointer("/metadata/continue").and_then(Value::as_str) {
                Some(next) if !next.is_empty() => token = format!("&continue={next}"),
                _ => return Ok(items),
            }
        }
    }

    /// The objects of a kind that match, in all namespaces. Lists leave out what kind their items are.
    pub(crate) async fn objects(&self, kind: &Kind, query: &str) -> Result<Vec<Object>, Error> {
        let values = self.list(&kind.path(None), query).await?;
        let complete = values.into_iter().map(|mut value| {
            value["apiVersion"] = kind.api_version.into();
            value["kind"] = kind.name.into();
            value
        });
        Ok(complete.filter_map(|value| Object::new(value).ok()).collect())
    }

    /// Applies an object under the plugin's field manager; what it is then.
    pub(crate) async fn apply(&self, object: &Object, mode: Mode, force: Force) -> Result<Value, Error> {
        let force = force == Force::Yes;
        let path = format!(
            "{}?fieldManager={PLUGIN_MANAGER}&force={force}{}",
            object.path(),
            if mode == Mode::DryRun { "&dryRun=All" } else { "" }
        );
        let body = Some(object.value());
        self.request(Method::PATCH, &path, body, "application/apply-patch+yaml").await
    }

    /// Changes parts of an object; what it is then.
    pub(crate) async fn merge(&self, path: &str, part: &Value, mode: Mode) -> Result<Value, Error> {
        let dry_run = if mode == Mode::DryRun { "&dryRun=All" } else { "" };
        let path = format!("{path}?fieldManager={PLUGIN_MANAGER}{dry_run}");
        self.request(Method::PATCH, &path, Some(part), "application/merge-patch+json").await
    }

    /// Deletes what is at this path, and what it owns before itself; whether it was there.
    pub(crate) async fn delete(&self, path: &str, mode: Mode) -> Result<bool, Error> {
        // With options in the body, the server passes over those of the address.
        let dry_run: &[&str] = if mode == Mode::DryRun { &["All"] } else { &[] };
        let options = json!({
            "apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Foreground", "dryRun": dry_run,
        });
        let answer: Result<Value, Error> =
            self.request(Method::DELETE, path, Some(&options), "application/json").await;
        Ok(present(answer)?.is_some())
    }

    /// Whether this user may do something.
    pub(crate) async fn may(&self, verb: &str, kind: &Kind, namespace: Option<&str>) -> Result<bool, Error> {
        let attributes = json!({
            "verb": verb, "group": kind.group(), "resource": kind.plural, "namespace": namespace.unwrap_or_default(),
        });
        let review = json!({
            "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        });
        let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
        let answer: Value = self.request(Method::POST, path, Some(&review), "application/json").await?;
        Ok(answer.pointer("/status/allowed").and_then(Value::as_bool).unwrap_or_default())
    }

    async fn request<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        content_type: &str,
    ) -> Result<T, Error> {
        let body = body.map(serde_json::to_vec).transpose().map_err(Error::SerdeError)?;
        let request = Request::builder().method(method).uri(path).header("Content-Type", content_type);
        let request = request.body(body.unwrap_or_default()).map_err(Error::HttpError)?;
        self.cluster.client.request(request).await
    }
}

fn present<T>(answer: Result<T, Error>) -> Result<Option<T>, Error> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(error) if is_not_found(&error) => Ok(None),
        Err(error) => Err(error),
    }
}
