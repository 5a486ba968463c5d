//! What pods ask for: "Init Containers", "Sidecar Containers", "Pod Overhead", "Pod-level resources".

use loopdrill_kubernetes::{Amounts, ContainerAmounts, PodAmounts, Resources};
use proptest::{collection::vec, prelude::*};

fn asks<'a>(requests: &[(&'a str, &'a str)]) -> ContainerAmounts<'a> {
    ContainerAmounts { requests: requests.to_vec(), ..Default::default() }
}

fn sidecar<'a>(requests: &[(&'a str, &'a str)]) -> ContainerAmounts<'a> {
    ContainerAmounts { sidecar: true, ..asks(requests) }
}

fn limits<'a>(limits: &[(&'a str, &'a str)]) -> ContainerAmounts<'a> {
    ContainerAmounts { limits: limits.to_vec(), ..Default::default() }
}

/// Thousandths of CPU of a pod with these containers.
fn cpu(containers: &[&str], init: &[(&str, bool)]) -> u64 {
    let pod = PodAmounts {
        containers: containers.iter().map(|c| asks(&[("cpu", c)])).collect(),
        init: init
            .iter()
            .map(|(c, stays)| ContainerAmounts { sidecar: *stays, ..asks(&[("cpu", c)]) })
            .collect(),
        ..Default::default()
    };
    pod.requests().cpu_millis
}

