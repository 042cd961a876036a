use super::*;
use crate::placement::plugins::REGISTRY;

/// What a profile says about plugins, as `where: name name:weight -disabled`; `multi` is multiPoint.
fn lists(said: &[&str]) -> PluginLists {
    let mut lists = PluginLists::default();
    for line in said {
        let (at, words) = line.split_once(':').unwrap();
        let list = if at == "multi" {
            &mut lists.multi_point
        } else {
            let point = Point::ALL.into_iter().find(|point| point.name() == at).unwrap();
            lists.points.entry(point).or_default()
        };
        for word in words.split_whitespace() {
            match (word.strip_prefix('-'), word.split_once(':')) {
                (Some(name), _) => list.disabled.push(name.to_owned()),
                (None, Some((name, weight))) => {
                    list.enabled
                        .push(ListedPlugin { name: name.to_owned(), weight: weight.parse().unwrap() });
                }
                (None, None) => list.enabled.push(ListedPlugin::named(word)),
            }
        }
    }
    lists
}

fn profile(said: &[&str]) -> Result<Profile, ProfileError> {
    let lists = PluginLists::defaults().changed_by(lists(said));
    Profile::assemble("test", &lists, |registration| (registration.build)())
}

/// A profile that says so runs these plugins at `point`, with their weights at Score.
#[track_caller]
fn check(said: &[&str], point: Point, expected: &str) {
    let profile = profile(said).unwrap_or_else(|error| panic!("{said:?}: {error}"));
    let names = profile.at(point).iter().map(|it| match point {
        Point::Score => format!("{}:{}", it.plugin.name(), it.weight),
        _ => it.plugin.name().to_owned(),
    });
    assert_eq!(names.collect::<Vec<_>>().join(" "), expected, "{said:?}");
}

#[track_caller]
fn check_refused(said: &[&str], expected: &str) {
    match profile(said) {
        Ok(_) => panic!("{said:?} is accepted"),
        Err(error) => assert_eq!(error.to_string(), expected, "{said:?}"),
    }
}

const NONE_BUT: &str = "multi: -* PrioritySort DefaultBinder";

#[test]
fn by_default_every_plugin_runs_at_every_extension_point_it_has() {
    let profile = Profile::with_all_plugins("test");
    for point in Point::ALL {
        let expected = REGISTRY.iter().filter(|it| it.points.contains(&point)).map(|it| it.name);
        let found = profile.at(point).iter().map(|it| it.plugin.name());
        assert_eq!(found.collect::<Vec<_>>(), expected.collect::<Vec<_>>(), "{point}");
    }
    for (enabled, registration) in profile.plugins().iter().zip(REGISTRY) {
        assert_eq!(enabled.weight, i64::from(registration.weight.max(1)), "{}", registration.name);
    }
}

#[test]
fn the_default_list_is_changed_by_what_is_said() {
    check(&[NONE_BUT, "Score: NodeAffinity:7 ImageLocality"], Point::Score, "NodeAffinity:7 ImageLocality:1");
    check(&[NONE_BUT], Point::Bind, "DefaultBinder");
    check(&[NONE_BUT], Point::Filter, "");
    // Named again, a default plugin keeps its place but not its weight.
    let all = &["multi: -* PrioritySort DefaultBinder NodeAffinity TaintToleration:4"];
    check(all, Point::Score, "NodeAffinity:1 TaintToleration:4");
    let profile = profile(&["multi: TaintToleration"]).unwrap();
    let taints = profile.at(Point::Score).iter().find(|it| it.plugin.name() == "TaintToleration");
    assert_eq!(taints.map(|it| it.weight), Some(1));
    assert_eq!(profile.at(Point::Filter).len(), Profile::with_all_plugins("test").at(Point::Filter).len());
}

#[test]
fn a_plugin_can_be_disabled_at_one_extension_point() {
    let three = "multi: -* PrioritySort DefaultBinder NodeName NodeAffinity NodeResourcesFit";
    check(&[three], Point::Filter, "NodeName NodeAffinity NodeResourcesFit");
    check(&[three, "Filter: -NodeAffinity"], Point::Filter, "NodeName NodeResourcesFit");
    check(&[three, "Filter: -NodeAffinity"], Point::Score, "NodeAffinity:1 NodeResourcesFit:1");
    check(&[three, "Filter: -*"], Point::Filter, "");
    check(&[three, "Filter: -* NodeResourcesFit NodeName"], Point::Filter, "NodeResourcesFit NodeName");
    // Enabled goes before disabled.
    check(&[three, "Filter: -NodeName NodeName"], Point::Filter, "NodeAffinity NodeResourcesFit NodeName");
}

#[test]
fn an_own_list_goes_before_multi_point() {
    let three = "multi: -* PrioritySort DefaultBinder NodeName NodeAffinity NodeResourcesFit";
    // First what both name, in the own order, then multiPoint's, then the rest.
    check(
        &[three, "Filter: NodePorts NodeResourcesFit TaintToleration NodeName"],
        Point::Filter,
        "NodeResourcesFit NodeName NodeAffinity NodePorts TaintToleration",
    );
    check(&[three, "Score: NodeResourcesFit:9"], Point::Score, "NodeResourcesFit:9 NodeAffinity:1");
    check(&[three, "Score: NodeResourcesFit"], Point::Score, "NodeResourcesFit:1 NodeAffinity:1");
}

#[test]
fn what_can_not_be_set_up_is_refused_in_upstreams_words() {
    check_refused(&["multi: Own"], r#"PreFilterPlugin "Own" does not exist"#);
    check_refused(&["Score: Own"], r#"ScorePlugin "Own" does not exist"#);
    check_refused(
        &["Filter: ImageLocality"],
        r#"plugin "ImageLocality" does not extend FilterPlugin plugin"#,
    );
    check_refused(
        &["Filter: NodeName NodeName"],
        r#"plugin "NodeName" already registered as "FilterPlugin""#,
    );
    check_refused(
        &["multi: -* PrioritySort DefaultBinder NodeName NodeName"],
        r#"plugin "NodeName" already registered as "FilterPlugin""#,
    );
    check_refused(
        &["multi: -PrioritySort"],
        r#"only one queue sort plugin required for profile with scheduler name "test", but got 0"#,
    );
    check_refused(
        &["Bind: -*"],
        r#"at least one bind plugin is needed for profile with scheduler name "test""#,
    );
}

#[test]
fn arguments_are_replaced_wherever_the_plugin_runs() {
    let offload = CloudOffload::with_mode(CloudOffloadMode::Required);
    let profile = Profile::with_all_plugins("test").with(Box::new(offload));
    let found = profile.plugins().iter().find(|it| it.plugin.name() == "CloudOffload").unwrap();
    for point in [Point::Filter, Point::Score] {
        assert!(profile.at(point).iter().any(|it| Arc::ptr_eq(it, found)), "{point}");
    }
}
