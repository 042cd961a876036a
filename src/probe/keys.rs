//! The keys by which agents know each other's packets.

use std::convert::Infallible;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use edge_api::names::PROBE_KEY_CURRENT;
use ring::{digest, hmac};
use tracing::{info, warn};

use super::random;

/// The fewest bytes of a key.
const SHORTEST: usize = 16;
/// The most bytes of a key: a file that is longer is certainly something else.
const LONGEST: usize = 1024;

/// How often the folder is looked at.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The folder can't be read.
    #[error("keys in {}: {why}; mount the Secret {} there", folder.display(), edge_api::names::PROBE_KEY)]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// Why not.
        why: io::Error,
    },
    /// The key to send with is missing.
    #[error("keys in {}: there is no file {PROBE_KEY_CURRENT}", folder.display())]
    NoCurrent {
        /// The folder.
        folder: PathBuf,
    },
    /// A key is too short or too long.
    #[error("key {}: {len} bytes; a key has {SHORTEST} to {LONGEST}", file.display())]
    Size {
        /// The file.
        file: PathBuf,
        /// How long it is.
        len: usize,
    },
}

/// Tells keys apart in a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KeyId(pub(super) u16);

/// A key.
pub(super) struct Key {
    pub(super) id: KeyId,
    hmac: hmac::Key,
}

/// All keys that are valid: the one that we send with is the first.
#[derive(Debug)]
pub(super) struct Keys {
    current: Key,
    others: Vec<Key>,
    /// What they were made of, to see whether that has changed.
    fingerprint: Vec<u8>,
}

/// The keys in force, shared by those who need them.
#[derive(Clone, Debug)]
pub(super) struct Keyring {
    /// None if the key is this process' own.
    folder: Option<Arc<Path>>,
    keys: Arc<Mutex<Arc<Keys>>>,
}

// === impl Key ===

impl Key {
    pub(super) fn new(secret: &[u8]) -> Self {
        let hash = digest::digest(&digest::SHA256, secret);
        let id = hash.as_ref().first_chunk().map_or(0, |it| u16::from_be_bytes(*it));
        Self { id: KeyId(id), hmac: hmac::Key::new(hmac::HMAC_SHA256, secret) }
    }

    /// Authenticates these parts, one after the other.
    pub(super) fn sign(&self, parts: &[&[u8]]) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.hmac);
        for part in parts {
            context.update(part);
        }
        context.sign()
    }
}

/// Of a key only the number is shown.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({:04x})", self.id.0)
    }
}

// === impl Keys ===

impl Keys {
    /// All files of the folder are keys. `current` is what is sent with; the others are accepted, so that a new key
    /// can be known everywhere before it is used, and an old one as long as somebody uses it.
    fn read(folder: &Path) -> Result<Self, KeyError> {
        let at_fault = |why| KeyError::Folder { folder: folder.to_owned(), why };
        let (mut current, mut others, mut fingerprint) = (None, Vec::new(), Vec::new());
        let mut names = Vec::new();
        for entry in fs::read_dir(folder).map_err(at_fault)? {
            names.push(entry.map_err(at_fault)?.file_name());
        }
        names.sort();
        // Kubelet swaps a Secret's files by a link named ..data.
        for name in names.iter().filter(|name| !name.as_encoded_bytes().starts_with(b".")) {
            let file = folder.join(name);
            let secret = fs::read(&file).map_err(at_fault)?;
            if secret.len() < SHORTEST || secret.len() > LONGEST {
                return Err(KeyError::Size { file, len: secret.len() });
            }
            let hash = digest::digest(&digest::SHA256, &secret);
            fingerprint.extend_from_slice(hash.as_ref());
            if name == PROBE_KEY_CURRENT {
                current = Some(Key::new(&secret));
                fingerprint.push(1);
            } else {
                others.push(Key::new(&secret));
            }
        }
        let current = current.ok_or_else(|| KeyError::NoCurrent { folder: folder.to_owned() })?;
        Ok(Self { current, others, fingerprint })
    }

