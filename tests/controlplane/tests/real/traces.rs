//! What a bed leaves on a machine: processes, mounts, control groups, its address, its folder.

use controlplane::{ControlPlane, wait_for};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

/// How a bed can be found again.
pub(crate) struct Traces {
    folder: PathBuf,
    name: String,
    /// The host's address among the nodes.
    address: String,
}

type Kind = (&'static str, fn(&Traces) -> Vec<String>);

const KINDS: [Kind; 4] = [
    ("processes", Traces::processes),
    ("mounts", Traces::mounts),
    ("control groups", Traces::groups),
    ("addresses", Traces::addresses),
];

/// The numbers of all processes of this machine.
fn all_processes() -> Vec<String> {
    let entries = fs::read_dir("/proc").unwrap();
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.filter(|name| name.bytes().all(|byte| byte.is_ascii_digit())).collect()
}

/// Empty if the process has ended.
fn read(process: &str, file: &str) -> String {
    let bytes = fs::read(format!("/proc/{process}/{file}")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

// === impl Traces ===

impl Traces {
    pub(crate) fn of(cluster: &ControlPlane) -> Self {
        Self::at(cluster.folder())
    }

    /// The bed whose data is in this folder.
    pub(crate) fn at(folder: &Path) -> Self {
        let config = fs::read_to_string(folder.join("kubeconfig")).unwrap();
        let (_, rest) = config.split_once("https://").unwrap();
        Self {
            folder: folder.to_owned(),
            name: folder.file_name().unwrap().to_str().unwrap().to_owned(),
            address: rest.split(':').next().unwrap().to_owned(),
        }
    }

    /// As long as the bed is there, each kind is found; otherwise finding none would say nothing.
    pub(crate) fn assert_all_kinds(&self) {
        for (kind, find) in KINDS {
            assert!(!find(self).is_empty(), "no {kind}");
        }
        assert!(self.processes().len() > 5, "{:?}", self.processes());
    }

    pub(crate) fn assert_none(&self, limit: Duration) {
        self.assert_none_but_the_folder(limit);
        assert!(!self.folder.exists());
    }

    /// Data of a killed owner goes at the next start.
    pub(crate) fn assert_none_but_the_folder(&self, limit: Duration) {
        let mut left = Vec::new();
        let gone = wait_for("all traces to be gone", limit, || {
            left = KINDS.map(|(kind, find)| (kind, find(self))).to_vec();
            Ok(left.iter().all(|(_, found)| found.is_empty()).then_some(()))
        });
        gone.unwrap_or_else(|error| panic!("{error}: {left:?}"));
    }

    /// Those of the nodes are in the bed's control groups, the others have its folder in their command line.
    fn processes(&self) -> Vec<String> {
        let group = format!("edge-controlplane-{}/", self.name);
        let folder = self.folder.to_str().unwrap();
        let ours = |process: &String| {
            read(process, "cgroup").contains(&group) || read(process, "cmdline").contains(folder)
        };
        all_processes().into_iter().filter(ours).collect()
    }

    /// In any process's view.
    fn mounts(&self) -> Vec<String> {
        let folder = self.folder.to_str().unwrap();
        let sees = |process: &String| read(process, "mountinfo").contains(folder);
        all_processes().into_iter().filter(sees).collect()
    }

    fn groups(&self) -> Vec<String> {
        let name = format!("edge-controlplane-{}", self.name);
        let find = Command::new("find").args(["/sys/fs/cgroup", "-name", &name]).output().unwrap();
        String::from_utf8(find.stdout).unwrap().lines().map(str::to_owned).collect()
    }

    fn addresses(&self) -> Vec<String> {
        let ip = Command::new("ip").args(["-oneline", "address"]).output().unwrap();
        let text = String::from_utf8(ip.stdout).unwrap();
        let address = format!(" {}/", self.address);
        text.lines().filter(|line| line.contains(&address)).map(str::to_owned).collect()
    }
}
