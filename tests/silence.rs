//! A healthy lab in normal motion: rollouts, scaling, jobs that complete, a node that is drained and comes back, a
//! claim that waits for its first consumer. Nothing of it is a finding.
//!
//! `LOOPDRILL_SOAK=SECONDS` says for how long; by default it is ten minutes where `CI` is set, and one elsewhere.
//! `LOOPDRILL_TEST_LAB=NAME` takes a lab that is there.

mod support;

use loopdrill_model::{Gate, Outcome, RunReport};
use std::{
    env,
    io::Write,
    process::{Command, Stdio},
    time::Duration,
};
use support::{Run, Running, lab::TestLab, text};

const NAMESPACE: &str = "daily-work";

#[test]
fn churn_is_no_finding_and_a_crash_loop_is_one() {
    let given = env::var("LOOPDRILL_TEST_LAB").ok().filter(|name| !name.is_empty());
    let (lab, run) = match given {
        Some(name) => (Lab { name, own: None }, Run::new()),
        None => {
            let own = TestLab::up("silence");
            let run = own.run();
            (Lab { name: own.name.clone(), own: Some(own) }, run)
        }
    };
    let work = Work::begin(&lab);

    let (report, rounds) = watch(&lab, &run, soak(), || work.round());
    let drill = &report.drills[0];
    assert_eq!(drill.outcome, Outcome::Passed, "after {rounds} rounds: {drill:#?}");
    assert!(rounds >= 1 && report.false_alarms.is_empty(), "{rounds} rounds, {:#?}", report.false_alarms);

    // The same watch is not deaf.
    let (report, _) = watch(&lab, &Run::new(), Duration::from_secs(30), || work.crash());
    let drill = &report.drills[0];
    assert_eq!(drill.outcome, Outcome::Failed(Gate::Attributed), "{drill:#?}");
    drop(work);
    drop(lab.own);
}

fn soak() -> Duration {
    let given =
        env::var("LOOPDRILL_SOAK").ok().map(|s| s.parse().expect("LOOPDRILL_SOAK is a number of seconds"));
    let ci = env::var_os("CI").is_some_and(|v| !v.is_empty() && v != "false");
    Duration::from_secs(given.unwrap_or(if ci { 600 } else { 60 }))
}

/// Runs the control drill for `time`, and `work` again and again meanwhile. Returns how often.
fn watch(lab: &Lab, run: &Run, time: Duration, mut work: impl FnMut()) -> (RunReport, u32) {
    let seconds = time.as_secs().to_string();
    let mut child = run.spawn(&["run", "--lab", &lab.name, "--fault", "control", "--for", &seconds]);
    run.wait_for_event("a drill that watches", |e| e["event"] == "gate-answered" && e["gate"] == "injected");
    let mut rounds = 0;
    while !ended(&mut child) {
        work();
        rounds += 1;
    }
    (run.report(), rounds)
}

fn ended(child: &mut Running) -> bool {
    child.try_wait().expect("the child is ours").is_some()
}

/// A lab, of this test or of the user.
struct Lab {
    name: String,
    own: Option<TestLab>,
}

impl Lab {
    /// Runs kubectl on the control plane.
    fn kubectl(&self, args: &[&str], stdin: &str) -> Result<String, String> {
        let node = format!("{}-control-plane", self.name);
        let mut child = Command::new("docker")
            .args(["exec", "-i", &node, "kubectl", "--kubeconfig", "/etc/kubernetes/admin.conf"])
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("docker runs");
        child.stdin.take().expect("piped").write_all(stdin.as_bytes()).expect("kubectl reads");
        let output = child.wait_with_output().expect("docker runs");
        match output.status.success() {
            true => Ok(text(&output.stdout)),
            false => Err(format!("kubectl {args:?}: {}", text(&output.stderr))),
        }
    }

    fn must(&self, args: &[&str], stdin: &str) -> String {
        self.kubectl(args, stdin).unwrap_or_else(|e| panic!("{e}"))
    }

    /// The image of our binary, which is on every node.
    fn image(&self) -> String {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let target = runtime.block_on(async {
            let lab = loopdrill_lab::Lab::attach(&self.name).await.expect("the lab is there");
            lab.target("silence").await.expect("the lab answers")
        });
        target.image
    }
}

/// What goes on in the cluster all day; its namespace goes with it.
struct Work<'l> {
    lab: &'l Lab,
    image: String,
}

