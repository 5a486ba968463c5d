//! `loopdrill replay --score`: right or wrong, drill by drill.

use super::{Played, bad, play};
use crate::{Failure, names::OutputFormat};
use loopdrill_detect::{Scored, Verdict};
use loopdrill_model::{Diagnosis, ExitStatus, Expectation, Root};
use loopdrill_report::{Case, Score, Screen, SignedDuration, duration};
use serde_json::{Value, json};
use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

pub(super) fn main(paths: &[PathBuf], output: OutputFormat) -> Result<ExitStatus, Failure> {
    let files = recordings(paths)?;
    let mut all = Vec::new();
    for (file, played) in files.iter().zip(play_all(&files)) {
        let played = played?;
        if let Some(error) = &played.broke_off {
            return Err(bad(file, error));
        }
        all.push((name(file), played));
    }
    let sum = Sum::of(&all);
    match output {
        OutputFormat::Human => print(&all, &sum),
        OutputFormat::Json => println!("{:#}", as_json(&all, &sum)),
    }
    Ok(if sum.is_perfect() { ExitStatus::Ready } else { ExitStatus::NotReady })
}

/// The files themselves, and those in folders, in the order of their names.
fn recordings(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let failed = |e: io::Error| Failure::new(ExitStatus::Usage, &e).before(&path.display().to_string());
        let entries = fs::read_dir(path).map_err(failed)?.collect::<Result<Vec<_>, _>>().map_err(failed)?;
        let mut found: Vec<_> = entries.iter().map(fs::DirEntry::path).filter(|p| is_recording(p)).collect();
        if found.is_empty() {
            return Err(Failure::usage(format!("{} holds no recordings (*.gz)", path.display())));
        }
        found.sort();
        files.append(&mut found);
    }
    Ok(files)
}

fn is_recording(path: &Path) -> bool {
    path.extension().is_some_and(|e| e == "gz")
}

fn name(file: &Path) -> String {
    file.file_stem().map_or_else(|| file.display().to_string(), |s| s.to_string_lossy().into_owned())
}

/// Plays all, as many at a time as there are cores.
fn play_all(files: &[PathBuf]) -> Vec<Result<Played, Failure>> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    let work = || {
        while let Some((n, file)) = {
            let n = next.fetch_add(1, Ordering::Relaxed);
            files.get(n).map(|file| (n, file))
        } {
            let played = play(file, |_| {});
            done.lock().unwrap_or_else(PoisonError::into_inner).push((n, played));
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from).min(files.len()) {
            scope.spawn(work);
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(n, _)| *n);
    done.into_iter().map(|(_, played)| played).collect()
}

#[derive(Default)]
struct Sum {
    right: usize,
    wrong: usize,
    unscored: usize,
    false_alarms: usize,
}

impl Sum {
    fn of(all: &[(String, Played)]) -> Self {
        let mut sum = Self::default();
        for (_, played) in all {
            sum.false_alarms += played.false_alarms.len();
            for scored in &played.scored {
                match scored.verdict {
                    Verdict::Right => sum.right += 1,
                    Verdict::Wrong | Verdict::Missed => sum.wrong += 1,
                    Verdict::Unscored => sum.unscored += 1,
                }
            }
        }
        sum
    }

    /// Nothing scored proves nothing.
    fn is_perfect(&self) -> bool {
        self.right > 0 && self.wrong + self.unscored + self.false_alarms == 0
    }
}

const HEADINGS: [&str; 6] = ["RECORDING", "DRILL", "EXPECTED", "DIAGNOSED", "ANSWER", "LAG"];

