//! Changing manifests in files, with comments and order kept.

use std::fs;
use std::io::Read;
use std::path::Path;

use super::How;
use super::edit::patch;
use super::set::Wanted;
use super::text;
use super::words::Target;
use super::workload::Workload;
use crate::commands::label::DryRun;
use crate::failure::Failure;
use crate::files;
use crate::view::{Output, to_stdout};
use crate::world::Served;

/// Changes the workloads of a file, or the one that is named.
pub(super) fn change(
    file: &Path,
    target: Option<&Target>,
    wanted: &Wanted<'_>,
    how: &How,
) -> Result<Output, Failure> {
    let is_stream = file == Path::new("-");
    let old = if is_stream {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text)?;
        text
    } else {
        files::read(file)?.text
    };
    let served = Served::default();
    let mut new = String::with_capacity(old.len());
    let (mut found, mut changed) = (0, 0);
    for document in text::documents(&old) {
        let workload = read(document)?
            .filter(|workload| target.is_none_or(|it| it.kind == workload.kind && it.name == workload.name));
        let Some(workload) = workload else {
            new.push_str(document);
            continue;
        };
        found += 1;
        let changes = wanted.changes(&workload, &served)?;
        changed += usize::from(!changes.is_empty());
        let patch = patch(&changes, workload.kind.template());
        let edited = text::edit(document, &changes, workload.kind.template(), &workload.object, &patch);
        new.push_str(&edited.map_err(|why| {
            Failure::new(format!("{}: {why}", workload.shown()))
                .with_hint("bring it into block style, one key a line, and try again")
        })?);
    }
    if found == 0 {
        let what = target.map_or("no workload".to_owned(), |target| format!("no {target}"));
        return Err(Failure::new(format!("{} holds {what}", file.display())));
    }
    if is_stream || how.dry_run != DryRun::None {
        to_stdout(&new)?;
    } else if changed > 0 {
        fs::write(file, new)?;
    }
    let done = format!("{changed} of {found} workloads changed in {}", file.display());
    Ok(Output::nothing().with_notes(vec![done]))
}

/// The workload of a document; none if it is something else.
fn read(document: &str) -> Result<Option<Workload>, Failure> {
    let object: serde_json::Value = serde_yaml::from_str(document)?;
    Ok(Workload::of(object, None, "default"))
}
