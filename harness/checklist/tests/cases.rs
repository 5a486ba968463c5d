//! Manifests as other people write them, each with its right answer in its head.
//!
//! `tests/cases/KIND-NUMBER-WHAT.yaml` starts with comments, or has them in `….case` beside it where it can have none:
//!
//! ```text
//! # source: where that is seen            # expect: CHECK STATUS[|STATUS]     # evidence: CHECK OBJECT
//! # why: what Kubernetes makes of it      # exit: CODE [CODE]                 # told: TEXT
//! # lines: FIRST-LAST OBJECT              # skipped: TEXT                     # probe: sarif-locations
//! ```
//!
//! `@AWS@` and its like stand for made-up credentials, which `fill` puts together.

mod fill;

use fill::filled;
use loopdrill_checklist::{Manifests, Reading, Results, Selection, Status, run};
use std::{collections::BTreeMap, fs, path::Path};

/// When all of it is judged.
const NOW: &str = "2026-11-24T12:00:00Z";
/// Fewer cases than these would mean that some were not found.
const AT_LEAST: usize = 350;

struct Case {
    name: String,
    head: Vec<(String, String)>,
    text: String,
}

/// What the checklist makes of a case.
struct Answer {
    reading: Reading,
    results: Results,
}

#[test]
fn every_case_is_judged_right() {
    let mut kinds: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let mut wrong = Vec::new();
    for case in cases() {
        let faults = case.faults(&answer(&case));
        let (right, all) = kinds.entry(case.kind()).or_default();
        (*right, *all) = (*right + usize::from(faults.is_empty()), *all + 1);
        wrong.extend(faults.into_iter().map(|fault| format!("{}: {fault}", case.name)));
    }
    for (kind, (right, all)) in &kinds {
        println!("{kind:<6} {right}/{all}");
    }
    let (right, all) = kinds.values().fold((0, 0), |sum, n| (sum.0 + n.0, sum.1 + n.1));
    println!("{right} of {all} right");
    assert!(all >= AT_LEAST, "{all} cases");
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

fn cases() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let names = fs::read_dir(&folder).expect("the folder of cases").map(|e| e.expect("an entry").file_name());
    let mut names: Vec<_> = names.map(|n| n.into_string().expect("a plain name")).collect();
    names.retain(|n| !n.ends_with(".case"));
    names.sort();
    names.into_iter().map(|name| case(&folder, name)).collect()
}

fn case(folder: &Path, name: String) -> Case {
    let read = |name: &str| fs::read_to_string(folder.join(name)).ok();
    let text = read(&name).expect("a case");
    let head = read(&format!("{name}.case")).unwrap_or_else(|| text.clone());
    let head: Vec<_> = head.lines().map_while(said).collect();
    assert!(head.iter().any(|(what, _)| what == "why"), "{name} does not say why");
    let asks = ["expect", "evidence", "exit", "told", "lines", "skipped", "probe"];
    assert!(head.iter().any(|(what, _)| asks.contains(&what.as_str())), "{name} asks for nothing");
    Case { name, head, text: filled(&text) }
}

/// `# what: text`.
fn said(line: &str) -> Option<(String, String)> {
    let (what, text) = line.trim_start_matches('\u{feff}').strip_prefix("# ")?.split_once(": ")?;
    Some((what.into(), text.trim().into()))
}

fn answer(case: &Case) -> Answer {
    let mut manifests = Manifests::new(NOW.parse().expect("a time"), vec![]);
    manifests.add(&case.name, &case.text);
    let reading = manifests.finish();
    let results = run(&reading.snapshot, &Selection::default());
    Answer { reading, results }
}

impl Case {
    fn kind(&self) -> String {
        self.name.split('-').next().unwrap_or_default().into()
    }

    fn faults(&self, answer: &Answer) -> Vec<String> {
        let ask = |(what, text): &(String, String)| match what.as_str() {
            "expect" => answer.ends(text),
            "evidence" => answer.names(text),
            "exit" => answer.exits(text),
            "told" => answer.tells(text),
            "lines" => answer.lies_at(text),
            "skipped" => answer.skips(text),
            "probe" => answer.has_locations(),
            _ => Ok(()),
        };
        self.head.iter().filter_map(|asked| ask(asked).err()).collect()
    }
}

impl Answer {
    fn ends(&self, text: &str) -> Result<(), String> {
        let (id, wanted) = text.split_once(' ').expect("a check and its status");
        let check = self.results.get(id).expect("a check");
        let got = check.status.name();
        let right = wanted.split('|').any(|w| w == got);
        right.then_some(()).ok_or_else(|| format!("{id} is {got} and not {wanted}: {:?}", check.evidence))
    }

    fn names(&self, text: &str) -> Result<(), String> {
        let (id, object) = text.split_once(' ').expect("a check and an object");
        let check = self.results.get(id).expect("a check");
        let there = check.evidence.iter().any(|e| e.object == object);
        there.then_some(()).ok_or_else(|| format!("{id} does not name {object}: {:?}", check.evidence))
    }

    fn exits(&self, text: &str) -> Result<(), String> {
        let broken = !self.reading.errors.is_empty();
        let got = if broken { 2 } else { i32::from(self.results.count(Status::Fail) > 0) };
        let right = text.split(' ').any(|w| w == got.to_string());
        right.then_some(()).ok_or_else(|| format!("exit {got} and not {text}: {:?}", self.reading.errors))
    }

    fn tells(&self, text: &str) -> Result<(), String> {
        let errors = self.reading.errors.iter().map(ToString::to_string);
        let evidence = self.results.checks.iter().flat_map(|c| &c.evidence).map(|e| e.value.clone());
        let told = errors.chain(evidence).any(|t| t.contains(text));
        told.then_some(()).ok_or_else(|| format!("nothing tells {text:?}: {:?}", self.reading.errors))
    }

    fn lies_at(&self, text: &str) -> Result<(), String> {
        let (wanted, object) = text.split_once(' ').expect("lines and an object");
        let sources = self.reading.snapshot.sources.get(object).ok_or(format!("{object} has no source"))?;
        let lines: Vec<_> =
            sources.iter().filter_map(|s| s.lines).map(|l| format!("{}-{}", l.first, l.last)).collect();
        let right = lines.iter().any(|l| l == wanted);
        right.then_some(()).ok_or_else(|| format!("{object} lies at {lines:?} and not {wanted}"))
    }

    fn skips(&self, text: &str) -> Result<(), String> {
        let skipped: Vec<_> = self.reading.skipped.iter().map(ToString::to_string).collect();
        let right = skipped.iter().any(|s| s.contains(text));
        right.then_some(()).ok_or_else(|| format!("{text:?} is not passed over: {skipped:?}"))
    }

    /// A finding about an object of the file is found there.
    fn has_locations(&self) -> Result<(), String> {
        let failed = self.results.checks.iter().filter(|c| c.status == Status::Fail);
        let mut about = failed
            .flat_map(|c| &c.evidence)
            .filter(|e| self.reading.snapshot.sources.contains_key(&e.object));
        let lost = about.find(|e| e.file.is_none());
        lost.map_or(Ok(()), |e| Err(format!("{} has no file", e.object)))
    }
}
