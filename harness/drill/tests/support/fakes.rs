//! A fault that creates one object, a victim that is ill while the object is there, and a detector that looks.

use super::api::Api;
use async_trait::async_trait;
use k8s_openapi::api::core::v1::ConfigMap;
use loopdrill_cluster::{ClusterFacts, ClusterHandle, Target};
use loopdrill_detect::{DetectError, Detector};
use loopdrill_drill::{Budgets, Detectors, EventStream, Options, Session, SessionError, event_stream};
use loopdrill_faults::{
    Change, Fault, FaultContext, FaultError, FaultSpec, Footprint, Look, Resource,
    object::{Create, ObjectChange},
};
use loopdrill_model::{Capability, Cause, Diagnoses, Diagnosis, Evidence, Loop, Source, Subject, Timestamp};
use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    sync::{oneshot, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

/// How long each gate may take. Time stands still in these tests until nobody has anything to do, so that no busy machine
/// and no slow disk under the journal decides who was in time.
pub(crate) const BUDGETS: Budgets = Budgets {
    set_up: BUDGET,
    manifest: BUDGET,
    detect: BUDGET,
    recover: BUDGET,
    control: Duration::from_millis(200),
};
pub(crate) const BUDGET: Duration = Duration::from_millis(1500);

/// Name of the object that is the fault.
pub(crate) const FAULT: &str = "the-fault";

/// What the victim does.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum VictimIs {
    Ill,
    Immune,
    /// Without the symptom, and not well.
    Limping,
    /// Ill, and stays so after the undo.
    Scarred,
    NeverReady,
    /// Something else at each look; the last one stays.
    Changing(&'static [Shows]),
}

/// What one look at a victim shows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Shows {
    Well,
    Settling,
    Broken,
}

pub(crate) struct FakeFault {
    api: Api,
    victim: VictimIs,
    pub(crate) needs_storage: bool,
    pub(crate) expects: Expects,
    /// What the engine said at each look: whether the symptom had shown.
    told: Arc<Mutex<Vec<bool>>>,
}

impl FakeFault {
    pub(crate) fn new(api: &Api, victim: VictimIs) -> Self {
        Self { api: api.clone(), victim, needs_storage: false, expects: Expects::One, told: Arc::default() }
    }

    /// What the engine says at each look.
    pub(crate) fn told(&self) -> Arc<Mutex<Vec<bool>>> {
        self.told.clone()
    }
}

/// What the right answer is.
#[derive(Clone, Copy, Default, PartialEq)]
pub(crate) enum Expects {
    #[default]
    One,
    /// Two roots: what [`DetectorSays::TheTruthBelow`] says.
    Two,
    Silence,
}

const fn spec(needs: &'static [Capability]) -> FaultSpec {
    FaultSpec {
        fault: "fake",
        variant: "one",
        title: "an object that should not be there",
        roots: &[&[Cause::RbacDenied]],
        needs,
        ..FaultSpec::CANONICAL
    }
}

static PLAIN: FaultSpec = spec(&[]);
static SILENT: FaultSpec = FaultSpec { roots: &[], ..spec(&[]) };
static TWOFOLD: FaultSpec = FaultSpec { roots: &[&[Cause::RbacDenied], &[Cause::OverlayMtu]], ..spec(&[]) };
static DEMANDING: FaultSpec = spec(&[Capability::ZonalStorage]);

#[async_trait]
impl Fault for FakeFault {
    fn spec(&self) -> &'static FaultSpec {
        match self.expects {
            Expects::Silence => &SILENT,
            Expects::Two => &TWOFOLD,
            Expects::One if self.needs_storage => &DEMANDING,
            Expects::One => &PLAIN,
        }
    }

    fn footprint(&self, _: &ClusterFacts) -> Footprint {
        Footprint::default().uses(Resource::ControlPlane)
    }

    fn dry_run(&self, _: &ClusterFacts) -> Vec<String> {
        vec!["create one object".into()]
    }

    async fn set_up(&self, ctx: &FaultContext) -> Result<(), FaultError> {
        if self.victim == VictimIs::NeverReady {
            ctx.cancel.cancelled().await;
            return Err(FaultError::Interrupted);
        }
        Ok(())
    }

    async fn plan(&self, ctx: &FaultContext) -> Result<Vec<Change>, FaultError> {
        let mut object = ConfigMap::default();
        object.metadata.name = Some(FAULT.into());
        object.metadata.namespace = Some(ctx.namespace.clone());
        Ok(vec![Change::Object(ObjectChange::Create(Create::new(&object, &ctx.target.run)?))])
    }

    async fn absorbed_by(&self, _: &FaultContext) -> Result<Vec<Evidence>, FaultError> {
        Ok(vec![evidence()])
    }

    async fn look(&self, _: &FaultContext, shown: bool) -> Result<Look, FaultError> {
        let mut told = self.told.lock().expect("no look panics");
        told.push(shown);
        let shows = match self.victim {
            VictimIs::Ill if self.api.has(FAULT) => Shows::Broken,
            VictimIs::Ill | VictimIs::Immune | VictimIs::NeverReady => Shows::Well,
            VictimIs::Limping => Shows::Settling,
            VictimIs::Scarred => Shows::Broken,
            VictimIs::Changing(looks) => looks[(told.len() - 1).min(looks.len() - 1)],
        };
        Ok(match shows {
            Shows::Well => Look::Well,
            Shows::Settling => Look::Settling("its pod is Pending".into()),
            Shows::Broken => Look::Broken(vec![evidence()]),
        })
    }
}

