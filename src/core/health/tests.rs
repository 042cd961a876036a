//! Verdicts by tables, and many random histories against what may never happen.

use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::model::{NodeName, Time, Version};
use crate::placement::NodeSlot;
use crate::random::Random;

/// How often an agent reports when nothing happens.
const EVERY: Duration = Duration::from_mins(1);
/// How often a kubelet renews.
const RENEWED: u64 = 10_000;

fn at(millis: u64) -> Time {
    Time::from_origin(Duration::from_millis(millis))
}

/// A cluster of nodes that all probe all others every second.
struct Bench {
    detector: Detector,
    nodes: usize,
    /// What each said last, and how often it spoke.
    rows: BTreeMap<usize, (u64, Vec<u16>)>,
    leases: BTreeMap<usize, u64>,
    /// Those whose kubelet is gone.
    dead: Vec<usize>,
    now: u64,
}

impl Bench {
    /// So many nodes, each in one of these zones in turn; their Leases were seen first at 0 s.
    fn new(nodes: usize, zones: &[&str]) -> Self {
        let mut bench = Self {
            detector: Detector::new(HealthRules::default()),
            nodes,
            rows: BTreeMap::new(),
            leases: BTreeMap::new(),
            dead: Vec::new(),
            now: 0,
        };
        for node in 0..nodes {
            let zone = zones.get(node % zones.len().max(1)).map(|zone| (*zone).into());
            bench.detector.put_node(slot(node), zone, None);
            bench.renew(node);
        }
        for node in 0..nodes {
            bench.say(node, &[]);
        }
        bench
    }

    fn renew(&mut self, node: usize) {
        let version = self.leases.entry(node).or_default();
        *version += 1;
        let seen = LeaseSeen { node: name(node), version: Version(*version) };
        self.detector.see_lease(slot(node), &seen, at(self.now));
    }

    fn sighting(&mut self, from: usize, missed: &[usize]) -> Sighting {
        let entry = self.rows.entry(from).or_default();
        entry.0 += 1;
        entry.1 = (0..self.nodes).map(|peer| if missed.contains(&peer) { 3 } else { 0 }).collect();
        let peers = entry.1.iter().enumerate().filter(|(peer, _)| *peer != from);
        Sighting {
            from: name(from),
            told: entry.0,
            every: EVERY,
            starved: false,
            leaving: false,
            peers: peers.map(|(peer, missed)| Seen { peer: name(peer), missed: *missed }).collect(),
        }
    }

    fn hear(&mut self, sighting: &Sighting) {
        self.detector.hear(sighting, |name| slot(name.parse().unwrap()), at(self.now));
    }

    /// An agent reports that it misses these and reaches all others.
    fn say(&mut self, from: usize, missed: &[usize]) {
        let sighting = self.sighting(from, missed);
        self.hear(&sighting);
    }

    /// Time passes until then. Kubelets renew, each at its own moment, and agents repeat themselves.
    fn pass(&mut self, to: u64) {
        while self.now < to {
            self.now += 100;
            for node in 0..self.nodes {
                let phase = node as u64 * 100;
                if self.dead.contains(&node) {
                    continue;
                }
                if self.now % RENEWED == phase % RENEWED {
                    self.renew(node);
                }
                if self.now % 50_000 == phase % 50_000 {
                    let missed = self.rows[&node].1.clone();
                    let missed: Vec<usize> = (0..self.nodes).filter(|peer| missed[*peer] >= 3).collect();
                    self.say(node, &missed);
                }
            }
            self.detector.review(at(self.now));
        }
    }

    /// Nodes die at once, and all that live say so as soon as they know.
    fn die(&mut self, nodes: &[usize]) {
        self.dead.extend(nodes);
        self.pass(self.now + 3_500);
        self.all_say_so();
    }

    fn all_say_so(&mut self) {
        let dead = self.dead.clone();
        for node in (0..self.nodes).filter(|node| !dead.contains(node)) {
            self.say(node, &dead);
        }
        self.detector.review(at(self.now));
    }

    /// One letter for each node: alive, suspect, lost, returning; and whether all is frozen.
    #[track_caller]
    fn expect(&mut self, expected: &str) {
        self.detector.review(at(self.now));
        let letter = |node| match self.detector.verdict(slot(node)) {
            Verdict::Alive => 'a',
            Verdict::Suspect { .. } => 's',
            Verdict::Lost { .. } => 'l',
            Verdict::Returning { .. } => 'r',
        };
        let mut seen: String = (0..self.nodes).map(letter).collect();
        if let Some(frozen) = self.detector.frozen() {
            seen += match frozen.by {
                FrozenBy::TooMany => " too many",
                FrozenBy::Unproven => " unproven",
                FrozenBy::Deaf => " deaf",
            };
        }
        assert_eq!(seen, expected, "at {} ms", self.now);
    }
}

