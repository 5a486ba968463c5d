//! A cluster that is not ours: a lab whose engine the program cannot reach. It has a kubeconfig of an account with exactly
//! what `loopdrill rbac --drills` prints, and nothing else.
//!
//! What can be drilled by the API alone passes, the rest is skipped by name; a run that was killed is undone from a machine
//! without its journal; refusals come before anything is touched; and the cluster is the same as before, to the byte.

mod days;
mod holders;
#[path = "../support/mod.rs"]
mod support;

use loopdrill_cluster::NodeAccess;
use loopdrill_faults::UndoAccess;
use loopdrill_model::{Gate, Outcome};
use serde_json::Value;
use std::{
    fs,
    io::Write as _,
    path::PathBuf,
    process::{Command, Output, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};
use support::{Run, Running, lab::TestLab, text, wait};

const CONTEXT: &str = "staging";
const SPEC: &str =
    "nodes:\n  - {role: control-plane, zone: a}\n  - {role: worker, zone: a}\n  - {role: worker, zone: b}\n";
const FAULTS: [(&str, &str); 6] = [
    ("revoked-iam", "rbac"),
    ("request-fragmentation", "fillers"),
    ("cross-az-pvc", "cordon"),
    ("cross-az-pvc", "immediate"),
    ("api-latency", "slow-admission"),
    ("api-latency", "one-seat"),
];

/// What a drill could leave on a node: links and how they send, routes, packet filters, control groups and files. What comes
/// and goes with every pod is left out.
const ON_NODE: &str = "ip -o link show | grep -v ': veth' | sed 's/@[^:]*//' | awk '{print $2, $4, $5}' | sort; tc qdisc show | grep -v ' veth' | sort; \
     ip route show | sed 's/ linkdown//'; ip rule show; nft list tables | sort; \
     find /sys/fs/cgroup -mindepth 1 -maxdepth 3 -type d | grep -vE 'kubepods|[.](service|scope|mount|slice|socket|swap)' | sort; \
     find /tmp /var/tmp /etc /usr/local /run/systemd/transient -xdev | grep -vE 'systemd-private|cri-containerd' | sort";

/// The lab as its administrator has it, and what the tested account has of it.
struct Bed {
    lab: TestLab,
    nodes: Arc<dyn NodeAccess>,
    runtime: tokio::runtime::Runtime,
    dir: tempfile::TempDir,
    image: String,
}

impl Bed {
    fn up() -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let spec = dir.path().join("spec.yaml");
        fs::write(&spec, SPEC).expect("written");
        let lab = TestLab::with_spec("target", &spec);
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let UndoAccess { nodes, .. } = runtime.block_on(lab.access());
        let attached = runtime.block_on(loopdrill_lab::Lab::attach(&lab.name)).expect("the lab is there");
        let image = attached.image().to_owned();
        let bed = Bed { nodes: nodes.expect("a lab has nodes"), lab, runtime, dir, image };
        bed.account(&[]);
        bed.hardens();
        // Those of a node's start go some seconds after it is ready; what is compared with later must not have them.
        let taints = ["get", "nodes", "-o", "jsonpath={.items[*].spec.taints[*].key}"];
        wait("nodes without the taints of their start", Duration::from_secs(120), || {
            (!bed.kubectl(&taints, None).contains("node.kubernetes.io/")).then_some(())
        });
        bed
    }

    /// Its nodes execute nothing that somebody puts there, as those of Bottlerocket and Talos, and start no transient unit.
    fn hardens(&self) {
        const HARDENS: &str = "for folder in /var /run /tmp; do mount -o remount,bind,noexec $folder; done; \
             chmod -x \"$(command -v systemd-run)\"; cp /bin/true /var/tmp/tried";
        const REFUSED: &str = "! /var/tmp/tried && ! systemd-run --wait true && rm /var/tmp/tried";
        for node in self.node_names() {
            for script in [HARDENS, REFUSED] {
                let argv = ["sh", "-ec", script];
                let output =
                    self.runtime.block_on(self.nodes.exec(&node, &argv, None)).expect("the node answers");
                output.success(&node, &argv).expect("it is refused");
            }
        }
    }

    /// kubectl as the administrator.
    fn kubectl(&self, args: &[&str], stdin: Option<&str>) -> String {
        let node = format!("{}-control-plane", self.lab.name);
        let argv = [&["kubectl", "--kubeconfig", "/etc/kubernetes/admin.conf"], args].concat();
        let run = self.nodes.exec(&node, &argv, stdin.map(str::as_bytes));
        let output = self.runtime.block_on(run).expect("the node answers");
        output.success(&node, &argv).expect("kubectl works")
    }

    /// Gives the account what is printed for drills of these faults, and nothing else, and writes its kubeconfig.
    fn account(&self, faults: &[&str]) {
        let faults = faults.iter().flat_map(|f| ["--fault", f]);
        let args: Vec<_> = ["rbac", "--drills"].into_iter().chain(faults).collect();
        let printed = self.lab.output(&args);
        self.kubectl(&["apply", "-f", "-"], Some(&text(&printed.stdout)));
        let token = self.kubectl(&["create", "token", "loopdrill-drills", "--duration", "2h"], None);
        let of_lab = self.lab.output(&["lab", "kubeconfig", "--path", "--name", &self.lab.name]);
        let of_lab = fs::read_to_string(text(&of_lab.stdout).trim()).expect("a kubeconfig");
        let mut config: Value = serde_yaml::from_str(&of_lab).expect("YAML");
        config["users"] = serde_json::json!([{"name": "drills", "user": {"token": token.trim()}}]);
        config["clusters"][0]["name"] = "staging".into();
        config["contexts"] =
            serde_json::json!([{"name": CONTEXT, "context": {"cluster": "staging", "user": "drills"}}]);
        fs::write(self.kubeconfig(), config.to_string()).expect("written");
    }

    fn kubeconfig(&self) -> PathBuf {
        self.dir.path().join("kubeconfig")
    }

    /// A target file that allows all that can be done, changed by `change`.
    fn target(&self, change: impl FnOnce(String) -> String) -> PathBuf {
        let uid = self.kubectl(&["get", "ns", "kube-system", "-o", "jsonpath={.metadata.uid}"], None);
        let faults = FAULTS.map(|(fault, variant)| format!("{fault}/{variant}")).join(", ");
        let text = format!(
            "version: 1\ncontext: {CONTEXT}\ncluster-uid: {uid}\nenvironment: staging\n\
             faults: [{faults}, overlay-mtu, etcd-disk, compute-decoy/quota, control-plane-decoy/webhook]\n\
             blast-radius: {{nodes: 3, pods: 30, share: 100, minutes: 30, default-class: true}}\n\
             image: {{name: \"{}\"}}\npod-security: restricted\n",
            self.image
        );
        let file = self.dir.path().join("target.yaml");
        fs::write(&file, change(text)).expect("written");
        file
    }

    /// The binary as on a machine without an engine: a kubeconfig, and a state folder of its own.
    fn command(&self, run: &Run, args: &[&str]) -> Command {
        let mut command = run.command(args);
        command.env("DOCKER_HOST", "unix:///nonexistent/docker.sock");
        command.env("KUBECONFIG", self.kubeconfig()).env_remove("LOOPDRILL_REQUIRE");
        command
    }

    /// A run whose faults stay in force until it is stopped: its detector says nothing.
    fn spawn(&self, run: &Run, args: &[&str]) -> Running {
        let silent = ["--detector", "none", "--detect-within", "600"];
        Running::start(self.command(run, &[args, &silent].concat()))
    }

    fn drill(&self, run: &Run, target: &std::path::Path, more: &[&str]) -> Output {
        let target = target.display().to_string();
        let args = [&["run", "--context", CONTEXT, "--target", &target], more].concat();
        self.command(run, &args).output().expect("the binary runs")
    }

    /// What a drill could leave: every object that it may touch, without what the cluster itself keeps changing.
    fn snapshot(&self) -> Vec<String> {
        let kinds = "nodes,namespaces,storageclasses,validatingwebhookconfigurations,clusterroles,clusterrolebindings,\
                     persistentvolumes,flowschemas,prioritylevelconfigurations";
        let cluster = self.kubectl(&["get", kinds, "-o", "json"], None);
        let homes = self.kubectl(
            &["get", "deployments,statefulsets,services,leases,pods", "-n", "default", "-o", "json"],
            None,
        );
        let of_nodes = self.node_names().into_iter().map(|node| {
            let output = self.runtime.block_on(self.nodes.exec(&node, &["sh", "-c", ON_NODE], None));
            format!("{node}: {}", output.map_or_else(|e| e.to_string(), |output| text(&output.stdout)))
        });
        [cluster, homes].iter().flat_map(|list| objects(list)).chain(of_nodes).collect()
    }

    fn node_names(&self) -> [String; 3] {
        ["control-plane", "worker", "worker2"].map(|node| format!("{}-{node}", self.lab.name))
    }

    fn assert_same(&self, before: &[String], after: &str) {
        let mut differences = Vec::new();
        let deadline = Instant::now() + Duration::from_secs(180);
        while Instant::now() < deadline {
            let now = self.snapshot();
            let only = |of: &[String], other: &[String]| {
                of.iter().filter(|one| !other.contains(one)).cloned().collect::<Vec<_>>()
            };
            differences = [only(before, &now), only(&now, before)].concat();
            if differences.is_empty() {
                return;
            }
        }
        panic!("after {after} the cluster is not as it was before: {differences:#?}");
    }
}

