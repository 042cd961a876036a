//! The shape of a real node.

use crate::proc::Bytes;
use serde_json::{Map, Value};

/// A real node to be started: a kubelet and containerd in namespaces of their own.
///
/// Until told otherwise pods may have all processors and all memory of this machine, as on every other real node of it.
#[derive(Clone, Debug)]
pub struct RealNode {
    pub(crate) name: String,
    pub(crate) labels: Map<String, Value>,
    pub(crate) milli_cpu: Option<u64>,
    pub(crate) memory: Option<Bytes>,
    pub(crate) pods: u32,
}

// === impl RealNode ===

impl RealNode {
    /// A node with this name.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), labels: Map::new(), milli_cpu: None, memory: None, pods: 110 }
    }

    /// Sets a label.
    #[must_use]
    pub fn label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.insert(key.into(), value.into().into());
        self
    }

    /// Sets what pods may request of the processors, in thousandths of one.
    #[must_use]
    pub fn milli_cpu(mut self, amount: u64) -> Self {
        self.milli_cpu = Some(amount);
        self
    }

    /// Sets what pods may request of the memory.
    #[must_use]
    pub fn memory(mut self, amount: Bytes) -> Self {
        self.memory = Some(amount);
        self
    }

    /// Sets the number of pods there is room for.
    #[must_use]
    pub fn pods(mut self, count: u32) -> Self {
        self.pods = count;
        self
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }
}
