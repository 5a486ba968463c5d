//! What a cluster that is not ours admits, found out before any drill touches anything.
//!
//! First the API server is asked for every right of the plan. Then all that the drills would create is created as a dry
//! run on the server, so that whoever refuses there (Pod Security, an SCC, a policy, a quota) says so in his own words. For
//! that a namespace is needed, since policies go by it: one empty namespace of our own, journaled, which goes again.

mod rehearsal;

use crate::{Session, namespace};
use futures::{StreamExt as _, stream};
use k8s_openapi::api::{
    authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec},
    core::v1::Namespace,
};
use kube::{Api, Client, api::PostParams};
use loopdrill_cluster::{Fence, LEASE_NAMESPACE, Right};
use loopdrill_faults::{Fault, rights};
use loopdrill_fence::remedy;
use loopdrill_model::{Capability, FaultId};
use std::{collections::BTreeMap, sync::Arc};

/// Drills that are not run, each with what it lacks and why.
pub type Refused = BTreeMap<FaultId, (Capability, String)>;

/// Questions under way at a time.
const AT_ONCE: usize = 8;

/// What a run does with its Lease.
pub const LEASE_RIGHT: Right = Right {
    group: "coordination.k8s.io",
    resources: &["leases"],
    verbs: &["get", "create", "update", "patch", "delete"],
    why: "keeps two runs apart",
};

/// One thing that an account may do or not.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Verb {
    verb: &'static str,
    group: &'static str,
    resource: &'static str,
    namespace: Option<&'static str>,
}

impl Verb {
    fn all(right: &Right, namespace: Option<&'static str>) -> Vec<Self> {
        let (group, each) = (right.group, right.resources.iter());
        each.flat_map(|resource| {
            right.verbs.iter().map(move |verb| Verb { verb, group, resource, namespace })
        })
        .collect()
    }

    fn name(&self) -> String {
        let group = if self.group.is_empty() { String::new() } else { format!(".{}", self.group) };
        format!("{} {}{group}", self.verb, self.resource)
    }

    async fn is_allowed(&self, client: &Client) -> Result<bool, kube::Error> {
        let (resource, subresource) =
            self.resource.split_once('/').map_or((self.resource, None), |(r, s)| (r, Some(s.to_owned())));
        let attributes = ResourceAttributes {
            verb: Some(self.verb.into()),
            group: Some(self.group.into()),
            resource: Some(resource.into()),
            subresource,
            namespace: self.namespace.map(str::to_owned),
            ..ResourceAttributes::default()
        };
        let spec =
            SelfSubjectAccessReviewSpec { resource_attributes: Some(attributes), ..Default::default() };
        let review = SelfSubjectAccessReview { spec, ..SelfSubjectAccessReview::default() };
        let asked = Api::all(client.clone()).create(&PostParams::default(), &review).await?;
        Ok(asked.status.is_some_and(|s| s.allowed))
    }
}

/// What a drill must be allowed, the detector's eyes included.
fn verbs(drill: &FaultId) -> Option<Vec<Verb>> {
    let rights = rights::rights(drill)?;
    let mut verbs: Vec<_> =
        rights.iter().chain(&loopdrill_observe::rights()).flat_map(|r| Verb::all(r, None)).collect();
    verbs.extend(Verb::all(&LEASE_RIGHT, Some(LEASE_NAMESPACE)));
    verbs.sort();
    verbs.dedup();
    Some(verbs)
}

/// Asks whether the account may do all that these drills do. Touches nothing.
///
/// # Errors
/// When the API server does not answer such questions.
pub async fn ask_for_rights(client: &Client, drills: &[FaultId]) -> Result<Refused, kube::Error> {
    let mut all: Vec<Verb> = drills.iter().filter_map(verbs).flatten().collect();
    all.sort();
    all.dedup();
    let asked = stream::iter(all).map(|verb| async move { Ok((verb.is_allowed(client).await?, verb)) });
    let answers: Vec<Result<(bool, Verb), kube::Error>> = asked.buffer_unordered(AT_ONCE).collect().await;
    let mut lacking = Vec::new();
    for answer in answers {
        let (allowed, verb) = answer?;
        lacking.extend((!allowed).then_some(verb));
    }
    Ok(drills.iter().filter_map(|drill| Some((drill.clone(), refusal(drill, &lacking)?))).collect())
}

fn refusal(drill: &FaultId, lacking: &[Verb]) -> Option<(Capability, String)> {
    let Some(verbs) = verbs(drill) else {
        let why =
            "it is drilled in labs and kind clusters alone; nobody has said yet what it needs elsewhere";
        return Some((Capability::Fence, why.into()));
    };
    let mut missing: Vec<_> = verbs.iter().filter(|v| lacking.contains(v)).map(Verb::name).collect();
    missing.dedup();
    let more = missing.len().saturating_sub(6);
    missing.truncate(6);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    (!missing.is_empty()).then(|| {
        let why = format!(
            "this account may not: {}{more}; grant what `loopdrill rbac --drills --fault {}` prints",
            missing.join(", "),
            drill.fault
        );
        (Capability::Admission, why)
    })
}

/// Whether a namespace as drills make them would be admitted. Touches nothing.
///
/// # Errors
/// The refusal word for word, with its remedy.
pub async fn try_namespace(client: &Client, name: &str, fence: &Fence) -> Result<(), String> {
    let params = PostParams { dry_run: true, ..PostParams::default() };
    let made =
        Api::<Namespace>::all(client.clone()).create(&params, &namespace::object(name, Some(fence))).await;
    made.map(drop).map_err(|e| told(&format!("Namespace {name}"), &e))
}