fn objects(list: &str) -> Vec<String> {
    let list: Value = serde_json::from_str(list).expect("JSON");
    let all = list["items"].as_array().expect("a list").iter();
    all.map(|object| loopdrill_faults::object::Manifest::of(object).canonical()).collect()
}

fn has_injected(event: &Value) -> bool {
    event["event"] == "gate-answered"
        && event["gate"] == Gate::Injected.name()
        && event["result"]["ok"] == true
}

/// One lab for all of it: a lab takes longer than what is done with it.
#[test]
fn a_cluster_that_only_a_kubeconfig_reaches() {
    let _alone = support::alone();
    let bed = Bed::up();
    let before = bed.snapshot();
    let part = |what: &str, part: &dyn Fn()| {
        support::part(what, || {
            part();
            bed.assert_same(&before, what);
        });
    };
    part("the refusals", &|| refusals_come_before_anything_is_touched(&bed));
    part("the push", &|| the_image_goes_into_a_registry(&bed));
    part("the drills", &|| drills_pass_or_are_skipped_by_name(&bed));
    // Those that can be in force side by side, the one that needs all nodes, and those that are seen at the API server.
    for variants in [&["rbac", "cordon", "immediate"][..], &["fillers"], &["slow-admission"], &["one-seat"]] {
        let what = format!("a killed run of {}", variants.join(", "));
        part(&what, &|| a_killed_run_is_undone_from_the_cluster_alone(&bed, variants));
    }
    part("the abort", &|| a_run_is_stopped_from_elsewhere(&bed));
    part("the drills that pods hold", &|| holders::are_drilled(&bed));
    for held in &holders::ALL {
        part(held.variant, &|| held.has_its_day(&bed));
    }
    part("its own drills", &|| it_drills_itself_from_inside(&bed));
    what_is_not_admitted_is_told(&bed);
}

