//! By how little a reserve has to grow for a pod, node by node.
//!
//! Where a pod is put decides what its cover takes: a backup node has room left, at no cost, for every node of which it
//! covers less than it reserves. So each node that a pod could be on is looked at with the backup node that is
//! best for it there. What grows most is not looked for any longer than it can matter: no pair with a backup
//! node grows by less than the demand exceeds that node's reserve.

use super::book::Backup;
use super::{Book, Kind};
use crate::model::Resources;
use crate::placement::NodeSlot;

/// What growing by a whole demand counts; growing by nothing counts 0.
pub const GROWS_WHOLLY: i64 = 1_000_000;

/// A node that a pod, or its backup, could be on.
#[derive(Clone, Copy, Debug)]
pub struct Site<'a> {
    /// The node.
    pub node: NodeSlot,
    /// What its pods may request in all.
    pub allocatable: &'a Resources,
}

/// A resource that a pod demands.
struct Priced {
    kind: Kind,
    demand: i64,
    /// What one of it counts, as a fixed-point number.
    price: i128,
}

/// What a pod demands.
struct Prices(Vec<Priced>);

/// A node that is somebody's backup.
struct Offer<'a> {
    /// No pair with it grows by less.
    floor: i64,
    node: NodeSlot,
    backup: &'a Backup,
}

/// The digits after the point of a price.
const POINT: u32 = 40;

/// For each site by how much reserves have to grow at least if the pod goes there and its backup is on the site that
/// is best for it then, in parts of [`GROWS_WHOLLY`]. The sites are in the order of their nodes. `has_room` says whether
/// the reserve of a node can grow by so much; it is asked of few.
///
/// Of several resources each counts as the share that it is of what all sites have.
pub fn least_growth(
    book: &Book,
    demand: &Resources,
    sites: &[Site<'_>],
    mut has_room: impl FnMut(NodeSlot, &Resources) -> bool,
) -> Vec<i64> {
    let mut least = vec![GROWS_WHOLLY; sites.len()];
    let prices = Prices::of(demand, sites);
    let offer = |site: &Site<'_>| {
        let backup = book.backup(site.node)?;
        Some(Offer { floor: prices.growth(backup, None), node: site.node, backup })
    };
    let mut offers: Vec<Offer<'_>> = sites.iter().filter_map(offer).collect();
    offers.sort_unstable_by_key(|offer| (offer.floor, offer.node));
    let mut open: Vec<(NodeSlot, &mut i64)> =
        sites.iter().map(|site| site.node).zip(least.iter_mut()).collect();
    for Offer { floor, node, backup } in offers {
        open.retain(|(_, least)| **least > floor);
        if open.is_empty() {
            break;
        }
        let mut shares = backup.shares();
        for (primary, least) in open.iter_mut().filter(|(primary, _)| *primary != node) {
            let share = shares.of_next(*primary);
            let growth = prices.growth(backup, share);
            if growth < **least && (growth == 0 || has_room(node, &backup.increment(share, demand))) {
                **least = growth;
            }
        }
    }
    least
}

// === impl Prices ===

impl Prices {
    fn of(demand: &Resources, sites: &[Site<'_>]) -> Self {
        let demanded: Vec<Kind> = Kind::all_in(demand).filter(|kind| kind.of(demand) > 0).collect();
        let share = |kind: &Kind| {
            let total: i128 = sites.iter().map(|site| i128::from(kind.of(site.allocatable).max(0))).sum();
            (i128::from(kind.of(demand)) << POINT) / total.max(1)
        };
        let shares: Vec<i128> = demanded.iter().map(share).collect();
        let all = shares.iter().sum::<i128>().max(1);
        let priced = demanded.into_iter().zip(shares).map(|(kind, share)| {
            let demand = kind.of(demand);
            let weight = share * i128::from(GROWS_WHOLLY) / all;
            Priced { kind, demand, price: (weight << POINT) / i128::from(demand) }
        });
        Self(priced.collect())
    }

    /// What it counts that the reserve of a backup node grows, if a pod comes to a node of which it covers so much. It
    /// is nothing only if it grows by nothing.
    fn growth(&self, backup: &Backup, share: Option<&Resources>) -> i64 {
        let growth = |it: &Priced| {
            let share = share.map_or(0, |share| it.kind.of(share));
            let grown = share.saturating_add(it.demand).saturating_sub(it.kind.of(backup.reserve()));
            i128::from(grown.max(0)) * it.price
        };
        let sum: i128 = self.0.iter().map(growth).sum();
        let rounded_up = (sum + (1 << POINT) - 1) >> POINT;
        i64::try_from(rounded_up).unwrap_or(i64::MAX).min(GROWS_WHOLLY)
    }
}
