//! Tables, and the store and the rows in use against a plain reckoning.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::delay::{
    DelayRow, DelayRules, DelaySource, DelayTable, Measurement, Pair, Report, Row, Statistic, Statistics,
};
use crate::model::{Delay, Node, NodeName, Time};
use crate::placement::{NodeSlot, Nodes};
use crate::random::Random;
use DelaySource::{File, Goldpinger, Probe};

/// How often an agent reports, in seconds, in these tests.
const EVERY: u64 = 60;

fn seconds(seconds: u64) -> Time {
    Time::from_origin(Duration::from_secs(seconds))
}

fn millis(millis: u32) -> Option<Delay> {
    Delay::from_micros(millis * 1_000).ok()
}

fn statistics(p95: u32) -> Statistics {
    Statistics {
        min: millis(p95 / 2),
        p50: millis(p95 - 1),
        p95: millis(p95),
        samples: 32,
        ..Statistics::default()
    }
}

/// A report of these rows.
fn report(source: DelaySource, from: &str, rows: &[(&str, Statistics)]) -> Report {
    let row = |(peer, statistics): &(&str, Statistics)| Measurement {
        peer: (*peer).into(),
        statistics: statistics.clone(),
    };
    let every = Some(Duration::from_secs(EVERY));
    Report { from: from.into(), source, every, starved: false, rows: rows.iter().map(row).collect() }
}

/// A table in which the row of `a` is in use.
struct Bench {
    table: DelayTable,
    nodes: Nodes,
}

impl Bench {
    fn new(rules: DelayRules) -> Self {
        let mut bench = Self { table: DelayTable::new(rules), nodes: Nodes::default() };
        for name in ["a", "b", "c"] {
            bench.nodes.put(Node::named(name));
        }
        bench.file(&[], 0);
        bench
    }

    fn file(&mut self, to: &[(&str, u32)], at: u64) {
        let to = to.iter().map(|(name, delay)| (NodeName::from(*name), millis(*delay).unwrap())).collect();
        self.table.load(&DelayRow { from: "a".into(), to }, &mut self.nodes, seconds(at));
    }

    fn hear(&mut self, report: &Report, at: u64) {
        self.table.hear(report, &mut self.nodes, seconds(at));
    }

    fn slot(&self, name: &str) -> NodeSlot {
        self.nodes.slot(name).unwrap()
    }

    /// Whether `b` is as far from `a` at that time: milliseconds, `stale` or `unknown`.
    #[track_caller]
    fn expect(&mut self, at: u64, expected: &str) {
        while self.table.review_due(&self.nodes, seconds(at)).is_some() {}
        let row = self.table.row(self.slot("a")).unwrap();
        let known = match row.to(self.slot("b")) {
            Some(delay) => delay.to_string(),
            None if row.is_stale(self.slot("b")) => "stale".to_owned(),
            None => "unknown".to_owned(),
        };
        assert_eq!(known, expected, "at {at} s");
        let next = self.table.next_review();
        assert!(next.is_none_or(|next| next > seconds(at)), "{next:?}");
    }
}

#[test]
fn the_larger_of_both_fresh_directions_counts() {
    let mut bench = Bench::new(DelayRules::default());
    bench.expect(0, "unknown");
    bench.hear(&report(Probe, "b", &[("a", statistics(20))]), 0);
    bench.expect(0, "20");
    bench.hear(&report(Probe, "a", &[("b", statistics(30)), ("c", statistics(5))]), 10);
    bench.expect(10, "30");
    bench.hear(&report(Probe, "a", &[("b", statistics(10))]), 20);
    bench.expect(20, "20");
    // The word of b is of 0 s and so holds until 180 s, that of a until 200 s.
    bench.expect(179, "20");
    bench.expect(180, "10");
}

