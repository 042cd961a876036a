//! Arguments of plugins.

use std::time::Duration;

use edge_core::delay::{DelayRules, DelaySource, Statistic};
use edge_core::model::Delay;
use edge_core::placement::FailoverRule;

use super::*;
use crate::{FileSource, GoldpingerSource};

#[test]
fn upstreams_arguments_are_checked_as_upstream_does() {
    for (plugin, args, expected) in [
        (
            "DefaultPreemption",
            "minCandidateNodesPercentage: 101",
            "@.minCandidateNodesPercentage: Invalid value: 101: not in valid range [0, 100]",
        ),
        (
            "DefaultPreemption",
            "minCandidateNodesAbsolute: -1",
            "@.minCandidateNodesAbsolute: Invalid value: -1: not in valid range [0, inf)",
        ),
        (
            "DefaultPreemption",
            "minCandidateNodesPercentage: 0, minCandidateNodesAbsolute: 0",
            "[@.minCandidateNodesPercentage: Invalid value: 0: cannot be zero at the same time as minCandidateNodesAbsolute, \
             @.minCandidateNodesAbsolute: Invalid value: 0: cannot be zero at the same time as minCandidateNodesPercentage]",
        ),
        (
            "InterPodAffinity",
            "hardPodAffinityWeight: 101",
            "@.hardPodAffinityWeight: Invalid value: 101: not in valid range [0, 100]",
        ),
        (
            "PodTopologySpread",
            "defaultingType: None",
            "@.defaultingType: Unsupported value: \"None\": supported values: \"List\", \"System\"",
        ),
        (
            "PodTopologySpread",
            "defaultingType: List, defaultConstraints: [{labelSelector: {}}]",
            "[@.defaultConstraints[0].maxSkew: Invalid value: 0: not in valid range (0, inf), \
             @.defaultConstraints[0].topologyKey: Required value: can not be empty, \
             @.defaultConstraints[0].whenUnsatisfiable: Required value: can not be empty, \
             @.defaultConstraints[0].labelSelector: Forbidden: constraint must not define a selector, as they deduced for each pod]",
        ),
        (
            "VolumeBinding",
            "bindTimeoutSeconds: -1",
            "@.bindTimeoutSeconds: Invalid value: -1: invalid BindTimeoutSeconds, should not be a negative value",
        ),
        (
            "DynamicResources",
            "bindingTimeout: 1ms",
            "@.bindingTimeout: Invalid value: \"1ms\": must be at least 1 second",
        ),
    ] {
        check_args(plugin, args, expected);
    }
}

#[test]
fn resources_and_curves_are_checked_as_upstream_does() {
    let shape =
        "requestedToCapacityRatio: {shape: [{utilization: 50, score: 11}, {utilization: 50, score: 0}]}";
    for (plugin, args, expected) in [
        (
            "NodeResourcesFit",
            "scoringStrategy: {type: Best}",
            "@.scoringStrategy.type: Unsupported value: \"Best\": supported values: \"LeastAllocated\", \"MostAllocated\", \"RequestedToCapacityRatio\"",
        ),
        (
            "NodeResourcesFit",
            "scoringStrategy: {type: MostAllocated, resources: [{name: cpu, weight: 101}]}",
            "@.scoringStrategy.resources[0].weight: Invalid value: 101: resource weight of cpu not in valid range (0, 100]",
        ),
        (
            "NodeResourcesFit",
            "scoringStrategy: {type: RequestedToCapacityRatio}",
            "@.scoringStrategy.requestedToCapacityRatio: Required value: must be specified when type is RequestedToCapacityRatio",
        ),
        (
            "NodeResourcesFit",
            "ignoredResourceGroups: [a/b]",
            "@.ignoredResourceGroups[0]: Invalid value: \"a/b\": resource group name can't contain '/'",
        ),
        (
            "NodeResourcesBalancedAllocation",
            "resources: [{name: cpu, weight: 2}]",
            "@.resources[0].weight: Invalid value: 2: must be 1",
        ),
    ] {
        check_args(plugin, args, expected);
    }
    check_args(
        "NodeResourcesFit",
        &format!("scoringStrategy: {{type: RequestedToCapacityRatio, {shape}}}"),
        "[@.scoringStrategy.requestedToCapacityRatio.shape[1].utilization: Invalid value: 50: values must be sorted in \
         increasing order, @.scoringStrategy.requestedToCapacityRatio.shape[0].score: Invalid value: 11: not in valid \
         range [0, 10]]",
    );
}

