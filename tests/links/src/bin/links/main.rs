//! Hosts and links from the shell: `links --hosts 3 --delay 10`.
//!
//! It prints how to enter each host, changes links as lines of its standard input say, and ends with it.

use anyhow::{Context, Result, bail};
use clap::Parser;
use links::{Error, Host, HostSpec, Link, Loss, Network, Running, lateness};
use std::{
    io::{self, BufRead, Write},
    process::Stdio,
    str::FromStr,
    time::Duration,
};

/// Hosts in network namespaces, joined by links with delay, jitter and loss.
///
/// Lines of the standard input change links: `FROM TO DELAY [JITTER [LOSS]]` (ms, ms, percent) or `FROM TO down`, one
/// direction each; `record` tells how late packets were. All ends with the input.
#[derive(Debug, Parser)]
#[command(name = "links", version)]
struct Cli {
    /// How many hosts; their names are host-1, host-2 and so on.
    #[arg(long, default_value_t = 2)]
    hosts: u16,
    /// The delay of each direction of each link at first, in ms.
    #[arg(long, default_value_t = Ms(Duration::ZERO))]
    delay: Ms,
    /// The jitter: at most how much longer a packet takes, in ms.
    #[arg(long, default_value_t = Ms(Duration::ZERO))]
    jitter: Ms,
    /// How many packets of a hundred are lost.
    #[arg(long, default_value_t = 0.0)]
    loss: f64,
    /// Decides which packets are lost and how jitter falls.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// A program with its arguments to run on every host.
    #[arg(last = true)]
    command: Vec<String>,
}

#[derive(Clone, Copy, Debug)]
struct Ms(Duration);

fn main() -> Result<()> {
    let Cli { hosts, delay, jitter, loss, seed, command } = Cli::parse();
    let names: Vec<String> = (1..=hosts).map(|number| format!("host-{number}")).collect();
    let specs: Vec<HostSpec> = names.iter().map(HostSpec::new).collect();
    let network = Network::start(seed, &specs)?;
    let link = Link::with_delay(delay.0).jitter(jitter.0).loss(Loss::percent(loss));
    for name in &names {
        network.set_all_of(name, link)?;
    }
    let programs: Result<Vec<Running>, Error> =
        network.hosts().iter().filter_map(|host| start(host, &command)).collect();
    let _programs = programs?;
    let mut out = io::stdout().lock();
    for host in network.hosts() {
        let (name, v4, v6, namespace) = (host.name(), host.v4(), host.v6(), host.namespace().display());
        writeln!(out, "{name} {v4} {v6} nsenter --net={namespace}")?;
    }
    writeln!(out, "ready")?;
    for line in io::stdin().lock().lines() {
        match obey(&network, &line?) {
            Ok(answer) => writeln!(out, "{answer}")?,
            Err(error) => writeln!(io::stderr(), "links: {error:#}")?,
        }
    }
    Ok(())
}

/// Starts the program of the command line on a host, if there is one.
fn start(host: &Host, command: &[String]) -> Option<Result<Running, Error>> {
    let (program, args) = command.split_first()?;
    let mut command = host.command(program);
    command.args(args).stdin(Stdio::null());
    Some(host.spawn(command))
}

fn obey(network: &Network, line: &str) -> Result<String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    if words == ["record"] {
        let lateness = lateness(&network.take_record()?);
        return Ok(lateness.map_or("no packets".to_owned(), |lateness| format!("late: {lateness}")));
    }
    let (from, to, link) = match words.as_slice() {
        [from, to, "down"] => (from, to, Link::default().down()),
        [from, to, delay, rest @ ..] if rest.len() <= 2 => {
            let ms = |word: &str| word.parse::<Ms>().map(|ms| ms.0);
            let jitter = rest.first().map_or(Ok(Duration::ZERO), |word| ms(word))?;
            let loss =
                rest.get(1).map_or(Ok(0.0), |word| word.parse()).context("the loss is no percentage")?;
            (from, to, Link::with_delay(ms(delay)?).jitter(jitter).loss(Loss::percent(loss)))
        }
        _ => bail!("{line:?} is neither FROM TO DELAY [JITTER [LOSS]], FROM TO down, nor record"),
    };
    network.set(from, to, link)?;
    Ok("ok".to_owned())
}

// === impl Ms ===

impl FromStr for Ms {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let ms: f64 = text.parse().with_context(|| format!("{text:?} is no number of milliseconds"))?;
        let seconds = Duration::try_from_secs_f64(ms / 1e3);
        Ok(Self(seconds.with_context(|| format!("{text} ms is no delay"))?))
    }
}

impl std::fmt::Display for Ms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0.as_secs_f64() * 1e3)
    }
}
