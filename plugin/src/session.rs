//! What a command runs in.

use std::future::Future;
use std::time::Duration;

use crate::args::{Connection, Options};
use crate::cluster::Cluster;
use crate::failure::{Ending, Failure};
use crate::talk::Talk;
use crate::view::{Output, View};

/// What a command runs in.
pub(crate) struct Session {
    /// The name the plugin was called by, as a person writes it.
    pub(crate) name: String,
    /// Which cluster, and as whom.
    pub(crate) connection: Connection,
    /// Options that every command has.
    pub(crate) options: Options,
    /// Standard error.
    pub(crate) talk: Talk,
    /// Standard output.
    pub(crate) view: View,
}

/// How often what shows that something goes on is moved.
const TICK: Duration = Duration::from_millis(100);

// === impl Session ===

impl Session {
    /// A session; nothing is contacted.
    pub(crate) fn new(name: String, options: Options, connection: Connection) -> Self {
        let talk = Talk::new(options);
        let view = View::new(options, &talk);
        Self { name, connection, options, talk, view }
    }

    /// Connects to the cluster that the flags and kubeconfig files name. The first request shows whether it is
    /// there.
    pub(crate) async fn connect(&self) -> Result<Cluster, Failure> {
        let cluster = Cluster::connect(&self.connection, &self.name, &self.talk).await?;
        self.talk.busy(&format!("asking {}", cluster.server));
        Ok(cluster)
    }

    /// Tells a person which cluster is about to be changed.
    pub(crate) fn show_target(&self, cluster: &Cluster) {
        if self.talk.is_interactive()
            && let Some(context) = &cluster.context
        {
            self.talk.note(&self.talk.look().faint(&format!("context {context} ({})", cluster.server)));
        }
    }

    /// Runs what needs the cluster, until it is done or the user ends it.
    pub(crate) fn online(
        &self,
        command: impl Future<Output = Result<Output, Failure>>,
    ) -> Result<Output, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let output = runtime.block_on(async {
            let ticking = async {
                loop {
                    tokio::time::sleep(TICK).await;
                    self.talk.tick();
                }
            };
            tokio::select! {
                output = command => output,
                () = interrupted() => Err(Failure::interrupted()),
                () = ticking => Err(Failure::interrupted()),
            }
        });
        // A name that is still being looked up would keep the runtime.
        runtime.shutdown_background();
        let output = output?;
        self.refuse_warnings()?;
        Ok(output)
    }

    fn refuse_warnings(&self) -> Result<(), Failure> {
        let is_wanted = self.connection.warnings_as_errors.unwrap_or_default();
        match self.talk.server_warnings() {
            1 if is_wanted => Err(Failure::new("1 warning received").ending(Ending::Failed)),
            count if is_wanted && count > 1 => Err(Failure::new(format!("{count} warnings received"))),
            _ => Ok(()),
        }
    }
}

/// Waits for SIGINT; for ever where there are no signals.
async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