fn print(all: &[(String, Played)], sum: &Sum) {
    let mut rows = vec![HEADINGS.map(String::from)];
    for (name, played) in all {
        rows.extend(played.scored.iter().map(|s| row(name, s)));
        rows.extend(played.false_alarms.iter().map(|d| false_alarm(name, d)));
        if played.scored.is_empty() && played.false_alarms.is_empty() {
            let dash = || String::from("–");
            rows.push([name.clone(), dash(), dash(), dash(), "has no marks".into(), dash()]);
        }
    }
    let width = |n: usize| rows.iter().map(|r: &[String; 6]| r[n].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..HEADINGS.len()).map(width).collect();
    for row in &rows {
        let line: Vec<_> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        println!("{}", line.join("  ").trim_end());
    }
    println!();
    print!("{}", score(all, sum).text(Screen::stdout()));
    println!();
    let drills = sum.right + sum.wrong + sum.unscored;
    println!("{} of {drills} answers right; {} false alarms", sum.right, sum.false_alarms);
    if sum.unscored > 0 {
        println!(
            "{} not scored: the fault was never in force, or the recording ends too early",
            sum.unscored
        );
    }
}

fn row(name: &str, s: &Scored) -> [String; 6] {
    let drill = s.drill.to_string();
    let found: Vec<_> = s.result.findings().collect();
    [name.into(), drill, wanted(&s.expected), answers(&found), verdict(s.verdict).into(), lag(s)]
}

fn false_alarm(name: &str, d: &Diagnosis) -> [String; 6] {
    let found = answers(&[d]);
    [name.into(), "–".into(), "none".into(), found, "FALSE ALARM".into(), "–".into()]
}

fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Right => "right",
        Verdict::Wrong => "WRONG",
        Verdict::Missed => "MISSED",
        Verdict::Unscored => "not scored",
    }
}

fn wanted(expected: &Expectation) -> String {
    let one = |root: &Root| {
        let causes: Vec<_> = root.causes.iter().map(|c| c.name()).collect();
        format!("{}: {}", root.control_loop, causes.join(" or "))
    };
    let all: Vec<_> = expected.roots.iter().map(one).collect();
    if all.is_empty() { "none".into() } else { all.join(" + ") }
}

fn answers(found: &[&Diagnosis]) -> String {
    let mut all: Vec<String> = Vec::new();
    for d in found {
        let answer = format!("{}: {}", d.control_loop, d.cause.map_or("no cause named", |c| c.name()));
        if !all.contains(&answer) {
            all.push(answer);
        }
    }
    if all.is_empty() { "none".into() } else { all.join(" + ") }
}

/// From the first evidence to the diagnosis.
fn lag(s: &Scored) -> String {
    let lag = s.result.lag.and_then(|seconds| SignedDuration::try_from_secs_f64(seconds).ok());
    lag.map_or_else(|| "–".into(), duration)
}

/// The score as after a run: of what was really in force.
fn score(all: &[(String, Played)], sum: &Sum) -> Score {
    let scored = all.iter().flat_map(|(_, p)| &p.scored).filter(|s| s.verdict != Verdict::Unscored);
    let case = |s: &Scored| Case::of(s.drill.clone(), &s.expected, &s.result);
    Score::of(scored.map(case).collect(), sum.false_alarms)
}

fn whole_millis(d: SignedDuration) -> i64 {
    i64::try_from(d.as_millis()).unwrap_or(i64::MAX)
}

fn as_json(all: &[(String, Played)], sum: &Sum) -> Value {
    let ms = |seconds: Option<f64>| SignedDuration::try_from_secs_f64(seconds?).ok().map(whole_millis);
    let drill = |s: &Scored| {
        json!({
            "drill": s.drill.to_string(),
            "expected": s.expected,
            "diagnosed": s.result.diagnosis.as_ref().map(|d| json!({ "loop": d.control_loop, "cause": d.cause })),
            "answer": match s.verdict {
                Verdict::Right => "right",
                Verdict::Wrong => "wrong",
                Verdict::Missed => "missed",
                Verdict::Unscored => "not-scored",
            },
            "lag_ms": ms(s.result.lag),
            "lead_ms": ms(s.result.lead),
        })
    };
    let recording = |(name, played): &(String, Played)| {
        json!({
            "recording": name,
            "drills": played.scored.iter().map(drill).collect::<Vec<_>>(),
            "false_alarms": played.false_alarms,
        })
    };
    json!({
        "recordings": all.iter().map(recording).collect::<Vec<_>>(),
        "right": sum.right,
        "wrong": sum.wrong,
        "not_scored": sum.unscored,
        "false_alarms": sum.false_alarms,
        "score": score(all, sum),
    })
}
