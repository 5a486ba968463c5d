//! A lab is a kind cluster, and a kind cluster is a target. Needs the kind CLI: `ci/test` builds it and names it in
//! `LOOPDRILL_KIND`; without it these tests fail and say so.

mod support;

use loopdrill_model::Outcome;
use std::process::{Command, Output};
use support::{
    Run,
    lab::{TestLab, engine_inventory},
    text,
};

fn kind(args: &[&str]) -> Output {
    let program =
        std::env::var_os("LOOPDRILL_KIND").expect("LOOPDRILL_KIND names the kind CLI; run `ci/test`");
    Command::new(program).args(args).output().expect("the kind CLI runs")
}

fn docker(args: &[&str]) -> Output {
    Command::new("docker").args(args).output().expect("docker runs")
}

/// An image in the engine that no node has; gone when dropped.
struct Image(&'static str);

impl Image {
    fn made() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("image.tar");
        let mut archive = tar::Builder::new(std::fs::File::create(&file).expect("a new file"));
        archive
            .append_path_with_name(concat!(env!("CARGO_MANIFEST_DIR"), "/LICENSE"), "LICENSE")
            .expect("added");
        archive.finish().expect("written");
        let image = Image("loopdrill-test-kind-load:1");
        let made = docker(&["import", &file.display().to_string(), image.0]);
        assert!(made.status.success(), "{}", text(&made.stderr));
        image
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        docker(&["rmi", self.0]);
    }
}

/// A cluster that the kind CLI makes; gone when dropped.
struct Cluster(&'static str);

impl Drop for Cluster {
    fn drop(&mut self) {
        let deleted = kind(&["delete", "cluster", "--name", self.0]);
        if !deleted.status.success() && !std::thread::panicking() {
            panic!("kind delete cluster failed:\n{}", text(&deleted.stderr));
        }
    }
}

#[test]
fn kind_lists_and_deletes_a_lab() {
    let _alone = support::alone();
    let before = engine_inventory();
    let _lab = TestLab::up("kind-a");

    let nodes = kind(&["get", "nodes", "--name", "test-kind-a"]);
    let mut names: Vec<_> = text(&nodes.stdout).lines().map(str::to_string).collect();
    names.sort();
    assert_eq!(names, ["test-kind-a-control-plane", "test-kind-a-worker", "test-kind-a-worker2"]);

    let logs = tempfile::tempdir().expect("a temporary folder");
    let exported = kind(&["export", "logs", "--name", "test-kind-a", &logs.path().display().to_string()]);
    assert!(exported.status.success(), "{}", text(&exported.stderr));
    assert!(logs.path().join("test-kind-a-control-plane/kubelet.log").exists());

    let image = Image::made();
    let loaded = kind(&["load", "docker-image", image.0, "--name", "test-kind-a"]);
    assert!(loaded.status.success(), "{}", text(&loaded.stderr));
    for node in &names {
        let images = docker(&["exec", node, "ctr", "-n", "k8s.io", "images", "ls", "-q"]);
        let there = text(&images.stdout).lines().any(|l| l.ends_with(image.0));
        assert!(there, "{} is not on {node}:\n{}", image.0, text(&images.stdout));
    }

    let deleted = kind(&["delete", "cluster", "--name", "test-kind-a"]);
    assert!(deleted.status.success(), "{}", text(&deleted.stderr));
    let left: Vec<_> =
        engine_inventory().into_iter().filter(|l| !before.contains(l) && l != "network kind").collect();
    assert_eq!(left, Vec::<String>::new(), "kind leaves its network by design, and nothing else");
}

#[test]
fn a_cluster_that_kind_made_is_drilled() {
    let _alone = support::alone();
    let image = std::env::var("LOOPDRILL_NODE_IMAGE")
        .expect("LOOPDRILL_NODE_IMAGE names the node image; run `ci/test`");
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/ci/kind/three-nodes.yaml");
    let name = "test-kind-b";
    // One that was killed could not delete its cluster.
    kind(&["delete", "cluster", "--name", name]);
    let _cluster = Cluster(name);
    let made =
        kind(&["create", "cluster", "--name", name, "--image", &image, "--config", path, "--wait", "300s"]);
    assert!(made.status.success(), "{}", text(&made.stderr));

    let run = Run::new();
    let output = run.output(&["run", "--kind", name, "--loop", "identity", "--loop", "storage"]);
    assert_eq!(output.status.code(), Some(0), "{}\n{}", text(&output.stdout), text(&output.stderr));
    let report = run.report();
    let outcome = |fault: &str, variant: &str| {
        let drill = report.drills.iter().find(|d| d.fault == fault && d.variant == variant);
        drill.map(|d| d.outcome.clone()).unwrap_or_else(|| panic!("{fault}/{variant} is not in the report"))
    };
    assert_eq!(outcome("revoked-iam", "rbac"), Outcome::Passed);
    for (fault, variant) in [("revoked-iam", "pull"), ("cross-az-pvc", "cordon")] {
        assert!(
            matches!(outcome(fault, variant), Outcome::Skipped(_)),
            "what the cluster lacks is a typed skip"
        );
    }
}