fn evidence() -> Evidence {
    Evidence { signal: "fake".into(), value: "1".into(), at: Timestamp::now(), source: Source::victim() }
}

/// What the detector says while the fault is there.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum DetectorSays {
    TheTruth,
    /// And once more, a moment after the fault has gone.
    TheTruthTwice,
    Nothing,
    AnotherLoop,
    /// The truth, below a wrong answer of higher confidence.
    TheTruthBelow,
    /// A finding about something that no drill touches.
    AFalseAlarm,
}

pub(crate) struct FakeDetector {
    pub(crate) api: Api,
    pub(crate) says: DetectorSays,
    /// Sees nothing of the cluster at all.
    pub(crate) blind: bool,
}

impl FakeDetector {
    pub(crate) fn findings(&self) -> Vec<Diagnosis> {
        let found = |l: Loop, cause, namespace: String, confidence| Diagnosis {
            control_loop: l,
            cause: Some(cause),
            subjects: vec![Subject::new("Pod", namespace, "victim")],
            confidence,
            evidence: vec![evidence()],
            chain: Vec::new(),
            first_evidence_at: Timestamp::now(),
            diagnosed_at: Timestamp::UNIX_EPOCH,
        };
        let ns = || "drill-fake-one-r1".to_string();
        let truth = || found(Loop::Identity, Cause::RbacDenied, ns(), 0.8);
        let wrong = || found(Loop::Network, Cause::OverlayMtu, ns(), 0.9);
        match self.says {
            DetectorSays::AFalseAlarm => {
                vec![found(Loop::Storage, Cause::ProvisioningFailed, "elsewhere".into(), 0.9)]
            }
            _ if !self.api.has(FAULT) => Vec::new(),
            DetectorSays::Nothing => Vec::new(),
            DetectorSays::TheTruth | DetectorSays::TheTruthTwice => vec![truth()],
            DetectorSays::AnotherLoop => vec![wrong()],
            DetectorSays::TheTruthBelow => vec![truth(), wrong()],
        }
    }
}

#[async_trait]
impl Detector for FakeDetector {
    fn name(&self) -> &str {
        "fake"
    }

    async fn run(
        self: Arc<Self>,
        _: Arc<Target>,
        out: watch::Sender<Diagnoses>,
        ready: oneshot::Sender<()>,
        stop: CancellationToken,
    ) -> Result<(), DetectError> {
        let _ = ready.send(());
        let mut tick = tokio::time::interval(Duration::from_millis(10));
        let (mut last, mut gone_at) = (Vec::new(), None);
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                () = stop.cancelled() => return Ok(()),
            }
            let as_of = (!self.blind).then(Timestamp::now);
            let mut diagnoses = self.findings();
            if !diagnoses.is_empty() {
                last.clone_from(&diagnoses);
            } else if self.says == DetectorSays::TheTruthTwice && !last.is_empty() {
                let gone = gone_at.get_or_insert_with(Instant::now).elapsed().as_millis();
                diagnoses = if (300..600).contains(&gone) { last.clone() } else { diagnoses };
            }
            out.send_replace(Diagnoses { diagnoses, as_of, trouble: Vec::new() });
        }
    }
}

/// A session over the cluster in memory, with budgets of a second or two.
pub(crate) async fn session(
    api: &Api,
    detector: FakeDetector,
    state_dir: &Path,
    cancel: CancellationToken,
) -> Result<(Session, EventStream), SessionError> {
    let detector: Arc<dyn Detector> = Arc::new(detector);
    session_with(api, detector, state_dir, cancel).await
}

/// The same with several detectors side by side.
pub(crate) async fn session_with(
    api: &Api,
    detectors: impl Into<Detectors>,
    state_dir: &Path,
    cancel: CancellationToken,
) -> Result<(Session, EventStream), SessionError> {
    session_within(api, detectors, state_dir, cancel, BUDGETS).await
}

/// The same with other budgets.
pub(crate) async fn session_within(
    api: &Api,
    detectors: impl Into<Detectors>,
    state_dir: &Path,
    cancel: CancellationToken,
    budgets: Budgets,
) -> Result<(Session, EventStream), SessionError> {
    let target = Target {
        name: "memory".into(),
        client: api.client(),
        nodes: None,
        image: "none".into(),
        run: "r1".into(),
        facts: Arc::default(),
        kubeconfig: None,
    };
    let options = Options { budgets, require: false, state_dir: state_dir.into() };
    let handle = ClusterHandle::Context { kubeconfig: None, name: "memory".into() };
    let (events, stream) = event_stream();
    let session = Session::start(Arc::new(target), &handle, detectors, options, events, cancel).await?;
    Ok((session, stream))
}
