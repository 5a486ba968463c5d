//! One clue against the cluster: confirmed, fitting, weak, or of no weight.

use super::{ALONE, CONTEXT, reach, words::action};
use crate::{
    finding::Basis,
    identity,
    world::{Seen, SeenClue, World},
};
use loopdrill_model::{Cause, Evidence, Source, Subject, Timestamp, signal::*};
use std::collections::BTreeSet;

/// What a clue comes to.
#[derive(Debug, Clone)]
pub(crate) struct Verdict {
    pub(crate) cause: Cause,
    pub(crate) confidence: f64,
    pub(crate) basis: Basis,
    /// Findings of one cause and group are one.
    pub(crate) group: String,
    pub(crate) subjects: Vec<Subject>,
    /// What in the cluster confirms it.
    pub(crate) proof: Option<Evidence>,
    /// What is missing to be sure.
    pub(crate) doubt: Option<String>,
}

impl Verdict {
    fn new(cause: Cause, confidence: f64, basis: Basis, pod: &Pod) -> Self {
        let group = format!("clue/{}/{basis:?}", pod.namespace);
        Self { cause, confidence, basis, group, subjects: Vec::new(), proof: None, doubt: None }
    }

    /// The cluster shows the same.
    pub(super) fn confirmed(cause: Cause, confidence: f64, pod: &Pod) -> Self {
        Self::new(cause, confidence, Basis::Clue, pod)
    }

    /// Nothing confirms it, and it is what this pod can be expected to fail of.
    pub(super) fn fitting(cause: Cause, pod: &Pod, doubt: &str) -> Self {
        Self { doubt: Some(doubt.into()), ..Self::new(cause, CONTEXT, Basis::Clue, pod) }
    }

    /// No more than words.
    pub(super) fn weak(cause: Cause, pod: &Pod, doubt: &str) -> Self {
        Self { doubt: Some(doubt.into()), ..Self::new(cause, ALONE, Basis::Weak, pod) }
    }

    pub(super) fn about(mut self, subjects: impl IntoIterator<Item = Subject>) -> Self {
        self.subjects.extend(subjects);
        self
    }

    pub(super) fn by(
        mut self,
        signal: &str,
        value: impl Into<String>,
        at: Timestamp,
        source: Source,
    ) -> Self {
        self.proof = Some(Evidence { signal: signal.into(), value: value.into(), at, source });
        self
    }

    /// What leads outweighs what is weak; then the surer does.
    pub(crate) fn outweighs(&self, other: &Self) -> bool {
        let leads = |v: &Self| v.basis == Basis::Clue;
        (leads(self), self.confidence) > (leads(other), other.confidence)
    }
}

/// What the clue comes to; nothing when the cluster contradicts it, or when it speaks of the program itself.
pub(crate) fn weigh(world: &World, pod: &Seen<Pod>, c: &Container, kind: &ClueKind) -> Option<Verdict> {
    let last = is_last_word(world, pod, c, kind);
    match kind {
        ClueKind::ApiForbidden { .. } => forbidden(world, pod, kind),
        ClueKind::ApiUnauthorized => Some(unauthorized(world, pod, c, last)),
        ClueKind::CloudDenied => Some(cloud(Cause::IamDenied, pod, last)),
        ClueKind::CloudToken => Some(cloud(Cause::TokenInvalid, pod, last)),
        ClueKind::CloudThrottled => Some(cloud(Cause::CloudThrottled, pod, last)),
        ClueKind::NameUnresolved { peer } => reach::unresolved(world, pod, c, peer, last),
        ClueKind::ConnectionRefused { peer } => reach::refused(world, pod, peer),
        ClueKind::NotReached { peer } => reach::not_reached(world, pod, peer),
        ClueKind::ConnectionTimedOut { peer } => {
            reach::unanswered(world, pod, peer, Cause::TrafficFiltered, last)
        }
        ClueKind::AnswerLate { peer } => reach::late(world, pod, c, peer, last),
        ClueKind::NoSpace { file } => disk(world, pod, Cause::VolumeFull, file),
        ClueKind::ReadOnlyFileSystem { file } | ClueKind::DiskError { file } => {
            disk(world, pod, Cause::VolumeFaulty, file)
        }
        ClueKind::RuntimeOutOfMemory => {
            let doubt = "the runtime's own limit may be lower than the container's";
            c.memory_limit_bytes.map(|_| Verdict::weak(Cause::OutOfMemory, pod, doubt))
        }
        ClueKind::EtcdTimeout => Some(etcd(world, pod, last)),
        // What only the program, its settings or its peers' own accounts explain.
        ClueKind::PasswordRejected
        | ClueKind::ConnectionReset { .. }
        | ClueKind::UpstreamError { .. }
        | ClueKind::Tls { .. }
        | ClueKind::FilePermission { .. }
        | ClueKind::TooManyFiles
        | ClueKind::AddressInUse
        | ClueKind::ExecFormat
        | ClueKind::CommandNotFound
        | ClueKind::SettingMissing
        | ClueKind::SettingMalformed
        | ClueKind::StackTrace => None,
    }
}

