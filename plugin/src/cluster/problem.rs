//! What an error of the API client means to the user: one line, a hint, an exit code.

use std::io;

use kube::Error;
use kube::client::AuthError;
use kube::core::Status;

use super::exchange::TimedOut;
use crate::failure::{Ending, Failure};

/// Turns the client's errors into what the user sees.
pub(crate) trait Problem<T> {
    /// The same, of this server.
    fn problem(self, server: &str) -> Result<T, Failure>;
}

impl<T> Problem<T> for Result<T, Error> {
    fn problem(self, server: &str) -> Result<T, Failure> {
        self.map_err(|error| failure(error, server))
    }
}

/// Whether a permission is missing.
pub(crate) fn is_forbidden(error: &Error) -> bool {
    matches!(error, Error::Api(status) if status.code == 403)
}

/// Whether the object, or its kind, is not there.
pub(crate) fn is_not_found(error: &Error) -> bool {
    matches!(error, Error::Api(status) if status.code == 404)
}

/// The error as the user should see it.
pub(super) fn failure(error: Error, server: &str) -> Failure {
    match error {
        Error::Api(status) => of_status(&status),
        Error::Auth(error) => of_credentials(error),
        Error::Service(error) => of_transport(error.as_ref(), server),
        Error::HyperError(error) => of_transport(&error, server),
        Error::SerdeError(error) => {
            let failure = Failure::new(format!("{server} gave an answer that can't be read: {error}"));
            failure.with_hint("is this a Kubernetes API server?")
        }
        error => Failure::new(format!("{server}: {error}")),
    }
}

fn of_status(status: &Status) -> Failure {
    let failure = Failure::new(if status.message.is_empty() { &status.reason } else { &status.message });
    match status.code {
        401 => Failure::new("the server does not accept these credentials (Unauthorized)")
            .with_hint("they may have expired; --user and --context choose others"),
        403 => failure.with_hint("ask for this permission, or choose another user by --user or --as"),
        404 if status.reason.is_empty() || status.message.contains("the server could not find") => {
            Failure::new("the server does not know this kind of object")
                .with_hint("is the edge scheduler installed? \"kubectl edge install\" makes its definitions")
        }
        409 => failure.with_hint("it changed in the meantime; try again"),
        504 => failure.ending(Ending::TimedOut),
        _ => failure,
    }
}

fn of_credentials(error: AuthError) -> Failure {
    match error {
        AuthError::AuthExecStart(error) => {
            Failure::new(format!("the credential plugin can't be started: {error}"))
                .with_hint("the user's \"exec\" in the kubeconfig names it; is it installed and in the PATH?")
        }
        AuthError::AuthExecRun { cmd, out } => {
            // The command is shown with its environment; its own name is the first word in quotes.
            let name = cmd.split('"').find(|word| !word.trim().is_empty() && !word.contains('='));
            let said = String::from_utf8_lossy(&out.stderr);
            let said = said.lines().next().map(|line| format!(": {line}")).unwrap_or_default();
            let name = name.unwrap_or_default();
            Failure::new(format!("the credential plugin {name} failed ({}){said}", out.status))
                .with_hint("log in again with it, or choose another user by --user")
        }
        error => Failure::new(format!("the credentials can't be used: {error}")),
    }
}

fn of_transport(error: &(dyn std::error::Error + 'static), server: &str) -> Failure {
    let mut causes = vec![error];
    let mut next = error.source();
    while let Some(cause) = next {
        causes.push(cause);
        next = cause.source();
    }
    if let Some(TimedOut(limit)) = causes.iter().find_map(|it| it.downcast_ref()) {
        let failure = Failure::new(format!("{server} gave no answer within {limit:?}"));
        return failure.with_hint("--request-timeout gives it longer").ending(Ending::TimedOut);
    }
    if let Some(error) = causes.iter().find_map(|it| it.downcast_ref::<AuthError>()) {
        return Failure::new(format!("the credentials can't be renewed: {error}"));
    }
    let io = causes.iter().rev().find_map(|it| it.downcast_ref::<io::Error>());
    if io.is_some_and(|it| it.kind() == io::ErrorKind::TimedOut) {
        let failure = Failure::new(format!("{server} can't be reached: timed out"));
        return failure.with_hint("is the address right, and is there a way to it?").ending(Ending::TimedOut);
    }
    let cause = causes.last().map(ToString::to_string).unwrap_or_default();
    let failure = Failure::new(format!("{server} can't be reached: {cause}"));
    failure.with_hint(if cause.contains("ertificate") {
        "certificate-authority of the kubeconfig vouches for the server; --certificate-authority names another"
    } else {
        "is this the right context? \"kubectl config get-contexts\" lists them"
    })
}
