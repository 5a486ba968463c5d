//! A change of a node is held on the node: it ends with its holder, with its deadline, with the process that
//! wanted it, and after a restart of the node it can still be taken back.

mod support;

use loopdrill_cluster::NodeAccess;
use loopdrill_faults::{
    ChangeError,
    node::{Content, DropFragNeeded, EditFile, Limits, LinkMtu, NodeChange, RouteMtu, StopUnit, VxlanDf},
};
use loopdrill_lab::{AGENT, DockerNodes, Engine};
use std::{net::Ipv4Addr, process::Command, sync::Arc, time::Duration};
use support::{Run, text, wait};
use tokio::runtime::Runtime;

const NODE: &str = "loopdrill-test-hold";
const FILE: &str = "/var/lib/loopdrill-test.conf";
const UNIT: &str = "loopdrill-test.service";
/// Shorter than any limit of a change that must end for another reason.
const SOON: Duration = Duration::from_secs(45);

/// A machine with a service manager is all that is needed: a node's container without a cluster, with an
/// overlay device, a file and a service of the test's own.
struct Bench {
    runtime: Runtime,
    nodes: Arc<dyn NodeAccess>,
    /// An address on the node's own network.
    neighbour: Ipv4Addr,
}

impl Drop for Bench {
    fn drop(&mut self) {
        docker(&["rm", "--force", "--volumes", NODE]);
    }
}

