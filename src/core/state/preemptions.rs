//! Preemptions on their way (upstream: `framework/preemption/executor.go`, `preempting`).
//!
//! A pod for which others are taken away is not tried again before all of them are seen to go: it would find
//! its node as full as before and take away others. Upstream waits for the requests alone, and so may try it
//! before the watch has told of their effect.

use std::collections::{BTreeSet, HashMap};

use crate::model::{PodKey, PodUid};

/// The pods for which others are being taken away.
#[derive(Debug, Default)]
pub(super) struct Preemptions {
    by_preemptor: HashMap<PodUid, Preempting>,
    /// Each victim with each pod that it is taken away for.
    by_victim: BTreeSet<(PodUid, PodUid)>,
}

/// A pod for which others are being taken away.
#[derive(Debug)]
struct Preempting {
    key: PodKey,
    victims: BTreeSet<PodUid>,
    /// Whether something happened meanwhile that it is to be tried again for.
    woken: bool,
}

// === impl Preemptions ===

impl Preemptions {
    /// How many pods have others taken away for them.
    pub(super) fn len(&self) -> usize {
        self.by_preemptor.len()
    }

    /// These pods are being taken away for a pod.
    pub(super) fn begin(&mut self, uid: PodUid, key: PodKey, victims: impl Iterator<Item = PodUid>) {
        self.end(&uid);
        let victims: BTreeSet<PodUid> = victims.collect();
        self.by_victim.extend(victims.iter().map(|victim| (victim.clone(), uid.clone())));
        self.by_preemptor.insert(uid, Preempting { key, victims, woken: false });
    }

    /// The pod is not waited for any more. Whether it was to be tried again meanwhile.
    pub(super) fn end(&mut self, uid: &PodUid) -> bool {
        let Some(Preempting { key: _, victims, woken }) = self.by_preemptor.remove(uid) else { return false };
        for victim in victims {
            self.by_victim.remove(&(victim, uid.clone()));
        }
        woken
    }

    /// Whether pods are being taken away for the pod.
    pub(super) fn is_running(&self, uid: &PodUid) -> bool {
        self.by_preemptor.contains_key(uid)
    }

    /// Whether the pod has to wait; if so, that it is to be tried again is kept in mind.
    pub(super) fn hold(&mut self, uid: &PodUid) -> bool {
        self.by_preemptor.get_mut(uid).map(|preempting| preempting.woken = true).is_some()
    }

    /// A pod is seen to go. Gives the pods that need not wait any more and are to be tried again.
    pub(super) fn goes(&mut self, victim: &PodUid) -> Vec<PodKey> {
        let from = (victim.clone(), PodUid::from(""));
        let pairs = self.by_victim.range(from..).take_while(|(gone, _)| gone == victim);
        let preemptors: Vec<PodUid> = pairs.map(|(_, preemptor)| preemptor.clone()).collect();
        let mut free = Vec::new();
        for preemptor in preemptors {
            self.by_victim.remove(&(victim.clone(), preemptor.clone()));
            let Some(preempting) = self.by_preemptor.get_mut(&preemptor) else { continue };
            preempting.victims.remove(victim);
            if preempting.victims.is_empty() {
                let key = preempting.key.clone();
                if self.end(&preemptor) {
                    free.push(key);
                }
            }
        }
        free
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begin(preemptions: &mut Preemptions, name: &str, victims: &[&str]) {
        let victims = victims.iter().map(|victim| PodUid::from(*victim));
        preemptions.begin(name.into(), PodKey::new("default", name), victims);
    }

    #[track_caller]
    fn check_goes(preemptions: &mut Preemptions, victim: &str, expected: &[&str]) {
        let free = preemptions.goes(&victim.into());
        let free: Vec<&str> = free.iter().map(|key| &*key.name).collect();
        assert_eq!(free, expected, "{victim}");
    }

    #[test]
    fn a_pod_waits_until_its_last_victim_goes() {
        let mut preemptions = Preemptions::default();
        begin(&mut preemptions, "a", &["1", "2"]);
        begin(&mut preemptions, "b", &["2"]);
        assert!(preemptions.hold(&"a".into()) && preemptions.hold(&"b".into()));
        check_goes(&mut preemptions, "2", &["b"]);
        assert!(!preemptions.hold(&"b".into()));
        check_goes(&mut preemptions, "2", &[]);
        check_goes(&mut preemptions, "1", &["a"]);
        assert_eq!((preemptions.len(), preemptions.by_victim.len()), (0, 0));
    }

    #[test]
    fn a_pod_that_nothing_has_woken_is_not_tried_again() {
        let mut preemptions = Preemptions::default();
        begin(&mut preemptions, "a", &["1"]);
        check_goes(&mut preemptions, "1", &[]);
        assert_eq!(preemptions.len(), 0);
    }

    #[test]
    fn a_preemption_ends_and_begins_anew() {
        let mut preemptions = Preemptions::default();
        begin(&mut preemptions, "a", &["1"]);
        begin(&mut preemptions, "a", &["2"]);
        assert!(preemptions.hold(&"a".into()));
        check_goes(&mut preemptions, "1", &[]);
        assert!(preemptions.end(&"a".into()));
        assert!(!preemptions.end(&"a".into()));
        assert!(preemptions.by_victim.is_empty());
    }
}