#[test]
fn a_delay_is_stale_three_periods_after_the_last_answer() {
    let old = Statistics { age: Some(Duration::from_secs(30)), ..statistics(20) };
    let mut bench = Bench::new(DelayRules::default());
    bench.hear(&report(Probe, "b", &[("a", old)]), 0);
    bench.expect(149, "20");
    bench.expect(150, "stale");
    let rules = DelayRules { stale_after: Some(Duration::from_secs(90)), ..DelayRules::default() };
    let mut bench = Bench::new(rules);
    bench.hear(&report(Probe, "b", &[("a", statistics(20))]), 0);
    bench.expect(89, "20");
    bench.expect(90, "stale");
    bench.hear(&report(Probe, "b", &[("a", statistics(21))]), 100);
    bench.expect(100, "21");
    // What is said once and for all is never stale.
    bench.hear(&Report { every: None, ..report(Goldpinger, "b", &[("a", statistics(7))]) }, 100);
    bench.expect(9_000, "7");
}

#[test]
fn loss_is_never_a_delay() {
    let lost = |answered: u16| Statistics { samples: 32, lost: 32 - answered, missed: 3, ..statistics(20) };
    let all_lost = Statistics { min: None, p50: None, p95: None, ..lost(0) };
    let mut bench = Bench::new(DelayRules::default());
    bench.hear(&report(Probe, "b", &[("a", all_lost.clone())]), 0);
    bench.expect(0, "unknown");
    bench.hear(&report(Probe, "b", &[("a", lost(1))]), 1);
    bench.expect(1, "20");
    // Nothing is kept of it but that there once was something.
    bench.hear(&report(Probe, "b", &[("a", all_lost)]), 2);
    bench.expect(2, "stale");
}

#[test]
fn an_agent_needs_five_samples_and_another_source_one() {
    let few = |samples| Statistics { min: millis(3), samples, ..Statistics::default() };
    let mut bench = Bench::new(DelayRules::default());
    bench.hear(&report(Probe, "b", &[("a", few(4))]), 0);
    bench.expect(0, "unknown");
    bench.hear(&report(Goldpinger, "b", &[("a", Statistics { min: None, p50: millis(9), ..few(1) })]), 0);
    bench.expect(0, "9");
    bench.hear(&report(Probe, "b", &[("a", few(5))]), 0);
    bench.expect(0, "3");
}

#[test]
fn the_first_source_that_has_a_fresh_delay_wins() {
    let mut bench = Bench::new(DelayRules::default());
    bench.file(&[("b", 50), ("c", 60)], 0);
    bench.expect(0, "50");
    bench.hear(&report(Goldpinger, "a", &[("b", statistics(40))]), 0);
    bench.expect(0, "40");
    bench.hear(&report(Probe, "b", &[("a", statistics(30))]), 100);
    bench.expect(100, "30");
    bench.file(&[("b", 51)], 100);
    bench.expect(179, "30");
    bench.expect(279, "30");
    bench.expect(280, "51");
    bench.file(&[], 280);
    bench.expect(280, "stale");
    let rules = DelayRules { sources: vec![File, Probe], ..DelayRules::default() };
    let mut bench = Bench::new(rules);
    bench.hear(&report(Probe, "b", &[("a", statistics(30))]), 0);
    bench.hear(&report(Goldpinger, "b", &[("a", statistics(20))]), 0);
    bench.expect(0, "30");
    bench.file(&[("b", 50)], 0);
    bench.expect(0, "50");
    bench.file(&[], 0);
    bench.expect(0, "30");
}

#[test]
fn a_starved_agent_is_heard_but_not_believed() {
    let mut bench = Bench::new(DelayRules::default());
    bench.hear(&report(Probe, "a", &[("b", statistics(20))]), 0);
    bench.hear(&Report { starved: true, ..report(Probe, "a", &[("b", statistics(90))]) }, 100);
    bench.expect(100, "20");
    bench.expect(180, "stale");
    bench.hear(&report(Probe, "a", &[("b", statistics(21))]), 200);
    bench.expect(200, "21");
}

