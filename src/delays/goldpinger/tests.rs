//! Goldpinger's answers, and instances on loopback addresses that give them.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use edge_core::delay::{DelaySource, Measurement};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::*;

/// Instance `gp-<number>` on `node-<number>`.
fn instance(number: u8) -> Instance {
    Instance {
        pod: format!("gp-{number}"),
        node: format!("node-{number}").as_str().into(),
        pod_ips: vec![IpAddr::from([10, 244, 0, number])],
        host_ips: vec![IpAddr::from([192, 168, 0, number])],
        address: SocketAddr::from(([10, 244, 0, number], 8080)),
    }
}

fn instances(n: u8) -> Vec<Instance> {
    (1..=n).map(instance).collect()
}

fn second(second: u64) -> Duration {
    Duration::from_secs(second)
}

/// A report in short: by peer the delay in ms, or `lost`.
fn rows(report: &Report) -> Vec<String> {
    let row = |Measurement { peer, statistics }: &Measurement| {
        assert_eq!((statistics.samples, statistics.p95), (1, None), "one sample has no percentile");
        if let Some(delay) = statistics.p50 {
            assert_eq!((statistics.min, statistics.lost), (Some(delay), 0));
            format!("{peer} {delay}")
        } else {
            assert_eq!((statistics.min, statistics.lost, statistics.missed), (None, 1, 1));
            format!("{peer} lost")
        }
    };
    report.rows.iter().map(row).collect()
}

#[track_caller]
fn check(results: &Value, expected: Option<&[&str]>) {
    let body = json!({ "podResults": results }).to_string();
    let check = Check::read(body.as_bytes()).unwrap();
    let mut reader = Reader::new(second(30));
    let report = reader.read(&"node-1".into(), &check, &instances(4), second(0));
    assert_eq!(
        report.as_ref().map(rows).as_deref(),
        expected.map(|it| it.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>()).as_deref()
    );
    if let Some(report) = report {
        assert_eq!((report.source, report.every), (DelaySource::Goldpinger, Some(second(30))));
    }
}

fn answered(millis: Option<u32>) -> Value {
    let mut result = json!({
        "OK": true, "PingTime": "2024-11-11T09:30:59.123Z", "response": {"boot_time": "2024-11-11T09:00:00.000Z"},
        "status-code": 200,
    });
    if let Some(millis) = millis {
        result["response-time-ms"] = millis.into();
    }
    result
}

#[test]
fn milliseconds_are_read_as_their_upper_end_and_none_as_less_than_one() {
    check(
        &json!({"gp-2": answered(Some(12)), "gp-3": answered(None), "gp-4": answered(Some(0))}),
        Some(&["node-2 13", "node-3 1", "node-4 1"]),
    );
}

#[test]
fn a_time_out_is_no_delay() {
    let late = json!({
        "PingTime": "2024-11-11T09:30:59.123Z", "PodIP": "10.244.0.2", "error": "context deadline exceeded",
        "status-code": 504, "response-time-ms": 300,
    });
    check(&json!({"gp-2": late, "gp-3": answered(Some(3))}), Some(&["node-2 lost", "node-3 4"]));
}

#[test]
fn peers_are_known_by_pod_or_node_or_address() {
    let at = |pod_ip: &str, host_ip: &str| {
        let mut result = answered(Some(1));
        result["PodIP"] = pod_ip.into();
        result["HostIP"] = host_ip.into();
        result
    };
    // The pods' names, as it is by default.
    check(&json!({"gp-1": answered(Some(1)), "gp-2": answered(Some(1))}), Some(&["node-2 2"]));
    // The nodes', with DISPLAY_NODENAME.
    check(&json!({"node-1": answered(Some(1)), "node-2": answered(Some(1))}), Some(&["node-2 2"]));
    // Addresses go before names, in any spelling.
    check(&json!({"anything": at("10.244.0.3", "")}), Some(&["node-3 2"]));
    check(&json!({"gone": at("10.244.0.77", "192.168.0.4")}), Some(&["node-4 2"]));
    // Nobody knows it.
    check(&json!({"gone": at("10.244.0.77", "192.168.0.77"), "gp-2": answered(None)}), Some(&["node-2 1"]));
}

