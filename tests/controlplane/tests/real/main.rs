//! Tests of real nodes. They need root; `runc` and `nftables` are installed if they are missing and `apt-get` is there.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy knows tests, but not the functions they share"
)]

mod ends;
mod life;
mod links;
mod support;
mod traces;
