//! Configurations given to kube-scheduler and to us: both complete them to the same, or refuse them in the same words.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use serde_json::{Value, json};

/// Plugins that kube-scheduler has none of.
const NOT_COMPARED: [&str; 4] = ["BackupReservation", "NetworkDelay", "CloudOffload", "VMICapacity"];

const OURS: &str = env!("CARGO_BIN_EXE_edge-scheduler");
static KUBE_SCHEDULER: LazyLock<PathBuf> = LazyLock::new(|| {
    let built = controlplane::build_all().unwrap();
    built.into_iter().find(|path| path.ends_with("kube-scheduler")).unwrap()
});

/// What a scheduler makes of a configuration: complete, or refused in these words.
fn completed(program: &Path, config: &str) -> Result<Value, String> {
    let folder = tempfile::tempdir().unwrap();
    let [given, written] = ["config.yaml", "written.yaml"].map(|name| folder.path().join(name));
    std::fs::write(&given, config).unwrap();
    let output = Command::new(program)
        .arg(format!("--config={}", given.display()))
        .arg(format!("--write-config-to={}", written.display()))
        // kube-scheduler listens before it looks at its configuration, and these run side by side.
        .args(["--master=http://127.0.0.1:1", "--logging-format=json", "--secure-port=0"])
        .output()
        .unwrap();
    if output.status.success() {
        let text = std::fs::read_to_string(written).unwrap();
        return Ok(without_ours(serde_yaml::from_str(&text).unwrap()));
    }
    Err(String::from_utf8(output.stderr).unwrap())
}

/// The configuration without what can't be the same.
fn without_ours(mut config: Value) -> Value {
    let election = config["leaderElection"].as_object_mut().unwrap();
    election.retain(|field, _| !["resourceName", "resourceNamespace"].contains(&field.as_str()));
    let is_compared = |it: &Value| !NOT_COMPARED.iter().any(|name| it["name"] == *name);
    for profile in config["profiles"].as_array_mut().unwrap() {
        let mut arguments = profile["pluginConfig"].as_array().cloned().unwrap_or_default();
        arguments.retain(is_compared);
        profile["pluginConfig"] = arguments.into();
        for (_, set) in profile["plugins"].as_object_mut().unwrap() {
            let lists = set.as_object_mut().unwrap().values_mut();
            lists.for_each(|list| list.as_array_mut().unwrap().retain(is_compared));
        }
    }
    // kube-scheduler writes whole numbers as such.
    let connection = &mut config["clientConnection"];
    connection["qps"] = json!(connection["qps"].as_f64());
    config
}

/// What kube-scheduler says last.
fn last_error(log: &str) -> String {
    let lines: Vec<Value> = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let error = lines.iter().rev().find_map(|line| line["err"].as_str());
    error.unwrap_or_else(|| panic!("no error in {log}")).to_owned()
}

fn document(fields: &str) -> String {
    let connection =
        if fields.contains("clientConnection") { "" } else { "clientConnection: {kubeconfig: /dev/null}" };
    format!(
        "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n{connection}\n{fields}\n"
    )
}

/// How both complete a configuration with these fields, if not to the same.
fn completed_differently(fields: &str) -> Option<String> {
    let yaml = |made: Result<Value, String>| match made {
        Ok(config) => serde_yaml::to_string(&config).unwrap(),
        Err(log) => log,
    };
    let theirs = yaml(completed(&KUBE_SCHEDULER, &document(fields)));
    let ours = yaml(completed(Path::new(OURS), &document(fields)));
    (ours != theirs).then(|| format!("{fields}\n--- ours\n{ours}\n--- theirs\n{theirs}"))
}

/// In which words both refuse a configuration with these fields, if not in the same.
fn refused_differently(fields: &str) -> Option<String> {
    let theirs = completed(&KUBE_SCHEDULER, &document(fields)).map_err(|log| last_error(&log));
    let ours = completed(Path::new(OURS), &document(fields)).map_err(|log| {
        let line: Value = serde_json::from_str(log.lines().last().unwrap()).unwrap();
        let message = line["fields"]["message"].as_str().unwrap().to_owned();
        message.split_once("config.yaml: ").map_or(message.clone(), |(_, said)| said.to_owned())
    });
    (ours.is_ok() || ours != theirs).then(|| format!("{fields}\n  ours:   {ours:?}\n  theirs: {theirs:?}"))
}

/// All configurations that `differs` finds different.
#[track_caller]
fn check(differs: fn(&str) -> Option<String>, configurations: &[&str]) {
    let differences: Vec<String> = configurations.iter().filter_map(|fields| differs(fields)).collect();
    assert!(differences.is_empty(), "{}", differences.join("\n\n"));
}

