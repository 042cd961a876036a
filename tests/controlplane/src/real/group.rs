//! Control groups of a bed: made by us, removed by a process that outlives us by that alone.

use crate::error::{Context, Error};
use std::{
    fs,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// A control group in every hierarchy.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    /// Where the hierarchies are mounted.
    tops: Vec<PathBuf>,
    /// The group's name in each.
    name: PathBuf,
}

/// The group of a whole bed. Dropping it removes it and all groups in it, and so does the end of this process, however
/// it comes.
#[derive(Debug)]
pub(crate) struct BedGroup {
    group: Group,
    /// Waits for the end of its standard input, which only we hold.
    remover: Child,
}

const ROOT: &str = "/sys/fs/cgroup";

/// Removes groups, the inner ones first, as soon as their last process has ended.
const REMOVE: &str = r#"
cat >/dev/null
tries=0
while [ $tries -lt 300 ]; do
    find "$@" -depth -type d -exec rmdir {} ';' 2>/dev/null
    left=
    for folder in "$@"; do [ ! -d "$folder" ] || left=yes; done
    [ -n "$left" ] || exit 0
    tries=$((tries + 1))
    sleep 0.1
done
"#;

/// Version 2 has one hierarchy, version 1 a folder of them.
fn hierarchies() -> Result<Vec<PathBuf>, Error> {
    let root = Path::new(ROOT);
    if is_group(root) {
        return Ok(vec![root.to_owned()]);
    }
    let entries = fs::read_dir(root).context(|| ROOT.to_owned())?;
    let found: Vec<PathBuf> =
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| is_group(path)).collect();
    if found.is_empty() {
        return Err(Error::Invalid(format!("real nodes need control groups, and {ROOT} holds none")));
    }
    Ok(found)
}

fn is_group(folder: &Path) -> bool {
    folder.join("cgroup.procs").is_file()
}

/// In version 1 a new group has no processors and no memory nodes until it is given some.
fn inherit_cpuset(folder: &Path) -> Result<(), Error> {
    let Some(parent) = folder.parent() else { return Ok(()) };
    for name in ["cpuset.cpus", "cpuset.mems"] {
        let file = folder.join(name);
        let inherited = fs::read_to_string(parent.join(name)).unwrap_or_default();
        if file.exists() && !inherited.trim().is_empty() {
            fs::write(&file, inherited.trim()).context(|| file.display().to_string())?;
        }
    }
    Ok(())
}

// === impl Group ===

impl Group {
    /// A group inside this one.
    pub(crate) fn inner(&self, name: &str) -> Result<Self, Error> {
        let inner = Self { tops: self.tops.clone(), name: self.name.join(name) };
        for folder in inner.folders() {
            fs::create_dir(&folder).context(|| folder.display().to_string())?;
            inherit_cpuset(&folder)?;
        }
        Ok(inner)
    }

    /// The group in each hierarchy.
    pub(crate) fn folders(&self) -> impl Iterator<Item = PathBuf> {
        self.tops.iter().map(|top| top.join(&self.name))
    }

    /// The files to which a process of a node writes 0 to be in the node's group, which the node takes for the whole
    /// hierarchy.
    pub(crate) fn doors(&self) -> impl Iterator<Item = PathBuf> {
        self.tops.iter().map(|top| {
            // Version 2 wants processes in groups without groups inside, so `machine.sh` makes one for them.
            let has_version_2 = top.join("cgroup.controllers").exists();
            if has_version_2 { top.join("init/cgroup.procs") } else { top.join("cgroup.procs") }
        })
    }
}

// === impl BedGroup ===

impl BedGroup {
    pub(crate) fn create(name: &str) -> Result<Self, Error> {
        let top = Group { tops: hierarchies()?, name: PathBuf::new() };
        let remover = Command::new("sh")
            .args(["-c", REMOVE, "sh"])
            .args(top.tops.iter().map(|top| top.join(name)))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .context(|| "starting sh".to_owned())?;
        // The value is there before the groups, so that a half-made bed is removed too.
        let mut bed = Self { group: top, remover };
        bed.group = bed.group.inner(name)?;
        Ok(bed)
    }

    /// A group inside this one.
    pub(crate) fn inner(&self, name: &str) -> Result<Group, Error> {
        self.group.inner(name)
    }
}

impl Drop for BedGroup {
    fn drop(&mut self) {
        drop(self.remover.stdin.take());
        // It ends by itself; what it could not remove nobody can.
        let _ = self.remover.wait();
    }
}
