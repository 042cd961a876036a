//! What is refused, with a hint and an exit code.

use serde_json::{Value, json};

use crate::bed::{Bed, IMAGE, is_unchanged, plugin};

const INSTALL: [&str; 4] = ["install", "--image", IMAGE, "--wait=false"];

fn deployment(name: &str, image: &str) -> Value {
    let template = json!({
        "metadata": {"labels": {"app": name}},
        "spec": {"containers": [{"name": "main", "image": image}]},
    });
    json!({"metadata": {"name": name}, "spec": {"selector": {"matchLabels": {"app": name}}, "template": template}})
}

/// One cluster serves them all; the last one stops kube-scheduler.
#[test]
fn what_would_harm_is_refused() {
    let bed = Bed::start();
    what_others_look_after_is_left_to_them(&bed);
    workloads_are_not_left_without_a_scheduler(&bed);
    two_schedulers_for_the_same_pods_are_refused(&bed);
}

fn what_others_look_after_is_left_to_them(bed: &Bed) {
    let namespace =
        json!({"metadata": {"name": "edge-system", "annotations": {"meta.helm.sh/release-name": "edge"}}});
    bed.cp.client().create("/api/v1/namespaces", &namespace).unwrap();
    bed.refused(&INSTALL, 1, &["namespace/edge-system belongs to Helm release edge", "--take-over"]);
    bed.done(&[&INSTALL[..], &["--take-over"]].concat());
    let annotations = &bed.get("/api/v1/namespaces/edge-system")["metadata"]["annotations"];
    assert_eq!(annotations, &Value::Null, "what Helm said of it is gone");
    assert!(is_unchanged(&bed.done(&INSTALL)));

    // Somebody else said something else of one field.
    let path = "/apis/apps/v1/namespaces/edge-system/deployments/edge-scheduler";
    bed.cp.client().merge(path, &json!({"spec": {"replicas": 3}})).unwrap();
    bed.refused(&INSTALL, 1, &["deployment.apps/edge-scheduler: spec.replicas is set by ", "--take-over"]);
    bed.done(&[&INSTALL[..], &["--take-over"]].concat());
    assert_eq!(bed.get(path)["spec"]["replicas"], 1);
    bed.done(&["uninstall", "--yes"]);
}

fn two_schedulers_for_the_same_pods_are_refused(bed: &Bed) {
    let deployments = "/apis/apps/v1/namespaces/default/deployments";
    let rival = deployment("custom-scheduler", "example.org/contrail-scheduler:22.2");
    bed.cp.client().create(deployments, &rival).unwrap();
    let args = [&INSTALL[..], &["--profile", "custom-scheduler"]].concat();
    bed.refused(&args, 1, &["EDGE-P07: deployment default/custom-scheduler serves custom-scheduler already"]);
    let twin = deployment("twin", "example.org/edge-scheduler:1");
    bed.cp.client().create(deployments, &twin).unwrap();
    bed.refused(&INSTALL, 1, &["EDGE-P08: deployment default/twin is another edge-scheduler"]);
    bed.cp.client().delete(&format!("{deployments}/twin")).unwrap();

    // kube-scheduler renews its Lease.
    let args = [&INSTALL[..], &["--replace-default"]].concat();
    bed.refused(&args, 1, &["EDGE-P09: kube-scheduler runs: its Lease in kube-system is being renewed"]);
    bed.cp.stop(controlplane::Component::KubeScheduler).unwrap();
    bed.refused(&args, 1, &["EDGE-P09: kube-scheduler has stopped and edge-scheduler does not run"]);

    // Without a right to do it.
    let nobody = bed.cp.kubeconfig_of("nobody").unwrap();
    let output = plugin(&INSTALL).arg("--kubeconfig").arg(nobody).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("no permission to create namespaces"), "{said}");
}

fn workloads_are_not_left_without_a_scheduler(bed: &Bed) {
    bed.done(&["install", "--image", IMAGE]);
    let mut web = deployment("web", "example.org/web:1");
    web["spec"]["template"]["spec"]["schedulerName"] = "edge-scheduler".into();
    bed.cp.client().create("/apis/apps/v1/namespaces/default/deployments", &web).unwrap();
    bed.refused(
        &["uninstall", "--yes"],
        1,
        &["deployment default/web would find no scheduler", "--reset-workloads"],
    );
    let shown = bed.done(&["uninstall", "--dry-run=server"]);
    assert!(shown.contains("deployment default/web asks for this scheduler\n"), "{shown}");

    let secret = json!({"metadata": {"name": "treasure"}});
    bed.cp.client().create("/api/v1/namespaces/edge-system/secrets", &secret).unwrap();
    let args = ["uninstall", "--yes", "--reset-workloads"];
    bed.refused(&args, 1, &["namespace edge-system holds what is not ours: secret/treasure"]);
    bed.refused(&["uninstall"], 1, &["deployment default/web"]);
    bed.cp.kubectl(&["delete", "secret", "-n", "edge-system", "treasure"]).unwrap();
    bed.refused(&["uninstall", "--reset-workloads"], 2, &["--yes"]);
    bed.done(&args);
    let web = bed.get("/apis/apps/v1/namespaces/default/deployments/web");
    assert_eq!(web["spec"]["template"]["spec"]["schedulerName"], "default-scheduler");
}
