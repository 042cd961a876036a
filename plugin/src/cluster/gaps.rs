//! What could not be seen, and why.

use kube::Error;

use super::{Cluster, is_forbidden};
use crate::failure::Failure;

/// What could not be seen for want of permissions.
#[derive(Debug, Default)]
pub(crate) struct Gaps(Vec<String>);

// === impl Gaps ===

impl Gaps {
    /// The answer; none if it is forbidden, which is noted with what is left out for it. `needs` is the
    /// permission, such as "list nodes".
    pub(crate) fn allow<T>(
        &mut self,
        cluster: &Cluster,
        answer: Result<T, Error>,
        needs: &str,
        left_out: &str,
    ) -> Result<Option<T>, Failure> {
        match answer {
            Ok(answer) => Ok(Some(answer)),
            Err(error) if is_forbidden(&error) => {
                self.0.push(format!("no permission to {needs}: shown without {left_out}"));
                Ok(None)
            }
            Err(error) => Err(cluster.problem(error)),
        }
    }

    /// What could not be seen, for [`crate::view::Output::with_gaps`].
    pub(crate) fn into_messages(self) -> Vec<String> {
        self.0
    }
}
