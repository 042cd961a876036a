//! What is seen, compared with the files of `tests/snapshots`.
//!
//! `UPDATE_SNAPSHOTS=1 cargo test -p kubectl-edge` writes what is seen now; look at the difference before
//! it is committed.

use std::fs;
use std::path::Path;

/// A command and what it said, a part for each stream.
pub(crate) fn shown(args: &[&str], out: &str, err: &str, code: Option<i32>) -> String {
    let mut lines = vec![format!("$ kubectl edge {}", args.join(" "))];
    for (name, text) in [("[stdout]", out), ("[stderr]", err)] {
        if !text.is_empty() {
            lines.push(name.to_owned());
            lines.extend(text.lines().map(str::to_owned));
        }
    }
    let code = code.map_or("none".to_owned(), |code| code.to_string());
    lines.push(format!("[exit code {code}]\n"));
    lines.join("\n").replace(env!("CARGO_PKG_VERSION"), "[VERSION]")
}

/// Holds what is seen against the snapshot of this name.
#[track_caller]
pub(crate) fn compare(name: &str, seen: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots");
    let path = folder.join(name).with_extension("txt");
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some_and(|value| !value.is_empty()) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, seen).unwrap();
        return;
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(seen, expected, "{} differs; UPDATE_SNAPSHOTS=1 writes it anew", path.display());
}