fn slot(node: usize) -> NodeSlot {
    NodeSlot(u32::try_from(node).unwrap())
}

fn name(node: usize) -> NodeName {
    NodeName::from(node.to_string().as_str())
}

#[test]
fn a_dead_node_is_suspect_at_once_and_lost_when_its_lease_is_overdue() {
    let mut bench = Bench::new(10, &[]);
    bench.pass(30_500);
    bench.die(&[3]);
    bench.expect("aaasaaaaaa");
    assert!(!bench.detector.is_failed(slot(3)));
    // Its Lease was renewed at 30.3 s.
    bench.pass(42_200);
    bench.expect("aaasaaaaaa");
    bench.pass(42_300);
    bench.expect("aaalaaaaaa");
    assert!(bench.detector.is_failed(slot(3)) && !bench.detector.is_failed(slot(2)));
    bench.pass(600_000);
    bench.expect("aaalaaaaaa");
}

#[test]
fn a_lease_that_is_renewed_says_that_the_network_has_a_fault() {
    let mut bench = Bench::new(10, &[]);
    bench.pass(25_000);
    // Nobody reaches node 3, and it renews at 30.3 s.
    for node in (0..10).filter(|node| *node != 3) {
        bench.say(node, &[3]);
    }
    bench.expect("aaasaaaaaa");
    bench.pass(30_300);
    bench.expect("aaaaaaaaaa");
    bench.pass(200_000);
    bench.expect("aaaaaaaaaa");
    // Then its kubelet goes too, right after it renewed.
    bench.pass(200_400);
    bench.dead.push(3);
    bench.pass(212_400);
    bench.expect("aaasaaaaaa");
    bench.pass(213_500);
    bench.expect("aaalaaaaaa");
}

#[test]
fn a_majority_of_the_fresh_probers_is_needed() {
    let mut bench = Bench::new(6, &[]);
    bench.pass(25_000);
    for node in [1, 2] {
        bench.say(node, &[0]);
    }
    bench.expect("aaaaaa");
    bench.say(3, &[0]);
    bench.expect("saaaaa");
    // Two of the others are starved, and three of three remain; the third takes it back.
    for node in [4, 5] {
        let sighting = bench.sighting(node, &[]);
        bench.hear(&Sighting { starved: true, ..sighting });
    }
    bench.expect("saaaaa");
    bench.say(3, &[]);
    bench.expect("saaaaa");
    bench.say(2, &[]);
    bench.expect("aaaaaa");
}

#[test]
fn two_other_zones_have_to_miss_a_node_where_there_are_so_many() {
    let check = |zones: &[&str], missing: &[usize], expected: &str| {
        let mut bench = Bench::new(8, zones);
        bench.pass(25_000);
        for node in missing {
            bench.say(*node, &[0]);
        }
        bench.expect(expected);
    };
    // Node 0 is in zone a, with 4.
    check(&["a", "b", "c", "d"], &[1, 2, 3, 5], "saaaaaaa");
    check(&["a", "b", "c", "c", "a", "b", "b", "b"], &[1, 5, 6, 7], "aaaaaaaa");
    check(&["a", "b", "c", "c", "a", "b", "b", "b"], &[1, 5, 6, 7, 4], "aaaaaaaa");
    check(&["a", "b", "c", "c", "a", "b", "b", "b"], &[1, 5, 6, 2], "saaaaaaa");
    // There is one other zone, then none.
    check(&["a", "b"], &[1, 3, 5, 7], "saaaaaaa");
    check(&["a", "b"], &[2, 4, 6, 1], "saaaaaaa");
    check(&["a"], &[1, 2, 3, 4], "saaaaaaa");
    check(&["a"], &[1, 2, 3], "aaaaaaaa");
}

#[test]
fn small_clusters() {
    let check = |nodes: usize, dead: &[usize], soon: &str, later: &str| {
        let mut bench = Bench::new(nodes, &[]);
        bench.pass(30_900);
        bench.die(dead);
        bench.expect(soon);
        bench.pass(50_000);
        bench.expect(later);
    };
    check(1, &[], "a", "a");
    check(2, &[1], "as", "al");
    check(3, &[1], "asa", "ala");
    // What one of the dead last said of the other is believed until its Lease is overdue.
    check(3, &[1, 2], "aaa", "ass too many");
    check(5, &[4], "aaaas", "aaaal");
    check(5, &[3, 4], "aaass too many", "aaall too many");
    check(10, &[8, 9], "aaaaaaaass", "aaaaaaaall");
    check(10, &[7, 8, 9], "aaaaaaasss too many", "aaaaaaalll too many");
}

