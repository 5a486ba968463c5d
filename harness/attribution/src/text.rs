//! What messages mean for the rules: the [phrases](crate::phrases) of their topic, and what the reason adds.

use crate::phrases::{Phrase, Reading, Topic, Weight, read};
use loopdrill_model::Cause;

/// Whether a driver says that trying again will not help, by the codes of gRPC.
pub(crate) fn is_final(message: &str) -> bool {
    const FINAL: &[&str] = &[
        "code = failedprecondition",
        "code = invalidargument",
        "code = notfound",
        "code = outofrange",
        "code = permissiondenied",
        "code = unimplemented",
    ];
    Reading::of(message, &[]).says_any(FINAL)
}

/// Whether a certificate is refused. It is refused however quickly everybody answers.
pub(crate) fn is_of_a_certificate(message: &str) -> bool {
    Reading::of(message, &[]).says_any(&["x509:", "tls: ", "certificate signed by unknown authority"])
}

/// Why a pull failed, by its error text and the image's name. `None` when the text does not say.
pub(crate) fn pull_failure(reason: &str, message: &str, image: &str) -> Option<Cause> {
    match reason {
        "InvalidImageName" => Some(Cause::BadConfiguration),
        "ErrImageNeverPull" => Some(Cause::ImageNotFound),
        "SignatureValidationFailed" => Some(Cause::BadConfiguration),
        _ => read(Topic::Pull, message, &names_in(image))?.cause,
    }
}

/// What somebody chose in an image's name: all of it, and its parts, as messages quote them.
fn names_in(image: &str) -> Vec<&str> {
    let mut names = vec![image];
    names.extend(image.split(['/', '@']));
    names.extend(image.rsplit('/').next().into_iter().flat_map(|last| last.split(':')));
    names
}

/// Why a controller could not create a pod.
pub(crate) fn create_failure(message: &str) -> Option<Cause> {
    read(Topic::Refusal, message, &[])?.cause
}

/// Why a volume did not come, for a pod that has a node, and whether the text says so itself. `None` when it is said of
/// what is well.
pub(crate) fn mount_failure(message: &str) -> Option<(Cause, Said)> {
    let of_a_store =
        Reading::of(message, &[]).says_any(&["secrets store objects", "failed to get secretproviderclass"]);
    let found = if of_a_store { read(Topic::Secrets, message, &[]) } else { None };
    let default = if of_a_store { Cause::IamDenied } else { Cause::AttachOrMountFailed };
    match found.or_else(|| read(Topic::Mount, message, &[])) {
        Some(Phrase { cause: None, .. }) => None,
        Some(phrase) if of_a_store && found.is_none() => Some((
            phrase.cause.filter(|c| *c != Cause::AttachOrMountFailed).unwrap_or(default),
            Said::Vaguely,
        )),
        Some(phrase) => Some((phrase.cause?, Said::by(phrase))),
        None => Some((default, Said::Vaguely)),
    }
}

/// How clearly a message says why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Said {
    /// Only who failed, or in words that nobody knows.
    Vaguely,
    /// Something that the next try may not meet.
    InPassing,
    /// Why.
    Clearly,
}

impl Said {
    pub(crate) fn by(phrase: &Phrase) -> Self {
        match phrase.weight {
            Weight::Wrapper => Self::Vaguely,
            Weight::Transient => Self::InPassing,
            Weight::Plain | Weight::Strong => Self::Clearly,
        }
    }
}

/// Why a sandbox was not made, and how clearly that is said. The image of the sandbox is pulled as any other.
pub(crate) fn sandbox_failure(reason: &str, message: &str) -> Option<(Cause, Said)> {
    const IMAGE: &[&str] = &[
        "failed to get sandbox image",
        "unable to pull sandbox image",
        "pulling pause image",
        "failed pulling image",
        "pinging container registry",
        "initializing source",
    ];
    let of_image = Reading::of(message, &[]).says_any(IMAGE);
    let pulled = if of_image { read(Topic::Pull, message, &[]) } else { None };
    match pulled.or_else(|| read(Topic::Sandbox, message, &[])) {
        Some(phrase) => Some((phrase.cause?, Said::by(phrase))),
        None if reason == "NetworkNotReady" => Some((Cause::CniFailed, Said::Clearly)),
        None if reason == "FailedCreatePodSandBox" && !of_image => {
            Some((Cause::RuntimeFailing, Said::Vaguely))
        }
        None => None,
    }
}

/// Why a container could not be made or started. What the text does not say is the pod's own.
pub(crate) fn container_failure(message: &str) -> (Cause, Said) {
    let known = read(Topic::Container, message, &[]).and_then(|p| Some((p.cause?, Said::by(p))));
    known.unwrap_or((Cause::BadConfiguration, Said::Vaguely))
}