fn refusals_come_before_anything_is_touched(bed: &Bed) {
    let run = Run::new();
    let refused = |change: fn(String) -> String, code: i32, word: &str| {
        let output = bed.drill(&run, &bed.target(change), &["--fault", "revoked-iam"]);
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{word}: {stderr}");
        assert!(stderr.contains(word), "{word} is not in: {stderr}");
    };
    refused(|t| t.replace("cluster-uid: ", "cluster-uid: 0"), 2, "another cluster");
    refused(|t| t.replace("environment: staging", "environment: production"), 2, "looks like production");
    refused(|t| t.replace("faults: [", "faults: [revoked-aim, "), 2, "did you mean `revoked-iam`?");
}

fn drills_pass_or_are_skipped_by_name(bed: &Bed) {
    let run = Run::new();
    let planned = bed.drill(&run, &bed.target(|t| t), &["--dry-run"]);
    let plan = text(&planned.stdout);
    assert!(planned.status.success() && plan.contains("undone by"), "{plan}{}", text(&planned.stderr));

    let named = ["--variant", "quota", "--variant", "webhook", "--variant", "df", "--variant", "no-dns"];
    let canonical = FAULTS.iter().flat_map(|(_, variant)| ["--variant", variant]);
    let output = bed.drill(&run, &bed.target(|t| t), &named.into_iter().chain(canonical).collect::<Vec<_>>());
    let report = run.report();
    let outcome = |variant: &str| {
        let drill = report.drills.iter().find(|d| d.variant == variant).expect("it was asked for");
        (drill.outcome.clone(), drill.error.clone().unwrap_or_default())
    };
    for (_, variant) in FAULTS.into_iter().chain([("", "quota"), ("", "webhook")]) {
        let (ended, error) = outcome(variant);
        assert_eq!(ended, Outcome::Passed, "{variant}: {error}\n{}", text(&output.stdout));
    }
    let (df, why) = outcome("df");
    assert!(matches!(df, Outcome::Skipped(_)) && why.contains("node agent"), "{df}: {why}");
    let (dns, why) = outcome("no-dns");
    assert!(matches!(dns, Outcome::Skipped(_)) && why.contains("not among the `faults`"), "{dns}: {why}");
    assert_eq!(output.status.code(), Some(0), "{}\n{}", text(&output.stdout), text(&output.stderr));
}

