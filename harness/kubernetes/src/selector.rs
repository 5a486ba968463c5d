//! Label selectors, and what an empty or absent one means to whom.

use crate::Labels;
use serde::{Deserialize, Serialize};

/// How a label is compared with values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(from = "String")]
#[expect(missing_docs, reason = "Kubernetes' own names")]
pub enum Operator {
    In,
    NotIn,
    Exists,
    DoesNotExist,
    Gt,
    Lt,
    /// One that we do not know: nothing matches it.
    #[default]
    Unknown,
}

impl Operator {
    /// The operator of this name.
    #[must_use]
    pub fn named(name: &str) -> Self {
        match name {
            "In" => Self::In,
            "NotIn" => Self::NotIn,
            "Exists" => Self::Exists,
            "DoesNotExist" => Self::DoesNotExist,
            "Gt" => Self::Gt,
            "Lt" => Self::Lt,
            _ => Self::Unknown,
        }
    }
}

impl From<String> for Operator {
    fn from(name: String) -> Self {
        Self::named(&name)
    }
}

/// One requirement on labels.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Requirement {
    /// The label's key.
    pub key: String,
    /// How it is compared with the values.
    pub operator: Operator,
    /// The values.
    #[serde(default)]
    pub values: Vec<String>,
}

impl Requirement {
    /// A requirement as the API writes it.
    pub fn new(key: impl Into<String>, operator: &str, values: impl IntoIterator<Item = String>) -> Self {
        Self { key: key.into(), operator: Operator::named(operator), values: values.into_iter().collect() }
    }

    /// Whether a label with this value (`None`: no such label) meets it. One that the API would refuse is met by
    /// nothing.
    #[must_use]
    pub fn is_met_by(&self, value: Option<&str>) -> bool {
        let listed = value.is_some_and(|value| self.values.iter().any(|v| v == value));
        match self.operator {
            Operator::In => listed,
            Operator::NotIn => !self.values.is_empty() && !listed,
            Operator::Exists => self.values.is_empty() && value.is_some(),
            Operator::DoesNotExist => self.values.is_empty() && value.is_none(),
            Operator::Gt => self.numbers(value).is_some_and(|(have, bound)| have > bound),
            Operator::Lt => self.numbers(value).is_some_and(|(have, bound)| have < bound),
            Operator::Unknown => false,
        }
    }

    /// The label's number and the one that it is compared with.
    fn numbers(&self, value: Option<&str>) -> Option<(i64, i64)> {
        let [bound] = &self.values[..] else { return None };
        Some((value?.parse().ok()?, bound.parse().ok()?))
    }

    /// Whether these labels meet it.
    #[must_use]
    pub fn matches(&self, labels: &Labels) -> bool {
        self.is_met_by(labels.get(&self.key).map(String::as_str))
    }
}

/// A label selector. Both parts must match; one without any condition matches everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct LabelSelector {
    /// `matchLabels`.
    pub labels: Labels,
    /// `matchExpressions`.
    pub expressions: Vec<Requirement>,
}

impl LabelSelector {
    /// Whether it selects these labels. `Gt` and `Lt` are for nodes only: the API refuses them here.
    #[must_use]
    pub fn matches(&self, labels: &Labels) -> bool {
        let known = |r: &Requirement| !matches!(r.operator, Operator::Gt | Operator::Lt);
        has_all(&self.labels, labels) && self.expressions.iter().all(|r| known(r) && r.matches(labels))
    }

    /// Whether it has no condition.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.expressions.is_empty()
    }
}

/// Whether `labels` has all of `wanted`; nothing is wanted of an empty one.
pub(crate) fn has_all(wanted: &Labels, labels: &Labels) -> bool {
    wanted.iter().all(|(key, value)| labels.get(key) == Some(value))
}

/// Whether a selector that may be absent selects a pod, wherever the API has one that is absent select nothing and an
/// empty one everything: a PodDisruptionBudget of `policy/v1`, a topology spread constraint, a term of pod affinity. The
/// `podSelector` of a NetworkPolicy is never absent: one that is not written is empty.
#[must_use]
pub fn selects(selector: Option<&LabelSelector>, labels: &Labels) -> bool {
    selector.is_some_and(|s| s.matches(labels))
}

/// Whether a Service leads to a pod of its namespace. One without a selector leads to none: somebody else keeps its
/// endpoints.
#[must_use]
pub fn service_selects(selector: &Labels, labels: &Labels) -> bool {
    !selector.is_empty() && has_all(selector, labels)
}

/// Whether a PodDisruptionBudget is about a pod of its namespace: an empty selector selects nothing in `policy/v1beta1`,
/// and everything since `policy/v1`.
#[must_use]
pub fn budget_selects(api_version: &str, selector: Option<&LabelSelector>, labels: &Labels) -> bool {
    let nothing = api_version == "policy/v1beta1" && selector.is_some_and(LabelSelector::is_empty);
    !nothing && selects(selector, labels)
}
