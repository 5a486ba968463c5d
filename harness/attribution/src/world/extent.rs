//! How much is known: what a silence rests on.

use super::World;
use loopdrill_model::Examined;
use std::{collections::BTreeSet, time::Duration};

impl World {
    /// What has been looked at so far.
    #[must_use]
    pub fn examined(&self) -> Examined {
        let logs: BTreeSet<_> = self.logs.keys().map(|(uid, container, _)| (uid, container)).collect();
        let control_plane = self.seen_working.iter().filter_map(|s| s.as_str().strip_prefix("metrics:"));
        Examined {
            nodes: self.nodes.len(),
            pods: self.pods.len(),
            logs: logs.into_iter().chain(self.clues.heard_of()).collect::<BTreeSet<_>>().len(),
            paths: self.probes.paths().count(),
            control_plane: control_plane
                .filter(|s| *s == "apiserver" || s.starts_with("etcd"))
                .map(str::to_owned)
                .collect(),
            seconds: Duration::try_from_secs_f64(self.watched_for()).map_or(0, |d| d.as_secs()),
        }
    }
}
