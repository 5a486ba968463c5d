//! What went wrong with the API, in one line for people.

use std::error::Error;

const LONGEST: usize = 300;

/// The error and, where it says little itself, what is at its root: kube's client errors name the layer and keep
/// the reason (`Connection refused`) further down.
pub(crate) fn reason(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut root = error;
    while let Some(source) = root.source() {
        root = source;
    }
    let cause = root.to_string();
    if !text.contains(&cause) {
        text = format!("{text}: {cause}");
    }
    text.truncate(text.floor_char_boundary(LONGEST));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Layer {
        text: &'static str,
        #[source]
        below: Option<Box<Layer>>,
    }

    #[test]
    fn the_root_is_told_once() {
        let root = || Box::new(Layer { text: "connection refused", below: None });
        let middle = Box::new(Layer { text: "client error (Connect)", below: Some(root()) });
        let top = Layer { text: "failed to list", below: Some(middle) };
        assert_eq!(reason(&top), "failed to list: connection refused");
        let repeats = Layer { text: "api: connection refused", below: Some(root()) };
        assert_eq!(reason(&repeats), "api: connection refused");
    }
}
