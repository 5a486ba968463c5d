//! Behind the words of an evidence that is measured there is a number, and the rule's own threshold.

use crate::{metrics::SCENES, scene::*, scenes::*};
use loopdrill_attribution::measure;
use loopdrill_model::{Cause, Diagnosis, Evidence};

/// Whether the evidence was counted or probed, by who saw it.
fn is_measured(evidence: &Evidence) -> bool {
    ["metrics:", "probe:", "node:"].iter().any(|kind| evidence.source.as_str().starts_with(kind))
}

/// The findings of every scene, with the scene.
fn all() -> Vec<(Scene, Vec<Diagnosis>)> {
    let tells = CASES.iter().map(|case| case.tell).chain(SCENES.iter().copied());
    let told = |tell: fn(&mut Scene)| {
        let mut scene = Scene::lab();
        tell(&mut scene);
        let found = scene.diagnoses();
        (scene, found)
    };
    tells.map(told).collect()
}

#[test]
fn what_is_measured_has_a_number() {
    let mut seen = 0;
    for (scene, found) in all() {
        let world = world(&scene.told);
        for (finding, evidence) in found.iter().flat_map(|d| d.evidence.iter().map(move |e| (d, e))) {
            // Of a log that stalls nothing was written, so there is nothing to take a quantile of.
            if !is_measured(evidence) || evidence.value.starts_with("none for ") {
                continue;
            }
            seen += 1;
            assert!(
                measure(&world, finding, evidence).is_some(),
                "{} ({}): {} has no number",
                evidence.signal,
                evidence.source,
                evidence.value
            );
        }
    }
    assert!(seen > 20, "{seen}");
}

#[test]
fn what_is_no_number_has_none() {
    let told = all();
    let others = told.iter().flat_map(|(scene, found)| found.iter().map(move |d| (scene, d)));
    for (scene, finding) in others.filter(|(_, d)| d.cause == Some(Cause::RbacDenied)) {
        let withdrawn = finding.evidence.iter().find(|e| e.signal == "right withdrawn").expect("it was");
        assert_eq!(measure(&world(&scene.told), finding, withdrawn), None);
    }
}

/// The decisive number of a cause lies beyond what its rule holds it to.
#[test]
fn a_number_that_decides_is_beyond_its_threshold() {
    let decides = |tell: fn(&mut Scene), cause: Cause, signal: &str| {
        let mut scene = Scene::lab();
        tell(&mut scene);
        let found = scene.diagnoses();
        let finding = found.iter().find(|d| d.cause == Some(cause)).expect("it is found");
        let evidence = finding.evidence.iter().find(|e| e.signal.starts_with(signal)).expect("it is told");
        let measured = measure(&world(&scene.told), finding, evidence).expect("a number");
        (measured.value, measured.threshold.expect("its rule has one"))
    };
    for (tell, cause, signal) in [
        (slow_etcd as fn(&mut Scene), Cause::EtcdDiskBound, "etcd_disk_wal_fsync_duration_seconds p99"),
        (overload, Cause::ApiOverload, "apiserver_request_total"),
        (full_level, Cause::PriorityLevelFull, "apiserver_flowcontrol_request_wait_duration_seconds"),
        (packet_loss, Cause::PacketLoss, "probe "),
        (dns_failure, Cause::DnsFailure, "DNS asked from "),
        (starved, Cause::ControlPlaneStarved, "CPU of "),
    ] {
        let (value, threshold) = decides(tell, cause, signal);
        assert!(value >= threshold, "{signal}: {value} and {threshold}");
    }
    let (free, wanted) = decides(fragmentation, Cause::Fragmentation, "free requests by node");
    assert!(free < wanted, "{free} and {wanted}");
}