#[test]
fn configurations_are_completed_as_kube_scheduler_does() {
    let configurations = [
        "",
        "parallelism: 3\npercentageOfNodesToScore: 40\npodMaxBackoffSeconds: 60\nenableProfiling: false",
        "leaderElection: {leaderElect: false, leaseDuration: 1m30s, retryPeriod: 0s}",
        "clientConnection: {kubeconfig: /dev/null, qps: 12.5, burst: 7, contentType: application/json}",
        "delayCacheUntilActive: true\nprofiles: [{schedulerName: a}, {schedulerName: b, percentageOfNodesToScore: 9}]",
        "profiles: [{plugins: {multiPoint: {disabled: [{name: '*'}], enabled: [{name: PrioritySort}, {name: DefaultBinder}]}}}]",
        "profiles: [{plugins: {multiPoint: {enabled: [{name: TaintToleration, weight: 9}, {name: NodeName}]}}}]",
        "profiles: [{plugins: {score: {disabled: [{name: NodeAffinity}], enabled: [{name: ImageLocality, weight: 5}]}}}]",
        "profiles: [{plugins: {filter: {disabled: [{name: '*'}], enabled: [{name: NodePorts}]}}}]",
        "profiles: [{pluginConfig: [{name: NodeResourcesFit, args: {scoringStrategy: {type: MostAllocated, resources: [{name: cpu}, {name: example.com/gpu, weight: 5}]}}}]}]",
        "profiles: [{pluginConfig: [{name: NodeResourcesFit, args: {ignoredResources: [example.com/a], scoringStrategy: {type: RequestedToCapacityRatio, requestedToCapacityRatio: {shape: [{utilization: 0, score: 0}, {utilization: 100, score: 10}]}}}}]}]",
        "profiles: [{pluginConfig: [{name: VolumeBinding, args: {bindTimeoutSeconds: 30}}, {name: DynamicResources, args: {filterTimeout: 0s}}]}]",
        "profiles: [{pluginConfig: [{name: NodeResourcesBalancedAllocation, args: {resources: [{name: memory}]}}]}]",
        "profiles: [{pluginConfig: [{name: PodTopologySpread, args: {defaultingType: List, defaultConstraints: [{maxSkew: 2, topologyKey: zone, whenUnsatisfiable: DoNotSchedule}]}}, {name: InterPodAffinity, args: {hardPodAffinityWeight: 0}}]}]",
    ];
    check(completed_differently, &configurations);
}

#[test]
fn what_can_not_be_is_refused_in_kube_schedulers_words() {
    let configurations = [
        "parallelism: 0",
        "paralelism: 2",
        "percentageOfNodesToScore: 101",
        "clientConnection: {kubeconfig: /dev/null, burst: -1}",
        "podInitialBackoffSeconds: 0",
        "podMaxBackoffSeconds: 0",
        "leaderElection: {leaseDuration: 5s, retryPeriod: -1s, resourceLock: endpoints}",
        "leaderElection: {name: x, leaderElect: true}\nprofiles: [{plugins: {filter: {enabled: [{name: a, wait: 1}]}}}]",
        "profiles: [{}, {schedulerName: a}]",
        "profiles: [{percentageOfNodesToScore: -1}]",
        "profiles: [{plugins: {multiPoint: {enabled: [{name: Own}]}}}]",
        "profiles: [{plugins: {score: {enabled: [{name: Own}]}}}]",
        "profiles: [{plugins: {filter: {enabled: [{name: ImageLocality}]}}}]",
        "profiles: [{plugins: {filter: {enabled: [{name: NodeName}, {name: NodeName}]}}}]",
        "profiles: [{plugins: {multiPoint: {enabled: [{name: NodeName}, {name: NodeName}]}}}]",
        "profiles: [{plugins: {queueSort: {disabled: [{name: '*'}]}}}]",
        "profiles: [{plugins: {bind: {disabled: [{name: '*'}]}}}]",
        "profiles: [{plugins: {filter: {enabled: [{name: EBSLimits}]}}}]",
        "profiles: [{plugins: {queueSort: {enabled: [{name: PrioritySort}, {name: PrioritySort}]}}}]",
        "profiles: [{pluginConfig: [{name: NodeAffinity}, {name: NodeAffinity}]}]",
        "profiles: [{pluginConfig: [{name: DefaultPreemption, args: {minCandidateNodesPercentage: 0, minCandidateNodesAbsolute: 0}}]}]",
        "profiles: [{pluginConfig: [{name: InterPodAffinity, args: {hardPodAffinityWeight: 101}}]}]",
        "profiles: [{pluginConfig: [{name: NodeResourcesBalancedAllocation, args: {resources: [{name: cpu, weight: 2}, {name: cpu}]}}]}]",
        "profiles: [{pluginConfig: [{name: PodTopologySpread, args: {defaultingType: List, defaultConstraints: [{labelSelector: {}}]}}]}]",
        "profiles: [{pluginConfig: [{name: PodTopologySpread, args: {defaultConstraints: [{maxSkew: 1, topologyKey: 'a b', whenUnsatisfiable: Never}]}}]}]",
        "profiles: [{pluginConfig: [{name: VolumeBinding, args: {bindTimeoutSeconds: -1}}]}]",
        "profiles: [{pluginConfig: [{name: DynamicResources, args: {bindingTimeout: 1ms}}]}]",
        "profiles: [{pluginConfig: [{name: NodeAffinity, args: {addedAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: a, operator: Near}]}]}}}}]}]",
    ];
    check(refused_differently, &configurations);
}
