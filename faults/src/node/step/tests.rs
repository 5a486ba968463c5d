//! The names in journals and state files: what an earlier version wrote is read, and written the same.

use super::*;
use crate::node::{
    Cgroup, CgroupVersion, Content, Held, Limits,
    block_io::NoLimit,
    file::FileBefore,
    filter::{FilterTool, NoFilter},
    links::{df::Df, mtu::Mtu, route::Path},
    mechanism::Mechanism,
    unit::Active,
};
use serde_json::Value;

/// A state file as the last version wrote it that had snapshots of one type for all steps.
const STATE: &str = include_str!("state.json");

fn all() -> Vec<Planned> {
    fn saved<M: Mechanism>(step: M, before: M::Before) -> Saved<M> {
        Saved { step, before }
    }
    let link = || "vx".to_owned();
    let tag = || "loopdrill_r1".to_owned();
    let address = |text: &str| text.parse().expect("an address");
    let path = Path { dev: "eth0".into(), via: None, src: Some(address("10.0.0.1")) };
    let group = "kubelet.slice/c.scope".into();
    let cgroup = Cgroup { version: CgroupVersion::V2, mount: "/sys/fs/cgroup".into(), path: group };
    let limit = LimitWriteIops { cgroup, device: "8:0".into(), write_iops: 12 };
    let no_limit = NoLimit { limits: String::new(), without_io: vec!["/sys/fs/cgroup/kubelet.slice".into()] };
    let edit = EditFile { path: "/etc/htpasswd".into(), content: Content(b"bob:y\n".to_vec()) };
    let file = FileBefore {
        content: Content(b"al:x\nbob:y\n".to_vec()),
        mode: 0o100_644,
        uid: 0,
        gid: 0,
        mtime_s: 1_700_000_000,
        mtime_ns: 5,
    };
    vec![
        Planned::LinkMtu(saved(LinkMtu { link: link(), mtu: 1300 }, Mtu { mtu: 1450 })),
        Planned::VxlanDf(saved(VxlanDf { link: link(), on: true }, Df { df: 0 })),
        Planned::RouteMtu(saved(RouteMtu { peer: address("10.0.0.2"), mtu: 1400 }, path)),
        Planned::DropFragNeeded(saved(DropFragNeeded { tag: tag() }, NoFilter { tool: FilterTool::Nft })),
        Planned::DropOutgoing(saved(
            DropOutgoing { tag: tag(), link: link(), percent: 35 },
            NoFilter { tool: FilterTool::Iptables },
        )),
        Planned::LimitWriteIops(saved(limit, no_limit)),
        Planned::StopUnit(saved(StopUnit { unit: "kubelet.service".into() }, Active {})),
        Planned::EditFile(saved(edit, file)),
    ]
}

#[test]
fn the_last_versions_state_file_is_read_and_written_the_same() {
    let held: Held = serde_json::from_str(STATE).expect("readable");
    assert_eq!(held, Held { steps: all(), limits: Limits::default() });
    assert_eq!(serde_json::to_string(&held).expect("plain data"), STATE.trim_end());
}

#[test]
fn a_snapshot_of_another_kind_is_refused() {
    let written: Vec<Value> = all().iter().map(|p| serde_json::to_value(p).expect("plain data")).collect();
    for step in &written {
        for other in written.iter().filter(|other| other["before"]["before"] != step["before"]["before"]) {
            let mut mixed = step.clone();
            mixed["before"] = other["before"].clone();
            let refused = serde_json::from_value::<Planned>(mixed).expect_err("does not fit").to_string();
            assert!(refused.contains("does not belong to the step"), "{refused}");
        }
    }
}

#[test]
fn a_step_without_its_snapshot_is_refused() {
    for mut written in all().iter().map(|p| serde_json::to_value(p).expect("plain data")) {
        written.as_object_mut().expect("an object").remove("before");
        assert!(serde_json::from_value::<Planned>(written.clone()).is_err(), "{written}");
    }
}

#[test]
fn each_step_says_what_it_does() {
    let said: Vec<String> = all().iter().map(|p| p.saved().to_string()).collect();
    assert_eq!(
        said,
        [
            "set the MTU of vx to 1300",
            "mark what vx sends as \"don't fragment\"",
            "narrow the path to 10.0.0.2 to an MTU of 1400",
            "drop outgoing ICMP \"fragmentation needed\"",
            "drop 35 of 100 packets that leave by vx",
            "limit kubelet.slice/c.scope to 12 writes/s on disk 8:0",
            "stop kubelet.service",
            "edit /etc/htpasswd",
        ]
    );
}
