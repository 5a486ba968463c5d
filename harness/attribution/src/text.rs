//! What messages of Kubernetes, container runtimes and registries mean. Names inside a message (images,
//! URLs, anything quoted) are cut out first, so that nobody is blamed for what he called something.

use loopdrill_model::Cause;

/// The words of a message in lower case, without anything quoted and without URLs and image references.
fn words(message: &str) -> String {
    let mut bare = String::with_capacity(message.len());
    let mut quoted = false;
    for c in message.replace("\\\"", "\"").chars() {
        match c {
            '"' => quoted = !quoted,
            _ if quoted => {}
            _ => bare.push(c.to_ascii_lowercase()),
        }
    }
    let is_name = |word: &str| word.contains('/') && !word.starts_with("i/o");
    bare.split_whitespace().filter(|w| !is_name(w)).collect::<Vec<_>>().join(" ")
}

fn any(text: &str, patterns: &[&str]) -> bool {
    patterns.iter().any(|p| text.contains(p))
}

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
    any(&words(message), FINAL)
}

/// Words of a network that does not answer.
const UNREACHABLE: &[&str] = &[
    "dial tcp",
    "i/o timeout",
    "no such host",
    "connection refused",
    "connection reset",
    "no route to host",
    "network is unreachable",
    "tls handshake timeout",
    "context deadline exceeded",
    "server misbehaving",
    "client.timeout exceeded",
    "unexpected eof",
    "503 service unavailable",
    "502 bad gateway",
    "504 gateway",
    "500 internal server error",
    "429 too many requests",
    "toomanyrequests",
];

/// Words of a registry that wants other credentials.
const UNAUTHORIZED: &[&str] = &[
    "401",
    "403",
    "unauthorized",
    "authentication required",
    "no basic auth credentials",
    "forbidden",
    "access denied",
    "authorization failed",
    "insufficient_scope",
    "failed to authorize",
    "denied:",
];

/// Why a pull failed, by its error text and the image's name. `None` when the text does not say.
pub(crate) fn pull_failure(reason: &str, message: &str, image: &str) -> Option<Cause> {
    match reason {
        "InvalidImageName" => return Some(Cause::BadConfiguration),
        "ErrImageNeverPull" => return Some(Cause::ImageNotFound),
        _ => {}
    }
    let text = words(&message.replace(image, ""));
    if any(&text, UNREACHABLE) {
        Some(Cause::RegistryUnreachable)
    } else if any(&text, UNAUTHORIZED) {
        Some(Cause::PullUnauthorized)
    } else if any(&text, &["not found", "notfound", "manifest unknown", "name unknown"]) {
        Some(Cause::ImageNotFound)
    } else if any(&text, &["x509", "http response to https", "invalid reference"]) {
        Some(Cause::BadConfiguration)
    } else {
        None
    }
}

/// Why a controller could not create a pod.
pub(crate) fn create_failure(message: &str) -> Option<Cause> {
    let text = words(message);
    let webhook = any(&text, &["failed calling webhook", "failed to call webhook"]);
    if webhook || text.contains("no endpoints available for service") {
        Some(Cause::WebhookBlocked)
    } else if any(&text, &["exceeded quota", "failed quota", "exceeds quota", "status unknown for quota"]) {
        Some(Cause::QuotaExceeded)
    } else if any(&text, &["namespace is being terminated", "because it is being terminated"]) {
        None
    } else if any(
        &text,
        &["violates podsecurity", "denied the request", "not found", "is invalid", "forbidden"],
    ) {
        Some(Cause::BadConfiguration)
    } else {
        None
    }
}

/// Why a volume did not come, for a pod that has a node.
pub(crate) fn mount_failure(message: &str) -> Option<Cause> {
    let text = words(message);
    if text.contains("not registered") {
        // The kubelet has not seen the pod's objects yet; it says so at every start.
        return None;
    }
    let object = any(&text, &["configmap", "secret", "references non-existent"]);
    if object && any(&text, &["not found", "non-existent"]) {
        return Some(Cause::BadConfiguration);
    }
    Some(Cause::AttachOrMountFailed)
}

/// Whether a probe had its connection and waited for an answer in vain.
pub(crate) fn probe_waited(message: &str) -> bool {
    let text = words(message);
    text.contains("probe failed")
        && any(&text, &["awaiting headers", "deadline exceeded", "read: connection timed out"])
        && !any(&text, &["dial tcp", "connection refused", "no route to host"])
}

/// Why a claim is not bound, by the text of its own event. `None` when it only waits.
pub(crate) fn claim_failure(reason: &str, message: &str) -> Option<Cause> {
    let text = words(message);
    match reason {
        "ProvisioningFailed" if text.contains("not found") && text.contains("storageclass") => {
            Some(Cause::ClaimOrClassMissing)
        }
        "ProvisioningFailed" | "VolumeFailedDelete" => Some(Cause::ProvisioningFailed),
        "FailedBinding" => Some(Cause::ClaimOrClassMissing),
        "VolumeMismatch" => Some(Cause::ProvisioningFailed),
        _ => None,
    }
}

/// Whether the scheduler counts a volume's node affinity among its reasons.
pub(crate) fn says_volume_elsewhere(message: &str) -> bool {
    any(
        &words(message),
        &["persistentvolume's node affinity", "volume node affinity conflict", "no available volume zone"],
    )
}

