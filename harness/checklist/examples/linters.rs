//! Compares what kube-score, checkov and this checklist find in the same manifests, object by object, and how often each
//! gives the right answer where a case has one. `ci/linters/run` does all of it.
//!
//! `cargo run -p loopdrill-checklist --example linters -- prepare DIR` lays out the profiles and the cases, one folder a
//! set that is judged as one; `… table DIR FOUND.tsv` prints the tables. A line of `FOUND.tsv` is a finding of another
//! tool: set, tool, check, object, line, text.

#[path = "../tests/fill/mod.rs"]
mod fill;

use loopdrill_checklist::{Manifests, Results, Selection, Snapshot, Status, run};
use loopdrill_model::Timestamp;
use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// When all of it is judged, as in the tests of the cases.
const NOW: &str = "2026-11-24T12:00:00Z";
const TOOLS: [&str; 2] = ["kube-score", "checkov"];

/// A check of ours and what others have about the same: each a tool, its check, and the word in its findings where that
/// check is about several things.
struct Pair(&'static str, &'static [(&'static str, &'static str, &'static str)]);

const PAIRS: &[Pair] = &[
    Pair("ID-01", &[("checkov", "CKV_SECRET_2", ""), ("checkov", "CKV_SECRET_6", "")]),
    Pair("ID-03", &[("checkov", "CKV_K8S_42", "")]),
    Pair("ID-07", &[("checkov", "CKV_K8S_49", "")]),
    Pair(
        "CO-01",
        &[
            ("kube-score", "container-resources", "request"),
            ("checkov", "CKV_K8S_10", ""),
            ("checkov", "CKV_K8S_12", ""),
        ],
    ),
    Pair("CO-02", &[("kube-score", "container-resources", "Memory limit"), ("checkov", "CKV_K8S_13", "")]),
    Pair(
        "CO-04",
        &[
            ("kube-score", "deployment-has-poddisruptionbudget", ""),
            ("kube-score", "statefulset-has-poddisruptionbudget", ""),
        ],
    ),
    Pair("CO-08", &[("kube-score", "horizontalpodautoscaler-has-target", "")]),
    Pair(
        "CO-11",
        &[
            ("kube-score", "deployment-pod-selector-labels-match-template-metadata-labels", ""),
            ("kube-score", "statefulset-pod-selector-labels-match-template-metadata-labels", ""),
        ],
    ),
    Pair("CO-12", &[("kube-score", "deployment-replicas", "")]),
    Pair("CO-13", &[("kube-score", "cronjob-has-deadline", "")]),
    Pair("NE-01", &[("kube-score", "pod-probes", "readinessProbe"), ("checkov", "CKV_K8S_9", "")]),
    Pair("NE-02", &[("kube-score", "pod-networkpolicy", ""), ("checkov", "CKV2_K8S_6", "")]),
    Pair("NE-06", &[("kube-score", "service-targets-pod", "")]),
    Pair("NE-07", &[("kube-score", "ingress-targets-service", "")]),
    Pair("NE-08", &[("kube-score", "networkpolicy-targets-pod", "")]),
    Pair("ST-03", &[("kube-score", "pod-topology-spread-constraints", "")]),
];

/// A check whose findings are about namespaces.
const BY_NAMESPACE: &str = "NE-02";

/// A finding of another tool.
struct Found {
    set: String,
    tool: String,
    check: String,
    object: String,
    text: String,
}

/// A set of manifests, as we judge it.
struct Judged {
    results: Results,
    snapshot: Snapshot,
    /// The right answers: a check, and whether it is to find something.
    answers: Vec<(String, bool)>,
}

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match args.as_slice() {
        ["prepare", dir] => prepare(Path::new(dir)).map_err(|e| format!("cannot lay out {dir}: {e}")),
        ["table", dir, found] => tables(Path::new(dir), Path::new(found)).map(|text| print!("{text}")),
        _ => Err("`prepare DIR` or `table DIR FOUND.tsv`".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}; run ci/linters/run");
            ExitCode::from(2)
        }
    }
}

/// Lays the sets out: what the tests and the labs fill in is filled in here.
fn prepare(dir: &Path) -> io::Result<()> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    for profile in ["naive", "hardened"] {
        for file in files(&here.join("../../suites/profiles").join(profile))? {
            // It configures our own checks, and is no manifest.
            if file.file_name().is_some_and(|n| n != "check.yaml") {
                write(&dir.join("profiles").join(profile), &file, &of_profile(&fs::read_to_string(&file)?))?;
            }
        }
    }
    for file in files(&here.join("tests/cases"))? {
        let name = file.file_stem().unwrap_or_default();
        let text = fs::read_to_string(&file)?;
        let text = if file.extension().is_some_and(|e| e == "case") { text } else { fill::filled(&text) };
        let set = dir.join("cases").join(Path::new(name).file_stem().unwrap_or(name));
        write(&set, &file, &text)?;
    }
    Ok(())
}

