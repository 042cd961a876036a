//! A generated world: nodes in towns, with delays by distance and access, and agents that do as the plan says.

use super::*;
use crate::delay::{DelaySource, Measurement, Report, Statistics};
use crate::random::Random;

/// Where a node is, in km, and what its access adds one way, in ms.
#[derive(Clone, Copy)]
pub(super) struct Place {
    x: f64,
    y: f64,
    access: f64,
}

pub(super) struct World {
    pub(super) places: BTreeMap<NodeName, Place>,
    pub(super) random: Random,
    /// How much longer than its base a measured delay is at most.
    pub(super) noise: f64,
}

impl World {
    pub(super) fn new(n: usize, seed: u64) -> Self {
        let mut random = Random(seed);
        let place = |random: &mut Random| {
            let mut town = Random(1 + random.draw() % 20);
            let (x, y) = (town.unit() * 2000.0, town.unit() * 1500.0);
            Place {
                x: x + random.unit() * 40.0,
                y: y + random.unit() * 40.0,
                access: 0.2 + 7.8 * random.unit().powi(3),
            }
        };
        let places = agents(n).into_iter().map(|agent| (agent.node, place(&mut random))).collect();
        Self { places, random, noise: 0.05 }
    }

    /// The base of the delay, in ms.
    pub(super) fn ms(&self, a: &NodeName, b: &NodeName) -> f64 {
        let (a, b) = (self.places[a], self.places[b]);
        2.0 * (a.access + b.access + 1.5 * (a.x - b.x).hypot(a.y - b.y) * 0.006)
    }

    /// Everybody measures as the plan says and reports.
    pub(super) fn measure(&mut self, planner: &mut Planner) {
        let names: Vec<NodeName> = self.places.keys().cloned().collect();
        for from in names {
            let peers = planner.peers_of(&from).unwrap_or_default().to_vec();
            let rows = peers.iter().map(|peer| {
                let ms = self.ms(&from, &peer.node) * (1.0 + self.noise * self.random.unit());
                let p50 = Delay::from_millis_f64(ms).ok();
                Measurement {
                    peer: peer.node.clone(),
                    statistics: Statistics { min: p50, p50, samples: 32, ..Statistics::default() },
                }
            });
            let rows = rows.collect();
            planner.learn(&Report { from, source: DelaySource::Probe, every: None, starved: false, rows });
        }
    }
}

/// A planner over a world that has come to rest.
pub(super) fn settled(world: &mut World, settings: PlanSettings) -> Planner {
    let mut planner = Planner::new(settings);
    planner.set_agents(agents(world.places.len()));
    for round in 0..12 {
        planner.step(seconds(round * 10));
        world.measure(&mut planner);
    }
    planner
}

pub(super) fn seconds(seconds: u64) -> Time {
    Time::from_origin(std::time::Duration::from_secs(seconds))
}
