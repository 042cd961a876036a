//! Thousands of agents that report, against a real API server: `cargo bench --bench reporting -- --help`.
//!
//! A control plane is started with all that an installation brings, nodes are made, and our scheduler makes an object for
//! each. Then every node's agent reports: once as it comes, and in the window that is measured as often as the scheduler
//! asks for. The agents are a driver that does what an agent does to the API server, the same server-side apply, admitted
//! by the same policy; that they are who they say is told by impersonation, so that no pod is needed for each. Some of
//! them watch their own object, as an agent does.
//!
//! What is counted is counted by the API server itself (`apiserver_request_total`, `apiserver_watch_events_sizes`).

mod bed;
mod scheduler;
mod watches;

use std::io::{self, Write};
use std::time::Duration;

use clap::Parser;
use tokio::time::Instant;

use bed::{Bed, Counted};
use scheduler::Scheduler;
use watches::Watches;

/// What is measured.
#[derive(Parser)]
struct Cli {
    /// How many nodes.
    #[arg(long, default_value_t = 5_000)]
    nodes: usize,
    /// How many peers an agent reports.
    #[arg(long, default_value_t = 40)]
    rows: usize,
    /// How long is measured, in seconds.
    #[arg(long, default_value_t = 120)]
    seconds: u64,
    /// How many agents watch their own object.
    #[arg(long, default_value_t = 100)]
    watches: usize,
    /// Given by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

/// What was counted in the window.
struct Measured {
    seconds: f64,
    every: Duration,
    /// By the API server.
    counted: Counted,
    /// Reports of agents a second.
    reports: f64,
    /// Events and bytes of the agents' own watches.
    own: (u64, u64),
    /// Bytes of a report, as sent.
    report: f64,
}

const MIB: f64 = 1_048_576.0;

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    // Cargo runs benches in its tests too, for a moment.
    if !cli.bench {
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(measure(cli))
}

async fn measure(cli: Cli) -> anyhow::Result<()> {
    let bed = Bed::make(cli).await?;
    let without = bed.memory_without_delays().await?;
    let scheduler = Scheduler::start(&bed.cluster, "{probe: {}}")?;
    let begun = Instant::now();
    bed.await_objects().await?;
    say(&format!("an object for each node: {} s", begun.elapsed().as_secs()));
    let begun = Instant::now();
    let sizes = bed.all_report().await?;
    say(&format!("each agent has reported once: {} s", begun.elapsed().as_secs()));
    let begun = Instant::now();
    bed.await_quiet().await?;
    say(&format!("each agent knows whom to measure: {} s", begun.elapsed().as_secs()));
    let watches = Watches::begin(&bed.client, bed.cli.watches.min(bed.cli.nodes));
    bed.await_quiet().await?;

    let every = bed.report_every()?;
    let (before, cpu, own) = (bed.counted().await?, bed.cpu(&scheduler)?, watches.seen());
    let begun = Instant::now();
    let reports = bed.report_for(Duration::from_secs(bed.cli.seconds), every).await?;
    let seconds = begun.elapsed().as_secs_f64();
    let (after, cpu_after, own_after) = (bed.counted().await?, bed.cpu(&scheduler)?, watches.seen());
    let measured = Measured {
        seconds,
        every,
        counted: after.since(before),
        reports,
        own: (own_after.0 - own.0, own_after.1 - own.1),
        report: float(sizes / bed.cli.nodes),
    };
    measured.print(&bed.cli);
    for ((name, before), (_, after)) in cpu.iter().zip(&cpu_after) {
        let used = after.cpu.saturating_sub(before.cpu).as_secs_f64();
        row(&format!("CPU of {name}"), &format!("{:.1} % of a core", used / seconds * 100.0), "");
    }
    let peak = scheduler.usage()?.peak_rss;
    let (pairs, bytes) = (
        scheduler.value("edge_scheduler_measured_pairs")?,
        scheduler.value("edge_scheduler_measured_bytes")?,
    );
    let expected = bed.cli.nodes * bed.cli.rows;
    row("the scheduler's view, pairs", &format!("{pairs:.0}"), &format!("{expected}"));
    row("its memory for delays", &format!("{:.1} MiB", bytes / MIB), "under 30 MiB");
    let resident = scheduler.value("process_resident_memory_bytes")?;
    row("its memory in the end", &format!("{:.0} MiB", resident / MIB), "");
    row("its memory at the most", &format!("{peak}; {without} without delays"), "");
    Ok(())
}

// === impl Measured ===

impl Measured {
    fn print(&self, cli: &Cli) {
        let Self { seconds, every, counted, reports, own, report } = self;
        let (own_events, own_bytes) = (as_float(own.0), as_float(own.1));
        let (events, bytes) = (counted.events - own_events, counted.bytes - own_bytes);
        let (nodes, watches) = (float(cli.nodes), float(cli.watches.min(cli.nodes)).max(1.0));
        say(&format!("\n{} nodes, {} rows a report; window {seconds:.0} s\n", cli.nodes, cli.rows));
        row("", "measured", "aimed at");
        row("---", "---", "---");
        row("report period asked for", &format!("{} s", every.as_secs()), "max(60 s, N/40 s)");
        row("API writes a second", &format!("{:.1}", counted.writes / seconds), "at most 150");
        row("of agents", &format!("{reports:.1}"), "");
        row("a report, as sent", &format!("{report:.0} bytes"), "");
        row(
            "the scheduler's watch",
            &format!(
                "{:.1} events a second of {:.0} bytes, {:.0} kB/s",
                events / seconds,
                bytes / events.max(1.0),
                bytes / seconds / 1e3
            ),
            "",
        );
        let (sent, got) = (reports * report / nodes, own_bytes / seconds / watches);
        row(
            "a node, its probes aside",
            &format!("sends {sent:.0} and gets {got:.0} bytes a second"),
            "6 kB/s with its probes",
        );
        row(
            "watches in all, of all agents too",
            &format!("{:.0} kB/s", (bytes / seconds + got * nodes) / 1e3),
            "",
        );
    }
}

// === impl Counted ===

impl Counted {
    fn since(self, before: Self) -> Self {
        Self {
            writes: self.writes - before.writes,
            events: self.events - before.events,
            bytes: self.bytes - before.bytes,
        }
    }
}

fn float(count: usize) -> f64 {
    as_float(u64::try_from(count).unwrap_or(u64::MAX))
}

#[expect(clippy::cast_precision_loss, reason = "figures are for people")]
fn as_float(count: u64) -> f64 {
    count as f64
}

fn row(what: &str, measured: &str, aimed_at: &str) {
    say(&format!("| {what} | {measured} | {aimed_at} |"));
}

fn say(text: &str) {
    _ = writeln!(io::stdout(), "{text}");
}
