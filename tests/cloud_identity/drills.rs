//! The drills that revoke a cloud's identity, and their decoys: right, put back to the byte, and without a secret in anything
//! that a run says or writes.

use super::{Cloud, DRILL, STS, decoded, element};
use crate::support::{lab::TestLab, text};
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, api::ListParams};
use loopdrill_model::Outcome;
use std::{
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// The role as the cloud describes it, each part as it was sent.
async fn role(cloud: &Cloud) -> Vec<String> {
    let name = ("RoleName", "loopdrill-victim");
    let members = |xml: String, tag: &str| -> Vec<String> {
        xml.split(&format!("<{tag}>"))
            .skip(1)
            .filter_map(|part| Some(part.split_once("</")?.0.into()))
            .collect()
    };
    let mut all = vec![cloud.trust().await];
    let attached = cloud.iam("ListAttachedRolePolicies", &[name]).await.good();
    all.extend(members(attached, "PolicyArn"));
    for inline in members(cloud.iam("ListRolePolicies", &[name]).await.good(), "member") {
        let document = cloud.iam("GetRolePolicy", &[name, ("PolicyName", &inline)]).await.good();
        all.push(format!("{inline}: {}", decoded(element(&document, "PolicyDocument").expect("a document"))));
    }
    all.extend(members(cloud.iam("ListRoleTags", &[name]).await.good(), "Value"));
    all
}

/// The drills that need a cloud, each with the cause that is right.
const DRILLS: [(&str, &str); 9] = [
    ("aws-session", "session-revoked"),
    ("aws-trust", "trust-denied"),
    ("aws-policy", "iam-denied"),
    ("aws-static-key", "session-revoked"),
    ("cloud-audience", "token-invalid"),
    ("cloud-endpoint", "bad-configuration"),
    ("cloud-clock", "application-exit"),
    ("cloud-unreachable", "cloud-unreachable"),
    ("cloud-throttled", "cloud-throttled"),
];

pub(super) async fn every_drill_of_the_cloud_passes_and_tells_no_secret(lab: &TestLab, cloud: &Cloud) {
    let before = role(cloud).await;
    let run = lab.run();
    let mut args = vec!["run", "--lab", &lab.name, "--fault", "revoked-iam", "--fault", "identity-decoy"];
    args.extend(DRILLS.iter().flat_map(|(variant, _)| ["--variant", *variant]));
    let mut command = run.command(&args);
    let child = command.env("LOOPDRILL_LOG", "debug").stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = child.spawn().expect("the binary runs");
    let ended = std::thread::spawn(move || child.wait_with_output().expect("it ends"));
    // What the drill with a key in a Secret puts there, while it is there.
    let mut secrets = keys_in_secrets(cloud).await;
    let output = ended.join().expect("no panic");
    let console = format!("{}{}", text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));

    let report = run.report();
    assert_eq!(report.drills.len(), DRILLS.len());
    assert!(report.false_alarms.is_empty(), "{:#?}", report.false_alarms);
    for drill in &report.drills {
        let (_, cause) = DRILLS.iter().find(|(variant, _)| *variant == drill.variant).expect("asked for");
        let found = drill.diagnosis().and_then(|d| d.cause).map(|c| c.name());
        assert_eq!((&drill.outcome, found), (&Outcome::Passed, Some(*cause)), "{}", drill.variant);
    }
    let keys = report.drills.iter().find(|d| d.variant == "aws-static-key").expect("asked for");
    let told = format!("{:?}", keys.gates.manifested.evidence);
    assert!(["ID-01", "ID-02", "ID-05"].iter().all(|check| told.contains(check)), "{told}");
    assert_eq!(role(cloud).await, before, "byte for byte");

    secrets.extend([cloud.operator.secret.clone(), cloud.token(DRILL, STS).await]);
    let logs = "for c in front moto; do kubectl --kubeconfig /etc/kubernetes/admin.conf -n cloud logs deploy/cloud -c $c; done; \
                kubectl --kubeconfig /etc/kubernetes/admin.conf get events -A -o yaml";
    let argv = ["bash", "-c", logs];
    let inside = cloud.nodes.exec(&cloud.node, &argv, None).await.expect("the node answers");
    let mut told = vec![("console".to_owned(), console), ("logs and events".into(), text(&inside.stdout))];
    for folder in [run.report_dir(), run.state()] {
        told.extend(files(&folder));
    }
    assert!(told.len() > 6 && told.iter().any(|(name, text)| name.ends_with(".gz") && text.len() > 100_000));
    for (name, text) in &told {
        // The head of every token of a ServiceAccount, and of every key of a session.
        let is_tail = |c: char| c.is_ascii_alphanumeric() || "-_+/=".contains(c);
        let token = text
            .match_indices("eyJ")
            .find(|(at, _)| text[*at..].chars().take_while(|c| is_tail(*c)).count() > 60);
        assert!(token.is_none(), "a token in {name}");
        for secret in &secrets {
            assert!(secret.len() > 15 && !text.contains(secret.as_str()), "a secret in {name}");
        }
    }
}

/// Secret keys and session tokens from the Secrets of drills, as soon as there are any. Ids of keys are no secrets.
async fn keys_in_secrets(cloud: &Cloud) -> Vec<String> {
    let deadline = Instant::now() + Duration::from_secs(300);
    loop {
        let all = Api::<Secret>::all(cloud.client.clone()).list(&ListParams::default()).await;
        let found: Vec<String> = all
            .iter()
            .flatten()
            .filter(|s| s.metadata.namespace.as_ref().is_some_and(|n| n.starts_with("drill-")))
            .flat_map(|s| s.data.iter().flatten())
            .filter(|(name, _)| ["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"].contains(&name.as_str()))
            .map(|(_, value)| text(&value.0))
            .collect();
        if found.len() >= 2 {
            return found;
        }
        assert!(Instant::now() < deadline, "no drill has put a key into a Secret");
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

/// All files below a folder as text, recordings unpacked; but for what a lab keeps of its own.
fn files(folder: &Path) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = path.display().to_string();
        if path.is_dir() && !path.ends_with("labs") {
            all.extend(files(&path));
        } else if name.ends_with(".gz") {
            let output = Command::new("gzip").args(["-dc", &name]).output().expect("gzip runs");
            all.push((name, text(&output.stdout)));
        } else if path.is_file() {
            all.push((name, text(&std::fs::read(&path).expect("readable"))));
        }
    }
    all
}

pub(super) async fn a_killed_run_leaves_a_role_that_can_be_put_back(lab: &TestLab, cloud: &Cloud) {
    let before = role(cloud).await;
    for variant in ["aws-session", "aws-trust", "aws-policy"] {
        let run = lab.run();
        let mut child = run.spawn(&["run", "--lab", &lab.name, "--variant", variant, "--detector", "none"]);
        run.wait_for_event(variant, |event| {
            event["event"] == "gate-answered" && event["gate"] == "injected" && event["result"]["ok"] == true
        });
        child.kill().expect("SIGKILL is always delivered");
        child.wait().expect("the child is ours");
        assert_ne!(role(cloud).await, before, "{variant} is still in force");
        let undone = run.output(&["undo"]);
        assert!(undone.status.success(), "{}", text(&undone.stderr));
        assert_eq!(role(cloud).await, before, "{variant}: byte for byte");
        assert!(run.pending().is_empty());
    }
}
