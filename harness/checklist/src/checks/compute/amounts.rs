//! What containers request, and what they may take.

use crate::{
    check::{Finding, Verdict},
    snapshot::{Container, Snapshot, Workload},
};
use loopdrill_kubernetes::quantity;

/// Judges every container of the workloads that are to be judged.
fn containers(s: &Snapshot, judge: impl Fn(&Workload, &Container) -> Option<Finding>) -> Verdict {
    let mut count = 0;
    let mut findings = Vec::new();
    for (_, w) in s.judged() {
        count += w.template.containers.len();
        findings.extend(
            w.template.containers.iter().filter_map(|c| judge(w, c)).map(|f| f.in_file(w.file.as_ref())),
        );
    }
    if count == 0 {
        return Verdict::Skip("there is no application workload".into());
    }
    Verdict::looked(findings, count, "containers of applications")
}

/// What a container is called in evidence.
fn called(c: &Container) -> String {
    format!("{} {}", if c.initial { "init container" } else { "container" }, c.name)
}

/// What is written where an amount belongs, and is none: the API refuses the object.
fn no_quantity(w: &Workload, c: &Container, what: &str) -> Option<Finding> {
    let (which, text) = c.malformed.iter().find(|(which, _)| which.ends_with(what))?;
    Some(Finding::fail(w, format!("{}: {which} {text} is no quantity, and the API refuses it", called(c))))
}

/// An amount that is something.
fn some(amount: Option<u64>) -> bool {
    amount.is_some_and(|a| a > 0)
}

pub(super) fn requests(s: &Snapshot) -> Verdict {
    containers(s, |w, c| {
        if let Some(finding) = no_quantity(w, c, "request") {
            return Some(finding);
        }
        let lacks = match (some(c.cpu_request), some(c.memory_request)) {
            (false, false) => "CPU and memory requests",
            (false, true) => "a CPU request",
            (true, false) => "a memory request",
            (true, true) => return None,
        };
        Some(Finding::fail(w, format!("{} lacks {lacks}", called(c))))
    })
}

/// What a limit may be of its request before it is a promise that nodes cannot keep.
const MOST_MEMORY_RATIO: u64 = 4;
const GOOD_MEMORY_RATIO: u64 = 2;
const MOST_CPU_RATIO: u64 = 20;

pub(super) fn limits(s: &Snapshot) -> Verdict {
    containers(s, |w, c| {
        if let Some(finding) = no_quantity(w, c, "limit") {
            return Some(finding);
        }
        let Some(limit) = c.memory_limit.filter(|l| *l > 0) else {
            return Some(Finding::fail(w, format!("{} lacks a memory limit", called(c))));
        };
        memory_ratio(w, c, limit).or_else(|| cpu_ratio(w, c))
    })
}

/// Whether `limit` is more than so many times the request, to the byte.
fn exceeds(limit: u64, times: u64, request: u64) -> bool {
    u128::from(limit) > u128::from(times) * u128::from(request)
}

fn memory_ratio(w: &Workload, c: &Container, limit: u64) -> Option<Finding> {
    let request = c.memory_request.unwrap_or(limit);
    let (shown, of) = (quantity::bytes(limit), quantity::bytes(request));
    let told = format!("{}: memory limit {shown} for a request of {of}", called(c));
    if limit < request {
        return Some(Finding::fail(w, format!("{told}: less than that, and the API refuses it")));
    }
    if exceeds(limit, MOST_MEMORY_RATIO, request) {
        return Some(Finding::fail(w, told));
    }
    exceeds(limit, GOOD_MEMORY_RATIO, request).then(|| Finding::warn(w, told))
}

fn cpu_ratio(w: &Workload, c: &Container) -> Option<Finding> {
    let (limit, request) = (c.cpu_limit?, c.cpu_request?);
    let (shown, of) = (quantity::cpu(limit), quantity::cpu(request));
    let told = format!("{}: CPU limit {shown} for a request of {of}", called(c));
    if limit > 0 && limit < request {
        return Some(Finding::fail(w, format!("{told}: less than that, and the API refuses it")));
    }
    exceeds(limit, MOST_CPU_RATIO, request).then(|| Finding::warn(w, told))
}
