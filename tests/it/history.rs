//! All that a watch told, from the first moment to the last: claims about every moment are judged by that, not by samples.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use controlplane::Client;
use serde_json::Value;

/// A watch that goes on until it is ended.
pub(crate) struct History {
    ends: Arc<AtomicBool>,
    watcher: Option<JoinHandle<Vec<Change>>>,
}

/// What became of an object.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) object: Value,
    /// When: versions of all kinds of objects grow together.
    pub(crate) version: u64,
    /// Whether it is gone; this was its last state.
    pub(crate) is_gone: bool,
}

// === impl History ===

impl History {
    /// Begins to watch the objects of this path, with what there is.
    pub(crate) fn begin(client: &Client, path: &str) -> Self {
        let (client, path) = (client.clone(), path.to_owned());
        let listed = client.get(&path).unwrap();
        let ends = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&ends);
        let watcher = std::thread::spawn(move || {
            let mut from = version(&listed);
            let there = listed["items"].as_array().unwrap().iter();
            let there = there.map(|it| Change { object: it.clone(), version: version(it), is_gone: false });
            let mut changes: Vec<Change> = there.collect();
            loop {
                // What is told after this was asked is told by the watch that is the last one.
                let is_last = told.load(Ordering::SeqCst);
                let watch = format!(
                    "{path}?watch=true&resourceVersion={from}&timeoutSeconds=1&allowWatchBookmarks=true"
                );
                match client.get(&watch) {
                    Ok(events) => changes.extend(read(&events, &mut from)),
                    Err(error) => assert!(!is_last, "{error}"),
                }
                if is_last {
                    return changes;
                }
            }
        });
        Self { ends, watcher: Some(watcher) }
    }

    /// All that was told up to now.
    pub(crate) fn end(mut self) -> Vec<Change> {
        self.ends.store(true, Ordering::SeqCst);
        self.watcher.take().unwrap().join().unwrap()
    }
}

impl Drop for History {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::SeqCst);
    }
}

/// The version of an object or a list.
pub(crate) fn version(object: &Value) -> u64 {
    object["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap()
}

/// The changes among the events of one watch, a line each.
fn read(events: &Value, from: &mut u64) -> Vec<Change> {
    let events: Vec<Value> = match events {
        Value::String(lines) => lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect(),
        one => vec![one.clone()],
    };
    let mut changes = Vec::new();
    for mut event in events {
        let kind = event["type"].as_str().unwrap().to_owned();
        assert_ne!(kind, "ERROR", "{event}");
        let object = event["object"].take();
        *from = version(&object);
        if kind != "BOOKMARK" {
            changes.push(Change { version: *from, object, is_gone: kind == "DELETED" });
        }
    }
    changes
}
