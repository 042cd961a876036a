//! Nothing stays behind, however the program ends.

use links::{HostSpec, Network};
use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// The program, with `sleep` running on each host.
struct Program {
    child: Child,
    out: BufReader<ChildStdout>,
    /// The namespaces, as the kernel names them.
    namespaces: BTreeSet<String>,
}

impl Program {
    fn start() -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_links"));
        command.args(["--hosts", "3", "--delay", "1", "--", "sleep", "1000"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut program =
            Self { out: BufReader::new(child.stdout.take().unwrap()), child, namespaces: BTreeSet::new() };
        loop {
            let line = program.line();
            if line == "ready" {
                return program;
            }
            let (_, path) = line.split_once("nsenter --net=").unwrap();
            program.namespaces.insert(name(Path::new(path)).unwrap());
        }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    fn asks(&mut self, line: &str) -> String {
        writeln!(self.child.stdin.as_mut().unwrap(), "{line}").unwrap();
        self.line()
    }

    /// The programs in the namespaces, other than this one.
    fn inside(&self) -> BTreeSet<u32> {
        processes().filter(|pid| *pid != self.child.id() && self.holds(*pid)).collect()
    }

    fn holds(&self, pid: u32) -> bool {
        let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return false };
        let namespaces = threads.flatten().filter_map(|thread| name(&thread.path().join("ns/net")));
        namespaces.into_iter().any(|namespace| self.namespaces.contains(&namespace))
    }

    fn await_end_of_all(&mut self) {
        self.child.wait().unwrap();
        let deadline = Instant::now() + Duration::from_secs(10);
        while processes().any(|pid| self.holds(pid)) {
            assert!(Instant::now() < deadline, "{:?} are left", self.inside());
            thread::yield_now();
        }
    }
}

fn name(namespace: &Path) -> Option<String> {
    fs::read_link(namespace).ok()?.to_str().map(str::to_owned)
}

fn processes() -> impl Iterator<Item = u32> {
    fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

#[test]
fn a_killed_program_leaves_no_namespace_and_no_process() {
    let mut program = Program::start();
    assert_eq!(program.namespaces.len(), 3);
    assert_eq!(program.inside().len(), 3, "the programs run on the hosts");
    program.child.kill().unwrap();
    program.await_end_of_all();
}

#[test]
fn the_program_obeys_and_ends_with_its_input() {
    let mut program = Program::start();
    assert_eq!(program.asks("host-1 host-2 20 1 0.5"), "ok");
    assert_eq!(program.asks("host-1 host-2 down"), "ok");
    assert_eq!(program.asks("record"), "no packets");
    drop(program.child.stdin.take());
    program.await_end_of_all();
}

#[test]
fn a_dropped_network_takes_its_programs_along() {
    let network = Network::start(1, &[HostSpec::new("a")]).unwrap();
    let host = network.host("a").unwrap();
    let mut command = host.command("sleep");
    command.arg("1000");
    let mut running = host.spawn(command).unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    // It dies with its host from the moment on that it is what it is to be.
    let comm = format!("/proc/{}/comm", running.child().id());
    while fs::read_to_string(&comm).unwrap() != "sleep\n" {
        assert!(Instant::now() < deadline, "the program does not run");
        thread::yield_now();
    }
    assert!(running.child().try_wait().unwrap().is_none());
    drop(network);
    while running.child().try_wait().unwrap().is_none() {
        assert!(Instant::now() < deadline, "the program is left");
        thread::yield_now();
    }
}
