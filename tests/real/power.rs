//! A node loses its power while kube-scheduler takes all room that it can get: the node's pods get the room that was kept
//! for them elsewhere, and are soon ready there.
//!
//! ```sh
//! cargo test --test real power -- --ignored --nocapture     # 30 cuts: three quarters of an hour
//! ```
//!
//! Kubelets, containerd, agents and kube-scheduler are the real ones; delays are those of the links. Power is cut on one
//! node after the other, so that each has pods again when its turn comes.

use crate::{
    room::{self, Seen},
    site::{APPS, EDGES, FILLERS, Site},
};
use std::{
    env,
    time::{Duration, Instant},
};

/// How often power is cut in the long form, unless `POWER_CUTS` says otherwise.
const CUTS: usize = 30;
/// Of suspicions that are nearer to each other two are too many for a site as small as this.
const APART: Duration = Duration::from_mins(1);

/// What came of a cut; times are from the cut itself.
struct Outcome {
    node: &'static str,
    began: Instant,
    /// How many pods were on the node.
    hit: usize,
    /// How many of them wanted it fast.
    hit_fast: usize,
    times: Times,
}

/// When it was first seen that pods are elsewhere; never later than a look after it was so.
#[derive(Clone, Copy, Debug, Default)]
struct Times {
    /// The first pod is bound.
    first: Option<Duration>,
    fast_bound: Option<Duration>,
    fast_ready: Option<Duration>,
    bound: Option<Duration>,
    ready: Option<Duration>,
}

// === impl Times ===

impl Times {
    /// Notes what holds now of the covered pods, while this node has no power.
    fn look(&mut self, pods: &[Seen], dark: &str, before: &[Seen], at: Duration) {
        let is_elsewhere = |pod: &&Seen| pod.node.as_deref().is_some_and(|node| node != dark);
        let are = |fast_alone: bool, is: &dyn Fn(&&Seen) -> bool| {
            APPS.iter().filter(|app| app.is_fast || !fast_alone).all(|app| {
                let of_app = pods.iter().filter(|pod| pod.app.name == app.name);
                of_app.filter(|pod| is_elsewhere(pod) && is(pod)).count() >= app.replicas
            })
        };
        let is_new = |pod: &Seen| before.iter().all(|known| known.name != pod.name);
        let any_new = pods.iter().any(|pod| is_new(pod) && pod.node.is_some());
        let marks = [
            (any_new, &mut self.first),
            (are(true, &|_| true), &mut self.fast_bound),
            (are(true, &|pod| pod.is_ready), &mut self.fast_ready),
            (are(false, &|_| true), &mut self.bound),
            (are(false, &|pod| pod.is_ready), &mut self.ready),
        ];
        for (holds, time) in marks {
            if holds {
                time.get_or_insert(at);
            }
        }
    }
}

/// Waits until all are covered and kube-scheduler has taken what room is left; then cuts the power of a node that has pods,
/// the next one of `turn` or one after it, and waits until these are ready elsewhere.
fn cut(site: &Site, turn: usize, not_before: Instant) -> Outcome {
    site.wait("all to be covered", || room::whole(site));
    site.fill_up();
    site.wait("what was suspected to be long ago", || {
        (Instant::now() >= not_before).then_some(()).ok_or_else(String::new)
    });
    let before = site.wait("a full site with all covered", || {
        room::full(site)?;
        room::whole(site)
    });
    let of = |node: &'static str| before.iter().filter(move |pod| pod.node.as_deref() == Some(node));
    let mut next = (0..EDGES.len()).map(|idx| EDGES[(turn + idx) % EDGES.len()]);
    let dark = next.find(|node| of(node).next().is_some()).unwrap();
    let (hit, hit_fast) = (of(dark).count(), of(dark).filter(|pod| pod.app.is_fast).count());
    // Two schedulers that place pods at the same time may both take the last room, whatever it is that they place.
    let refused = room::refused(site);

    let began = Instant::now();
    site.cut_power(dark);
    let mut times = Times::default();
    let after = site.wait("the pods to be ready elsewhere", || {
        let pods = room::covered(site);
        times.look(&pods, dark, &before, began.elapsed());
        if times.ready.is_some() { Ok(pods) } else { Err(format!("{pods:#?}")) }
    });

    check(dark, &before, &after);
    let refused: Vec<String> = room::refused(site).difference(&refused).cloned().collect();
    assert!(refused.is_empty(), "{refused:#?}");
    Outcome { node: dark, began, hit, hit_fast, times }
}

