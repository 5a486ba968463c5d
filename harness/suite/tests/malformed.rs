//! What is wrong with a suite is said with its place and the nearest right word.

use loopdrill_model::{FaultId, Group, Loop};
use loopdrill_suite::{Known, Suite};

fn known() -> Vec<Known> {
    let drill =
        |fault, variant, group, control_loop| Known { id: FaultId::new(fault, variant), group, control_loop };
    vec![
        drill("control", "none", Group::Canonical, None),
        drill("overlay-mtu", "df", Group::Canonical, Some(Loop::Network)),
        drill("overlay-mtu", "filtered-icmp", Group::Canonical, Some(Loop::Network)),
        drill("etcd-disk", "write-iops", Group::Canonical, Some(Loop::ControlPlane)),
        drill("crash-loop", "bad-flag", Group::Decoy, Some(Loop::Workload)),
    ]
}

/// Each text, after a head that is right.
const MALFORMED: &[&str] = &[
    "",
    "version: 1\n",
    "version: 2\nname: s\ndrills: [{}]\n",
    "version: one\nname: s\ndrills: [{}]\n",
    "version: 1\nname: s\ndrills: []\n",
    "version: 1\nname: s\ndrills: {fault: overlay-mtu}\n",
    "version: 1\nname: s\ndrils: [{}]\n",
    "version: 1\nname: s\nname: t\ndrills: [{}]\n",
    "version: 1\nname: s\ndetectors: []\ndrills: [{}]\n",
    "version: 1\nname: s\ndetectors: builtin\ndrills: [{}]\n",
    "version: 1\nname: s\nbudgets: {detect: 0}\ndrills: [{}]\n",
    "version: 1\nname: s\nbudgets: {detect: 20s}\ndrills: [{}]\n",
    "version: 1\nname: s\nbudgets: {bitewithin: 3}\ndrills: [{}]\n",
    "version: 1\nname: s\ntarget: {lab: dev, kind: mine}\ndrills: [{}]\n",
    "version: 1\nname: s\ntarget: {labs: dev}\ndrills: [{}]\n",
    "version: 1\nname: s\nrequire: maybe\ndrills: [{}]\n",
    "version: 1\nname: s\ndrills:\n  - fault: overlay-mtuu\n",
    "version: 1\nname: s\ndrills:\n  - fault: overlay-mtu\n    variant: fd\n",
    "version: 1\nname: s\ndrills:\n  - fault: overlay-mtu\n    variant: write-iops\n",
    "version: 1\nname: s\ndrills:\n  - fault: overlay-mtu\n    loop: control-plane\n",
    "version: 1\nname: s\ndrills:\n  - loop: networks\n",
    "version: 1\nname: s\ndrills:\n  - group: decoy\n",
    "version: 1\nname: s\ndrills:\n  - vriant: df\n",
    "version: 1\nname: s\ndrills:\n  - expect: pased\n",
    "version: 1\nname: s\ndrills:\n  - expect: {fails: detectd, reason: r, until: 2027-01-31}\n",
    "version: 1\nname: s\ndrills:\n  - expect: {fails: detected, until: 2027-01-31}\n",
    "version: 1\nname: s\ndrills:\n  - expect: {fails: detected, reason: later}\n",
    "version: 1\nname: s\ndrills:\n  - expect: {fails: detected, reason: later, until: 31.1.2027}\n",
    "version: 1\nname: s\ndrills:\n  - expect: {skipped: two-zone}\n",
    "version: 1\nname: s\ndrills:\n  - expect: {skipped: two-zones, fails: detected}\n",
    "version: 1\nname: s\ndrills:\n  - expect: {}\n",
    "version: 1\nname: s\ndrills:\n  - fault: overlay-mtu\n   variant: df\n",
];

#[test]
fn each_says_where_and_what_would_be_right() {
    let said: Vec<String> = MALFORMED
        .iter()
        .map(|text| {
            let error = Suite::parse("suite.yaml", text, &known()).expect_err(text);
            format!("{text}→ {error}\n")
        })
        .collect();
    assert!(said.len() >= 25);
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn the_last_entry_that_selects_a_drill_says_how_it_must_end() {
    let text = "version: 1\nname: s\ndrills:\n  - group: all\n  - fault: etcd-disk\n    expect: resilient\n";
    let suite = Suite::parse("suite.yaml", text, &known()).expect("right");
    let ends: Vec<_> = suite
        .select(&known())
        .into_iter()
        .map(|s| format!("{} {:?}", s.drill.id, s.expected.wanted))
        .collect();
    assert_eq!(
        ends,
        [
            "control/none Ready",
            "overlay-mtu/df Ready",
            "overlay-mtu/filtered-icmp Ready",
            "etcd-disk/write-iops Resilient",
            "crash-loop/bad-flag Ready",
        ]
    );
}

#[test]
fn an_entry_without_words_selects_the_canonical_drills() {
    let suite = Suite::parse("s.yaml", "version: 1\nname: s\ndrills: [{}]\n", &known()).expect("right");
    assert_eq!(suite.select(&known()).len(), 4);
}
