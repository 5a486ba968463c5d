//! Taints of nodes, and the tolerations of pods.

use serde::{Deserialize, Serialize};

/// The effect of a taint that keeps new pods away.
pub const NO_SCHEDULE: &str = "NoSchedule";
/// The effect of a taint that new pods only avoid.
pub const PREFER_NO_SCHEDULE: &str = "PreferNoSchedule";

/// A taint of a node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "Kubernetes' own names")]
pub struct Taint {
    pub key: String,
    #[serde(default)]
    pub value: String,
    pub effect: String,
}

impl Taint {
    /// Whether it keeps pods that do not tolerate it from being placed. One whose effect we do not know does.
    #[must_use]
    pub fn is_hard(&self) -> bool {
        self.effect != PREFER_NO_SCHEDULE
    }
}

/// How a toleration's value is compared with a taint's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum TolerationOperator {
    /// The values are equal; what is meant where nothing is said.
    #[default]
    Equal,
    /// Any value.
    Exists,
    /// The taint's value is a smaller integer.
    Lt,
    /// The taint's value is a larger integer.
    Gt,
    /// One that we do not know: it tolerates nothing.
    Unknown,
}

impl TolerationOperator {
    /// The operator of this name; an empty one is `Equal`.
    #[must_use]
    pub fn named(name: &str) -> Self {
        match name {
            "" | "Equal" => Self::Equal,
            "Exists" => Self::Exists,
            "Lt" => Self::Lt,
            "Gt" => Self::Gt,
            _ => Self::Unknown,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Equal => "Equal",
            Self::Exists => "Exists",
            Self::Lt => "Lt",
            Self::Gt => "Gt",
            Self::Unknown => "Unknown",
        }
    }
}

/// A toleration of a pod. An empty key (with `Exists`) tolerates every taint, an empty effect every effect.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "Form", into = "Form")]
#[expect(missing_docs, reason = "Kubernetes' own names")]
pub struct Toleration {
    pub key: String,
    pub operator: TolerationOperator,
    pub value: String,
    pub effect: String,
}

/// How tolerations are written: `exists` tells the two usual operators apart, and others are named. Older snapshots of
/// the checklist have neither, and no value where any value will do.
#[derive(Clone, Serialize, Deserialize)]
struct Form {
    #[serde(default)]
    key: String,
    #[serde(default)]
    exists: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    operator: Option<String>,
    #[serde(default)]
    value: Option<String>,
    #[serde(default)]
    effect: String,
}

impl From<Form> for Toleration {
    fn from(form: Form) -> Self {
        let exists = form.exists.unwrap_or(form.value.is_none());
        let operator = match form.operator {
            Some(name) => TolerationOperator::named(&name),
            None if exists => TolerationOperator::Exists,
            None => TolerationOperator::Equal,
        };
        Self { key: form.key, operator, value: form.value.unwrap_or_default(), effect: form.effect }
    }
}

impl From<Toleration> for Form {
    fn from(t: Toleration) -> Self {
        let usual = matches!(t.operator, TolerationOperator::Equal | TolerationOperator::Exists);
        Self {
            key: t.key,
            exists: Some(t.operator == TolerationOperator::Exists),
            operator: (!usual).then(|| t.operator.name().into()),
            value: Some(t.value),
            effect: t.effect,
        }
    }
}

impl Toleration {
    /// Whether it tolerates the taint.
    #[must_use]
    pub fn tolerates(&self, taint: &Taint) -> bool {
        let any_key = self.key.is_empty() && self.operator == TolerationOperator::Exists;
        (self.effect.is_empty() || self.effect == taint.effect)
            && (any_key || self.key == taint.key && !self.key.is_empty())
            && self.compares(&taint.value)
    }

    fn compares(&self, taint: &str) -> bool {
        let number = |text: &str| text.parse::<i64>().ok();
        let numbers = number(taint).zip(number(&self.value));
        match self.operator {
            TolerationOperator::Equal => self.value == taint,
            TolerationOperator::Exists => true,
            TolerationOperator::Lt => numbers.is_some_and(|(taint, bound)| taint < bound),
            TolerationOperator::Gt => numbers.is_some_and(|(taint, bound)| taint > bound),
            TolerationOperator::Unknown => false,
        }
    }
}

/// Whether any of a pod's tolerations tolerates the taint.
#[must_use]
pub fn tolerated(tolerations: &[Toleration], taint: &Taint) -> bool {
    tolerations.iter().any(|t| t.tolerates(taint))
}
