//! The smallest remedy for a refusal of the API server, by its words.

/// What the cluster's owner can do so that this is admitted.
#[must_use]
pub fn remedy(message: &str) -> &'static str {
    let has = |word: &str| message.contains(word);
    if has("violates PodSecurity") {
        "let `pod-security` of the target file be the level that the message names, and victims are made for it; what \
         they cannot be made for needs that level lowered for the namespaces drill-* alone"
    } else if has("security context constraint") {
        "grant the SCC `nonroot-v2` to the accounts of the namespaces drill-* (`oc adm policy add-scc-to-group`)"
    } else if has("validate.kyverno") || has("kyverno") {
        "add a PolicyException of Kyverno for the namespaces drill-*, or let the victims' image and labels meet the policy"
    } else if has("gatekeeper") {
        "exclude the namespaces drill-* from that constraint (`spec.match.excludedNamespaces`)"
    } else if has("autopilot") || has("warden") {
        "Autopilot admits no such object at all; drill this fault on a standard cluster"
    } else if has("exceeded quota") {
        "raise that quota, or lower what others request"
    } else if has("ValidatingAdmissionPolicy") || has("denied the request") {
        "exclude the namespaces drill-* from that policy (`namespaceSelector`), or meet what it asks for"
    } else if has("is forbidden: User") || has("attempting to grant RBAC permissions") {
        "grant what `loopdrill rbac --drills` prints"
    } else {
        "let the cluster's owner allow it for the namespaces drill-*"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_guard_of_the_field_has_its_remedy() {
        let table = [
            ("pods \"x\" is forbidden: violates PodSecurity \"restricted:latest\": …", "pod-security"),
            ("pods \"x\" is forbidden: unable to validate against any security context constraint: …", "SCC"),
            ("admission webhook \"validate.kyverno.svc-fail\" denied the request: …", "PolicyException"),
            ("admission webhook \"validation.gatekeeper.sh\" denied the request: …", "excludedNamespaces"),
            (
                "admission webhook \"warden-validating.common-webhooks.networking.gke.io\" denied the request: GKE Warden autopilot",
                "Autopilot",
            ),
            ("pods \"x\" is forbidden: exceeded quota: budget", "quota"),
            (
                "ValidatingAdmissionPolicy 'labels' with binding 'labels' denied request: …",
                "namespaceSelector",
            ),
            ("namespaces is forbidden: User \"drills\" cannot create resource", "rbac --drills"),
            (
                "roles.rbac.authorization.k8s.io \"x\" is forbidden: user \"d\" is attempting to grant RBAC permissions",
                "rbac --drills",
            ),
        ];
        for (message, word) in table {
            let told = remedy(message);
            assert!(told.contains(word), "{message}: {told}");
        }
    }
}
