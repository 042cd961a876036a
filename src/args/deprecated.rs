//! Flags whose place is the configuration file; beside `--config` they are ignored
//! (upstream: `cmd/kube-scheduler/app/options/deprecated.go`).

use std::time::Duration;

use clap::{ArgAction, Args};

use super::leader_election::set;
use crate::config::{Configuration, parse_duration};

/// What the configuration file says too.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Deprecated flags (ignored with --config, but for the last)")]
pub struct DeprecatedArgs {
    /// Path to a kubeconfig file. Without it, the service account of the pod or the user's kubeconfig.
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<String>,
    /// How many requests a second are sent to the API server in the long run. [default: 50]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub kube_api_qps: Option<f32>,
    /// How many requests may be sent at once. [default: 100]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub kube_api_burst: Option<i32>,
    /// Content type of requests. Accepted; JSON is sent in any case.
    #[arg(long, value_name = "TYPE")]
    pub kube_api_content_type: Option<String>,
    /// Serve profiles under /debug/pprof/. [default: true]
    #[arg(long, value_name = "BOOL", default_missing_value = "true", num_args = 0..=1, require_equals = true,
        action = ArgAction::Set, value_parser = super::bool::parse)]
    pub profiling: Option<bool>,
    /// Profile lock contention too. [default: true]
    #[arg(long, value_name = "BOOL", default_missing_value = "true", num_args = 0..=1, require_equals = true,
        action = ArgAction::Set, value_parser = super::bool::parse)]
    pub contention_profiling: Option<bool>,
    /// After this long a waiting pod is tried again even if nothing happened that could cure it.
    #[arg(long, value_name = "DURATION", default_value = "5m0s", value_parser = parse_duration)]
    pub pod_max_in_unschedulable_pods_duration: Duration,
}

// === impl DeprecatedArgs ===

impl DeprecatedArgs {
    /// Sets what was given (upstream: `ApplyDeprecated`).
    pub fn apply_to(&self, config: &mut Configuration) {
        let Self {
            kubeconfig,
            kube_api_qps,
            kube_api_burst,
            kube_api_content_type,
            profiling,
            contention_profiling,
            pod_max_in_unschedulable_pods_duration: _,
        } = self.clone();
        let client = &mut config.client_connection;
        set(&mut client.kubeconfig, kubeconfig);
        set(&mut client.qps, kube_api_qps);
        set(&mut client.burst, kube_api_burst);
        set(&mut client.content_type, kube_api_content_type);
        set(&mut config.enable_profiling, profiling);
        set(&mut config.enable_contention_profiling, contention_profiling);
    }
}
