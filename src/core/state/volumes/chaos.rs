//! Pods with claims against a model API server, volume controller and provisioner, with late watches, lost answers,
//! failing writes and deletions, replayed by seed.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::super::tests::{Bench, node};
use super::super::{Action, BindOutcome, Change, Event, PodRef, StorageChange, VolumesOutcome, WriteVolumes};
use crate::model::{
    Claim, ClaimKey, ClaimRef, Name, Node, NodeSelector, PersistentVolume, Pod, PodVolume, RequirementOp,
    StorageClass, Version,
};
use crate::placement::VolumeWrite;
use crate::placement::testing::on_label;
use crate::random::Random;

const NODES: [&str; 2] = ["a", "b"];
/// How many claims there are of each class.
const CLAIMS: i64 = 5;

/// The world outside of the scheduler.
struct World {
    bench: Bench,
    numbers: Random,
    revision: u64,
    claims: BTreeMap<ClaimKey, Claim>,
    volumes: BTreeMap<Name, PersistentVolume>,
    pods: BTreeMap<Name, Pod>,
    /// What the watches of pods, claims and volumes have yet to tell.
    streams: [VecDeque<Event>; 3],
    requests: Vec<Action>,
    /// Whether things go wrong.
    rough: bool,
    bound: usize,
}

fn reached_from(node: &str) -> NodeSelector {
    NodeSelector { terms: [on_label("host", RequirementOp::In, &[node])].into() }
}

// === impl World ===

impl World {
    fn new(seed: u64) -> Self {
        let mut world = Self {
            bench: Bench::new(),
            numbers: Random(seed * 2 + 1),
            revision: 1,
            claims: BTreeMap::new(),
            volumes: BTreeMap::new(),
            pods: BTreeMap::new(),
            streams: Default::default(),
            requests: Vec::new(),
            rough: true,
            bound: 0,
        };
        for name in NODES {
            let labels = [("host", name)].into_iter().collect();
            world.bench.apply(Event::Nodes(Change::Put(Box::new(Node { labels, ..node(name) }))));
        }
        let local = StorageClass { waits_for_consumer: true, ..StorageClass::named("local") };
        let made =
            StorageClass { name: "made".into(), provisioner: "csi.example.com".into(), ..local.clone() };
        let classes = StorageChange::Classes(Change::Reset(vec![local, made]));
        world.bench.apply(Event::Storage(classes));
        for number in 0..CLAIMS {
            for class in ["local", "made"] {
                let claim = Claim::named("default", &format!("{class}-{number}"));
                world.put_claim(Claim { class: class.into(), ..claim });
            }
            let affinity = Some(reached_from(if number % 2 == 0 { "a" } else { "b" }));
            let volume = PersistentVolume::named(&format!("v{number}"));
            world.put_volume(PersistentVolume { class: "local".into(), available: true, affinity, ..volume });
        }
        world
    }

    fn chance(&mut self, percent: i64) -> bool {
        self.rough && self.numbers.below(100) < percent
    }

    fn pick<T: Clone>(&mut self, choices: &[T]) -> Option<T> {
        let count = i64::try_from(choices.len()).unwrap();
        let idx = if count == 0 { 0 } else { self.numbers.below(count) };
        choices.get(usize::try_from(idx).unwrap()).cloned()
    }

    fn next_version(&mut self) -> Version {
        self.revision += 1;
        Version(self.revision)
    }

    fn put_claim(&mut self, claim: Claim) -> Version {
        let claim = Claim { version: self.next_version(), ..claim };
        let change = StorageChange::Claims(Change::Put(Box::new(claim.clone())));
        self.streams[1].push_back(Event::Storage(change));
        let version = claim.version;
        self.claims.insert(claim.key.clone(), claim);
        version
    }

    fn put_volume(&mut self, volume: PersistentVolume) -> Version {
        let volume = PersistentVolume { version: self.next_version(), ..volume };
        let change = StorageChange::Volumes(Change::Put(Box::new(volume.clone())));
        self.streams[2].push_back(Event::Storage(change));
        let version = volume.version;
        self.volumes.insert(volume.name.clone(), volume);
        version
    }