/// A refusal in the API server's own words, with the smallest remedy.
fn told(what: &str, error: &kube::Error) -> String {
    let words = match error {
        kube::Error::Api(status) => status.message.clone(),
        other => other.to_string(),
    };
    format!("{what}: {words}; {}", remedy(&words))
}

fn ids(faults: &[Arc<dyn Fault>]) -> Vec<FaultId> {
    faults.iter().map(|f| f.spec().id()).collect()
}

/// The name of the preflight among the drills: its namespace is called after it.
#[must_use]
pub fn preflight_id() -> FaultId {
    FaultId::new("preflight", "objects")
}

impl Session {
    /// Keeps these drills from being run.
    #[must_use]
    pub fn refusing(mut self, refused: Refused) -> Self {
        self.refused = refused;
        self
    }

    /// Finds out which of these drills the cluster admits, and refuses the others. Touches nothing but a namespace of its
    /// own, which is gone afterwards.
    pub async fn preflight(&mut self, faults: &[Arc<dyn Fault>]) {
        let Some(fence) = self.target.facts.fence.clone() else { return };
        self.events.progress("asking what this account may do");
        let drills = ids(&self.still_open(faults));
        match ask_for_rights(&self.target.client, &drills).await {
            Ok(refused) => self.refused.extend(refused),
            Err(e) => self.refuse_all(&drills, &told("its rights cannot be asked for", &e)),
        }
        let open = self.still_open(faults);
        if !open.is_empty() && !self.cancel.is_cancelled() {
            self.rehearse_all(&open, &fence).await;
        }
    }

    /// Tries what these drills would create.
    async fn rehearse_all(&mut self, open: &[Arc<dyn Fault>], fence: &Fence) {
        self.events.progress("asking whether what the drills create would be admitted");
        let name = namespace::name(&preflight_id(), &self.target.run);
        if let Err(why) = try_namespace(&self.target.client, &name, fence).await {
            return self.refuse_all(&ids(open), &why);
        }
        match namespace::create(self, &preflight_id(), &name).await {
            Ok(()) => {
                for fault in open {
                    if let Err(why) = rehearsal::rehearse(self, fault, &name).await {
                        self.refused.insert(fault.spec().id(), (Capability::Admission, why));
                    }
                }
            }
            Err(why) => self.refuse_all(&ids(open), &why),
        }
        let mut pending = self.journal.pending().into_iter();
        if let Some(pending) = pending.find(|p| p.drill == preflight_id()) {
            self.remove_namespace_later(pending);
        }
    }

    /// The drills that the cluster can do and that are not refused.
    fn still_open(&self, faults: &[Arc<dyn Fault>]) -> Vec<Arc<dyn Fault>> {
        let facts = &self.target.facts;
        let can = |f: &&Arc<dyn Fault>| {
            f.spec().needs.iter().all(|c| facts.has(c)) && !self.refused.contains_key(&f.spec().id())
        };
        faults.iter().filter(can).cloned().collect()
    }

    fn refuse_all(&mut self, drills: &[FaultId], why: &str) {
        let refused = drills.iter().map(|d| (d.clone(), (Capability::Admission, why.to_owned())));
        self.refused.extend(refused);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drill() -> FaultId {
        FaultId::new("revoked-iam", "rbac")
    }

    #[test]
    fn a_missing_verb_is_named_with_the_command_that_prints_it() {
        let delete = |v: &Verb| v.verb == "delete" && v.resource == "rolebindings";
        let lacking: Vec<_> = verbs(&drill()).expect("known").into_iter().filter(delete).collect();
        let (capability, why) = refusal(&drill(), &lacking).expect("refused");
        assert_eq!(capability, Capability::Admission);
        assert_eq!(
            why,
            "this account may not: delete rolebindings.rbac.authorization.k8s.io; grant what `loopdrill rbac --drills \
             --fault revoked-iam` prints"
        );
        assert!(refusal(&drill(), &[]).is_none());
    }

    #[test]
    fn a_refusal_of_the_cluster_is_told_word_for_word_with_its_remedy() {
        let words = "pods \"path\" is forbidden: violates PodSecurity \"restricted:latest\": host namespaces \
                     (hostNetwork=true), unrestricted capabilities (container \"victim\" must set \
                     securityContext.capabilities.drop=[\"ALL\"])";
        let status = kube::core::Status::failure(words, "Forbidden").with_code(403);
        assert_eq!(
            told("Pod path", &kube::Error::Api(Box::new(status))),
            "Pod path: pods \"path\" is forbidden: violates PodSecurity \"restricted:latest\": host namespaces \
             (hostNetwork=true), unrestricted capabilities (container \"victim\" must set \
             securityContext.capabilities.drop=[\"ALL\"]); let `pod-security` of the target file be the level that the message \
             names, and victims are made for it; what they cannot be made for needs that level lowered for the namespaces drill-* \
             alone"
        );
    }

    #[test]
    fn a_drill_whose_needs_nobody_knows_is_not_run_elsewhere() {
        let (capability, _) = refusal(&FaultId::new("etcd-disk", "no-such"), &[]).expect("refused");
        assert_eq!(capability, Capability::Fence);
    }

    #[test]
    fn what_is_asked_for_is_what_is_printed() {
        let asked = verbs(&drill()).expect("known");
        let printed = rights::rights(&drill()).expect("known");
        assert!(printed.iter().all(|r| Verb::all(r, None).iter().all(|v| asked.contains(v))));
        assert!(asked.iter().any(|v| v.resource == "pods/log"), "the detector reads logs");
    }
}
