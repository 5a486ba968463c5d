//! Identity: an account lost what it needs, a token is not accepted, a registry rejects a credential.

use crate::{
    cloud,
    crash::{AFTERMATH, Crash, ROUNDING},
    finding::{Finding, Findings, PROVEN, excerpt, node_subject, pod_subject},
    text,
    unwell::Unwell,
    world::{Fact, Loss, Seen, World},
};
use loopdrill_model::{Cause, Measure, Source, Subject, Timestamp, metrics, signal::*};

pub(crate) fn look(world: &World, unwell: &Unwell<'_>, found: &mut Findings<'_>) {
    revoked_rights(world, unwell, found);
    withheld_rights(world, unwell, found);
    bad_tokens(world, unwell, found);
    failed_pulls(world, unwell, found);
}

/// What an account lost, with the API server's answer to whether it may.
struct Denial {
    what: String,
    binding: Option<Subject>,
    lost_at: Timestamp,
    restored_at: Option<Timestamp>,
    /// The API server says no.
    confirmed: Option<Timestamp>,
}

/// Why this crash may have happened: its account was denied something at that time. Also when that is over.
pub(crate) fn explained_by_past_denial(world: &World, crash: &Crash<'_>) -> bool {
    let pod = crash.pod;
    cloud::explains(world, crash)
        || denials(world, &pod.namespace, &pod.service_account).iter().any(|d| {
            let after_loss = crate::world::age(crash.ended_at, d.lost_at) >= -ROUNDING;
            let before_return =
                d.restored_at.is_none_or(|back| crate::world::age(crash.ended_at, back) <= AFTERMATH);
            after_loss && before_return
        })
}

fn denials(world: &World, namespace: &str, account: &str) -> Vec<Denial> {
    let losses = world.grants.losses(namespace, account);
    let mut denials: Vec<_> =
        losses.into_iter().map(|loss| denial(world, namespace, account, loss)).collect();
    for review in world.grants.reviews(namespace, account).filter(|r| r.withdrawn()) {
        let since = review.denied_since.unwrap_or(review.at);
        if denials.is_empty() {
            denials.push(Denial {
                what: question(&review.review),
                binding: None,
                lost_at: since,
                restored_at: None,
                confirmed: Some(since),
            });
        }
    }
    denials
}

fn denial(world: &World, namespace: &str, account: &str, loss: Loss) -> Denial {
    let asked: Vec<_> =
        world.grants.reviews(namespace, account).filter(|r| concerns(&r.review, &loss.rule)).collect();
    let after = |t: Timestamp| crate::world::age(t, loss.lost_at) >= -ROUNDING;
    let confirmed =
        asked.iter().filter(|r| !r.review.allowed && after(r.at)).filter_map(|r| r.denied_since).min();
    // Asked well after the loss, and all is allowed: some other way gives it.
    let contradicted = !asked.is_empty()
        && asked.iter().all(|r| r.review.allowed && crate::world::age(r.at, loss.lost_at) > ROUNDING);
    let contradicted_at = asked.iter().map(|r| r.at).max().filter(|_| contradicted);
    Denial {
        what: rule_text(&loss.rule),
        binding: Some(loss.binding),
        lost_at: loss.lost_at,
        restored_at: loss.restored_at.or(contradicted_at),
        confirmed,
    }
}

fn concerns(review: &AccessReview, rule: &Rule) -> bool {
    let has = |all: &[String], one: &String| all.iter().any(|x| x == "*" || x == one);
    has(&rule.verbs, &review.verb)
        && has(&rule.groups, &review.group)
        && has(&rule.resources, &review.resource)
}

fn question(r: &AccessReview) -> String {
    format!("{} {}", r.verb, r.resource)
}

fn rule_text(rule: &Rule) -> String {
    format!("{} {}", rule.verbs.join(","), rule.resources.join(","))
}

