//! `check --fix DIR`: a component for kustomize with everything that can be patched.

use crate::Failure;
use loopdrill_checklist::{Results, Snapshot, fix};
use loopdrill_model::ExitStatus;
use std::{fs, io, path::Path};

/// Writes the folder, and says how it is used.
pub(super) fn write(dir: &Path, results: &Results, snapshot: &Snapshot) -> Result<(), Failure> {
    let patches = fix::patches(results, snapshot);
    if patches.is_empty() {
        eprintln!("nothing of what was found can be patched; `loopdrill explain ID` says what to do");
        return Ok(());
    }
    let failed = |e: io::Error| Failure::usage(format!("cannot write {}: {e}", dir.display()));
    fs::create_dir_all(dir).map_err(failed)?;
    if fs::read_dir(dir).map_err(failed)?.next().is_some() {
        return Err(Failure::usage(format!("{} is not empty; name a new folder for --fix", dir.display())));
    }
    for patch in &patches {
        let text =
            format!("# For {}: {}\n{}\n", patch.object, patch.checks.join(", "), patch.yaml.trim_end());
        fs::write(dir.join(&patch.file), text).map_err(failed)?;
    }
    let text = component(&patches).map_err(|e| Failure::new(ExitStatus::Usage, &e))?;
    fs::write(dir.join("kustomization.yaml"), text).map_err(failed)?;
    eprintln!(
        "{} patches in {1}: look at their numbers, then add `components: [{1}]` to your kustomization",
        patches.len(),
        dir.display()
    );
    Ok(())
}

/// The component that lays patches over what exists and adds what does not.
fn component(patches: &[fix::Patch]) -> Result<String, serde_yaml::Error> {
    let mut all = serde_json::json!({
        "apiVersion": "kustomize.config.k8s.io/v1alpha1",
        "kind": "Component",
    });
    let (new, changed): (Vec<_>, Vec<_>) = patches.iter().partition(|p| p.adds);
    let new: Vec<_> = new.iter().map(|p| p.file.as_str()).collect();
    let changed: serde_json::Value = changed.into_iter().map(entry).collect();
    if !new.is_empty() {
        all["resources"] = serde_json::json!(new);
    }
    if changed.as_array().is_some_and(|all| !all.is_empty()) {
        all["patches"] = changed;
    }
    serde_yaml::to_string(&all)
}

/// A patch and what it is for. Without a target kustomize looks for the version that the patch names, and the object may
/// have an older one. Names are expressions to it.
fn entry(patch: &fix::Patch) -> serde_json::Value {
    let (kind, full) = patch.object.split_once(' ').unwrap_or_default();
    let (namespace, name) = full.split_once('/').unwrap_or(("", full));
    let name = name.replace('.', "\\.");
    serde_json::json!({"path": patch.file, "target": {"kind": kind, "name": name, "namespace": namespace}})
}
