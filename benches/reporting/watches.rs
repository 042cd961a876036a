//! The watches that some of the agents have of their own objects.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http_body_util::BodyExt;
use kube::Client;
use kube::client::Body;
use tokio::task::JoinSet;

use crate::bed::{NODE_DELAYS, as_agent, name};

/// Watches of the first nodes; they end with the value.
pub(crate) struct Watches {
    seen: Arc<Seen>,
    _tasks: JoinSet<anyhow::Result<()>>,
}

#[derive(Default)]
struct Seen {
    events: AtomicU64,
    bytes: AtomicU64,
}

// === impl Watches ===

impl Watches {
    pub(crate) fn begin(client: &Client, count: usize) -> Self {
        let seen = Arc::<Seen>::default();
        let mut tasks = JoinSet::new();
        for idx in 0..count {
            tasks.spawn(watch(client.clone(), name(idx), Arc::clone(&seen)));
        }
        Self { seen, _tasks: tasks }
    }

    /// How many events they saw so far, and of how many bytes.
    pub(crate) fn seen(&self) -> (u64, u64) {
        (self.seen.events.load(Ordering::Relaxed), self.seen.bytes.load(Ordering::Relaxed))
    }
}

async fn watch(client: Client, node: String, seen: Arc<Seen>) -> anyhow::Result<()> {
    loop {
        let uri = format!("{NODE_DELAYS}?watch=1&resourceVersion=0&fieldSelector=metadata.name%3D{node}");
        let request = as_agent(http::Request::get(uri), &node).body(Body::empty())?;
        let mut body = client.send(request).await?.into_body();
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame?.into_data() else { continue };
            // Each event is a line.
            let lines = data.split(|byte| *byte == b'\n').count() - 1;
            seen.events.fetch_add(u64::try_from(lines)?, Ordering::Relaxed);
            seen.bytes.fetch_add(u64::try_from(data.len())?, Ordering::Relaxed);
        }
    }
}
