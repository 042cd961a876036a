//! Sender and echo together, on the loopback interface.

use std::net::SocketAddr;
use std::time::Duration;

use edge_api::Transport;
use edge_core::model::NodeName;
use edge_core::probe::{BURST, PERIOD, PeerPlan};
use tokio::sync::mpsc;

use super::counters::Counters;
use super::keys::Keyring;
use super::sender::{self, Order, Settings, Targets, Told};
use super::{echo, socket};

/// How many of the first burst were answered.
fn answered(transport: Transport, address: SocketAddr, name: &str, keyring: Keyring) -> usize {
    let settings = Settings {
        me: NodeName::from("a"),
        transport,
        timeout: Duration::from_millis(900),
        keyring,
        tells_records: true,
        counters: Counters::default(),
    };
    let (to, mut told) = mpsc::unbounded_channel();
    let sender = sender::start(settings, to).unwrap();
    let name = NodeName::from(name);
    let mut targets = Targets::default();
    targets.peers.insert(name.clone(), address);
    targets.plan.peers.push(PeerPlan { name, period: PERIOD, bounds: Box::default() });
    sender.order(Order::Follow(targets));
    let records = std::iter::from_fn(|| told.blocking_recv()).filter_map(|told| match told {
        Told::Record(record) => Some(record.outcome.sample),
        Told::Statement(_) => None,
    });
    records.take(BURST.into()).filter(|sample| sample.delay().is_some()).count()
}

#[test]
fn probes_are_answered_over_both_address_families() {
    let keyring = Keyring::own();
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let address: SocketAddr = address.parse().unwrap();
        let bound =
            echo::start(&NodeName::from("b"), &[address], keyring.clone(), Counters::default()).unwrap();
        assert_eq!(answered(Transport::Udp, bound[0], "b", keyring.clone()), 8, "{address}");
        let listener = socket::listen(address).unwrap();
        let connected = answered(Transport::Tcp, listener.local_addr().unwrap(), "b", Keyring::own());
        assert_eq!(connected, 8, "{address}");
    }
}

#[test]
fn who_has_another_key_or_name_or_refuses_has_not_answered() {
    let keyring = Keyring::own();
    let address: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let bound =
        echo::start(&NodeName::from("b"), &[address], keyring.clone(), Counters::default()).unwrap()[0];
    std::thread::scope(|scope| {
        for (transport, name, keyring) in [
            (Transport::Udp, "c", keyring),
            (Transport::Udp, "b", Keyring::own()),
            (Transport::Tcp, "b", Keyring::own()),
        ] {
            scope.spawn(move || {
                assert_eq!(answered(transport, bound, name, keyring), 0, "{transport:?} {name}");
            });
        }
    });
}
