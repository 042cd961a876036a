//! Configurations, good and bad.

mod args;
mod decisions;

use edge_core::placement::Point;

use super::*;

const V1BETA3: &str = "kubescheduler.config.k8s.io/v1beta3";

/// A configuration of `v1` with these fields.
fn read(fields: &str) -> Result<Configuration, ConfigError> {
    read_version(V1, fields)
}

fn read_version(version: &str, fields: &str) -> Result<Configuration, ConfigError> {
    let config = Configuration::read(&format!("apiVersion: {version}\nkind: {KIND}\n{fields}"))?;
    config.validate()?;
    config.profiles()?;
    Ok(config)
}

fn accepted(fields: &str) -> Configuration {
    read(fields).unwrap_or_else(|error| panic!("{fields}: {error}"))
}

/// What is said of a configuration with these fields.
#[track_caller]
fn check(fields: &str, expected: &str) {
    match read(fields) {
        Ok(_) => panic!("{fields}: accepted"),
        Err(error) => assert_eq!(error.to_string(), expected, "{fields}"),
    }
}

/// The same, of one profile with these fields.
#[track_caller]
fn check_profile(fields: &str, expected: &str) {
    check(&format!("profiles: [{{schedulerName: a, {fields}}}]"), expected);
}

/// The same, of arguments of a plugin; what is said begins with the path of the arguments.
#[track_caller]
fn check_args(plugin: &str, args: &str, expected: &str) {
    let fields = format!("pluginConfig: [{{name: {plugin}, args: {{{args}}}}}]");
    let expected = expected.replace('@', "profiles[0].pluginConfig[0].args");
    check_profile(&fields, &expected);
}

/// The plugins at an extension point of the first profile, with their weights.
fn plugins(config: &Configuration, point: Point) -> String {
    let profile = config.profiles().unwrap().remove(0);
    let plugins = profile.at(point).iter().map(|it| format!("{}:{}", it.plugin.name(), it.weight));
    plugins.collect::<Vec<_>>().join(" ")
}

/// A value of the complete configuration, by its JSON pointer.
#[track_caller]
fn check_value(config: &Configuration, pointer: &str, expected: &str) {
    let json = config.to_json();
    let value = json.pointer(pointer).unwrap_or_else(|| panic!("no {pointer} in {json}"));
    assert_eq!(value.to_string(), expected, "{pointer}");
}

/// The arguments of a plugin in the first profile.
fn args(config: &Configuration, plugin: &str) -> serde_json::Value {
    let json = config.to_json();
    let list = json["profiles"][0]["pluginConfig"].as_array().unwrap();
    list.iter().find(|it| it["name"] == plugin).map(|it| it["args"].clone()).unwrap_or_default()
}

fn contrail() -> Configuration {
    Configuration::read(include_str!("../fixtures/contrail-scheduler.yaml")).unwrap()
}

#[test]
fn what_is_absent_is_what_it_is_by_default() {
    let config = accepted("");
    for (pointer, expected) in [
        ("/parallelism", "16"),
        ("/percentageOfNodesToScore", "0"),
        ("/podInitialBackoffSeconds", "1"),
        ("/podMaxBackoffSeconds", "10"),
        ("/enableProfiling", "true"),
        ("/enableContentionProfiling", "true"),
        ("/clientConnection/qps", "50.0"),
        ("/clientConnection/burst", "100"),
        ("/clientConnection/contentType", "\"application/vnd.kubernetes.protobuf\""),
        ("/leaderElection/leaderElect", "true"),
        ("/leaderElection/leaseDuration", "\"15s\""),
        ("/leaderElection/resourceLock", "\"leases\""),
        ("/profiles/0/schedulerName", "\"default-scheduler\""),
    ] {
        check_value(&config, pointer, expected);
    }
    let zeros = "clientConnection: {qps: 0, burst: 0, contentType: ''}\nenableProfiling: false\n\
                 leaderElection: {leaseDuration: 0s, resourceLock: '', leaderElect: null}";
    let config = accepted(zeros);
    check_value(&config, "/clientConnection/qps", "50.0");
    check_value(&config, "/leaderElection/leaseDuration", "\"15s\"");
    check_value(&config, "/leaderElection/leaderElect", "true");
    check_value(&config, "/enableContentionProfiling", "false");
}