#[test]
fn arguments_belong_to_a_plugin_that_has_some() {
    check_profile(
        "pluginConfig: [{name: NodeAffinity}, {name: NodeAffinity}]",
        "profiles[0].pluginConfig[1]: Duplicate value: \"NodeAffinity\"",
    );
    let said = read("profiles: [{pluginConfig: [{name: NodeName}]}]").unwrap_err().to_string();
    assert!(said.starts_with("profiles[0].pluginConfig[0].name: Unsupported value: \"NodeName\""), "{said}");
    check_args(
        "NodeAffinity",
        "kind: NodeResourcesFitArgs",
        "strict decoding error: @: args for plugin NodeAffinity were not of type NodeAffinityArgs, got \
         String(\"NodeResourcesFitArgs\")",
    );
}

#[test]
fn affinity_that_is_added_has_to_be_readable() {
    let required = |requirement: &str| {
        format!(
            "addedAffinity: {{requiredDuringSchedulingIgnoredDuringExecution: {{nodeSelectorTerms: [{{matchExpressions: [{requirement}]}}]}}}}"
        )
    };
    let path = "@.addedAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0]";
    check_args(
        "NodeAffinity",
        &required("{key: a, operator: Near}"),
        &format!(
            "{path}.matchExpressions[0].operator: Unsupported value: \"Near\": supported values: \"In\", \"NotIn\", \"Exists\", \"DoesNotExist\", \"Gt\", \"Lt\""
        ),
    );
    let said = read(&format!(
        "profiles: [{{pluginConfig: [{{name: NodeAffinity, args: {{{}}}}}]}}]",
        required("{key: a, operator: In}")
    ));
    let said = said.unwrap_err().to_string();
    assert!(said.starts_with(&path.replace('@', "profiles[0].pluginConfig[0].args")), "{said}");
    let good = required("{key: a, operator: Exists}");
    accepted(&format!("profiles: [{{pluginConfig: [{{name: NodeAffinity, args: {{{good}}}}}]}}]"));
}

