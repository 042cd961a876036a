//! Layers, against brute force.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::model::Delay;
use crate::placement::NodeSlot;
use crate::random::Random;

fn ms(ms: u64) -> Delay {
    Delay::from_micros(u32::try_from(ms * 1000).unwrap()).unwrap()
}

fn slot(idx: usize) -> NodeSlot {
    NodeSlot(u32::try_from(idx).unwrap())
}

/// Members `n00`, `n01`, … in slots of the same numbers.
fn members(n: usize) -> Vec<Member> {
    (0..n).map(|idx| Member { slot: slot(idx), name: format!("n{idx:02}").as_str().into() }).collect()
}

/// A table of delays that are told one by one; pairs that no line tells are unknown.
fn table(n: usize, dense: bool, delays: &[(usize, usize, u64)]) -> PairDelays {
    let mut table = PairDelays::new(n, if dense { n * n } else { 0 });
    for (a, b, delay) in delays {
        table.put(slot(*a), slot(*b), ms(*delay));
    }
    table
}

/// Random delays: few distinct values so that there are ties, 0 ms among them, and `unknown` of 100 pairs unknown.
fn random_delays(random: &mut Random, n: usize, unknown: u64) -> Vec<(usize, usize, u64)> {
    let pairs = (0..n).flat_map(|a| (0..n).map(move |b| (a, b))).filter(|(a, b)| a != b);
    let known: BTreeSet<(usize, usize)> =
        pairs.filter(|(a, b)| a < b && random.below(100) >= unknown).collect();
    let both = known.iter().flat_map(|(a, b)| [(*a, *b), (*b, *a)]);
    both.map(|(a, b)| (a, b, random.below(12))).collect()
}

fn clusters(layers: &Layers) -> Vec<(Delay, Vec<Vec<u32>>)> {
    let numbers = |layer: Layer| {
        let clusters = layer.clusters.iter().map(|it| it.iter().map(|slot| slot.0).collect());
        (layer.bound, clusters.collect())
    };
    layers.layers().into_iter().map(numbers).collect()
}

#[track_caller]
fn check(n: usize, delays: &[(usize, usize, u64)], bound: u64, expected: &[&[u32]]) {
    for dense in [true, false] {
        let (layers, _) = Layers::link(&members(n), [ms(bound)], &table(n, dense, delays));
        let expected: Vec<Vec<u32>> = expected.iter().map(|it| it.to_vec()).collect();
        assert_eq!(clusters(&layers), [(ms(bound), expected)], "dense: {dense}");
    }
}

#[test]
fn a_cluster_has_no_pair_beyond_its_value() {
    let line = [(0, 1, 10), (1, 2, 11), (0, 2, 21)];
    check(3, &line, 9, &[&[0], &[1], &[2]]);
    check(3, &line, 10, &[&[0, 1], &[2]]);
    check(3, &line, 20, &[&[0, 1], &[2]]);
    check(3, &line, 21, &[&[0, 1, 2]]);
}

#[test]
fn the_larger_direction_counts_and_a_pair_that_is_not_known_is_infinite() {
    check(2, &[(0, 1, 5), (1, 0, 9)], 8, &[&[0], &[1]]);
    check(2, &[(0, 1, 5), (1, 0, 9)], 9, &[&[0, 1]]);
    check(3, &[(0, 1, 1), (1, 2, 1)], 600_000, &[&[0, 1], &[2]]);
    check(2, &[], 600_000, &[&[0], &[1]]);
    check(0, &[], 10, &[]);
    check(1, &[], 0, &[&[0]]);
}

#[test]
fn no_delay_at_all_and_equal_delays_are_legal() {
    check(3, &[(0, 1, 0), (1, 2, 0), (0, 2, 0)], 0, &[&[0, 1, 2]]);
    check(4, &[(0, 1, 5), (1, 2, 5), (2, 3, 5), (0, 3, 5)], 5, &[&[0, 1], &[2, 3]]);
}

