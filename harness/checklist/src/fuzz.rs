//! What fuzzing tries of manifests and of the file with exceptions.

use crate::{Config, ConfigError, ManifestError, Manifests, Selection, fix, output, run};
use jiff::{Timestamp, civil::date};

/// A manifest: all checks judge it, everything that is printed can be, and what is wrong with it stands in it.
///
/// # Panics
/// When it does not.
pub fn manifests(text: &[u8]) {
    let Ok(text) = std::str::from_utf8(text) else { return };
    let mut manifests = Manifests::new(Timestamp::UNIX_EPOCH, Vec::new());
    manifests.add("m.yaml", text);
    let reading = manifests.finish();
    let lines = 1..=lines::last(text);
    for error in &reading.errors {
        let (ManifestError::NotYaml { line, .. }
        | ManifestError::NoObject { line, .. }
        | ManifestError::Fields { line, .. }) = error;
        assert!(lines.contains(line), "{error}");
    }
    for skipped in &reading.skipped {
        assert!(lines.contains(&skipped.line), "{skipped:?}");
    }
    if reading.objects == 0 {
        return;
    }
    let results = run(&reading.snapshot, &Selection::default());
    output::json(&results, &reading.snapshot).expect("results are JSON");
    for patch in fix::patches(&results, &reading.snapshot) {
        serde_yaml::from_str::<serde_json::Value>(&patch.yaml).expect("a patch is YAML");
    }
}

/// The file with exceptions: read, or refused with a line of it.
///
/// # Panics
/// When the line is none of it.
pub fn exceptions(text: &[u8]) {
    let Ok(text) = std::str::from_utf8(text) else { return };
    match Config::parse("c.yaml", text, date(2026, 11, 28)) {
        Ok(config) => assert!(config.exceptions.iter().all(|e| !e.reason.trim().is_empty())),
        Err(error) => {
            let (ConfigError::UnknownCheck { line, .. }
            | ConfigError::NoReason { line, .. }
            | ConfigError::Expired { line, .. }
            | ConfigError::Form { line: Some(line), .. }) = error
            else {
                return;
            };
            assert!((1..=lines::last(text)).contains(&line), "{error}");
        }
    }
}

#[path = "../../../tests/fuzz/lines.rs"]
mod lines;

#[cfg(test)]
#[path = "../../../tests/fuzz/replay.rs"]
mod replay;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_corpus_of_manifests() {
        replay::replay("manifests", manifests);
    }

    #[test]
    fn the_corpus_of_exceptions() {
        replay::replay("exceptions", exceptions);
    }
}
