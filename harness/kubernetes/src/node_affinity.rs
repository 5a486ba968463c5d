//! Required node affinity, of pods and of volumes.

use crate::{Labels, Requirement, selector::Operator};
use serde::{Deserialize, Serialize};

/// The only field of a node that can be asked for.
const NAME: &str = "metadata.name";

/// A node selector term: all of its requirements must be met. One without requirements matches no node.
///
/// Its serialised form is the list of all requirements, in which the key `metadata.name` is that field; a label of that
/// very name is not told apart from it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "Form", into = "Vec<Requirement>")]
pub struct NodeTerm {
    /// `matchExpressions`: requirements on the node's labels.
    pub expressions: Vec<Requirement>,
    /// `matchFields`: requirements on the node's fields, of which only `metadata.name` exists.
    pub fields: Vec<Requirement>,
}

/// The forms in which terms were ever written: a list, or a label selector.
#[derive(Deserialize)]
#[serde(untagged)]
enum Form {
    List(Vec<Requirement>),
    Selector { expressions: Vec<Requirement> },
}

impl From<Form> for NodeTerm {
    fn from(form: Form) -> Self {
        let (Form::List(all) | Form::Selector { expressions: all }) = form;
        let (fields, expressions) = all.into_iter().partition(|r| r.key == NAME);
        Self { expressions, fields }
    }
}

impl From<NodeTerm> for Vec<Requirement> {
    fn from(mut term: NodeTerm) -> Self {
        term.expressions.append(&mut term.fields);
        term.expressions
    }
}

impl NodeTerm {
    /// A term with requirements on labels alone.
    #[must_use]
    pub fn labels(expressions: Vec<Requirement>) -> Self {
        Self { expressions, fields: Vec::new() }
    }

    /// All requirements, those on labels first.
    pub fn requirements(&self) -> impl Iterator<Item = &Requirement> {
        self.expressions.iter().chain(&self.fields)
    }

    /// Whether a node of this name and with these labels meets it.
    #[must_use]
    pub fn matches(&self, name: &str, labels: &Labels) -> bool {
        let field = |r: &Requirement| {
            r.key == NAME && matches!(r.operator, Operator::In | Operator::NotIn) && r.is_met_by(Some(name))
        };
        self.requirements().next().is_some()
            && self.expressions.iter().all(|r| r.matches(labels))
            && self.fields.iter().all(field)
    }
}

/// Whether a node meets any of the terms. No terms: no condition.
#[must_use]
pub fn matches_any(terms: &[NodeTerm], name: &str, labels: &Labels) -> bool {
    terms.is_empty() || terms.iter().any(|term| term.matches(name, labels))
}
