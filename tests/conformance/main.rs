//! A lab is a cluster like any other: what people put on clusters works on it. Admission webhooks, aggregated APIs,
//! autoscaling, Services of every kind, volumes of a StatefulSet, DNS, large transfers from everywhere to everywhere.
//! `ci/conformance` runs parts of Kubernetes' own suite beside it.

#[path = "../support/mod.rs"]
mod support;

use loopdrill_model::Outcome;
use std::{
    fs::File,
    io::Write as _,
    path::Path,
    process::{Command, Output, Stdio},
    time::Duration,
};
use support::{lab::TestLab, text, wait};

const OBJECTS: &str = include_str!("objects.yaml");
/// How long anything may take: it ends what hangs.
const LIMIT: Duration = Duration::from_secs(300);
/// What a large transfer sends and gets back.
const LARGE: usize = 2 << 20;

#[test]
fn what_people_put_on_clusters_works_on_a_lab() {
    let bundle = bundle();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let spec = folder.path().join("spec.yaml");
    // Like no other lab, or another test's run could take it while it is stopped.
    std::fs::write(&spec, "region: conformance\n").expect("written");
    let lab = Cluster(TestLab::with_spec("conformance", &spec));
    lab.fill(&bundle);
    let parts: [(&str, &dyn Fn()); 7] = [
        ("a validating webhook, and what the old fence did to it", &|| lab.webhook()),
        ("ClusterIP, NodePort, hostPort, hostNetwork, UDP, large requests, from six places", &|| {
            lab.services()
        }),
        ("DNS over UDP from pods and from a node's network", &|| lab.names()),
        ("a StatefulSet with volumes, behind a headless Service", &|| lab.stateful_set()),
        ("an aggregated API (metrics-server), and an autoscaler that follows it", &|| lab.autoscaler()),
        ("namespaces go, and what is left is there again after a stop", &|| lab.stop()),
        ("a run takes the stopped lab, and stops it again", &|| lab.warm_run(&spec)),
    ];
    parts.iter().for_each(|(what, part)| support::part(what, part));
}

/// The folder of the images, built where they are missing.
fn bundle() -> String {
    let builder = concat!(env!("CARGO_MANIFEST_DIR"), "/ci/node-image/build");
    let output = Command::new("bash").arg(builder).arg("--conformance").output().expect("bash is there");
    assert!(output.status.success(), "the conformance bundle cannot be built: {}", text(&output.stderr));
    text(&output.stdout).trim().into()
}

struct Cluster(TestLab);

impl Cluster {
    fn plane(&self) -> String {
        format!("{}-control-plane", self.0.name)
    }

    fn near(&self) -> String {
        format!("{}-worker", self.0.name)
    }

    fn far(&self) -> String {
        format!("{}-worker2", self.0.name)
    }

    fn kubectl(&self, args: &[&str], input: &str) -> Output {
        let mut child = Command::new("docker")
            .args(["exec", "-i", &self.plane(), "kubectl", "--kubeconfig=/etc/kubernetes/admin.conf"])
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("docker runs");
        child.stdin.take().expect("piped").write_all(input.as_bytes()).expect("it reads");
        child.wait_with_output().expect("it ends")
    }

    /// What kubectl prints where it succeeds.
    fn get(&self, args: &[&str]) -> String {
        good(args, &self.kubectl(args, "")).trim().into()
    }

    /// Runs a script in a pod of ours, or on a node.
    fn sh(&self, place: &str, script: &str) -> Output {
        if place.starts_with(&self.0.name) {
            Command::new("docker").args(["exec", place, "sh", "-c", script]).output().expect("docker runs")
        } else {
            self.kubectl(&["exec", "-n", "conformance", place, "--", "sh", "-c", script], "")
        }
    }

    fn fill(&self, bundle: &str) {
        for (image, nodes) in [
            ("agnhost", &[self.near(), self.far(), self.plane()][..]),
            ("metrics-server", &[self.near(), self.far()]),
        ] {
            for node in nodes {
                let import = Command::new("docker")
                    .args(["exec", "-i", node, "ctr", "-n", "k8s.io", "images", "import", "-"])
                    .stdin(File::open(format!("{bundle}/{image}.tar")).expect("in the bundle"))
                    .output()
                    .expect("docker runs");
                good(&[node, image], &import);
            }
        }
        let reference =
            |image: &str| std::fs::read_to_string(format!("{bundle}/{image}.ref")).expect("in the bundle");
        let made = self.sh(
            &self.plane(),
            "cd \"$(mktemp -d)\" && openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=webhook -keyout key \
             -out certificate -addext subjectAltName=DNS:webhook.conformance.svc 2>/dev/null && \
             base64 -w0 certificate && echo && base64 -w0 key",
        );
        let made = good(&["openssl"], &made);
        let (certificate, key) = made.split_once('\n').expect("two lines");
        let objects = OBJECTS
            .lines()
            .filter(|line| !line.starts_with('#'))
            .collect::<Vec<_>>()
            .join("\n")
            .replace("AGNHOST", reference("agnhost").trim())
            .replace("METRICS_SERVER", reference("metrics-server").trim())
            .replace("hostname: NEAR", &format!("hostname: {}", self.near()))
            .replace("hostname: FAR", &format!("hostname: {}", self.far()))
            .replace("CERTIFICATE", certificate)
            .replace("tls.key: KEY", &format!("tls.key: {}", key.trim()));
        let apply = ["apply", "-f", "-"];
        good(&apply, &self.kubectl(&apply, &objects));
        for set in ["deployment/webhook", "deployment/busy", "statefulset/store"] {
            self.get(&["rollout", "status", "-n", "conformance", set, "--timeout=300s"]);
        }
        for pod in ["near", "far", "ingress", "host"] {
            let pod = format!("pod/{pod}");
            self.get(&["wait", "-n", "conformance", "--for=condition=Ready", &pod, "--timeout=300s"]);
        }
    }

