//! The report by object: what is wrong with each, worst first, and what to do about it, with the object's own names.

use super::{
    Page, place,
    table::{skipped, summary},
};
use crate::{
    check::{CheckResult, Evidence, Results, Status},
    fix::{self, Patch},
    snapshot::{Snapshot, Workload},
};
use std::collections::{BTreeMap, HashMap};

/// The findings at one object.
type Found<'a> = Vec<(&'a CheckResult, &'a Evidence)>;

/// The results, object by object; none is left out.
#[must_use]
pub fn by_object(results: &Results, snapshot: &Snapshot, page: Page) -> String {
    let mut objects: BTreeMap<&str, Found<'_>> = BTreeMap::new();
    for (check, evidence) in results.findings() {
        objects.entry(&evidence.object).or_default().push((check, evidence));
    }
    let patches = fix::patches(results, snapshot);
    let mut patches_of: HashMap<&str, Vec<&Patch>> = HashMap::new();
    patches.iter().for_each(|p| patches_of.entry(&p.object).or_default().push(p));
    let workloads = fix::workloads(snapshot);
    let mut all: Vec<_> = objects.into_iter().collect();
    all.sort_by_key(|(object, found)| (std::cmp::Reverse(worst(found)), *object));
    let mut text = String::new();
    for (object, found) in all {
        one(&mut text, page, object, &found);
        let own = patches_of.remove(object).unwrap_or_default();
        remedies(&mut text, page, &found, &own, workloads.get(object).copied());
        text.push('\n');
    }
    skipped(&mut text, page, results);
    text.push('\n');
    summary(&mut text, page, results, snapshot);
    text
}

fn worst(found: &Found<'_>) -> (Status, crate::Severity) {
    found.iter().map(|(c, e)| (e.status, c.severity)).max().unwrap_or((Status::Pass, crate::Severity::Low))
}

fn one(text: &mut String, page: Page, object: &str, found: &Found<'_>) {
    let name = if object.is_empty() { "the whole" } else { object };
    let place = found.iter().find_map(|(_, e)| place(e)).map(|p| format!("  ({p})")).unwrap_or_default();
    page.write(text, "", 2, &format!("{}{place}", page.head(name)));
    for (check, evidence) in found {
        let begin = format!("  {}  {}  {:<8}  ", page.mark(evidence.status), check.id, check.severity);
        page.write(text, &begin, 25, &evidence.value);
    }
}

/// A patch where there can be one, else the remedy of each check.
fn remedies(text: &mut String, page: Page, found: &Found<'_>, own: &[&Patch], workload: Option<&Workload>) {
    for patch in own {
        page.write(
            text,
            "  ",
            4,
            &format!("{}: `kubectl apply --server-side -f -` takes this:", patch.checks.join(", ")),
        );
        block(text, &patch.yaml);
    }
    let mut told: Vec<&str> = Vec::new();
    for (check, evidence) in found {
        let patched = own.iter().any(|p| p.checks.contains(&check.id));
        if patched || told.contains(&check.id.as_str()) {
            continue;
        }
        told.push(&check.id);
        page.write(text, "  ", 4, &format!("{}:", check.id));
        block(text, &fix::remedy(check, evidence, workload));
    }
}

/// Text that is to be pasted, so it is not wrapped.
fn block(text: &mut String, yaml: &str) {
    for line in yaml.trim_end().lines() {
        text.push_str("    ");
        text.push_str(line);
        text.push('\n');
    }
}
