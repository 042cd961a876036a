//! The election under a clock that the test sets, and the limits of its settings.

use std::time::Duration;

use edge_core::model::Time;
use k8s_openapi::jiff::Timestamp;

use super::*;

/// The wall clock stands still: nothing may be decided by it.
const WALL: Timestamp = Timestamp::UNIX_EPOCH;

fn at(seconds: u64) -> Time {
    Time::from_origin(Duration::from_secs(seconds))
}

fn held_by(holder: &str, renewal: i64) -> Record {
    Record {
        holder: holder.to_owned(),
        duration: Duration::from_secs(15),
        transitions: 3,
        acquired: Some(WALL),
        renewed: Timestamp::from_second(renewal).ok(),
    }
}

/// A server that holds a Lease, and fails when it is told to.
#[derive(Default)]
struct Server {
    lease: Option<Record>,
    version: u32,
    /// The version that the replica has seen.
    seen: u32,
    /// Writes are refused.
    read_only: bool,
    /// Nothing is answered.
    down: bool,
    asked: Vec<&'static str>,
}

// === impl Server ===

impl Server {
    fn with(lease: Record) -> Self {
        Self { lease: Some(lease), version: 1, ..Self::default() }
    }

    /// Somebody else writes.
    fn put(&mut self, lease: Record) {
        self.lease = Some(lease);
        self.version += 1;
    }

    fn ask(&mut self, request: &Request) -> Answer {
        let (name, record) = match request {
            Request::Read => ("read", None),
            Request::Create(record) => ("create", Some(record)),
            Request::Renew(record) => ("renew", Some(record)),
            Request::Take(record) => ("take", Some(record)),
        };
        self.asked.push(name);
        if self.down {
            return Answer::Failed;
        }
        let Some(record) = record else {
            self.seen = self.version;
            return self.lease.clone().map_or(Answer::Missing, Answer::Found);
        };
        if self.read_only || self.seen != self.version {
            return Answer::Failed;
        }
        self.put(record.clone());
        self.seen = self.version;
        Answer::Written
    }

    /// One try of the replica, in which an answer takes a second.
    fn attempt(&mut self, election: &mut Election, begin: u64) -> Standing {
        self.asked.clear();
        let mut now = begin;
        let mut step = election.begin(at(now), WALL);
        loop {
            let request = match step {
                Step::Rest(standing) => return standing,
                Step::Ask(request) => request,
            };
            let answer = self.ask(&request);
            step = election.answered(request, answer, at(now), at(now + 1), WALL);
            now += 1;
        }
    }
}

fn election() -> Election {
    Election::new("me".to_owned(), Duration::from_millis(15_900))
}

#[track_caller]
fn check(server: &mut Server, election: &mut Election, begin: u64, asked: &[&str], standing: Standing) {
    assert_eq!((server.attempt(election, begin), &server.asked[..]), (standing, asked), "at {begin} s");
}

#[test]
fn a_lease_that_is_not_there_is_made_and_counts_from_when_it_was_sent() {
    let (mut server, mut me) = (Server::default(), election());
    check(&mut server, &mut me, 10, &["read", "create"], Standing::Leads { since: at(11) });
    let expected =
        Record { holder: "me".to_owned(), transitions: 0, renewed: Some(WALL), ..held_by("me", 0) };
    assert_eq!(server.lease, Some(expected));
    assert_eq!(me.runs_out(), Some(at(26)), "a Lease counts whole seconds");
}

#[test]
fn a_lease_of_another_is_left_alone_until_it_was_seen_unchanged_for_its_own_duration() {
    let (mut server, mut me) = (Server::with(held_by("other", 1)), election());
    check(&mut server, &mut me, 0, &["read"], Standing::Follows);
    check(&mut server, &mut me, 14, &["read"], Standing::Follows);
    // It is renewed, so it counts anew, whatever time it says.
    server.put(held_by("other", -1_000_000));
    check(&mut server, &mut me, 16, &["read"], Standing::Follows);
    check(&mut server, &mut me, 30, &["read"], Standing::Follows);
    check(&mut server, &mut me, 32, &["read", "take"], Standing::Leads { since: at(33) });
    assert_eq!(server.lease.as_ref().unwrap().transitions, 4);
    // The duration is that which its holder wrote.
    server.put(Record { duration: Duration::from_mins(1), ..held_by("other", 5) });
    check(&mut server, &mut me, 50, &["read"], Standing::Follows);
    check(&mut server, &mut me, 100, &["read"], Standing::Follows);
    check(&mut server, &mut me, 111, &["read", "take"], Standing::Leads { since: at(112) });
}

