//! What is started, and that it works together.

use crate::support::{PODS, await_running, pod, status_of};
use controlplane::{Component, ControlPlane, Error, FakeNode, KubeScheduler, Options};
use serde_json::json;
use std::thread;

const TWO_PROFILES: &str = "
apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
profiles:
- schedulerName: default-scheduler
- schedulerName: second-scheduler
";

#[test]
fn a_pod_is_bound_and_runs_when_everything_is_started() {
    let options =
        Options { kube_scheduler: KubeScheduler::Config(TWO_PROFILES.to_owned()), ..Options::everything() };
    let cluster = ControlPlane::start(options).unwrap();
    cluster
        .add_nodes(&[FakeNode::new("small").memory("1Gi"), FakeNode::new("large").memory("16Gi")])
        .unwrap();

    let needy = json!({
        "schedulerName": "second-scheduler",
        "containers": [{"name": "main", "image": "none", "resources": {"requests": {"memory": "8Gi"}}}],
    });
    cluster.client().create(PODS, &pod("needy", &needy)).unwrap();
    let running = await_running(cluster.client(), "needy");

    assert_eq!(running["spec"]["nodeName"], "large");
    for component in Component::ALL {
        assert!(cluster.usage(component).unwrap().peak_rss.mebibytes() > 10, "{component}");
    }
    assert_eq!(cluster.kubectl(&["get", "pods", "-o", "name"]).unwrap(), "pod/needy\n");
    let folder = cluster.folder().to_owned();
    drop(cluster);
    assert!(!folder.exists());
}

#[test]
fn two_run_side_by_side_and_know_nothing_of_each_other() {
    let other = thread::spawn(|| ControlPlane::start(Options::default()));
    let one = ControlPlane::start(Options::default()).unwrap();
    let two = other.join().unwrap().unwrap();

    one.add_nodes(&[FakeNode::new("only-in-one")]).unwrap();

    assert_ne!(one.url(), two.url());
    assert_eq!(status_of(two.client().get("/api/v1/nodes/only-in-one")), 404);
}

#[test]
fn a_user_may_do_what_a_role_allows_and_nothing_else() {
    let options = Options::default().user("jane", &["readers", "writers"]);
    let cluster = ControlPlane::start(options).unwrap();
    let jane = cluster.client_of("jane").unwrap();
    assert_eq!(status_of(jane.get("/api/v1/nodes")), 403);

    cluster.kubectl(&["create", "clusterrole", "see", "--verb=list", "--resource=nodes"]).unwrap();
    cluster
        .kubectl(&["create", "clusterrolebinding", "see", "--clusterrole=see", "--group=readers"])
        .unwrap();

    let kubeconfig = cluster.kubeconfig_of("jane").unwrap().to_str().unwrap();
    let may = |verb| cluster.kubectl(&["--kubeconfig", kubeconfig, "auth", "can-i", verb, "nodes"]).is_ok();
    controlplane::wait_for("the role to be known", crate::support::SOON, || Ok(may("list").then_some(())))
        .unwrap();
    jane.get("/api/v1/nodes").unwrap();
    assert!(!may("delete"));
    assert!(matches!(cluster.kubeconfig_of("joe"), Err(Error::Invalid(_))));
}

#[test]
fn a_component_that_does_not_start_shows_the_end_of_its_log() {
    let failure =
        ControlPlane::start(Options::default().flag(Component::ApiServer, "--nonsense")).unwrap_err();
    let Error::Component { component, log, tail, .. } = &failure else { panic!("{failure}") };

    assert_eq!(component, "kube-apiserver");
    assert!(tail.contains("unknown flag: --nonsense"), "{tail}");
    assert!(log.exists());
    std::fs::remove_dir_all(log.parent().unwrap()).unwrap();
}
