//! What other teams' crates may rely on, as the compiler checks it: each item is used here as they use it, whichever of our
//! crates it comes from. A line of this file that must be changed, other than by adding to it, is a breaking change: it
//! needs the next version by Semantic Versioning and a line in CHANGELOG.md. How the two traits are implemented is held in the
//! same way by `examples/own-detector`. Nothing is run.

use loopdrill_testing::{
    Budgets, Change, ClusterFacts, Date, DetectError, Detector, Drills, Expected, Fault, FaultContext,
    FaultError, FaultSpec, Footprint, Gate, Look, Resource, Seen, Target, Wanted, catalogue, detector,
    model::{
        Capability, Cause, ChainLink, Diagnoses, Diagnosis, Evidence, FaultId, Group, Loop, Source, Subject,
        Timestamp,
    },
    object::{Delete, ObjectChange, Patch},
    until,
};
use std::{path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

/// The whole of a test target.
fn drills(own: Arc<dyn Fault>, detector: Arc<dyn Detector>, expected: Expected) -> ExitCode {
    Drills::new("name", "/tmp")
        .detector(detector)
        .drill(Arc::clone(&own))
        .ends(expected, Arc::clone(&own))
        .fails(Gate::Detected, own)
        .budgets(Budgets { detect: Duration::from_secs(5), ..Budgets::default() })
        .binary(PathBuf::from("/usr/bin/loopdrill"))
        .run()
}

/// How a drill may end.
fn ends(day: Date) -> Vec<Expected> {
    let all = [
        Wanted::Ready,
        Wanted::Passed,
        Wanted::Resilient,
        Wanted::Skipped("two-zones"),
        Wanted::Fails(Gate::Recovered),
    ];
    let known = |wanted| Expected { wanted, reason: Some("known".into()), until: Some(day) };
    all.into_iter().map(known).chain([Expected::default()]).collect()
}

/// What comes with this build.
fn given() -> Result<Arc<dyn Detector>, DetectError> {
    let _: Vec<Arc<dyn Fault>> = catalogue();
    detector("builtin")
}

const SPEC: FaultSpec = FaultSpec {
    fault: "lost-right",
    variant: "mute",
    title: "an operator loses a right",
    group: Group::Canonical,
    roots: &[&[Cause::RbacDenied]],
    chain: &[Loop::Identity],
    needs: &[Capability::TwoZones],
};

const SHORT: FaultSpec = FaultSpec { fault: "lost-right", variant: "loud", ..FaultSpec::CANONICAL };

/// What the engine, or a drill that wraps another, asks of a fault.
async fn fault(fault: &dyn Fault, facts: &ClusterFacts, ctx: &FaultContext) -> Result<Look, FaultError> {
    let _: &'static FaultSpec = fault.spec();
    let _: Footprint = fault.footprint(facts);
    let _: Vec<String> = fault.dry_run(facts);
    fault.set_up(ctx).await?;
    let _: Vec<Change> = fault.plan(ctx).await?;
    let _: Vec<Evidence> = fault.in_force(ctx).await?;
    fault.trigger(ctx).await?;
    let _: Vec<Evidence> = fault.absorbed_by(ctx).await?;
    fault.after_undo(ctx).await?;
    fault.look(ctx, true).await
}

/// What a fault has at hand.
async fn context(ctx: &FaultContext) -> Result<Footprint, FaultError> {
    let (target, id): (&Arc<Target>, &FaultId) = (&ctx.target, &ctx.id);
    let _: (&String, bool) = (&ctx.namespace, ctx.cancel.is_cancelled());
    let _: (&String, &String, &Option<PathBuf>) = (&target.name, &target.run, &target.kubeconfig);
    let _: bool = target.facts.has(&Capability::TwoZones);
    let _: u8 = until(ctx, "a number", Duration::from_secs(1), || async {
        Ok(if ctx.cancel.is_cancelled() { Seen::NotYet("nothing".into()) } else { Seen::Yes(1) })
    })
    .await?;
    let _ = FaultError::api("read a page");
    match ctx.cancel.is_cancelled() {
        true => Err(FaultError::Interrupted),
        false if id.to_string().is_empty() => Err(FaultError::Unfit("no name".into())),
        false => Ok(Footprint::default()
            .uses(Resource::ControlPlane)
            .breaks(Resource::Registry)
            .uses_node("a")
            .breaks(Resource::NodeLife("b".into()))),
    }
}

/// How a drill tells its changes.
fn changes(delete: Delete, patch: Patch) -> [Change; 2] {
    [Change::Object(ObjectChange::Delete(delete)), Change::Object(ObjectChange::Patch(patch))]
}

/// A look has three answers, and whoever asks another drill needs no fourth arm.
fn told(look: Look) -> Vec<Evidence> {
    match look {
        Look::Well => Vec::new(),
        Look::Settling(why) => vec![Evidence::new("victim", why, Timestamp::now(), Source::victim())],
        Look::Broken(evidence) => evidence,
    }
}

/// What a detector says.
fn diagnoses(now: Timestamp) -> Diagnoses {
    let cause = Cause::RbacDenied;
    let said = Evidence { signal: "s".into(), value: "v".into(), at: now, source: Source::api("configmaps") };
    let diagnosis = Diagnosis {
        control_loop: cause.control_loop(),
        cause: Some(cause),
        subjects: vec![Subject::new("ConfigMap", "namespace", "name")],
        confidence: 0.9,
        evidence: vec![said],
        chain: Vec::<ChainLink>::new(),
        first_evidence_at: now,
        diagnosed_at: now,
    };
    Diagnoses { diagnoses: vec![diagnosis], as_of: Some(now), trouble: Vec::new() }
}

#[test]
fn a_crate_that_relies_on_this_compiles() {
    // To name them is enough.
    let _ = (drills, given, fault, context, changes, told);
    assert_eq!(ends(Date::constant(2030, 1, 31)).len(), 6);
    assert_eq!([SPEC.id(), SHORT.id()].map(|id| id.to_string()), ["lost-right/mute", "lost-right/loud"]);
    assert_eq!(diagnoses(Timestamp::UNIX_EPOCH).diagnoses.len(), 1);
}

/// What is added to the API is added here, too: or nothing would hold it.
#[test]
fn every_public_item_is_relied_on() {
    let api = include_str!("../src/lib.rs");
    let relied_on = [
        include_str!("api.rs"),
        include_str!("../../../examples/own-detector/src/lost_right.rs"),
        include_str!("../../../examples/own-detector/src/conditions.rs"),
    ]
    .concat();
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let relied_on: Vec<_> = relied_on.split(|c| !is_part(c)).collect();
    let exported = api.split("pub use ").skip(1).filter_map(|rest| rest.split(';').next());
    let items = exported.flat_map(|of| of.split(['{', '}', ',']));
    // Of a path the last word counts, of `a as b` the new one; what a group begins with ends in `::` and is none.
    let names = items.filter_map(|item| item.trim().rsplit(|c| !is_part(c)).next());
    let methods = api.split("pub fn ").skip(1).filter_map(|rest| rest.split(|c| !is_part(c)).next());
    let all: Vec<_> = names.chain(methods).filter(|name| !name.is_empty()).collect();
    assert!(["until", "detector", "Date", "budgets"].iter().all(|name| all.contains(name)), "{all:?}");
    let missing: Vec<_> = all.iter().filter(|name| !relied_on.contains(name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
