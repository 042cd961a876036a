//! An installation's life: made, found as it should be, changed, upgraded, removed.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::bed::{Bed, DEADLINE, IMAGE, is_unchanged};
use crate::documents::what_the_documents_show_works;
use crate::dump::{differences, dump, settled};

/// The manifests of the first version, as `kubectl edge install --export` printed them.
const FIRST_VERSION: &str = "tests/fixtures/install/v0.1.0.yaml";

/// The versions of everything that the plugin applies, which change with each write.
fn versions(bed: &Bed) -> BTreeMap<String, String> {
    let manifests = bed.done(&["install", "--export", "--ha", "--image", IMAGE]);
    let text = bed.kubectl(&["get", "-f", "-", "-o", "json"], &manifests).stdout;
    let list: Value = serde_json::from_str(&text).unwrap();
    let items = list["items"].as_array().unwrap().iter();
    let of_object = |object: &Value| {
        // Controllers write the status of these.
        let is_counted =
            ["Deployment", "DaemonSet", "PodDisruptionBudget"].contains(&object["kind"].as_str().unwrap());
        let version = if is_counted {
            &object["metadata"]["generation"]
        } else {
            &object["metadata"]["resourceVersion"]
        };
        (format!("{}/{}", object["kind"], object["metadata"]["name"]), version.to_string())
    };
    items.map(of_object).collect()
}

/// One cluster serves them all: each ends with nothing installed.
#[test]
fn a_life() {
    let bed = Bed::start();
    what_is_installed_can_be_removed_without_a_trace(&bed);
    an_upgrade_leaves_pods_alone(&bed);
    parts_are_laid_over_and_what_is_missing_is_made_anew(&bed);
    what_the_documents_show_works(&bed);
}

fn what_is_installed_can_be_removed_without_a_trace(bed: &Bed) {
    let before = settled(bed);

    let shown = bed.done(&["install", "--ha", "--image", IMAGE]);
    assert!(shown.contains("deployment.apps/edge-scheduler created\n"), "{shown}");
    assert!(shown.contains("deployment/edge-scheduler 2/2 ready\n"), "{shown}");
    assert!(shown.contains("daemonset/edge-probe 3/3 ready\n"), "{shown}");

    // Once more, without a word of how: nothing is written.
    let written = versions(bed);
    let shown = bed.done(&["install"]);
    assert!(is_unchanged(&shown), "{shown}");
    assert_eq!(versions(bed), written);
    assert_eq!(bed.plugin(&["install", "--diff"]).code, 0);

    // What is exported for GitOps is what is installed.
    let exported = bed.done(&["install", "--export", "--ha", "--image", IMAGE]);
    let said = bed.kubectl(&["diff", "-f", "-"], &exported);
    assert_eq!((said.stdout.as_str(), said.code), ("", 0), "{}", said.stderr);
    assert_eq!(exported, bed.done(&["install", "--export", "--ha", "--image", IMAGE]), "byte-stable");
    assert!(!exported.contains("kind: Secret"), "{exported}");

    bed.done(&["label-cloud", "edge-1"]);
    bed.cp.kubectl(&["label", "node", "edge-2", "by=others"]).unwrap();
    let shown = bed.done(&["uninstall", "--yes"]);
    assert!(shown.contains("node/edge-1 unlabeled: kubernetes.io/role\n"), "{shown}");
    bed.cp.kubectl(&["label", "node", "edge-2", "by-"]).unwrap();
    // The controller that gathers the rules of `view` takes a moment.
    let mut left = Vec::new();
    let is_clean = || {
        left = differences(&before, &dump(bed));
        Ok(left.is_empty().then_some(()))
    };
    let waited = controlplane::wait_for("everything to be as it was", DEADLINE, is_clean);
    assert!(waited.is_ok(), "{left:#?}");
    assert_eq!(bed.done(&["uninstall", "--yes"]), "");
}

fn an_upgrade_leaves_pods_alone(bed: &Bed) {
    let manifests = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(FIRST_VERSION)).unwrap();
    let apply = ["apply", "--server-side", "--field-manager=kubectl-edge", "-f", "-"];
    let said = bed.kubectl(&apply, &manifests);
    assert_eq!(said.code, 0, "{}", said.stderr);
    let template = json!({
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "web", "image": "example.org/web:1"}]},
    });
    let spec = json!({"replicas": 3, "selector": {"matchLabels": {"app": "web"}}, "template": template});
    let web = json!({"metadata": {"name": "web"}, "spec": spec});
    bed.cp.client().create("/apis/apps/v1/namespaces/default/deployments", &web).unwrap();
    bed.cp.kubectl(&["rollout", "status", "deployment/web", "--timeout=120s"]).unwrap();
    for workload in ["deployment/edge-scheduler", "daemonset/edge-probe"] {
        let args = ["rollout", "status", "-n", "edge-system", workload, "--timeout=120s"];
        bed.cp.kubectl(&args).unwrap();
    }
    let (web, ours) = (bed.pods("default"), bed.pods("edge-system"));
    assert_eq!((web.len(), ours.len()), (3, 4));

    bed.done(&["install"]);
    assert_eq!(bed.pods("default"), web);
    assert_eq!(bed.pods("edge-system"), ours, "with the same image and configuration nothing restarts");

    // A further profile is in force in a pod made anew, and remembered.
    let shown = bed.done(&["install", "--profile", "custom-scheduler"]);
    assert!(shown.contains("deployment.apps/edge-scheduler configured\n"), "{shown}");
    let shown = bed.done(&["install"]);
    assert!(is_unchanged(&shown), "{shown}");
    let config = bed.get("/api/v1/namespaces/edge-system/configmaps/edge-scheduler-config");
    let text = config["data"]["config.yaml"].as_str().unwrap();
    assert!(text.ends_with("\n- schedulerName: custom-scheduler\n"), "{text}");

    // What one choice brought goes with it.
    bed.done(&["install", "--ha"]);
    let shown = bed.done(&["install", "--reset"]);
    assert!(shown.contains("poddisruptionbudget.policy/edge-scheduler deleted\n"), "{shown}");
    assert_eq!(bed.pods("default"), web);
    bed.done(&["uninstall", "--yes"]);
}

fn parts_are_laid_over_and_what_is_missing_is_made_anew(bed: &Bed) {
    let part = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "edge-scheduler"},
        "spec": {"template": {"spec": {"containers": [{"name": "edge-scheduler", "args": ["-v=4"]}]}}},
    });
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), part.to_string()).unwrap();
    bed.done(&["install", "--image", IMAGE, "-f", file.path().to_str().unwrap()]);
    let path = "/apis/apps/v1/namespaces/edge-system/deployments/edge-scheduler";
    let container = &bed.get(path)["spec"]["template"]["spec"]["containers"][0];
    assert_eq!((&container["args"], &container["image"]), (&json!(["-v=4"]), &json!(IMAGE)));

    // Half an installation.
    bed.cp.kubectl(&["delete", "clusterrole", "edge-scheduler"]).unwrap();
    bed.cp.kubectl(&["delete", "crd", "nodedelays.kubectl-edge.dev"]).unwrap();
    let shown = bed.done(&["install"]);
    assert!(shown.contains("\n2 created, ") && !shown.contains("configured"), "{shown}");
    bed.cp.kubectl(&["delete", "namespace", "edge-system"]).unwrap();
    bed.done(&["uninstall", "--yes"]);
    assert_eq!(bed.done(&["uninstall", "--yes"]), "");
}
