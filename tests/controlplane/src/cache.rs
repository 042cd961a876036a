//! A folder of things that take long to make: each is made once, also when several processes want it at the same time.

use crate::error::{Context, Error};
use std::{
    env,
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
};

/// Where built programs are kept: outside the checkout, so that a fresh clone finds them.
#[derive(Clone, Debug)]
pub(crate) struct Cache {
    folder: PathBuf,
}

// === impl Cache ===

impl Cache {
    /// `$EDGE_CONTROL_PLANE_CACHE`, else `edge-scheduler` in the user's cache folder.
    pub(crate) fn from_env() -> Result<Self, Error> {
        let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let user = || set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")));
        let folder = set("EDGE_CONTROL_PLANE_CACHE").or_else(|| Some(user()?.join("edge-scheduler")));
        let missing = || Error::Invalid("neither EDGE_CONTROL_PLANE_CACHE nor HOME is set".to_owned());
        Ok(Self { folder: folder.ok_or_else(missing)? })
    }

    /// The entry's folder; if it is not there, `make` fills an empty folder that then becomes the entry.
    ///
    /// One lock for all entries: two builds at a time would only take each other's processors and memory. The lock
    /// goes with its process, so a killed build leaves none behind.
    pub(crate) fn get(
        &self,
        entry: &str,
        waiting: impl FnOnce(),
        make: impl FnOnce(&Path) -> Result<(), Error>,
    ) -> Result<PathBuf, Error> {
        let path = self.folder.join(entry);
        if path.is_dir() {
            return Ok(path);
        }
        let _lock = self.lock(waiting)?;
        if path.is_dir() {
            return Ok(path);
        }
        // The same name each time, and only the lock's holder uses it: what a killed build left goes here.
        let unfinished = self.folder.join(format!("{entry}.unfinished"));
        let at = || unfinished.display().to_string();
        if unfinished.exists() {
            fs::remove_dir_all(&unfinished).context(at)?;
        }
        fs::create_dir(&unfinished).context(at)?;
        make(&unfinished)?;
        fs::rename(&unfinished, &path).context(at)?;
        Ok(path)
    }

    fn lock(&self, waiting: impl FnOnce()) -> Result<File, Error> {
        let path = self.folder.join("lock");
        let at = || path.display().to_string();
        fs::create_dir_all(&self.folder).context(at)?;
        let file = File::create(&path).context(at)?;
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => waiting(),
            Err(TryLockError::Error(error)) => return Err(error).context(at),
        }
        file.lock().context(at)?;
        Ok(file)
    }
}