#[test]
fn our_plugins_take_arguments_in_the_same_way() {
    check_args(
        "CloudOffload",
        "mode: Sometimes",
        "@.mode: Unsupported value: \"Sometimes\": supported values: \"Preferred\", \"Required\", \"Disabled\"",
    );
    check_args("VMICapacity", "maxVMICount: 0", "@.maxVMICount: Invalid value: 0: must be greater than 0");
    check_args(
        "VMICapacity",
        "nodeLabels: {a: b/c}",
        "@.nodeLabels.a: Invalid value: \"b/c\": must be the value of a label",
    );
    check_args(
        "NetworkDelay",
        "sources: [{probe: {}}, {probe: {}}]",
        "@.sources[1]: Forbidden: a source may stand once",
    );
    check_args(
        "NetworkDelay",
        "statistic: p99, staleAfter: 0s, hysteresis: 0.1%, anchorGrace: -1s",
        "[@.statistic: Unsupported value: \"p99\": supported values: \"min\", \"p50\", \"p95\", \
         @.staleAfter: Invalid value: \"0s\": must be greater than 0, \
         @.hysteresis: Invalid value: \"0.1%\": must be a whole percentage from 0% to 100%, such as \"10%\", \
         @.anchorGrace: Invalid value: \"-1s\": must be zero or positive]",
    );
    check_args(
        "NetworkDelay",
        "layers: {initial: [10, -1, 10.0]}",
        "[@.layers.initial[1]: Invalid value: -1.0: is negative, @.layers.initial[2]: Duplicate value: 10.0]",
    );
    check_args(
        "NetworkDelay",
        "sources: [{}, {probe: {}, file: {delayMatrix: /m}}, {goldpinger: {selector: '', port: 0, interval: 5ms, timeout: 0s}}]",
        "[@.sources[0]: Required value: one of `probe`, `goldpinger`, `file`, \
         @.sources[1]: Forbidden: it is one source; write each as an element of its own, \
         @.sources[1].file.metadata: Required value: the path of a file, \
         @.sources[2].goldpinger.selector: Invalid value: \"\": would be all pods; give the labels of Goldpinger's, \
         @.sources[2].goldpinger.port: Invalid value: 0: must be between 1 and 65535, \
         @.sources[2].goldpinger.interval: Invalid value: \"5ms\": must be at least 1s, \
         @.sources[2].goldpinger.timeout: Invalid value: \"0s\": must be greater than 0]",
    );
    let config = accepted(
        "profiles: [{pluginConfig: [{name: NetworkDelay, args: {sources: [{goldpinger: {namespace: monitoring, selector: app=goldpinger}}]}}]}]",
    );
    let goldpinger = GoldpingerSource {
        namespace: "monitoring".to_owned(),
        selector: "app=goldpinger".to_owned(),
        port: 8080,
        every: Duration::from_secs(30),
        timeout: Duration::from_secs(6),
    };
    assert_eq!(config.delays(), [Source::Goldpinger(goldpinger)]);
    let config = accepted(
        "profiles: [{pluginConfig: [{name: NetworkDelay, args: {sources: [{probe: {}}, {file: {delayMatrix: /m, metadata: /d}}]}}]}]",
    );
    let file = FileSource { matrix: "/m".into(), metadata: "/d".into() };
    assert_eq!(config.delays(), [Source::Probe, Source::File(file)]);
    assert_eq!(config.delay_rules().sources, [DelaySource::Probe, DelaySource::File]);
}

#[test]
fn what_is_made_of_delays_is_the_same_for_all_profiles() {
    let with = |args: &str| format!("pluginConfig: [{{name: NetworkDelay, args: {{{args}}}}}]");
    let twenty = with(
        "hysteresis: 20%, statistic: p50, staleAfter: 1m, anchorGrace: 0s, layers: {initial: [50, 2.5]}",
    );
    let config = accepted(&format!("profiles: [{{schedulerName: a, {twenty}}}, {{schedulerName: b}}]"));
    let expected = DelayRules {
        hysteresis: "20%".parse().unwrap(),
        statistic: Statistic::P50,
        stale_after: Some(Duration::from_mins(1)),
        anchor_grace: Some(Duration::ZERO),
        layers: vec![Delay::from_micros(50_000).unwrap(), Delay::from_micros(2_500).unwrap()],
        ..DelayRules::default()
    };
    assert_eq!(config.delay_rules(), expected);
    let other = with("hysteresis: 5%");
    check(
        &format!("profiles: [{{schedulerName: a, {twenty}}}, {{schedulerName: b, {other}}}]"),
        "profiles[1].pluginConfig: Forbidden: arguments of NetworkDelay must be the same for all profiles",
    );
}

