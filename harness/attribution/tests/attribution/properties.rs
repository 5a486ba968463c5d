//! What holds for every cause: order, noise and names do not matter, and decisive evidence does.

use crate::{
    scene::{Scene, world},
    scenes::{CASES, Case},
};
use loopdrill_attribution::diagnose;
use loopdrill_model::{Cause, Diagnosis, Observation, Signal, Source, signal::*};
use proptest::prelude::*;

/// What must not change: causes, their order, what they are about, how sure we are.
fn answer(found: &[Diagnosis]) -> Vec<(Option<Cause>, Vec<String>, u32)> {
    found
        .iter()
        .map(|d| {
            let mut subjects: Vec<_> = d.subjects.iter().map(ToString::to_string).collect();
            subjects.sort();
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 100")]
            (d.cause, subjects, (d.confidence * 100.0).round() as u32)
        })
        .collect()
}

/// Cause, kinds of subjects, loops of the chain, confidence.
type Nameless = (Option<Cause>, Vec<String>, Vec<String>, u32);

/// The same without names.
fn nameless(found: &[Diagnosis]) -> Vec<Nameless> {
    let kinds = |d: &Diagnosis| {
        let mut kinds: Vec<_> = d.subjects.iter().map(|s| s.kind.clone()).collect();
        kinds.sort();
        kinds
    };
    let chain = |d: &Diagnosis| d.chain.iter().map(|l| l.control_loop.to_string()).collect();
    let answers = answer(found);
    found.iter().zip(answers).map(|(d, (cause, _, sure))| (cause, kinds(d), chain(d), sure)).collect()
}

fn told(case: &Case, salt: u64) -> Vec<Observation> {
    let mut scene = Scene::lab_with_names(salt);
    (case.tell)(&mut scene);
    scene.told
}

fn any_case() -> impl Strategy<Value = &'static Case> {
    (0..CASES.len()).prop_map(|i| &CASES[i])
}

/// Shuffles what was observed within one second of each other.
fn shuffled(mut told: Vec<Observation>, seed: u64) -> Vec<Observation> {
    let mut state = seed | 1;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut keyed: Vec<_> = told.drain(..).map(|o| ((o.at.as_second(), random()), o)).collect::<Vec<_>>();
    keyed.sort_by_key(|(key, _)| *key);
    keyed.into_iter().map(|(_, o)| o).collect()
}

/// Observations of things that have nothing to do with any fault.
fn noise(told: &[Observation], seed: u64) -> Vec<Observation> {
    let mut noisy = Vec::with_capacity(told.len() * 2);
    for (i, o) in told.iter().enumerate() {
        noisy.push(o.clone());
        let n = seed.wrapping_add(i as u64);
        let signal = match n % 5 {
            0 => Signal::Event(KubeEvent {
                uid: format!("noise-{n}"),
                version: n,
                object: loopdrill_model::Subject::new("Pod", "elsewhere", "bystander"),
                object_uid: "bystander".into(),
                warning: true,
                reason: "Unhealthy".into(),
                message: "Readiness probe failed: 401 Unauthorized".into(),
                count: 1,
                component: "kubelet".into(),
                first_at: Some(o.at),
                last_at: Some(o.at),
            }),
            1 => Signal::Metric(Metric { name: "up".into(), labels: Default::default(), value: 1.0 }),
            2 => Signal::Endpoints(Endpoints {
                namespace: "elsewhere".into(),
                service: "other".into(),
                ready: 1,
                not_ready: 0,
            }),
            3 => Signal::SourceState(SourceState { name: Source::other("x"), lost: Some("gone".into()) }),
            _ => Signal::Tick,
        };
        noisy.push(Observation { at: o.at, source: Source::other("noise"), signal });
    }
    noisy
}

#[test]
fn each_case_has_its_one_answer() {
    for case in CASES {
        let found = diagnose(&world(&told(case, 0)));
        let causes: Vec<_> = found.iter().filter_map(|d| d.cause).collect();
        assert_eq!(causes, [case.cause], "{found:#?}");
        assert!(!found[0].evidence.is_empty() && !found[0].subjects.is_empty(), "{found:#?}");
        assert!(found[0].first_evidence_at <= found[0].diagnosed_at, "{found:#?}");
        assert_eq!(found[0].control_loop, case.cause.control_loop());
    }
}

#[test]
fn every_cause_that_has_signals_has_a_case() {
    for cause in Cause::ALL {
        assert!(CASES.iter().any(|c| c.cause == *cause), "{cause}");
    }
}

#[test]
fn without_the_decisive_evidence_nobody_is_so_sure() {
    for case in CASES {
        let told = told(case, 0);
        let sure = |told: &[Observation]| {
            let found = diagnose(&world(told));
            found.iter().find(|d| d.cause == Some(case.cause)).map_or(0.0, |d| d.confidence)
        };
        let rest: Vec<_> = told.iter().filter(|o| !(case.decisive)(o)).cloned().collect();
        assert!(rest.len() < told.len(), "{} has no decisive evidence", case.cause);
        assert!(sure(&rest) < sure(&told), "{}: {} without it", case.cause, sure(&rest));
    }
}

#[test]
fn an_empty_world_has_no_findings() {
    assert_eq!(diagnose(&world(&[])), []);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(160))]

    #[test]
    fn order_within_a_window_does_not_matter(case in any_case(), seed in any::<u64>()) {
        let told = told(case, 0);
        let straight = answer(&diagnose(&world(&told)));
        let crooked = answer(&diagnose(&world(&shuffled(told, seed))));
        prop_assert_eq!(straight, crooked);
    }

    #[test]
    fn noise_does_not_matter(case in any_case(), seed in any::<u64>()) {
        let told = told(case, 0);
        let quiet = answer(&diagnose(&world(&told)));
        let noisy = answer(&diagnose(&world(&noise(&told, seed))));
        prop_assert_eq!(quiet, noisy);
    }

    #[test]
    fn names_do_not_matter(case in any_case(), salt in 1..u64::MAX) {
        let plain = nameless(&diagnose(&world(&told(case, 0))));
        let renamed = nameless(&diagnose(&world(&told(case, salt))));
        prop_assert_eq!(plain, renamed);
    }

    #[test]
    fn half_of_the_observations_missing_never_panics(case in any_case(), mask in any::<u64>()) {
        let some: Vec<_> = told(case, 0)
            .into_iter()
            .enumerate()
            .filter(|(i, _)| mask >> (i % 64) & 1 == 1)
            .map(|(_, o)| o)
            .collect();
        let _ = diagnose(&world(&some));
    }

    #[test]
    fn the_same_observations_give_the_same_document(case in any_case()) {
        let told = told(case, 0);
        let once = serde_json::to_string(&diagnose(&world(&told))).expect("plain data");
        let again = serde_json::to_string(&diagnose(&world(&told))).expect("plain data");
        prop_assert_eq!(once, again);
    }
}
