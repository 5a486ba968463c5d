//! What should have been judged and could not be.

use serde::{Deserialize, Serialize};

/// An object, or a part of a file, that no check may take for well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unjudged {
    /// The object, as evidence names it; the part of the file where no object could be read.
    pub object: String,
    /// Why it was not judged.
    pub why: String,
    /// The file that declares it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Whether it is known to be about pods, and about nothing else.
    pub pods: bool,
}
