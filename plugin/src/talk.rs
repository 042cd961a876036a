//! Talk with the user, on standard error: notes, warnings, progress, questions.

use std::collections::BTreeSet;
use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::args::Options;
use crate::failure::{Ending, Failure};
use crate::look::Look;

/// What lasts longer than this shows that it goes on.
const PATIENCE: Duration = Duration::from_secs(1);

/// The user's ear. Clones are the same.
#[derive(Clone)]
pub(crate) struct Talk {
    look: Look,
    is_interactive: bool,
    is_silent: bool,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// What is being done, and since when.
    busy: Option<(String, Instant)>,
    bar: Option<ProgressBar>,
    /// Warnings of the server that were told.
    warnings: BTreeSet<String>,
}

// === impl Talk ===

impl Talk {
    /// Talk on standard error.
    pub(crate) fn new(options: Options) -> Self {
        let is_terminal = io::stderr().is_terminal();
        let look = Look::new(options, is_terminal);
        // The crates that draw bars and ask questions would decide by themselves.
        console::set_colors_enabled_stderr(look.has_colors());
        Self {
            look,
            is_interactive: is_terminal && io::stdin().is_terminal(),
            is_silent: false,
            state: Arc::default(),
        }
    }

    /// Talk that nobody hears.
    pub(crate) fn silent(options: Options) -> Self {
        let look = Look::new(options, false);
        Self { look, is_interactive: false, is_silent: true, state: Arc::default() }
    }

    /// Whether somebody is there to answer.
    pub(crate) fn is_interactive(&self) -> bool {
        self.is_interactive
    }

    /// How talk looks.
    pub(crate) fn look(&self) -> Look {
        self.look
    }

    /// Tells something.
    pub(crate) fn note(&self, text: &str) {
        self.write(&format!("{}\n", self.look.fold_all(text)));
    }

    /// Tells what may be wrong.
    pub(crate) fn warning(&self, text: &str) {
        self.note(&format!("{} {text}", self.look.warning("warning:")));
    }

    /// Tells a warning of the server, once, in kubectl's words.
    pub(crate) fn server_warning(&self, text: &str) {
        if self.state().warnings.insert(text.to_owned()) {
            self.note(&format!("{} {text}", self.look.warning("Warning:")));
        }
    }

    /// How many warnings the server gave.
    pub(crate) fn server_warnings(&self) -> usize {
        self.state().warnings.len()
    }

    /// Says what is being done from now on. It is seen if it takes longer than a second, on a terminal.
    pub(crate) fn busy(&self, text: &str) {
        let mut state = self.state();
        match &mut state.busy {
            Some((old, _)) => text.clone_into(old),
            None => state.busy = Some((text.to_owned(), Instant::now())),
        }
        if let Some(bar) = &state.bar {
            bar.set_message(text.to_owned());
        }
    }

    /// Says what is being waited for. On a terminal it replaces what was said before; elsewhere each change is
    /// a line.
    pub(crate) fn waiting(&self, text: &str) {
        if self.look.is_terminal() {
            return self.busy(text);
        }
        let is_new = self.state().busy.as_ref().is_none_or(|(old, _)| old != text);
        self.busy(text);
        if is_new {
            self.note(text);
        }
    }

    /// What was being done is done.
    pub(crate) fn done(&self) {
        let mut state = self.state();
        state.busy = None;
        if let Some(bar) = state.bar.take() {
            bar.finish_and_clear();
        }
    }

    /// Moves what shows that something goes on; to be called about ten times a second.
    pub(crate) fn tick(&self) {
        let mut state = self.state();
        if let Some(bar) = &state.bar {
            return bar.tick();
        }
        match &state.busy {
            Some((text, since)) if since.elapsed() >= PATIENCE && self.look.is_terminal() => {
                let bar = spinner(text.clone());
                state.bar = Some(bar);
            }
            Some(_) | None => (),
        }
    }

    /// Asks whether to go on, unless the user said so beforehand. Without a terminal that is needed.
    pub(crate) fn confirm(&self, question: &str, yes: bool) -> Result<(), Failure> {
        if yes {
            return Ok(());
        }
        self.done();
        if !self.is_interactive {
            let failure = Failure::usage("nobody is there to confirm it");
            return Err(failure.with_hint("--yes goes on without a question"));
        }
        let asked = dialoguer::Confirm::new().with_prompt(question).default(false).interact_opt();
        match asked.map_err(at_prompt)? {
            Some(true) => Ok(()),
            Some(false) | None => Err(Failure::new("not confirmed, nothing was done")),
        }
    }

    /// Lets the user choose any number of these; none if it was left.
    pub(crate) fn choose(&self, prompt: &str, items: &[(String, bool)]) -> Result<Vec<usize>, Failure> {
        self.done();
        let prompt = format!("{prompt} (space chooses, enter goes on)");
        let picker = dialoguer::MultiSelect::new().with_prompt(prompt).items_checked(items.iter().cloned());
        Ok(picker.interact_opt().map_err(at_prompt)?.unwrap_or_default())
    }

    fn write(&self, text: &str) {
        if self.is_silent {
            return;
        }
        // There is no place left to tell that this failed.
        let write = || _ = io::stderr().lock().write_all(text.as_bytes());
        let bar = self.state().bar.clone();
        match bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn spinner(text: String) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{spinner} {wide_msg} {elapsed}");
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar.with_message(text)
}

fn at_prompt(error: dialoguer::Error) -> Failure {
    let dialoguer::Error::IO(error) = error;
    if error.kind() == io::ErrorKind::Interrupted {
        return Failure::interrupted();
    }
    Failure::from(error).ending(Ending::Failed)
}
