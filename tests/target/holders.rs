//! Faults that a pod holds on a node: the kernel takes them back with the pod's process, whatever becomes of it, of the node, of the
//! API server and of who wanted it.

use crate::{
    Bed, CONTEXT, has_injected,
    support::{Run, Running, text, wait},
    undone_from,
};
use loopdrill_model::Outcome;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    process::{Child, Command},
    time::{Duration, Instant},
};

/// Longer than anything may take on a machine on which all takes longer.
const LONG: Duration = Duration::from_secs(180);

/// Such a fault, and how a node shows that it is in force.
pub(crate) struct Held {
    pub(crate) variant: &'static str,
    /// What of the blast radius allows it.
    word: &'static str,
    /// The pod and its program.
    pod: &'static str,
    program: &'static str,
    /// Prints on its node how much of it is in force.
    shows: &'static str,
    /// What happens to it in the gate.
    day: Day,
}

pub(crate) const ALL: [Held; 3] = [
    Held {
        variant: "path",
        word: "node-network",
        pod: "path",
        program: "narrow-path",
        shows: "nft list tables | grep -c path_filter; true",
        day: Day::HarnessKilled,
    },
    Held {
        variant: "node-failure",
        word: "node-pods",
        pod: "standstill",
        program: "stop-kubelet",
        shows: "grep -ls '^State:.t' /proc/$(pidof kubelet)/task/*/status | wc -l",
        day: Day::ForceDeleted,
    },
    Held {
        variant: "write-iops",
        word: "control-plane",
        pod: "slowdown",
        program: "slow-sync",
        shows: "for pid in $(pidof etcd); do grep -LsE '^TracerPid:.0$' /proc/$pid/task/*/status; done | wc -l",
        day: Day::ApiServerStopped,
    },
];

/// What may happen while it is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Day {
    HarnessKilled,
    /// As the kernel does it, too, when there is no memory left.
    ProcessKilled,
    ForceDeleted,
    Evicted,
    /// The kubelet is gone, and then the run is ended by hand.
    KubeletStopped,
    /// The container runtime starts anew, and then the run is ended by hand.
    RuntimeRestarted,
    ApiServerStopped,
    NodeRestarted,
}

impl Day {
    const ALL: [Day; 8] = [
        Day::HarnessKilled,
        Day::ProcessKilled,
        Day::ForceDeleted,
        Day::Evicted,
        Day::KubeletStopped,
        Day::RuntimeRestarted,
        Day::ApiServerStopped,
        Day::NodeRestarted,
    ];
}

/// A file that allows all of these.
fn allowed(text: String) -> String {
    let words = "default-class: true, node-network: true, node-pods: true, control-plane: true";
    text.replace("default-class: true", words)
        .replace("pod-security: restricted", "pod-security: privileged\nprobes: true")
        .replace("faults: [", "faults: [cross-az-pvc, ")
}

/// Refused where the cluster or the file does not allow them, passed where they do.
pub(crate) fn are_drilled(bed: &Bed) {
    let variants: Vec<_> = ALL.iter().flat_map(|held| ["--variant", held.variant]).collect();
    let drills = |change: &dyn Fn(String) -> String, code: i32| {
        let run = Run::new();
        let output = bed.drill(&run, &bed.target(|t| change(allowed(t))), &variants);
        let report = run.report();
        assert_eq!(output.status.code(), Some(code), "{:?}\n{}", report.drills, text(&output.stderr));
        ALL.each_ref().map(|held| {
            report.drills.iter().find(|d| d.variant == held.variant).expect("it was asked for").clone()
        })
    };
    let restricted = |t: String| t.replace("security: privileged", "security: restricted");
    for drill in drills(&restricted, 6) {
        let why = drill.error.unwrap_or_default();
        assert!(why.contains("violates PodSecurity") && why.contains("host namespaces"), "{why}");
    }
    let word = |held: &Held| format!("{}: true", held.word);
    let unsaid =
        |t: String| ALL.iter().fold(t, |t, held| t.replace(&word(held), &format!("{}: false", held.word)));
    for (drill, held) in drills(&unsaid, 1).into_iter().zip(&ALL) {
        let (why, word) = (drill.error.unwrap_or_default(), format!("`blast-radius.{}`", word(held)));
        assert!(why.contains(&word), "{word} is not in: {why}");
    }
    for (drill, held) in drills(&|t| t, 0).into_iter().zip(&ALL) {
        assert_eq!(drill.outcome, Outcome::Passed, "{}: {:?}", held.variant, drill.error);
        assert_eq!(held.nodes(bed), Vec::<String>::new());
    }
}

