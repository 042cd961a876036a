//! A real Kubernetes control plane for tests, the demo and benchmarks, started by one call.
//!
//! ```no_run
//! use controlplane::{ControlPlane, FakeNode, Options};
//!
//! # fn main() -> Result<(), controlplane::Error> {
//! let cluster = ControlPlane::start(Options { kwok: true, ..Options::default() })?;
//! cluster.add_nodes(&[FakeNode::new("edge-1").cpu("2").memory("4Gi").label("zone", "a")])?;
//! println!("{}", cluster.kubectl(&["get", "nodes"])?);
//! # Ok(())
//! # }
//! ```
//!
//! etcd, kube-apiserver, kube-controller-manager, kube-scheduler, KWOK, and for real nodes the kubelet and containerd, are built from the pinned Go modules in
//! `tools/`, once, into a cache outside the checkout. Every server listens on a free loopback port, so that several
//! control planes run side by side. When the value is dropped all of them end and its folder goes; when the process
//! is killed the kernel ends them.
//!
//! | module | subject |
//! |---|---|
//! | [`ControlPlane`] | start, stop, restart, kubeconfigs |
//! | `component` | what the components are and how each is started |
//! | `process` | a child that never outlives its parent |
//! | `node`, `fleet` | fake nodes: their shape; made, failed, recovered |
//! | `site` | what stays while components come and go: folder, ports, keys, kubeconfigs |
//! | `real` | real nodes: a kubelet and containerd each, in namespaces of their own |
//! | `sources`, `tool`, `cache` | programs from Go modules, each built once |
//! | `folder` | one folder for each control plane, and what dead ones left |
//! | [`AuditLog`] | what accounts may do, and what they did |
//! | `client`, `pki`, `port`, `proc`, `wait` | the small things under them |

mod cache;
mod client;
mod component;
mod control_plane;
mod error;
mod fleet;
pub mod folder;
mod kubeconfig;
mod node;
mod options;
mod permissions;
mod pki;
mod port;
mod proc;
mod process;
mod real;
mod site;
mod sources;
mod tool;
mod wait;

pub use client::Client;
pub use component::{Component, FAILED_LABEL};
pub use control_plane::ControlPlane;
pub use error::Error;
pub use node::{Effect, FakeNode};
pub use options::{KubeScheduler, Options, User};
pub use permissions::{AuditLog, Differences};
pub use pki::Identity;
pub use port::Port;
pub use proc::{Bytes, ProcessId, Usage, usage};
pub use real::{NODE_IMAGE, NodeNetwork, RealNode, require};
pub use tool::{build_all, end_to_end_tests, helm, kubectl, promlint};
pub use wait::wait_for;
