//! What a node has that DPDK needs.

use k8s_openapi::api::core::v1::Node;

/// Words in the names of device resources that user-space drivers take packets from.
const DEVICES: [&str; 3] = ["dpdk", "sriov", "vfio"];

/// What a node has that DPDK needs.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Equipment {
    huge_pages: Vec<String>,
    devices: Vec<String>,
}

// === impl Equipment ===

impl Equipment {
    /// What the node has; none if it has nothing of the kind.
    pub(super) fn of(node: &Node) -> Option<Self> {
        let allocatable = node.status.as_ref()?.allocatable.as_ref()?;
        let present = allocatable.iter().filter(|(_, amount)| amount.0 != "0");
        let (mut huge_pages, mut devices) = (Vec::new(), Vec::new());
        for (name, amount) in present {
            let shown = format!("{name}={}", amount.0);
            if name.starts_with("hugepages-") {
                huge_pages.push(shown);
            } else if DEVICES.iter().any(|word| name.to_lowercase().contains(word)) {
                devices.push(shown);
            }
        }
        (!huge_pages.is_empty() || !devices.is_empty()).then_some(Self { huge_pages, devices })
    }

    /// What it lacks.
    pub(super) fn lack(&self) -> Option<&'static str> {
        match (self.huge_pages.is_empty(), self.devices.is_empty()) {
            (false, false) => None,
            (false, true) => Some("huge pages, but no DPDK, SR-IOV or VFIO device"),
            (true, _) => Some("a device, but no huge pages"),
        }
    }

    /// What it has.
    pub(super) fn describe(&self) -> String {
        [&self.huge_pages[..], &self.devices[..]].concat().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(allocatable: &serde_json::Value, expected: Option<(&str, Option<&str>)>) {
        let node = serde_json::json!({"metadata": {"name": "n"}, "status": {"allocatable": allocatable}});
        let equipment = Equipment::of(&serde_json::from_value(node).unwrap());
        let seen = equipment.as_ref().map(|it| (it.describe(), it.lack()));
        assert_eq!(seen, expected.map(|(text, lack)| (text.to_owned(), lack)));
    }

    #[test]
    fn dpdk_needs_huge_pages_and_a_device() {
        let both = serde_json::json!({"cpu": "4", "hugepages-1Gi": "8Gi", "intel.com/dpdk_port": "2"});
        check(&both, Some(("hugepages-1Gi=8Gi, intel.com/dpdk_port=2", None)));
        let pages = serde_json::json!({"hugepages-2Mi": "1Gi"});
        check(&pages, Some(("hugepages-2Mi=1Gi", Some("huge pages, but no DPDK, SR-IOV or VFIO device"))));
        let none = serde_json::json!({"cpu": "4", "hugepages-2Mi": "0", "nvidia.com/gpu": "1"});
        check(&none, None);
    }
}
