//! Identity beyond the cluster: a cloud's role that was revoked, a token that the cloud does not take.
//!
//! Three ways of revoking look the same in the cluster and differ in the cloud: who may take the role on, which of
//! its sessions still count, what it may do. What the cloud says to a fresh token of the same account tells the first
//! from the other two, and confirms or contradicts.

use crate::{
    crash::{AFTERMATH, Crash, ROUNDING},
    finding::{Finding, Findings, pod_subject},
    unwell::Unwell,
    world::{Revocation, Revoked, Said, World, age},
};
use loopdrill_model::{Cause, Evidence, Source, Subject, Timestamp, signal::*};

/// Seconds for which a refusal also counts for what came before it: the cloud is asked after a container failed.
const HINDSIGHT: f64 = 60.0;

/// Why the cloud denied something to a pod, and for how long.
struct Reason {
    cause: Cause,
    confidence: f64,
    from: Timestamp,
    until: Option<Timestamp>,
    proofs: Vec<Evidence>,
    /// The role, where the pod does not name it itself.
    role: Option<String>,
}

impl Reason {
    fn new(cause: Cause, confidence: f64, from: Timestamp) -> Self {
        Self { cause, confidence, from, until: None, proofs: Vec::new(), role: None }
    }

    fn proven_by(mut self, signal: &str, value: impl Into<String>, at: Timestamp, api: &str) -> Self {
        self.proofs.push(Evidence::new(signal, value, at, Source::cloud(api)));
        self
    }

    /// Whether it can be why a container ended at that time; also when it is over.
    fn explains(&self, ended_at: Timestamp) -> bool {
        age(ended_at, self.from) >= -ROUNDING && self.until.is_none_or(|end| age(ended_at, end) <= AFTERMATH)
    }
}

/// Whether the cloud's denials explain this crash. Also when they are over.
pub(crate) fn explains(world: &World, crash: &Crash<'_>) -> bool {
    reasons(world, crash).iter().any(|r| r.explains(crash.ended_at))
}

pub(crate) fn look(world: &World, unwell: &Unwell<'_>, found: &mut Findings<'_>) {
    let failed = |c: &&Crash<'_>| c.end.exit_code != 0 && !c.out_of_memory() && !c.never_ran();
    for crash in unwell.crashes.iter().filter(failed) {
        let standing = reasons(world, crash).into_iter().filter(|r| r.until.is_none());
        let guilty = standing.filter(|r| r.explains(crash.ended_at));
        let Some(reason) = guilty.max_by(|a, b| a.confidence.total_cmp(&b.confidence)) else { continue };
        let since = crash.ended_at.min(crash.since.max(reason.from));
        if found.lasts(since, 0.4) {
            let pod = crash.pod;
            found.add(format!("{}/{}", pod.namespace, pod.service_account), denied(world, crash, reason));
        }
    }
}

fn denied(world: &World, crash: &Crash<'_>, reason: Reason) -> Finding {
    let (pod, name) = (crash.pod, &crash.container.name);
    let since = if crash.since >= reason.from { crash.since } else { crash.ended_at.max(reason.from) };
    let account = Subject::new("ServiceAccount", &pod.namespace, &pod.service_account);
    let mut finding = Finding::new(reason.cause, reason.confidence, since).about([pod_subject(pod), account]);
    if let Some(role) = role(pod).or(reason.role.as_deref()) {
        finding.add_subject(Subject::new("CloudRole", "", role));
    }
    for proof in reason.proofs {
        finding = finding.proven_by(proof.signal, proof.value, proof.at, &proof.source);
    }
    finding = crash.prove(finding);
    if let Some((at, 0)) = world.log_bytes(&pod.uid, name) {
        finding.confidence += 0.02;
        finding =
            finding.proven_by(format!("log of container {name}"), "0 bytes", at, &Source::api("pods/log"));
    }
    finding
}

fn role(pod: &Pod) -> Option<&str> {
    pod.cloud.as_ref().map(|c| c.role.as_str()).filter(|r| !r.is_empty())
}

