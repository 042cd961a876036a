//! The scheduler over real kubelets, on this machine. They need root; `runc` and others are installed if they are missing and
//! `apt-get` is there.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "clippy knows tests, but not the functions they share"
)]

mod delay;
mod image;
mod installed;
mod paths;
mod power;
mod room;
mod site;
