//! States from seeds, and states from files.

use std::env;
use std::path::Path;

use parity::{ClusterState, Difference, generate};

use crate::support::with_bed;

/// The first seed of the short run; each next state has the next seed.
const SEED: u64 = 1;
/// How many states the short run has.
const STATES: u64 = 60;

/// `PARITY_STATES` and `PARITY_SEED` set how many states there are, and the first one's seed. Of each, the pod itself
/// and a copy of it pinned to each node are judged. All differences are told, not only the first.
#[test]
fn random_states() {
    let (seed, states) = (number("PARITY_SEED", SEED), number("PARITY_STATES", STATES));
    let mut different = 0;
    for seed in seed..seed + states {
        if let Err(difference) = judge(&generate::state(seed), &format!("seed {seed}")) {
            different += 1;
            eprintln!(
                "seed {seed}: {difference}replay: PARITY_SEED={seed} PARITY_STATES=1 cargo test -p parity random_states\n"
            );
        }
    }
    assert_eq!(different, 0, "the schedulers differ in {different} of {states} states");
}

/// Replays the state in the file that `PARITY_FILE` names, as a failure prints it.
#[test]
fn a_state_from_a_file() {
    let Some(file) = env::var_os("PARITY_FILE") else { return };
    let state = ClusterState::from_file(Path::new(&file)).unwrap();
    if let Err(difference) = judge(&state, "the file") {
        panic!("{difference}");
    }
}

fn judge(state: &ClusterState, name: &str) -> Result<(), Box<Difference>> {
    let judged = with_bed(|bed| bed.judge_each(state));
    judged.unwrap_or_else(|error| panic!("{name}: {error}\n{}", state.to_yaml())).map(drop)
}

fn number(variable: &str, default: u64) -> u64 {
    match env::var(variable) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{variable}={text:?} is no number")),
        Err(_) => default,
    }
}
