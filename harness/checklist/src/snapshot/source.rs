//! Where objects are declared.

use serde::{Deserialize, Serialize};

/// The lines of an object in its file, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Lines {
    /// The first.
    pub first: u32,
    /// The last.
    pub last: u32,
}

/// A file that declares an object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Source {
    /// The file, as it was named.
    pub file: String,
    /// The object's lines in it, where they are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lines: Option<Lines>,
}

/// What was found where manifests were looked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scan {
    /// Files that hold manifests.
    pub files: usize,
    /// Objects that checks know.
    pub objects: usize,
    /// Objects that no check knows, by kind.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<String>,
    /// What is no manifest, and was not judged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub no_manifests: Vec<Told>,
    /// What has to be rendered before it can be judged, and how.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub to_render: Vec<Told>,
    /// What was meant as a manifest and cannot be read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub broken: Vec<Told>,
}

/// A file, or a folder, and what is to be said about it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Told {
    /// The file, with the line where one is known.
    pub file: String,
    /// What is to be said.
    pub why: String,
}