fn revoked_rights(world: &World, unwell: &Unwell<'_>, found: &mut Findings<'_>) {
    for crash in
        unwell.crashes.iter().filter(|c| c.end.exit_code != 0 && !c.out_of_memory() && !c.never_ran())
    {
        let pod = crash.pod;
        let denials = denials(world, &pod.namespace, &pod.service_account);
        let standing = denials.iter().filter(|d| d.restored_at.is_none());
        let guilty = standing.filter(|d| crate::world::age(crash.ended_at, d.lost_at) >= -ROUNDING);
        // Whoever takes the right away may be about to delete the pod as well.
        if let Some(denial) = guilty.max_by_key(|d| (d.confirmed.is_some(), d.lost_at))
            && found.lasts(crash.ended_at.min(crash.since.max(denial.lost_at)), 0.4)
        {
            let group = format!("{}/{}", pod.namespace, pod.service_account);
            found.add(group, denied(world, crash, denial));
        }
    }
}

fn denied(world: &World, crash: &Crash<'_>, denial: &Denial) -> Finding {
    let (pod, name) = (crash.pod, &crash.container.name);
    let mut confidence: f64 = if denial.confirmed.is_some() { 0.92 } else { 0.78 };
    let since = if crash.since >= denial.lost_at { crash.since } else { crash.ended_at.max(denial.lost_at) };
    let account = Subject::new("ServiceAccount", &pod.namespace, &pod.service_account);
    let mut finding = Finding::new(Cause::RbacDenied, confidence, since).about([pod_subject(pod), account]);
    if let Some(binding) = &denial.binding {
        finding.add_subject(binding.clone());
        finding = finding.proven_by(
            "right withdrawn",
            format!("{} by {binding}", denial.what),
            denial.lost_at,
            &Source::api("rolebindings"),
        );
    }
    if let Some(at) = denial.confirmed {
        let source = Source::api("subjectaccessreviews");
        finding = finding.proven_by("SubjectAccessReview", format!("{}: denied", denial.what), at, &source);
    }
    finding = crash.prove(finding);
    if let Some((at, 0)) = world.log_bytes(&pod.uid, name) {
        confidence += 0.02;
        finding =
            finding.proven_by(format!("log of container {name}"), "0 bytes", at, &Source::api("pods/log"));
    }
    let unanswered = denied_authorizations(world, 30);
    if unanswered > 0.0 {
        confidence += 0.02;
        let value = format!("+{unanswered:.0} in 30 s");
        let source = Source::metrics("apiserver");
        finding = finding.proven_by(unauthorized(), value, world.now(), &source);
    }
    if crash.deaths >= 2 {
        confidence += 0.02;
    }
    Finding { confidence, ..finding }
}

/// Who is called in afterwards has seen no right being withdrawn. What is left of it: a container that ends without a word,
/// of an account with a token and without any right, in a namespace with a Role to which nobody is bound, and the API
/// server's answer that the account may not do what that Role allows.
fn withheld_rights(world: &World, unwell: &Unwell<'_>, found: &mut Findings<'_>) {
    let silent = |c: &Crash<'_>| {
        matches!(world.log_bytes(&c.pod.uid, &c.container.name), Some((_, 0)))
            && world.clues.of(&c.pod.uid, &c.container.name).is_empty()
    };
    let by_itself =
        |c: &Crash<'_>| c.end.exit_code != 0 && !c.out_of_memory() && !c.never_ran() && !c.killed();
    let crashes = unwell.crashes.iter().filter(|c| by_itself(c) && c.deaths >= 2 && silent(c));
    for crash in crashes.filter(|c| c.pod.tokens.contains(&String::new())) {
        let (namespace, account) = (&crash.pod.namespace, &crash.pod.service_account);
        if world.grants.any(namespace, account) || !denials(world, namespace, account).is_empty() {
            continue;
        }
        let withheld = world.grants.unbound(namespace).find_map(|(role, rule)| {
            let mut reviews = world.grants.reviews(namespace, account);
            let denied = reviews.find(|r| !r.review.allowed && concerns(&r.review, rule))?;
            Some((role, rule, denied.denied_since.unwrap_or(denied.at)))
        });
        let Some((role, rule, at)) = withheld else { continue };
        if !found.lasts(crash.loops_since.min(at), PROVEN) {
            continue;
        }
        let what = rule_text(rule);
        let finding = Finding::new(Cause::RbacDenied, 0.75, crash.loops_since)
            .about([pod_subject(crash.pod), Subject::new("ServiceAccount", namespace, account), role.clone()])
            .proven_by("Role to which nobody is bound", what.clone(), at, &Source::api("roles"))
            .proven_by(
                "SubjectAccessReview",
                format!("{what}: denied"),
                at,
                &Source::api("subjectaccessreviews"),
            )
            .proven_by(
                format!("log of container {}", crash.container.name),
                "0 bytes",
                at,
                &Source::api("pods/log"),
            );
        found.add(format!("{namespace}/{account}"), crash.prove(finding));
    }
}

