//! Manifests before they are applied: files become a snapshot, and what was not judged is written into it.

use super::files::{Files, STDIN, name};
use crate::Failure;
use loopdrill_checklist::{
    Config, ManifestError, Manifests, SkipReason, Skipped, Snapshot,
    snapshot::{Scan, Told},
};
use loopdrill_model::Timestamp;
use std::{
    fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

/// What standard input is called in reports.
const INPUT: &str = "stdin";

/// Reads all manifests that were named.
pub(super) fn read(paths: &[PathBuf], config: &Config) -> Result<Snapshot, Failure> {
    let files = Files::of(paths)?;
    let mut manifests = Manifests::new(Timestamp::now(), config.system_namespaces.clone());
    let mut scan = Scan {
        no_manifests: files.passed_over,
        to_render: files.to_render,
        broken: files.broken,
        ..Scan::default()
    };
    for path in &files.read {
        one(path, &mut manifests, &mut scan)?;
    }
    let reading = manifests.finish();
    scan.objects = reading.objects;
    scan.others = reading.left_out;
    scan.broken.extend(reading.errors.iter().map(told));
    for skipped in &reading.skipped {
        passed_over(&mut scan, skipped);
    }
    Ok(Snapshot { scan: Some(scan), ..reading.snapshot })
}

/// An error with its file and line in front of it.
fn told(error: &ManifestError) -> Told {
    let (ManifestError::NotYaml { file, line, .. }
    | ManifestError::NoObject { file, line, .. }
    | ManifestError::Fields { file, line, .. }) = error;
    let (file, text) = (format!("{file}:{line}"), error.to_string());
    let why = text.strip_prefix(&format!("{file}: ")).unwrap_or(&text).to_string();
    Told { file, why }
}

fn passed_over(scan: &mut Scan, skipped: &Skipped) {
    let told = Told { file: format!("{}:{}", skipped.file, skipped.line), why: skipped.reason.to_string() };
    if !skipped.reason.hides_objects() {
        return scan.no_manifests.push(told);
    }
    // A chart or a kustomization that was found by its folder has been told by its own name.
    let by_folder = |known: &Told| Path::new(&skipped.file).starts_with(&known.file);
    if skipped.reason == SkipReason::Template || !scan.to_render.iter().any(by_folder) {
        scan.to_render.push(told);
    }
}

/// The text of a file: UTF-8, or UTF-16 with its byte-order mark, which YAML takes, too.
fn text_of(bytes: Vec<u8>) -> Option<String> {
    let wide = |rest: &[u8], unit: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = rest.chunks_exact(2).map(|pair| unit([pair[0], pair[1]])).collect();
        String::from_utf16(&units).ok()
    };
    match bytes.as_slice() {
        [0xFF, 0xFE, rest @ ..] => wide(rest, u16::from_le_bytes),
        [0xFE, 0xFF, rest @ ..] => wide(rest, u16::from_be_bytes),
        _ => String::from_utf8(bytes).ok(),
    }
}

fn one(path: &Path, manifests: &mut Manifests, scan: &mut Scan) -> Result<(), Failure> {
    let (file, bytes) = if path.as_os_str() == STDIN {
        let mut bytes = Vec::new();
        let read = io::stdin().read_to_end(&mut bytes);
        read.map_err(|e| Failure::usage(format!("cannot read standard input: {e}")))?;
        (INPUT.to_string(), bytes)
    } else {
        match fs::read(path) {
            Ok(bytes) => (name(path), bytes),
            Err(e) => {
                scan.broken.push(Told { file: name(path), why: format!("it cannot be read: {e}") });
                return Ok(());
            }
        }
    };
    let Some(text) = text_of(bytes) else {
        scan.no_manifests.push(Told { file, why: "it is not text".into() });
        return Ok(());
    };
    let before = manifests.objects();
    manifests.add(&file, &text);
    scan.files += usize::from(manifests.objects() > before);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_in_each_encoding_of_yaml() {
        let wide = |mark: u16, bytes: fn(u16) -> [u8; 2]| {
            [mark].into_iter().chain("kind: Pod".encode_utf16()).flat_map(bytes).collect::<Vec<u8>>()
        };
        let mark = 0xFEFF;
        for bytes in [b"kind: Pod".to_vec(), wide(mark, u16::to_le_bytes), wide(mark, u16::to_be_bytes)] {
            assert_eq!(text_of(bytes).as_deref(), Some("kind: Pod"));
        }
        assert_eq!(text_of(vec![0xC3, 0x28]), None);
    }
}