#[test]
fn init_containers_and_sidecars() {
    type Case<'a> = (&'a [&'a str], &'a [(&'a str, bool)], u64);
    const ONCE: bool = false;
    const STAYS: bool = true;
    let table: [Case<'_>; 9] = [
        (&["100m", "0.2"], &[], 300),
        // The highest of all init containers is the effective init request; the pod's is the higher of both.
        (&["100m"], &[("1", ONCE), ("500m", ONCE)], 1000),
        (&["2"], &[("1", ONCE), ("500m", ONCE)], 2000),
        // Sidecars count beside the containers.
        (&["100m"], &[("50m", STAYS)], 150),
        (&["100m"], &[("50m", STAYS), ("60m", ONCE)], 150),
        // An init container runs beside the sidecars that were started before it, and no others.
        (&["100m"], &[("50m", STAYS), ("500m", ONCE)], 550),
        (&["100m"], &[("500m", ONCE), ("50m", STAYS)], 500),
        (&["100m"], &[("50m", STAYS), ("500m", ONCE), ("700m", STAYS)], 850),
        (&[], &[], 0),
    ];
    for (containers, init, expected) in table {
        assert_eq!(cpu(containers, init), expected, "{containers:?} after {init:?}");
    }
}

#[test]
fn each_resource_has_its_own_highest() {
    let pod = PodAmounts {
        containers: vec![asks(&[
            ("cpu", "1"),
            ("memory", "1Gi"),
            ("nvidia.com/gpu", "1"),
            ("ephemeral-storage", "2Gi"),
        ])],
        init: vec![asks(&[("cpu", "2"), ("memory", "1Mi"), ("hugepages-2Mi", "80Mi")])],
        ..Default::default()
    };
    let mut expected = Resources { cpu_millis: 2000, memory_bytes: 1 << 30, pods: 1, ..Default::default() };
    expected.set("nvidia.com/gpu", 1);
    expected.set("ephemeral-storage", 2 << 30);
    expected.set("hugepages-2Mi", 80 << 20);
    assert_eq!(pod.requests(), expected);
    assert_eq!(
        expected.to_string(),
        "2 CPU, 1024Mi memory, 2048Mi ephemeral-storage, 80Mi hugepages-2Mi, 1 nvidia.com/gpu"
    );
}

/// The documentation's example of a runtime class: 250m and 120Mi on top of two containers.
#[test]
fn overhead_is_added() {
    let containers =
        vec![asks(&[("cpu", "500m"), ("memory", "100Mi")]), asks(&[("cpu", "1500m"), ("memory", "100Mi")])];
    let overhead = vec![("cpu", "250m"), ("memory", "120Mi")];
    let pod = PodAmounts { containers, overhead, ..Default::default() }.requests();
    assert_eq!((pod.cpu_millis, pod.memory_bytes), (2250, 320 << 20));
}

#[test]
fn limits_stand_for_requests_that_are_not_written() {
    let mut both = limits(&[("cpu", "1"), ("nvidia.com/gpu", "2")]);
    both.requests = vec![("cpu", "0")];
    let pod = PodAmounts { containers: vec![both], ..Default::default() }.requests();
    assert_eq!((pod.cpu_millis, pod.get("nvidia.com/gpu")), (0, 2));
}

#[test]
fn what_a_pod_declares_as_a_whole_stands_for_its_containers() {
    let of = |level: ContainerAmounts<'static>, containers: Vec<ContainerAmounts<'static>>| {
        PodAmounts { level, containers, overhead: vec![("cpu", "5m")], ..Default::default() }.requests()
    };
    let one = || vec![asks(&[("cpu", "100m"), ("memory", "1Mi")])];
    let whole = of(asks(&[("cpu", "2"), ("hugepages-2Mi", "4Mi"), ("nvidia.com/gpu", "1")]), one());
    assert_eq!((whole.cpu_millis, whole.memory_bytes, whole.get("hugepages-2Mi")), (2005, 1 << 20, 4 << 20));
    assert_eq!(whole.get("nvidia.com/gpu"), 0, "a pod as a whole has CPU, memory and huge pages only");
    assert_eq!(
        of(limits(&[("cpu", "2")]), one()).cpu_millis,
        105,
        "the containers' sum comes before a limit"
    );
    assert_eq!(of(limits(&[("cpu", "2")]), vec![]).cpu_millis, 2005);
}

#[test]
fn a_resize_in_place_counts_the_largest_until_it_is_known_to_be_impossible() {
    let held: Vec<Amounts<'_>> = vec![vec![("cpu", "400m")], vec![("cpu", "200m")]];
    let container = ContainerAmounts { held, ..asks(&[("cpu", "1")]) };
    let pod = |infeasible_resize| PodAmounts {
        containers: vec![container.clone()],
        infeasible_resize,
        ..Default::default()
    };
    assert_eq!((pod(false).requests().cpu_millis, pod(true).requests().cpu_millis), (1000, 400));
}

#[test]
fn every_pod_takes_one_place_and_nonsense_takes_nothing() {
    let pod =
        PodAmounts { containers: vec![asks(&[("cpu", "nonsense"), ("memory", "-1")])], ..Default::default() };
    assert_eq!(pod.requests(), Resources { pods: 1, ..Default::default() });
    assert_eq!(pod.requests().get("pods"), 1);
}

#[test]
fn what_is_not_wanted_need_not_be_there() {
    let node =
        Resources::of([("cpu", "2"), ("memory", "4Gi"), ("pods", "110"), ("ephemeral-storage", "10Gi")]);
    assert!(node.covers(&Resources::of([("cpu", "2"), ("nvidia.com/gpu", "0")])));
    assert!(!node.covers(&Resources::of([("nvidia.com/gpu", "1")])));
    assert!(!node.covers(&Resources::of([("ephemeral-storage", "11Gi")])));
    let wanted = Resources::of([("cpu", "3"), ("pods", "1"), ("nvidia.com/gpu", "1")]);
    assert_eq!(node.lacking(&wanted).collect::<Vec<_>>(), ["cpu", "nvidia.com/gpu"]);
    let full = node.clone().minus(&Resources { pods: 110, ..Default::default() });
    assert!(!full.covers(&Resources { pods: 1, ..Default::default() }));
}

const NAMES: [&str; 5] = ["cpu", "memory", "pods", "ephemeral-storage", "example.com/dongle"];

fn resources() -> impl Strategy<Value = Resources> {
    vec(0_u64..1000, NAMES.len()).prop_map(|amounts| {
        let mut all = Resources::default();
        NAMES.iter().zip(amounts).for_each(|(name, amount)| all.set(name, amount));
        all
    })
}

proptest! {
    #[test]
    fn amounts_are_counted_each_by_itself(a in resources(), b in resources()) {
        let (sum, max, left) = (a.clone().plus(&b), a.clone().max(&b), a.clone().minus(&b));
        for name in NAMES {
            let (x, y) = (a.get(name), b.get(name));
            prop_assert_eq!((sum.get(name), max.get(name), left.get(name)), (x + y, x.max(y), x.saturating_sub(y)));
        }
        prop_assert!(sum.covers(&max) && max.covers(&a) && max.covers(&b) && a.covers(&left));
        prop_assert_eq!(a.covers(&b), NAMES.iter().all(|n| a.get(n) >= b.get(n)));
        prop_assert_eq!(sum.minus(&b), a);
    }

    #[test]
    fn requests_lie_between_the_largest_and_the_sum(main in vec(0_u64..2000, 0..4), init in vec((0_u64..2000, any::<bool>()), 0..5)) {
        let texts: Vec<_> = main.iter().map(|m| format!("{m}m")).collect();
        let before: Vec<_> = init.iter().map(|(m, stays)| (format!("{m}m"), *stays)).collect();
        let main_refs: Vec<_> = texts.iter().map(String::as_str).collect();
        let init_refs: Vec<_> = before.iter().map(|(m, stays)| (m.as_str(), *stays)).collect();
        let total = cpu(&main_refs, &init_refs);
        let beside: u64 = init.iter().filter(|(_, stays)| *stays).map(|(m, _)| m).sum();
        let running = main.iter().sum::<u64>() + beside;
        let largest = init.iter().map(|(m, _)| *m).max().unwrap_or(0);
        prop_assert!(total >= running.max(largest));
        prop_assert!(total <= running.max(beside + largest));
        // A further container never makes it less.
        prop_assert!(cpu(&[&main_refs[..], &["10m"]].concat(), &init_refs) >= total);
        prop_assert!(cpu(&main_refs, &[&init_refs[..], &[("10m", false)]].concat()) >= total);
    }

    #[test]
    fn the_order_of_containers_does_not_matter(main in vec(0_u64..2000, 0..5)) {
        let texts: Vec<_> = main.iter().map(|m| format!("{m}m")).collect();
        let there: Vec<_> = texts.iter().map(String::as_str).collect();
        let back: Vec<_> = there.iter().rev().copied().collect();
        prop_assert_eq!(cpu(&there, &[]), cpu(&back, &[]));
    }
}

#[test]
fn a_sidecar_is_an_init_container_that_stays() {
    let pod =
        PodAmounts { init: vec![sidecar(&[("cpu", "1")]), sidecar(&[("cpu", "2")])], ..Default::default() };
    assert_eq!(pod.requests().cpu_millis, 3000);
}