impl Held {
    /// Gone after the bad day that it has in the gate.
    pub(crate) fn has_its_day(&self, bed: &Bed) {
        let took = self.ends(bed, self.day);
        eprintln!("{}, {:?}: gone after {took:.1} s", self.variant, self.day);
    }

    /// The nodes on which it is in force.
    fn nodes(&self, bed: &Bed) -> Vec<String> {
        bed.node_names().into_iter().filter(|node| self.is_on(bed, node)).collect()
    }

    /// Whether it is in force on that node; not on one that is just starting.
    fn is_on(&self, bed: &Bed, node: &str) -> bool {
        let shown = bed.runtime.block_on(bed.nodes.exec(node, &["sh", "-c", self.shows], None));
        let shown = shown.map(|output| text(&output.stdout)).unwrap_or_default();
        shown.trim().parse::<usize>().is_ok_and(|count| count > 0)
    }

    /// Puts it in force, lets that happen, and waits until it is gone; says after how many seconds.
    fn ends(&self, bed: &Bed, day: Day) -> f64 {
        let (run, elsewhere) = (Run::new(), Run::new());
        let target = bed.target(allowed).display().to_string();
        let args = ["run", "--context", CONTEXT, "--target", &target, "--variant", self.variant];
        // What the detector's probes leave of a killed run is seen once.
        let probes = (day, self.variant) == (Day::HarnessKilled, "path");
        let mut child = match probes {
            true => Running::start(bed.command(&run, &args)),
            false => bed.spawn(&run, &args),
        };
        run.wait_for_event("it is in force", has_injected);
        let nodes = self.nodes(bed);
        let [node] = &nodes[..] else { panic!("{} is in force on {nodes:?}", self.variant) };

        self.strike(bed, day, node, &mut child);
        let since = Instant::now();
        wait(&format!("{} gone, {day:?}", self.variant), LONG, || (!self.is_on(bed, node)).then_some(()));
        let took = since.elapsed().as_secs_f64();

        mend(bed, day, node);
        if day != Day::HarnessKilled {
            stop(&child);
            child.wait().expect("the child is ours");
        }
        if probes {
            orphan(bed);
        }
        let undone = undone_from(bed, &elsewhere);
        if day == Day::HarnessKilled {
            assert!(undone.contains(&format!("-{}", self.variant)), "{undone}");
        }
        if probes {
            for left in ["probes, in Namespace loopdrill-observer\n", "loopdrill-observer-gonelook3"] {
                assert!(undone.contains(left), "{left} is not in: {undone}");
            }
        }
        took
    }

    fn strike(&self, bed: &Bed, day: Day, node: &str, child: &mut Child) {
        match day {
            Day::HarnessKilled => {
                child.kill().expect("SIGKILL is always delivered");
                child.wait().expect("the child is ours");
            }
            // Not the shell that says so.
            Day::ProcessKilled => on(bed, node, &format!("pkill -9 -f 'victim[ ]{}'", self.program)),
            Day::ForceDeleted => {
                let [namespace, pod] = self.pod(bed);
                bed.kubectl(
                    &["delete", "pod", &pod, "-n", &namespace, "--force", "--grace-period=0", "--wait=false"],
                    None,
                );
            }
            Day::Evicted => {
                let [namespace, pod] = self.pod(bed);
                let path = format!("/api/v1/namespaces/{namespace}/pods/{pod}/eviction");
                let eviction = serde_json::json!({"apiVersion": "policy/v1", "kind": "Eviction",
                    "metadata": {"name": pod, "namespace": namespace}});
                bed.kubectl(&["create", "--raw", &path, "-f", "-"], Some(&eviction.to_string()));
            }
            Day::KubeletStopped => {
                on(bed, node, "systemctl stop kubelet");
                stop(child);
            }
            Day::RuntimeRestarted => {
                on(bed, node, "systemctl restart containerd");
                stop(child);
            }
            Day::ApiServerStopped => on(bed, &plane(bed), "pkill -STOP -x kube-apiserver"),
            Day::NodeRestarted => {
                let restarted = Command::new("docker").args(["restart", "--time", "1", node]).output();
                assert!(restarted.expect("the docker client runs").status.success());
            }
        }
    }

