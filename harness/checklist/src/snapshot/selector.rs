//! Label selectors.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A label selector.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Selector {
    /// `matchLabels`.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// `matchExpressions`.
    #[serde(default)]
    pub expressions: Vec<Requirement>,
}

/// One of a selector's expressions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Requirement {
    /// The label.
    pub key: String,
    /// `In`, `NotIn`, `Exists`, `DoesNotExist`, `Gt`, `Lt`.
    pub operator: String,
    /// What it is compared with.
    #[serde(default)]
    pub values: Vec<String>,
}

impl Selector {
    /// Whether it selects these labels. An empty selector selects everything.
    #[must_use]
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.labels.iter().all(|(k, v)| labels.get(k) == Some(v))
            && self.expressions.iter().all(|r| r.matches(labels))
    }

    /// Whether it has no condition.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.expressions.is_empty()
    }
}

impl Requirement {
    /// Whether these labels meet it. An operator that we do not know is met by nothing.
    #[must_use]
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        let value = labels.get(&self.key);
        let number = |text: &String| text.parse::<i64>().ok();
        let compared = |wanted: fn(&i64, &i64) -> bool| {
            let (Some(a), Some(b)) = (value.and_then(number), self.values.first().and_then(number)) else {
                return false;
            };
            wanted(&a, &b)
        };
        match self.operator.as_str() {
            "In" => value.is_some_and(|v| self.values.contains(v)),
            "NotIn" => value.is_none_or(|v| !self.values.contains(v)),
            "Exists" => value.is_some(),
            "DoesNotExist" => value.is_none(),
            "Gt" => compared(i64::gt),
            "Lt" => compared(i64::lt),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_mean_what_the_api_says() {
        let labels = BTreeMap::from([("zone".to_string(), "a".to_string()), ("n".into(), "5".into())]);
        let ask = |key: &str, operator: &str, values: &[&str]| {
            let values = values.iter().map(ToString::to_string).collect();
            Requirement { key: key.into(), operator: operator.into(), values }.matches(&labels)
        };
        assert!(ask("zone", "In", &["a", "b"]) && !ask("zone", "In", &["b"]) && !ask("x", "In", &["b"]));
        assert!(ask("x", "NotIn", &["b"]) && !ask("zone", "NotIn", &["a"]));
        assert!(ask("zone", "Exists", &[]) && ask("x", "DoesNotExist", &[]));
        assert!(ask("n", "Gt", &["4"]) && ask("n", "Lt", &["6"]) && !ask("zone", "Gt", &["4"]));
        assert!(!ask("zone", "Like", &["a"]));
        assert!(Selector::default().matches(&labels));
    }
}