fn a_killed_run_is_undone_from_the_cluster_alone(bed: &Bed, variants: &[&str]) {
    let (run, elsewhere) = (Run::new(), Run::new());
    let target = bed.target(|t| t).display().to_string();
    let named = variants.iter().flat_map(|variant| ["--variant", *variant]);
    let args: Vec<_> = ["run", "--context", CONTEXT, "--target", &target].into_iter().chain(named).collect();
    let mut child = bed.spawn(&run, &args);
    for variant in variants {
        run.wait_for_event(&format!("{variant} in force"), |event| {
            has_injected(event) && event["drill"]["variant"] == *variant
        });
    }
    let second = bed.command(&elsewhere, &args).output().expect("it runs");
    assert_eq!(second.status.code(), Some(2), "{}", text(&second.stderr));
    assert!(text(&second.stderr).contains("drills this cluster now"), "{}", text(&second.stderr));
    child.kill().expect("SIGKILL is always delivered");
    child.wait().expect("the child is ours");
    undone_from(bed, &elsewhere);
}

/// Undoes what a dead run left, from a machine without its journal. Returns what was told.
fn undone_from(bed: &Bed, elsewhere: &Run) -> String {
    // The Lease must run out before anybody takes the run for dead.
    let undo = || bed.command(elsewhere, &["undo", "--context", CONTEXT]).output().expect("it runs");
    let undone = wait("the end of the dead run's Lease", Duration::from_secs(180), || {
        let output = undo();
        (!text(&output.stderr).contains("drills staging now")).then_some(output)
    });
    assert_eq!(undone.status.code(), Some(0), "{}", text(&undone.stderr));
    let again = undo();
    assert!(
        again.status.success() && text(&again.stderr).contains("nothing is left"),
        "{}",
        text(&again.stderr)
    );
    text(&undone.stderr)
}

fn a_run_is_stopped_from_elsewhere(bed: &Bed) {
    let (run, elsewhere) = (Run::new(), Run::new());
    let target = bed.target(|t| t).display().to_string();
    let args = ["run", "--context", CONTEXT, "--target", &target, "--variant", "cordon"];
    let mut child = bed.spawn(&run, &args);
    run.wait_for_event("the cordon in force", has_injected);
    let aborted = bed.command(&elsewhere, &["abort", "--context", CONTEXT]).output().expect("it runs");
    assert!(aborted.status.success(), "{}", text(&aborted.stderr));
    assert_eq!(child.wait().expect("the child is ours").code(), Some(130));
}

/// The lab's registry, from a machine that has no engine; a node pulls by the reference that was printed.
fn the_image_goes_into_a_registry(bed: &Bed) {
    let secret = [
        "get",
        "secret",
        "pull",
        "-n",
        "loopdrill-registry",
        "-o",
        "go-template={{index .data \".dockerconfigjson\" | base64decode}}",
    ];
    let accounts: Value = serde_json::from_str(&bed.kubectl(&secret, None)).expect("JSON");
    let account = accounts["auths"].as_object().and_then(|a| a.values().next()).expect("an account");
    let (user, password) =
        (account["username"].as_str().expect("a name"), account["password"].as_str().expect("one"));
    let plane = format!("{}-control-plane", bed.lab.name);
    let address =
        ["get", "node", &plane, "-o", "jsonpath={.status.addresses[?(@.type==\"InternalIP\")].address}"];
    let reference = format!("{}:5000/team/loopdrill:now", bed.kubectl(&address, None).trim());
    let run = Run::new();
    let push = |password: &str| {
        let args = ["image", "push", &reference, "--plain-http", "--username", user, "--password-stdin"];
        let mut child = bed.command(&run, &args);
        let child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = child.spawn().expect("the binary runs");
        child.stdin.take().expect("piped").write_all(password.as_bytes()).expect("it reads");
        child.wait_with_output().expect("it ends")
    };
    let refused = push("wrong");
    assert!(
        !refused.status.success() && text(&refused.stderr).contains("lets nobody push to team/loopdrill"),
        "{}",
        text(&refused.stderr)
    );
    let pushed = push(password);
    assert!(pushed.status.success(), "{}", text(&pushed.stderr));
    let by_digest = text(&pushed.stdout).trim().to_owned();
    assert_eq!(text(&push(password).stdout).trim(), by_digest, "the same binary is the same image");
    let node = format!("{}-worker", bed.lab.name);
    let login = format!("{user}:{password}");
    for args in [&["pull", "--plain-http", "--user", &login, &by_digest][..], &["rm", &by_digest]] {
        let argv = [&["ctr", "-n", "k8s.io", "images"], args].concat();
        let output = bed.runtime.block_on(bed.nodes.exec(&node, &argv, None)).expect("the node answers");
        assert_eq!(output.code, 0, "{}", text(&output.stderr));
    }
}

