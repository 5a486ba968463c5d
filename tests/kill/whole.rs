//! The undo of what was killed, and whole runs of the program, with many drills at once, killed at any line of their journal.

use super::{
    harness::{Entries, Worker},
    matrix::residues,
    moments::{Case, Dice, Killed, Weather},
    support::{Run, lab::TestLab},
    tally::{Outcome, Row},
    world::{World, held},
};
use loopdrill_faults::{Change, journal::Pending};
use std::{
    thread::sleep,
    time::{Duration, Instant},
};

/// It ends what hangs.
const LONG: Duration = Duration::from_secs(240);
/// Bad weather does not last longer: the cluster itself would break.
const WEATHER: Duration = Duration::from_secs(20);
/// So long goes on in vain what cannot be undone in that weather.
const IN_VAIN: Duration = Duration::from_millis(500);
/// A run has about so many lines until its last drill is in force.
const LINES: usize = 120;

/// How an undo went.
pub(crate) struct Undone {
    /// See [`Outcome::undo`].
    pub(crate) time: Option<Duration>,
    /// See [`Outcome::again`].
    pub(crate) again: bool,
    pub(crate) trouble: Vec<String>,
}

/// Undoes in that weather what a run has left: by `loopdrill undo`, or by a harness that still lives and `loopdrill undo`
/// after it. The weather lasts until all is undone; where that needs the API, until it was tried in vain.
pub(crate) fn undo<'a>(
    world: &World,
    weather: Weather,
    run: &'a Run,
    plan: &[Pending],
    harness: Option<Worker<'a>>,
) -> Undone {
    let before = Entries::of(&run.state());
    let by_program = harness.is_none();
    let by_nodes = plan.iter().all(|p| matches!(p.change, Change::Node(_)));
    world.begin(weather, plan);
    let began = Instant::now();
    let mut worker = harness.unwrap_or_else(|| Worker::program(run, &["undo"]));
    if by_nodes {
        worker.comes_to(WEATHER, Entries::are_closed);
    } else if weather != Weather::Calm {
        worker.comes_to(WEATHER, |entries| entries.are_closed() || entries.undos() > before.undos());
        sleep(IN_VAIN);
    }
    let early = Entries::of(&run.state()).are_closed().then(|| began.elapsed());
    world.clears_up(weather);
    let time = early.or_else(|| worker.comes_to(LONG, Entries::are_closed).then(|| began.elapsed()));
    let ended = worker.end();
    let again = by_program && ended.is_err();
    let mut trouble = Vec::new();
    if !by_program && let Err(why) = &ended {
        trouble.push(format!("the harness: {why}"));
    }
    if (again || !by_program)
        && let Err(why) = Worker::program(run, &["undo"]).end()
    {
        trouble.push(format!("undo: {why}"));
    }
    Undone { time: time.filter(|_| by_program && before.are_pending()), again, trouble }
}

/// Kills so many runs of all drills.
pub(crate) fn kill_runs(world: &World, lab: &TestLab, runs: usize, dice: &mut Dice) -> Row {
    let mut row = Row { name: "whole runs, many drills at once".into(), outcomes: vec![], trouble: None };
    for index in 0..runs {
        match kill_run(world, lab, index, dice) {
            Ok(outcome) => row.outcomes.push(outcome),
            Err(why) => row.trouble = Some(why),
        }
        eprintln!("[whole run {}/{runs}] {} residues so far", index + 1, row.residues());
    }
    row
}

fn kill_run(world: &World, lab: &TestLab, index: usize, dice: &mut Dice) -> Result<Outcome, String> {
    world.rest();
    let namespaces = world.namespaces();
    let run = Run::new();
    let case = Case {
        killed: if index.is_multiple_of(2) { Killed::Harness } else { Killed::Both },
        nth: 1 + dice.below(LINES),
        ..Case::of(index, 1, true, dice)
    };
    let args = ["run", "--lab", &lab.name, "--group", "all", "--detector", "builtin"];
    let mut harness = Worker::program(&run, &args);
    // One that has no more lines is killed as well.
    harness.comes_to(LONG, |entries| entries.lines() >= case.nth);
    if harness.has_ended() {
        return Err(format!("a run ended by itself: {:?}", harness.end()));
    }
    sleep(case.delay);
    harness.kill();
    let reached = Entries::of(&run.state()).moment();
    let pending = run.pending();
    if case.killed.has_holder() {
        world.runtime.block_on(world.kill_holders(&pending));
    }
    let undone = undo(world, case.weather, &run, &pending, None);
    let name = pending.first().and_then(|p| p.id.rsplit_once('-')).map_or("none", |(run, _)| run).to_owned();
    let mut residues = residues(world, &run, case.weather, &name, &pending, undone.trouble);
    let more =
        world.namespaces().difference(&namespaces).map(|n| format!("namespace {n}")).collect::<Vec<_>>();
    residues.extend(more);
    residues.iter().for_each(|residue| eprintln!("residue: whole run: {case}: {residue}"));
    let is_held = pending.iter().all(|p| held(&p.change).is_some());
    Ok(Outcome { case, reached, held: is_held, undo: undone.time, again: undone.again, residues })
}