#[test]
fn a_freeze_ends_when_verdicts_are_stable_or_somebody_says_so() {
    let mut bench = Bench::new(10, &[]);
    bench.pass(30_900);
    bench.die(&[0, 1, 2]);
    bench.pass(60_000);
    bench.expect("lllaaaaaaa too many");
    assert!(!bench.detector.is_failed(slot(0)));
    let version = bench.detector.lease_version(slot(0));
    bench.detector.put_node(slot(0), None, version);
    bench.expect("lllaaaaaaa too many");
    assert!(bench.detector.is_failed(slot(0)) && !bench.detector.is_failed(slot(1)));
    // The last verdict turned at 42.2 s.
    bench.pass(102_100);
    bench.expect("lllaaaaaaa too many");
    bench.pass(102_300);
    bench.expect("lllaaaaaaa");
    assert!(bench.detector.is_failed(slot(1)));
}

#[test]
fn who_is_said_to_be_off_is_lost_without_waiting_for_its_lease() {
    let mut bench = Bench::new(5, &[]);
    bench.pass(30_900);
    bench.die(&[4]);
    bench.expect("aaaas");
    let version = bench.detector.lease_version(slot(4));
    bench.detector.put_node(slot(4), None, version);
    bench.expect("aaaal");
    // It was not off, or is back: what was said of it holds no more.
    bench.dead.clear();
    bench.renew(4);
    bench.all_say_so();
    bench.expect("aaaar");
}

#[test]
fn nothing_is_acted_on_while_no_lease_is_seen_to_change() {
    let mut bench = Bench::new(5, &[]);
    bench.pass(30_900);
    // The watch is dead, and with it everybody's Lease; then node 4 dies.
    bench.dead = vec![0, 1, 2, 3, 4];
    bench.pass(42_300);
    bench.expect("aaaaa");
    bench.pass(42_500);
    bench.expect("aaaaa unproven");
    for node in 0..4 {
        bench.say(node, &[4]);
    }
    bench.pass(60_000);
    bench.expect("aaaas unproven");
    // The watch is back. The dead one's kubelet has the time to renew that all have, and a minute has to be quiet.
    bench.dead = vec![4];
    bench.pass(72_000);
    bench.expect("aaaas unproven");
    bench.pass(72_100);
    bench.expect("aaaal unproven");
    bench.pass(132_000);
    bench.expect("aaaal unproven");
    bench.pass(132_100);
    bench.expect("aaaal");
}

#[test]
fn nothing_is_acted_on_while_under_half_of_the_agents_are_heard() {
    let mut bench = Bench::new(5, &[]);
    bench.pass(1_000);
    // Only node 1 goes on to report; all renew.
    while bench.now < 122_000 {
        bench.now += 1_000;
        (0..5).for_each(|node| bench.renew(node));
        bench.say(1, &[]);
        bench.detector.review(at(bench.now));
    }
    bench.expect("aaaaa deaf");
    assert_eq!(bench.detector.frozen().unwrap().since, at(121_000));
}

#[test]
fn an_agent_that_said_that_it_ends_is_not_missed() {
    let mut bench = Bench::new(5, &[]);
    bench.pass(30_900);
    let farewell = bench.sighting(2, &[]);
    bench.hear(&Sighting { leaving: true, ..farewell });
    for node in [0, 1, 3, 4] {
        bench.say(node, &[2]);
    }
    bench.expect("aaaaa");
    bench.dead.push(2);
    bench.pass(330_800);
    bench.expect("aaaaa");
    bench.pass(332_000);
    bench.expect("aalaa");
    // The same by its pod, which is being deleted.
    let mut bench = Bench::new(5, &[]);
    bench.pass(30_900);
    bench.detector.agent_ends(slot(2), at(bench.now));
    bench.dead.push(2);
    for node in [0, 1, 3, 4] {
        bench.say(node, &[2]);
    }
    bench.pass(40_000);
    bench.expect("aaaaa");
    // It is back, and its neighbours have a moment to find out.
    bench.dead.clear();
    bench.say(2, &[]);
    bench.pass(44_900);
    bench.expect("aaaaa");
    for node in [0, 1, 3, 4] {
        bench.say(node, &[]);
    }
    bench.pass(60_000);
    bench.expect("aaaaa");
}

#[test]
fn a_node_that_comes_back_is_well_for_a_while_before_it_is_used() {
    let mut bench = Bench::new(5, &[]);
    bench.pass(30_900);
    bench.die(&[4]);
    bench.pass(50_000);
    bench.expect("aaaal");
    bench.dead.clear();
    bench.all_say_so();
    bench.expect("aaaar");
    bench.pass(79_900);
    bench.expect("aaaar");
    bench.pass(80_000);
    bench.expect("aaaaa");
    // One that is deleted has failed no more, and its successor is a new one.
    bench.die(&[4]);
    bench.pass(100_000);
    bench.expect("aaaal");
    bench.detector.remove_node(slot(4));
    bench.expect("aaaaa");
}

