//! The scheduler over real kubelets, on this machine. They need root; `runc` and `nftables` are installed if they are missing
//! and `apt-get` is there.

mod delay;
