//! Manifests before they are applied: YAML and JSON as kubectl reads them.
//!
//! Invariants:
//! - One document never takes another with it: what cannot be read is told with file and line, and the rest is judged.
//! - What should have been judged and could not be is known to the snapshot, so that no check passes in its stead.
//! - What is no manifest is passed over, and named.

mod braces;
mod kinds;
mod nulls;
mod scalar;
mod skipped;
mod stream;
mod yaml;

pub use skipped::{SkipReason, Skipped};

use crate::{
    ingest::{Builder, IngestError},
    snapshot::{Lines, Origin, Snapshot, Source, Unjudged},
};
use loopdrill_model::Timestamp;
use serde_json::Value;
use std::collections::BTreeMap;
use stream::Chunk;

/// What is wrong with a manifest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// It is not YAML, or not such as kubectl takes.
    #[error("{file}:{line}: {why}")]
    NotYaml {
        /// The file.
        file: String,
        /// The line.
        line: usize,
        /// What the parser says.
        why: String,
    },
    /// It is meant to be an object of Kubernetes and is none.
    #[error("{file}:{line}: this is no Kubernetes object: {why}")]
    NoObject {
        /// The file.
        file: String,
        /// The line.
        line: usize,
        /// What is missing.
        why: String,
    },
    /// An object's fields are not the API's.
    #[error("{file}:{line}: {object} is not understood: {why}; `kubectl apply --dry-run=server` says more")]
    Fields {
        /// The file.
        file: String,
        /// The line.
        line: usize,
        /// Kind and name.
        object: String,
        /// What is wrong.
        why: String,
    },
}

/// What was read.
#[derive(Debug)]
pub struct Reading {
    /// What the checks look at.
    pub snapshot: Snapshot,
    /// How many objects there are that checks are about, understood or not.
    pub objects: usize,
    /// Objects that no check knows: how many of which kind.
    pub left_out: Vec<String>,
    /// What is no manifest.
    pub skipped: Vec<Skipped>,
    /// What is wrong with manifests.
    pub errors: Vec<ManifestError>,
}

/// Reads manifests into a snapshot.
pub struct Manifests {
    builder: Builder,
    others: BTreeMap<String, usize>,
    objects: usize,
    skipped: Vec<Skipped>,
    errors: Vec<ManifestError>,
}

/// One object, with where it is.
struct Object<'a> {
    file: &'a str,
    lines: Lines,
    value: &'a Value,
}

impl Manifests {
    /// Nothing read yet.
    #[must_use]
    pub fn new(now: Timestamp, system: Vec<String>) -> Self {
        let mut builder = Builder::new(Origin::Manifests, now, system);
        kinds::inputs().for_each(|(input, _)| builder.read(input));
        Self { builder, others: BTreeMap::new(), objects: 0, skipped: Vec::new(), errors: Vec::new() }
    }

    /// Reads one file.
    pub fn add(&mut self, file: &str, text: &str) {
        self.builder.from_file(Some(file.into()));
        for chunk in stream::chunks(text) {
            self.chunk(file, chunk);
        }
    }

    /// How many objects there are that checks are about, understood or not.
    #[must_use]
    pub fn objects(&self) -> usize {
        self.objects
    }

    /// What was read.
    #[must_use]
    pub fn finish(self) -> Reading {
        Reading {
            snapshot: self.builder.finish(),
            objects: self.objects,
            left_out: self.others.into_iter().map(|(kind, n)| format!("{n} × {kind}")).collect(),
            skipped: self.skipped,
            errors: self.errors,
        }
    }

    fn chunk(&mut self, file: &str, chunk: Chunk<'_>) {
        for document in yaml::documents(chunk.text) {
            match document {
                Ok(mut document) => {
                    nulls::to_texts(&mut document.value);
                    self.document(file, chunk.line, &document);
                }
                Err(refused) => self.refused(file, chunk, &refused),
            }
        }
    }

