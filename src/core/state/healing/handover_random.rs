//! Failovers in random clusters that somebody else keeps full, with requests that fail and a scheduler that dies. What is
//! to come out is counted from the pods alone.

use std::collections::BTreeMap;
use std::time::Duration;

use super::cover_bench::{Bench, on, pod, replica};
use crate::model::{NodeName, Pod};
use crate::placement::BACKUP_NODE_ANNOTATION;
use crate::random::Random;
use crate::state::{Action, CoverOutcome, Defect, Event};

const NODES: [&str; 4] = ["a", "b", "c", "d"];
const GIB: i64 = 8;

/// What may go wrong.
#[derive(Clone, Copy, Debug, Default)]
struct Trouble {
    /// Of so many actions about one is the scheduler's last.
    crash: Option<usize>,
    /// Of so many requests about one fails, done or not.
    fail: Option<usize>,
}

struct World {
    bench: Bench,
    numbers: Random,
    trouble: Trouble,
    fillers: usize,
    /// Whether others take what room they find.
    is_greedy: bool,
    down: Vec<&'static str>,
    crashes: usize,
    /// How many taints were not written, one after the other. In the end they can be.
    untainted: usize,
}

// === impl World ===

impl World {
    /// A cluster with pods that are covered where they can be, whose other room others take.
    fn new(seed: u64, trouble: Trouble) -> Self {
        let bench = Bench::new(&[]);
        let numbers = Random((seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let calm = Trouble::default();
        let mut world = Self {
            bench,
            numbers,
            trouble: calm,
            fillers: 0,
            is_greedy: false,
            down: Vec::new(),
            crashes: 0,
            untainted: 0,
        };
        // The replicas of an application are alike.
        let apps = ["x", "y", "z"].map(|app| {
            let ms = ["10", "20", "30"][world.numbers.below(3)];
            (app, ms, 1 + i64::from(world.numbers.below(3)))
        });
        for idx in 0..3 + world.numbers.below(5) {
            let (app, ms, gib) = apps[world.numbers.below(3)];
            world.bench.put(replica(pod(&format!("p{idx}"), gib, ms), app, "5d"));
        }
        world.pass(100);
        world.is_greedy = true;
        world.pass(100);
        world.trouble = trouble;
        world
    }

    fn chance(&mut self, of: Option<usize>) -> bool {
        of.is_some_and(|of| self.numbers.below(of) == 0)
    }

    fn taken(&self, name: &str) -> i64 {
        let here =
            self.bench.pods.iter().filter(|pod| pod.node.as_ref().is_some_and(|node| node.as_str() == name));
        here.map(|pod| pod.requests.memory.0 >> 30).sum()
    }

    /// Another scheduler fills every node that is up and that no taint keeps it off.
    fn fill(&mut self) {
        for name in NODES {
            let is_open = !self.down.contains(&name) && !self.bench.is_tainted(name);
            let free = GIB - self.taken(name);
            if self.is_greedy && is_open && free > 0 {
                self.fillers += 1;
                let filler = pod(&format!("f{}", self.fillers), free, "0");
                self.bench.put(on(Pod { scheduler_name: "default-scheduler".into(), ..filler }, name, None));
            }
        }
    }

    fn pass(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.bench.now = self.bench.now + Duration::from_secs(1);
            let down = self.down.clone();
            self.bench.beat(&down);
            while let Some(action) = self.bench.state.next(self.bench.now) {
                self.answer(action);
                self.fill();
                if self.chance(self.trouble.crash) {
                    self.crashes += 1;
                    self.bench.restart_without(&down);
                }
            }
            self.fill();
        }
    }

    /// Does what is asked for; or fails to, or to say that it did.
    fn answer(&mut self, action: Action) {
        if !self.chance(self.trouble.fail) {
            return self.bench.answer(action);
        }
        let unknown = || CoverOutcome::Unknown("time-out".to_owned());
        let is_done = self.numbers.below(2) == 0;
        if matches!(action, Action::TaintNode(_)) {
            self.untainted = (self.untainted + 1) % 3;
            if self.untainted == 0 {
                return self.bench.answer(action);
            }
        }
        let failed = match &action {
            Action::DeleteBackup(pod) => Event::BackupTaken(pod.clone(), unknown()),
            Action::CreateBackup(backup) => Event::BackupMade(backup.key.clone(), unknown()),
            Action::TaintNode(wanted) => Event::NodeTainted(wanted.clone(), unknown()),
            _ => return self.bench.answer(action),
        };
        if is_done && let Action::DeleteBackup(pod) = &action {
            self.bench.pods.retain(|known| known.uid != pod.uid);
        }
        self.bench.apply(failed);
    }

    /// How many pods of each application on a node have to come back: those with a backup for which room is kept.
    fn covered_on(&self, name: &str) -> BTreeMap<String, usize> {
        let backups = &self.bench.state.snapshot().backups;
        let nodes = &self.bench.state.snapshot().nodes;
        let is_kept = |backup: &str| {
            let slot = nodes.find(backup).unwrap().slot;
            let held = backups.on(slot).iter().map(|pod| pod.requests.memory.0).sum::<i64>();
            held >= backups.book.reserve(slot).memory.0
        };
        let mut covered = BTreeMap::new();
        for pod in &self.bench.pods {
            let is_here = pod.node.as_ref().is_some_and(|node| node.as_str() == name);
            if is_here && pod.annotations.get(BACKUP_NODE_ANNOTATION).is_some_and(is_kept) {
                *covered.entry(application(pod)).or_default() += 1;
            }
        }
        covered
    }

    /// How many pods of each application have come in place of others, within their bound.
    fn came(&self, lost: &str) -> BTreeMap<String, usize> {
        let mut came = BTreeMap::new();
        for pod in self.bench.pods.iter().filter(|pod| pod.key.name.ends_with('+') && !pod.terminating) {
            let Some(node) = pod.node.as_ref().map(NodeName::as_str) else { continue };
            let ms: i64 = pod.labels.get("delay_a").unwrap().parse().unwrap();
            assert!(node != lost && i64::from(node.as_bytes()[0] - b'a') * 10 <= ms, "{}", pod.key);
            *came.entry(application(pod)).or_default() += 1;
        }
        came
    }

    /// What is wrong after the loss of this node.
    fn wrong_after_loss(&mut self, name: &'static str) -> Option<String> {
        let covered = self.covered_on(name);
        self.down.push(name);
        self.bench.done.clear();
        self.pass(100);
        self.trouble = Trouble::default();
        self.pass(60);
        let came = self.came(name);
        if covered.iter().any(|(app, count)| came.get(app).is_none_or(|came| came < count)) {
            return Some(format!("{covered:?} were covered, {came:?} are back"));
        }
        if self.bench.done.iter().any(|line| line.contains("OutOf")) {
            return Some("a kubelet refused a pod".to_owned());
        }
        if let Some(tainted) = NODES.iter().find(|node| self.bench.is_tainted(node)) {
            return Some(format!("{tainted} is tainted"));
        }
        let backups = &self.bench.state.snapshot().backups;
        if !backups.holds.is_empty() || !backups.handed_over.is_empty() {
            return Some("something is held still".to_owned());
        }
        let over = NODES.iter().find(|node| self.taken(node) > GIB);
        over.map(|node| format!("{node} is overfull"))
    }
}

fn application(pod: &Pod) -> String {
    pod.owner.as_ref().map(|owner| owner.name.to_string()).unwrap_or_default()
}

fn wrong(seed: u64, trouble: Trouble, defect: Option<Defect>) -> Option<String> {
    let mut world = World::new(seed, trouble);
    world.bench = world.bench.with_defect(defect);
    let name = NODES[world.numbers.below(NODES.len())];
    let wrong = world.wrong_after_loss(name)?;
    let done = &world.bench.done;
    let pods: Vec<String> = world
        .bench
        .pods
        .iter()
        .map(|pod| {
            let node = pod.node.as_ref().map_or("-", |node| node.as_str());
            format!(
                "{}@{node}:{}{}",
                pod.key.name,
                pod.requests.memory.0 >> 30,
                if pod.terminating { "!" } else { "" }
            )
        })
        .collect();
    Some(format!("seed {seed}, loss of {name}: {wrong}\n{}\n{}", pods.join(" "), done.join("\n")))
}

#[track_caller]
fn check(trouble: Trouble) {
    for seed in 0..80 {
        if let Some(wrong) = wrong(seed, trouble, None) {
            panic!("{trouble:?}, {wrong}");
        }
    }
}

#[test]
fn whoever_is_covered_is_back_though_others_want_the_room() {
    check(Trouble::default());
}

#[test]
fn whoever_is_covered_is_back_though_requests_fail() {
    check(Trouble { fail: Some(3), ..Trouble::default() });
}

#[test]
fn whoever_is_covered_is_back_though_the_scheduler_dies() {
    check(Trouble { crash: Some(6), ..Trouble::default() });
}

#[test]
fn what_is_put_in_by_hand_is_found() {
    for defect in [Defect::NothingHeld, Defect::BoundBeforeRoom] {
        let found = (0..100).find_map(|seed| wrong(seed, Trouble::default(), Some(defect)));
        assert!(found.is_some(), "{defect:?} is not found");
    }
}
