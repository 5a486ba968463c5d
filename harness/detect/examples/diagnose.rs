//! Watches the cluster of the current kubeconfig and prints its findings live, without touching anything.
//!
//! ```text
//! KUBECONFIG=… cargo run -p loopdrill-detect --example diagnose [SECONDS]
//! ```

use loopdrill_detect::{Builtin, Detector};
use loopdrill_model::Diagnoses;
use loopdrill_observe::ObserveOptions;
use loopdrill_target::Target;
use std::{error::Error, sync::Arc, time::Duration};
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let seconds = std::env::args().nth(1).map_or(Ok(u64::MAX / 4), |s| s.parse())?;
    let target = Arc::new(Target {
        name: "current context".into(),
        client: kube::Client::try_default().await?,
        nodes: None,
        image: String::new(),
        run: "diagnose".into(),
        facts: Arc::default(),
        kubeconfig: None,
    });
    let (out, mut findings) = watch::channel(Diagnoses::default());
    let (ready, is_ready) = oneshot::channel();
    let stop = CancellationToken::new();
    let detector = Arc::new(Builtin::new(ObserveOptions { probes: false, ..ObserveOptions::default() }));
    let task = tokio::spawn(detector.run(target, out, ready, stop.clone()));
    is_ready.await?;
    println!("{:.3} watching", loopdrill_model::Timestamp::now());
    let watch = async {
        let mut shown = Vec::new();
        while findings.changed().await.is_ok() {
            let now = findings.borrow_and_update().clone();
            let names: Vec<_> = now.diagnoses.iter().map(|d| (d.cause, d.subjects.clone())).collect();
            if names != shown {
                show(&now);
                shown = names;
            }
        }
    };
    let _ = tokio::time::timeout(Duration::from_secs(seconds), watch).await;
    stop.cancel();
    Ok(task.await??)
}

fn show(now: &Diagnoses) {
    println!("{:.3} findings: {}", now.as_of.unwrap_or_default(), now.diagnoses.len());
    for d in &now.diagnoses {
        let lag = d.diagnosed_at.duration_since(d.first_evidence_at).as_secs_f64();
        let cause = d.cause.map_or("?", |c| c.name());
        println!("  {} / {cause}  confidence {:.2}  lag {lag:.2} s", d.control_loop, d.confidence);
        println!("    about {}", d.subjects.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "));
        for e in &d.evidence {
            println!("    {}: {} [{}]", e.signal, e.value, e.source);
        }
        for link in &d.chain {
            println!("    → {}: {}", link.control_loop, link.what);
        }
    }
}
