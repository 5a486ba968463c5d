//! What a workload's pods can read, and what is written into them.

use super::{
    keys,
    peers::Own,
    raw,
    template::{self, given},
};
use crate::snapshot::{Container, KeyKind, Reads, Template};
use loopdrill_kubernetes::quantity::{millis, units};
use std::collections::{BTreeMap, BTreeSet};

/// The pods that a specification makes.
pub(super) fn template(namespace: &str, meta: &raw::Meta, spec: &raw::PodSpec) -> Template {
    let mut template = template::template(namespace, meta, spec);
    let main = spec.containers.iter().map(|c| container(c, false));
    let first = spec.init_containers.iter().map(|c| container(c, c.restart_policy != "Always"));
    template.containers = main.chain(first).collect();
    template.debuggers = spec.ephemeral_containers.iter().map(|c| container(c, false)).collect();
    let whole =
        container(&raw::Container { resources: spec.resources.clone(), ..raw::Container::default() }, false);
    template.containers.iter_mut().for_each(|c| share(c, &whole));
    let own = Own { namespace, labels: &meta.labels };
    template.spread.extend(spec.affinity.pod_anti_affinity.preferred.iter().map(|t| own.apart(t)));
    template
}

/// What is said for the pod as a whole holds for containers that say nothing themselves.
fn share(container: &mut Container, whole: &Container) {
    container.cpu_request = container.cpu_request.or(whole.cpu_request);
    container.memory_request = container.memory_request.or(whole.memory_request);
    container.cpu_limit = container.cpu_limit.or(whole.cpu_limit);
    container.memory_limit = container.memory_limit.or(whole.memory_limit);
}

fn container(raw: &raw::Container, initial: bool) -> Container {
    let commands = commands(raw).filter_map(|text| keys::kind_of("", text));
    let headers = headers(raw).filter_map(|h| keys::kind_of(&h.name, &h.value));
    let mut command_keys: Vec<KeyKind> = commands.chain(headers).collect();
    command_keys.dedup();
    Container { initial, command_keys, malformed: malformed(&raw.resources), ..template::container(raw) }
}

/// Everything that a container, or the kubelet in it, is told to run.
fn commands(raw: &raw::Container) -> impl Iterator<Item = &String> {
    let probes = [&raw.readiness_probe, &raw.liveness_probe, &raw.startup_probe];
    let hooks = [&raw.lifecycle.post_start, &raw.lifecycle.pre_stop];
    let run = probes.into_iter().filter_map(|p| p.exec.as_ref());
    let run = run.chain(hooks.into_iter().filter_map(|h| h.exec.as_ref()));
    raw.command.iter().chain(&raw.args).chain(run.flat_map(|exec| &exec.command))
}

/// What the kubelet sends along when it asks a container something.
fn headers(raw: &raw::Container) -> impl Iterator<Item = &raw::Header> {
    let probes = [&raw.readiness_probe, &raw.liveness_probe, &raw.startup_probe];
    let hooks = [&raw.lifecycle.post_start, &raw.lifecycle.pre_stop];
    let hooks = hooks.into_iter().filter_map(|h| h.http_get.as_ref()).flat_map(|a| &a.http_headers);
    probes.into_iter().flat_map(raw::Probe::headers).chain(hooks)
}

/// Amounts that the API refuses.
fn malformed(resources: &raw::Resources) -> Vec<(String, String)> {
    let of = |what: &'static str, amounts: &BTreeMap<String, raw::Text>| {
        let wrong = |(name, amount): (&String, &raw::Text)| {
            let understood = if name == "cpu" { millis(&amount.0) } else { units(&amount.0) };
            understood.is_none().then(|| (format!("{name} {what}"), amount.0.clone()))
        };
        amounts.iter().filter_map(wrong).collect::<Vec<_>>()
    };
    [of("request", &resources.requests), of("limit", &resources.limits)].concat()
}

/// The Secrets and ConfigMaps that containers can read.
pub(super) fn reads(spec: &raw::PodSpec) -> Vec<Reads> {
    let every = || spec.containers.iter().chain(&spec.init_containers);
    let mut all: Vec<Reads> = every().flat_map(of_environment).collect();
    all.extend(spec.volumes.iter().flat_map(of_volume));
    all.sort();
    all.dedup();
    all
}

fn whole(kind: &str, name: &str, environment: bool) -> Option<Reads> {
    Some(Reads { kind: kind.into(), name: given(name)?, entry: None, environment })
}

fn of_environment(container: &raw::Container) -> Vec<Reads> {
    let entry = |kind: &str, of: &raw::KeyRef| {
        let reads = whole(kind, &of.name, true)?;
        Some(Reads { entry: given(&of.key), ..reads })
    };
    let variables = container.env.iter().map(|e| &e.value_from).flat_map(|from| {
        [entry("Secret", &from.secret_key_ref), entry("ConfigMap", &from.config_map_key_ref)]
    });
    let sets = container.env_from.iter().flat_map(|from| {
        [whole("Secret", &from.secret_ref.name, true), whole("ConfigMap", &from.config_map_ref.name, true)]
    });
    variables.chain(sets).flatten().collect()
}

fn of_volume(volume: &raw::Volume) -> Vec<Reads> {
    let own = [
        whole("Secret", &volume.secret.secret_name, false),
        whole("ConfigMap", &volume.config_map.name, false),
    ];
    let projected = volume.projected.sources.iter().flat_map(|source| {
        [whole("Secret", &source.secret.name, false), whole("ConfigMap", &source.config_map.name, false)]
    });
    own.into_iter().chain(projected).flatten().collect()
}

/// Classes of the claims that a workload makes for each of its pods.
pub(super) fn claim_templates(spec: &raw::PodSpec, own: &[raw::Claim]) -> Vec<Option<String>> {
    let ephemeral = spec.volumes.iter().filter_map(|v| v.ephemeral.as_ref());
    own.iter().chain(ephemeral.map(|e| &e.volume_claim_template)).map(super::objects::class_of).collect()
}

/// Keys in annotations and labels, of a workload and of its pods: the value of one may well be a copy of what was once a Secret's.
pub(super) fn annotated_keys(annotated: &[&raw::Meta]) -> Vec<(String, KeyKind)> {
    let all = annotated.iter().flat_map(|meta| meta.annotations.iter().chain(&meta.labels));
    let found: BTreeSet<_> =
        all.filter_map(|(name, value)| Some((name.clone(), keys::kind_of(name, value)?))).collect();
    found.into_iter().collect()
}
