//! How long a judgement of a large cluster takes, and how much memory its world: synthetic signals, fed one by one into
//! the world that the built-in detector judges live. `ci/bench-diagnose` builds it optimised and compares with limits.
//!
//! ```text
//! cargo run -p loopdrill-attribution --example scale [PODS [NODES]]
//! ```

mod cluster;
mod parts;

use cluster::Cluster;
use loopdrill_attribution::{Judgement, World, judge, rest_after};
use loopdrill_model::{Observation, Signal, Source};
use std::{
    error::Error,
    fs,
    time::{Duration, Instant},
};

/// Between two changes of the cluster that are judged one by one.
const MOMENT: f64 = 0.06;
/// Changes a second.
const RATE: f64 = 200.0;
/// Seconds of the cluster's time for which changes pour in.
const SECONDS: f64 = 10.0;
/// Judgements that are timed together: the clock of a CPU goes in steps of some milliseconds.
const ROUNDS: usize = 40;

fn main() -> Result<(), Box<dyn Error>> {
    let mut sizes = std::env::args().skip(1).map(|size| size.parse::<usize>());
    let pods = sizes.next().transpose()?.unwrap_or(150_000);
    let nodes = sizes.next().transpose()?.unwrap_or(5_000);
    let mut cluster = Cluster::new(nodes, pods);
    let mut world = World::new();
    let before = memory_mib()?;
    let (took, ()) = timed(|| cluster.tell_all(&mut |o| world.apply(&o)))?;
    figure("take-in-s", took);
    cluster.pass(5.0);
    tick(&cluster, &mut world);
    let begun = Instant::now();
    let found = judge(&world);
    figure("first-judgement-ms", 1000.0 * begun.elapsed().as_secs_f64());
    figure("findings-of-a-healthy-cluster", count(&found));
    figure("memory-mib", memory_mib()? - before);
    after_changes("healthy", &mut cluster, &mut world)?;
    figure("core-percent-at-200-changes-a-second", share_of_a_core(&mut cluster, &mut world)?);
    cluster.break_some(&mut |o| world.apply(&o));
    cluster.pass(200.0);
    tick(&cluster, &mut world);
    let found = judge(&world);
    figure("findings-of-a-broken-cluster", count(&found));
    for d in &found.diagnoses {
        eprintln!("{:?}, {} subjects, {:.2}", d.cause, d.subjects.len(), d.confidence);
    }
    after_changes("broken", &mut cluster, &mut world)?;
    figure("memory-broken-mib", memory_mib()? - before);
    figure("core-percent-when-broken", share_of_a_core(&mut cluster, &mut world)?);
    Ok(())
}

/// The mean judgement after one change.
fn after_changes(which: &str, cluster: &mut Cluster, world: &mut World) -> Result<(), Box<dyn Error>> {
    let (spent, ()) = timed(|| {
        for _ in 0..ROUNDS {
            cluster.pass(MOMENT);
            cluster.change(&mut |o| world.apply(&o));
            let _ = judge(world);
        }
    })?;
    figure(&format!("judgement-{which}-ms"), 1000.0 * spent / ROUNDS as f64);
    Ok(())
}

/// Percent of a core that taking in and judging needs at that many changes a second, with the detector's own rests.
fn share_of_a_core(cluster: &mut Cluster, world: &mut World) -> Result<f64, Box<dyn Error>> {
    let (mut told, mut passed) = (0, 0.0);
    let (spent, ()) = timed(|| {
        while passed < SECONDS {
            let begun = Instant::now();
            let _ = judge(world);
            let rest = rest_after(begun.elapsed()).as_secs_f64();
            cluster.pass(rest);
            passed += rest;
            while f64::from(told) < RATE * passed {
                cluster.change(&mut |o| world.apply(&o));
                told += 1;
            }
            tick(cluster, world);
        }
    })?;
    Ok(100.0 * spent / passed)
}

fn tick(cluster: &Cluster, world: &mut World) {
    world.apply(&Observation { at: cluster.now(), source: Source::other("clock"), signal: Signal::Tick });
}

fn count(found: &Judgement) -> f64 {
    found.diagnoses.len() as f64
}

fn figure(name: &str, value: f64) {
    println!("{name} {value:.2}");
}

/// What it took in seconds on a CPU, however busy the machine is otherwise.
fn timed<T>(work: impl FnOnce() -> T) -> Result<(f64, T), Box<dyn Error>> {
    let before = on_cpu()?;
    let result = work();
    Ok(((on_cpu()? - before).as_secs_f64(), result))
}

fn on_cpu() -> Result<Duration, Box<dyn Error>> {
    let text = fs::read_to_string("/proc/self/schedstat")?;
    let nanos = text.split_whitespace().next().unwrap_or_default().parse()?;
    Ok(Duration::from_nanos(nanos))
}

fn memory_mib() -> Result<f64, Box<dyn Error>> {
    let text = fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find_map(|l| l.strip_prefix("VmRSS:")).unwrap_or_default();
    let kib: f64 = line.split_whitespace().next().unwrap_or_default().parse()?;
    Ok(kib / 1024.0)
}
