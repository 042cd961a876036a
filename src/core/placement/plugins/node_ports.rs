//! NodePorts (upstream: `plugins/nodeports`, `kube-scheduler/framework.HostPortInfo`).

use crate::model::{HostPort, Pod};
use crate::placement::{
    ClusterEvent, Cycle, NodeFilter, NodeView, Plugin, PreFilter, Reason, Rejection, Verdict,
};

/// Rejects nodes on which a host port of the pod is in use.
pub struct NodePorts;

const NO_FREE_PORTS: Reason = Reason::Fixed("node(s) didn't have free ports for the requested pod ports");

/// The address that stands for all addresses of a node. The IPv6 one doesn't, as upstream.
const ALL_ADDRESSES: &str = "0.0.0.0";

struct FreePorts<'a>(&'a [HostPort]);

fn any_conflict(wanted: &[HostPort], used: &[HostPort]) -> bool {
    used.iter().any(|used| wanted.iter().any(|wanted| conflict(wanted, used)))
}

fn conflict(a: &HostPort, b: &HostPort) -> bool {
    a.port == b.port
        && a.protocol == b.protocol
        && (a.ip == b.ip || &*a.ip == ALL_ADDRESSES || &*b.ip == ALL_ADDRESSES)
}

impl Plugin for NodePorts {
    fn name(&self) -> &'static str {
        "NodePorts"
    }

    fn pre_filter<'a>(&'a self, cycle: Cycle<'a>) -> PreFilter<'a> {
        if cycle.pod.ports.is_empty() {
            return PreFilter::Skip;
        }
        PreFilter::Check(Box::new(FreePorts(&cycle.pod.ports)))
    }

    fn cured_by(&self, pod: &Pod, event: &ClusterEvent<'_>) -> bool {
        match event {
            ClusterEvent::NodeAdded(_) => true,
            ClusterEvent::PodFreed(other) => any_conflict(&pod.ports, &other.ports),
            // A pod's ports never change.
            _ => false,
        }
    }
}

impl NodeFilter for FreePorts<'_> {
    fn filter(&self, node: NodeView<'_>) -> Verdict {
        if any_conflict(self.0, &node.usage.ports) {
            return Rejection::unschedulable(NO_FREE_PORTS).into();
        }
        Verdict::Fits
    }

    fn is_local(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use Protocol::{Sctp, Tcp, Udp};

    use super::*;
    use crate::model::Protocol;
    use crate::placement::testing::{filter, node, pod};

    type Port = (&'static str, Protocol, u16);

    const FITS: &str = "fits";
    const REJECTED: &str = "preemptible: node(s) didn't have free ports for the requested pod ports";

    fn with(ports: &[Port]) -> Pod {
        ports.iter().fold(pod("p"), |pod, (ip, protocol, port)| pod.port(ip, *protocol, *port)).build()
    }

    #[track_caller]
    fn check(wanted: &[Port], used: &[Port], expected: &str) {
        let node = node("n").with_pods(&[with(used)]);
        assert_eq!(filter(&NodePorts, &with(wanted), &node), expected, "{wanted:?} {used:?}");
        // What keeps the pod off is also what wakes it when it goes.
        let freed = NodePorts.cured_by(&with(wanted), &ClusterEvent::PodFreed(&with(used)));
        assert_eq!(freed, expected == REJECTED, "{wanted:?} {used:?}");
    }

    #[test]
    fn a_port_conflicts_on_the_same_address_and_protocol() {
        check(&[], &[("0.0.0.0", Tcp, 80)], FITS);
        check(&[("0.0.0.0", Tcp, 80)], &[], FITS);
        check(&[("0.0.0.0", Tcp, 80)], &[("0.0.0.0", Tcp, 80)], REJECTED);
        check(&[("0.0.0.0", Tcp, 80)], &[("0.0.0.0", Tcp, 81)], FITS);
        check(&[("0.0.0.0", Tcp, 80)], &[("0.0.0.0", Udp, 80)], FITS);
        check(&[("0.0.0.0", Sctp, 80)], &[("0.0.0.0", Udp, 80)], FITS);
        check(&[("10.0.0.1", Tcp, 80)], &[("10.0.0.1", Tcp, 80)], REJECTED);
        check(&[("10.0.0.1", Tcp, 80)], &[("10.0.0.2", Tcp, 80)], FITS);
    }

    #[test]
    fn the_wildcard_address_conflicts_with_every_other() {
        check(&[("0.0.0.0", Tcp, 80)], &[("10.0.0.1", Tcp, 80)], REJECTED);
        check(&[("10.0.0.1", Tcp, 80)], &[("0.0.0.0", Tcp, 80)], REJECTED);
        check(&[("::", Tcp, 80)], &[("10.0.0.1", Tcp, 80)], FITS);
    }

    #[test]
    fn one_conflict_among_several_ports_suffices() {
        let wanted = [("0.0.0.0", Tcp, 80), ("0.0.0.0", Udp, 53)];
        check(&wanted, &[("0.0.0.0", Tcp, 81), ("10.0.0.1", Udp, 53)], REJECTED);
        check(&wanted, &[("0.0.0.0", Tcp, 81), ("10.0.0.1", Tcp, 53)], FITS);
    }

    #[test]
    fn a_new_node_wakes_it_and_an_update_does_not() {
        let (wanted, node) = (with(&[("0.0.0.0", Tcp, 80)]), node("n").node);
        assert!(NodePorts.cured_by(&wanted, &ClusterEvent::NodeAdded(&node)));
        assert!(!NodePorts.cured_by(&wanted, &ClusterEvent::NodeUpdated { old: &node, new: &node }));
        assert!(!NodePorts.cured_by(&wanted, &ClusterEvent::PodPlaced(&wanted)));
    }
}