/// Whether the scheduler counts missing resources among its reasons.
pub(crate) fn says_insufficient(message: &str) -> bool {
    any(&words(message), &["insufficient ", "too many pods"])
}

/// Whether the scheduler counts something among its reasons that only other pods or ports explain.
pub(crate) fn says_peers(message: &str) -> bool {
    any(
        &words(message),
        &["anti-affinity", "pod affinity", "topology spread", "free ports for the requested pod ports"],
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use Cause::*;

    #[test]
    fn pull_texts_are_told_apart() {
        let unexpected = "failed to pull and unpack image \"r:5000/a/b:1\": failed to resolve reference \
                          \"r:5000/a/b:1\": unexpected status from HEAD request to https://r:5000/v2/a/b/manifests/1: ";
        let cases = [
            (format!("{unexpected}401 Unauthorized"), Some(PullUnauthorized)),
            (format!("{unexpected}403 Forbidden"), Some(PullUnauthorized)),
            (format!("{unexpected}503 Service Unavailable"), Some(RegistryUnreachable)),
            (
                "rpc error: code = NotFound desc = failed to pull and unpack image \"r/a:1\": failed to resolve \
                 image: r/a:1: not found"
                    .into(),
                Some(ImageNotFound),
            ),
            (
                "failed to do request: Head \"https://r:5000/v2/\": dial tcp 10.0.0.1:5000: connect: connection \
                 refused"
                    .into(),
                Some(RegistryUnreachable),
            ),
            (
                "failed to authorize: failed to fetch oauth token: Post \"https://r/token\": dial tcp: lookup r: no \
                 such host"
                    .into(),
                Some(RegistryUnreachable),
            ),
            ("pull access denied, repository does not exist or may require authorization".into(), Some(PullUnauthorized)),
            ("Back-off pulling image \"r/401/unauthorized:not-found\"".into(), None),
        ];
        for (text, cause) in cases {
            assert_eq!(pull_failure("ErrImagePull", &text, "r:5000/a/b:1"), cause, "{text}");
        }
        assert_eq!(pull_failure("ErrImageNeverPull", "", ""), Some(ImageNotFound));
        assert_eq!(pull_failure("InvalidImageName", "", ""), Some(BadConfiguration));
    }

    #[test]
    fn a_name_that_speaks_of_failure_does_not() {
        let text = "failed to resolve image: unauthorized-401/dial-tcp:timeout: not found";
        assert_eq!(
            pull_failure("ErrImagePull", text, "unauthorized-401/dial-tcp:timeout"),
            Some(ImageNotFound)
        );
    }

    #[test]
    fn creation_texts_are_told_apart() {
        let cases = [
            (
                "pods \"a-1\" is forbidden: exceeded quota: q, requested: cpu=1, used: cpu=1, limited: cpu=1",
                Some(QuotaExceeded),
            ),
            ("pods \"a\" is forbidden: failed quota: q: must specify limits.cpu", Some(QuotaExceeded)),
            (
                "pods \"a\" is forbidden: violates PodSecurity \"restricted:latest\": runAsNonRoot != true",
                Some(BadConfiguration),
            ),
            (
                "Internal error occurred: failed calling webhook \"w.example.com\": failed to call webhook: Post \"https://w.n.svc:443/?timeout=10s\": service \"w\" not found",
                Some(WebhookBlocked),
            ),
            ("error looking up service account n/a: serviceaccount \"a\" not found", Some(BadConfiguration)),
            (
                "pods \"a\" is forbidden: unable to create new content in namespace n because it is being terminated",
                None,
            ),
            ("the server was unable to return a response in the time allotted", None),
        ];
        for (text, cause) in cases {
            assert_eq!(create_failure(text), cause, "{text}");
        }
    }

    #[test]
    fn a_probe_that_waits_is_not_one_that_is_refused() {
        let failed =
            |why: &str| probe_waited(&format!("Liveness probe failed: Get \"http://10.0.0.1:80/\": {why}"));
        assert!(failed("context deadline exceeded (Client.Timeout exceeded while awaiting headers)"));
        assert!(!failed("dial tcp 10.0.0.1:80: connect: connection refused"));
        assert!(!failed(
            "dial tcp 10.0.0.1:80: i/o timeout (Client.Timeout exceeded while awaiting headers)"
        ));
        assert!(!probe_waited("Readiness probe failed: HTTP probe failed with statuscode: 503"));
    }

    #[test]
    fn mount_texts_are_told_apart() {
        assert_eq!(
            mount_failure("MountVolume.SetUp failed for volume \"c\" : configmap \"c\" not found"),
            Some(BadConfiguration)
        );
        for held in [
            "Waiting for detach for volume \"pvc-1\" Volume is already exclusively attached to one node and can't be attached to another",
            "Multi-Attach error for volume \"pvc-1\" Volume is already used by pod(s) configmap-secret-0",
        ] {
            assert_eq!(mount_failure(held), Some(AttachOrMountFailed), "{held}");
        }
        assert_eq!(
            mount_failure(
                "MountVolume.SetUp failed for volume \"kube-api-access\" : object \"n\"/\"kube-root-ca.crt\" not registered"
            ),
            None
        );
        assert_eq!(
            mount_failure(
                "Multi-Attach error for volume \"pvc-1\" Volume is already exclusively attached to one node and can't be attached to another"
            ),
            Some(AttachOrMountFailed)
        );
    }
}
