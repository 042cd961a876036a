//! Whether somebody may (upstream: `plugin/pkg/authorizer/webhook`, `apiserver/pkg/authorization/path`).

use http::Method;

use super::Guard;
use crate::cluster::review::{Access, User, review_access};

/// Members may do everything, whatever the API server says.
const PRIVILEGED_GROUP: &str = "system:masters";

// === impl Guard ===

impl Guard {
    /// Whether `user` may; an error if nobody could be asked.
    pub(super) async fn access(&self, user: User, method: &Method, path: &str) -> Result<Access, String> {
        let privileged = user.groups.iter().any(|group| group == PRIVILEGED_GROUP);
        if privileged || is_listed(&self.settings.always_allow_paths, path) {
            return Ok(Access { allowed: true, reason: String::new() });
        }
        let Some(client) = &self.authorization else {
            return Ok(Access { allowed: false, reason: String::new() });
        };
        let key = (user, method.clone(), path.to_owned());
        if let Some(known) = self.accesses.get(&key) {
            return Ok(known);
        }
        let _permit = self.reviews.acquire().await.map_err(|error| error.to_string())?;
        let verb = method.as_str().to_ascii_lowercase();
        let access = review_access(client, &key.0, &verb, path).await?;
        let ttl = if access.allowed { self.settings.authorized_ttl } else { self.settings.unauthorized_ttl };
        self.accesses.put(key, access.clone(), ttl);
        Ok(access)
    }
}

/// Whether the path is listed, or begins as a listed one that ends in `*`.
fn is_listed(listed: &[String], path: &str) -> bool {
    let path = path.trim_start_matches('/');
    listed
        .iter()
        .map(|listed| listed.trim_start_matches('/'))
        .any(|listed| listed.strip_suffix('*').map_or(listed == path, |prefix| path.starts_with(prefix)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_listed_as_it_is_or_by_what_it_begins_with() {
        let listed = ["/healthz".to_owned(), "/debug/*".to_owned()];
        for (path, expected) in [
            ("/healthz", true),
            ("/healthz/ping", false),
            ("/metrics", false),
            ("/debug/", true),
            ("/debug/pprof/heap", true),
            ("/debug", false),
        ] {
            assert_eq!(is_listed(&listed, path), expected, "{path}");
        }
    }
}