#[test]
fn the_last_delays_of_a_node_that_is_not_heard_of_stay_for_a_while() {
    let all_lost = Statistics { samples: 32, lost: 32, ..Statistics::default() };
    for (grace, expected) in
        [(None, ["20", "20", "20"]), (Some(100), ["20", "20", "stale"]), (Some(0), ["stale"; 3])]
    {
        let anchor_grace = grace.map(Duration::from_secs);
        let mut bench = Bench::new(DelayRules { anchor_grace, ..DelayRules::default() });
        bench.hear(&report(Probe, "a", &[("b", statistics(20))]), 0);
        bench.hear(&report(Probe, "b", &[("a", statistics(19))]), 30);
        bench.hear(&report(Probe, "b", &[("a", all_lost.clone())]), 60);
        for (at, expected) in [180, 279, 280].into_iter().zip(expected) {
            bench.expect(at, expected);
        }
        // What is measured counts, of a silent node too.
        bench.hear(&report(Probe, "b", &[("a", statistics(25))]), 300);
        bench.expect(300, "25");
        // It is heard again, and says that there is nothing to say.
        bench.hear(&report(Probe, "b", &[("a", all_lost.clone())]), 310);
        bench.hear(&report(Probe, "a", &[("b", all_lost.clone())]), 310);
        bench.expect(310, "stale");
    }
}

#[test]
fn nothing_is_kept_of_a_node_that_is_gone() {
    let mut bench = Bench::new(DelayRules::default());
    bench.hear(&report(Probe, "a", &[("b", statistics(20))]), 0);
    bench.expect(200, "20");
    bench.nodes.remove("a");
    bench.table.look_over(bench.slot("a"), &bench.nodes, seconds(200));
    bench.expect(200, "stale");
}

/// A reckoning of its own: every report is kept, and every question answered by going through all of them.
#[derive(Default)]
struct Reckoning {
    /// By source and node: when the last word was heard, and the last that is believed with its time.
    heard: BTreeMap<(DelaySource, NodeName), Vec<(Time, Report)>>,
    file: BTreeMap<NodeName, Delay>,
}

impl Reckoning {
    fn pair(&self, rules: &DelayRules, a: &NodeName, b: &NodeName, now: Time) -> Option<Delay> {
        let by = |source: &DelaySource| {
            let file = (*source == File && a.as_str() == "a").then(|| self.file.get(b)).flatten().copied();
            let back = (*source == File && b.as_str() == "a").then(|| self.file.get(a)).flatten().copied();
            let measured = || {
                let directions =
                    [self.one_way(rules, *source, a, b, now), self.one_way(rules, *source, b, a, now)];
                directions.into_iter().flatten().max()
            };
            file.or(back).or_else(measured)
        };
        rules.sources.iter().find_map(by)
    }

    fn one_way(
        &self,
        rules: &DelayRules,
        source: DelaySource,
        from: &NodeName,
        to: &NodeName,
        now: Time,
    ) -> Option<Delay> {
        let words = self.heard.get(&(source, from.clone()))?;
        let (at, report) = words.iter().rev().find(|(_, report)| !report.starved)?;
        let row = report.rows.iter().find(|row| row.peer == *to)?;
        let Statistics { min, p50, p95, samples, age, .. } = row.statistics.clone();
        let by_choice = match rules.statistic {
            Statistic::Min => [min, p50, p95],
            Statistic::P50 => [p50, p95, min],
            Statistic::P95 => [p95, p50, min],
        };
        let delay = by_choice.into_iter().flatten().next()?;
        let age = now.since(*at) + age.unwrap_or_default();
        let too_old = report.every.is_some_and(|every| age >= rules.stale_after.unwrap_or(every * 3));
        (!too_old && (source != Probe || samples >= 5)).then_some(delay)
    }
}

/// What is left to chance.
struct Dice(Random);

impl Dice {
    fn node(&mut self) -> NodeName {
        ["a", "b", "c", "d", "e"][self.0.below(5_usize)].into()
    }

    fn delay(&mut self) -> Option<Delay> {
        let drawn = self.0.below(5);
        if drawn == 0 { None } else { millis(drawn) }
    }

    fn rules(&mut self) -> DelayRules {
        let orders =
            [vec![Probe, Goldpinger, File], vec![File, Probe], vec![Goldpinger, File, Probe], vec![Probe]];
        DelayRules {
            sources: orders[self.0.below(4_usize)].clone(),
            statistic: Statistic::ALL[self.0.below(3_usize)],
            stale_after: (self.0.below(2) == 0).then(|| Duration::from_secs(45)),
            // Frozen delays are for the tables.
            anchor_grace: Some(Duration::ZERO),
            ..DelayRules::default()
        }
    }

