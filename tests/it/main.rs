//! Integration tests: the `edge-scheduler` binary on a real API server, one module a feature.

mod bed;
mod binding;
mod delay;
mod files;
mod tidy;
