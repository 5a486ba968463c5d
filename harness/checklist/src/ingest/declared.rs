//! What objects say of their own exceptions, and what they are called.

use super::{Builder, raw};
use crate::{exceptions::ANNOTATION, snapshot::Input};

impl Builder {
    /// Notes which exceptions an object carries.
    pub(super) fn excepted(&mut self, input: Input, kind: &str, json: &str) {
        if !json.contains(ANNOTATION) {
            return;
        }
        let Ok(object) = serde_json::from_str::<raw::Bare>(json) else { return };
        if let Some(text) = object.metadata.annotations.get(ANNOTATION) {
            self.snapshot.ignored.insert(name_of(input, kind, &object.metadata), text.clone());
        }
    }
}

/// An object's name as evidence has it.
fn name_of(input: Input, kind: &str, meta: &raw::Meta) -> String {
    let kind = if kind.is_empty() { input.own_kind() } else { kind };
    let name = super::objects::name(meta).unwrap_or_default();
    match input.kinds() {
        Some(kinds) if !kinds.namespaced => format!("{kind} {name}"),
        _ => format!("{kind} {}/{name}", super::objects::namespace(meta)),
    }
}
