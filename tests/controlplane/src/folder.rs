//! One folder for each control plane, named after the process that owns it, so that what dead ones left is found.

use crate::{
    error::{Context, Error},
    proc::ProcessId,
};
use std::{
    env, fs,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

/// A folder of our own, removed when dropped.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    keep_logs: bool,
}

/// The folder of some control plane of this user.
#[derive(Clone, Debug)]
pub struct Found {
    /// Where it is.
    pub path: PathBuf,
    /// As in the options it was started with.
    pub name: String,
    /// The process that made it and to which its components belong.
    pub owner: ProcessId,
}

/// For how long the logs of a failed or killed control plane are kept.
const KEPT: Duration = Duration::from_hours(24);

/// Every control plane of this user, running or not.
pub fn find_all() -> Result<Vec<Found>, Error> {
    let root = root()?;
    let entries = fs::read_dir(&root).context(|| root.display().to_string())?;
    Ok(entries.filter_map(|entry| Found::parse(entry.ok()?.path())).collect())
}

/// `<temporary folder>/edge-controlplane-<user>-<process namespace>`: process numbers mean nothing elsewhere.
fn root() -> Result<PathBuf, Error> {
    let user = rustix::process::getuid().as_raw();
    let namespace = fs::read_link("/proc/self/ns/pid").context(|| "/proc/self/ns/pid".to_owned())?;
    let namespace: String = namespace.to_string_lossy().chars().filter(char::is_ascii_digit).collect();
    let root = env::temp_dir().join(format!("edge-controlplane-{user}-{namespace}"));
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&root)
        .and_then(|()| fs::symlink_metadata(&root))
        .context(|| root.display().to_string())
        .and_then(|found| {
            // Temporary folders are everybody's, and our keys go in there.
            let ours = found.uid() == user && found.is_dir();
            let stranger = || Error::Invalid(format!("{} belongs to somebody else", root.display()));
            ours.then(|| root.clone()).ok_or_else(stranger)
        })
}

// === impl Folder ===

impl Folder {
    /// Makes a new one and clears away what dead processes left.
    pub(crate) fn create(name: &str) -> Result<Self, Error> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        if !name.chars().all(|c| c.is_ascii_alphanumeric()) {
            return Err(Error::Invalid(format!(
                "{name:?} is no name for a control plane: letters and digits only"
            )));
        }
        for found in find_all()? {
            found.sweep();
        }
        let ProcessId { pid, start } = ProcessId::current()?;
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = root()?.join(format!("{name}-{pid}-{start}-{count}"));
        fs::DirBuilder::new().mode(0o700).create(&path).context(|| path.display().to_string())?;
        Ok(Self { path, keep_logs: false })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Lets the logs stay for a day, because somebody will want to know what went wrong.
    pub(crate) fn keep_logs(&mut self) {
        self.keep_logs = true;
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Nobody is left to whom a failure could be told; a later start tries again.
        let _ = if self.keep_logs { keep_only_logs(&self.path) } else { fs::remove_dir_all(&self.path) };
    }
}

fn keep_only_logs(folder: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            fs::remove_dir_all(path)?;
        } else if path.extension().is_none_or(|extension| extension != "log") {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

// === impl Found ===

impl Found {
    fn parse(path: PathBuf) -> Option<Self> {
        let text = path.file_name()?.to_str()?.to_owned();
        let mut parts = text.split('-');
        let name = parts.next()?.to_owned();
        let owner = ProcessId { pid: parts.next()?.parse().ok()?, start: parts.next()?.parse().ok()? };
        Some(Self { path, name, owner })
    }

    /// The administrator's kubeconfig.
    pub fn kubeconfig(&self) -> PathBuf {
        self.path.join("kubeconfig")
    }

    /// If the owner is dead: removes the data at once and the logs after a day.
    fn sweep(&self) {
        if self.owner.is_alive() {
            return;
        }
        let age = fs::metadata(&self.path).and_then(|found| found.modified()).map(|time| time.elapsed());
        // Another process may sweep the same folder at the same time; one of them wins.
        let _ = match age {
            Ok(Ok(age)) if age < KEPT => keep_only_logs(&self.path),
            _ => fs::remove_dir_all(&self.path),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_names_its_owner_and_goes_with_its_value() {
        let folder = Folder::create("test").unwrap();
        let path = folder.path().to_owned();
        let found = find_all().unwrap().into_iter().find(|found| found.path == path).unwrap();
        assert_eq!((found.name.as_str(), found.owner), ("test", ProcessId::current().unwrap()));
        drop(folder);
        assert!(!path.exists());
    }

    #[test]
    fn a_dead_owners_logs_stay_and_its_data_goes() {
        let dead = root().unwrap().join("test-1-1-0");
        fs::create_dir_all(dead.join("etcd")).unwrap();
        fs::write(dead.join("etcd.log"), "x").unwrap();
        Found::parse(dead.clone()).unwrap().sweep();
        assert!(!dead.join("etcd").exists() && dead.join("etcd.log").exists());
        fs::remove_dir_all(dead).unwrap();
    }
}
