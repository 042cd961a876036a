//! Sources of delays. A source is one file here and one variant of [`Source`].

mod file;

use edge_core::delay::DelayRow;
use edge_core::model::NodeName;
use edge_core::state::Event;
use tokio::sync::{mpsc, watch};

pub use file::FileSource;

/// Where delays come from.
///
/// A source is told which nodes' delays are in use, and sends a row for each new one at once, an empty
/// one if it knows nothing, and for each one that changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Nowhere: every delay but that of a node to itself is unknown.
    None,
    /// A matrix and its metadata, in the BME formats.
    File(FileSource),
}

/// The scheduler does not listen any more.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("nobody takes the delays any more")]
pub struct Closed;

/// How a source talks with the scheduler.
#[derive(Debug)]
pub struct Link {
    /// The nodes whose delays are in use.
    pub in_use: watch::Receiver<Vec<NodeName>>,
    /// Where rows go.
    pub events: mpsc::Sender<Event>,
}

// === impl Source ===

impl Source {
    /// Serves rows until the scheduler ends.
    pub async fn run(self, link: Link) -> Closed {
        let ended = match self {
            Self::None => serve_nothing(link).await,
            Self::File(source) => source.run(link).await,
        };
        match ended {
            Ok(never) => match never {},
            Err(closed) => closed,
        }
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
