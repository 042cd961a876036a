//! Order and pace by tables; chains against all moves of small clusters.

use std::collections::BTreeSet;
use std::time::Duration;

use super::*;
use crate::model::Time;
use crate::placement::NodeSlot;
use crate::random::Random;

const RHYTHM: Rhythm = Rhythm { per_minute: 2, dwell: Duration::from_secs(100) };

fn at(seconds: u64) -> Time {
    Time::ZERO + Duration::from_secs(seconds)
}

#[test]
fn so_many_are_moved_in_any_minute() {
    let mut pace = Pace::default();
    assert_eq!(pace.free_at(RHYTHM), Time::ZERO);
    pace.begin("a", RHYTHM, at(10));
    assert_eq!(pace.free_at(RHYTHM), Time::ZERO);
    pace.begin("b", RHYTHM, at(30));
    assert_eq!(pace.free_at(RHYTHM), at(70));
    pace.begin("c", RHYTHM, at(70));
    assert_eq!(pace.free_at(RHYTHM), at(90));
    assert_eq!(pace.free_at(Rhythm { per_minute: 0, ..RHYTHM }), Time::NEVER);
}

#[test]
fn who_is_moved_again_and_again_stays_longer_each_time() {
    let mut pace = Pace::default();
    assert_eq!(pace.stays_until(&"a", at(5), RHYTHM), at(105));
    let mut now = at(200);
    let mut rests = Vec::new();
    for _ in 0..9 {
        pace.begin("a", RHYTHM, now);
        let until = pace.stays_until(&"a", at(5), RHYTHM);
        rests.push(until.since(now).as_secs() / 100);
        now = until;
    }
    assert_eq!(rests, [1, 2, 4, 8, 16, 32, 64, 64, 64]);
    assert_eq!(pace.stays_until(&"b", at(5), RHYTHM), at(105), "others don't");
    // After a long while it is as at first.
    now = now + Duration::from_secs(100 * 64 * 2);
    pace.begin("a", RHYTHM, now);
    assert_eq!(pace.stays_until(&"a", at(5), RHYTHM), now + RHYTHM.dwell);
}

/// `links` as `workload<anchor<anchor`.
#[track_caller]
fn check_order(links: &str, expected: &str) {
    let link = |text: &str| {
        let mut names = text.split('<').map(ToOwned::to_owned);
        Link { workload: names.next().unwrap(), anchors: names.collect() }
    };
    let links: Vec<Link<String>> = links.split_whitespace().map(link).collect();
    assert_eq!(in_order(&links).join(" "), expected, "{links:?}");
}

#[test]
fn anchors_come_before_those_that_follow_them() {
    check_order("", "");
    check_order("c b a", "a b c");
    check_order("a<b b<c c", "c b a");
    check_order("a<x b", "a b");
    check_order("a<a b<a", "a b");
    check_order("d<b<c b<a c<a a", "a b c d");
    // Twice the same, with one anchor each.
    check_order("a<b a<c b c", "b c a");
}

#[test]
fn a_cycle_begins_somewhere_and_each_comes_once() {
    check_order("a<b b<a", "a b");
    check_order("a<b b<c c<a d<c", "a c b d");
    check_order("z<a a<b b<a", "a b z");
}

/// A cluster where pods need one resource and may be on some nodes.
#[derive(Clone, Debug)]
struct Table {
    room: Vec<i64>,
    pods: Vec<Piece>,
    /// What the pod that needs a place demands, and where it may be.
    demand: i64,
    homes: BTreeSet<u32>,
    made: Vec<(usize, u32)>,
}

#[derive(Clone, Debug)]
struct Piece {
    node: u32,
    demand: i64,
    priority: i32,
    allowed: BTreeSet<u32>,
}

impl Table {
    fn random(random: &mut Random) -> Self {
        let nodes: u32 = 2 + random.below(3_u32);
        let some_of = |random: &mut Random| -> BTreeSet<u32> {
            (0..nodes).filter(|_| random.below(3_u32) > 0).collect()
        };
        let mut table =
            Self { room: Vec::new(), pods: Vec::new(), demand: 0, homes: some_of(random), made: Vec::new() };
        table.room = (0..nodes).map(|_| 3 + random.below(4_i64)).collect();
        table.demand = 1 + random.below(4_i64);
        for _ in 0..random.below(9_u32) {
            let piece = Piece {
                node: random.below(nodes),
                demand: 1 + random.below(3_i64),
                priority: random.below(3_i32),
                allowed: some_of(random),
            };
            if table.free(piece.node) >= piece.demand {
                table.pods.push(piece);
            }
        }
        table
    }

    fn free(&self, node: u32) -> i64 {
        let used: i64 = self.pods.iter().filter(|pod| pod.node == node).map(|pod| pod.demand).sum();
        self.room[node as usize] - used
    }