/// All that the cloud denied or denies to this pod's account, as far as it is known.
fn reasons(world: &World, crash: &Crash<'_>) -> Vec<Reason> {
    let pod = crash.pod;
    let Some(role) = role(pod) else { return kept_keys(world, crash) };
    let said = |api| world.cloud.said(&pod.namespace, &pod.service_account, role, api);
    let (session, object) = (said("sts"), said("s3"));
    let mut all: Vec<_> = world
        .cloud
        .revocations(role)
        .into_iter()
        .filter_map(|revoked| match &revoked.how {
            Revocation::Trust(_) => trust(&revoked, session),
            Revocation::Sessions(before) => sessions(&revoked, *before, session),
            Revocation::Grants(lost) => {
                grants(&revoked, &format!("{} taken away", lost.join(", ")), session, object)
            }
            Revocation::Denial(name) => grants(&revoked, &format!("{name} denies"), session, object),
        })
        .collect();
    let changed = |cause: Cause| all.iter().any(|r| r.cause == cause);
    let (trust, denied) = (changed(Cause::TrustDenied), changed(Cause::IamDenied));
    if let Some(said) = session {
        all.extend(bad_token(said, crash));
        all.extend(refused(Cause::TrustDenied, "sts", said, crash).filter(|_| !trust));
    }
    let asked = [("sts", session), ("s3", object)].into_iter();
    all.extend(asked.filter_map(|(api, said)| no_verdict(api, said?, crash)));
    if let Some(said) = object {
        all.extend(refused(Cause::IamDenied, "s3", said, crash).filter(|_| !denied));
    }
    all.extend(elsewhere(crash, session, object));
    all
}

/// A workload that fails within so many seconds of the revocation of a role's sessions had a session of that role.
const AT_ONCE: f64 = 15.0;

/// A key that was written into a pod's environment does not say which role it belongs to. When it stops working at the
/// moment at which the sessions of a role are revoked, it was a session of that role.
fn kept_keys(world: &World, crash: &Crash<'_>) -> Vec<Reason> {
    if crash.pod.cloud.is_none() {
        return Vec::new();
    }
    let revoked = world
        .cloud
        .roles()
        .flat_map(|role| world.cloud.revocations(role).into_iter().map(move |r| (role, r)));
    let reason = |(role, r): (&str, Revoked)| match &r.how {
        Revocation::Sessions(before) if (-ROUNDING..AT_ONCE).contains(&age(crash.since, r.at)) => {
            let value = format!("sessions of the role from before {before} are denied");
            let mut reason = Reason::new(Cause::SessionRevoked, 0.75, r.at.min(crash.since));
            reason = reason.proven_by("policy of the role", value, r.at, "iam");
            reason.until = r.restored_at;
            reason.role = Some(role.to_owned());
            Some(reason.proven_by("key of the pod", "one that nothing renews", crash.pod.at, "iam"))
        }
        _ => None,
    };
    revoked.filter_map(reason).collect()
}

/// Whether it was said well after the revocation was seen.
fn after<'s>(said: Option<&'s Said>, revoked: &Revoked) -> Option<&'s Said> {
    said.filter(|s| age(s.at, revoked.at) > ROUNDING)
}

fn trust(revoked: &Revoked, session: Option<&Said>) -> Option<Reason> {
    let reason = Reason::new(Cause::TrustDenied, 0.8, revoked.at);
    let mut reason = reason.proven_by("trust policy of the role", "changed", revoked.at, "iam");
    reason.until = revoked.restored_at;
    match session {
        Some(s) if s.word == CloudWord::Denied => {
            reason.confidence = 0.94;
            reason = reason.proven_by("AssumeRoleWithWebIdentity", "denied", s.at, "sts");
        }
        // The new policy lets this account in all the same.
        _ if after(session, revoked).is_some_and(|s| s.word == CloudWord::Accepted)
            && reason.until.is_none() =>
        {
            return None;
        }
        _ => {}
    }
    Some(reason)
}

fn sessions(revoked: &Revoked, before: Timestamp, session: Option<&Said>) -> Option<Reason> {
    let value = format!("sessions from before {before} are denied");
    let mut reason = Reason::new(Cause::SessionRevoked, 0.9, revoked.at);
    reason = reason.proven_by("policy of the role", value, revoked.at, "iam");
    reason.until = revoked.restored_at;
    if let Some(s) = after(session, revoked).filter(|s| s.word == CloudWord::Accepted) {
        reason.confidence = 0.94;
        reason =
            reason.proven_by("AssumeRoleWithWebIdentity", "accepted: only old sessions suffer", s.at, "sts");
    }
    Some(reason)
}

