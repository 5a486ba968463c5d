//! Every variant, killed at every moment of its journal, in every weather; then `loopdrill undo`, and every touched thing
//! compared with its snapshot.
//!
//! A victim is set up once; what is killed over and over is the part of a run that touches things ([`super::harness`]),
//! and whole runs with many drills at once ([`super::whole`]).

use super::{
    harness::{Entries, Order, Worker},
    moments::{Case, Dice, Killed, Weather, shares},
    support::{Run, lab::TestLab},
    tally::{Outcome, Row, Tally},
    whole::{Undone, undo},
    world::{Stage, World, held},
};
use loopdrill_faults::{Fault, Resource, catalogue, cloud_catalogue, journal::Pending};
use loopdrill_lab::lease;
use loopdrill_model::{Capability, Group};
use std::{
    env,
    sync::Arc,
    thread::sleep,
    time::{Duration, Instant},
};

/// So many victims are set up side by side.
const BATCH: usize = 8;
/// A change that a node holds has more that can be killed.
const HELD: usize = 3;
/// Of the short form, which the gate has.
const SHORT: usize = 48;
/// It ends what hangs.
const LONG: Duration = Duration::from_secs(120);
/// How long what is there only for a moment, as a unit that is just ending, may be.
const MOMENT: Duration = Duration::from_secs(30);

/// What is asked for; `ci/kill-matrix` sets these variables.
pub(crate) struct Wish {
    pub(crate) kills: Option<usize>,
    /// `FAULT` or `FAULT/VARIANT`; none for all.
    faults: Vec<String>,
    /// A lab that is there and stays.
    pub(crate) lab: Option<String>,
    /// Whole runs that are killed besides.
    runs: usize,
    seed: u64,
}

impl Wish {
    pub(crate) fn read() -> Self {
        let var = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        let number = |name: &str| var(name).map(|value| value.parse().expect("a number"));
        let kills = number("LOOPDRILL_KILLS");
        let faults = var("LOOPDRILL_KILL_FAULTS").unwrap_or_default();
        Wish {
            kills,
            faults: faults.split_whitespace().map(str::to_owned).collect(),
            lab: var("LOOPDRILL_KILL_LAB"),
            runs: number("LOOPDRILL_KILL_RUNS").unwrap_or(kills.unwrap_or_default() / 50),
            seed: number("LOOPDRILL_KILL_SEED").unwrap_or(1) as u64,
        }
    }

    /// The canonical faults alone in the short form, else all.
    fn faults(&self) -> Vec<Arc<dyn Fault>> {
        let named = |fault: &Arc<dyn Fault>| {
            let id = fault.spec().id();
            self.faults.is_empty() || self.faults.iter().any(|f| *f == id.fault || *f == id.to_string())
        };
        let all = catalogue().into_iter().chain(cloud_catalogue()).filter(named);
        if self.kills.is_some() || !self.faults.is_empty() {
            return all.collect();
        }
        let short = |f: &Arc<dyn Fault>| {
            f.spec().group == Group::Canonical && !f.spec().needs.contains(&Capability::CloudIdentity)
        };
        all.filter(short).collect()
    }
}

/// Runs the matrix on a lab.
pub(crate) fn run(lab: &TestLab, wish: &Wish) -> Tally {
    let mut tally = Tally::default();
    let world = World::enter(&lab.name);
    let alone = lease::exclusive(&lab.name).expect("the lab is nobody else's");
    let faults = able(wish.faults(), &world, &mut tally);
    let weights: Vec<usize> = faults.iter().map(|f| weight(&**f, &world)).collect();
    let shares = shares(wish.kills.unwrap_or(SHORT), &weights);
    let mut dice = Dice(wish.seed);
    let mut done = 0;
    for (faults, shares) in faults.chunks(BATCH).zip(shares.chunks(BATCH)) {
        let stages = world.set_up(faults);
        for ((fault, stage), share) in faults.iter().zip(&stages).zip(shares) {
            done += 1;
            let row = match stage {
                Ok(stage) => kill_variant(&world, lab, stage, *share, &mut dice),
                Err(why) => Row { trouble: Some(format!("no victim: {why}")), ..empty(&**fault) },
            };
            eprintln!(
                "[{done}/{}] {}: {} kills, {} residues",
                weights.len(),
                row.name,
                row.outcomes.len(),
                row.residues()
            );
            tally.rows.push(row);
        }
        let stages: Vec<Stage> = stages.into_iter().flatten().collect();
        world.clear(&stages);
    }
    drop(alone);
    if wish.runs > 0 {
        tally.rows.push(super::whole::kill_runs(&world, lab, wish.runs, &mut dice));
    }
    tally
}

/// Those that this lab can have.
fn able(faults: Vec<Arc<dyn Fault>>, world: &World, tally: &mut Tally) -> Vec<Arc<dyn Fault>> {
    let facts = &world.target.facts;
    let lacks = |fault: &Arc<dyn Fault>| fault.spec().needs.iter().find(|need| !facts.has(need)).cloned();
    let (able, unable): (Vec<_>, Vec<_>) = faults.into_iter().partition(|fault| lacks(fault).is_none());
    let why =
        |f: &Arc<dyn Fault>| lacks(f).map(|what| (f.spec().id().to_string(), format!("it needs {what}")));
    tally.skipped = unable.iter().filter_map(why).collect();
    able
}

fn weight(fault: &dyn Fault, world: &World) -> usize {
    let of_node = |r: &Resource| matches!(r, Resource::NodePods(_));
    let held = fault.spec().needs.contains(&Capability::NodeServiceManager)
        || fault.footprint(&world.target.facts).broken().any(of_node);
    if held { HELD } else { 1 }
}