    /// All that can be reached by one move more, from the definition.
    fn moved(&self) -> Vec<(usize, Self)> {
        let mut all = Vec::new();
        for (idx, pod) in self.pods.iter().enumerate() {
            for to in pod.allowed.iter().filter(|to| **to != pod.node && self.free(**to) >= pod.demand) {
                let mut next = self.clone();
                next.pods[idx].node = *to;
                all.push((idx, next));
            }
        }
        all
    }

    fn has_place(&self) -> bool {
        self.homes.iter().any(|home| self.free(*home) >= self.demand)
    }

    /// The least number of moves by which there is a place, and the priorities of those who are moved, the highest first.
    fn least(&self) -> Option<(usize, Vec<i32>)> {
        let mut best = None;
        let mut note = |moved: &[usize]| {
            let mut priorities: Vec<i32> = moved.iter().map(|idx| self.pods[*idx].priority).collect();
            priorities.sort_unstable_by(|a, b| b.cmp(a));
            let cost = (moved.len(), priorities);
            if best.as_ref().is_none_or(|best| cost < *best) {
                best = Some(cost);
            }
        };
        for (first, once) in self.moved() {
            if once.has_place() {
                note(&[first]);
            }
            for (second, twice) in once.moved() {
                if twice.has_place() && second != first {
                    note(&[first, second]);
                }
            }
        }
        best
    }
}

impl Board for Table {
    type Pod = usize;

    fn homes(&self) -> Vec<NodeSlot> {
        self.homes.iter().copied().map(NodeSlot).collect()
    }

    fn fits(&self, home: NodeSlot) -> bool {
        self.fits_without(home, &[])
    }

    fn fits_without(&self, home: NodeSlot, gone: &[&usize]) -> bool {
        let gone: i64 = gone.iter().map(|idx| self.pods[**idx].demand).sum();
        self.free(home.0) + gone >= self.demand
    }

    fn residents(&self, node: NodeSlot) -> Vec<Resident<usize>> {
        let here = self.pods.iter().enumerate().filter(|(_, pod)| pod.node == node.0);
        here.map(|(pod, piece)| Resident { pod, priority: piece.priority }).collect()
    }

    fn places(&self, pod: &usize) -> Vec<NodeSlot> {
        let Piece { node, allowed, .. } = &self.pods[*pod];
        allowed.iter().filter(|it| *it != node).copied().map(NodeSlot).collect()
    }

    fn try_move(&mut self, hop: &Hop<usize>) -> bool {
        let fits = self.free(hop.to.0) >= self.pods[hop.pod].demand;
        if fits {
            self.made.push((hop.pod, self.pods[hop.pod].node));
            self.pods[hop.pod].node = hop.to.0;
        }
        fits
    }

    fn undo(&mut self) {
        let (pod, node) = self.made.pop().unwrap();
        self.pods[pod].node = node;
    }
}

#[test]
fn room_is_made_by_the_fewest_moves_of_the_least_important_pods() {
    let mut random = Random(0xc4a1);
    let mut found = [0, 0, 0];
    for round in 0..3_000 {
        let table = Table::random(&mut random);
        if table.has_place() {
            continue;
        }
        let mut board = table.clone();
        let chain = make_room(&mut board, Effort { tries: 10_000 });
        assert!(board.made.is_empty(), "all is as it was");
        let cost = chain.as_ref().map(|chain| {
            let mut after = table.clone();
            for hop in &chain.hops {
                let pod = &after.pods[hop.pod];
                assert!(pod.node == hop.from.0 && pod.allowed.contains(&hop.to.0), "{hop:?}");
                assert!(after.free(hop.to.0) >= pod.demand, "{round}: {hop:?}");
                after.pods[hop.pod].node = hop.to.0;
            }
            assert!(after.free(chain.home.0) >= table.demand && table.homes.contains(&chain.home.0));
            let mut priorities: Vec<i32> =
                chain.hops.iter().map(|hop| table.pods[hop.pod].priority).collect();
            priorities.sort_unstable_by(|a, b| b.cmp(a));
            (chain.hops.len(), priorities)
        });
        assert_eq!(cost, table.least(), "round {round}: {table:?}");
        found[chain.map_or(0, |chain| chain.hops.len())] += 1;
    }
    assert!(found.iter().all(|count| *count > 50), "{found:?}");
}

#[test]
fn a_search_ends_when_its_effort_is_spent() {
    let mut random = Random(7);
    let mut given_up = 0;
    for _ in 0..500 {
        let mut table = Table::random(&mut random);
        let full = make_room(&mut table, Effort { tries: 10_000 });
        let short = make_room(&mut table, Effort { tries: 1 });
        assert!(short.is_none() || short == full);
        given_up += usize::from(short != full);
    }
    assert!(given_up > 10, "{given_up}");
}