#[test]
fn backups_are_for_those_that_ask_but_in_our_own_profiles() {
    #[track_caller]
    fn check_mode(profile: &str, mode: &str) {
        let config = accepted(&format!("profiles: [{{{profile}}}]"));
        let found = args(&config, "BackupReservation");
        assert_eq!((&found["mode"], &found["policy"]), (&mode.into(), &"BestEffort".into()), "{profile}");
    }
    for profile in ["edge-scheduler", "custom-scheduler"] {
        check_mode(&format!("schedulerName: {profile}"), "Pods");
    }
    for profile in ["contrail-scheduler", "default-scheduler", "own"] {
        check_mode(&format!("schedulerName: {profile}"), "OnRequest");
    }
    let enabled = "plugins: {multiPoint: {enabled: [{name: BackupReservation}]}}";
    check_mode(&format!("schedulerName: own, {enabled}"), "Pods");
    check_args(
        "BackupReservation",
        "mode: On, policy: Some, image: ''",
        "[@.mode: Unsupported value: \"On\": supported values: \"Off\", \"OnRequest\", \"Pods\", \
         @.policy: Unsupported value: \"Some\": supported values: \"BestEffort\", \"Required\", \
         @.image: Invalid value: \"\": give an image, or leave it out]",
    );
    check_args(
        "BackupReservation",
        "moves: {reoptimize: All, perMinute: 0, dwell: -1s}",
        "[@.moves.reoptimize: Unsupported value: \"All\": supported values: \"Off\", \"Backups\", \"Pods\", \
         @.moves.perMinute: Invalid value: 0: must be greater than 0; to move no pods, switch off what they are moved for, \
         @.moves.dwell: Invalid value: \"-1s\": must be zero or positive]",
    );
}

#[test]
fn pods_are_moved_in_our_own_profiles_unless_these_say_otherwise() {
    #[track_caller]
    fn check(profile: &str, expected: &serde_json::Value) {
        let config = accepted(&format!("profiles: [{{{profile}}}]"));
        assert_eq!(args(&config, "BackupReservation")["moves"], *expected, "{profile}");
    }
    let moves = |on: bool, reoptimize: &str, per_minute: u32, dwell: &str| {
        serde_json::json!({
            "keepPromise": on, "makeRoom": on, "reoptimize": reoptimize, "perMinute": per_minute, "dwell": dwell,
        })
    };
    check("schedulerName: edge-scheduler", &moves(true, "Pods", 6, "2m0s"));
    check("schedulerName: own", &moves(false, "Off", 6, "2m0s"));
    let args = "moves: {keepPromise: true, makeRoom: true, reoptimize: Backups, perMinute: 2, dwell: 30s}";
    let own = format!("schedulerName: own, pluginConfig: [{{name: BackupReservation, args: {{{args}}}}}]");
    check(&own, &moves(true, "Backups", 2, "30s"));
}

#[test]
fn failover_is_on_until_it_is_switched_off() {
    #[track_caller]
    fn check_rule(given: &str, is_on: bool, is_fast: bool) {
        let given = format!("pluginConfig: [{{name: BackupReservation, args: {{{given}}}}}]");
        let config = accepted(&format!("profiles: [{{schedulerName: own, {given}}}]"));
        let rule = config.profiles().unwrap()[0].backup_rule().unwrap();
        assert_eq!(rule.failover, FailoverRule { is_on, is_fast }, "{given}");
    }
    check_rule("", true, true);
    check_rule("failover: {enabled: false}", false, true);
    check_rule("failover: {fast: false}", true, false);
}

#[test]
fn what_ours_do_by_default_depends_on_the_profile() {
    #[track_caller]
    fn check(profile: &str, offload: &str, vmis: &str) {
        let config = accepted(&format!("profiles: [{{{profile}}}]"));
        assert_eq!(args(&config, "CloudOffload")["mode"], offload, "{profile}");
        assert_eq!(args(&config, "VMICapacity")["mode"], vmis, "{profile}");
    }
    check("schedulerName: edge-scheduler", "Preferred", "Limited");
    check("schedulerName: custom-scheduler", "Required", "Limited");
    check("schedulerName: contrail-scheduler", "Disabled", "Required");
    check("schedulerName: default-scheduler", "Disabled", "OnRequest");
    check("schedulerName: own", "Disabled", "OnRequest");
    // Who enables a plugin by its name wants it to do something.
    check(
        "schedulerName: own, plugins: {multiPoint: {enabled: [{name: VMICapacity}, {name: CloudOffload}]}}",
        "Preferred",
        "Required",
    );
    check("schedulerName: own, plugins: {score: {enabled: [{name: VMICapacity}]}}", "Disabled", "Required");
    check(
        "schedulerName: own, pluginConfig: [{name: VMICapacity, args: {maxVMICount: 9}}]",
        "Disabled",
        "OnRequest",
    );
}
