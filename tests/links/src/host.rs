//! A host: a network namespace with a thread in it, and what runs there.

use crate::{Error, error::Context};
use ipnet::IpNet;
use nix::{
    sched::{CloneFlags, setns, unshare},
    sys::signal::{Signal, kill},
    unistd::{Pid, gettid},
};
use std::{
    fs::{self, File},
    io::{self, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::mpsc::{Sender, channel},
    thread,
};
use tun_rs::{DeviceBuilder, SyncDevice};

/// What a host is to be.
#[derive(Clone, Debug)]
pub struct HostSpec {
    pub(crate) name: String,
    place: Place,
    pub(crate) ranges: Vec<IpNet>,
    settings: Vec<(String, String)>,
}

/// Where a host lives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Place {
    /// In a network namespace of its own, made now, which the kernel drops when the host goes.
    #[default]
    New,
    /// In a network namespace that is there already: the path of its file, such as `/run/netns/NAME`.
    At(PathBuf),
    /// In the network namespace of this process.
    Here,
}

/// A host that runs. When it is dropped, its programs are killed and its namespace goes, if it was made for it.
#[derive(Debug)]
pub struct Host {
    name: String,
    v4: Ipv4Addr,
    v6: Ipv6Addr,
    namespace: PathBuf,
    jobs: Sender<Job>,
}

/// A program that runs on a host. Dropping it kills it; so does the end of the process that started it.
#[derive(Debug)]
pub struct Running(Child);

type Job = Box<dyn FnOnce() + Send>;

/// The name of the device on each host that the links are reached by.
const DEVICE: &str = "link0";

/// Runs between `setpriv` and the program: if the parent had died before the signal was set, nobody would send it.
const GUARD: &str = r#"[ "$PPID" = "$1" ] || exit 1; shift; exec "$@""#;

// === impl HostSpec ===

impl HostSpec {
    /// A host of this name, in a network namespace of its own.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), place: Place::New, ranges: Vec::new(), settings: Vec::new() }
    }

    /// Where it lives.
    #[must_use]
    pub fn place(self, place: Place) -> Self {
        Self { place, ..self }
    }

    /// Adds a range of addresses that the others reach through this host, such as that of its pods.
    #[must_use]
    pub fn range(mut self, range: IpNet) -> Self {
        self.ranges.push(range);
        self
    }

    /// Adds a setting of the kernel for its namespace, named as below `/proc/sys`: `net/ipv4/ping_group_range`.
    #[must_use]
    pub fn setting(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.push((name.into(), value.into()));
        self
    }
}

// === impl Host ===

impl Host {
    /// Makes the host and its device; `ranges` are those behind other hosts.
    pub(crate) fn start(spec: &HostSpec, number: u16, ranges: &[IpNet]) -> Result<(Self, SyncDevice), Error> {
        let (jobs, inbox) = channel::<Job>();
        let (says, hears) = channel();
        let (name, place) = (spec.name.clone(), spec.place.clone());
        thread::Builder::new()
            .name(format!("host {name}"))
            .spawn(move || {
                let entered = enter(&place).map(|()| gettid());
                let is_inside = entered.is_ok();
                // Whoever started the thread waits for its word.
                let _ = says.send(entered);
                if is_inside {
                    for job in inbox {
                        job();
                    }
                }
            })
            .context(|| format!("starting the thread of host {name}"))?;
        let thread = hears.recv().map_err(|_| Error::Gone(format!("host {}", spec.name)))?;
        let thread = thread.context(|| format!("entering the network namespace of host {}", spec.name))?;
        let [high, low] = number.to_be_bytes();
        let host = Self {
            name: spec.name.clone(),
            v4: Ipv4Addr::new(10, 77, high, low),
            v6: Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, number),
            namespace: format!("/proc/{}/task/{thread}/ns/net", std::process::id()).into(),
            jobs,
        };
        let device = host.inside(|| DeviceBuilder::new().name(DEVICE).mtu(1_500).build_sync())?;
        let device = device.context(|| format!("making the TUN device of host {}", host.name))?;
        host.configure(ranges)?;
        for (setting, value) in &spec.settings {
            host.set(setting, value)?;
        }
        Ok((host, device))
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its IPv4 address on the links.
    pub fn v4(&self) -> Ipv4Addr {
        self.v4
    }