#[test]
fn the_share_of_pairs_that_are_known_is_told() {
    let (_, coverage) = Layers::link(&members(4), [], &table(4, false, &[(0, 1, 1), (1, 0, 2), (2, 3, 1)]));
    assert_eq!(coverage, Coverage { known: 2, pairs: 6 });
    assert!((coverage.share() - 1.0 / 3.0).abs() < 1e-9);
    assert!((Coverage::of(&members(1), &table(1, false, &[])).share() - 1.0).abs() < 1e-9, "of no pairs all");
}

/// Complete linkage by the book: the two nearest clusters are joined until none are within the bound.
fn by_the_book(n: usize, delays: &PairDelays, bound: Delay) -> BTreeSet<BTreeSet<usize>> {
    let mut clusters: Vec<BTreeSet<usize>> = (0..n).map(|idx| BTreeSet::from([idx])).collect();
    loop {
        let pairs = (0..clusters.len()).flat_map(|a| (0..a).map(move |b| (a, b)));
        let apart = |(a, b): (usize, usize)| {
            let all = clusters[a].iter().flat_map(|a| clusters[b].iter().map(move |b| (*a, *b)));
            let all: Option<Vec<Delay>> = all.map(|(a, b)| delays.between(slot(a), slot(b))).collect();
            Some((all?.into_iter().max()?, a, b))
        };
        match pairs.filter_map(apart).filter(|it| it.0 <= bound).min() {
            Some((_, a, b)) => {
                let joined = clusters.swap_remove(a);
                clusters[b].extend(joined);
            }
            None => return clusters.into_iter().collect(),
        }
    }
}

#[test]
fn without_ties_clusters_are_those_of_complete_linkage_by_the_book() {
    let mut random = Random(0x0b5e);
    for round in 0..150 {
        let n = 1 + random.below(16);
        let mut values: Vec<u64> = (0..n as u64 * n as u64).collect();
        (1..values.len()).for_each(|idx| values.swap(idx, random.below(idx + 1)));
        let pairs = (0..n).flat_map(|a| (0..a).map(move |b| (a, b)));
        let delays: Vec<_> = pairs
            .filter(|_| round % 3 == 0 || random.below(3) > 0)
            .zip(values)
            .map(|((a, b), delay)| (a, b, delay))
            .collect();
        let table = table(n, round % 2 == 0, &delays);
        let bounds: Vec<Delay> = (0..4).map(|_| ms(random.below(n as u64 * n as u64))).collect();
        let (layers, _) = Layers::link(&members(n), bounds, &table);
        for Layer { bound, clusters } in layers.layers() {
            let clusters: BTreeSet<BTreeSet<usize>> =
                clusters.iter().map(|it| it.iter().map(|slot| slot.idx()).collect()).collect();
            assert_eq!(clusters, by_the_book(n, &table, bound), "{bound} in {delays:?}");
        }
    }
}

#[test]
fn layers_are_nested_partitions_within_their_values_and_no_two_clusters_could_be_one() {
    let mut random = Random(0x5eed);
    for _ in 0..300 {
        let n = 1 + random.below(14);
        let unknown = [0, 10, 60][random.below(3)];
        let delays = random_delays(&mut random, n, unknown);
        let table = table(n, random.below(2) == 0, &delays);
        let (layers, _) = Layers::link(&members(n), [0, 3, 5, 5, 9, 11].map(ms), &table);
        let layers = layers.layers();
        let slots: Vec<NodeSlot> = (0..n).map(slot).collect();
        assert_eq!(verify(&slots, &layers, &table), Ok(()), "{delays:?}");
        for Layer { bound, clusters } in layers {
            for (idx, a) in clusters.iter().enumerate() {
                for b in &clusters[..idx] {
                    let fits =
                        |a: &NodeSlot, b: &NodeSlot| table.between(*a, *b).is_some_and(|it| it <= bound);
                    let could_join = a.iter().all(|a| b.iter().all(|b| fits(a, b)));
                    assert!(!could_join, "{a:?} and {b:?} could be one within {bound}: {delays:?}");
                }
            }
        }
    }
}

