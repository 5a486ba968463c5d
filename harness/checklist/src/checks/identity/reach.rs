//! Which workloads reach a cloud, and which of them by a stored key.

use crate::snapshot::{Bundle, Container, Reads, Snapshot, Workload};
use std::collections::BTreeMap;

pub(super) type Bundles<'a> = BTreeMap<(&'a str, &'a str, &'a str), &'a Bundle>;

pub(super) fn bundles_by_name(s: &Snapshot) -> Bundles<'_> {
    s.bundles.iter().map(|b| ((b.kind.as_str(), b.namespace.as_str(), b.name.as_str()), b)).collect()
}

/// Whether a workload reaches a cloud: by what its environment names, by keys that are written into it, or by what
/// it reads from Secrets and ConfigMaps.
pub(super) fn reaches_cloud(w: &Workload, bundles: &Bundles<'_>) -> bool {
    let named = |r: &Reads| {
        let bundle = read_by(w, r, bundles);
        r.environment && r.entry.is_none() && bundle.is_some_and(|b| !b.cloud.is_empty())
    };
    !w.template.cloud.is_empty() || has_keys(w, bundles) || w.reads.iter().any(named)
}

fn read_by<'a>(w: &Workload, r: &Reads, bundles: &Bundles<'a>) -> Option<&'a Bundle> {
    bundles.get(&(r.kind.as_str(), w.namespace.as_str(), r.name.as_str())).copied()
}

/// Whether keys are written into a workload, or are in what it reads.
pub(super) fn has_keys(w: &Workload, bundles: &Bundles<'_>) -> bool {
    let written = |c: &Container| !c.keys.is_empty() || !c.command_keys.is_empty();
    let read = |r: &Reads| {
        let of_entry = |name: &String| r.entry.as_ref().is_none_or(|e| e == name);
        read_by(w, r, bundles).is_some_and(|b| b.keys.iter().any(|(name, _)| of_entry(name)))
    };
    w.template.containers.iter().any(written) || w.reads.iter().any(read)
}
