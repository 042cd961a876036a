//! The kubeconfig files, found and merged as kubectl does (client-go: `ClientConfigLoadingRules`).

use std::collections::HashSet;
use std::env;
use std::io;
use std::path::{Path, PathBuf};

use kube::config::{Kubeconfig, KubeconfigError};

use crate::args::Connection;
use crate::failure::{Failure, Hint};

/// All that is configured. Files of a list that are not there are passed over; the file that a flag names must
/// be there. Of each name the first file's object counts.
pub(super) fn load(flags: &Connection) -> Result<Kubeconfig, Failure> {
    if let Some(path) = flags.kubeconfig.as_ref().filter(|path| !path.as_os_str().is_empty()) {
        return read(path);
    }
    let mut merged = Kubeconfig::default();
    for path in precedence() {
        if path.exists() {
            let next = read(&path)?;
            merged = merged.merge(next).hint("KUBECONFIG names files that don't belong together")?;
        }
    }
    Ok(merged)
}

/// The files by precedence: the list in KUBECONFIG without what is there twice, else that in the home folder.
fn precedence() -> Vec<PathBuf> {
    match env::var_os("KUBECONFIG").filter(|list| !list.is_empty()) {
        Some(list) => {
            let mut seen = HashSet::new();
            let files = env::split_paths(&list).filter(|path| !path.as_os_str().is_empty());
            files.filter(|path| seen.insert(path.clone())).collect()
        }
        None => env::home_dir().map(|home| home.join(".kube/config")).into_iter().collect(),
    }
}

fn read(path: &Path) -> Result<Kubeconfig, Failure> {
    let mut config = Kubeconfig::read_from(path).map_err(|error| failure(path, error))?;
    // A file that has an empty one leaves the choice to the next.
    config.current_context = config.current_context.filter(|name| !name.is_empty());
    Ok(config)
}

fn failure(path: &Path, error: KubeconfigError) -> Failure {
    let path = path.display();
    match error {
        KubeconfigError::ReadConfig(error, _) if error.kind() == io::ErrorKind::NotFound => {
            let failure = Failure::new(format!("kubeconfig {path}: there is no such file"));
            failure.with_hint("--kubeconfig and KUBECONFIG name kubeconfig files")
        }
        KubeconfigError::ReadConfig(error, _) => Failure::new(format!("kubeconfig {path}: {error}")),
        KubeconfigError::Parse(error) => {
            let text = error.to_string();
            // The parser shows the place below its message.
            let line = text.lines().next().unwrap_or_default();
            let failure = Failure::new(format!("kubeconfig {path} can't be read: {line}"));
            failure.with_hint("\"kubectl config view\" shows what kubectl makes of it")
        }
        error => Failure::new(format!("kubeconfig {path}: {error}")),
    }
}