/// Whether it is the last that the container said before it ended, but for where in its code it was, and for what was late
/// because of it.
fn is_last_word(world: &World, pod: &Pod, c: &Container, kind: &ClueKind) -> bool {
    let ended = c.last.is_some() || matches!(c.state, ContainerState::Terminated(_));
    let follows = |said: &ClueKind| matches!(said, ClueKind::StackTrace | ClueKind::AnswerLate { .. });
    let last = |s: &&SeenClue| s.clue.kind == *kind || !follows(&s.clue.kind);
    ended && world.clues.of(&pod.uid, &c.name).iter().find(last).is_some_and(|s| s.clue.kind == *kind)
}

/// When the container ended last.
pub(super) fn ended_at(world: &World, c: &Container) -> Option<Timestamp> {
    let end = match &c.state {
        ContainerState::Terminated(now) => Some(now),
        _ => c.last.as_ref(),
    };
    end.and_then(|t| t.finished_at).map(|t| world.local(t))
}

/// A 403 counts as proven when the API server says the same of the pod's own account. What is said of another account
/// was not this pod's request.
fn forbidden(world: &World, pod: &Pod, kind: &ClueKind) -> Option<Verdict> {
    let ClueKind::ApiForbidden { account, verb, group, resource, namespace, name } = kind else {
        return None;
    };
    let own = Subject::new("ServiceAccount", &pod.namespace, &pod.service_account);
    if account.as_ref().is_some_and(|a| *a != own) {
        return None;
    }
    let same = |r: &AccessReview| {
        r.verb == *verb
            && r.group == *group
            && r.resource == *resource
            && r.namespace == *namespace
            && r.name == *name
    };
    let mut reviews = world.grants.reviews(&pod.namespace, &pod.service_account);
    let Some(review) = reviews.find(|r| same(&r.review)) else {
        let doubt = "the API server was not asked, or did not say, whether the account may";
        return Some(Verdict::weak(Cause::RbacDenied, pod, doubt).about([own]));
    };
    if review.review.allowed {
        return None;
    }
    let mut verdict = Verdict::confirmed(Cause::RbacDenied, 0.92, pod).about([own]).by(
        "SubjectAccessReview",
        format!("{}: denied", action(kind)),
        review.denied_since.unwrap_or(review.at),
        Source::api("subjectaccessreviews"),
    );
    // As the rule that watches rights being withdrawn names its findings.
    verdict.group = format!("{}/{}", pod.namespace, pod.service_account);
    Some(verdict)
}

/// Authentications that fail meanwhile are counted by the API server, without whose they were. What failed before we
/// asked it is in no count of ours.
fn unauthorized(world: &World, pod: &Pod, c: &Container, last: bool) -> Verdict {
    let account = Subject::new("ServiceAccount", &pod.namespace, &pod.service_account);
    let failed = identity::refused_tokens(world);
    let verdict = if failed >= 1.0 {
        let value = format!("+{failed:.0} in 60 s");
        let source = Source::metrics("apiserver");
        Verdict::confirmed(Cause::TokenInvalid, 0.8, pod).by(
            &identity::unauthenticated(),
            value,
            world.now(),
            source,
        )
    } else if pod.tokens.iter().any(|audience| !audience.is_empty()) && !pod.tokens.contains(&String::new()) {
        Verdict::fitting(Cause::TokenInvalid, pod, "the pod has a token for another audience only")
    } else if last
        && !pod.tokens.is_empty()
        && ended_at(world, c).is_some_and(|t| world.age(t) > world.watched_for())
    {
        Verdict::fitting(Cause::TokenInvalid, pod, "it ended before the API server was asked for its counts")
    } else {
        Verdict::weak(Cause::TokenInvalid, pod, "the API server counts no failed authentication")
    };
    verdict.about([account])
}