    /// A document that cannot be read: a template, a manifest that is wrong, or nothing that is meant for us.
    fn refused(&mut self, file: &str, chunk: Chunk<'_>, refused: &yaml::Refused) {
        let line = chunk.line + refused.line.saturating_sub(1);
        if braces::are_why(chunk.text, refused) {
            let at = braces::first_line(chunk.text).unwrap_or_default();
            return self.skip(file, chunk.line + at, SkipReason::Template);
        }
        if !looks_like_a_manifest(chunk.text) {
            return self.skip(file, line, SkipReason::NoYaml);
        }
        let why = format!("this cannot be read: {}", refused.why);
        self.wrong(ManifestError::NotYaml { file: file.into(), line, why });
    }

    fn document(&mut self, file: &str, line: usize, document: &yaml::Document) {
        let place = |lines: Lines| moved(lines, line - 1);
        let items = document.items.iter().map(|l| place(*l)).collect::<Vec<_>>();
        let object = Object { file, lines: place(document.lines), value: &document.value };
        self.value(&object, &items, None);
    }

    /// An object, or a list of them. The items of a typed list need not say what they are: the list does.
    fn value(&mut self, object: &Object<'_>, items: &[Lines], of_list: Option<(&str, &str)>) {
        let Object { file, lines, value } = *object;
        if value.is_null() {
            return;
        }
        if of_list.is_some() && !value.is_object() {
            return self.not_an_object(object, "an item of a list is no object".into());
        }
        let field = |name: &str| value[name].as_str().filter(|text| !text.is_empty());
        let kind = field("kind").or(of_list.map(|(kind, _)| kind));
        let version = field("apiVersion").or(of_list.map(|(_, version)| version));
        let (Some(kind), Some(version)) = (kind, version) else {
            return self.no_object(object, kind.is_some());
        };
        let Some(list) = kind.strip_suffix("List").filter(|_| !value["items"].is_null()) else {
            return self.object(object, kind, version);
        };
        let Some(all) = value["items"].as_array() else {
            return self.not_an_object(object, format!("items of {kind} is no list"));
        };
        let typed = (!list.is_empty()).then_some((list, version));
        for (at, item) in all.iter().enumerate() {
            let lines = items.get(at).copied().unwrap_or(lines);
            self.value(&Object { file, lines, value: item }, &[], typed);
        }
    }

    fn no_object(&mut self, object: &Object<'_>, has_kind: bool) {
        let Object { file, lines, value } = *object;
        if kinds::is_template(value) {
            return self.skip(file, lines.first as usize, SkipReason::Template);
        }
        if value.as_array().is_some_and(|all| all.iter().any(is_object)) {
            return self
                .not_an_object(object, "a bare list; `kind: List` with these as its items is one".into());
        }
        let reason = SkipReason::of(file, value);
        let meant = value["metadata"].is_object()
            && (value["apiVersion"].is_string() || value["kind"].is_string() || value["spec"].is_object())
            || value["kind"].as_str().is_some_and(kinds::has_name);
        if meant && reason == SkipReason::NoObject {
            let what = if has_kind { "apiVersion" } else { "kind" };
            return self.not_an_object(object, format!("{what} is missing"));
        }
        self.skip(file, lines.first as usize, reason);
    }

    fn not_an_object(&mut self, object: &Object<'_>, why: String) {
        let (file, line) = (object.file.into(), object.lines.first as usize);
        self.wrong(ManifestError::NoObject { file, line, why });
    }

    fn object(&mut self, object: &Object<'_>, kind: &str, version: &str) {
        let Object { file, lines, value } = *object;
        if version.starts_with("kustomize.config.k8s.io/") {
            return self.skip(file, lines.first as usize, SkipReason::Kustomization);
        }
        if kinds::is_template(value) {
            return self.skip(file, lines.first as usize, SkipReason::Template);
        }
        let Some((input, namespaced)) = kinds::known(kind, version) else {
            return self.other(object, kind, version);
        };
        let name = named(kind, value, namespaced);
        self.declared(&name, object);
        self.objects += 1;
        match self.builder.add_kind(input, kind, &whole(value, version)) {
            Ok(()) => {}
            Err(_) if kinds::has_braces(value) => {
                self.unjudged(name, "is still a template", file, false);
                self.skip(file, lines.first as usize, SkipReason::Template);
            }
            Err(error) => {
                self.unjudged(name.clone(), "is not understood, and was not judged", file, false);
                let (file, line, why) = (file.into(), lines.first as usize, said(&error));
                self.errors.push(ManifestError::Fields { file, line, object: name, why });
            }
        }
    }

