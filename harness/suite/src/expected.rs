//! How a drill must end.

use crate::error;
use jiff::civil::Date;
use loopdrill_model::{Capability, Gate};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer,
    de::{Error, IntoDeserializer, MapAccess, Visitor, value::MapAccessDeserializer},
};
use std::{borrow::Cow, fmt};

/// How a drill must end: a word, or a word with its reason and the date on which it stops to hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expected {
    /// The end.
    pub wanted: Wanted,
    /// Why a failure or a skip is accepted.
    pub reason: Option<String>,
    /// The last day on which it is.
    pub until: Option<Date>,
}

/// The end that is wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Wanted {
    /// Noticed and blamed rightly, or the cluster was resilient.
    #[default]
    Ready,
    /// Noticed and blamed rightly.
    Passed,
    /// The fault was in force, and the victim stayed well.
    Resilient,
    /// Not run, since the cluster lacks this (one of the names of `CAPABILITIES`).
    Skipped(&'static str),
    /// A known gap: this gate does not hold.
    Fails(Gate),
}

/// An end that needs no more words.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Word {
    /// Noticed and blamed rightly, or the cluster was resilient.
    Ready,
    /// Noticed and blamed rightly.
    Passed,
    /// The fault was in force, and the victim stayed well.
    Resilient,
}

impl From<Word> for Wanted {
    fn from(word: Word) -> Self {
        match word {
            Word::Ready => Wanted::Ready,
            Word::Passed => Wanted::Passed,
            Word::Resilient => Wanted::Resilient,
        }
    }
}

/// What a cluster can lack, as suites call it.
const CAPABILITIES: [&str; 13] = [
    "node-access",
    "worker-nodes",
    "two-zones",
    "vxlan-overlay",
    "zonal-storage",
    "private-registry",
    "local-etcd",
    "block-io-throttle",
    "node-service-manager",
    "cloud-identity",
    "admission",
    "fence",
    "control-plane-node",
];

/// The name of a capability in suites.
pub(crate) const fn name(capability: &Capability) -> &'static str {
    match capability {
        Capability::NodeAccess => CAPABILITIES[0],
        Capability::WorkerNodes(_) => CAPABILITIES[1],
        Capability::TwoZones => CAPABILITIES[2],
        Capability::VxlanOverlay => CAPABILITIES[3],
        Capability::ZonalStorage => CAPABILITIES[4],
        Capability::PrivateRegistry => CAPABILITIES[5],
        Capability::LocalEtcd => CAPABILITIES[6],
        Capability::BlockIoThrottle => CAPABILITIES[7],
        Capability::NodeServiceManager => CAPABILITIES[8],
        Capability::CloudIdentity => CAPABILITIES[9],
        Capability::Admission => CAPABILITIES[10],
        Capability::Fence => CAPABILITIES[11],
        Capability::ControlPlaneNode => CAPABILITIES[12],
    }
}

impl Expected {
    /// What is missing for an accepted failure or skip.
    pub(crate) fn first_fault(&self) -> Option<String> {
        match self.wanted {
            Wanted::Fails(_) if self.reason.as_ref().is_none_or(|r| r.trim().is_empty()) => {
                Some("a known gap needs its `reason`".into())
            }
            Wanted::Fails(_) if self.until.is_none() => {
                Some("a known gap needs the date `until` which it may stay open (YYYY-MM-DD)".into())
            }
            _ => None,
        }
    }
}

/// The long form.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Long {
    /// The end that is wanted; or `skipped` or `fails` instead.
    outcome: Option<Word>,
    /// What the cluster lacks, so that the drill is skipped.
    skipped: Option<String>,
    /// The gate that is known not to hold: injected, manifested, detected, attributed or recovered.
    #[schemars(with = "Option<String>")]
    fails: Option<Gate>,
    /// Why a failure or a skip is accepted.
    reason: Option<String>,
    /// The last day on which it is, as YYYY-MM-DD.
    #[schemars(with = "Option<String>")]
    until: Option<Date>,
}

impl Long {
    fn checked<E: Error>(self) -> Result<Expected, E> {
        let wanted = match (self.outcome, self.skipped, self.fails) {
            (Some(word), None, None) => word.into(),
            (None, Some(lack), None) => Wanted::Skipped(capability(&lack)?),
            (None, None, Some(gate)) => Wanted::Fails(gate),
            (None, None, None) => return Err(E::custom("say one of `outcome`, `skipped` and `fails`")),
            _ => return Err(E::custom("only one of `outcome`, `skipped` and `fails` can be")),
        };
        Ok(Expected { wanted, reason: self.reason, until: self.until })
    }
}

fn capability<E: Error>(word: &str) -> Result<&'static str, E> {
    let found = CAPABILITIES.into_iter().find(|name| *name == word);
    found.ok_or_else(|| E::custom(error::unknown("capability", word, CAPABILITIES)))
}

impl<'de> Deserialize<'de> for Expected {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Either)
    }
}

struct Either;

impl<'de> Visitor<'de> for Either {
    type Value = Expected;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ready, passed, resilient, or a map with outcome, skipped or fails")
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<Expected, E> {
        let word = Word::deserialize(word.into_deserializer())?;
        Ok(Expected { wanted: word.into(), ..Expected::default() })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Expected, A::Error> {
        Long::deserialize(MapAccessDeserializer::new(map))?.checked()
    }
}

impl JsonSchema for Expected {
    fn schema_name() -> Cow<'static, str> {
        "Expected".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (word, long) = (generator.subschema_for::<Word>(), generator.subschema_for::<Long>());
        json_schema!({ "description": "How a drill must end.", "anyOf": [word, long] })
    }
}
