//! Our scheduler, and what it says of itself.

use std::process::{Child, Command, Stdio};

use anyhow::{Context, ensure};
use controlplane::{ControlPlane, Port, Usage, usage};

use crate::bed::SCHEDULER;

/// A scheduler that ends with the value.
pub(crate) struct Scheduler {
    child: Child,
    port: Port,
}

// === impl Scheduler ===

impl Scheduler {
    pub(crate) fn start(cluster: &ControlPlane, sources: &str) -> anyhow::Result<Self> {
        let port = Port::reserve()?;
        let kubeconfig = cluster.kubeconfig_of(SCHEDULER)?.display();
        let config = format!(
            "{{apiVersion: kubescheduler.config.k8s.io/v1, kind: KubeSchedulerConfiguration,
              clientConnection: {{kubeconfig: {kubeconfig}}}, leaderElection: {{leaderElect: false}},
              profiles: [{{schedulerName: edge-scheduler, pluginConfig: [{{name: NetworkDelay, args: {{sources: [{sources}], layers: {{initial: [5, 10, 20]}}}}}}]}}]}}"
        );
        let file = cluster.folder().join("scheduler.yaml");
        std::fs::write(&file, config)?;
        let child = Command::new(env!("CARGO_BIN_EXE_edge-scheduler"))
            .arg("--config")
            .arg(&file)
            .args([
                "--bind-address=127.0.0.1",
                "--authorization-always-allow-paths=/metrics",
                "--permit-port-sharing",
            ])
            .arg(format!("--secure-port={}", port.number()))
            .stdin(Stdio::null())
            .stderr(std::fs::File::create(cluster.folder().join("scheduler.log"))?)
            .spawn()?;
        Ok(Self { child, port })
    }

    pub(crate) fn usage(&self) -> anyhow::Result<Usage> {
        Ok(usage(self.child.id())?)
    }

    /// The line of a metric.
    pub(crate) fn shown(&self, metric: &str) -> anyhow::Result<String> {
        let url = format!("https://127.0.0.1:{}/metrics", self.port.number());
        let output =
            Command::new("curl").args(["--silent", "--insecure", "--noproxy", "*", &url]).output()?;
        ensure!(output.status.success(), "{url} does not answer");
        let text = String::from_utf8(output.stdout)?;
        let line = text.lines().find(|line| line.starts_with(metric));
        Ok(line.with_context(|| format!("no metric {metric}"))?.to_owned())
    }

    /// The value of a metric.
    pub(crate) fn value(&self, metric: &str) -> anyhow::Result<f64> {
        let line = self.shown(metric)?;
        Ok(line.rsplit(' ').next().unwrap_or_default().parse()?)
    }
}

impl Drop for Scheduler {
    fn drop(&mut self) {
        // What can't be ended has ended.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}
