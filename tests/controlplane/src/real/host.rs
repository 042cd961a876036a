//! What this machine must have for real nodes, and how it gets it.

use crate::error::Error;
use std::{
    env, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Mutex, PoisonError},
};

/// Programs of the system, and the Debian packages that hold them.
const PROGRAMS: [(&str, &str); 6] = [
    ("runc", "runc"),
    ("nft", "nftables"),
    ("ip", "iproute2"),
    ("nsenter", "util-linux"),
    ("unshare", "util-linux"),
    ("mount", "mount"),
];

/// Hidden in a real node by folders of its own, so nothing that it needs may be below.
pub(crate) const HIDDEN: [&str; 3] = ["/run", "/var/lib", "/var/log"];

/// Checks for privileges and programs.
pub(crate) fn prepare() -> Result<(), Error> {
    if !rustix::process::geteuid().is_root() {
        return Err(Error::Invalid(
            "real nodes need root, for namespaces, mounts and control groups: run as root or in a privileged \
             container"
                .to_owned(),
        ));
    }
    require(&PROGRAMS)
}

/// Sees to it that these programs, each with the Debian package that holds it, are on the machine: a missing one is installed
/// where `apt-get` can.
pub fn require(programs: &[(&str, &str)]) -> Result<(), Error> {
    // Threads of a test that want the same.
    static ONE: Mutex<()> = Mutex::new(());
    let _guard = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    install(&missing(programs))
}

/// Where a program of the system is.
pub(crate) fn program(name: &str) -> Result<PathBuf, Error> {
    find(name).ok_or_else(|| Error::Install {
        program: name.to_owned(),
        hint: "real nodes need it",
        source: io::ErrorKind::NotFound.into(),
    })
}

/// That nothing at `path` is hidden in a real node.
pub(crate) fn check_visible(path: &Path) -> Result<(), Error> {
    match HIDDEN.into_iter().find(|hidden| path.starts_with(hidden)) {
        None => Ok(()),
        Some(hidden) => Err(Error::Invalid(format!(
            "real nodes have a {hidden} of their own, so {} cannot be there: set TMPDIR and \
             EDGE_CONTROL_PLANE_CACHE to folders elsewhere",
            path.display()
        ))),
    }
}

/// In the search path, and where Debian keeps administrators' programs, which are not in everybody's.
fn find(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain(["/usr/sbin", "/sbin"].map(PathBuf::from));
    folders.map(|folder| folder.join(name)).find(|program| program.is_file())
}

fn missing<'a>(programs: &[(&str, &'a str)]) -> Vec<&'a str> {
    let mut packages: Vec<&str> =
        programs.iter().filter(|(name, _)| find(name).is_none()).map(|(_, package)| *package).collect();
    packages.dedup();
    packages
}

/// First with the lists of packages that are there; a fresh machine has none, so they are fetched then.
fn install(packages: &[&str]) -> Result<(), Error> {
    if packages.is_empty() {
        return Ok(());
    }
    let install = || apt_get(&[&["install", "--yes", "--no-install-recommends"], packages].concat());
    if install().is_err() {
        let updated = apt_get(&["update"]).and_then(|()| install());
        updated.map_err(|reason| {
            Error::Invalid(format!(
                "these packages are needed and could not be installed: {}: {reason}",
                packages.join(" ")
            ))
        })?;
    }
    Ok(())
}

fn apt_get(args: &[&str]) -> Result<(), String> {
    let mut command = Command::new("apt-get");
    command.args(["-o", "DPkg::Lock::Timeout=300"]).args(args).env("DEBIAN_FRONTEND", "noninteractive");
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("apt-get: {error}"))?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_node_hides_is_named() {
        check_visible(Path::new("/tmp/bed")).unwrap();
        check_visible(Path::new("/var/libraries")).unwrap();
        let words = check_visible(Path::new("/var/lib/jenkins/.cache")).unwrap_err().to_string();
        assert!(words.contains("/var/lib of their own") && words.contains("TMPDIR"), "{words}");
    }
}
