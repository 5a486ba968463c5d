//! Judges the manifests in folders and tells what was judged, what was passed over and why, one line a folder.
//!
//! `cargo run -p loopdrill-checklist --example manifests -- FOLDER...`; with `-v` before them, everything is told.

use loopdrill_checklist::{Manifests, Reading, Selection, Status, run};
use loopdrill_model::Timestamp;
use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
};

fn main() {
    let mut folders: Vec<String> = env::args().skip(1).collect();
    let told = folders.first().is_some_and(|f| f == "-v");
    if told {
        folders.remove(0);
    }
    println!("| folder | files | objects | other kinds | passed over | wrong | pass | warn | fail | skip |");
    println!("|---|---|---|---|---|---|---|---|---|---|");
    for folder in folders {
        let (files, reading) = read(Path::new(&folder));
        line(&folder, files, &reading);
        if told {
            tell(&reading);
        }
    }
}

fn read(folder: &Path) -> (usize, Reading) {
    let mut files = Vec::new();
    walk(folder, &mut files);
    files.sort();
    let mut manifests = Manifests::new(Timestamp::now(), vec![]);
    for file in &files {
        match fs::read_to_string(file) {
            Ok(text) => manifests.add(&file.display().to_string(), &text),
            Err(error) => eprintln!("{}: {error}", file.display()),
        }
    }
    (files.len(), manifests.finish())
}

fn walk(path: &Path, found: &mut Vec<PathBuf>) {
    let known = |e: &std::ffi::OsStr| ["yaml", "yml", "json"].iter().any(|k| e == *k);
    if path.is_dir() {
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        entries.for_each(|e| walk(&e.path(), found));
    } else if path.extension().is_some_and(known) {
        found.push(path.into());
    }
}

fn line(folder: &str, files: usize, reading: &Reading) {
    let results = run(&reading.snapshot, &Selection::default());
    let mut why: BTreeMap<String, usize> = BTreeMap::new();
    for skipped in &reading.skipped {
        *why.entry(format!("{:?}", skipped.reason)).or_default() += 1;
    }
    let why = why.iter().map(|(reason, n)| format!("{n} {reason}")).collect::<Vec<_>>().join(", ");
    let [pass, warn, fail, skip] =
        [Status::Pass, Status::Warn, Status::Fail, Status::Skip].map(|s| results.count(s));
    println!(
        "| {folder} | {files} | {} | {} | {why} | {} | {pass} | {warn} | {fail} | {skip} |",
        reading.objects,
        reading.left_out.len(),
        reading.errors.len()
    );
}

fn tell(reading: &Reading) {
    for error in &reading.errors {
        println!("  wrong: {error}");
    }
    for skipped in &reading.skipped {
        println!("  passed over: {skipped}");
    }
    for unjudged in &reading.snapshot.unjudged {
        println!("  not judged: {} {}", unjudged.object, unjudged.why);
    }
    for check in run(&reading.snapshot, &Selection::default()).checks {
        println!("  {} {}", check.id, check.status);
        for evidence in check.evidence.iter().take(3).filter(|_| check.status != Status::Skip) {
            println!("    {}: {}", evidence.object, evidence.value);
        }
    }
}
