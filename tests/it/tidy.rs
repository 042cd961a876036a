//! Rules of the architecture that the compiler does not enforce.

use std::fs;
use std::path::{Path, PathBuf};

/// What the core may depend on: nothing that does I/O, keeps time, or runs tasks.
const CORE_DEPENDENCIES: [&str; 4] = ["serde", "serde_json", "serde_yaml", "thiserror"];

/// What the core's sources may not say, tests aside.
const FORBIDDEN_IN_CORE: [&str; 11] = [
    "kube::",
    "k8s_openapi",
    "tokio",
    "Instant",
    "SystemTime",
    "std::fs",
    "std::net",
    "std::thread",
    "std::env",
    "async ",
    "unsafe",
];

#[test]
fn the_core_depends_on_nothing_that_does_io() {
    let manifest = fs::read_to_string(root().join("src/core/Cargo.toml")).unwrap();
    let (_, dependencies) = manifest.split_once("[dependencies]\n").unwrap();
    let names: Vec<&str> =
        dependencies.lines().filter_map(|line| line.split_once(".workspace")).map(|it| it.0).collect();
    assert_eq!(names, CORE_DEPENDENCIES);
}

#[test]
fn the_core_does_no_io_and_reads_no_clock() {
    for path in sources("src/core") {
        let text = fs::read_to_string(&path).unwrap();
        let product = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        for line in product.lines().filter(|line| !line.trim_start().starts_with("//")) {
            for word in FORBIDDEN_IN_CORE {
                assert!(!line.contains(word), "{}: {word} in {line:?}", path.display());
            }
        }
    }
}

#[test]
fn every_module_says_what_it_is() {
    for path in ["src", "plugin/src", "tests", "benches"].into_iter().flat_map(sources) {
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("//!"), "{} has no module comment", path.display());
    }
}

#[test]
fn every_plugin_is_one_file_and_one_line() {
    let plugins = root().join("src/core/placement/plugins");
    let registry = fs::read_to_string(plugins.join("mod.rs")).unwrap();
    for path in sources("src/core/placement/plugins") {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if name != "mod" && path.parent() == Some(&plugins) {
            assert!(registry.contains(&format!("{name}::")), "{name} is not in the registry");
        }
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The product's sources below a folder: tests are left out.
fn sources(folder: &str) -> Vec<PathBuf> {
    let test_only = |path: &Path| {
        path.components().any(|part| part.as_os_str() == "sim")
            || path.file_stem().is_some_and(|name| name == "tests" || name == "testing")
    };
    sources_with_tests(folder).into_iter().filter(|path| !test_only(path)).collect()
}

fn sources_with_tests(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(folder) else { continue };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found
}
