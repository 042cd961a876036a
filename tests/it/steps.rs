//! Links whose delay steps, real agents on them, and what the scheduler makes of it.
//!
//! ```sh
//! cargo test --test it -- --ignored --nocapture judged_again   # what follows from a step, whenever that is
//! cargo test --test it -- --ignored --nocapture steps          # how soon, too; it wobbles for five minutes
//! ```

use std::fs::File;
use std::net::SocketAddr;
use std::process::Stdio;
use std::time::{Duration, Instant};

use controlplane::wait_for;
use k8s_openapi::ByteString;
use links::{HostSpec, Link, Loss, Network, Relay, Running};
use serde_json::{Value, json};

use crate::bed::{Bed, DEADLINE, NODE_DELAYS, PodSpec, Replica};
use crate::node_delays::agents_kubeconfig;
use crate::survey::{KEY, cluster, names, start_scheduler};

/// So many that two may each be no neighbour of the other on the ring of 8, and are probed every 10 s.
const NODES: usize = 18;
/// The bound of the pod, in milliseconds of round-trip time.
const BOUND: u64 = 200;
/// Round-trip times within the bound, and beyond it: so far that a link that is held up does not look like the other.
const LOW: u64 = 40;
const HIGH: u64 = 400;
/// Within this time the scheduler knows.
const PROMISED: Duration = Duration::from_secs(15);

/// A cluster on links; all of it ends with the value.
struct Links {
    // Agents end before their links do, and these before their API server.
    _agents: Vec<Running>,
    _relays: Vec<Relay>,
    network: Network,
    _scheduler: Replica,
    bed: Bed,
    names: Vec<String>,
    /// The anchor, and where the pod is.
    ends: [String; 2],
}

// === impl Links ===

impl Links {
    /// Starts everything, and places a pod within the bound.
    fn start(loss: Loss) -> Self {
        let names = names(NODES);
        let bed = cluster(&names);
        let scheduler = start_scheduler(&bed, "{probe: {}}");
        let keys = bed.matrix().with_file_name("keys");
        std::fs::create_dir(&keys).unwrap();
        let secret = bed.wait("the key", || bed.cp.client().get(KEY).ok());
        let key: ByteString = serde_json::from_value(secret["data"]["current"].clone()).unwrap();
        std::fs::write(keys.join("current"), key.0).unwrap();

        let hosts: Vec<HostSpec> = names.iter().map(HostSpec::new).collect();
        let network = Network::start(1, &hosts).unwrap();
        for name in &names {
            network.set_all_of(name, link(LOW).loss(loss)).unwrap();
        }
        let server: SocketAddr = bed.cp.url().trim_start_matches("https://").parse().unwrap();
        let mut relays = Vec::new();
        let mut agents = Vec::new();
        for host in network.hosts() {
            relays.push(Relay::start(host, server).unwrap());
            let mut command = host.command(env!("CARGO_BIN_EXE_edge-scheduler"));
            command.args(["probe", "-v=2", "--health-bind-address=", "--node-name", host.name()]);
            command.args(["--listen", &host.v4().to_string()]).arg("--key-directory").arg(&keys);
            command.arg("--kubeconfig").arg(agents_kubeconfig(&bed, host.name()));
            let log = File::create(keys.with_file_name(format!("{}.log", host.name()))).unwrap();
            agents.push(
                host.spawn({
                    command.stdin(Stdio::null()).stderr(log);
                    command
                })
                .unwrap(),
            );
        }
        let ends = [String::new(), String::new()];
        let mut links =
            Self { _agents: agents, _relays: relays, network, _scheduler: scheduler, bed, names, ends };
        links.ends = links.far_apart();
        links.place_pod();
        links
    }

    /// Two nodes of which neither is a neighbour of the other on the ring.
    fn far_apart(&self) -> [String; 2] {
        let specs = self.bed.wait("whom to measure", || {
            let specs = self.names.iter().map(|name| self.object(name)["spec"]["peers"].clone());
            let specs: Vec<Value> = specs.collect();
            specs.iter().all(|it| it.as_array().is_some_and(|it| it.len() == NODES - 1)).then_some(specs)
        });
        let is_far = |from: usize, to: usize| {
            let peer = specs[from].as_array().unwrap().iter().find(|it| it["name"] == self.names[to]);
            peer.is_some_and(|peer| peer["interval"] == "Mesh")
        };
        let pairs = (0..NODES).flat_map(|a| (0..NODES).map(move |b| (a, b)));
        let (anchor, user) = pairs.into_iter().find(|(a, b)| is_far(*a, *b) && is_far(*b, *a)).unwrap();
        [self.names[anchor].clone(), self.names[user].clone()]
    }