    /// An object of a kind that no check knows.
    fn other(&mut self, object: &Object<'_>, kind: &str, version: &str) {
        if kinds::makes_pods(object.value) {
            let name = named(kind, object.value, true);
            self.objects += 1;
            self.declared(&name, object);
            self.unjudged(
                name,
                &format!("makes pods and was not judged: its kind ({version}) is not known here"),
                object.file,
                true,
            );
        }
        *self.others.entry(format!("{kind} ({version})")).or_default() += 1;
    }

    fn declared(&mut self, name: &str, object: &Object<'_>) {
        let source = Source { file: object.file.into(), lines: Some(object.lines) };
        self.builder.snapshot().sources.entry(name.into()).or_default().push(source);
    }

    fn wrong(&mut self, error: ManifestError) {
        let (ManifestError::NotYaml { file, line, .. }
        | ManifestError::NoObject { file, line, .. }
        | ManifestError::Fields { file, line, .. }) = &error;
        self.unjudged(format!("{file}:{line}"), "cannot be read, and was not judged", file, false);
        self.errors.push(error);
    }

    fn unjudged(&mut self, object: String, why: &str, file: &str, pods: bool) {
        let unjudged = Unjudged { object, why: why.into(), file: Some(file.into()), pods };
        self.builder.snapshot().unjudged.push(unjudged);
    }

    /// Once a file and reason: a chart's template need not be told line by line.
    fn skip(&mut self, file: &str, line: usize, reason: SkipReason) {
        if !self.skipped.iter().rev().take_while(|s| s.file == file).any(|s| s.reason == reason) {
            self.skipped.push(Skipped { file: file.into(), line, reason });
        }
    }
}

/// The same lines in a file that has `by` others before them.
fn moved(lines: Lines, by: usize) -> Lines {
    let by = u32::try_from(by).unwrap_or(u32::MAX);
    Lines { first: lines.first.saturating_add(by), last: lines.last.saturating_add(by) }
}

/// Whether it says what it is, as every object does.
fn is_object(value: &Value) -> bool {
    value["apiVersion"].is_string() && value["kind"].is_string()
}

/// An object as JSON. An item of a typed list has the list's version.
fn whole(value: &Value, version: &str) -> String {
    if value["apiVersion"].is_string() {
        return value.to_string();
    }
    let mut object = value.clone();
    object["apiVersion"] = version.into();
    object.to_string()
}

/// An object's name as evidence has it.
fn named(kind: &str, value: &Value, namespaced: bool) -> String {
    let meta = |field: &str| value["metadata"][field].as_str().filter(|text| !text.is_empty());
    let name = meta("name").or_else(|| meta("generateName")).unwrap_or("(without name)");
    if namespaced {
        return format!("{kind} {}/{name}", meta("namespace").unwrap_or("default"));
    }
    format!("{kind} {name}")
}

/// What is wrong with an object. Positions in what was made of it are of no use to anybody.
fn said(error: &IngestError) -> String {
    let text = match error {
        IngestError::Fields(error) => error.to_string(),
        other => other.to_string(),
    };
    text.split(" at line ").next().unwrap_or_default().into()
}

fn looks_like_a_manifest(text: &str) -> bool {
    let starts = |line: &str| {
        let line = line.trim_start_matches(['{', '-', ' ', '\t', '"', '\'']);
        line.starts_with("apiVersion") || line.starts_with("kind:") || line.starts_with("kind\"")
    };
    text.lines().any(starts)
}

#[cfg(test)]
mod tests;