fn empty(fault: &dyn Fault) -> Row {
    Row { name: fault.spec().id().to_string(), outcomes: Vec::new(), trouble: None }
}

/// Kills one variant so many times. Cases in which the harness had ended before anybody was killed do not count.
fn kill_variant(world: &World, lab: &TestLab, stage: &Stage, kills: usize, dice: &mut Dice) -> Row {
    let mut row = empty(&*stage.fault);
    // Every variant begins elsewhere, so that few kills of many variants have all kinds of cases.
    let begin = dice.below(60);
    let mut last = Vec::new();
    for index in begin..begin + 3 * kills {
        if let Some(before) = row.outcomes.last_mut() {
            // Something that was still on its way to the node or the API when it was undone.
            before.residues.extend(world.differences(&last).iter().map(|d| format!("came back later: {d}")));
        }
        if row.outcomes.len() == kills {
            return row;
        }
        let plan = match world.plan(stage) {
            Ok(plan) => plan,
            Err(why) => return Row { trouble: Some(format!("cannot be planned: {why}")), ..row },
        };
        let run = format!("{}-{:x}-{index}", world.target.run, dice.below(1 << 20));
        let pending = plan.into_iter().enumerate().map(|(at, change)| Pending {
            id: format!("{run}-{}", at + 1),
            drill: stage.ctx.id.clone(),
            change,
        });
        let plan: Vec<Pending> = pending.collect();
        let is_held = plan.iter().any(|p| held(&p.change).is_some());
        let case = Case::of(index, plan.len(), is_held, dice);
        row.outcomes.extend(kill_once(world, lab, &case, &run, &plan, dice));
        last = plan;
    }
    let got = row.outcomes.len();
    let trouble = (got < kills).then(|| format!("only {got} of {kills} cases came to their kill"));
    Row { trouble, ..row }
}

/// One kill with all that follows. `None` when it came too late; what was touched is as before then, too, or that is a
/// residue.
fn kill_once(
    world: &World,
    lab: &TestLab,
    case: &Case,
    name: &str,
    plan: &[Pending],
    dice: &mut Dice,
) -> Option<Outcome> {
    let run = Run::new();
    let order = Order {
        lab: lab.name.clone(),
        run: name.into(),
        drill: plan[0].drill.clone(),
        state: run.state(),
        plan: plan.iter().map(|p| p.change.clone()).collect(),
    };
    let mut harness = Worker::harness(&run, &order);
    if case.moment.is_of_undo() {
        harness.go_on();
    }
    let mut hit = harness.comes_to(LONG, |entries| entries.are_at(case));
    sleep(case.delay);
    hit = hit && strike(world, case, &mut harness, plan, dice);
    let reached = Entries::of(&run.state()).moment();
    let undone = match (hit, case.killed) {
        (true, Killed::Holder) => {
            harness.go_on();
            undo(world, case.weather, &run, plan, Some(harness))
        }
        (true, Killed::Harness | Killed::Both) => undo(world, case.weather, &run, plan, None),
        (false, _) => {
            harness.go_on();
            undo(world, Weather::Calm, &run, plan, Some(harness))
        }
    };
    let Undone { time, again, trouble } = undone;
    let residues = residues(world, &run, case.weather, name, plan, trouble);
    residues.iter().for_each(|residue| eprintln!("residue: {}: {case}: {residue}", order.drill));
    let is_held = plan.iter().all(|p| held(&p.change).is_some());
    let outcome = Outcome { case: *case, reached, held: is_held, undo: time, again, residues };
    (hit || !outcome.residues.is_empty()).then_some(outcome)
}

/// Kills; whether anybody was killed.
fn strike(world: &World, case: &Case, harness: &mut Worker<'_>, plan: &[Pending], dice: &mut Dice) -> bool {
    if !case.killed.has_holder() {
        let is_there = !harness.has_ended();
        harness.kill();
        return is_there;
    }
    if case.killed.has_harness() {
        let is_there = !harness.has_ended();
        let later = Duration::from_millis(dice.below(200) as u64);
        world.runtime.block_on(async {
            let other = async {
                tokio::time::sleep(later).await;
                harness.kill();
            };
            tokio::join!(world.kill_holders(plan), other)
        });
        return is_there;
    }
    // The holder may be about to start.
    let deadline = Instant::now() + Duration::from_secs(5);
    while !harness.has_ended() && Instant::now() < deadline {
        if world.runtime.block_on(world.kill_holders(plan)) > 0 {
            return true;
        }
        if case.moment.is_of_undo() {
            return false;
        }
    }
    false
}

/// All that a kill has left.
pub(crate) fn residues(
    world: &World,
    run: &Run,
    weather: Weather,
    name: &str,
    plan: &[Pending],
    trouble: Vec<String>,
) -> Vec<String> {
    let mut all = trouble;
    let deadline = Instant::now() + MOMENT;
    let mut different = world.differences(plan);
    // A kubelet that has no runtime ends, and its service manager starts it again: that is the weather, and not the fault.
    while weather == Weather::NewRuntime && !different.is_empty() && Instant::now() < deadline {
        sleep(Duration::from_millis(200));
        different = world.differences(plan);
    }
    all.extend(different);
    all.extend(run.pending().iter().map(|p| format!("the journal still lists {}", p.change)));
    let deadline = Instant::now() + MOMENT;
    let mut left = world.left_on_nodes(name);
    while !left.is_empty() && Instant::now() < deadline {
        sleep(Duration::from_millis(200));
        left = world.left_on_nodes(name);
    }
    all.extend(left);
    all
}