    fn put_pod(&mut self, pod: Pod) {
        let pod = Pod { version: self.next_version(), ..pod };
        self.streams[0].push_back(Event::Pods(Change::Put(Box::new(pod.clone()))));
        self.pods.insert(pod.key.name.clone(), pod);
    }

    fn step(&mut self) {
        match self.numbers.below(8) {
            0 if self.rough => self.user(),
            1 => self.controller(),
            2 | 3 => self.request(),
            _ => self.deliver(),
        }
        self.bench.now = self.bench.now + Duration::from_millis(200);
        while let Some(action) = self.bench.state.next(self.bench.now) {
            match &action {
                Action::Bind(binding) => self.check_binding(&binding.pod, binding.node.as_str()),
                Action::WriteVolumes(_) => (),
                _ => continue,
            }
            self.requests.push(action);
        }
    }

    /// A pod is bound only if each of its claims is, to a volume that its node reaches.
    fn check_binding(&mut self, pod: &PodRef, node: &str) {
        let Some(pod) = self.pods.get(&pod.key.name).filter(|known| known.uid == pod.uid) else { return };
        for name in pod.volumes.iter().filter_map(PodVolume::claim) {
            let claim = &self.claims[&ClaimKey::new("default", name.clone())];
            assert!(claim.is_bound(), "{} is bound before {}", pod.key, claim.key);
            let volume = &self.volumes[claim.volume.as_ref().unwrap()];
            assert!(volume.is_for(claim), "{} has the volume of another", claim.key);
            assert_eq!(volume.affinity, Some(reached_from(node)), "{} can't be reached", volume.name);
        }
    }

    fn user(&mut self) {
        let claims: Vec<ClaimKey> = self.claims.keys().cloned().collect();
        let pods: Vec<Name> = self.pods.keys().cloned().collect();
        if self.numbers.below(3) > 0 || pods.is_empty() {
            let claim = self.pick(&claims).unwrap();
            let name = format!("pod-{}", self.revision);
            let volumes = [PodVolume::Claim(claim.name)].into();
            self.put_pod(Pod { volumes, ..Pod::pending("default", &name) });
        } else if let Some(pod) = self.pick(&pods).and_then(|name| self.pods.remove(&name)) {
            let pod = Pod { version: self.next_version(), ..pod };
            self.streams[0].push_back(Event::Pods(Change::Gone(Box::new(pod))));
        }
    }

    fn deliver(&mut self) {
        let waiting: Vec<usize> = (0..3).filter(|idx| !self.streams[*idx].is_empty()).collect();
        if let Some(event) = self.pick(&waiting).and_then(|idx| self.streams[idx].pop_front()) {
            self.bench.apply(event);
        }
    }

    /// The volume controller and the provisioner do something about one claim.
    fn controller(&mut self) {
        // A claim that was given two volumes keeps one (upstream: `syncVolume`, which undoes what a controller bound).
        let is_left_over = |volume: &&PersistentVolume| {
            let claim = volume.claim.as_ref().and_then(|reference| self.claims.get(&reference.key));
            claim.is_some_and(|claim| claim.is_bound() && claim.volume.as_ref() != Some(&volume.name))
        };
        if let Some(volume) = self.volumes.values().find(is_left_over).cloned() {
            self.put_volume(PersistentVolume { claim: None, available: true, ..volume });
            return;
        }
        let unbound = |claim: &&Claim| !claim.is_bound();
        let unbound: Vec<Claim> = self.claims.values().filter(unbound).cloned().collect();
        let Some(claim) = self.pick(&unbound) else { return };
        let meant = self.volumes.values().find(|volume| volume.is_for(&claim)).cloned();
        if let Some(volume) = meant {
            if self.chance(15) {
                self.put_volume(PersistentVolume { claim: None, available: true, ..volume });
                return;
            }
            let name = Some(volume.name.clone());
            self.put_volume(PersistentVolume { available: false, ..volume });
            self.put_claim(Claim { volume: name, bind_completed: true, ..claim });
        } else if let Some(selected) = claim.selected_node.clone() {
            if self.chance(25) {
                self.put_claim(Claim { selected_node: None, ..claim });
                return;
            }
            let reference = ClaimRef { key: claim.key.clone(), uid: Some(claim.uid.clone()) };
            let made = PersistentVolume::named(&format!("made-{}", claim.key.name));
            let affinity = Some(reached_from(selected.as_str()));
            self.put_volume(PersistentVolume { claim: Some(reference), affinity, ..made });
        }
    }

