//! Observes a cluster and prints what was seen.
//!
//! ```text
//! observe SECONDS [--lab NAME | on the kubeconfig's context: --probes IMAGE] [--all] [--latency] [--record FILE]
//! ```
//! With `--sweep` it only removes what earlier observers left behind. At the end: how many signals of each kind, and what it took. `--latency` creates Services in the namespace
//! `default` meanwhile and measures how long they take to be observed.

use k8s_openapi::api::core::v1::Service;
use kube::{Api, Client};
use loopdrill_lab::Lab;
use loopdrill_model::{Observation, Signal};
use loopdrill_observe::record::Recorder;
use loopdrill_observe::{ObserveOptions, ObserveTarget, Observer, sweep};
use serde_json::json;
use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// When each Service was asked for.
type Asked = Arc<Mutex<HashMap<String, Instant>>>;

struct Args(Vec<String>);

impl Args {
    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|a| a == name)
    }

    fn value(&self, name: &str) -> Option<String> {
        let at = self.0.iter().position(|a| a == name)?;
        self.0.get(at + 1).cloned()
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().with_env_filter(tracing_subscriber::EnvFilter::from_default_env()).init();
    let args = Args(std::env::args().skip(1).collect());
    let seconds = args.0.first().and_then(|s| s.parse().ok()).ok_or("usage: observe SECONDS [options]")?;
    let target = target(&args).await?;
    let client = target.client.clone();
    if args.has("--sweep") {
        println!("removed: {:?}", sweep(&client, None).await?);
        return Ok(());
    }
    let options = ObserveOptions { probes: target.image.is_some(), ..ObserveOptions::default() };
    let mut recorder = match args.value("--record") {
        Some(file) => Some(Recorder::new(std::io::BufWriter::new(std::fs::File::create(file)?))?),
        None => None,
    };
    let (observer, mut seen) = Observer::start(target, options);
    let (began, mut counts, mut lags) = (Instant::now(), BTreeMap::<String, usize>::new(), Vec::new());
    let asked = Asked::default();
    if args.has("--latency") {
        tokio::spawn(make_services(client, asked.clone()));
    }
    let left = || Duration::from_secs(seconds).saturating_sub(began.elapsed());
    while let Ok(Some(o)) = tokio::time::timeout(left(), seen.recv()).await {
        *counts.entry(kind(&o)).or_default() += 1;
        lags.extend(lag(&asked, &o));
        if let Some(recorder) = &mut recorder {
            recorder.record(&o)?;
        }
        if args.has("--all") || matches!(o.signal, Signal::SourceState(_)) {
            println!("{:>7.3} {}", began.elapsed().as_secs_f64(), serde_json::to_string(&o)?);
        }
    }
    for (kind, count) in counts {
        println!("{count:>7} {kind}");
    }
    usage(began.elapsed())?;
    lags.sort();
    if let (Some(middle), Some(most)) = (lags.get(lags.len() / 2), lags.last()) {
        println!(
            "from the request to the observation: median {middle:?}, at most {most:?} of {}",
            lags.len()
        );
    }
    if let Some(recorder) = recorder {
        recorder.finish()?;
    }
    let stopping = Instant::now();
    drop(seen);
    observer.stop().await?;
    println!("stopped in {:?}", stopping.elapsed());
    Ok(())
}

async fn target(args: &Args) -> Result<ObserveTarget, Box<dyn Error>> {
    if let Some(name) = args.value("--lab") {
        let target = Lab::attach(&name).await?.target("example").await?;
        return Ok(ObserveTarget::from(&target));
    }
    let client = Client::try_default().await?;
    Ok(ObserveTarget { client, nodes: None, image: args.value("--probes"), run: "example".into(), aws: None })
}

async fn make_services(client: Client, asked: Asked) {
    let api: Api<Service> = Api::namespaced(client, "default");
    tokio::time::sleep(Duration::from_secs(3)).await;
    for n in 0..30 {
        let name = format!("observe-{n}");
        let service = json!({"metadata": {"name": name}, "spec": {"ports": [{"port": 80}]}});
        let Ok(service) = serde_json::from_value(service) else { return };
        asked.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone(), Instant::now());
        if let Err(error) = api.create(&Default::default(), &service).await {
            println!("cannot create Service {name}: {error}");
        }
        let _ = api.delete(&name, &Default::default()).await;
    }
}

fn lag(asked: &Asked, o: &Observation) -> Option<Duration> {
    match &o.signal {
        Signal::Service(s) => {
            asked.lock().unwrap_or_else(PoisonError::into_inner).remove(&s.name).map(|at| at.elapsed())
        }
        _ => None,
    }
}

fn kind(o: &Observation) -> String {
    let value = serde_json::to_value(&o.signal).unwrap_or_default();
    value.get("type").and_then(|t| t.as_str()).unwrap_or("?").to_owned()
}

/// Prints what this process took.
fn usage(elapsed: Duration) -> Result<(), Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    status.lines().filter(|l| l.starts_with("VmHWM")).for_each(|l| println!("{l}"));
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields = stat.rsplit(')').next().unwrap_or_default().split_ascii_whitespace();
    let ticks: f64 = fields.skip(11).take(2).filter_map(|t| t.parse::<f64>().ok()).sum();
    println!("{:.2} % of one core", ticks / elapsed.as_secs_f64());
    Ok(())
}