fn of_profile(text: &str) -> String {
    let values = [
        ("${IMAGE}", "registry.example/loopdrill:1"),
        ("${MOST_MEMORY}", "1Gi"),
        ("${EXPIRES}", "2099-01-01"),
    ];
    values.iter().fold(text.to_string(), |text, (name, value)| text.replace(name, value))
}

fn write(dir: &Path, from: &Path, text: &str) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    fs::write(dir.join(from.file_name().unwrap_or_default()), text)
}

fn files(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut all = fs::read_dir(dir)?.map(|e| e.map(|e| e.path())).collect::<io::Result<Vec<_>>>()?;
    all.sort();
    Ok(all)
}

fn tables(dir: &Path, found: &Path) -> Result<String, String> {
    let cannot = |e: io::Error| format!("cannot read what was laid out and found: {e}");
    let mut sets = BTreeMap::new();
    for group in files(dir).map_err(cannot)? {
        for set in files(&group).map_err(cannot)? {
            let name = set.file_name().unwrap_or_default().to_string_lossy().into_owned();
            sets.insert(name, judged(&set).map_err(cannot)?);
        }
    }
    let text = fs::read_to_string(found).map_err(cannot)?;
    let found: Vec<Found> = text.lines().filter_map(|line| of_line(line, &sets)).collect();
    Ok(format!("{}\n{}\n{}", objects(&sets, &found), answers(&sets, &found), alone(&sets, &found)))
}

fn judged(set: &Path) -> io::Result<Judged> {
    let now: Timestamp = NOW.parse().map_err(io::Error::other)?;
    let mut manifests = Manifests::new(now, vec![]);
    let mut answers = Vec::new();
    let mut broken = false;
    for file in files(set)? {
        let text = fs::read_to_string(&file)?;
        for (what, said) in text.lines().map_while(|l| l.strip_prefix("# ")?.split_once(": ")) {
            broken |= what == "exit" && said.contains('2');
            answers.extend((what == "expect").then(|| answer(said)).flatten());
        }
        if file.extension().is_none_or(|e| e != "case") {
            manifests.add(&file.display().to_string(), &text);
        }
    }
    let snapshot = manifests.finish().snapshot;
    let results = run(&snapshot, &Selection::default());
    Ok(Judged { results, snapshot, answers: if broken { Vec::new() } else { answers } })
}

/// `CHECK STATUS[|STATUS]`, where all say the same: something is to be found, or nothing.
fn answer(said: &str) -> Option<(String, bool)> {
    let (id, statuses) = said.split_once(' ')?;
    let finds: BTreeSet<bool> = statuses.split('|').map(|s| matches!(s.trim(), "fail" | "warn")).collect();
    let finds = finds.first().copied().filter(|_| finds.len() == 1)?;
    Some((id.into(), finds))
}

