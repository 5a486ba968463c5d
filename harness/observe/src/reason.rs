//! What went wrong with the API, in one line for people.

use std::error::Error;

const LONGEST: usize = 300;

/// The API server's own words, where it answered. Else the error and, where it says little itself, what is at its
/// root: kube's client errors name the layer and keep the reason (`Connection refused`) further down.
pub(crate) fn reason(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut root = error;
    loop {
        if let Some(kube::Error::Api(status)) = root.downcast_ref()
            && !status.message.is_empty()
        {
            return cut(status.message.clone());
        }
        let Some(source) = root.source() else { break };
        root = source;
    }
    let cause = root.to_string();
    if !text.contains(&cause) {
        text = format!("{text}: {cause}");
    }
    cut(text)
}

fn cut(mut text: String) -> String {
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

    #[derive(Debug, thiserror::Error)]
    #[error("failed to list")]
    struct Listing(#[source] kube::Error);

    #[test]
    fn what_the_api_server_says_is_enough() {
        let status = kube::core::Status::failure("nodes is forbidden", "Forbidden").with_code(403);
        assert_eq!(reason(&Listing(kube::Error::Api(Box::new(status)))), "nodes is forbidden");
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
