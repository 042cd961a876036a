//! `controlplane up`: a background process owns the components; the one that was called waits until they are ready.

use crate::{at, say};
use controlplane::{Component, ControlPlane, Error, FakeNode, KubeScheduler, Options, RealNode};
use signal_hook::{consts::TERM_SIGNALS, flag, iterator::Signals};
use std::{
    env, fs,
    io::{self, BufRead, BufReader, Read, Write},
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Arc, atomic::AtomicBool},
    thread,
};

/// The name of control planes that `down` finds.
pub(crate) const NAME: &str = "up";

/// What to start besides etcd and the API server.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Starts kube-controller-manager.
    #[arg(long)]
    controller_manager: bool,
    /// Starts kube-scheduler; with a file, configured by that `KubeSchedulerConfiguration`.
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true)]
    #[expect(clippy::option_option, reason = "so clap tells --flag from --flag=VALUE")]
    kube_scheduler: Option<Option<PathBuf>>,
    /// Starts KWOK, which plays the kubelet of every node.
    #[arg(long)]
    kwok: bool,
    /// Makes this many nodes, named node-1 and so on.
    #[arg(long, default_value_t = 0)]
    nodes: usize,
    /// Starts this many real nodes, named real-1 and so on: a kubelet and containerd each. They need root.
    #[arg(long, default_value_t = 0)]
    real_nodes: usize,
    /// Gives the real nodes an image from this archive; may be given several times.
    #[arg(long = "image", value_name = "ARCHIVE", requires = "real_nodes")]
    images: Vec<PathBuf>,
    /// Adds a flag to a component's command line, as in `kube-apiserver=--v=4`; may be given several times.
    #[arg(long = "flag", value_name = "COMPONENT=FLAG")]
    flags: Vec<String>,
    /// Stays until it is interrupted.
    #[arg(long)]
    foreground: bool,
}

pub(crate) fn run(args: Args) -> Result<(), Error> {
    if args.foreground { foreground(args) } else { background() }
}

fn foreground(args: Args) -> Result<(), Error> {
    // The second signal ends the process at once, and with it its components.
    let ending = Arc::new(AtomicBool::new(false));
    for signal in TERM_SIGNALS {
        flag::register_conditional_shutdown(*signal, 1, Arc::clone(&ending)).map_err(at("signals"))?;
        flag::register(*signal, Arc::clone(&ending)).map_err(at("signals"))?;
    }
    let mut signals = Signals::new(TERM_SIGNALS).map_err(at("signals"))?;
    let nodes: Vec<FakeNode> =
        (1..=args.nodes).map(|number| FakeNode::new(format!("node-{number}"))).collect();
    let images = args.images.clone();
    let cluster = ControlPlane::start(options(args)?)?;
    cluster.add_nodes(&nodes)?;
    images.iter().try_for_each(|archive| cluster.import_image(archive))?;
    // If nobody reads the path any more, nobody would end the control plane either.
    writeln!(io::stdout(), "{}", cluster.kubeconfig().display()).map_err(at("standard output"))?;
    signals.forever().next();
    say("stopping");
    Ok(())
}

fn options(args: Args) -> Result<Options, Error> {
    let Args {
        controller_manager,
        kube_scheduler,
        kwok,
        nodes: _,
        real_nodes,
        images: _,
        flags,
        foreground: _,
    } = args;
    let kube_scheduler = match kube_scheduler {
        None => KubeScheduler::Off,
        Some(None) => KubeScheduler::Default,
        Some(Some(file)) => {
            KubeScheduler::Config(fs::read_to_string(&file).map_err(at(&file.display().to_string()))?)
        }
    };
    let real_nodes = (1..=real_nodes).map(|number| RealNode::new(format!("real-{number}"))).collect();
    let name = NAME.to_owned();
    let options =
        Options { controller_manager, kube_scheduler, kwok, real_nodes, name, ..Options::default() };
    flags.iter().try_fold(options, |options, text| {
        let (component, flag) = text
            .split_once('=')
            .ok_or_else(|| Error::Invalid(format!("--flag {text}: write COMPONENT=FLAG")))?;
        Ok(options.flag(component.parse::<Component>()?, flag))
    })
}

/// Runs the same command again with `--foreground` in a process of its own and repeats what it says until it is ready.
fn background() -> Result<(), Error> {
    let program = env::current_exe().map_err(at("this program"))?;
    let mut owner = Command::new(program)
        .args(env::args_os().skip(1))
        .arg("--foreground")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // A Ctrl-C at the terminal must not end it later on.
        .process_group(0)
        .spawn()
        .map_err(at("a background process"))?;
    let talk = owner.stderr.take();
    let repeater = thread::spawn(move || talk.map(|mut talk| io::copy(&mut talk, &mut io::stderr())));
    if let Some(kubeconfig) = first_line(&mut owner)? {
        return writeln!(io::stdout(), "{kubeconfig}").map_err(at("standard output"));
    }
    // Its last words say why.
    let _ = repeater.join();
    let status = owner.wait().map_err(at("the background process"))?;
    Err(Error::Invalid(format!("nothing was started: the background process ended with {status}")))
}

fn first_line(owner: &mut Child) -> Result<Option<String>, Error> {
    let mut line = String::new();
    if let Some(output) = owner.stdout.take() {
        BufReader::new(output.take(1 << 16)).read_line(&mut line).map_err(at("the background process"))?;
    }
    Ok(line.strip_suffix('\n').map(str::to_owned))
}
