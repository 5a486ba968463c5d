//! The pulse of whoever drills, for programs that hold a fault in a pod: a Lease in the drill's namespace, renewed every
//! few seconds. A program that feels it no longer ends, and with it what it holds: when the harness has died, and also when
//! the API server does not answer, since then nobody could end it from outside.

use super::{account, api, create, typed};
use crate::{FaultContext, FaultError};
use jiff::Timestamp;
use k8s_openapi::api::{coordination::v1::Lease, core::v1::Pod};
use kube::{
    Api, Client, Config, ResourceExt,
    api::{Patch, PatchParams, PostParams},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::{env, future::Future, time::Duration};
use tokio::time::{Instant, sleep, timeout};

/// The Lease, and the account that may read it.
pub(crate) const PULSE: &str = "pulse";
/// After so long without a beat, whoever feels it gives up.
pub(crate) const LOST: Duration = Duration::from_secs(20);
/// Between two beats, and between two times of feeling it.
const BEAT: Duration = Duration::from_secs(2);
/// How long one question may take.
const ANSWER: Duration = Duration::from_secs(5);
/// What harness and program tell each other, where a log cannot: annotations of the Lease.
const GO: &str = "loopdrill.dev/go";
const TOLD: &str = "loopdrill.dev/told";
/// The variable in which a program finds its pod's name.
const POD: &str = "POD";

/// Begins to beat in the drill's namespace, until that is gone or this process ends. Programs that run as the account
/// [`PULSE`] feel it. Whether a pod as theirs is admitted is asked first.
pub(crate) async fn start(ctx: &FaultContext, mut like: Pod) -> Result<(), FaultError> {
    // Its account is not there yet.
    like.spec.iter_mut().for_each(|spec| spec.service_account_name = None);
    let tried = PostParams { dry_run: true, ..PostParams::default() };
    let made = api::<Pod>(ctx).create(&tried, &like).await;
    made.map_err(FaultError::api(format!("try to create Pod {}", like.name_any())))?;
    let rules = json!([
        {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["get", "patch"]},
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]},
    ]);
    account(ctx, PULSE, rules).await?;
    let mut lease = json!({"metadata": super::metadata(ctx, PULSE)});
    lease["spec"] = beat()["spec"].clone();
    create::<Lease>(ctx, &typed(lease)).await?;
    tokio::spawn(go_on(api(ctx)));
    Ok(())
}