    /// A request arrives at the server, and its answer at the scheduler.
    fn request(&mut self) {
        if self.requests.is_empty() {
            return;
        }
        let idx = self.numbers.below(i64::try_from(self.requests.len()).unwrap());
        match self.requests.remove(usize::try_from(idx).unwrap()) {
            Action::Bind(binding) => {
                let known = self.pods.get(&binding.pod.key.name).filter(|pod| pod.uid == binding.pod.uid);
                let outcome = match known.cloned() {
                    None => BindOutcome::Gone,
                    Some(_) if self.chance(10) => BindOutcome::Refused("no".to_owned()),
                    Some(pod) => {
                        assert_eq!(pod.node, None, "{} is bound twice", pod.key);
                        self.put_pod(Pod { node: Some(binding.node), ..pod });
                        self.bound += 1;
                        BindOutcome::Bound
                    }
                };
                self.bench.apply(Event::Bind(binding.pod, outcome));
            }
            Action::WriteVolumes(WriteVolumes { pod, writes }) => {
                let outcome = self.write(&writes);
                self.bench.apply(Event::Volumes(pod, outcome));
            }
            other => panic!("{other:?}"),
        }
    }

    fn write(&mut self, writes: &[VolumeWrite]) -> VolumesOutcome {
        let mut outcome = VolumesOutcome::default();
        for write in writes {
            let lost = self.chance(10);
            let written = if self.chance(10) { None } else { self.write_one(write) };
            match written.filter(|_| !lost) {
                Some(version) => outcome.written.push(version),
                None => return VolumesOutcome { failed: Some("conflict".to_owned()), ..outcome },
            }
        }
        outcome
    }

    /// The version that a write makes, if the object is as the scheduler thought.
    fn write_one(&mut self, write: &VolumeWrite) -> Option<Version> {
        match write {
            VolumeWrite::Bind { volume, claim } => {
                let known = self.volumes.get(&volume.name).filter(|known| known.version == volume.version)?;
                let is_free = known.claim.is_none() || known.is_for(claim);
                assert!(is_free, "{} is taken from another claim", volume.name);
                let reference = ClaimRef { key: claim.key.clone(), uid: Some(claim.uid.clone()) };
                Some(self.put_volume(PersistentVolume { claim: Some(reference), ..known.clone() }))
            }
            VolumeWrite::Provision { claim, node } => {
                let known = self.claims.get(&claim.key).filter(|known| known.version == claim.version)?;
                let selected_node = Some(node.clone());
                Some(self.put_claim(Claim { selected_node, annotated: true, ..known.clone() }))
            }
        }
    }
}

#[test]
fn every_seed_holds() {
    let mut bound = 0;
    for seed in 1..=60 {
        let mut world = World::new(seed);
        for _ in 0..600 {
            world.step();
        }
        world.rough = false;
        let mut rest = 0;
        while world.pods.values().any(|pod| pod.node.is_none()) || rest < 300 {
            world.step();
            rest += 1;
            assert!(rest < 20_000, "seed {seed}: a pod is lost: {:?}", world.pods);
        }
        let counted: i64 = world.bench.state.snapshot().nodes.iter().map(|node| node.usage.num_pods()).sum();
        assert_eq!(usize::try_from(counted), Ok(world.pods.len()), "seed {seed}");
        assert_eq!(world.bench.state.in_flight(), 0, "seed {seed}");
        assert!(world.bench.state.flights.awaiting_volumes().is_empty(), "seed {seed}");
        bound += world.bound;
    }
    assert!(bound > 600, "little happens: {bound}");
}
