//! Lines as YAML counts them. Each crate whose errors name a line of a YAML text takes this file in.

/// The last line that an error may name, from 1: that after the last break, or the end of the text behind it.
pub(crate) fn last(text: &str) -> usize {
    text.matches(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']).count() + 2
}
