//! `delay get`, `set`, `unset` and `lint`.

use serde_json::{Value, json};

use crate::bed::Bed;

fn workload(kind: &str, api: &str, namespace: &str, name: &str, spec: &Value) -> Value {
    json!({"apiVersion": api, "kind": kind, "metadata": {"name": name, "namespace": namespace}, "spec": spec})
}

fn template() -> Value {
    json!({"metadata": {"labels": {"app": "x"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}})
}

#[test]
fn a_deployment_is_changed_in_place_once_it_is_confirmed() {
    let bed = Bed::get();
    bed.add_namespace("delay-deployment");
    bed.add_node("anchor-1", &json!({}), &json!({"cpu": "4", "memory": "8Gi", "pods": "10"}));
    let spec = json!({"replicas": 3, "selector": {"matchLabels": {"app": "x"}}, "template": template()});
    let path = "/apis/apps/v1/namespaces/delay-deployment/deployments";
    bed.cp
        .client()
        .create(path, &workload("Deployment", "apps/v1", "delay-deployment", "web", &spec))
        .unwrap();
    let set = ["delay", "set", "deploy/web", "anchor-1=25ms", "-n", "delay-deployment"];

    let said = bed.says(&set);
    assert_eq!(said.code, Some(2), "{said:?}");
    for expected in [
        "label delay_anchor-1: (none) → \"25\"",
        "schedulerName: \"default-scheduler\" → \"edge-scheduler\"",
        "This restarts 3 pods (at most 25% unavailable).",
        "Fits now: 1 of ",
        "error: nobody is there to confirm it\nhint: --yes goes on without a question\n",
    ] {
        assert!(said.err.contains(expected), "{expected:?} is not in\n{}", said.err);
    }
    let said = bed.says(&[&set[..], &["--yes"]].concat());
    assert_eq!((said.code, said.out.as_str()), (Some(0), "deployment.apps/web delay set\n"), "{said:?}");
    let object = bed.cp.client().get(&format!("{path}/web")).unwrap();
    assert_eq!(object["spec"]["template"]["metadata"]["labels"], json!({"app": "x", "delay_anchor-1": "25"}));
    assert_eq!(object["spec"]["template"]["spec"]["schedulerName"], "edge-scheduler");

    let said = bed.says(&[&set[..], &["--yes"]].concat());
    assert_eq!(said.out, "deployment.apps/web delay not changed\n");
    let said = bed.says(&["delay", "get", "-n", "delay-deployment"]);
    let expected = "WORKLOAD              FROM       BOUND (ms)   SCHEDULER\n\
                    deployment.apps/web   anchor-1   25           edge-scheduler\n";
    assert_eq!(said.out, expected);
    let said = bed.says(&["delay", "lint", "-n", "delay-deployment"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let said = bed.says(&["delay", "unset", "deploy/web", "anchor-1", "-n", "delay-deployment", "--yes"]);
    assert_eq!((said.code, said.out.as_str()), (Some(0), "deployment.apps/web delay unset\n"), "{said:?}");
    let object = bed.cp.client().get(&format!("{path}/web")).unwrap();
    assert_eq!(object["spec"]["template"]["metadata"]["labels"], json!({"app": "x"}));
}

#[test]
fn each_kind_is_treated_as_it_has_to_be() {
    let bed = Bed::get();
    let namespace = "delay-kinds";
    bed.add_namespace(namespace);
    let with_selector = json!({"selector": {"matchLabels": {"app": "x"}}, "template": template()});
    let mut job = template();
    job["spec"]["restartPolicy"] = json!("Never");
    let cron = json!({"schedule": "0 0 * * *", "jobTemplate": {"spec": {"template": job}}});
    let pod = template()["spec"].clone();
    for (kind, api, plural, spec) in [
        ("StatefulSet", "apps/v1", "statefulsets", &with_selector),
        ("DaemonSet", "apps/v1", "daemonsets", &with_selector),
        ("ReplicaSet", "apps/v1", "replicasets", &with_selector),
        ("CronJob", "batch/v1", "cronjobs", &cron),
        ("Job", "batch/v1", "jobs", &json!({"template": job})),
        ("Pod", "v1", "pods", &pod),
    ] {
        let group = if api == "v1" { "/api/v1".to_owned() } else { format!("/apis/{api}") };
        let path = format!("{group}/namespaces/{namespace}/{plural}");
        bed.cp.client().create(&path, &workload(kind, api, namespace, "x", spec)).unwrap();
    }
    let check = |target: &str, more: &[&str], code: i32, expected: &str| {
        let args = [&["delay", "set", target, "nowhere=5", "-n", namespace, "--yes"], more].concat();
        let said = bed.says(&args);
        assert_eq!(said.code, Some(code), "{target} {said:?}");
        let seen = format!("{}{}", said.out, said.err);
        assert!(seen.contains(expected), "{expected:?} is not in\n{seen}");
    };
    check("sts/x", &[], 0, "This restarts 1 pod, one after the other.");
    check("rs/x", &[], 0, "Its 1 pod stay as they are; new ones follow the constraint.");
    check("cronjob/x", &[], 0, "It holds from its next run on.");
    check("ds/x", &[], 1, "error: daemonset.apps/x wants a pod on every node");
    check("ds/x", &["--force"], 0, "daemonset.apps/x delay set");
    check("job/x", &[], 1, "error: job.batch/x can't be changed any more");
    check("pod/x", &[], 1, "delay_nowhere: '5'");
    check("deploy/gone", &[], 1, "error: deployments.apps \"gone\" not found");
    // What a refused Job's manifest says can be created.
    let said = bed.says(&["delay", "set", "job/x", "nowhere=5", "-n", namespace, "--yes"]);
    let mut manifest: Value = serde_yaml::from_str(&said.out).unwrap();
    manifest["metadata"]["name"] = json!("y");
    bed.cp.client().create(&format!("/apis/batch/v1/namespaces/{namespace}/jobs"), &manifest).unwrap();
    let lint = bed.says(&["delay", "lint", "-n", namespace]);
    assert_eq!(lint.code, Some(3), "{lint:?}");
    assert!(lint.out.contains("anchor nowhere is not placed"), "{}", lint.out);
}

#[test]
fn other_schedulers_pods_are_left_to_them() {
    let bed = Bed::get();
    bed.add_namespace("delay-scheduler");
    let mut template = template();
    template["spec"]["schedulerName"] = json!("volcano");
    let spec = json!({"selector": {"matchLabels": {"app": "x"}}, "template": template});
    let path = "/apis/apps/v1/namespaces/delay-scheduler/deployments";
    bed.cp
        .client()
        .create(path, &workload("Deployment", "apps/v1", "delay-scheduler", "web", &spec))
        .unwrap();
    let said = bed.says(&["delay", "set", "deploy/web", "a=5", "-n", "delay-scheduler", "--yes"]);
    let expected = "error: deployment.apps/web: its scheduler \"volcano\" is not one that is served\n";
    assert!(said.code == Some(1) && said.err.starts_with(expected), "{said:?}");
}

#[test]
fn manifests_in_files_keep_their_comments() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("web.yaml");
    let text = "# web\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  template:\n    metadata:\n      labels:\n        app: web # ours\n    spec: {}\n---\nkind: Service\nmetadata: {name: web}\n";
    std::fs::write(&file, text).unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_kubectl-edge"));
    let output =
        command.args(["delay", "set", "-f", file.to_str().unwrap(), "edge-1=2.5ms"]).output().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        format!("1 of 1 workloads changed in {}\n", file.display())
    );
    let expected = text
        .replace("web # ours\n", "web # ours\n        delay_edge-1: \"2.5\"\n")
        .replace("    spec: {}\n", "    spec:\n      schedulerName: \"edge-scheduler\"\n");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), expected);
}