    /// Asks for an object that the webhook denies; what the API server says.
    fn denied(&self) -> String {
        let output = self.kubectl(&["create", "configmap", "-n", "guarded", "asked"], "");
        assert!(!output.status.success(), "the webhook did not decide: {}", text(&output.stdout));
        text(&output.stderr)
    }

    fn webhook(&self) {
        // The API server learns of a new configuration a moment later.
        wait("the webhook's answer", LIMIT, || {
            let output =
                self.kubectl(&["create", "configmap", "-n", "guarded", "asked", "--dry-run=server"], "");
            (!output.status.success()).then_some(())
        });
        self.decides();
        let fence = "table inet old_fence { chain output { type filter hook output priority 10; \
                     oifname \"eth0\" ip daddr { 10.244.0.0/16, 10.96.0.0/16 } counter reject; }; }";
        good(&["nft"], &self.sh(&self.plane(), &format!("nft '{fence}'")));
        let cut = self.denied();
        good(&["nft"], &self.sh(&self.plane(), "nft delete table inet old_fence"));
        // A connection that stood waits; a new one is refused.
        assert!(cut.contains("failed calling webhook") && !cut.contains("denies all"), "{cut}");
        self.decides();
    }

    /// Waits for an answer of the webhook's own.
    fn decides(&self) {
        wait("the webhook's own answer", LIMIT, || {
            self.denied().contains("this webhook denies all requests").then_some(())
        });
    }

    fn services(&self) {
        let pod = |name: &str, field: &str| self.get(&["get", "pod", "-n", "conformance", name, "-o", field]);
        let ip = "jsonpath={.status.podIP}";
        let host = "jsonpath={.status.hostIP}";
        let service =
            self.get(&["get", "service", "-n", "conformance", "web", "-o", "jsonpath={.spec.clusterIP}"]);
        let plane = self.get(&[
            "get",
            "node",
            &self.plane(),
            "-o",
            "jsonpath={.status.addresses[?(@.type==\"InternalIP\")].address}",
        ]);
        let targets = [
            ("a pod", format!("{}:8080", pod("near", ip))),
            ("a pod of another node", format!("{}:8080", pod("far", ip))),
            ("a Service", format!("{service}:80")),
            ("a NodePort of the control plane", format!("{plane}:30080")),
            ("a NodePort of a worker", format!("{}:30080", pod("far", host))),
            ("a hostPort", format!("{}:8088", pod("ingress", host))),
            ("a process in a node's network", format!("{}:18080", pod("host", ip))),
        ];
        let mut failed = Vec::new();
        for place in ["near", "far", "host", &self.plane(), &self.near(), &self.far()] {
            for (what, address) in &targets {
                // What comes back is what was sent, so both directions have carried all of it.
                let script = format!(
                    "head -c {LARGE} /dev/zero | tr '\\0' x >/tmp/large && \
                     printf msg= | cat - /tmp/large | \
                     curl -sS --fail --max-time 60 --data-binary @- http://{address}/echo | cmp - /tmp/large && echo same"
                );
                let output = self.sh(place, &script);
                if text(&output.stdout).trim() != "same" {
                    failed.push(format!("{place} to {what}, {address}: {}", text(&output.stderr)));
                }
            }
            // The smallest of requests over UDP, by the Service; nobody promises that a packet arrives at once.
            let script = format!(
                "for n in 1 2 3 4 5; do printf hostname | \
                 timeout 5 bash -c 'exec 3<>/dev/udp/{service}/81; cat >&3; head -c 3 <&3' && break; done"
            );
            let answer = text(&self.sh(place, &script).stdout);
            if !["nea", "far"].contains(&answer.as_str()) {
                failed.push(format!("{place} to the Service over UDP: '{answer}'"));
            }
        }
        assert!(failed.is_empty(), "{}", failed.join("\n"));
    }