    /// Its IPv6 address on the links.
    pub fn v6(&self) -> Ipv6Addr {
        self.v6
    }

    /// Both addresses.
    pub fn addresses(&self) -> [IpAddr; 2] {
        [self.v4.into(), self.v6.into()]
    }

    /// The file of its network namespace, as `nsenter --net=FILE` takes it, for as long as the host is there.
    pub fn namespace(&self) -> &Path {
        &self.namespace
    }

    /// Does something in its network namespace: sockets that are opened there stay there. One thing at a time.
    pub fn inside<T: Send + 'static>(&self, act: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
        let gone = || Error::Gone(format!("host {}", self.name));
        let (says, hears) = channel();
        let job: Job = Box::new(move || {
            // Whoever asked waits for the answer.
            let _ = says.send(act());
        });
        self.jobs.send(job).map_err(|_| gone())?;
        hears.recv().map_err(|_| gone())
    }

    /// Changes a setting of the kernel for its namespace, named as below `/proc/sys`.
    pub fn set(&self, setting: &str, value: &str) -> Result<(), Error> {
        let (path, text) = (Path::new("/proc/sys").join(setting), value.to_owned());
        let written = self.inside(move || fs::write(path, text))?;
        written.context(|| format!("setting {setting} of host {} to {value}", self.name))
    }

    /// A command that [`Host::spawn`] runs, and that ends with this process.
    pub fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL", "--", "sh", "-c", GUARD, "sh"])
            .arg(std::process::id().to_string())
            .arg(program.as_ref());
        command
    }

    /// Starts a command that [`Host::command`] made, with arguments and files added.
    pub fn spawn(&self, mut command: Command) -> Result<Running, Error> {
        // The kernel sends the signal when the *thread* that started the program ends: this one lasts as long as the host.
        let child = self.inside(move || command.spawn())?;
        child.map(Running).map_err(|source| Error::Install {
            program: "setpriv".to_owned(),
            package: "util-linux",
            source,
        })
    }

    /// Runs a program to its end and gives what it wrote.
    pub fn run(&self, program: &str, args: &[&str]) -> Result<String, Error> {
        self.run_with(program, args, String::new())
    }

    fn run_with(&self, program: &str, args: &[&str], input: String) -> Result<String, Error> {
        let (name, words) = (program.to_owned(), args.iter().map(|&arg| arg.to_owned()).collect::<Vec<_>>());
        let output = self.inside(move || to_its_end(&name, &words, &input))?;
        let output = output.map_err(|source| Error::Install {
            program: program.to_owned(),
            package: "iproute2, if it is ip",
            source,
        })?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(Error::Command {
            host: self.name.clone(),
            command: format!("{program} {}", args.join(" ")),
            output: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        })
    }

    fn configure(&self, ranges: &[IpNet]) -> Result<(), Error> {
        let Self { v4, v6, .. } = self;
        let mut lines = format!(
            "link set lo up\nlink set {DEVICE} up\naddr add {v4}/16 dev {DEVICE}\naddr add {v6}/64 dev {DEVICE} nodad\n"
        );
        let routes: Vec<String> =
            ranges.iter().map(|range| format!("route add {range} dev {DEVICE}\n")).collect();
        lines.push_str(&routes.concat());
        self.run_with("ip", &["-batch", "-"], lines).map(drop)
    }
}

fn enter(place: &Place) -> io::Result<()> {
    match place {
        Place::New => unshare(CloneFlags::CLONE_NEWNET)?,
        Place::At(path) => setns(File::open(path)?, CloneFlags::CLONE_NEWNET)?,
        Place::Here => {}
    }
    Ok(())
}

fn to_its_end(program: &str, args: &[String], input: &str) -> io::Result<Output> {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that does not read its input says in its exit status whether that matters.
        let _ = stdin.write_all(input.as_bytes());
    }
    child.wait_with_output()
}

// === impl Running ===

impl Running {
    /// The child: `setpriv` at first, then the program itself under the same number.
    pub fn child(&mut self) -> &mut Child {
        &mut self.0
    }

    /// Asks it to end.
    pub fn terminate(&self) {
        // It may have ended by itself; nobody has waited for it, so the number is still its own.
        let _ = i32::try_from(self.0.id()).map(|pid| kill(Pid::from_raw(pid), Signal::SIGTERM));
    }

    /// Its process number.
    pub fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only if it has ended and was waited for.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