#[test]
fn the_word_of_who_is_silent_grows_old() {
    let mut bench = Bench::new(3, &[]);
    bench.pass(30_900);
    // Agent 1 ended without a word; its node lives. It said that it reaches 2, which dies.
    bench.say(0, &[2]);
    for (until, expected) in [(175_000, "aaa deaf"), (190_000, "aal deaf")] {
        while bench.now < until {
            bench.now += 100;
            (0..2).for_each(|node| bench.renew(node));
            if bench.now.is_multiple_of(50_000) {
                bench.say(0, &[2]);
            }
            bench.detector.review(at(bench.now));
        }
        bench.expect(expected);
    }
    // What is forgotten of an agent says nothing either.
    let mut bench = Bench::new(3, &[]);
    bench.pass(30_900);
    bench.dead = vec![2];
    bench.say(0, &[2]);
    bench.pass(50_000);
    bench.expect("aaa");
    bench.detector.forget_agent(slot(1));
    bench.dead.push(1);
    bench.pass(52_000);
    bench.expect("aal");
}

#[test]
fn a_report_that_is_told_again_is_no_news() {
    let mut bench = Bench::new(3, &[]);
    let last = bench.sighting(1, &[]);
    bench.hear(&last);
    while bench.now < 200_000 {
        bench.now += 1_000;
        (0..3).for_each(|node| bench.renew(node));
        bench.hear(&last);
        bench.say(0, &[2]);
        bench.detector.review(at(bench.now));
    }
    // Else 0 would not be a majority by itself.
    while bench.now < 214_000 {
        bench.now += 1_000;
        (0..2).for_each(|node| bench.renew(node));
        bench.detector.review(at(bench.now));
    }
    bench.expect("aal deaf");
}

/// One history: probes are lost, each by chance or many together, and some nodes die.
struct History {
    random: Random,
    bench: Bench,
    /// By prober and peer: how many were lost in a row.
    missed: Vec<Vec<u16>>,
    /// Until then all probes of a node, to and from it, are lost.
    cut: Vec<u64>,
    died: BTreeMap<usize, u64>,
    loss: f64,
}

impl History {
    fn new(seed: u64, loss: f64) -> Self {
        let mut random = Random(seed);
        let nodes = 2 + random.below(11_usize);
        let zones = &["a", "b", "c"][..random.below(4_usize)];
        Self {
            bench: Bench::new(nodes, zones),
            missed: vec![vec![0; nodes]; nodes],
            cut: vec![0; nodes],
            died: BTreeMap::new(),
            random,
            loss,
        }
    }

    /// A second passes: everybody probes everybody, and says at once who came out of reach or within it.
    fn second(&mut self) {
        let nodes = self.bench.nodes;
        let now = self.bench.now + 1_000;
        if self.random.below(100_u64) == 0 {
            let node = self.random.below(nodes);
            self.cut[node] = now + 1_000 * self.random.below(40_u64);
        }
        for from in (0..nodes).filter(|node| !self.died.contains_key(node)).collect::<Vec<_>>() {
            let mut turned = false;
            for peer in (0..nodes).filter(|peer| *peer != from) {
                let is_cut = self.cut[from] > now || self.cut[peer] > now;
                let lost = self.died.contains_key(&peer) || is_cut || self.random.unit() < self.loss;
                let before = self.missed[from][peer];
                let after = if lost { before.saturating_add(1) } else { 0 };
                self.missed[from][peer] = after;
                turned |= (before < 3) != (after < 3);
            }
            if turned {
                let missed: Vec<usize> = (0..nodes).filter(|peer| self.missed[from][*peer] >= 3).collect();
                self.bench.say(from, &missed);
            }
        }
        self.bench.pass(now);
    }
}

#[test]
fn nobody_who_lives_is_lost_and_who_dies_alone_is_found() {
    let mut found = 0;
    for seed in 1..=150 {
        let loss = [0.0, 0.01, 0.05, 0.2][usize::try_from(seed).unwrap() % 4];
        let mut history = History::new(seed, loss);
        (0..60).for_each(|_| history.second());
        let victim = history.random.below(history.bench.nodes);
        let dies = history.random.below(2_u32) == 0;
        if dies {
            let now = history.bench.now;
            history.died.insert(victim, now);
            history.bench.dead.push(victim);
        }
        for _ in 0..100 {
            history.second();
            for node in 0..history.bench.nodes {
                let lost = history.bench.detector.verdict(slot(node)).is_lost();
                assert!(!lost || history.died.contains_key(&node), "{node} lives (seed {seed})");
            }
        }
        if dies && history.bench.detector.verdict(slot(victim)).is_lost() {
            found += 1;
        } else {
            assert!(!dies || loss > 0.1, "{victim} is dead (seed {seed})");
        }
    }
    assert!(found > 50, "{found}");
}