    /// The key to send with.
    pub(super) fn current(&self) -> &Key {
        &self.current
    }

    /// The valid keys of this number; two may have the same.
    pub(super) fn of_id(&self, id: KeyId) -> impl Iterator<Item = &Key> {
        std::iter::once(&self.current).chain(&self.others).filter(move |key| key.id == id)
    }
}

// === impl Keyring ===

impl Keyring {
    /// Reads the keys of a folder.
    pub(super) fn read(folder: &Path) -> Result<Self, KeyError> {
        let keys = Arc::new(Mutex::new(Arc::new(Keys::read(folder)?)));
        Ok(Self { folder: Some(folder.into()), keys })
    }

    /// One key that nobody else has: enough to know one's own packets again where another kernel sends them back.
    pub(super) fn own() -> Self {
        let secret = [random::number(), random::number()].map(u64::to_ne_bytes).concat();
        let keys = Keys { current: Key::new(&secret), others: Vec::new(), fingerprint: Vec::new() };
        Self { folder: None, keys: Arc::new(Mutex::new(Arc::new(keys))) }
    }

    /// The keys in force.
    pub(super) fn keys(&self) -> Arc<Keys> {
        Arc::clone(&self.keys.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Keeps up with the folder.
    pub(super) async fn follow(self) -> Infallible {
        let mut complaint = None;
        loop {
            tokio::time::sleep(LOOK_AGAIN).await;
            match self.read_again() {
                Ok(changed) => {
                    complaint = None;
                    if changed {
                        info!(sends_with = ?self.keys().current(), "other keys are in force");
                    }
                }
                Err(error) => {
                    let error = error.to_string();
                    if complaint.as_ref() != Some(&error) {
                        warn!(error, "the keys can't be read again; those read before stay in force");
                        complaint = Some(error);
                    }
                }
            }
        }
    }

    /// Reads the folder again; whether other keys are in force now. If it can't be read the old ones stay.
    fn read_again(&self) -> Result<bool, KeyError> {
        let Some(folder) = &self.folder else { return Ok(false) };
        let keys = Keys::read(folder)?;
        let mut in_force = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = keys.fingerprint != in_force.fingerprint;
        if changed {
            *in_force = Arc::new(keys);
        }
        Ok(changed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path, files: &[(&str, &[u8])]) {
        for (name, secret) in files {
            fs::write(folder.join(name), secret).unwrap();
        }
    }

    #[track_caller]
    fn check(files: &[(&str, &[u8])], expected: Result<usize, &str>) {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), files);
        match (Keys::read(folder.path()), expected) {
            (Ok(keys), Ok(others)) => assert_eq!(keys.others.len(), others, "{files:?}"),
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
            (keys, _) => panic!("{files:?}: {keys:?}"),
        }
    }

    #[test]
    fn what_is_wrong_with_keys_is_said() {
        check(&[("current", &[1; 32])], Ok(0));
        check(&[("current", &[1; 32]), ("other", &[2; 32]), ("..data", b"")], Ok(1));
        check(&[("other", &[1; 32])], Err("there is no file current"));
        check(&[("current", b"secret")], Err("current: 6 bytes"));
        assert!(Keys::read(Path::new("/does/not/exist")).unwrap_err().to_string().contains("edge-probe-key"));
    }

    #[test]
    fn keys_are_read_again_and_old_ones_stay_if_they_can_not_be() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &[("current", &[1; 32])]);
        let ring = Keyring::read(folder.path()).unwrap();
        let old = ring.keys().current().id;
        assert!(!ring.read_again().unwrap());
        write(folder.path(), &[("other", &[1; 32]), ("current", &[2; 32])]);
        assert!(ring.read_again().unwrap());
        assert_ne!(ring.keys().current().id, old);
        assert_eq!(ring.keys().of_id(old).count(), 1);
        fs::remove_file(folder.path().join("current")).unwrap();
        ring.read_again().unwrap_err();
        assert_eq!(ring.keys().of_id(old).count(), 1);
    }
}
