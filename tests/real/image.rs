//! The project's image, made of what `cargo` has built, by the project's own script.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// What the image is called here; no registry has it.
pub(crate) const IMAGE: &str = "registry.test/edge-scheduler:test";

/// Cargo, as this test was started by it.
pub(crate) fn cargo() -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or("cargo".into()));
    cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
    // What it told this test about its package would have it compile dependencies anew that look at these.
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            cargo.env_remove(&name);
        }
    }
    cargo
}

/// Runs a command to its end; what it printed.
pub(crate) fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let [out, err] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned());
    assert!(output.status.success(), "{command:?}: {}\n{out}\n{err}", output.status);
    out
}

/// The image as an archive, made by the first test that asks.
pub(crate) fn archive() -> &'static Path {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    MADE.get_or_init(make)
}

/// The program is linked again, statically: for that alone nothing has to be compiled anew.
fn make() -> PathBuf {
    controlplane::require(&[("buildah", "buildah"), ("readelf", "binutils")]).unwrap();
    run(cargo().args(["rustc", "--bin", "edge-scheduler", "--", "-C", "target-feature=+crt-static"]));
    let architecture = match env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let archive = Path::new(env!("CARGO_TARGET_TMPDIR")).join("image.tar");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/image.sh");
    let program = format!("{architecture}={}", env!("CARGO_BIN_EXE_edge-scheduler"));
    run(Command::new(script).arg(&archive).arg(IMAGE).arg(program));
    archive
}