/// Each pod is where room was kept for it, within its bound.
fn check(dark: &str, before: &[Seen], after: &[Seen]) {
    let lost = before.iter().filter(|pod| pod.node.as_deref() == Some(dark));
    let new = after.iter().filter(|pod| before.iter().all(|known| known.name != pod.name));
    assert_eq!(room::places(new, |pod| pod.node.clone()), room::places(lost, room::backup), "{after:#?}");
    let strayed = after.iter().find(|pod| pod.node.as_deref().is_none_or(|node| !pod.app.may_be_on(node)));
    assert!(strayed.is_none(), "{strayed:#?}");
}

/// The node has its power back, and is used.
fn recover(site: &Site, node: &str) {
    site.empty();
    site.restore_power(node);
    site.wait("kube-scheduler's pods to be gone", || {
        let left = site.list(FILLERS).len();
        if left == 0 { Ok(()) } else { Err(format!("{left} are left")) }
    });
    site.await_all_used();
}

/// The median, the 99th percentile and the most of some times.
fn sum_up(what: &str, mut times: Vec<Duration>) {
    if times.is_empty() {
        return;
    }
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() * percent).div_ceil(100) - 1];
    println!("| {what} | {} | {:.1?} | {:.1?} | {:.1?} |", times.len(), at(50), at(99), at(100));
}

#[test]
fn pods_of_a_node_without_power_run_where_room_was_kept_for_them() {
    let site = Site::start();
    site.wait("the links to be measured", || site.measured());
    cut(&site, 0, Instant::now());
}

#[test]
#[ignore = "three quarters of an hour; how soon is of use on a machine that is not too busy only"]
fn power_is_cut_again_and_again() {
    let site = Site::start();
    let (mut turn, mut not_before) = (0, Instant::now());
    let mut outcomes = Vec::new();
    println!("| node | pods | bound | ready | fast | bound | ready |\n|---|---|---|---|---|---|---|");
    let cuts = env::var("POWER_CUTS").map_or(CUTS, |text| text.parse().unwrap());
    for _ in 0..cuts {
        let Outcome { node, began, hit, hit_fast, times } = cut(&site, turn, not_before);
        let Times { first, fast_bound, fast_ready, bound, ready } = times;
        let [fast_bound, fast_ready, bound, ready] =
            [fast_bound, fast_ready, bound, ready].map(Option::unwrap);
        let fast =
            if hit_fast > 0 { format!("{fast_bound:.1?} | {fast_ready:.1?}") } else { " | ".to_owned() };
        println!("| {node} | {hit} | {bound:.1?} | {ready:.1?} | {hit_fast} | {fast} |");
        outcomes.push((hit_fast, fast_bound, fast_ready, bound, ready));
        // Whoever was bound elsewhere was so after the node had been suspected.
        not_before = began + first.unwrap() + APART;
        recover(&site, node);
        turn = EDGES.iter().position(|edge| *edge == node).unwrap() + 1;
    }
    println!("\n| | cuts | median | p99 | most |\n|---|---|---|---|---|");
    let fast = || outcomes.iter().filter(|(hit_fast, ..)| *hit_fast > 0);
    sum_up("the last pod is bound", outcomes.iter().map(|it| it.3).collect());
    sum_up("the last pod is ready", outcomes.iter().map(|it| it.4).collect());
    sum_up("the last `fast` one is bound", fast().map(|it| it.1).collect());
    sum_up("the last `fast` one is ready", fast().map(|it| it.2).collect());
}
