//! The integer program behind the bounds, as a file in the LP format that solvers read.
//!
//! ```text
//! minimise   sum over m of R(m)
//! where      sum over m of n(g, m) = count(g)                                   for each group g of pods
//!            sum over g on a of size(g) n(g, m) <= R(m)                         for each pair (a, m)
//! ```
//!
//! A group is the pods that are alike: on one node `a`, of one size, with the same other nodes `m` that they may have
//! their backups on. So each pod stays where it is, and room is no limit. Sizes are in GiB of memory.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use edge_core::cover::Subject;

/// What pods of a group share: the node they are on, where their backups may be, and their size.
type Key = (u32, Vec<u32>, i64);

/// The program of these pods.
pub(crate) fn lp(subjects: &[Subject]) -> String {
    let mut groups: BTreeMap<Key, usize> = BTreeMap::new();
    for Subject { primary, allowed, demand, .. } in subjects {
        let others = allowed.iter().filter(|node| *node != primary);
        let mut others: Vec<u32> = others.map(|node| node.0).collect();
        others.sort_unstable();
        *groups.entry((primary.0, others, demand.memory.0 >> 30)).or_default() += 1;
    }
    let mut counts = String::new();
    let mut shares: BTreeMap<(u32, u32), String> = BTreeMap::new();
    let mut whole = String::new();
    for (g, ((a, others, size), count)) in groups.iter().enumerate() {
        let _ = write!(counts, " g{g}:");
        for m in others {
            let _ = writeln!(counts, " + n{g}_{m}");
            let _ = writeln!(shares.entry((*a, *m)).or_default(), " + {size} n{g}_{m}");
            let _ = writeln!(whole, " n{g}_{m}");
        }
        let _ = writeln!(counts, " = {count}");
    }
    let mut reserves: Vec<u32> = shares.keys().map(|(_, m)| *m).collect();
    reserves.sort_unstable();
    reserves.dedup();
    let mut text = String::from("Minimize\n reserve:");
    for m in &reserves {
        let _ = writeln!(text, " + r{m}");
        let _ = writeln!(whole, " r{m}");
    }
    let _ = write!(text, "Subject To\n{counts}");
    for ((a, m), share) in &shares {
        let _ = writeln!(text, " s{a}_{m}:{share} - r{m} <= 0");
    }
    let _ = write!(text, "General\n{whole}End\n");
    text
}