const NO_CLOUD: &str = "the pod's spec names no cloud identity, and the cloud was not asked";

/// Whether a pod goes to a cloud at all is written in its spec, or shows in that it ended with the cloud's answer; what
/// the cloud says to it only the cloud knows.
fn cloud(cause: Cause, pod: &Pod, last: bool) -> Verdict {
    let account = Subject::new("ServiceAccount", &pod.namespace, &pod.service_account);
    let goes = pod.cloud.is_some() || pod.tokens.iter().any(|audience| !audience.is_empty());
    let verdict = match goes {
        true => Verdict::fitting(cause, pod, "the cloud itself was not asked"),
        false if last => Verdict::fitting(cause, pod, NO_CLOUD),
        false => Verdict::weak(cause, pod, NO_CLOUD),
    };
    verdict.about([account])
}

/// A disk is to blame when the file lies on a bound claim's volume: by the mounts of the pod, not by the log's word.
fn disk(world: &World, pod: &Pod, cause: Cause, file: &FilePlace) -> Option<Verdict> {
    let claim = match file {
        FilePlace::Claim(claim) => claim,
        // Programs that work in their own folder name relative paths.
        FilePlace::Unknown => match &pod.claims[..] {
            [claim] => claim,
            _ => return None,
        },
        // The spec says so: the program writes where it should not. The node's own disk shows in the node's conditions.
        FilePlace::ReadOnlyBySpec | FilePlace::Node => return None,
    };
    let bound = world.claims.find(&pod.namespace, claim).filter(|c| c.phase == "Bound");
    let about = Subject::new("PersistentVolumeClaim", &pod.namespace, claim);
    let Some(bound) = bound else {
        return Some(Verdict::weak(cause, pod, "the claim is not known to be bound").about([about]));
    };
    let volume = bound.volume.as_ref().map(|v| Subject::new("PersistentVolume", "", v));
    if *file == FilePlace::Unknown {
        let verdict =
            Verdict::fitting(cause, pod, "which file it was is not known; the pod mounts one claim");
        return Some(verdict.about([about]).about(volume));
    }
    let value =
        format!("the file lies on the volume of claim {claim}, which is bound and mounted to be written to");
    let verdict = Verdict::confirmed(cause, 0.75, pod).about([about]).about(volume);
    Some(verdict.by("mounts of the pod", value, bound.at, Source::api("pods")))
}

/// Several workloads that say the same confirm each other; one alone fits when it is a client of the API at all.
fn etcd(world: &World, pod: &Pod, last: bool) -> Verdict {
    let says = |(uid, container): &(&String, &String)| {
        world.clues.of(uid, container).iter().any(|s| s.clue.kind == ClueKind::EtcdTimeout)
    };
    let another = |p: &&Seen<Pod>| p.namespace != pod.namespace || p.service_account != pod.service_account;
    let speakers: BTreeSet<_> = world.clues.heard_of().filter(says).map(|(uid, _)| uid).collect();
    let others = speakers.into_iter().filter_map(|uid| world.pods.get(uid)).filter(another).count();
    if others > 0 {
        let value = format!("{others} pods of other accounts say the same");
        let verdict = Verdict::confirmed(Cause::EtcdDiskBound, 0.65, pod);
        return verdict.by("other clients of the API", value, world.now(), Source::api("pods/log"));
    }
    let doubt = "no other client of the API says so, and etcd was not measured to be slow";
    match last || world.grants.any(&pod.namespace, &pod.service_account) {
        true => Verdict::fitting(Cause::EtcdDiskBound, pod, doubt),
        false => Verdict::weak(Cause::EtcdDiskBound, pod, doubt),
    }
}
