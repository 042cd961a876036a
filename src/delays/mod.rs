//! Sources of delays. A source is one file here and one variant of [`Source`], which the configuration has.

mod file;
mod goldpinger;

use edge_core::delay::DelayRow;
use edge_core::model::NodeName;
use edge_core::state::Event;
use tokio::sync::{mpsc, watch};

use crate::cluster::Directory;
use crate::survey::Publisher;

pub use edge_config::{FileSource, GoldpingerSource, Source};

/// The scheduler does not listen any more.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("nobody takes the delays any more")]
pub struct Closed;

/// How a source talks with the scheduler.
#[derive(Clone, Debug)]
pub struct Link {
    /// The nodes whose delays are in use.
    pub in_use: watch::Receiver<Vec<NodeName>>,
    /// Where rows go.
    pub events: mpsc::Sender<Event>,
    /// Where it is told what is to be seen as `NodeDelays`.
    pub publisher: Publisher,
    /// Where those are found who are asked.
    pub directory: Directory,
}

/// Serves rows until the scheduler ends: one for each node whose delays come into use, at once, an empty one if
/// nothing is known, and one for each that changes.
pub async fn serve(sources: &[Source], link: Link) -> Closed {
    let file = sources.iter().find_map(|source| match source {
        Source::File(file) => Some(file.clone()),
        Source::Probe | Source::Goldpinger(_) => None,
    });
    let goldpinger = sources.iter().find_map(|source| match source {
        Source::Goldpinger(goldpinger) => Some(goldpinger.clone()),
        Source::Probe | Source::File(_) => None,
    });
    let asked = link.clone();
    let asking = async {
        match goldpinger {
            Some(goldpinger) => goldpinger::run(goldpinger, &asked).await,
            None => std::future::pending().await,
        }
    };
    let rows = async {
        match file {
            Some(file) => file::run(file, link).await,
            // What is measured comes as it comes: nobody waits for it.
            None => serve_nothing(link).await,
        }
    };
    let ended = tokio::select! {
        ended = rows => ended,
        ended = asking => ended,
    };
    match ended {
        Ok(never) => match never {},
        Err(closed) => closed,
    }
}

// === impl Link ===

impl Link {
    async fn send(&self, rows: Vec<DelayRow>) -> Result<(), Closed> {
        if rows.is_empty() {
            return Ok(());
        }
        self.events.send(Event::Delays(rows)).await.map_err(|_| Closed)
    }

    /// Says that nothing is known of the delays from these nodes.
    async fn send_unknown(&self, from: impl IntoIterator<Item = NodeName>) -> Result<(), Closed> {
        self.send(from.into_iter().map(|from| DelayRow { from, to: Vec::new() }).collect()).await
    }
}

async fn serve_nothing(mut link: Link) -> Result<std::convert::Infallible, Closed> {
    loop {
        link.in_use.changed().await.map_err(|_| Closed)?;
        let names = link.in_use.borrow_and_update().clone();
        link.send_unknown(names).await?;
    }
}