#[test]
fn a_lease_that_was_released_is_taken_at_once() {
    let (mut server, mut me, mut other) = (
        Server::with(held_by("other", 1)),
        election(),
        Election::new("other".into(), Duration::from_secs(15)),
    );
    check(&mut server, &mut me, 0, &["read"], Standing::Follows);
    assert_eq!(me.released(WALL), None, "it is not ours to release");
    check(&mut server, &mut other, 1, &["read", "take"], Standing::Leads { since: at(2) });
    server.put(other.released(WALL).unwrap());
    check(&mut server, &mut me, 2, &["read", "take"], Standing::Leads { since: at(3) });
    assert_eq!(server.lease.as_ref().unwrap().transitions, 4);
}

#[test]
fn the_leader_writes_without_reading_as_long_as_it_is_sure() {
    let (mut server, mut me) = (Server::default(), election());
    check(&mut server, &mut me, 0, &["read", "create"], Standing::Leads { since: at(1) });
    check(&mut server, &mut me, 3, &["renew"], Standing::Leads { since: at(3) });
    check(&mut server, &mut me, 30, &["read", "take"], Standing::Leads { since: at(31) });
    assert_eq!(server.lease.as_ref().unwrap().transitions, 0, "it never changed hands");
}

#[test]
fn a_renewal_that_fails_leads_no_longer_but_is_tried_by_reading_first() {
    let (mut server, mut me) = (Server::default(), election());
    check(&mut server, &mut me, 0, &["read", "create"], Standing::Leads { since: at(1) });
    server.read_only = true;
    check(&mut server, &mut me, 2, &["renew", "read", "take"], Standing::Unsettled);
    server.down = true;
    check(&mut server, &mut me, 4, &["renew", "read"], Standing::Unsettled);
    (server.read_only, server.down) = (false, false);
    // Somebody put a label on it meanwhile: another version, the same holder.
    server.version += 1;
    check(&mut server, &mut me, 6, &["renew", "read", "take"], Standing::Leads { since: at(8) });
}

#[test]
fn a_leader_that_was_replaced_sees_it() {
    let (mut server, mut me) = (Server::default(), election());
    check(&mut server, &mut me, 0, &["read", "create"], Standing::Leads { since: at(1) });
    server.put(held_by("other", 7));
    check(&mut server, &mut me, 3, &["renew", "read"], Standing::Follows);
    assert_eq!((me.holder(), me.released(WALL)), ("other", None));
}

#[test]
fn of_two_who_want_a_lease_that_ran_out_one_gets_it() {
    let (mut server, mut me) = (Server::with(held_by("gone", 1)), election());
    check(&mut server, &mut me, 0, &["read"], Standing::Follows);
    let Step::Ask(read) = me.begin(at(20), WALL) else { panic!("it rests") };
    let answer = server.ask(&read);
    let Step::Ask(take) = me.answered(read, answer, at(20), at(20), WALL) else { panic!("it rests") };
    server.put(held_by("other", 9));
    let answer = server.ask(&take);
    assert_eq!(me.answered(take, answer, at(20), at(20), WALL), Step::Rest(Standing::Unsettled));
    check(&mut server, &mut me, 22, &["read"], Standing::Follows);
}

#[test]
fn a_tenure_ends_before_the_lease_does_and_is_stuck_long_after() {
    let tenure = Tenure::elected(Duration::from_secs(10), Duration::from_secs(15));
    assert!(!tenure.holds(at(0)) && !tenure.is_leader() && !tenure.is_stuck(at(100)));
    tenure.renew(at(1));
    assert!(tenure.holds(at(10)) && tenure.is_leader());
    assert!(!tenure.holds(at(11)));
    assert!(!tenure.is_stuck(at(36)) && tenure.is_stuck(at(37)));
    tenure.renew(at(37));
    assert!(tenure.holds(at(46)) && !tenure.is_stuck(at(46)));
    tenure.end();
    assert!(!tenure.holds(at(45)) && !tenure.is_leader());
    let always = Tenure::always();
    assert!(always.holds(at(1_000_000)) && !always.is_stuck(at(1_000_000)));
}

#[test]
fn settings_that_cannot_work_are_named() {
    let good = Settings { namespace: "edge-system".to_owned(), ..Settings::default() };
    let seconds = Duration::from_secs;
    let check = |settings: Settings, expected: Result<(), SettingsError>| {
        assert_eq!(settings.check(), expected, "{settings:?}");
    };
    check(good.clone(), Ok(()));
    check(Settings { renew_deadline: seconds(15), ..good.clone() }, Err(SettingsError::LeaseDuration));
    check(Settings { retry_period: seconds(9), ..good.clone() }, Err(SettingsError::RenewDeadline));
    check(Settings { retry_period: seconds(0), ..good.clone() }, Err(SettingsError::RetryPeriod));
    check(Settings { name: String::new(), ..good.clone() }, Err(SettingsError::Name));
    check(Settings { namespace: String::new(), ..good.clone() }, Err(SettingsError::Namespace));
    let millis = Duration::from_millis;
    let short = Settings {
        lease_duration: millis(900),
        renew_deadline: millis(500),
        retry_period: millis(100),
        ..good
    };
    check(short, Err(SettingsError::ShortLease));
}
