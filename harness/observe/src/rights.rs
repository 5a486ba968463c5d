//! What an observer may need to be allowed in a cluster: the rights of its watches and a few more, from which `loopdrill rbac --diagnose` prints a role.

use crate::watch::{Roster, watched};
use loopdrill_cluster::Right;

/// Everything that an observer asks for without probes. Each that is lacking makes its answers weaker, and is told.
#[must_use]
pub fn rights() -> Vec<Right> {
    watched(&Roster::default()).into_iter().map(|w| w.right).chain(ASKED).collect()
}

/// What it asks for beside what it watches.
const ASKED: [Right; 3] = [
    Right {
        group: "",
        resources: &["pods/log"],
        verbs: &["get"],
        why: "the last words of failing containers; without it, --no-logs",
    },
    Right {
        group: "authorization.k8s.io",
        resources: &["subjectaccessreviews"],
        verbs: &["create"],
        why: "to ask whether a failing account may do what it says it was denied; it changes nothing",
    },
    Right { group: "", resources: &["nodes/proxy"], verbs: &["get"], why: "what nodes use" },
];

/// Paths of the API server that are no resources.
pub const PATHS: &[&str] = &["/metrics"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::Sink;
    use crate::tasks::Tasks;
    use crate::watch::watch_all;
    use kube::{Client, client::Body};
    use std::collections::BTreeSet;
    use tokio::sync::mpsc;

    /// What is asked of an API server that never answers.
    #[tokio::test]
    async fn everything_that_is_watched_is_in_the_table() {
        let (asked, mut asks) = mpsc::unbounded_channel();
        let service = tower::service_fn(move |request: http::Request<Body>| {
            let resource = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
            asked.send(resource).expect("the test listens");
            std::future::pending::<Result<http::Response<Body>, std::convert::Infallible>>()
        });
        let (client, (tx, _rx)) = (Client::new(service, "default"), mpsc::channel(64));
        let tasks = Tasks::default();
        watch_all(&tasks, &client, &Sink::new(tx), &Roster::default(), None);
        let rights = rights();
        let listed: BTreeSet<_> =
            rights.iter().filter(|r| r.verbs.contains(&"watch")).flat_map(|r| r.resources).collect();
        let mut watched = Vec::new();
        while watched.len() < listed.len() {
            watched.push(asks.recv().await.expect("every watch asks once"));
        }
        let watched: BTreeSet<_> = watched.iter().map(String::as_str).collect();
        assert_eq!(watched, listed.into_iter().copied().collect());
    }
}