fn of_line(line: &str, sets: &BTreeMap<String, Judged>) -> Option<Found> {
    let parts: Vec<&str> = line.split('\t').collect();
    let [set, tool, check, object, at, text] = parts.as_slice() else { return None };
    let judged = sets.get(*set)?;
    let object = match at.parse::<u32>() {
        Ok(line) if object.is_empty() => judged.at(line)?,
        _ => (*object).to_string(),
    };
    Some(Found {
        set: (*set).into(),
        tool: (*tool).into(),
        check: (*check).into(),
        object,
        text: (*text).into(),
    })
}

impl Judged {
    /// The object that is declared on a line; sets with lines in their findings have one file.
    fn at(&self, line: u32) -> Option<String> {
        let holds = |s: &loopdrill_checklist::snapshot::Source| {
            s.lines.is_some_and(|l| (l.first..=l.last).contains(&line))
        };
        let found = self.snapshot.sources.iter().find(|(_, at)| at.iter().any(holds));
        found.map(|(object, _)| object.clone())
    }

    /// The objects about which a check of ours finds something.
    fn finds(&self, id: &str) -> BTreeSet<String> {
        let result = self.results.get(id).filter(|r| matches!(r.status, Status::Fail | Status::Warn));
        let all = result.into_iter().flat_map(|r| &r.evidence).map(|e| e.object.clone());
        // What could not be judged makes every check warn, and is no finding of this one.
        let known = |o: &String| !o.is_empty() && self.snapshot.unjudged.iter().all(|u| u.object != *o);
        all.filter(known).collect()
    }
}

impl Pair {
    fn has(&self, tool: &str) -> bool {
        self.1.iter().any(|(t, ..)| *t == tool)
    }

    fn is(&self, found: &Found) -> bool {
        self.1.iter().any(|(tool, check, word)| {
            *tool == found.tool && *check == found.check && found.text.contains(word)
        })
    }

    /// What a tool finds of it, by set and object.
    fn of(&self, tool: &str, found: &[Found]) -> BTreeSet<(String, String)> {
        let mine = found.iter().filter(|f| f.tool == tool && self.is(f));
        mine.map(|f| (f.set.clone(), about(self.0, &f.object))).collect()
    }
}

/// What a finding of another tool is about, as ours says it.
fn about(id: &str, object: &str) -> String {
    /// Kinds without a namespace, to which others give one.
    const OF_THE_CLUSTER: [&str; 4] = ["ClusterRole", "ClusterRoleBinding", "StorageClass", "PriorityClass"];
    let parts = || {
        let (kind, full) = object.split_once(' ')?;
        full.split_once('/').map(|(namespace, name)| (kind, namespace, name))
    };
    match parts() {
        Some((_, namespace, _)) if id == BY_NAMESPACE => format!("Namespace {namespace}"),
        Some((kind, _, name)) if OF_THE_CLUSTER.contains(&kind) => format!("{kind} {name}"),
        _ => object.into(),
    }
}

fn objects(sets: &BTreeMap<String, Judged>, found: &[Found]) -> String {
    let mut text = format!(
        "In {} sets of manifests, so many objects are found:\n\n| check | loopdrill | kube-score | checkov | only loopdrill | \
         only kube-score | only checkov |\n|---|---|---|---|---|---|---|\n",
        sets.len()
    );
    let mut names = String::new();
    for pair in PAIRS {
        let ours: BTreeSet<_> =
            sets.iter().flat_map(|(set, j)| j.finds(pair.0).into_iter().map(|o| (set.clone(), o))).collect();
        let theirs = TOOLS.map(|tool| (tool, pair.of(tool, found)));
        let count = |(tool, all): &(&str, BTreeSet<_>)| {
            if pair.has(tool) { all.len().to_string() } else { "–".into() }
        };
        let beyond = |(tool, all): &(&str, BTreeSet<(String, String)>)| {
            if pair.has(tool) { all.difference(&ours).count().to_string() } else { "–".into() }
        };
        let others: BTreeSet<_> = theirs.iter().flat_map(|(_, all)| all.iter().cloned()).collect();
        let mine = ours.difference(&others).count();
        let [score, checkov] = &theirs;
        text.push_str(&format!(
            "| {} | {} | {} | {} | {mine} | {} | {} |\n",
            pair.0,
            ours.len(),
            count(score),
            count(checkov),
            beyond(score),
            beyond(checkov)
        ));
        for (tool, all) in &theirs {
            names.push_str(&examples(pair.0, tool, all.difference(&ours)));
        }
    }
    format!("{text}\nSome of what only they find:\n\n{names}")
}

