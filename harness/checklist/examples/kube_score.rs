//! Compares what kube-score and this checklist find in the same manifests, object by object, for what both look at.
//!
//! `cargo run -p loopdrill-checklist --example kube_score -- KUBE_SCORE.json MANIFEST...`; `ci/kube-score/run` does all of it.

use loopdrill_checklist::{Manifests, Results, Selection, Status, run};
use loopdrill_model::Timestamp;
use serde::Deserialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    process::ExitCode,
};

/// A check of ours and what kube-score has about the same: its check, and the word in its comments where that check is
/// about several things.
struct Pair {
    ours: &'static str,
    theirs: &'static [&'static str],
    word: &'static str,
    /// Whether ours answers for a namespace and not for a workload.
    by_namespace: bool,
}

const fn pair(ours: &'static str, theirs: &'static [&'static str], word: &'static str) -> Pair {
    Pair { ours, theirs, word, by_namespace: false }
}

const PAIRS: [Pair; 7] = [
    pair("CO-01", &["container-resources"], "request"),
    pair("CO-02", &["container-resources"], "Memory limit"),
    pair("CO-04", &["deployment-has-poddisruptionbudget", "statefulset-has-poddisruptionbudget"], ""),
    pair("CO-07", &["deployment-has-host-podantiaffinity", "statefulset-has-host-podantiaffinity"], ""),
    pair("NE-01", &["pod-probes"], ""),
    Pair { by_namespace: true, ..pair("NE-02", &["pod-networkpolicy"], "") },
    pair("ST-03", &["pod-topology-spread-constraints"], ""),
];

/// kube-score's grade for what is well.
const ALL_OK: u32 = 10;

#[derive(Deserialize)]
struct Scored {
    type_meta: TypeMeta,
    object_meta: Meta,
    #[serde(default)]
    checks: Vec<Scoring>,
}

#[derive(Deserialize)]
struct TypeMeta {
    kind: String,
}

#[derive(Deserialize)]
struct Meta {
    name: String,
    #[serde(default)]
    namespace: String,
}

#[derive(Deserialize)]
struct Scoring {
    check: Named,
    grade: u32,
    skipped: bool,
    #[serde(default)]
    comments: Option<Vec<Comment>>,
}

#[derive(Deserialize)]
struct Named {
    id: String,
}

#[derive(Deserialize)]
struct Comment {
    summary: String,
}

impl Scored {
    fn object(&self, by_namespace: bool) -> String {
        match by_namespace {
            true => format!("Namespace {}", self.object_meta.namespace),
            false => {
                format!("{} {}/{}", self.type_meta.kind, self.object_meta.namespace, self.object_meta.name)
            }
        }
    }
}

fn main() -> ExitCode {
    match tables(&env::args().skip(1).collect::<Vec<_>>()) {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("{why}; run ci/kube-score/run");
            ExitCode::from(2)
        }
    }
}

fn tables(args: &[String]) -> Result<String, String> {
    let (scores, files) = args.split_first().ok_or("name kube-score's JSON and the manifests")?;
    let read = |path: &String| fs::read_to_string(path).map_err(|e| format!("cannot read {path}: {e}"));
    let scored: Vec<Scored> = serde_json::from_str(&read(scores)?)
        .map_err(|e| format!("{scores} is not kube-score's JSON: {e}"))?;
    let mut manifests = Manifests::new(Timestamp::now(), vec![]);
    for file in files {
        manifests.add(file, &read(file)?).map_err(|e| e.to_string())?;
    }
    let results = run(&manifests.finish().0, &Selection::default());
    let mut text =
        String::from("| check | kube-score's | both find | only kube-score | only loopdrill | both pass |\n");
    text.push_str("|---|---|---|---|---|---|\n");
    for pair in &PAIRS {
        text.push_str(&row(pair, &scored, &results));
    }
    text.push_str(&format!("\nOnly kube-score looks at: {}.\n", alone(&scored)));
    text.push_str(&format!("\nOnly loopdrill looks at: {}.\n", ours_alone(&results)));
    Ok(text)
}

fn row(pair: &Pair, scored: &[Scored], results: &Results) -> String {
    let mut theirs = BTreeMap::<String, bool>::new();
    for object in scored {
        for check in object.checks.iter().filter(|c| pair.theirs.contains(&c.check.id.as_str()) && !c.skipped)
        {
            let comments = check.comments.iter().flatten();
            let about = comments.filter(|c| c.summary.contains(pair.word)).count();
            let finds = check.grade < ALL_OK && about > 0;
            *theirs.entry(object.object(pair.by_namespace)).or_default() |= finds;
        }
    }
    let result = results.get(pair.ours);
    let found: BTreeSet<&str> = result
        .filter(|r| matches!(r.status, Status::Fail | Status::Warn))
        .map(|r| r.evidence.iter().map(|e| e.object.as_str()).filter(|o| !o.is_empty()).collect())
        .unwrap_or_default();
    let objects: BTreeSet<&str> = theirs.keys().map(String::as_str).chain(found.iter().copied()).collect();
    let of = |they: bool, we: bool| -> String {
        let is = |o: &&&str| (theirs.get(**o) == Some(&true), found.contains(**o)) == (they, we);
        let names: Vec<_> = objects.iter().filter(is).map(|o| short(o)).collect();
        if names.is_empty() { "–".into() } else { names.join(", ") }
    };
    let status = match result.map(|r| r.status) {
        Some(Status::Skip) | None => " (not from manifests)",
        _ => "",
    };
    format!(
        "| {}{status} | {} | {} | {} | {} | {} |\n",
        pair.ours,
        pair.theirs.iter().map(|t| format!("`{t}`")).collect::<Vec<_>>().join(" "),
        of(true, true),
        of(true, false),
        of(false, true),
        of(false, false),
    )
}

/// An object without its namespace.
fn short(object: &str) -> String {
    let (kind, name) = object.split_once(' ').unwrap_or(("", object));
    format!("{kind} {}", name.rsplit('/').next().unwrap_or(name))
}

/// What kube-score finds with checks that have no counterpart, with the number of objects.
fn alone(scored: &[Scored]) -> String {
    let shared = |id: &str| PAIRS.iter().any(|p| p.theirs.contains(&id) && p.word.is_empty());
    let mut found = BTreeMap::<String, usize>::new();
    for check in scored.iter().flat_map(|o| &o.checks).filter(|c| !c.skipped && c.grade < ALL_OK) {
        let id = check.check.id.as_str();
        if id == "container-resources" {
            let words: Vec<_> = PAIRS.iter().map(|p| p.word).filter(|w| !w.is_empty()).collect();
            let rest =
                check.comments.iter().flatten().filter(|c| !words.iter().any(|w| c.summary.contains(w)));
            for comment in rest {
                *found.entry(format!("`{id}` ({})", comment.summary)).or_default() += 1;
            }
        } else if !shared(id) {
            *found.entry(format!("`{id}`")).or_default() += 1;
        }
    }
    let counted: Vec<_> = found.iter().map(|(id, n)| format!("{id} {n}")).collect();
    if counted.is_empty() { "nothing".into() } else { counted.join(", ") }
}

/// What we find with checks that have no counterpart.
fn ours_alone(results: &Results) -> String {
    let alone = |id: &str| PAIRS.iter().all(|p| p.ours != id);
    let failed = results.checks.iter().filter(|c| c.status == Status::Fail && alone(&c.id));
    let ids: Vec<_> = failed.map(|c| c.id.clone()).collect();
    if ids.is_empty() { "nothing that fails".into() } else { ids.join(", ") }
}