fn grants(revoked: &Revoked, what: &str, session: Option<&Said>, object: Option<&Said>) -> Option<Reason> {
    // Who gets no session cannot miss what a session may do.
    if after(session, revoked).is_some_and(|s| s.word == CloudWord::Denied) {
        return None;
    }
    let mut reason = Reason::new(Cause::IamDenied, 0.8, revoked.at);
    reason = reason.proven_by("policies of the role", what, revoked.at, "iam");
    reason.until = revoked.restored_at;
    match object {
        Some(s) if s.word == CloudWord::Denied => {
            reason.confidence = 0.94;
            reason = reason.proven_by("GetObject in a fresh session", "denied", s.at, "s3");
        }
        // Some other policy gives it, or it was not needed.
        _ if after(object, revoked).is_some_and(|s| s.word == CloudWord::Accepted)
            && reason.until.is_none() =>
        {
            return None;
        }
        _ => {}
    }
    Some(reason)
}

/// The cloud denies, and no change of the role was observed that would explain it.
fn refused(cause: Cause, api: &str, said: &Said, crash: &Crash<'_>) -> Option<Reason> {
    let denied_at = said.denied_at?;
    let stands = said.word == CloudWord::Denied;
    let mut reason = Reason::new(cause, 0.8, from(if stands { said.since } else { denied_at }, crash)?);
    reason.until = (!stands).then_some(denied_at);
    Some(reason.proven_by("a fresh token of the account", "denied", denied_at, api))
}

/// The cloud refuses a token that the API server has just issued: then the token is for another audience.
fn bad_token(said: &Said, crash: &Crash<'_>) -> Option<Reason> {
    if said.word != CloudWord::BadToken {
        return None;
    }
    let audience = crash.pod.tokens.iter().find(|a| !a.is_empty()).cloned().unwrap_or_default();
    let reason = Reason::new(Cause::TokenInvalid, 0.92, from(said.since, crash)?);
    let reason = reason.proven_by("audience of the pod's token", audience, crash.pod.at, "sts");
    Some(reason.proven_by("AssumeRoleWithWebIdentity", "the token is not accepted", said.at, "sts"))
}

/// The cloud says neither yes nor no: it does not answer, or it throttles. That says nothing about the account's
/// rights. It counts after it is over, too: a container that still waits in its back-off failed because of it.
fn no_verdict(api: &str, said: &Said, crash: &Crash<'_>) -> Option<Reason> {
    let (word, last_at) = said.no_verdict?;
    let (cause, value) = match word {
        CloudWord::Throttled => (Cause::CloudThrottled, "throttled"),
        _ => (Cause::CloudUnreachable, "no answer"),
    };
    let stands = said.word == word;
    let mut reason = Reason::new(cause, 0.9, from(if stands { said.since } else { last_at }, crash)?);
    reason.until = (!stands).then_some(last_at);
    Some(reason.proven_by("a fresh token of the account", value, last_at, api))
}

/// Whether the cloud has let the pod's account in and given it its object since then, where the pod looks for it.
pub(crate) fn clears(world: &World, pod: &Pod, since: Timestamp) -> bool {
    let Some(role) = role(pod) else { return pod.cloud.is_none() };
    let endpoint = pod.cloud.as_ref().map(|c| c.endpoint.as_str()).unwrap_or_default();
    ["sts", "s3"].iter().all(|api| {
        let said = world.cloud.said(&pod.namespace, &pod.service_account, role, api);
        said.is_some_and(|s| s.word == CloudWord::Accepted && s.at > since && s.endpoint == endpoint)
    })
}

/// The account is let in where the cloud is, and the pod asks elsewhere.
fn elsewhere(crash: &Crash<'_>, session: Option<&Said>, object: Option<&Said>) -> Option<Reason> {
    let (session, object) = (session?, object?);
    let endpoint = crash.pod.cloud.as_ref().map(|c| c.endpoint.as_str()).unwrap_or_default();
    let accepted = session.word == CloudWord::Accepted && object.word == CloudWord::Accepted;
    if !accepted || endpoint == session.endpoint {
        return None;
    }
    let place =
        |e: &str| if e.is_empty() { "where the SDK looks by itself".to_owned() } else { e.to_owned() };
    let said = format!("{}; the account's is {}", place(endpoint), place(&session.endpoint));
    let reason = Reason::new(Cause::BadConfiguration, 0.88, from(session.since, crash)?);
    let reason = reason.proven_by("the pod's own endpoint of the cloud", said, crash.pod.at, "sts");
    Some(reason.proven_by("a fresh token of the account", "accepted", object.at, "s3"))
}

/// From when on an answer counts for this crash: it was asked for because of one.
fn from(answered: Timestamp, crash: &Crash<'_>) -> Option<Timestamp> {
    (age(answered, crash.ended_at) <= HINDSIGHT).then(|| answered.min(crash.ended_at))
}