#[test]
fn of_two_pods_on_a_node_the_slower_one_that_answers_counts() {
    let late = json!({"OK": false, "response-time-ms": 300});
    check(&json!({"gp-2": answered(Some(3)), "node-2": answered(Some(9))}), Some(&["node-2 10"]));
    check(&json!({"gp-2": answered(Some(3)), "node-2": late}), Some(&["node-2 4"]));
}

#[test]
fn an_answer_without_a_peer_is_no_data() {
    check(&json!({}), None);
    check(&Value::Null, None);
    check(&json!({"gp-1": answered(Some(1))}), None);
}

#[test]
fn one_bad_result_costs_no_other() {
    check(&json!({"gp-2": "what?", "gp-3": {"OK": "yes"}, "gp-4": answered(Some(1))}), Some(&["node-4 2"]));
}

#[test]
fn an_instance_that_suddenly_sees_few_is_not_believed_at_once() {
    let mut reader = Reader::new(second(30));
    let others = instances(9);
    let mut read = |n: u8, at: u64| {
        let results: BTreeMap<String, Value> =
            (2..2 + n).map(|number| (format!("gp-{number}"), answered(Some(1)))).collect();
        let check = Check::read(json!({ "podResults": results }).to_string().as_bytes()).unwrap();
        reader.read(&"node-1".into(), &check, &others, second(at)).map(|report| report.rows.len())
    };
    assert_eq!(read(8, 0), Some(8));
    assert_eq!(read(4, 30), Some(4), "half of them may go");
    assert_eq!(read(8, 60), Some(8));
    assert_eq!((read(2, 90), read(2, 120)), (None, None));
    assert_eq!(read(2, 150), Some(2), "it stays so: it is so");
    assert_eq!((read(0, 180), read(0, 210), read(0, 240)), (None, None, None), "nothing is never data");
}

#[test]
fn a_result_is_as_old_as_it_has_been_known() {
    let mut reader = Reader::new(second(30));
    let mut age = |ping_time: &str, at: u64| {
        let mut result = answered(Some(1));
        result["PingTime"] = ping_time.into();
        let check = Check::read(json!({"podResults": {"gp-2": result}}).to_string().as_bytes()).unwrap();
        let report = reader.read(&"node-1".into(), &check, &instances(2), second(at)).unwrap();
        report.rows[0].statistics.age.unwrap()
    };
    assert_eq!(age("2024-11-11T09:30:59Z", 0), second(0));
    assert_eq!(age("2024-11-11T09:30:59Z", 70), second(70));
    assert_eq!(age("1999-01-01T00:00:00Z", 100), second(0), "a clock that was set back says nothing");
}

/// Serves canned answers on loopback addresses: by path the body, or none where no answer ever comes.
struct Served {
    instances: Vec<Instance>,
    tasks: JoinSet<()>,
}

impl Served {
    /// `answer` gives the body of an instance's page.
    async fn start(n: u8, answer: impl Fn(u8, &str) -> Option<String> + Clone + Send + 'static) -> Self {
        let mut served = Self { instances: instances(n), tasks: JoinSet::new() };
        for number in 1..=n {
            // IPv6 as well as IPv4.
            let any = if number % 2 == 0 { "[::1]:0" } else { "127.0.0.1:0" };
            let listener = TcpListener::bind(any).await.unwrap();
            served.instances[usize::from(number) - 1].address = listener.local_addr().unwrap();
            let answer = answer.clone();
            served.tasks.spawn(async move {
                let mut open = Vec::new();
                loop {
                    let (mut stream, _) = listener.accept().await.unwrap();
                    let mut request = Vec::new();
                    while !request.ends_with(b"\r\n\r\n") {
                        request.push(stream.read_u8().await.unwrap());
                    }
                    let request = String::from_utf8(request).unwrap();
                    let path = request.split(' ').nth(1).unwrap();
                    match answer(number, path) {
                        Some(body) => {
                            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
                            stream.write_all((head + &body).as_bytes()).await.unwrap();
                        }
                        None => open.push(stream),
                    }
                }
            });
        }
        served
    }
}

/// Where nobody is slow no answer may be missed, however busy the machine is.
const PATIENT: Duration = Duration::from_mins(1);

fn source(timeout: Duration) -> GoldpingerSource {
    GoldpingerSource {
        namespace: String::new(),
        selector: "app=goldpinger".to_owned(),
        port: 8080,
        every: second(30),
        timeout,
    }
}

