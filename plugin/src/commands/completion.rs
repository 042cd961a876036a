//! `kubectl edge completion`.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use crate::completing;
use crate::failure::{Failure, Hint};
use crate::session::Session;
use crate::view::{Output, to_stdout};

/// Complete the command line: scripts for shells, and one step for "kubectl edge <TAB>"
///
/// kubectl asks a program named kubectl_complete-edge. "install" puts a link of that name beside the
/// plugin, where it stays when krew upgrades the plugin; kubectl's own completion must be set up.
/// The scripts are for calling kubectl-edge without kubectl.
#[allow(rustdoc::invalid_html_tags, reason = "the words are shown on a terminal")]
#[derive(Debug, Args)]
#[command(verbatim_doc_comment, after_long_help = EXAMPLES)]
pub(crate) struct Completion {
    /// A shell, or what to do
    #[arg(value_enum)]
    what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    // Makes `kubectl edge <TAB>` work.
    Install,
    // Undoes that.
    Uninstall,
    Bash,
    Zsh,
    Fish,
    Powershell,
}

const EXAMPLES: &str = "\
Examples:
  kubectl edge completion install
  source <(kubectl edge completion bash)";

// === impl Completion ===

impl Completion {
    pub(super) fn run(&self, session: &Session) -> Result<Output, Failure> {
        let shell = match self.what {
            What::Install => return install(session),
            What::Uninstall => return uninstall(session),
            What::Bash => "bash",
            What::Zsh => "zsh",
            What::Fish => "fish",
            What::Powershell => "powershell",
        };
        // By name, not by path: the script may be packed on one machine and used on another.
        let program = program()?;
        let name = program.file_name().and_then(|name| name.to_str()).unwrap_or("kubectl-edge");
        let script = completing::script(shell, name);
        to_stdout(&script.ok_or_else(|| Failure::new(format!("there is no script for {shell}")))?)?;
        Ok(Output::nothing())
    }
}

/// The file the plugin was found by, links not followed: kubectl looks for its helper beside it.
fn program() -> Result<PathBuf, Failure> {
    let called = env::args_os().next().map(PathBuf::from).unwrap_or_default();
    if called.components().count() > 1 {
        return Ok(std::path::absolute(called)?);
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&path).map(|folder| folder.join(&called)).find(|file| file.is_file());
    found.ok_or_else(|| Failure::new("the plugin's own file was not found in the PATH"))
}

/// The name by which kubectl asks for completion.
fn helper(program: &Path) -> Result<PathBuf, Failure> {
    let name = program.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    match name.strip_prefix("kubectl-") {
        Some(plugin) => Ok(program.with_file_name(format!("kubectl_complete-{plugin}"))),
        None => Err(Failure::new(format!("{name} is not a kubectl plugin's name"))
            .with_hint("call it kubectl-edge, so that kubectl finds it")),
    }
}

fn install(session: &Session) -> Result<Output, Failure> {
    let program = program()?;
    let helper = helper(&program)?;
    let hint = || format!("put a link {} to {} there yourself", helper.display(), program.display());
    if helper.exists() {
        session.talk.note(&format!("{} is there already", helper.display()));
        return Ok(Output::nothing());
    }
    // What is left of a plugin that is gone would be in the way.
    _ = fs::remove_file(&helper);
    link(&program, &helper).hint(hint())?;
    session.talk.note(&format!("{} serves \"{} <TAB>\" from now on", helper.display(), session.name));
    Ok(Output::nothing())
}

fn uninstall(session: &Session) -> Result<Output, Failure> {
    let helper = helper(&program()?)?;
    match fs::remove_file(&helper) {
        Ok(()) => session.talk.note(&format!("{} is removed", helper.display())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => session.talk.note("it was not installed"),
        Err(error) => return Err(error.into()),
    }
    Ok(Output::nothing())
}

/// A relative link, so that it holds when the folder is moved.
#[cfg(unix)]
fn link(program: &Path, helper: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(program.file_name().unwrap_or_default(), helper)
}

#[cfg(not(unix))]
fn link(program: &Path, helper: &Path) -> io::Result<()> {
    fs::copy(program, helper).map(|_| ())
}