/// The environment of a container whose program feels the pulse.
pub(crate) fn environment() -> Value {
    json!([{"name": POD, "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}])
}

/// Lets the program begin.
pub(crate) async fn go(ctx: &FaultContext) -> Result<(), FaultError> {
    let go = json!({"metadata": {"annotations": {GO: "now"}}});
    let patched = api::<Lease>(ctx).patch(PULSE, &PatchParams::default(), &Patch::Merge(go)).await;
    patched.map(drop).map_err(FaultError::api(format!("patch Lease {PULSE}")))
}

/// What the program told last.
pub(crate) async fn told<T: DeserializeOwned>(ctx: &FaultContext) -> Result<Option<T>, FaultError> {
    let lease = api::<Lease>(ctx).get(PULSE).await;
    let lease = lease.map_err(FaultError::api(format!("read Lease {PULSE}")))?;
    Ok(lease.annotations().get(TOLD).and_then(|told| serde_json::from_str(told).ok()))
}

fn beat() -> Value {
    let now = format!("{:.6}", Timestamp::now());
    json!({"spec": {"holderIdentity": "drill", "leaseDurationSeconds": LOST.as_secs(), "renewTime": now}})
}

async fn go_on(leases: Api<Lease>) {
    loop {
        sleep(BEAT).await;
        let beat = Patch::Merge(beat());
        let beaten = timeout(ANSWER, leases.patch(PULSE, &PatchParams::default(), &beat)).await;
        if matches!(beaten, Ok(Err(kube::Error::Api(status))) if status.code == 404) {
            return;
        }
    }
}

/// The pulse, as the program in the pod feels it.
pub(crate) struct Pulse {
    leases: Api<Lease>,
    pods: Api<Pod>,
    pod: String,
}

impl Pulse {
    /// With the pod's own account; `None` where it has none.
    pub(crate) fn of_this_pod() -> Option<Self> {
        let client = Client::try_from(Config::incluster().ok()?).ok()?;
        let (leases, pods) = (Api::default_namespaced(client.clone()), Api::default_namespaced(client));
        Some(Self { leases, pods, pod: env::var(POD).ok()? })
    }

    /// Ends when the pulse is felt no longer, or the pod is to go. Who has stopped the kubelet gets no signal from it.
    pub(crate) async fn lost(&self) {
        let last_beat = || async { self.leases.get(PULSE).await.ok()?.spec?.renew_time.map(|t| t.0) };
        tokio::select! {
            () = feel(last_beat) => {}
            () = self.dismissed() => {}
        }
    }

    async fn dismissed(&self) {
        loop {
            match timeout(ANSWER, self.pods.get(&self.pod)).await {
                Ok(Ok(pod)) if pod.metadata.deletion_timestamp.is_some() => return,
                Ok(Err(kube::Error::Api(status))) if status.code == 404 => return,
                _ => sleep(BEAT).await,
            }
        }
    }

    /// Waits until the harness says [`go`].
    pub(crate) async fn says_go(&self) {
        let is_there = |lease: &Lease| lease.annotations().contains_key(GO);
        while !timeout(ANSWER, self.leases.get(PULSE)).await.is_ok_and(|l| l.is_ok_and(|l| is_there(&l))) {
            sleep(BEAT / 2).await;
        }
    }

    /// Tells the harness something, as often as that is possible.
    pub(crate) async fn tell_on<T: Serialize>(&self, what: impl Fn() -> T) {
        loop {
            let text = serde_json::to_string(&what()).expect("plain data serialises");
            let told = Patch::Merge(json!({"metadata": {"annotations": {TOLD: text}}}));
            let _ = timeout(ANSWER, self.leases.patch(PULSE, &PatchParams::default(), &told)).await;
            sleep(BEAT).await;
        }
    }
}

/// Asks for the last beat until there has been no new one for too long. The times of two clocks are not compared: what counts
/// is that the beat is another one.
async fn feel<F: Future<Output = Option<Timestamp>>>(last_beat: impl Fn() -> F) {
    let (mut felt, mut at) = (None, Instant::now());
    while at.elapsed() < LOST {
        let left = LOST.saturating_sub(at.elapsed()).min(ANSWER);
        if let Ok(Some(beat)) = timeout(left, last_beat()).await
            && felt != Some(beat)
        {
            (felt, at) = (Some(beat), Instant::now());
        }
        sleep(BEAT).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    };

    fn moment(second: i64) -> Option<Timestamp> {
        Timestamp::from_second(1_800_000_000 + second).ok()
    }

    fn near(took: Duration, wanted: Duration) -> bool {
        took >= wanted && took < wanted + 3 * BEAT
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_felt_for_as_long_as_beats_come() {
        let beats = Arc::new(AtomicI64::new(0));
        let began = Instant::now();
        let next = || {
            let beat = beats.fetch_add(1, Ordering::Relaxed).min(50);
            async move { moment(beat) }
        };
        feel(next).await;
        assert!(near(began.elapsed(), 50 * BEAT + LOST), "{:?}", began.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn no_answer_is_no_beat() {
        let began = Instant::now();
        feel(std::future::pending).await;
        assert!(near(began.elapsed(), LOST), "{:?}", began.elapsed());
        let began = Instant::now();
        feel(|| async { None }).await;
        assert!(near(began.elapsed(), LOST), "{:?}", began.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn one_answer_that_fails_is_not_the_end() {
        let asked = AtomicI64::new(0);
        let began = Instant::now();
        feel(|| {
            let n = asked.fetch_add(1, Ordering::Relaxed);
            async move { (n % 4 != 0 && n < 40).then(|| moment(n)).flatten() }
        })
        .await;
        assert!(near(began.elapsed(), 39 * BEAT + LOST), "{:?}", began.elapsed());
    }
}