/// The manifests of `ci/gate/cronjob.yaml` with this cluster's uid and image: from a pod with the printed account the gate
/// opens, and the undo beside it finds nothing.
fn it_drills_itself_from_inside(bed: &Bed) {
    let uid = bed.kubectl(&["get", "ns", "kube-system", "-o", "jsonpath={.metadata.uid}"], None);
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("ci/gate/cronjob.yaml");
    let manifests = fs::read_to_string(file).expect("it is there");
    let manifests = manifests.replace("00000000-0000-0000-0000-000000000000", uid.trim());
    let manifests = manifests.replace("registry.example.com/loopdrill:0.1.0", &bed.image);
    bed.kubectl(&["apply", "-f", "-"], Some(&manifests));
    for (cronjob, last_words) in [
        ("loopdrill", "gate nightly: open (exit code 0)"),
        ("loopdrill-undo", "here: nothing is left to undo"),
    ] {
        let (from, job) = (format!("--from=cronjob/{cronjob}"), format!("job/{cronjob}-now"));
        bed.kubectl(&["create", "job", &from, &format!("{cronjob}-now")], None);
        let conditions = ["get", &job, "-o", "jsonpath={.status.conditions[*].type}"];
        // Its own limits are shorter: they end a run that hangs.
        let ended = wait("the end of the job", Duration::from_secs(900), || {
            let conditions = bed.kubectl(&conditions, None);
            ["Complete", "Failed"].into_iter().find(|end| conditions.split(' ').any(|c| c == *end))
        });
        let log = bed.kubectl(&["logs", &job], None);
        assert!(ended == "Complete" && log.contains(last_words), "{log}");
        bed.kubectl(&["delete", &job, "--wait"], None);
    }
    bed.kubectl(&["delete", "-f", "-"], Some(&manifests));
}

fn what_is_not_admitted_is_told(bed: &Bed) {
    let run = Run::new();
    let refused = |target: PathBuf, variant: &str, words: &[&str]| {
        let output = bed.drill(&run, &target, &["--variant", variant]);
        assert_eq!(output.status.code(), Some(6), "{}", text(&output.stderr));
        let drill = run.report().drills.remove(0);
        let why = drill.error.unwrap_or_default();
        words.iter().for_each(|word| assert!(why.contains(word), "{word} is not in: {why}"));
        assert!(drill.gates.injected.at.is_none(), "nothing of it was done");
    };
    let policy = include_str!("../support/pod_security.yaml");
    bed.kubectl(&["apply", "-f", "-"], Some(policy));
    let baseline = || bed.target(|t| t.replace("pod-security: restricted", "pod-security: baseline"));
    // A policy takes a moment to be known to the API server; until then this is a whole drill.
    wait("the policy in force", Duration::from_secs(300), || {
        let output = bed.drill(&run, &baseline(), &["--variant", "rbac", "--detector", "none"]);
        (output.status.code() == Some(6)).then_some(())
    });
    refused(baseline(), "rbac", &["violates PodSecurity", "`pod-security`"]);
    bed.kubectl(&["delete", "-f", "-"], Some(policy));
    bed.account(&["request-fragmentation"]);
    refused(
        bed.target(|t| t),
        "rbac",
        &["delete rolebindings", "loopdrill rbac --drills --fault revoked-iam"],
    );
}
