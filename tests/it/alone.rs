//! Ours alone, without kube-scheduler: it is the cluster's `default-scheduler`.

use controlplane::{Component, FakeNode, Options};
use serde_json::{Value, json};

use crate::bed::{Bed, PODS, Replica};

const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/default/deployments";

const CONFIG: &str = "
apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
clientConnection:
  kubeconfig: KUBECONFIG
profiles:
- schedulerName: default-scheduler
";

#[test]
fn whatever_is_stopped_and_started_again_all_pods_are_bound_in_the_end() {
    let nodes = ["edge-1", "edge-2", "edge-3"].map(|name| FakeNode::new(name).cpu("64"));
    let options = Options { controller_manager: true, kwok: true, ..Options::default() };
    let bed = Bed::with(options, &nodes);
    let mut replicas = ["one", "two"].map(|name| start(&bed, name));
    bed.cp.client().create(DEPLOYMENTS, &deployment()).unwrap();
    let mut pods = 0;
    let mut more = |stop_and_start: &mut dyn FnMut()| {
        pods += 20;
        let scale = json!({"spec": {"replicas": pods}});
        bed.cp.client().merge(&format!("{DEPLOYMENTS}/app"), &scale).unwrap();
        stop_and_start();
        bed.wait(&format!("{pods} pods to be bound"), || (bound(&bed)? == pods).then_some(()));
    };
    for component in [Component::ApiServer, Component::Etcd, Component::ControllerManager] {
        more(&mut || bed.cp.restart(component).unwrap());
    }
    for (idx, replica) in replicas.iter_mut().enumerate() {
        // The one that leads hands over, and the other must not be disturbed by its return.
        more(&mut || *replica = restart(&bed, replica, &format!("again-{idx}")));
    }
}

fn start(bed: &Bed, name: &str) -> Replica {
    let config = CONFIG.replace("KUBECONFIG", bed.cp.kubeconfig().to_str().unwrap());
    let config = bed.write(&format!("{name}.yaml"), &config);
    bed.replica(name, &["--config", config.to_str().unwrap(), "--secure-port=0"])
}

fn restart(bed: &Bed, replica: &mut Replica, name: &str) -> Replica {
    assert_eq!(replica.terminate(), Some(0));
    start(bed, name)
}

fn deployment() -> Value {
    let labels = json!({"app": "app"});
    let container = json!({"name": "main", "image": "example.com/app:1"});
    json!({
        "metadata": {"name": "app"},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    })
}

/// How many pods are bound; none if the API server doesn't answer at the moment.
fn bound(bed: &Bed) -> Option<usize> {
    let list = bed.cp.client().get(PODS).ok()?;
    Some(list["items"].as_array()?.iter().filter(|pod| pod["spec"]["nodeName"].is_string()).count())
}
