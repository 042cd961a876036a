//! Hosts in network namespaces, joined by links whose delay, jitter and loss are set, for tests and benchmarks.
//!
//! ```no_run
//! use links::{HostSpec, Link, Network, round_trips, icmp_echo};
//! use std::time::Duration;
//!
//! # fn main() -> Result<(), links::Error> {
//! let network = Network::start(1, &[HostSpec::new("a"), HostSpec::new("b")])?;
//! network.set_both("a", "b", Link::with_delay(Duration::from_millis(10)))?;
//! let b = network.host("b")?.v4().to_string();
//! network.host("a")?.run("ping", &["-c", "5", &b])?;
//! for trip in round_trips(&network.take_record()?, icmp_echo) {
//!     println!("{:?}", trip.given()); // 20 ms and a little
//! }
//! # Ok(())
//! # }
//! ```
//!
//! The kernel here can't delay packets (netem is a module that many machines lack), so a thread of the program does:
//! every host has a TUN device, whose packets the thread reads, keeps for as long as the link says, and writes to the
//! device of the host they are for. What it really did with each packet is recorded, so that somebody who measures
//! delays can be compared with the delays that were given to the very same packets.
//!
//! The namespaces have no names and no files: the kernel drops them, and the programs in them, when the program that made
//! them ends, however it ends.
//!
//! | module | subject |
//! |---|---|
//! | `network` | hosts and links: started, changed, read |
//! | `host` | a network namespace with a thread in it, and what runs there |
//! | `forwarder` | the thread that reads, waits and writes |
//! | `hold` | pure: what becomes of a packet, and when |
//! | `link` | pure: the properties of a link, and its dice |
//! | `route` | pure: whose an address is |
//! | `packet` | pure: reading the headers of IP, UDP, TCP and ICMP |
//! | `relay` | a server of the machine, lent to a host |
//! | `record` | what was done with each packet |
//! | `round_trip` | pure: requests and replies of the record put together |
//! | `summary` | pure: percentiles |

mod error;
mod forwarder;
mod hold;
mod host;
mod link;
mod network;
mod packet;
mod record;
mod relay;
mod round_trip;
mod route;
mod summary;

pub use error::Error;
pub use host::{Host, HostSpec, Place, Running};
pub use link::{Link, Loss};
pub use network::Network;
pub use packet::{Flow, Protocol};
pub use record::{Fate, Passage, bytes_sent, lateness};
pub use relay::Relay;
pub use round_trip::{Leg, RoundTrip, icmp_echo, round_trips, tcp_connect, udp};
pub use summary::Summary;