    fn report(&mut self) -> Report {
        let from = self.node();
        let mut rows: Vec<Measurement> = Vec::new();
        for _ in 0..self.0.below(4) {
            let peer = self.node();
            let statistics = Statistics {
                min: self.delay(),
                p50: self.delay(),
                p95: self.delay(),
                samples: u16::try_from(self.0.below(8)).unwrap(),
                age: (self.0.below(3) > 0).then(|| Duration::from_secs(self.0.below(70))),
                ..Statistics::default()
            };
            if peer != from && rows.iter().all(|row| row.peer != peer) {
                rows.push(Measurement { peer, statistics });
            }
        }
        Report {
            from,
            source: [Probe, Goldpinger, File][self.0.below(3_usize)],
            every: (self.0.below(5) > 0).then(|| Duration::from_secs(10 + self.0.below(20))),
            starved: self.0.below(6) == 0,
            rows,
        }
    }
}

#[test]
fn rows_in_use_are_what_a_plain_reckoning_gives() {
    for seed in 0..300 {
        let mut dice = Dice(Random(seed));
        let rules = dice.rules();
        let (mut table, mut nodes) = (DelayTable::new(rules.clone()), Nodes::default());
        let mut reckoning = Reckoning::default();
        let names: Vec<NodeName> = ["a", "b", "c", "d", "e"].map(NodeName::from).to_vec();
        for name in &names {
            nodes.put(Node::named(name.as_str()));
        }
        let mut now = Time::ZERO;
        for step in 0..60 {
            now = now + Duration::from_secs(dice.0.below(15));
            while table.review_due(&nodes, now).is_some() {}
            match dice.0.below(10) {
                0 => {
                    // The row of a is asked for late, or given up and asked for again, or the file changed.
                    if dice.0.below(3) == 0 {
                        table.retain(|_| false);
                    }
                    let to: Vec<(NodeName, Delay)> =
                        names[1..].iter().filter_map(|to| Some((to.clone(), dice.delay()?))).collect();
                    reckoning.file = to.iter().cloned().collect();
                    table.load(&DelayRow { from: "a".into(), to }, &mut nodes, now);
                }
                1 => _ = table.load(&DelayRow { from: "b".into(), to: Vec::new() }, &mut nodes, now),
                _ => {
                    let report = dice.report();
                    let falls = table.hear(&report, &mut nodes, now);
                    assert!(falls.falls.iter().all(|(_, falls)| !falls.is_empty()));
                    let words = reckoning.heard.entry((report.source, report.from.clone())).or_default();
                    words.push((now, report));
                }
            }
            for from in &names[..2] {
                let Some(row @ Row::Loaded(_)) = table.row(nodes.slot(from.as_str()).unwrap()) else {
                    continue;
                };
                for to in names.iter().filter(|to| *to != from) {
                    let slot = nodes.slot(to.as_str()).unwrap();
                    let mut expected = reckoning.pair(&rules, from, to, now);
                    if from.as_str() == "b" {
                        // Its row is of its own in the file, which says nothing.
                        let no_file = Reckoning { heard: reckoning.heard.clone(), file: BTreeMap::new() };
                        expected = no_file.pair(&rules, from, to, now);
                    }
                    assert_eq!(row.to(slot), expected, "seed {seed}, step {step}: {from} to {to}");
                    if !rules.sources.contains(&File) {
                        let pair = table.measured().pair(nodes.slot(from.as_str()).unwrap(), slot, now);
                        assert_eq!(matches!(pair, Pair::Fresh { .. }), expected.is_some());
                    }
                }
            }
        }
    }
}

#[test]
fn five_thousand_nodes_take_little_memory() {
    let mut bench = Bench::new(DelayRules::default());
    for node in 0..5_000_u32 {
        let names: Vec<String> = (1..=48).map(|step| format!("n{}", (node + step * 97) % 5_000)).collect();
        let rows: Vec<(&str, Statistics)> =
            names.iter().map(|name| (name.as_str(), statistics(20))).collect();
        bench.hear(&report(Probe, &format!("n{node}"), &rows), 0);
    }
    let mib = bench.table.measured().size() / (1 << 20);
    println!("the reports of 5,000 nodes with 48 rows each take {mib} MiB");
    assert!(mib < 10);
}
