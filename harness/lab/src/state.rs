//! Where this user's labs keep their files: locks, kubeconfigs, what is known about the engine.

use crate::LabError;
use std::path::{Path, PathBuf};

/// `$XDG_STATE_HOME/loopdrill`, by default `~/.local/state/loopdrill`.
#[must_use]
pub fn dir() -> PathBuf {
    home("XDG_STATE_HOME", ".local/state")
}

/// `$LOOPDRILL_CACHE`, `$XDG_CACHE_HOME/loopdrill`, by default `~/.cache/loopdrill`.
#[must_use]
pub fn cache() -> PathBuf {
    match std::env::var_os("LOOPDRILL_CACHE") {
        Some(path) if !path.is_empty() => PathBuf::from(path),
        _ => home("XDG_CACHE_HOME", ".cache"),
    }
}

fn home(variable: &str, below_home: &str) -> PathBuf {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    match (set(variable), set("HOME")) {
        (Some(base), _) => base.join("loopdrill"),
        (None, Some(home)) => home.join(below_home).join("loopdrill"),
        // No home, as for some service accounts: still one fixed place a user.
        (None, None) => std::env::temp_dir().join(format!("loopdrill-{}", nix::unistd::getuid())),
    }
}

/// The folder of one lab's files.
#[must_use]
pub fn folder(name: &str) -> PathBuf {
    dir().join("labs").join(name)
}

/// The folder of one lab's files, made when missing.
pub(crate) fn lab_dir(name: &str) -> Result<PathBuf, LabError> {
    let path = folder(name);
    create(&path)?;
    Ok(path)
}

/// Makes a folder and its parents.
pub(crate) fn create(path: &Path) -> Result<(), LabError> {
    std::fs::create_dir_all(path).map_err(|source| LabError::io(format!("create {}", path.display()), source))
}