impl<'l> Work<'l> {
    fn begin(lab: &'l Lab) -> Self {
        let work = Work { lab, image: lab.image() };
        // A test that was killed leaves it behind on a lab that stays.
        let wait = ["delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=true", "--timeout=300s"];
        lab.must(&wait, "");
        lab.must(&["create", "namespace", NAMESPACE], "");
        lab.must(&["apply", "-f", "-"], &work.service());
        work.lab.must(&["-n", NAMESPACE, "rollout", "status", "deployment/web", "--timeout=300s"], "");
        work
    }

    fn service(&self) -> String {
        format!(
            r#"
{{apiVersion: v1, kind: Service, metadata: {{name: web, namespace: {NAMESPACE}}},
 spec: {{selector: {{app: web}}, ports: [{{port: 80, targetPort: 8080}}]}}}}
---
{{apiVersion: apps/v1, kind: Deployment, metadata: {{name: web, namespace: {NAMESPACE}}},
 spec: {{replicas: 3, selector: {{matchLabels: {{app: web}}}}, template: {{metadata: {{labels: {{app: web}}}},
  spec: {{terminationGracePeriodSeconds: 2, containers: [{{name: web, image: "{image}", args: [victim, payload-server],
   resources: {{requests: {{cpu: 20m, memory: 16Mi}}}},
   readinessProbe: {{tcpSocket: {{port: 8080}}, periodSeconds: 1}}}}]}}}}}}}}
---
{{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {{name: later, namespace: {NAMESPACE}}},
 spec: {{accessModes: [ReadWriteOnce], resources: {{requests: {{storage: 16Mi}}}}}}}}
"#,
            image = self.image
        )
    }

    /// One of everything, each awaited as a careful operator would.
    fn round(&self) {
        let kubectl = |args: &[&str]| self.lab.must(&[&["-n", NAMESPACE], args].concat(), "");
        let settled = || kubectl(&["rollout", "status", "deployment/web", "--timeout=300s"]);
        kubectl(&["rollout", "restart", "deployment/web"]);
        settled();
        kubectl(&["scale", "deployment/web", "--replicas=6"]);
        settled();
        kubectl(&["scale", "deployment/web", "--replicas=2"]);
        settled();
        self.job();
        let node = self.idle_worker();
        self.lab
            .must(&["drain", &node, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=300s"], "");
        settled();
        self.lab.must(&["uncordon", &node], "");
        kubectl(&["scale", "deployment/web", "--replicas=3"]);
        settled();
    }

    fn job(&self) {
        let job = format!(
            r#"{{apiVersion: batch/v1, kind: Job, metadata: {{name: report, namespace: {NAMESPACE}}},
 spec: {{completions: 2, template: {{spec: {{restartPolicy: Never, containers: [
  {{name: report, image: "{}", args: ["--version"]}}]}}}}}}}}"#,
            self.image
        );
        self.lab.must(&["apply", "-f", "-"], &job);
        let wait = ["-n", NAMESPACE, "wait", "--for=condition=complete", "job/report", "--timeout=300s"];
        self.lab.must(&wait, "");
        self.lab.must(&["-n", NAMESPACE, "delete", "job", "report", "--wait=true"], "");
    }

    /// The worker with the fewest DNS servers: another one has a server that stays.
    fn idle_worker(&self) -> String {
        let nodes = ["get", "nodes", "-l", "!node-role.kubernetes.io/control-plane", "-o", "name"];
        let dns =
            ["-n", "kube-system", "get", "pods", "-l", "k8s-app=kube-dns", "-o", "jsonpath={..nodeName}"];
        let (nodes, dns) = (self.lab.must(&nodes, ""), self.lab.must(&dns, ""));
        let names = nodes.lines().map(|line| line.trim_start_matches("node/").to_owned());
        let servers = |name: &String| dns.split_whitespace().filter(|on| on == name).count();
        names.min_by_key(servers).expect("a lab has workers")
    }

    /// Something that is wrong indeed.
    fn crash(&self) {
        let pod = format!(
            r#"{{apiVersion: v1, kind: Pod, metadata: {{name: broken, namespace: {NAMESPACE}}},
 spec: {{containers: [{{name: broken, image: "{}", args: [victim, disk-writer, /no/such/folder]}}]}}}}"#,
            self.image
        );
        self.lab.must(&["apply", "-f", "-"], &pod);
    }
}

impl Drop for Work<'_> {
    fn drop(&mut self) {
        let gone = self.lab.kubectl(&["delete", "namespace", NAMESPACE, "--wait=true", "--timeout=300s"], "");
        if let Err(e) = gone
            && !std::thread::panicking()
        {
            panic!("{e}");
        }
    }
}
