//! One control plane for all tests, and the helper through which all states go.

use std::sync::{LazyLock, Mutex, PoisonError};

use parity::{Bed, ClusterState, Judgement, Outcome};

/// Starting a control plane takes longer than a dozen states. It ends with the process.
static BED: LazyLock<Mutex<Bed>> = LazyLock::new(|| Mutex::new(Bed::start().unwrap()));

/// Runs `act` with the bed, which a test that failed before has left usable, for each state begins with a clean one.
pub(crate) fn with_bed<T>(act: impl FnOnce(&mut Bed) -> T) -> T {
    act(&mut BED.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Both schedulers agree about the state, and their verdict is the one expected: the best nodes, `gated`, or the
/// message.
#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "a table reads better without a borrow in each line")]
pub(crate) fn check(sentence: &str, state: ClusterState, expected: &str) {
    let judged = with_bed(|bed| bed.judge(&state)).unwrap_or_else(|error| panic!("{sentence}: {error}"));
    let judgement = judged.unwrap_or_else(|difference| panic!("{sentence}: {difference}"));
    let found = describe(&judgement);
    assert!(found == expected, "{sentence}: expected {expected:?}\n{judgement}\n{}", state.to_yaml());
}

/// A verdict in a word: the best nodes, `gated`, or the message without what it says of preemption, about which both agree
/// too.
pub(crate) fn describe(judgement: &Judgement) -> String {
    match &judgement.outcome {
        Outcome::Bound(_) => judgement.best().into_iter().collect::<Vec<_>>().join(" "),
        Outcome::Gated => "gated".to_owned(),
        Outcome::Waits { reason, message } if reason == "Unschedulable" => {
            without_post_filter(message).to_owned()
        }
        Outcome::Waits { reason, message } => format!("{reason}: {message}"),
    }
}

/// A message without what PostFilter says: what `DynamicResources` says comes first, and if it fails it alone.
fn without_post_filter(message: &str) -> &str {
    let message = message.split(" no new claims to deallocate").next().unwrap_or_default();
    message.strip_suffix(" not found").unwrap_or(message)
}

/// The number that this environment variable is set to.
pub(crate) fn number(variable: &str, default: u64) -> u64 {
    match std::env::var(variable) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{variable}={text:?} is no number")),
        Err(_) => default,
    }
}