fn examples<'a>(id: &str, tool: &str, all: impl Iterator<Item = &'a (String, String)>) -> String {
    const SOME: usize = 6;
    let all: Vec<String> = all.map(|(set, object)| format!("{object} of {set}")).collect();
    let some = all.iter().take(SOME).cloned().collect::<Vec<_>>().join(", ");
    if all.is_empty() { String::new() } else { format!("- {id}, {tool}: {some}\n") }
}

/// How often each tool says what a case's own answer says.
fn answers(sets: &BTreeMap<String, Judged>, found: &[Found]) -> String {
    let mut text = String::from(
        "Of the cases' own answers, so many are given:\n\n| check | answers | loopdrill | kube-score | checkov |\n|---|---|---|---|---|\n",
    );
    for pair in PAIRS {
        let asked: Vec<_> = sets
            .iter()
            .flat_map(|(set, j)| {
                j.answers.iter().filter(|(id, _)| id == pair.0).map(move |(_, a)| (set, j, *a))
            })
            .collect();
        if asked.is_empty() {
            continue;
        }
        let ours = asked.iter().filter(|(_, j, a)| says(j, pair.0) == *a).count();
        let [score, checkov] = TOOLS.map(|tool| {
            let theirs: BTreeSet<_> = pair.of(tool, found).into_iter().map(|(set, _)| set).collect();
            let right = asked.iter().filter(|(set, _, a)| theirs.contains(*set) == *a).count();
            if pair.has(tool) { right.to_string() } else { "–".into() }
        });
        text.push_str(&format!("| {} | {} | {ours} | {score} | {checkov} |\n", pair.0, asked.len()));
    }
    text
}

/// Whether a check of ours finds something.
fn says(judged: &Judged, id: &str) -> bool {
    judged.results.get(id).is_some_and(|r| matches!(r.status, Status::Fail | Status::Warn))
}

/// What is found without a counterpart, with the number of objects.
fn alone(sets: &BTreeMap<String, Judged>, found: &[Found]) -> String {
    let mut text = String::new();
    for tool in TOOLS {
        let mut counts: BTreeMap<String, BTreeSet<(&str, &str)>> = BTreeMap::new();
        for f in found.iter().filter(|f| f.tool == tool && !PAIRS.iter().any(|p| p.is(f))) {
            let name = format!("`{}` ({})", f.check, f.text);
            counts.entry(name).or_default().insert((&f.set, &f.object));
        }
        let counts: Vec<_> = counts.iter().map(|(name, all)| format!("{name} {}", all.len())).collect();
        text.push_str(&format!("Only {tool} looks at: {}.\n\n", counts.join(", ")));
    }
    let mut ours: BTreeMap<&str, usize> = BTreeMap::new();
    for judged in sets.values() {
        for check in judged.results.checks.iter().filter(|c| PAIRS.iter().all(|p| p.0 != c.id)) {
            *ours.entry(&check.id).or_default() += judged.finds(&check.id).len();
        }
    }
    let ours: Vec<_> = ours.iter().filter(|(_, n)| **n > 0).map(|(id, n)| format!("{id} {n}")).collect();
    format!("{text}Only loopdrill looks at: {}.\n", ours.join(", "))
}
