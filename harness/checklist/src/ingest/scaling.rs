//! What an object alone does not tell about how many pods there will be, and of which kind: autoscalers keep a floor, a
//! Rollout may borrow the template of a Deployment, and what a controller made is not there a second time.

use super::{OwnerKey, key, objects, raw};
use crate::snapshot::{Snapshot, Unjudged, Workload};
use std::collections::{BTreeMap, BTreeSet};

/// What is known until all objects are read.
#[derive(Default)]
pub(super) struct Scaling {
    /// The floor that an autoscaler keeps, by its target.
    floors: BTreeMap<OwnerKey, u32>,
    /// Whose template a workload borrows.
    borrows: BTreeMap<OwnerKey, OwnerKey>,
    /// Who made a workload.
    makers: BTreeMap<OwnerKey, OwnerKey>,
}

impl Scaling {
    /// An autoscaler; the API's own floor is one.
    pub(super) fn autoscaler(&mut self, kind: &str, raw: &raw::HorizontalPodAutoscaler) {
        let (of, name, least) = raw.target(kind);
        self.floors.insert((of, objects::namespace(&raw.metadata), name.into()), least);
    }

    /// A workload, and what it says of others.
    pub(super) fn declared(&mut self, of: &OwnerKey, meta: &raw::Meta, spec: &raw::WorkloadSpec) {
        let beside = |kind: &str, name: &str| (kind.to_string(), of.1.clone(), name.to_string());
        if let Some(lender) = &spec.workload_ref {
            self.borrows.insert(of.clone(), beside(&lender.kind, &lender.name));
        }
        if let Some(maker) = meta.owner_references.iter().find(|o| o.controller) {
            self.makers.insert(of.clone(), beside(&maker.kind, &maker.name));
        }
    }

    /// Says of each workload what is known now.
    pub(super) fn apply(&mut self, snapshot: &mut Snapshot) {
        let known: BTreeSet<OwnerKey> = snapshot.workloads.iter().map(key).collect();
        let made = |w: &Workload| self.makers.get(&key(w)).is_some_and(|maker| known.contains(maker));
        snapshot.workloads.retain(|w| !made(w));
        self.lend(snapshot);
        for workload in &mut snapshot.workloads {
            if let Some(floor) = self.floors.get(&key(workload)) {
                workload.replicas = *floor;
            }
        }
    }

    fn lend(&self, snapshot: &mut Snapshot) {
        for (borrower, lender) in &self.borrows {
            let Some(from) = snapshot.workloads.iter().find(|w| key(w) == *lender).cloned() else { continue };
            for to in snapshot.workloads.iter_mut().filter(|w| key(w) == *borrower) {
                to.template = from.template.clone();
                to.claim_templates.clone_from(&from.claim_templates);
                to.reads.clone_from(&from.reads);
            }
        }
    }
}

/// A workload in which no container is declared is a patch, or its template is elsewhere.
pub(super) fn without_containers(snapshot: &mut Snapshot) {
    let bare = |w: &&Workload| w.template.containers.is_empty();
    let told = |w: &Workload| Unjudged {
        object: w.to_string(),
        why: "declares no container here, so its pods were not judged".into(),
        file: w.file.clone(),
        pods: true,
    };
    let all: Vec<_> = snapshot.workloads.iter().filter(bare).map(told).collect();
    snapshot.unjudged.extend(all);
}