fn unauthorized() -> String {
    format!("{} no-opinion", metrics::AUTHORIZATIONS.name)
}

/// The number that the evidence of that name is about.
pub(crate) fn measure(world: &World, signal: &str) -> Option<Measure> {
    if signal == unauthenticated() {
        return Some(Measure::new("in 60 s", "", refused_tokens(world)));
    }
    (signal == unauthorized()).then(|| Measure::new("in 30 s", "", denied_authorizations(world, 30)))
}

/// How an evidence names the tokens that the API server refused.
pub(crate) fn unauthenticated() -> String {
    format!("{} error", metrics::AUTHENTICATIONS.name)
}

/// Tokens that the API server refused in the last minute.
pub(crate) fn refused_tokens(world: &World) -> f64 {
    let error =
        |l: &std::collections::BTreeMap<String, String>| l.get("result").is_some_and(|r| r == "error");
    world.telemetry.increase(&metrics::AUTHENTICATIONS, error, world.ago(60), world.now())
}

fn denied_authorizations(world: &World, seconds: u64) -> f64 {
    let denied = |l: &std::collections::BTreeMap<String, String>| {
        matches!(l.get("result").map(String::as_str), Some("no-opinion" | "denied"))
    };
    world.telemetry.increase(&metrics::AUTHORIZATIONS, denied, world.ago(seconds), world.now())
}

/// The API server counts tokens that it refuses, and does not say whose they are. Suspects are the containers that
/// end again and again for no other known reason, and whose pods mount a token. Where one of them mounts a token for
/// another audience, that explains the refusals, and the other suspects are left out. Where such a token lies in the place
/// of the API's own, and its container ends without a word, nobody need have counted.
fn bad_tokens(world: &World, unwell: &Unwell<'_>, found: &mut Findings<'_>) {
    let failed = refused_tokens(world);
    let suspect = |crash: &Crash<'_>| {
        let by_itself =
            crash.end.exit_code != 0 && !crash.out_of_memory() && !crash.never_ran() && !crash.killed();
        // A token for a cloud is not shown to the API server.
        let has_token = match crash.pod.cloud {
            Some(_) => crash.pod.tokens.iter().any(String::is_empty),
            None => !crash.pod.tokens.is_empty(),
        };
        let steady = crash.deaths >= 2
            && (failed >= 2.0 && world.age(crash.ended_at) < 60.0 || misplaced(world, crash));
        by_itself && steady && has_token && !explained_by_past_denial(world, crash)
    };
    let foreign = |crash: &Crash<'_>| {
        crash.pod.tokens.iter().find(|audience| !audience.is_empty() && crash.pod.cloud.is_none()).cloned()
    };
    let suspects: Vec<_> = unwell.crashes.iter().filter(|c| suspect(c)).collect();
    let explained = suspects.iter().any(|c| foreign(c).is_some());
    for crash in suspects.iter().filter(|c| !explained || foreign(c).is_some()) {
        let pod = crash.pod;
        let account = Subject::new("ServiceAccount", &pod.namespace, &pod.service_account);
        let mut finding =
            Finding::new(Cause::TokenInvalid, 0.7, crash.loops_since).about([pod_subject(pod), account]);
        if let Some(audience) = foreign(crash) {
            finding.confidence = if failed >= 2.0 { 0.9 } else { 0.75 };
            finding.said_why = true;
            let signal = "audience of the pod's token";
            finding = finding.proven_by(signal, audience, pod.at, &Source::api("pods"));
        }
        if failed >= 2.0 {
            finding = finding.proven_by(
                unauthenticated(),
                format!("+{failed:.0} in 60 s"),
                world.now(),
                &Source::metrics("apiserver"),
            );
        }
        found.add(format!("{}/{}", pod.namespace, pod.service_account), crash.prove(finding));
    }
}