#[test]
fn the_order_in_which_nodes_and_delays_come_makes_no_difference_nor_does_the_form_of_the_table() {
    let mut random = Random(0xde7e);
    for _ in 0..100 {
        let n = 1 + random.below(14);
        let mut delays = random_delays(&mut random, n, 20);
        let mut nodes = members(n);
        let bounds = [2, 5, 9].map(ms);
        let (first, _) = Layers::link(&nodes, bounds, &table(n, true, &delays));
        delays.reverse();
        nodes.reverse();
        let (second, _) = Layers::link(&nodes, bounds, &table(n, false, &delays));
        assert_eq!(first.layers(), second.layers(), "{delays:?}");
        // The same nodes in other slots.
        let moved: Vec<_> = delays.iter().map(|(a, b, delay)| (n - 1 - a, n - 1 - b, *delay)).collect();
        let mut elsewhere = members(n);
        for member in &mut elsewhere {
            member.slot = slot(n - 1 - member.slot.idx());
        }
        let (third, _) = Layers::link(&elsewhere, bounds, &table(n, true, &moved));
        let plain: Vec<Vec<Vec<u32>>> = clusters(&first).into_iter().map(|layer| layer.1).collect();
        let last = slot(n - 1).0;
        let third = clusters(&third).into_iter().map(|layer| {
            let back = |it: Vec<u32>| it.into_iter().map(|number| last - number).collect();
            layer.1.into_iter().map(back).collect()
        });
        let third: Vec<Vec<Vec<u32>>> = third.collect();
        assert_eq!(plain, third, "{delays:?}");
    }
}

/// One random change of the world.
fn change(
    random: &mut Random,
    delays: &mut PairDelays,
    present: &mut BTreeMap<usize, Member>,
    layers: &mut Layers,
) {
    let n = 12;
    match random.below(8) {
        0 => {
            let member = members(n).swap_remove(random.below(n));
            layers.join(&member, delays);
            present.insert(member.slot.idx(), member);
        }
        1 => {
            let gone = random.below(n);
            layers.leave(slot(gone));
            present.remove(&gone);
        }
        2 => {
            let bounds: BTreeSet<Delay> = (0..=random.below(4)).map(|_| ms(random.below(13))).collect();
            layers.set_bounds(&bounds, delays);
            assert!(layers.bounds().eq(bounds));
        }
        3 => {
            // Everything at once, and told by nobody.
            for _ in 0..random.below(10) {
                let (a, b) = (random.below(n), random.below(n));
                let delay = (random.below(4) > 0).then(|| ms(random.below(12)));
                delays.replace(slot(a), slot(b), delay);
            }
            present.remove(&random.below(n));
            let member = members(n).swap_remove(random.below(n));
            present.insert(member.slot.idx(), member);
            layers.refresh(&present.values().cloned().collect::<Vec<_>>(), delays);
        }
        _ => {
            let pairs: Vec<(NodeSlot, NodeSlot)> =
                (0..=random.below(3)).map(|_| (slot(random.below(n)), slot(random.below(n)))).collect();
            for (a, b) in &pairs {
                let delay = (random.below(6) > 0).then(|| ms(random.below(12)));
                delays.replace(*a, *b, delay);
            }
            layers.changed(&pairs, delays);
        }
    }
}

#[test]
fn after_any_changes_layers_are_nested_partitions_within_their_values() {
    let mut random = Random(0xcafe);
    for round in 0..150 {
        let n = 12;
        let known = random_delays(&mut random, n, 10);
        let mut delays = table(n, round % 2 == 0, &known);
        let mut present: BTreeMap<usize, Member> = members(n).into_iter().take(8).enumerate().collect();
        let nodes: Vec<Member> = present.values().cloned().collect();
        let (mut layers, _) = Layers::link(&nodes, [2, 5, 8].map(ms), &delays);
        for step in 0..30 {
            change(&mut random, &mut delays, &mut present, &mut layers);
            let slots: Vec<NodeSlot> = present.keys().map(|idx| slot(*idx)).collect();
            let verdict = verify(&slots, &layers.layers(), &delays);
            assert_eq!(verdict, Ok(()), "round {round}, step {step}: {:?}", clusters(&layers));
        }
    }
}