/// Why the kubelet gave a pod up, by the reason of its status and the text.
pub(crate) fn giving_up(reason: &str, message: &str) -> Option<Cause> {
    let by_reason = match reason {
        "Evicted" => Some(Cause::NodePressure),
        "UnexpectedAdmissionError" => Some(Cause::DeviceUnavailable),
        "TopologyAffinityError" => Some(Cause::Exhaustion),
        "NodeAffinity"
        | "MatchNodeSelector"
        | "NodePorts"
        | "PodFitsHostPorts"
        | "PodOSSelectorNodeLabelDoesNotMatch"
        | "SMTAlignmentError" => Some(Cause::PlacementConstraint),
        "SysctlForbidden" | "AppArmor" | "PodOSNotSupported" => Some(Cause::BadConfiguration),
        reason if reason.starts_with("OutOf") => Some(Cause::Exhaustion),
        _ => return None,
    };
    // An eviction by the API, or by a descheduler, is nobody's fault.
    let said = read(Topic::Status, message, &[]).and_then(|p| p.cause);
    if reason == "Evicted" { said } else { said.or(by_reason) }
}

/// Why a node is not ready, in the kubelet's words.
pub(crate) fn not_ready(message: &str) -> Option<Cause> {
    read(Topic::Status, message, &[])?.cause
}

/// Why there is no load balancer, and how clearly that is said.
pub(crate) fn balancer_failure(message: &str) -> (Cause, Said) {
    let known = read(Topic::Service, message, &[]).and_then(|p| Some((p.cause?, Said::by(p))));
    known.unwrap_or((Cause::LoadBalancerFailed, Said::Vaguely))
}

/// What the scheduler itself says keeps a pod from all nodes. What it says of preemption is another count of the same.
pub(crate) fn scheduling_failure(message: &str) -> Option<&'static Phrase> {
    let own = message.split("preemption:").next().unwrap_or(message);
    read(Topic::Schedule, own, &[])
}

/// Whether the scheduler counts something with one of these causes among its reasons, and nothing that leaves only another
/// reading, unless it is one of those `beside`; or says nothing at all. Where our own count differs it is right: it knows more, or we know it later.
pub(crate) fn scheduler_agrees(message: &str, causes: &[Cause], beside: &[Cause]) -> bool {
    let own = message.split("preemption:").next().unwrap_or(message);
    let reading = Reading::of(own, &[]);
    let mut said = reading.held(Topic::Schedule).iter().map(|(phrase, _)| *phrase);
    let one = |p: &Phrase| p.cause.is_some_and(|c| causes.contains(&c));
    let fits = |p: &Phrase| one(p) || p.cause.is_some_and(|c| beside.contains(&c));
    let other = said.clone().any(|p| p.weight == Weight::Strong && !fits(p));
    own.trim().is_empty() || !other && said.any(one)
}

/// Whether a probe had its connection and waited for an answer in vain.
pub(crate) fn probe_waited(message: &str) -> bool {
    const WAITED: &[&str] = &["awaiting headers", "deadline exceeded", "read: connection timed out"];
    const NEVER_THERE: &[&str] = &["dial tcp", "connection refused", "no route to host"];
    let text = Reading::of(message, &[]);
    text.says("probe failed") && text.says_any(WAITED) && !text.says_any(NEVER_THERE)
}

/// Whether a kubelet could not even open a connection to a pod of its own node, where nobody refused it: its packets
/// found no way, or no answer.
pub(crate) fn probe_lost(message: &str) -> bool {
    const LOST: &[&str] = &["i/o timeout", "no route to host", "network is unreachable", "invalid argument"];
    let text = Reading::of(message, &[]);
    text.says("probe failed") && text.says("dial tcp") && text.says_any(LOST)
}

/// Why a claim is not bound, or does not grow, by the text of its own event. `None` when it only waits.
pub(crate) fn claim_failure(reason: &str, message: &str) -> Option<Cause> {
    let default = match reason {
        "ProvisioningFailed" | "VolumeFailedDelete" | "VolumeMismatch" => Cause::ProvisioningFailed,
        "FailedBinding" => Cause::ClaimOrClassMissing,
        "VolumeResizeFailed" | "FileSystemResizeFailed" => Cause::ResizeFailed,
        _ => return None,
    };
    let of_growth = default == Cause::ResizeFailed;
    let said = read(Topic::Claim, message, &[]).and_then(|p| p.cause);
    // Who speaks of making a volume in an event about growing one speaks of another.
    Some(
        said.filter(|c| {
            (*c != Cause::ProvisioningFailed || !of_growth) && (*c != Cause::ResizeFailed || of_growth)
        })
        .unwrap_or(default),
    )
}

/// Whether the scheduler counts a volume's node affinity among its reasons.
pub(crate) fn says_volume_elsewhere(message: &str) -> bool {
    const ELSEWHERE: &[&str] =
        &["persistentvolume's node affinity", "volume node affinity conflict", "no available volume zone"];
    Reading::of(message, &[]).says_any(ELSEWHERE)
}

/// Whether the scheduler counts missing resources among its reasons.
pub(crate) fn says_insufficient(message: &str) -> bool {
    Reading::of(message, &[]).says_any(&["insufficient", "too many pods"])
}

/// Whether the scheduler counts something among its reasons that only other pods or ports explain.
pub(crate) fn says_peers(message: &str) -> bool {
    const PEERS: &[&str] =
        &["anti-affinity", "pod affinity", "topology spread", "free ports for the requested pod ports"];
    Reading::of(message, &[]).says_any(PEERS)
}

#[cfg(test)]
mod field;
#[cfg(test)]
mod tests;
