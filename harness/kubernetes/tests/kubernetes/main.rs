//! What Kubernetes' documentation says, as tables, and what must hold whatever the objects are.

mod placement;
mod quantities;
mod requests;
mod selectors;
mod stored;

use loopdrill_kubernetes::Labels;

/// Labels from `key=value` pairs.
fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

fn texts(values: &[&str]) -> Vec<String> {
    values.iter().map(ToString::to_string).collect()
}