#[test]
fn a_change_touches_only_the_cluster_it_concerns() {
    let near = |a: usize, b: usize| (a, b, 1);
    let mut delays =
        table(6, true, &[near(0, 1), near(0, 2), near(1, 2), near(3, 4), near(3, 5), near(4, 5), (0, 3, 30)]);
    let (mut layers, _) = Layers::link(&members(6), [ms(5)], &delays);
    assert_eq!(clusters(&layers)[0].1, [[0, 1, 2], [3, 4, 5]]);
    delays.replace(slot(0), slot(2), Some(ms(6)));
    layers.changed(&[(slot(0), slot(2))], &delays);
    assert_eq!(clusters(&layers)[0].1, [vec![0, 1], vec![2], vec![3, 4, 5]]);
    delays.replace(slot(4), slot(5), Some(ms(4)));
    layers.changed(&[(slot(4), slot(5))], &delays);
    assert_eq!(clusters(&layers)[0].1, [vec![0, 1], vec![2], vec![3, 4, 5]]);
}

#[test]
fn the_check_finds_what_is_wrong() {
    let delays = table(3, true, &[(0, 1, 1), (1, 2, 5)]);
    let layer = |bound: u64, clusters: &[&[usize]]| Layer {
        bound: ms(bound),
        clusters: clusters.iter().map(|it| it.iter().map(|idx| slot(*idx)).collect()).collect(),
    };
    let all = [0, 1, 2].map(slot);
    let check = |layers: &[Layer]| verify(&all, layers, &delays);
    assert_eq!(check(&[layer(1, &[&[0, 1], &[2]])]), Ok(()));
    let lost = Violation::NotAPartition { bound: ms(1), node: slot(2) };
    assert_eq!(check(&[layer(1, &[&[0, 1]])]), Err(lost));
    assert_eq!(check(&[layer(1, &[&[0, 1], &[2], &[2]])]), Err(lost));
    let far = Violation::TooFar { bound: ms(4), pair: [slot(1), slot(2)] };
    assert_eq!(check(&[layer(4, &[&[0], &[1, 2]])]), Err(far));
    let unknown = Violation::TooFar { bound: ms(90), pair: [slot(0), slot(2)] };
    assert_eq!(check(&[layer(90, &[&[1], &[0, 2]])]), Err(unknown));
    let split = Violation::NotNested { bound: ms(5), pair: [slot(0), slot(1)] };
    assert_eq!(check(&[layer(1, &[&[0, 1], &[2]]), layer(5, &[&[0], &[1, 2]])]), Err(split));
    let order = Violation::NotAscending { bound: ms(1) };
    assert_eq!(check(&[layer(1, &[&[0], &[1], &[2]]), layer(1, &[&[0], &[1], &[2]])]), Err(order));
}

#[test]
fn nested_layers_are_written_down_as_sizes_in_one_order() {
    let mut random = Random(0x2e57);
    for _ in 0..100 {
        let n = random.below(14);
        let delays = random_delays(&mut random, n, 10);
        let (layers, _) = Layers::link(&members(n), [1, 4, 8].map(ms), &table(n, true, &delays));
        let layers = layers.layers();
        let nested = Nested::of(&layers);
        for (layer, (bound, sizes)) in layers.iter().zip(&nested.sizes) {
            let mut rest = &nested.order[..];
            let mut read: Vec<Vec<NodeSlot>> = Vec::new();
            for size in sizes {
                let (mut cluster, after) = (rest[..*size].to_vec(), &rest[*size..]);
                cluster.sort_unstable();
                read.push(cluster);
                rest = after;
            }
            read.sort_unstable();
            assert_eq!((layer.bound, &layer.clusters), (*bound, &read));
            assert!(rest.is_empty());
        }
    }
}
