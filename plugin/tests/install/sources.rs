//! Plugin, kustomize and Helm chart give the same objects.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;
use serde_json::Value;

use crate::bed::plugin;

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy").canonicalize().unwrap()
}

/// The image that the files name.
fn image() -> String {
    let text = fs::read_to_string(deploy().join("base/scheduler.yaml")).unwrap();
    let line = text.lines().find_map(|line| line.trim().strip_prefix("image: ")).unwrap();
    line.to_owned()
}

/// Objects by kind, namespace and name.
fn read(text: &str) -> BTreeMap<String, Value> {
    let documents = serde_yaml::Deserializer::from_str(text).map(|it| Value::deserialize(it).unwrap());
    let key = |object: &Value| {
        let metadata = &object["metadata"];
        format!("{} {} {}", object["kind"], metadata["namespace"], metadata["name"])
    };
    documents.filter(|object| !object.is_null()).map(|object| (key(&object), object)).collect()
}

#[track_caller]
fn run(command: &mut Command) -> BTreeMap<String, Value> {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    read(&String::from_utf8(output.stdout).unwrap())
}

/// What kustomize makes of the base and these components.
fn kustomize(components: &[&str]) -> BTreeMap<String, Value> {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    // kustomize takes no absolute paths.
    let up = "../".repeat(folder.path().canonicalize().unwrap().components().count() - 1);
    let path = |name: &str| format!("{up}{}", deploy().join(name).strip_prefix("/").unwrap().display());
    let components: Vec<String> = components.iter().map(|name| path(&format!("components/{name}"))).collect();
    let kustomization = serde_json::json!({"resources": [path("base")], "components": components});
    fs::write(folder.path().join("kustomization.yaml"), kustomization.to_string()).unwrap();
    run(Command::new("kubectl").arg("kustomize").arg(folder.path()))
}

fn chart(values: &[&str]) -> BTreeMap<String, Value> {
    let mut helm = Command::new(controlplane::helm().unwrap());
    helm.args(["template", "edge", "--kube-version", "1.36.0"]).arg(deploy().join("chart"));
    run(helm.args(values.iter().flat_map(|value| ["--set", value])))
}

#[track_caller]
fn same(name: &str, one: &BTreeMap<String, Value>, other: &BTreeMap<String, Value>) {
    assert_eq!(one.keys().collect::<Vec<_>>(), other.keys().collect::<Vec<_>>(), "{name}");
    for (key, object) in one {
        assert_eq!(object, &other[key], "{name}: {key}");
    }
}

#[track_caller]
fn check(args: &[&str], components: &[&str], values: &[&str]) {
    let image = image();
    let mut ours = run(plugin(&["install", "--export", "--image", &image]).args(args));
    for object in ours.values_mut() {
        // What was chosen is kept for the next installation, which the others have no need of.
        let Some(metadata) = object["metadata"].as_object_mut() else { continue };
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.remove("kubectl-edge.dev/settings");
            if annotations.is_empty() {
                metadata.remove("annotations");
            }
        }
    }
    same("kustomize", &ours, &kustomize(components));
    same("chart", &ours, &chart(values));
}

#[test]
fn they_agree() {
    check(&[], &[], &[]);
    check(&["--ha"], &["ha"], &["ha=true"]);
    check(
        &["--ha", "--host-network", "--replace-default"],
        &["ha", "host-network", "replace-default"],
        &["ha=true", "hostNetwork=true", "profiles={edge-scheduler,default-scheduler}"],
    );
}

#[test]
fn the_dashboard_shows_metrics_that_there_are() {
    let dashboard = fs::read_to_string(deploy().join("grafana/edge-scheduler.json")).unwrap();
    let documented = fs::read_to_string(deploy().join("../docs/metrics.md")).unwrap();
    let dashboard: Value = serde_json::from_str(&dashboard).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().unwrap());
    let mut metrics = 0;
    for query in targets.map(|target| target["expr"].as_str().unwrap()) {
        let is_name = |it: char| it.is_ascii_alphanumeric() || it == '_';
        let words = query.split(|it: char| !is_name(it));
        let prefixes = ["scheduler_", "edge_scheduler_", "rest_client_", "leader_election_"];
        for name in words.filter(|word| prefixes.iter().any(|prefix| word.starts_with(prefix))) {
            metrics += 1;
            assert!(
                documented.contains(name.trim_end_matches("_bucket")),
                "{name} is not in docs/metrics.md"
            );
        }
    }
    assert!(metrics > 10, "{metrics}");
}

#[test]
fn what_is_embedded_is_what_kustomize_applies() {
    let text = fs::read_to_string(deploy().join("base/kustomization.yaml")).unwrap();
    let kustomization: Value = serde_yaml::from_str(&text).unwrap();
    let listed = kustomization["resources"].as_array().unwrap();
    let files = fs::read_dir(deploy().join("base")).unwrap();
    let yaml = files.filter(|it| it.as_ref().unwrap().path().extension().is_some_and(|it| it == "yaml"));
    assert_eq!(yaml.count(), listed.len() + 1, "a file of deploy/base is not in its kustomization");
}

#[test]
fn an_image_can_be_chosen() {
    let image_of = |objects: &BTreeMap<String, Value>| {
        let key = "\"DaemonSet\" \"edge-system\" \"edge-probe\"";
        objects[key]["spec"]["template"]["spec"]["containers"][0]["image"].clone()
    };
    assert_eq!(image_of(&chart(&["image=r.example.org/e:1"])), "r.example.org/e:1");
    let ours = run(&mut plugin(&["install", "--export", "--image", "r.example.org/e:1"]));
    assert_eq!(image_of(&ours), "r.example.org/e:1");
}