/// Results of these peers.
fn results(peers: impl Iterator<Item = u8>) -> Value {
    let results: BTreeMap<String, Value> =
        peers.map(|peer| (format!("gp-{peer}"), answered(Some(u32::from(peer))))).collect();
    json!({ "podResults": results })
}

fn nodes(reports: &[Report]) -> Vec<(String, usize)> {
    reports.iter().map(|report| (report.from.to_string(), report.rows.len())).collect()
}

#[tokio::test]
async fn one_instance_tells_of_all_and_a_slow_one_loses_its_row_alone() {
    let served = Served::start(4, |_, path| {
        assert_eq!(path, "/check_all");
        let part = |of: u8| match of {
            3 => json!({"PodIP": "10.244.0.3", "error": "context deadline exceeded", "status-code": 504}),
            of => {
                json!({"OK": true, "status-code": 200, "response": results((1..=4).filter(|it| *it != of))})
            }
        };
        let responses: BTreeMap<String, Value> = (1..=4).map(|of| (format!("gp-{of}"), part(of))).collect();
        Some(json!({"hosts": [{"podName": "gp-1"}], "responses": responses}).to_string())
    })
    .await;
    let mut poller = Poller::new(source(PATIENT));
    let rows = poller.ask_one(&served.instances).await.unwrap();
    let found: Vec<(&str, usize)> = rows.iter().map(|(it, row)| (it.node.as_str(), row.len())).collect();
    assert_eq!(found, [("node-1", 3), ("node-2", 3), ("node-4", 3)]);
}

#[tokio::test]
async fn instances_that_sample_are_asked_one_by_one() {
    // Each measures the two after it, and asks only two for theirs.
    let sampled = |of: u8| results([of % 5 + 1, (of + 1) % 5 + 1].into_iter());
    let served = Served::start(5, move |number, path| match path {
        "/check_all" => {
            let responses =
                [1, 2].map(|of| (format!("gp-{of}"), json!({"OK": true, "response": sampled(of)})));
            Some(json!({"responses": BTreeMap::from(responses)}).to_string())
        }
        // One never answers.
        "/check" => (number != 4).then(|| sampled(number).to_string()),
        _ => panic!("{path}"),
    })
    .await;
    let mut poller = Poller::new(source(second(1)));
    let reports = poller.poll(&served.instances).await.unwrap();
    let expected = ["node-1", "node-2", "node-3", "node-5"].map(|node| (node.to_owned(), 2));
    assert_eq!(nodes(&reports), expected);
}

#[tokio::test]
async fn an_empty_list_and_silence_are_no_data() {
    let served = Served::start(2, |_, _| Some("{}".to_owned())).await;
    let mut poller = Poller::new(source(PATIENT));
    assert!(matches!(poller.poll(&served.instances).await, Err(PollError::Empty)));
    assert!(matches!(poller.poll(&[]).await, Err(PollError::NoPods { .. })));
    poller.source.timeout = Duration::from_millis(200);
    let served = Served::start(2, |_, _| None).await;
    assert!(matches!(poller.poll(&served.instances).await, Err(PollError::Silent(_))));
    poller.source.timeout = PATIENT;
    let served = Served::start(2, |_, _| Some("<html>".to_owned())).await;
    let silent = poller.poll(&served.instances).await.unwrap_err().to_string();
    assert!(silent.contains("can't be read"), "{silent}");
}

#[tokio::test]
async fn large_clusters_are_never_asked_for_all_at_once() {
    let served = Served::start(1, |_, path| {
        assert_eq!(path, "/check");
        Some(results([2].into_iter()).to_string())
    })
    .await;
    let one = served.instances[0].clone();
    let mut many: Vec<Instance> = (0..ASK_EACH_FROM)
        .map(|number| Instance {
            pod: format!("gp-{number}"),
            node: format!("node-{number}").as_str().into(),
            ..one.clone()
        })
        .collect();
    for instance in &mut many {
        instance.pod_ips.clear();
        instance.host_ips.clear();
    }
    let reports = Poller::new(source(PATIENT)).poll(&many).await.unwrap();
    assert_eq!(reports.len(), ASK_EACH_FROM - 1, "each but the one that is its own peer");
}