    fn place_pod(&self) {
        let [anchor, user] = &self.ends;
        let label = json!({"metadata": {"labels": {"here": "yes"}}});
        self.bed.cp.client().merge(&format!("/api/v1/nodes/{user}"), &label).unwrap();
        let mut pod = PodSpec::new("web").delay(anchor, &BOUND.to_string()).json();
        pod["spec"]["nodeSelector"] = json!({"here": "yes"});
        self.bed.cp.client().create(crate::bed::PODS, &pod).unwrap();
        assert_eq!(self.bed.node_of("web"), *user);
        // From now on both ends report at once if the bound is crossed.
        for (own, other) in [(anchor, user), (user, anchor)] {
            self.bed.wait("the bound to be known", || {
                let object = self.object(own);
                let peer =
                    object["spec"]["peers"].as_array()?.iter().find(|it| it["name"] == **other)?.clone();
                peer["boundsMicros"].as_array()?.contains(&json!(BOUND * 1_000)).then_some(())
            });
        }
    }

    fn object(&self, node: &str) -> Value {
        self.bed.cp.client().get(&format!("{NODE_DELAYS}/{node}")).unwrap_or_default()
    }

    /// The link between the two has this round-trip time from now on.
    fn step(&self, millis: u64, loss: Loss) {
        let [anchor, user] = &self.ends;
        self.network.set_both(anchor, user, link(millis).loss(loss)).unwrap();
    }

    fn n_events(&self, reason: &str) -> usize {
        let events = self.bed.cp.client().get("/apis/events.k8s.io/v1/namespaces/default/events").unwrap();
        let events = events["items"].as_array().unwrap();
        events.iter().filter(|it| it["reason"] == reason && it["regarding"]["name"] == "web").count()
    }

    /// Steps, and waits until the pod's events tell of it; how long that took.
    fn told_after_step(&self, millis: u64, loss: Loss, reason: &str) -> Duration {
        let before = self.n_events(reason);
        let begun = Instant::now();
        self.step(millis, loss);
        let told = wait_for(reason, DEADLINE, || Ok((self.n_events(reason) > before).then_some(())));
        told.unwrap_or_else(|error| panic!("{error}\n{}", self.known()));
        begun.elapsed()
    }

    /// What is known of the link, and what was logged.
    fn known(&self) -> String {
        let [anchor, user] = &self.ends;
        let direction = |own: &String, other: &String| {
            let mut status = self.object(own)["status"].take();
            let rows = status["rows"].take();
            let row = rows.as_array().into_iter().flatten().find(|row| row["peer"] == **other).cloned();
            let log = self.bed.matrix().with_file_name(format!("{own}.log"));
            let log = std::fs::read_to_string(log).unwrap_or_default();
            format!("{own}: {status}\n{own} to {other}: {}\n{log}", row.unwrap_or_default())
        };
        let log = std::fs::read_to_string(self.bed.log()).unwrap_or_default();
        [direction(anchor, user), direction(user, anchor), log].join("\n")
    }

    /// The delay wobbles by 5 % around the bound for this long, and nothing follows from it.
    fn wobble(&self, time: Duration) {
        let turns = || ["DelayExceeded", "DelayRestored"].map(|reason| self.n_events(reason));
        let before = turns();
        let begun = Instant::now();
        let mut turn = 0_usize;
        while begun.elapsed() < time {
            let millis = [95, 103, 98, 105, 97, 101][turn % 6] * BOUND / 100;
            self.step(millis, Loss::NONE);
            turn += 1;
            let next = begun + Duration::from_millis(1_700) * u32::try_from(turn).unwrap();
            self.bed.wait("the next wobble", || (Instant::now() >= next).then_some(()));
        }
        assert_eq!(turns(), before, "it wobbled by 5 %");
    }
}

/// Either direction of a link with this round-trip time in milliseconds.
fn link(millis: u64) -> Link {
    Link::with_delay(Duration::from_micros(millis * 500))
}

#[test]
#[ignore = "a minute and eighteen agents; what it is about is shown in virtual time, too (src/core/state/tests/steps.rs)"]
fn a_pod_is_judged_again_when_a_links_delay_steps_up_and_when_it_steps_down() {
    let links = Links::start(Loss::NONE);
    let exceeded = links.told_after_step(HIGH, Loss::NONE, "DelayExceeded");
    let restored = links.told_after_step(LOW, Loss::NONE, "DelayRestored");
    println!("a step up is told after {exceeded:.1?}, a step down after {restored:.1?}");
    links.wobble(Duration::from_secs(6));
}

#[test]
#[ignore = "ten minutes; how soon it is told is of use on a machine that is not too busy only"]
fn steps_are_told_within_15_seconds_and_nothing_flaps_for_5_minutes() {
    let links = Links::start(Loss::NONE);
    let mut late = Vec::new();
    for round in 0..6 {
        let loss = Loss::percent([0.0, 1.0][round % 2]);
        for (millis, reason) in [(HIGH, "DelayExceeded"), (LOW, "DelayRestored")] {
            let took = links.told_after_step(millis, loss, reason);
            println!("{reason} after {took:.1?}, loss {loss:?}");
            late.extend((took > PROMISED).then_some((reason, took)));
        }
    }
    links.step(LOW, Loss::NONE);
    links.wobble(Duration::from_mins(5));
    assert!(late.is_empty(), "{late:?}");
}
