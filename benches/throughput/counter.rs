//! Sees bindings happen, at little cost.
//!
//! One raw watch on pods that have a node, from before the scheduler starts. Each binding makes one line, and the lines
//! are counted without being read: nothing is decoded, nothing kept. The API server has to filter and send one more
//! event a pod; its JSON is encoded once for all watchers that want JSON. That is the same for every contender.

use std::io;
use std::path::Path;
use std::pin::Pin;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use futures::{AsyncBufRead, AsyncBufReadExt};
use kube::api::ListParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::Request;
use tokio::runtime;
use tokio::time::timeout;

use crate::bed::PODS;
use crate::say;

/// Counts in a thread of its own.
#[derive(Debug)]
pub(crate) struct Counter {
    thread: JoinHandle<anyhow::Result<Window>>,
}

/// When pods were bound.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    /// When the first binding was seen.
    pub(crate) first: Instant,
    /// When the last one was seen.
    pub(crate) last: Instant,
}

/// After this time without a binding nobody waits any longer.
const STALLED: Duration = Duration::from_mins(1);

/// What came of reading.
enum Read {
    Lines(usize),
    End,
}

/// A watch on pods that have a node.
struct Watch {
    client: kube::Client,
    stream: Pin<Box<dyn AsyncBufRead + Send>>,
}

// === impl Counter ===

impl Counter {
    /// Opens the watch, and returns once it stands; then waits for so many bindings.
    pub(crate) fn start(kubeconfig: &Path, version: &str, pods: usize) -> anyhow::Result<Self> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let watch = runtime.block_on(Watch::open(kubeconfig, version))?;
        Ok(Self { thread: thread::spawn(move || runtime.block_on(watch.count(pods))) })
    }

    /// Waits until all pods are bound.
    pub(crate) fn finish(self) -> anyhow::Result<Window> {
        self.thread.join().map_err(|_| anyhow!("the counting thread panicked"))?
    }
}

/// The client of the administrator.
pub(crate) async fn connect(kubeconfig: &Path) -> anyhow::Result<kube::Client> {
    let kubeconfig = Kubeconfig::read_from(kubeconfig)?;
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    Ok(kube::Client::try_from(config)?)
}

// === impl Watch ===

impl Watch {
    /// From a version of the store on.
    async fn open(kubeconfig: &Path, version: &str) -> anyhow::Result<Self> {
        let client = connect(kubeconfig).await?;
        let stream = Self::stream(&client, &format!("resourceVersion={version}")).await?;
        Ok(Self { client, stream })
    }

    async fn stream(client: &kube::Client, from: &str) -> anyhow::Result<Pin<Box<dyn AsyncBufRead + Send>>> {
        let mut request = Request::new(PODS).list(&ListParams::default())?;
        let bound = "watch=true&fieldSelector=spec.nodeName%21%3D&timeoutSeconds=3600";
        *request.uri_mut() = format!("{PODS}?{bound}&{from}").parse()?;
        Ok(Box::pin(client.request_stream(request).await?))
    }

    async fn count(mut self, pods: usize) -> anyhow::Result<Window> {
        let mut window: Option<Window> = None;
        let mut seen = 0;
        while seen < pods {
            let read = timeout(STALLED, self.lines()).await;
            let read =
                read.with_context(|| format!("no binding for {STALLED:?}; {seen} of {pods} pods are bound"))?;
            match read.context("the watch that counts bindings broke")? {
                Read::Lines(0) => (),
                Read::Lines(lines) => {
                    seen += lines;
                    let now = Instant::now();
                    window.get_or_insert(Window { first: now, last: now }).last = now;
                }
                Read::End => {
                    // Servers end the watch of a reader that is too slow. Without a version they tell all that is
                    // bound already.
                    say(&format!("counting begins anew after {seen} bindings"));
                    seen = 0;
                    self.stream = Self::stream(&self.client, "").await?;
                }
            }
        }
        window.context("there are no pods to bind")
    }

    async fn lines(&mut self) -> io::Result<Read> {
        let bytes = self.stream.fill_buf().await?;
        let len = bytes.len();
        #[expect(clippy::naive_bytecount, reason = "a kilobyte a pod takes less than a microsecond")]
        let lines = bytes.iter().filter(|byte| **byte == b'\n').count();
        self.stream.consume_unpin(len);
        Ok(if len == 0 { Read::End } else { Read::Lines(lines) })
    }
}
