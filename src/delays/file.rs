//! Delays from a matrix file and its metadata, read again when they change.

use std::collections::HashSet;
use std::convert::Infallible;
use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use edge_core::delay::file::{FileError, InputFile, read_rows};
use edge_core::delay::{DelayRow, DelaySource, Measurement, Report, Statistics};
use edge_core::model::NodeName;
use tokio::time::Instant;
use tracing::{debug, error, info, warn};

use super::{Closed, FileSource, Link};

/// How often the files are looked at. Looking is cheap, and unlike a notification it also sees the
/// swapped symbolic links by which a `ConfigMap` volume changes.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// For how many looks in a row a file has to be missing before its delays are given up: replacing a
/// file may take it away for a moment.
const MISSING_LOOKS: u32 = 3;
/// The pods of a backlog name their anchors one after the other, and each reading takes about four nanoseconds a byte. A
/// quarter of that is waited for others that ask too, but no longer than this.
const LONGEST_GATHERING: Duration = Duration::from_millis(250);

/// Why no rows could be read.
#[derive(Debug, thiserror::Error)]
enum ReadError {
    /// A file is not there; the delays may have been taken away.
    #[error("{0} is not there")]
    Missing(PathBuf),
    /// A file can't be read now.
    #[error("{0} can't be read: {1}")]
    Unreadable(PathBuf, #[source] io::Error),
    /// A file is not as it must be; what was read before stays in force.
    #[error("{0}")]
    Malformed(String),
}

/// What tells one content of a file from another without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    len: u64,
}

/// What is known of the files between two looks.
#[derive(Debug, Default)]
struct Reader {
    /// The nodes whose rows were sent.
    served: HashSet<NodeName>,
    /// The files as last read, well or not.
    seen: Option<[Option<Stamp>; 2]>,
    /// The last complaint, so that each is made once.
    complaint: Option<String>,
    missing_looks: u32,
}

/// Serves the rows of these files until the scheduler ends.
pub(super) async fn run(source: FileSource, mut link: Link) -> Result<Infallible, Closed> {
    let mut reader = Reader::default();
    // Who waits at the start asks before the first tick, so that one reading does for all.
    let mut ticks = tokio::time::interval_at(Instant::now() + POLL_INTERVAL, POLL_INTERVAL);
    loop {
        tokio::select! {
            changed = link.in_use.changed() => {
                changed.map_err(|_| Closed)?;
                tokio::time::sleep(gathering(&source)).await;
            }
            _ = ticks.tick() => (),
        }
        let in_use = link.in_use.borrow_and_update().clone();
        reader.look(&source, in_use, &link).await?;
    }
}

/// How long others that ask are waited for.
fn gathering(source: &FileSource) -> Duration {
    let len = Stamp::of(&source.matrix).map_or(0, |stamp| stamp.len);
    Duration::from_nanos(len).min(LONGEST_GATHERING)
}

fn read(source: &FileSource, wanted: &[NodeName]) -> Result<Vec<DelayRow>, ReadError> {
    let FileSource { matrix, metadata } = source;
    let text = fs::read_to_string(metadata).map_err(|error| ReadError::of(metadata, error))?;
    let opened = File::open(matrix).map_err(|error| ReadError::of(matrix, error))?;
    read_rows(BufReader::with_capacity(1 << 16, opened), &text, wanted)
        .map_err(|error| malformed(source, &error))
}

fn malformed(source: &FileSource, error: &FileError) -> ReadError {
    let path = if error.file == InputFile::Metadata { &source.metadata } else { &source.matrix };
    ReadError::Malformed(error.within(&path.display().to_string()))
}

// === impl Stamp ===

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok()?;
        Some(Self { modified: metadata.modified().ok(), len: metadata.len() })
    }
}

// === impl ReadError ===

impl ReadError {
    fn of(path: &Path, error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::Missing(path.to_owned()),
            _ => Self::Unreadable(path.to_owned(), error),
        }
    }
}

// === impl Reader ===

impl Reader {
    /// Reads what is new: all rows in use if a file changed, else those that came into use.
    async fn look(&mut self, source: &FileSource, in_use: Vec<NodeName>, link: &Link) -> Result<(), Closed> {
        let stamps = [Stamp::of(&source.matrix), Stamp::of(&source.metadata)];
        let changed = self.seen != Some(stamps) || self.missing_looks > 0;
        let unused = self.served.iter().filter(|name| !in_use.contains(name)).cloned();
        unused.for_each(|from| link.publisher.publish(report(&DelayRow { from, to: Vec::new() })));
        self.served.retain(|name| in_use.contains(name));
        let mut wanted = in_use;
        if !changed {
            wanted.retain(|name| !self.served.contains(name));
            if wanted.is_empty() {
                return Ok(());
            }
        }
        self.seen = Some(stamps);
        debug!(rows = wanted.len(), "reading the delay files");
        let (read, wanted) = read_aside(source.clone(), wanted).await;
        match read {
            Ok(rows) => self.serve(rows, link).await,
            Err(error) => self.complain(error, wanted, link).await,
        }
    }

    async fn serve(&mut self, rows: Vec<DelayRow>, link: &Link) -> Result<(), Closed> {
        self.missing_looks = 0;
        if self.complaint.take().is_some() {
            info!("the delay files are good again");
        }
        self.served.extend(rows.iter().map(|row| row.from.clone()));
        for row in &rows {
            link.publisher.publish(report(row));
        }
        link.send(rows).await
    }

    /// What was sent before stays in force, unless the files have been away for a while. Of what was
    /// never sent nothing is known.
    async fn complain(&mut self, error: ReadError, wanted: Vec<NodeName>, link: &Link) -> Result<(), Closed> {
        let text = error.to_string();
        if self.complaint.as_ref() != Some(&text) {
            error!(error = %text, "the delay files can't be used; the delays read before stay in force");
        }
        self.complaint = Some(text);
        let missing = matches!(error, ReadError::Missing(_));
        self.missing_looks = if missing { self.missing_looks.saturating_add(1) } else { 0 };
        if self.missing_looks == MISSING_LOOKS {
            warn!("the delay files were taken away; their delays are unknown from now on");
            self.served.clear();
        }
        let unknown: Vec<NodeName> = wanted.into_iter().filter(|name| !self.served.contains(name)).collect();
        self.served.extend(unknown.iter().cloned());
        link.send_unknown(unknown).await
    }
}

/// A row of the matrix, as what was measured: one value of which nothing else is known.
fn report(row: &DelayRow) -> Report {
    let rows = row.to.iter().map(|(peer, delay)| {
        let statistics =
            Statistics { min: Some(*delay), p50: Some(*delay), samples: 1, ..Statistics::default() };
        Measurement { peer: peer.clone(), statistics }
    });
    let source = DelaySource::File;
    Report { from: row.from.clone(), source, every: None, starved: false, rows: rows.collect() }
}

/// Reads aside, because a large matrix takes a second.
async fn read_aside(
    source: FileSource,
    wanted: Vec<NodeName>,
) -> (Result<Vec<DelayRow>, ReadError>, Vec<NodeName>) {
    let path = source.matrix.clone();
    let reading = tokio::task::spawn_blocking(move || {
        let read = read(&source, &wanted);
        (read, wanted)
    });
    match reading.await {
        Ok(read) => read,
        Err(error) => (Err(ReadError::Unreadable(path, io::Error::other(error))), Vec::new()),
    }
}