#[test]
fn what_is_written_is_read_as_the_same() {
    for config in [accepted(""), Configuration::bare(), contrail()] {
        let written = config.to_yaml();
        let read = Configuration::read(&written).unwrap();
        read.validate().unwrap();
        assert_eq!(read.to_yaml(), written);
    }
}

#[test]
fn a_field_that_does_not_exist_is_named() {
    check("parallelism: 16\nparalelism: 2", "strict decoding error: unknown field \"paralelism\"");
    check_profile("plugin: {}", "strict decoding error: unknown field \"profiles[0].plugin\"");
    check(
        "leaderElection: {leaderelect: true, name: x}\nprofiles: [{plugins: {filter: {enabled: [{nam: a}]}}}]",
        "strict decoding error: unknown field \"leaderElection.leaderelect\", unknown field \
         \"leaderElection.name\", unknown field \"profiles[0].plugins.filter.enabled[0].nam\"",
    );
    check_args(
        "NodeResourcesFit",
        "strategy: x, scoringStrategy: {typ: y}",
        "strict decoding error: unknown field \"@.strategy\", unknown field \"@.scoringStrategy.typ\"",
    );
    check_args(
        "NodeAffinity",
        "addedAffinity: {requiredDuringScheduling: {}}",
        "strict decoding error: unknown field \"@.addedAffinity.requiredDuringScheduling\"",
    );
}

#[test]
fn a_field_of_another_kind_is_named() {
    check(
        "parallelism: many",
        "strict decoding error: parallelism: invalid type: string \"many\", expected i32",
    );
    check(
        "leaderElection: {leaseDuration: 15}",
        "strict decoding error: leaderElection.leaseDuration: invalid type: integer `15`, expected a string",
    );
    check(
        "leaderElection: {leaseDuration: 15x}",
        "strict decoding error: leaderElection.leaseDuration: \"15x\" is no duration such as 15s, 1m30s or 500ms",
    );
}

#[test]
fn a_field_given_twice_is_named() {
    let said = read("parallelism: 1\nparallelism: 2").unwrap_err().to_string();
    assert!(said.starts_with("strict decoding error: duplicate entry with key \"parallelism\""), "{said}");
    let said = read("profiles: [{schedulerName: a, schedulerName: b}]").unwrap_err().to_string();
    assert!(said.contains("profiles[0]") && said.contains("\"schedulerName\""), "{said}");
}

#[test]
fn a_document_says_what_it_is() {
    #[track_caller]
    fn check(document: &str, expected: &str) {
        assert_eq!(Configuration::read(document).unwrap_err().to_string(), expected);
    }
    let known = "there is KubeSchedulerConfiguration of kubescheduler.config.k8s.io/v1 and \
                 kubescheduler.config.k8s.io/v1beta3";
    check("", "Object 'Kind' is missing in a document that is no object");
    check("profiles: []", "Object 'Kind' is missing in an object with the fields [profiles]");
    check(
        "kind: KubeSchedulerConfiguration",
        "Object 'apiVersion' is missing in an object with the fields [kind]",
    );
    check(
        "apiVersion: kubescheduler.config.k8s.io/v1beta2\nkind: KubeSchedulerConfiguration",
        &format!(
            "no kind \"KubeSchedulerConfiguration\" is registered for version \
             \"kubescheduler.config.k8s.io/v1beta2\"; {known}"
        ),
    );
    check("apiVersion: v1\nkind: Pod", &format!("no kind \"Pod\" is registered for version \"v1\"; {known}"));
}

