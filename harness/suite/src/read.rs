//! Reading any strict file of ours, so that what is wrong is told with line, column and the nearest word.

use crate::{SuiteError, locate::Step, twins};
use serde::de::DeserializeOwned;

/// Reads a text that came from `file`. The type says what is allowed: `#[serde(deny_unknown_fields)]`.
///
/// # Errors
/// When the text is no YAML, has a key twice, or says what the type does not have.
pub fn parse<T: DeserializeOwned>(file: &str, text: &str) -> Result<T, SuiteError> {
    serde_yaml::from_str(text).map_err(|e| SuiteError::of_yaml(file, &twins::first(text).unwrap_or(e)))
}

/// What the type allows and is wrong nevertheless: the error at the value of `path`.
#[must_use]
pub fn wrong(file: &str, text: &str, path: &[Step], what: &str) -> SuiteError {
    SuiteError::at(file, text, path, what)
}
