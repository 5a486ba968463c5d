//! What can be changed on a node: the list of all mechanisms.
//!
//! A [`Step`] says what to do; a [`Planned`] adds the snapshot without which nothing is ever touched. Both are plain
//! data: the harness plans them, the journal keeps them, the node holds them.

use super::{
    error::StepError,
    mechanism::{Reversible, Saved},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::fmt;

/// Makes a variant of [`Step`] and one of [`Planned`] of each mechanism. A step is written under the variant's name
/// unless its line says otherwise.
macro_rules! mechanisms {
    ($($(#[$written:meta])* $($module:ident)::+ => $mechanism:ident,)*) => {
        $(pub use super::$($module)::+::$mechanism;)*

        /// One reversible change of a node's kernel, services or files.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(tag = "step", rename_all = "kebab-case")]
        #[expect(missing_docs, reason = "each is documented where it is defined")]
        pub enum Step {
            $($(#[$written])* $mechanism($mechanism),)*
        }

        /// A step with the snapshot that its undo needs.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub(crate) enum Planned {
            $($mechanism(Saved<$mechanism>),)*
        }

        $(impl From<$mechanism> for Step {
            fn from(step: $mechanism) -> Self {
                Step::$mechanism(step)
            }
        })*

        impl fmt::Display for Step {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Step::$mechanism(step) => step.fmt(f),)*
                }
            }
        }

        impl Step {
            /// Reads what the step's undo will need.
            pub(crate) fn plan(self) -> Result<Planned, StepError> {
                match self {
                    $(Step::$mechanism(step) => Saved::take(step).map(Planned::$mechanism),)*
                }
            }
        }

        impl Planned {
            /// The step with its snapshot, whatever the mechanism.
            pub(crate) fn saved(&self) -> &dyn Reversible {
                match self {
                    $(Planned::$mechanism(saved) => saved,)*
                }
            }
        }

        impl Serialize for Planned {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self {
                    $(Planned::$mechanism(saved) => {
                        let step = Step::$mechanism(saved.step.clone());
                        Written { step, before: saved.written() }.serialize(serializer)
                    })*
                }
            }
        }

        impl<'de> Deserialize<'de> for Planned {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let Written { step, before } = Written::deserialize(deserializer)?;
                let planned = match step {
                    $(Step::$mechanism(step) => Saved::read_from(step, before).map(Planned::$mechanism),)*
                };
                planned.map_err(D::Error::custom)
            }
        }
    };
}

mechanisms! {
    links::mtu => LinkMtu,
    links::df => VxlanDf,
    links::route => RouteMtu,
    filter => DropFragNeeded,
    filter => DropOutgoing,
    #[serde(rename = "block-writes")]
    block_io => LimitWriteIops,
    unit => StopUnit,
    #[serde(rename = "file")]
    file => EditFile,
}

/// A planned step as journals and state files have it.
#[derive(Serialize, Deserialize)]
struct Written<B> {
    step: Step,
    before: B,
}

#[cfg(test)]
mod tests;