#[test]
fn values_that_can_not_be_are_refused_with_their_path() {
    let positive = "should be an integer value greater than zero";
    check("parallelism: 0", &format!("parallelism: Invalid value: 0: {positive}"));
    check(
        "percentageOfNodesToScore: 101",
        "percentageOfNodesToScore: Invalid value: 101: not in valid range [0-100]",
    );
    check("clientConnection: {burst: -1}", "clientConnection.burst: Invalid value: -1: must be non-negative");
    check(
        "podInitialBackoffSeconds: 0",
        "podInitialBackoffSeconds: Invalid value: 0: must be greater than 0",
    );
    check(
        "podMaxBackoffSeconds: 0",
        "podMaxBackoffSeconds: Invalid value: 0: must be greater than or equal to PodInitialBackoffSeconds",
    );
    check(
        "leaderElection: {leaseDuration: 5s, retryPeriod: -1s, resourceLock: endpoints}",
        "[leaderElection.retryPeriod: Invalid value: \"-1s\": must be greater than zero, \
         leaderElection.leaseDuration: Invalid value: \"10s\": must be greater than `RenewDeadline`, \
         leaderElection.resourceLock: Invalid value: \"endpoints\": resourceLock value must be \"leases\"]",
    );
    accepted("leaderElection: {leaderElect: false, leaseDuration: 5s}");
    check(
        "extenders: [{urlPrefix: http://a}]",
        "extenders: Forbidden: extenders are not supported; what an extender does has to be a plugin of a profile",
    );
}

#[test]
fn profiles_have_names_of_their_own() {
    check("profiles: [{}, {schedulerName: a}]", "profiles[0].schedulerName: Required value");
    check(
        "profiles: [{schedulerName: a}, {schedulerName: a}]",
        "profiles[1].schedulerName: Duplicate value: \"profiles[0].schedulerName\"",
    );
    check_profile(
        "percentageOfNodesToScore: -1",
        "profiles[0].percentageOfNodesToScore: Invalid value: -1: not in valid range [0-100]",
    );
}

#[test]
fn plugins_are_set_up_as_upstream_does() {
    let none =
        "multiPoint: {disabled: [{name: '*'}], enabled: [{name: PrioritySort}, {name: DefaultBinder}]}";
    let config = accepted(&format!(
        "profiles: [{{plugins: {{{none}, score: {{enabled: [{{name: NodeAffinity, weight: 7}}, {{name: ImageLocality}}]}}}}}}]"
    ));
    assert_eq!(plugins(&config, Point::Score), "NodeAffinity:7 ImageLocality:1");
    assert_eq!(plugins(&config, Point::Filter), "");
    let profiles = "initializing profiles: creating profile for scheduler name a: ";
    for (said, expected) in [
        ("plugins: {filter: {enabled: [{name: Own}]}}", r#"FilterPlugin "Own" does not exist"#),
        (
            "plugins: {filter: {enabled: [{name: ImageLocality}]}}",
            r#"plugin "ImageLocality" does not extend FilterPlugin plugin"#,
        ),
        (
            "plugins: {queueSort: {disabled: [{name: '*'}]}}",
            r#"only one queue sort plugin required for profile with scheduler name "a", but got 0"#,
        ),
    ] {
        check_profile(said, &format!("{profiles}{expected}"));
    }
}

#[test]
fn the_configuration_of_the_contrail_scheduler_is_accepted() {
    let config = contrail();
    config.validate().unwrap();
    let args = args(&config, "VMICapacity");
    assert_eq!((&args["mode"], &args["maxVMICount"]), (&"Required".into(), &32.into()));
    let vmis = "VMICapacity:1";
    assert!(plugins(&config, Point::Filter).contains(vmis) && plugins(&config, Point::Score).contains(vmis));
    assert!(!config.leader_election.leader_elect);
}

#[test]
fn plugins_that_v1_removed_are_passed_over_before_it() {
    let limits = "profiles: [{schedulerName: a, plugins: {filter: {enabled: [{name: EBSLimits}]}}}]";
    read_version(V1BETA3, limits).unwrap();
    check(
        limits,
        "profiles[0].plugins.filter.enabled[0]: Invalid value: \"EBSLimits\": was invalid in version \"v1\" \
         (KubeSchedulerConfiguration is version \"kubescheduler.config.k8s.io/v1\")",
    );
}

#[test]
fn backoff_is_taken_over() {
    let backoff = accepted("podInitialBackoffSeconds: 2\npodMaxBackoffSeconds: 30").backoff();
    assert_eq!((backoff.initial.as_secs(), backoff.max.as_secs()), (2, 30));
}
