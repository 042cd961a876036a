//! Waiting for a condition with a deadline: the only place that sleeps.

use crate::error::Error;
use std::{
    thread,
    time::{Duration, Instant},
};

/// Asks `probe` again and again, first every 10 ms and later every 200 ms, until it gives a value.
///
/// [`Error::Unreachable`] and the answers 429 and 5xx count as "not yet", because a server may be starting; any other error ends
/// the wait at once, as does the deadline with [`Error::Late`].
pub fn wait_for<T>(
    what: &str,
    limit: Duration,
    mut probe: impl FnMut() -> Result<Option<T>, Error>,
) -> Result<T, Error> {
    const LONGEST: Duration = Duration::from_millis(200);
    let deadline = Instant::now() + limit;
    let mut pause = Duration::from_millis(10);
    loop {
        let last = match probe() {
            Ok(Some(value)) => return Ok(value),
            Ok(None) => String::new(),
            Err(error) if is_passing(&error) => format!(" (last: {error})"),
            Err(error) => return Err(error),
        };
        if Instant::now() >= deadline {
            return Err(Error::Late { what: format!("{what}{last}"), seconds: limit.as_secs() });
        }
        thread::sleep(pause);
        pause = (pause * 3 / 2).min(LONGEST);
    }
}

fn is_passing(error: &Error) -> bool {
    matches!(error, Error::Unreachable { .. } | Error::Refused { status: 429 | 500.., .. })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_the_value_once_it_is_there() {
        let mut asked = 0;
        let value = wait_for("the third time", Duration::from_secs(10), || {
            asked += 1;
            Ok((asked == 3).then_some(asked))
        });
        assert_eq!(value.unwrap(), 3);
    }

    #[test]
    fn says_what_it_waited_for() {
        let late = wait_for::<()>("the moon", Duration::ZERO, || Ok(None)).unwrap_err();
        assert_eq!(late.to_string(), "waited 0 s in vain for the moon");
    }
}
