//! A running control plane.

use crate::{
    client::Client,
    component::{Component, Ready},
    error::{Error, tail},
    folder::Folder,
    options::Options,
    pki::Identity,
    proc::{Usage, usage},
    process::Process,
    real::RealNodes,
    site::{ADMIN, Access, Site},
    tool,
    wait::wait_for,
};
use std::{
    collections::BTreeMap,
    env,
    io::{self, Write},
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

/// A running control plane; dropping it stops everything and removes its folder.
///
/// All methods take `&self`, so that tests may share one between threads.
#[derive(Debug)]
pub struct ControlPlane {
    running: Mutex<BTreeMap<Component, Process>>,
    pub(crate) site: Site,
    pub(crate) real: Option<RealNodes>,
    // Last, because fields are dropped in order and the processes use the folder.
    folder: Folder,
}

/// Within this time a component must be ready, on a machine that is busy with a build as well.
const READY: Duration = Duration::from_mins(2);

/// How long a component may take to end before it is killed. The API server waits for requests in flight, and a test may
/// leave a watch open.
const GRACE: Duration = Duration::from_secs(3);

// === impl ControlPlane ===

impl ControlPlane {
    /// Starts everything the options ask for and waits until all of it is ready.
    ///
    /// The first time ever the programs are built, which takes minutes; see [`crate::build_all`].
    pub fn start(options: Options) -> Result<Self, Error> {
        let components = options.components();
        for component in &components {
            tool::program(*component)?;
        }
        let folder = Folder::create(&options.name)?;
        let shapes = &options.real_nodes;
        let real = if shapes.is_empty() { None } else { Some(RealNodes::prepare(shapes, folder.path())?) };
        let site = Site::create(options, folder.path(), real.as_ref().map(RealNodes::host))?;
        let mut cluster = Self { running: Mutex::default(), site, real, folder };
        cluster.start_all(&components).inspect_err(|_| cluster.folder.keep_logs())?;
        Ok(cluster)
    }

    /// The API server's address.
    pub fn url(&self) -> String {
        self.site.url()
    }

    /// The administrator's token.
    pub fn token(&self) -> &str {
        self.site.users.get(ADMIN).map_or("", |access| &access.token)
    }

    /// The administrator's kubeconfig file.
    pub fn kubeconfig(&self) -> &Path {
        &self.site.kubeconfig
    }

    /// The kubeconfig file of a user named in the options.
    pub fn kubeconfig_of(&self, user: &str) -> Result<&Path, Error> {
        Ok(&self.access(user)?.kubeconfig)
    }

    /// A certificate for a client that the API server takes for this user of this group.
    pub fn identity(&self, user: &str, group: &str) -> Result<Identity, Error> {
        self.site.pki.identity(user, group)
    }

    /// A client with the administrator's rights.
    pub fn client(&self) -> &Client {
        &self.site.client
    }

    /// A client with the rights of a user named in the options.
    pub fn client_of(&self, user: &str) -> Result<Client, Error> {
        Ok(self.site.client.with_token(self.access(user)?.token.clone()))
    }

    /// Runs kubectl as the administrator and gives what it printed.
    pub fn kubectl(&self, args: &[&str]) -> Result<String, Error> {
        let program = tool::from_assets("kubectl").unwrap_or_else(|| PathBuf::from("kubectl"));
        let mut command = Command::new(program);
        let output = command.env("KUBECONFIG", self.kubeconfig()).args(args).output();
        let output = output.map_err(|source| Error::Install {
            program: "kubectl".to_owned(),
            hint: "put it in the PATH, or set KUBEBUILDER_ASSETS",
            source,
        })?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(Error::Command { command: format!("kubectl {}", args.join(" ")), output: words })
    }

    /// The folder with the logs and all data.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A component's log.
    pub fn log(&self, component: Component) -> PathBuf {
        self.site.log(component)
    }

    /// A component's process, if it was started and not stopped.
    pub fn pid(&self, component: Component) -> Option<u32> {
        self.running().get(&component).map(Process::pid)
    }

    /// CPU time and peak memory of a running component.
    pub fn usage(&self, component: Component) -> Result<Usage, Error> {
        let pid = self.pid(component);
        usage(pid.ok_or_else(|| Error::Invalid(format!("{component} does not run")))?)
    }

    /// Starts a component that does not run, whether or not the options named it, and waits until it is ready.
    pub fn launch(&self, component: Component) -> Result<(), Error> {
        if self.running().contains_key(&component) {
            return Ok(());
        }
        let process = self.start_one(component)?;
        self.running().insert(component, process);
        Ok(())
    }

    /// Stops a component and waits until it has ended: SIGTERM, and SIGKILL if it takes too long.
    pub fn stop(&self, component: Component) -> Result<(), Error> {
        let process = self.running().remove(&component);
        process.map_or(Ok(()), |process| {
            process.terminate();
            process.await_end(GRACE)
        })
    }

    /// Stops a component and starts it again, at the same address and with the same data.
    pub fn restart(&self, component: Component) -> Result<(), Error> {
        self.stop(component)?;
        self.launch(component)
    }

    fn access(&self, user: &str) -> Result<&Access, Error> {
        let access = self.site.users.get(user);
        access.ok_or_else(|| Error::Invalid(format!("the options name no user {user:?}")))
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<Component, Process>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start_all(&self, components: &[Component]) -> Result<(), Error> {
        let (servers, controllers): (Vec<_>, Vec<_>) = components
            .iter()
            .partition(|component| matches!(component, Component::Etcd | Component::ApiServer));
        for component in servers {
            self.launch(component)?;
        }
        self.await_namespace()?;
        // These depend on the API server alone, so they start side by side.
        thread::scope(|scope| {
            let starting: Vec<_> = controllers
                .into_iter()
                .map(|component| scope.spawn(move || self.launch(component)))
                .collect();
            starting.into_iter().try_for_each(|thread| {
                thread.join().unwrap_or_else(|_| Err(Error::Invalid("a starting thread panicked".to_owned())))
            })
        })?;
        self.await_account()?;
        self.real.as_ref().map_or(Ok(()), |real| real.start(&self.site))
    }

    fn start_one(&self, component: Component) -> Result<Process, Error> {
        let program = tool::program(component)?;
        let launch = component.launch(&self.site)?;
        let mut process = Process::start(component.name(), &program, &launch.args, self.log(component))?;
        process.await_ready(READY, |process| match &launch.ready {
            Ready::Answers(url) => self.site.client.is_ok(url),
            Ready::Says(words) => process.has_said(words),
        })?;
        Ok(process)
    }

    /// The server is ready a moment before the namespace `default` is there.
    fn await_namespace(&self) -> Result<(), Error> {
        self.await_object("/api/v1/namespaces/default")
    }

    /// Without this account no pod can be created in the namespace `default`.
    fn await_account(&self) -> Result<(), Error> {
        if !self.site.options.controller_manager {
            return Ok(());
        }
        self.await_object("/api/v1/namespaces/default/serviceaccounts/default")
    }

    fn await_object(&self, path: &str) -> Result<(), Error> {
        wait_for(path, READY, || match self.site.client.get(path) {
            Err(Error::Refused { status: 404, .. }) => Ok(None),
            other => other.map(|_| Some(())),
        })
    }

    /// A failing test's reader has to know where the logs are and what the server last said.
    fn report_panic(&mut self) {
        self.folder.keep_logs();
        let log = self.log(Component::ApiServer);
        let _ = writeln!(io::stderr(), "controlplane: logs in {}\n{}", self.folder().display(), tail(&log));
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        if thread::panicking() || env::var_os("EDGE_CONTROL_PLANE_KEEP_LOGS").is_some() {
            self.report_panic();
        }
        if let Some(real) = &self.real {
            real.cut_all();
        }
        // What was stored goes with the folder, so nobody is asked to end in good order: the API server takes seconds for that.
        self.running().clear();
    }
}