/// Whether a token for another audience lies where the container's client of the API looks for its own, and the container
/// ends without saying why.
fn misplaced(world: &World, crash: &Crash<'_>) -> bool {
    let said = world.log_bytes(&crash.pod.uid, &crash.container.name);
    !crash.pod.ways.api_audience.is_empty() && said.is_some_and(|(_, bytes)| bytes == 0)
}

/// Failed pulls, of whichever loop: the registry's answer decides.
fn failed_pulls(world: &World, unwell: &Unwell<'_>, found: &mut Findings<'_>) {
    for pod in unwell.that(|p| !p.deleting) {
        for container in &pod.containers {
            if let ContainerState::Waiting { reason, message } = &container.state
                && is_pull(reason)
            {
                failed_pull(world, pod, container, (reason, message), found);
            }
        }
    }
}

fn is_pull(reason: &str) -> bool {
    matches!(
        reason,
        "ErrImagePull"
            | "ImagePullBackOff"
            | "ErrImageNeverPull"
            | "InvalidImageName"
            | "RegistryUnavailable"
            | "ImageInspectError"
            | "SignatureValidationFailed"
    )
}

fn failed_pull(
    world: &World,
    pod: &Seen<Pod>,
    container: &Container,
    (reason, message): (&str, &str),
    found: &mut Findings<'_>,
) {
    let since = world.since(pod, &Fact::waits(&container.name, reason));
    let said = text::pull_failure(reason, message, &container.image)
        .map(|cause| (cause, message.to_owned(), pod.at));
    let Some((cause, words, at)) = said.or_else(|| told_by_event(world, pod, container)) else {
        return;
    };
    // A registry that restarts is unreachable for a moment.
    if cause == Cause::RegistryUnreachable && !found.lasts(since, PROVEN) {
        return;
    }
    let ambiguous = words.contains("may require authorization");
    let confidence = if ambiguous { 0.7 } else { 0.95 };
    let finding = Finding::new(cause, confidence, since).about([pod_subject(pod)]).proven_by(
        format!("container {} {reason}", container.name),
        excerpt(&words),
        at,
        &Source::api("pods"),
    );
    match pod.node.as_deref().filter(|_| is_of_the_node(cause)) {
        Some(node) => found.add(format!("node/{node}"), finding.about([node_subject(node)])),
        None => found.add(format!("{}/{}", pod.namespace, registry(&container.image)), finding),
    }
}

/// Whether the node cannot take the image, wherever it comes from.
fn is_of_the_node(cause: Cause) -> bool {
    matches!(cause, Cause::NodePressure | Cause::RuntimeFailing)
}

/// The container's state says only that it waits: what did its own events say?
fn told_by_event(
    world: &World,
    pod: &Seen<Pod>,
    container: &Container,
) -> Option<(Cause, String, Timestamp)> {
    let events = world.events.about(&pod.uid).filter(|e| e.warning && e.message.contains(&container.image));
    let told = events.filter_map(|e| {
        let cause = text::pull_failure(&e.reason, &e.message, &container.image)?;
        Some((cause, e.message.clone(), world.event_last(e), e.at))
    });
    told.max_by_key(|(_, _, last, at)| (*last, *at)).map(|(cause, words, _, at)| (cause, words, at))
}

/// Which registry an image comes from: pods that pull from one fail for one reason.
fn registry(image: &str) -> &str {
    match image.split_once('/') {
        Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => host,
        _ => "",
    }
}
