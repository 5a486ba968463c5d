//! What the matrix has counted, and its tables.

use super::moments::{Case, Killed, Moment, Weather};
use std::{
    fmt::{self, Display},
    time::Duration,
};

/// What came of one kill.
pub(crate) struct Outcome {
    pub(crate) case: Case,
    /// How far the harness had come really.
    pub(crate) reached: Moment,
    /// Whether nodes held all that it had done.
    pub(crate) held: bool,
    /// From the start of `loopdrill undo` until its journal said that all was undone and verified; `None` where nothing
    /// was left to undo.
    pub(crate) undo: Option<Duration>,
    /// The first undo failed, and the second one, in calm weather, did not.
    pub(crate) again: bool,
    pub(crate) residues: Vec<String>,
}

/// One row: a variant, or whole runs.
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) outcomes: Vec<Outcome>,
    /// Why it was not tried to the end.
    pub(crate) trouble: Option<String>,
}

#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) rows: Vec<Row>,
    /// Variants that this lab cannot have, with what it lacks.
    pub(crate) skipped: Vec<(String, String)>,
}

impl Tally {
    fn outcomes(&self) -> impl Iterator<Item = &Outcome> {
        self.rows.iter().flat_map(|row| &row.outcomes)
    }

    pub(crate) fn kills(&self) -> usize {
        self.outcomes().count()
    }

    /// Everything that must not be, a line each.
    pub(crate) fn failures(&self) -> Vec<String> {
        let mut all = Vec::new();
        for row in &self.rows {
            all.extend(row.trouble.iter().map(|why| format!("{}: {why}", row.name)));
            for outcome in &row.outcomes {
                all.extend(outcome.residues.iter().map(|r| format!("{}: {}: {r}", row.name, outcome.case)));
            }
        }
        all
    }

    fn counts<T: Display + PartialEq + Copy>(&self, all: &[T], of: impl Fn(&Outcome) -> T) -> String {
        let count = |one: &T| self.outcomes().filter(|outcome| of(outcome) == *one).count();
        all.iter().map(|one| format!("{one} {}", count(one))).collect::<Vec<_>>().join(", ")
    }
}

impl Row {
    pub(crate) fn residues(&self) -> usize {
        self.outcomes.iter().filter(|outcome| !outcome.residues.is_empty()).count()
    }
}

/// The middle, the 99th of a hundred and the longest of some times.
fn times<'a>(outcomes: impl Iterator<Item = &'a Outcome>) -> String {
    let mut all: Vec<Duration> = outcomes.filter_map(|outcome| outcome.undo).collect();
    all.sort();
    let at = |percent: usize| {
        // The smallest one that so many percent do not exceed.
        let rank = (all.len() * percent).div_ceil(100).max(1);
        all.get(rank - 1).map_or_else(|| "-".into(), |time| format!("{:.2}", time.as_secs_f64()))
    };
    format!("{:>5} {:>7} {:>7} {:>7}", all.len(), at(50), at(99), at(100))
}

impl Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = ["kills", "residues", "again", "undos", "p50 s", "p99 s", "max s"];
        let [kills, residues, again, undos, p50, p99, max] = head;
        writeln!(f, "{:<38} {kills:>5} {residues:>8} {again:>5} {undos:>5} {p50:>7} {p99:>7} {max:>7}", "")?;
        for row in &self.rows {
            let again = row.outcomes.iter().filter(|outcome| outcome.again).count();
            let (kills, residues) = (row.outcomes.len(), row.residues());
            let times = times(row.outcomes.iter());
            writeln!(f, "{:<38} {kills:>5} {residues:>8} {again:>5} {times}", row.name)?;
        }
        let residues: usize = self.rows.iter().map(Row::residues).sum();
        let again = self.outcomes().filter(|outcome| outcome.again).count();
        let (kills, times_of_all) = (self.kills(), times(self.outcomes()));
        writeln!(f, "{:<38} {kills:>5} {residues:>8} {again:>5} {times_of_all}", "all")?;
        let dead = self.outcomes().filter(|o| o.held && o.case.weather == Weather::NoApi);
        writeln!(f, "{:<38} {:>20} {}", "held by nodes, API server stopped", "", times(dead))?;
        writeln!(f, "\nhow far the harness had come: {}", self.counts(&Moment::ALL, |o| o.reached))?;
        writeln!(f, "who was killed: {}", self.counts(&Killed::ALL, |o| o.case.killed))?;
        writeln!(f, "what else was wrong: {}", self.counts(&Weather::ALL, |o| o.case.weather))?;
        for (name, lacks) in &self.skipped {
            writeln!(f, "skipped: {name}: {lacks}")?;
        }
        Ok(())
    }
}

#[test]
fn a_residue_is_counted_and_times_are_ranked() {
    let outcome = |seconds: u64, residues: &[&str]| Outcome {
        case: Case {
            moment: Moment::Intent,
            nth: 1,
            delay: Duration::ZERO,
            killed: Killed::Both,
            weather: Weather::NoApi,
        },
        reached: Moment::Applied,
        held: true,
        undo: (seconds > 0).then(|| Duration::from_secs(seconds)),
        again: seconds == 3,
        residues: residues.iter().map(|&r| r.to_owned()).collect(),
    };
    let outcomes = vec![outcome(3, &[]), outcome(0, &[]), outcome(1, &["a file"]), outcome(2, &[])];
    let row = Row { name: "f/v".into(), outcomes, trouble: None };
    let tally = Tally { rows: vec![row], skipped: vec![("c/d".into(), "a cloud".into())] };
    let text = tally.to_string();
    let cells: Vec<&str> = text.lines().nth(1).expect("a row").split_whitespace().collect();
    assert_eq!(cells, ["f/v", "4", "1", "1", "3", "2.00", "3.00", "3.00"]);
    assert!(text.contains("intent written 0, applied 4") && text.contains("skipped: c/d: a cloud"), "{text}");
    assert_eq!(tally.failures().len(), 1);
    assert!(tally.failures()[0].contains("f/v: both killed 0 ms after"), "{:?}", tally.failures());
}