    /// The namespace and the name of the pod that holds it.
    fn pod(&self, bed: &Bed) -> [String; 2] {
        let label = format!("loopdrill.dev/victim={}", self.pod);
        let wanted = "jsonpath={.items[0].metadata.namespace} {.items[0].metadata.name}";
        let told = bed.kubectl(&["get", "pods", "-A", "-l", &label, "-o", wanted], None);
        let (namespace, pod) = told.trim().split_once(' ').expect("it is there");
        [namespace.to_owned(), pod.to_owned()]
    }
}

/// Ends what happened, and waits until the cluster works again.
fn mend(bed: &Bed, day: Day, node: &str) {
    match day {
        Day::ApiServerStopped => on(bed, &plane(bed), "pkill -CONT -x kube-apiserver"),
        Day::KubeletStopped => on(bed, node, "systemctl start kubelet"),
        _ => {}
    }
    let ready = ["wait", "--for=condition=Ready", "nodes", "--all", "--timeout=5s"];
    let argv = [&["kubectl", "--kubeconfig", "/etc/kubernetes/admin.conf"], &ready[..]].concat();
    wait("ready nodes", LONG, || {
        let output = bed.runtime.block_on(bed.nodes.exec(&plane(bed), &argv, None));
        output.is_ok_and(|output| output.code == 0).then_some(())
    });
}

/// Something of a look of a run that nobody knows any more.
fn orphan(bed: &Bed) {
    let labels =
        serde_json::json!({"loopdrill.dev/run": "gone-look-3", "loopdrill.dev/observer": "namespace"});
    let orphan = serde_json::json!({"apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": "loopdrill-observer-gonelook3", "labels": labels}});
    bed.kubectl(&["create", "-f", "-"], Some(&orphan.to_string()));
}

pub(crate) fn plane(bed: &Bed) -> String {
    format!("{}-control-plane", bed.lab.name)
}

pub(crate) fn on(bed: &Bed, node: &str, script: &str) {
    let argv = ["sh", "-c", script];
    let output = bed.runtime.block_on(bed.nodes.exec(node, &argv, None)).expect("the node answers");
    output.success(node, &argv).expect("it works");
}

/// As Ctrl-C does. A run that has ended already is fine.
fn stop(child: &Child) {
    let pid = Pid::from_raw(i32::try_from(child.id()).expect("a process id"));
    let _ = kill(pid, Signal::SIGINT);
}

/// Each fault on each day, with the seconds after which it is gone. A restart of the control plane's node is another matter, and
/// the kubelet that stands still is stopped already.
#[test]
#[ignore = "a quarter of an hour; ci/kill-matrix --holders runs it"]
fn whatever_happens_the_kernel_takes_it_back() {
    let bed = Bed::up();
    let before = bed.snapshot();
    for held in &ALL {
        for day in Day::ALL {
            let is_another = matches!(
                (held.variant, day),
                ("write-iops", Day::NodeRestarted) | ("node-failure", Day::KubeletStopped)
            );
            if is_another {
                continue;
            }
            let took = held.ends(&bed, day);
            bed.assert_same(&before, &format!("{}, {day:?}", held.variant));
            eprintln!("{:<13} {:<17} {took:6.1} s", held.variant, format!("{day:?}"));
        }
    }
}
