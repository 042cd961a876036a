//! States from seeds, and states from files.

use std::collections::BTreeMap;
use std::env;
use std::path::Path;

use parity::{ClusterState, Difference, Judgement, Outcome, generate};

use crate::support::{number, with_bed};

/// The first seed of the short run; each next state has the next seed.
const SEED: u64 = 1;
/// How many states the short run has.
const STATES: u64 = 60;

/// `PARITY_STATES` and `PARITY_SEED` set how many states there are, and the first one's seed. Of each, the pod itself
/// and a copy of it pinned to each node are judged. All differences are told, not only the first.
#[test]
fn random_states() {
    let (seed, states) = (number("PARITY_SEED", SEED), number("PARITY_STATES", STATES));
    let mut kinds: BTreeMap<&str, u64> = BTreeMap::new();
    for seed in seed..seed + states {
        let judged = judge(&generate::state(seed), &format!("seed {seed}"));
        let kind = judged.as_ref().map_or("different", kind);
        *kinds.entry(kind).or_default() += 1;
        if let Err(difference) = judged {
            let replay = format!("PARITY_SEED={seed} PARITY_STATES=1 cargo test -p parity random_states");
            eprintln!("seed {seed}: {difference}replay: {replay}\n");
        }
    }
    eprintln!("{states} random states from seed {seed}: {kinds:?}");
    assert!(!kinds.contains_key("different"), "the schedulers differ: {kinds:?}");
}

/// Replays the state in the file that `PARITY_FILE` names, as a failure prints it.
#[test]
fn a_state_from_a_file() {
    let Some(file) = env::var_os("PARITY_FILE") else { return };
    let state = ClusterState::from_file(Path::new(&file)).unwrap();
    let judgement = judge(&state, "the file").unwrap_or_else(|difference| panic!("{difference}"));
    println!("{judgement}");
}

fn judge(state: &ClusterState, name: &str) -> Result<Judgement, Box<Difference>> {
    let judged = with_bed(|bed| bed.judge_each(state));
    judged.unwrap_or_else(|error| panic!("{name}: {error}\n{}", state.to_yaml()))
}

/// What a state shows, to see that the states are not all of a kind.
fn kind(judgement: &Judgement) -> &'static str {
    match (&judgement.outcome, judgement.feasible.len(), judgement.best().len()) {
        (Outcome::Gated, _, _) => "gated",
        (Outcome::Waits { .. }, _, _) => "fits nowhere",
        (Outcome::Bound(_), 1, _) => "one feasible node",
        (Outcome::Bound(_), _, 1) => "one best node",
        (Outcome::Bound(_), _, _) => "several best nodes",
    }
}
