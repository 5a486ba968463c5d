//! What makes a cluster look like production: words in its names, labels and namespaces, and its size.

use crate::Seen;

/// A cluster with more nodes than this is no playground.
const LARGE: usize = 50;
const WORDS: [&str; 5] = ["prod", "production", "prd", "live", "produktion"];
/// Before one of the words they turn it round.
const NOT_YET: [&str; 6] = ["non", "not", "no", "pre", "post", "before"];
/// Labels by which clusters tell what they are for, whatever stands before a slash.
const KEYS: [&str; 7] =
    ["env", "environment", "stage", "tier", "environment-type", "env-type", "deployment-environment"];

/// What looks like production.
pub(crate) fn signs(environment: Option<&str>, seen: &Seen) -> Vec<String> {
    let mut signs = Vec::new();
    if let Some(environment) = environment.filter(|e| is_production(e)) {
        signs.push(format!("the target file's environment is {environment}"));
    }
    if is_production(&seen.context) {
        signs.push(format!("the context is called {}", seen.context));
    }
    signs.extend(seen.names.iter().filter(|n| is_production(n)).map(|n| format!("the kubeconfig says {n}")));
    signs.extend(of_labels(&seen.marks).map(|mark| format!("kube-system says {mark}")));
    let namespaces = seen.namespaces.iter().filter(|n| is_production(n));
    signs.extend(namespaces.take(1).map(|n| format!("it has a namespace {n}")));
    let mut nodes = seen.nodes.iter().filter_map(|n| Some((n, of_labels(&n.labels).next()?)));
    signs.extend(nodes.next().map(|(n, label)| format!("node {} says {label}", n.name)));
    if seen.nodes.len() > LARGE {
        signs.push(format!("it has {} nodes", seen.nodes.len()));
    }
    signs
}

fn of_labels(labels: &loopdrill_kubernetes::Labels) -> impl Iterator<Item = String> {
    let tells = |key: &str| KEYS.contains(&key.rsplit('/').next().unwrap_or(key).to_lowercase().as_str());
    labels.iter().filter(move |(k, v)| tells(k) && is_production(v)).map(|(k, v)| format!("{k}={v}"))
}

/// Whether one of the words stands in `name`, as a word and not turned round.
fn is_production(name: &str) -> bool {
    let name = name.to_lowercase();
    let words: Vec<&str> =
        name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| !w.is_empty()).collect();
    words.iter().enumerate().any(|(at, word)| {
        let is_word = WORDS.contains(&word.trim_end_matches(|c: char| c.is_ascii_digit()));
        let turned = at.checked_sub(1).is_some_and(|before| NOT_YET.contains(&words[before]));
        is_word && !turned
    })
}
