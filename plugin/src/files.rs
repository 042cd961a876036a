//! Files and folders of files that the user names.

use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// A file as text.
pub(crate) struct TextFile {
    /// Its name, for messages.
    pub(crate) name: String,
    /// What is in it.
    pub(crate) text: String,
}

/// Matrices are read in pieces of this size.
const BUFFER_SIZE: usize = 1 << 16;

/// Reads a file as text.
pub(crate) fn read(path: &Path) -> Result<TextFile> {
    let text = fs::read_to_string(path).with_context(|| format!("can't read {}", path.display()))?;
    Ok(TextFile { name: path.display().to_string(), text })
}

/// Opens a file that is too large to be held as text.
pub(crate) fn open(path: &Path) -> Result<BufReader<File>> {
    let file = File::open(path).with_context(|| format!("can't read {}", path.display()))?;
    Ok(BufReader::with_capacity(BUFFER_SIZE, file))
}

/// Reads a file, or every file of a folder that has one of these extensions, by name. Folders within are not
/// entered, as kubectl does it.
pub(crate) fn read_all(path: &Path, extensions: &[&str]) -> Result<Vec<TextFile>> {
    if !path.is_dir() {
        return Ok(vec![read(path)?]);
    }
    let entries = fs::read_dir(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let entries = entries.with_context(|| format!("can't read {}", path.display()))?;
    let mut paths: Vec<PathBuf> = entries.iter().map(fs::DirEntry::path).collect();
    paths.retain(|path| is_wanted(path, extensions));
    paths.sort_unstable();
    if paths.is_empty() {
        bail!("folder {} has no file ending in .{}", path.display(), extensions.join(" or ."));
    }
    paths.iter().map(|path| read(path)).collect()
}

fn is_wanted(path: &Path, extensions: &[&str]) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|extension| extensions.contains(&extension)) && path.is_file()
}