fn docker(args: &[&str]) -> String {
    let output = Command::new("docker").args(args).output().expect("the docker client runs");
    assert!(output.status.success(), "docker {args:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// The image that a lab would take, built if need be.
fn node_image() -> String {
    std::env::var("LOOPDRILL_NODE_IMAGE").unwrap_or_else(|_| {
        let output = Run::new().output(&["lab", "image"]);
        assert!(output.status.success(), "no node image:\n{}", text(&output.stderr));
        text(&output.stdout).trim().to_owned()
    })
}

/// As much as every engine allows.
const PRIVILEGES: [&str; 14] = [
    "--cap-add=ALL",
    "--cap-drop=SYS_RESOURCE",
    "--security-opt=seccomp=unconfined",
    "--security-opt=apparmor=unconfined",
    "--security-opt=systempaths=unconfined",
    "--device-cgroup-rule=a *:* rwm",
    "--cgroupns=private",
    "--tmpfs=/run",
    "--tmpfs=/tmp",
    "--volume=/var",
    "--hostname",
    NODE,
    "--name",
    NODE,
];

impl Bench {
    fn new() -> Self {
        let image = node_image();
        // A run of this test that was killed may have left its node.
        let _ = Command::new("docker").args(["rm", "--force", "--volumes", NODE]).output();
        let runtime = Runtime::new().expect("a runtime");
        let engine = runtime.block_on(Engine::connect()).expect("an engine");
        let nodes = Arc::new(DockerNodes::new(engine, AGENT, [NODE.to_owned()]));
        let mut bench = Bench { runtime, nodes, neighbour: Ipv4Addr::UNSPECIFIED };
        docker(&[&["run", "--detach"], &PRIVILEGES[..], &[&image]].concat());
        docker(&["cp", &support::binary().to_string_lossy(), &format!("{NODE}:{AGENT}")]);
        bench.prepare();
        bench.sh(&format!("echo before > {FILE}; chmod 640 {FILE}; touch -d 2020-02-02 {FILE}"));
        let own = bench.sh("ip -4 -o addr show dev eth0 | tr -s ' ' | cut -d' ' -f4 | cut -d/ -f1");
        let [a, b, c, _] = own.trim().parse::<Ipv4Addr>().expect("the node's address").octets();
        bench.neighbour = [a, b, c, 254].into();
        bench
    }

    /// What a start of the node does not bring by itself.
    fn prepare(&self) {
        wait("the node's service manager", Duration::from_secs(60), || {
            let argv = ["systemctl", "is-active", "--quiet", "containerd"];
            let asked = self.runtime.block_on(self.nodes.exec(NODE, &argv, None));
            asked.is_ok_and(|output| output.code == 0).then_some(())
        });
        self.sh(
            "ip link add overlay7 type vxlan id 7 dev eth0 dstport 8472; ip link set overlay7 mtu 1450 up",
        );
        self.start_service();
    }

    fn start_service(&self) {
        self.sh(&format!(
            "printf '[Service]\\nExecStart=/bin/sleep infinity\\n' > /run/systemd/system/{UNIT}; \
             systemctl daemon-reload; systemctl start {UNIT}"
        ));
    }

    fn sh(&self, script: &str) -> String {
        let argv = ["sh", "-euc", script];
        let output = self.runtime.block_on(self.nodes.exec(NODE, &argv, None)).expect("the node answers");
        output.success(NODE, &argv).expect("the script works")
    }

    /// Every mechanism that needs no cluster, on links that every node has.
    fn plan(&self, limits: Limits) -> NodeChange {
        let steps = vec![
            DropFragNeeded { tag: "loopdrill_test".into() }.into(),
            VxlanDf { link: "overlay7".into(), on: true }.into(),
            LinkMtu { link: "overlay7".into(), mtu: 1300 }.into(),
            RouteMtu { peer: self.neighbour, mtu: 1400 }.into(),
            EditFile { path: FILE.into(), content: Content(b"during\n".to_vec()) }.into(),
            StopUnit { unit: UNIT.into() }.into(),
        ];
        let plan = NodeChange::plan(&self.nodes, NODE, steps, limits);
        self.runtime.block_on(plan).expect("nothing is in the way")
    }

    fn apply(&self, change: &NodeChange, id: &str) {
        self.runtime.block_on(change.apply(&self.nodes, id)).expect("the change is applied");
        let read = self.runtime.block_on(change.read_back(&self.nodes, id)).expect("the node answers");
        let read = read.expect("it is in force").value;
        let route = format!("route to {} mtu 1400", self.neighbour);
        for part in ["dropped", "df set", "mtu 1300", &route, FILE, UNIT] {
            assert!(read.contains(part), "{part:?} is not in {read:?}");
        }
        assert_eq!(self.differences(change).len(), 6);
    }

    fn differences(&self, change: &NodeChange) -> Vec<String> {
        self.runtime.block_on(change.differences(&self.nodes)).expect("the node answers")
    }

    fn undo(&self, change: &NodeChange, id: &str) -> Result<(), ChangeError> {
        self.runtime.block_on(change.undo(&self.nodes, id))
    }

    /// Waits until the node has put everything back by itself, and left nothing of ours behind.
    fn ends_by_itself(&self, change: &NodeChange, id: &str) {
        wait("the end of the change", SOON, || self.differences(change).is_empty().then_some(()));
        wait("the end of the holder", SOON, || {
            let left = self.sh(
                "ls -d /var/lib/loopdrill/* /run/loopdrill/* 2>/dev/null || true; \
                 systemctl list-units --all --no-legend 'loopdrill-t-*'; nft list tables | grep loopdrill || true",
            );
            left.is_empty().then_some(())
        });
        self.undo(change, id).expect("undo of what is gone already is fine");
        assert_eq!(self.differences(change), Vec::<String>::new());
    }
}

const LONG: Limits = Limits { deadline_s: 300, heartbeat_s: 60 };

#[test]
fn a_held_change_ends_whatever_happens() {
    let bench = Bench::new();
    undone_and_never_twice(&bench);
    ends_with_its_holder(&bench);
    ends_at_its_deadline(&bench);
    ends_with_the_process_that_wanted_it(&bench);
    fails_without_a_trace(&bench);
    foreign_state_is_refused_and_kept(&bench);
    taken_back_after_a_restart(&bench);
}

fn undone_and_never_twice(bench: &Bench) {
    let change = bench.plan(LONG);
    let json = serde_json::to_string(&change).expect("it is written to a journal");
    bench.apply(&change, "t-undo");
    let again = bench.runtime.block_on(change.apply(&bench.nodes, "t-undo"));
    assert!(again.is_err(), "the same change cannot be in force twice");
    let from_journal: NodeChange = serde_json::from_str(&json).expect("and read from there");
    bench.ends_after_undo(&from_journal, "t-undo");
}

impl Bench {
    fn ends_after_undo(&self, change: &NodeChange, id: &str) {
        self.undo(change, id).expect("undo works");
        self.ends_by_itself(change, id);
    }
}

fn ends_with_its_holder(bench: &Bench) {
    let change = bench.plan(LONG);
    bench.apply(&change, "t-holder");
    bench.sh("systemctl kill --signal=KILL loopdrill-t-holder.service");
    bench.ends_by_itself(&change, "t-holder");
}

fn ends_at_its_deadline(bench: &Bench) {
    let change = bench.plan(Limits { deadline_s: 10, ..LONG });
    // That it is in force is the holder's own word here: looking at all six parts could take until the deadline.
    bench.runtime.block_on(change.apply(&bench.nodes, "t-deadline")).expect("in force");
    bench.ends_by_itself(&change, "t-deadline");
}

fn ends_with_the_process_that_wanted_it(bench: &Bench) {
    let change = bench.plan(LONG);
    // All that a process holds goes with its runtime: the heartbeat's pipe is closed.
    let process = Runtime::new().expect("a runtime");
    process.block_on(change.apply(&bench.nodes, "t-process")).expect("applied");
    assert_eq!(bench.differences(&change).len(), 6);
    drop(process);
    bench.ends_by_itself(&change, "t-process");
}

fn fails_without_a_trace(bench: &Bench) {
    let change = bench.plan(LONG);
    // The last step fails, so all before it must be taken back.
    bench.sh(&format!("systemctl stop {UNIT}; rm /run/systemd/system/{UNIT}; systemctl daemon-reload"));
    let failed = bench.runtime.block_on(change.apply(&bench.nodes, "t-fails")).expect_err("the unit is gone");
    assert!(failed.to_string().contains(UNIT), "{failed}");
    bench.start_service();
    bench.ends_after_undo(&change, "t-fails");
}

fn foreign_state_is_refused_and_kept(bench: &Bench) {
    let change = bench.plan(LONG);
    bench.apply(&change, "t-foreign");
    bench.sh(&format!("echo someone else > {FILE}"));
    let read = bench.runtime.block_on(change.read_back(&bench.nodes, "t-foreign")).expect("the node answers");
    assert!(read.is_none(), "taken away behind our back: {read:?}");
    let refused = bench.undo(&change, "t-foreign").expect_err("that is not ours to overwrite");
    assert!(matches!(&refused, ChangeError::Foreign { what, .. } if what.contains(FILE)), "{refused}");
    assert_eq!(bench.sh(&format!("cat {FILE}")), "someone else\n");
    assert_eq!(bench.differences(&change).len(), 1, "everything else was put back");
    bench.sh(&format!("echo before > {FILE}"));
    bench.ends_after_undo(&change, "t-foreign");
}

fn taken_back_after_a_restart(bench: &Bench) {
    let change = bench.plan(LONG);
    bench.apply(&change, "t-restart");
    bench.runtime.block_on(bench.nodes.power_off(NODE)).expect("off");
    let down = bench.undo(&change, "t-restart").expect_err("a node that is off cannot take anything back");
    assert!(
        down.to_string().contains("run `loopdrill undo` again") && down.to_string().contains(FILE),
        "{down}"
    );
    bench.runtime.block_on(bench.nodes.power_on(NODE)).expect("on");
    bench.prepare();
    assert!(bench.differences(&change).iter().any(|d| d.contains(FILE)), "a file survives a restart");
    bench.ends_after_undo(&change, "t-restart");
}
