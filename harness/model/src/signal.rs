//! Signals: everything an attribution may look at, reduced to the fields it needs.
//!
//! Each signal is plain data with a time and a source, so a recording of them replays. Secrets, tokens
//! and log texts have no field here, so that they cannot end up in one. `objects` is what API watches
//! tell, `pod` what they tell of pods, `wiring` what of them decides about places and ways, `measured` is what is
//! counted, probed or asked for, `clue` is what remains of a log. `texts` says which fields may quote what somebody wrote.
//!
//! [`Signal`] is made of three tables: that of `objects`, that of `measured`, and the one below of all others.

#[macro_use]
mod objects;
#[macro_use]
mod measured;
mod clue;
mod exact;
mod pod;
mod source;
mod texts;
mod wiring;

pub use clue::*;
pub use measured::*;
pub use objects::*;
pub use pod::*;
pub use source::Source;
pub use texts::{Clean, Texts};
pub use wiring::*;

use crate::Subject;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A signal, when it was seen, and by whom.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// The observer's clock, so that skew between nodes does not matter.
    pub at: Timestamp,
    /// Who saw it.
    pub source: Source,
    /// What was seen.
    pub signal: Signal,
}

/// Makes [`Signal`] of the tables: each line has the variant, its data, and which fields of that are [`Texts`].
macro_rules! signals {
    (
        others { $($(#[$other:meta])* $other_name:ident($other_data:ty), [$($other_text:ident),*];)+ }
        objects { $(
            $(#[$object:meta])*
            $object_name:ident($object_data:ty), [$($object_text:ident),*], $store:ident, $kinds:tt, $namespace:tt;
        )+ }
        measured { $($(#[$measured:meta])* $measured_name:ident($measured_data:ty), [$($measured_text:ident),*];)+ }
    ) => {
        signals! {
            $($(#[$object])* $object_name($object_data), [$($object_text),*];)+
            $($(#[$other])* $other_name($other_data), [$($other_text),*];)+
            $($(#[$measured])* $measured_name($measured_data), [$($measured_text),*];)+
        }
    };
    ($($(#[$meta:meta])* $name:ident($data:ty), [$($text:ident),*];)+) => {
        /// Everything that can be seen.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "type", rename_all = "kebab-case")]
        pub enum Signal {
            $($(#[$meta])* $name($data),)+
            /// Nothing happened, and time went on.
            Tick,
        }

        $(impl From<$data> for Signal {
            fn from(data: $data) -> Self {
                Self::$name(data)
            }
        })+

        impl Texts for Signal {
            fn clean(&mut self, clean: &mut Clean<'_>) {
                match self {
                    $(Self::$name(data) => {
                        $(data.$text.clean(clean);)*
                        let _ = (data, clean);
                    })+
                    Self::Tick => {}
                }
            }
        }
    };
}

with_objects! { with_measured signals others {
    /// The endpoints of a Service, summed over its slices.
    Endpoints(Endpoints), [];
    /// A leader-election lease as it is now.
    Lease(Lease), [];
    /// What a role binding gives to a ServiceAccount.
    Grant(Grant), [];
    /// A Kubernetes event.
    Event(KubeEvent), [message];
    /// An object is gone.
    #[serde(rename = "gone")]
    Deleted(Deleted), [];
    // A clue has no text: whoever made it saw to the shape of its names.
    /// What a failing container said, as a class.
    Clue(Clue), [];
    /// A source of signals became available or was lost.
    SourceState(SourceState), [lost];
} }

/// An object was deleted, or fell out of the watched set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Deleted {
    /// Which object; `kind` is the Kubernetes kind, such as `Pod` or `RoleBinding`.
    pub object: Subject,
    /// Its uid, so that a successor of the same name is not taken for it.
    pub uid: String,
}

/// A source of signals and whether it works.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SourceState {
    /// Which source.
    pub name: Source,
    /// Why it does not work; `None` when it does.
    pub lost: Option<String>,
}

impl SourceState {
    /// How the reason begins where nothing came within the time limit: neither an answer nor a refusal.
    pub const NO_ANSWER: &str = "no answer within";

    /// Whether nothing came within the time limit.
    #[must_use]
    pub fn is_unanswered(&self) -> bool {
        self.lost.as_ref().is_some_and(|why| why.starts_with(Self::NO_ANSWER))
    }
}