    fn names(&self) {
        let service =
            self.get(&["get", "service", "-n", "conformance", "web", "-o", "jsonpath={.spec.clusterIP}"]);
        for place in ["near", "far", "host"] {
            let ask = "dig +notcp +short +time=5 @10.96.0.10 web.conformance.svc.cluster.local";
            wait(&format!("{place} resolves a name"), LIMIT, || {
                (text(&self.sh(place, ask).stdout).trim() == service).then_some(())
            });
            // By the resolver's own configuration, as programs ask.
            let found = self.sh(place, "getent hosts web.conformance");
            assert!(text(&found.stdout).starts_with(&service), "{place}: {}", text(&found.stderr));
        }
    }

    fn stateful_set(&self) {
        let members = || {
            let all = self.sh("near", "dig +notcp +short @10.96.0.10 store.conformance.svc.cluster.local");
            text(&all.stdout).lines().count()
        };
        wait("both members' addresses", LIMIT, || (members() == 2).then_some(()));
        good(&["write"], &self.sh("store-0", "echo kept >/data/file && sync /data/file"));
        let uid = || {
            let args = ["get", "pod", "-n", "conformance", "store-0", "-o", "jsonpath={.metadata.uid}"];
            text(&self.kubectl(&args, "").stdout)
        };
        let before = uid();
        self.get(&["delete", "pod", "-n", "conformance", "store-0"]);
        wait("another store-0", LIMIT, || (!uid().is_empty() && uid() != before).then_some(()));
        self.get(&["rollout", "status", "-n", "conformance", "statefulset/store", "--timeout=300s"]);
        let kept = self.sh("store-0", "cat /data/file");
        assert_eq!(text(&kept.stdout), "kept\n", "{}", text(&kept.stderr));
        let name = "http://store-0.store.conformance.svc.cluster.local:8080/hostname";
        wait("the member's own name", LIMIT, || {
            let answer = self.sh("near", &format!("curl -sS --max-time 5 {name}"));
            (text(&answer.stdout) == "store-0").then_some(())
        });
    }

    fn autoscaler(&self) {
        let condition = "--for=condition=Available";
        self.get(&["wait", condition, "apiservice/v1beta1.metrics.k8s.io", "--timeout=300s"]);
        wait("readings of all nodes", LIMIT, || {
            let nodes = self.kubectl(&["top", "nodes", "--no-headers"], "");
            (text(&nodes.stdout).lines().filter(|line| !line.contains("unknown")).count() == 3).then_some(())
        });
        wait("the autoscaler's second pod", LIMIT, || {
            let scale = "jsonpath={.status.readyReplicas}";
            let ready = self.kubectl(&["get", "deployment", "-n", "conformance", "busy", "-o", scale], "");
            (text(&ready.stdout) == "2").then_some(())
        });
        let reading = "jsonpath={.status.currentMetrics[0].resource.current.averageUtilization}";
        let reading = self.get(&["get", "hpa", "-n", "conformance", "busy", "-o", reading]);
        assert!(
            reading.parse::<u32>().is_ok_and(|percent| percent > 50),
            "it scaled by a reading: '{reading}'"
        );
    }

    fn stop(&self) {
        // A namespace can only be deleted where every aggregated API answers.
        self.get(&["delete", "namespace", "conformance", "guarded", "--timeout=300s"]);
        let name = self.0.name.as_str();
        for command in ["stop", "up"] {
            let done = self.0.output(&["lab", command, "--name", name]);
            assert!(done.status.success(), "{}", text(&done.stderr));
        }
        wait("readings of all nodes after the stop", LIMIT, || {
            let nodes = self.kubectl(&["top", "nodes", "--no-headers"], "");
            (text(&nodes.stdout).lines().count() == 3).then_some(())
        });
    }

    fn warm_run(&self, spec: &Path) {
        // It ends until it reaches the API server, and whoever looks a moment after a start may say so.
        self.get(&["delete", "-n", "kube-system", "deployment/metrics-server", "service/metrics-server"]);
        self.get(&["delete", "apiservice/v1beta1.metrics.k8s.io"]);
        let name = self.0.name.as_str();
        let stopped = self.0.output(&["lab", "stop", "--name", name]);
        assert!(stopped.status.success(), "{}", text(&stopped.stderr));
        let run = self.0.run();
        let drill = ["run", "--spec", &spec.display().to_string(), "--variant", "rbac"];
        let output = run.output(&drill);
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{}\n{told}", text(&output.stdout));
        assert!(told.contains(&format!("lab {name} was stopped and is what is wanted")), "{told}");
        let drills = run.report().drills;
        assert!(drills.iter().any(|d| d.variant == "rbac" && d.outcome == Outcome::Passed), "{drills:?}");
        let running = ["inspect", "-f", "{{.State.Running}}", &self.plane()];
        let running = Command::new("docker").args(running).output().expect("docker runs");
        assert_eq!(text(&running.stdout).trim(), "false");
    }
}

/// What it printed; a failure is told with its words.
fn good(what: &[&str], output: &Output) -> String {
    assert!(output.status.success(), "{what:?}: {}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}
