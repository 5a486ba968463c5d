//! The checklist on a large cluster: 5,000 nodes and 150,000 pods, made up as the API would tell them and taken in by
//! the same code, then judged. Prints time and peak memory, and ends with code 1 beyond `5 s` of CPU or `500 MiB`.
//!
//! `cargo run --profile bench -p loopdrill-checklist --example large_cluster`

use loopdrill_checklist::{Builder, Input, Origin, Selection, Status, run};
use loopdrill_model::Timestamp;
use std::{fs, process::ExitCode};

const NODES: usize = 5_000;
const DEPLOYMENTS: usize = 7_500;
const PODS_EACH: usize = 20;
/// Objects between two readings of the clock, which ticks a hundred times a second; a page of a list has as many.
const BATCH: usize = 500;
const MOST_SECONDS: f64 = 5.0;
const MOST_MIB: u64 = 500;

fn main() -> ExitCode {
    let mut builder = Builder::new(Origin::Cluster("large".into()), Timestamp::now(), vec![]);
    // Making the objects up is not what is measured: a batch is made, then its taking in is timed.
    let mut cpu = 0.0;
    for (input, make) in [
        (Input::Nodes, node as fn(usize) -> String),
        (Input::Deployments, deployment),
        (Input::Services, service),
    ] {
        let count = if input == Input::Nodes { NODES } else { DEPLOYMENTS };
        for from in (0..count).step_by(BATCH) {
            let batch: Vec<String> = (from..count.min(from + BATCH)).map(make).collect();
            cpu += take_in(&mut builder, input, &batch);
        }
    }
    let mut bytes = 0;
    for at in (0..DEPLOYMENTS).step_by(BATCH / PODS_EACH) {
        let batch: Vec<String> = (at..DEPLOYMENTS.min(at + BATCH / PODS_EACH))
            .flat_map(|at| (0..PODS_EACH).map(move |n| pod(at, n)))
            .collect();
        bytes += batch.iter().map(String::len).sum::<usize>();
        cpu += take_in(&mut builder, Input::Pods, &batch);
    }
    Input::ALL.iter().for_each(|input| builder.read(*input));
    let began = cpu_seconds();
    let snapshot = builder.finish();
    let taken = cpu + cpu_seconds() - began;
    let began = cpu_seconds();
    let results = run(&snapshot, &Selection::default());
    let judged = cpu_seconds() - began;
    let peak = peak_mib();

    println!("{} nodes, {} pods", snapshot.nodes.len(), snapshot.pods.len());
    println!("taken in: {taken:.2} s CPU ({} MiB of pods in JSON)", bytes >> 20);
    println!("judged:   {judged:.2} s CPU ({} checks fail)", results.count(Status::Fail));
    println!(
        "together: {:.2} s CPU, at most {MOST_SECONDS} s; peak {peak} MiB, at most {MOST_MIB} MiB",
        taken + judged
    );
    if taken + judged <= MOST_SECONDS && peak <= MOST_MIB { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Takes a page of objects in; the CPU time that it took.
fn take_in(builder: &mut Builder, input: Input, batch: &[String]) -> f64 {
    let began = cpu_seconds();
    for object in batch {
        builder.add(input, object).expect("an object");
    }
    cpu_seconds() - began
}

/// CPU time of this process in seconds, user and system.
fn cpu_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|f| f.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}

/// The largest amount of memory that this process ever had.
fn peak_mib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with("VmHWM")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) >> 10
}

fn node(at: usize) -> String {
    let labels: String = (0..15).map(|n| format!("\"label-{n}.example/key\": \"value-{n}\",")).collect();
    format!(
        r#"{{"metadata": {{"name": "node-{at}", "labels": {{{labels} "topology.kubernetes.io/zone": "z{}"}}}},
        "status": {{"allocatable": {{"cpu": "15890m", "memory": "62Gi", "pods": "110"}}, "images": [{}],
        "conditions": [{{"type": "Ready", "status": "True"}}]}}}}"#,
        at % 3,
        vec![r#"{"names": ["registry.example/some/image:1"], "sizeBytes": 123456}"#; 50].join(",")
    )
}

const CONTAINER: &str = r#""name": "app", "image": "registry.example/team/app:1.2.3",
    "resources": {"requests": {"cpu": "250m", "memory": "256Mi"}, "limits": {"memory": "512Mi"}},
    "env": [{"name": "A", "value": "some value"}, {"name": "B", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
    "ports": [{"name": "http", "containerPort": 8080}], "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}},
    "volumeMounts": [{"name": "kube-api-access", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}]"#;

fn spec(node: &str) -> String {
    format!(
        r#"{{{node} "serviceAccountName": "app", "containers": [{{{CONTAINER}}}], "tolerations": [
        {{"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}}],
        "volumes": [{{"name": "kube-api-access", "projected": {{"sources": [{{"serviceAccountToken": {{"expirationSeconds": 3607, "path": "token"}}}}]}}}}]}}"#
    )
}

fn deployment(at: usize) -> String {
    let (namespace, spec) = (at % 300, spec(""));
    format!(
        r#"{{"metadata": {{"name": "app-{at}", "namespace": "team-{namespace}"}}, "spec": {{"replicas": {PODS_EACH},
        "template": {{"metadata": {{"labels": {{"app": "app-{at}"}}}}, "spec": {spec}}}}}}}"#
    )
}

fn service(at: usize) -> String {
    format!(
        r#"{{"metadata": {{"name": "app-{at}", "namespace": "team-{}"}}, "spec": {{"selector": {{"app": "app-{at}"}}}}}}"#,
        at % 300
    )
}

/// A pod with the fields that no check looks at, too: about as many bytes as real ones have.
fn pod(at: usize, n: usize) -> String {
    let managed: String =
        (0..40).map(|n| format!("\"f:field-{n}\": {{\"f:more\": {{}}, \".\": {{}}}},")).collect();
    let node = format!("\"nodeName\": \"node-{}\",", (at * PODS_EACH + n) % NODES);
    format!(
        r#"{{"metadata": {{"name": "app-{at}-7f9c-{n}", "namespace": "team-{}", "labels": {{"app": "app-{at}", "pod-template-hash": "7f9c"}},
        "managedFields": [{{"fieldsV1": {{{managed} "f:end": {{}}}}}}],
        "ownerReferences": [{{"kind": "ReplicaSet", "name": "app-{at}-7f9c", "controller": true}}]}}, "spec": {},
        "status": {{"phase": "Running", "containerStatuses": [{{"name": "app", "image": "x", "state": {{"running": {{"startedAt": "2026-01-01T00:00:00Z"}}}}}}]}}}}"#,
        at % 300,
        spec(&node)
    )
}
