//! A lab for one test target, with everything taken down in the end, and direct access to it.

use super::{Run, text};
use loopdrill_cluster::NodeAccess;
use loopdrill_faults::UndoAccess;
use std::{process::Command, sync::Arc};

/// A lab of its own for a test target; gone when dropped.
pub(crate) struct TestLab {
    pub(crate) name: String,
    run: Run,
    stays: bool,
}

impl TestLab {
    /// Makes the lab through the binary.
    pub(crate) fn up(name: &str) -> Self {
        Self::make(name, &[])
    }

    /// Makes a lab in which a profile runs.
    pub(crate) fn with_profile(name: &str, profile: &str) -> Self {
        Self::make(name, &["--profile", profile])
    }

    /// Makes a lab with addons.
    pub(crate) fn with(name: &str, addons: &[&str]) -> Self {
        let args: Vec<_> = addons.iter().flat_map(|addon| ["--with", addon]).collect();
        Self::make(name, &args)
    }

    /// Makes a lab of this specification.
    pub(crate) fn with_spec(name: &str, spec: &std::path::Path) -> Self {
        Self::make(name, &["--spec", &spec.display().to_string()])
    }

    /// A lab that is there, and stays.
    pub(crate) fn there(name: &str) -> Self {
        TestLab { name: name.into(), run: Run::new(), stays: true }
    }

    fn make(name: &str, more: &[&str]) -> Self {
        let lab = TestLab { name: format!("test-{name}"), run: Run::new(), stays: false };
        // One that was killed could not take its lab down.
        lab.run.output(&["lab", "down", "--name", &lab.name]);
        let args = [&["lab", "up", "--name", &lab.name], more].concat();
        let output = lab.run.output(&args);
        assert!(output.status.success(), "lab up failed:\n{}", text(&output.stderr));
        lab
    }

    /// A command with the lab's state folder.
    pub(crate) fn output(&self, args: &[&str]) -> std::process::Output {
        self.run.output(args)
    }

    /// A run on this lab. All runs on it share the journal's folder, as a user's would.
    pub(crate) fn run(&self) -> Run {
        Run::with_state(self.run.state())
    }

    /// Access to the lab as `loopdrill undo` has it.
    pub(crate) async fn access(&self) -> UndoAccess {
        access(&self.name).await
    }
}

/// Access to a lab as `loopdrill undo` has it.
pub(crate) async fn access(lab: &str) -> UndoAccess {
    let (client, nodes) = loopdrill_lab::reach(lab).await.expect("the lab is there");
    UndoAccess {
        client: client.map_err(|e| e.to_string()),
        nodes: Some(Arc::new(nodes) as Arc<dyn NodeAccess>),
    }
}

impl Drop for TestLab {
    fn drop(&mut self) {
        if self.stays {
            return;
        }
        let output = self.run.output(&["lab", "down", "--name", &self.name]);
        if !output.status.success() && !std::thread::panicking() {
            panic!("lab down failed:\n{}", text(&output.stderr));
        }
    }
}

/// Everything of a container engine that a lab could leave: containers, volumes, networks.
pub(crate) fn engine_inventory() -> Vec<String> {
    let list = |args: &[&str]| {
        let output = Command::new("docker").args(args).output().expect("the docker client runs");
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout).lines().map(str::to_string).collect::<Vec<_>>()
    };
    let mut all = list(&["ps", "-a", "--format", "container {{.Names}}"]);
    all.extend(list(&["volume", "ls", "--format", "volume {{.Name}}"]));
    all.extend(list(&["network", "ls", "--format", "network {{.Name}}"]));
    all.sort();
    all
}
