//! Everything that somebody named, named otherwise.

use crate::library::Answer;
use loopdrill_model::{Mark, Signal, Subject};
use loopdrill_observe::record::Entry;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet, hash_map::DefaultHasher},
    hash::{Hash, Hasher},
};

/// Names that Kubernetes gives itself, among them that of the Service for DNS, which clients rely on.
const KUBERNETES: &[&str] = &[
    "",
    "coredns",
    "default",
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-dns",
    "kube-node-lease",
    "kube-proxy",
    "kube-public",
    "kube-scheduler",
    "kube-system",
    "kubernetes",
];

/// Members of a signal that hold labels or compare them.
const LABELS: &[&str] = &["labels", "node_selector", "selector"];

/// New names for old.
pub(crate) struct Names {
    /// Names of objects, replaced wherever they stand as a word.
    objects: BTreeMap<String, String>,
    salt: u64,
}

impl Names {
    pub(crate) fn of(entries: &[Entry], salt: u64) -> Self {
        let mut names = BTreeSet::new();
        for entry in entries {
            if let Entry::Seen(seen) = entry {
                collect(&seen.signal, &mut names);
            }
        }
        names.retain(|name| !KUBERNETES.contains(&name.as_str()));
        let objects = names.into_iter().map(|name| (name.clone(), invent(&name, salt))).collect();
        Self { objects, salt }
    }

    pub(crate) fn len(&self) -> usize {
        self.objects.len()
    }

    pub(crate) fn rename(&self, entries: &[Entry]) -> Vec<Entry> {
        entries
            .iter()
            .map(|entry| match entry {
                Entry::Seen(seen) => Entry::Seen(self.through(seen, Self::observation)),
                Entry::Mark(mark) => Entry::Mark(self.through::<Mark>(mark, Self::texts)),
                Entry::Judged(judged) => Entry::Judged(*judged),
            })
            .collect()
    }

    pub(crate) fn rename_answers(&self, answers: &[Answer]) -> Vec<Answer> {
        let renamed = |s: &Subject| Subject::new(&s.kind, self.text(&s.namespace), self.text(&s.name));
        let mut all: Vec<_> = answers
            .iter()
            .map(|a| {
                let mut answer = a.clone();
                answer.subjects = a.subjects.iter().map(renamed).collect();
                answer
            })
            .collect();
        all.sort();
        all
    }

    fn through<T: Serialize + DeserializeOwned>(&self, what: &T, change: fn(&Self, &mut Value)) -> T {
        let mut value = serde_json::to_value(what).expect("plain data");
        change(self, &mut value);
        serde_json::from_value(value).expect("plain data")
    }

    fn observation(&self, value: &mut Value) {
        // Times and types are no names.
        for member in ["source", "signal"] {
            self.texts(&mut value[member]);
        }
        // Those of a metric are not: what they say is the endpoint's own.
        if !matches!(value["signal"]["type"].as_str(), Some("metric" | "histogram")) {
            self.labels(&mut value["signal"]);
        }
    }

    fn texts(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.text(text),
            Value::Array(all) => all.iter_mut().for_each(|v| self.texts(v)),
            Value::Object(all) => all.values_mut().for_each(|v| self.texts(v)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// Every whole word that is a name.
    fn text(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while !rest.is_empty() {
            let end = rest.find(|c: char| !is_of_names(c)).unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            let bare = word.trim_end_matches('.');
            out.push_str(self.objects.get(bare).map_or(bare, String::as_str));
            out.push_str(&word[bare.len()..]);
            let next = after.chars().next().map_or(0, char::len_utf8);
            out.push_str(&after[..next]);
            rest = &after[next..];
        }
        out
    }

    /// Values of labels, and what they are compared with.
    fn labels(&self, value: &mut Value) {
        let Value::Object(members) = value else {
            if let Value::Array(all) = value {
                all.iter_mut().for_each(|v| self.labels(v));
            }
            return;
        };
        for (name, member) in members.iter_mut() {
            match member {
                Value::Object(labels) if LABELS.contains(&name.as_str()) => {
                    labels.values_mut().for_each(|v| self.label(v));
                }
                Value::Array(values) if name == "values" => values.iter_mut().for_each(|v| self.label(v)),
                _ => self.labels(member),
            }
        }
    }

    fn label(&self, value: &mut Value) {
        if let Value::String(text) = value
            && !text.is_empty()
        {
            *text = invent(text, self.salt ^ 0x1abe1);
        }
    }
}

fn is_of_names(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '.')
}

/// Another name, of another length and at another place in the alphabet.
fn invent(name: &str, salt: u64) -> String {
    let mut hasher = DefaultHasher::new();
    (name, salt).hash(&mut hasher);
    let mut number = hasher.finish();
    let length = 8 + number % 7;
    let mut made = String::new();
    for _ in 0..length {
        made.push(char::from(b'a' + u8::try_from(number % 26).unwrap_or(0)));
        number = number.rotate_left(9).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ salt;
    }
    made
}

fn collect(signal: &Signal, names: &mut BTreeSet<String>) {
    let mut add = |all: &[&str]| names.extend(all.iter().map(|n| (*n).to_owned()));
    match signal {
        Signal::Pod(o) => {
            add(&[&o.namespace, &o.name, &o.service_account]);
            o.owner.iter().for_each(|s| add(&[&s.name]));
            o.containers.iter().for_each(|c| add(&[&c.name]));
            o.claims.iter().for_each(|c| add(&[c]));
        }
        Signal::Node(o) => add(&[&o.name]),
        Signal::Claim(o) => add(&[&o.namespace, &o.name]),
        Signal::Volume(o) => add(&[&o.name]),
        Signal::StorageClass(o) => add(&[&o.name]),
        Signal::Attachment(o) => add(&[&o.name]),
        Signal::Controller(o) => {
            add(&[&o.namespace, &o.name]);
            o.owner.iter().for_each(|s| add(&[&s.name]));
        }
        Signal::Service(o) => add(&[&o.namespace, &o.name]),
        Signal::Quota(o) => add(&[&o.namespace, &o.name]),
        Signal::CloudRole(o) => {
            add(&[&o.role]);
            o.grants.iter().chain(&o.denials).for_each(|g| add(&[g]));
        }
        Signal::Grant(o) => add(&[&o.binding.name, &o.account.name, &o.account.namespace]),
        _ => {}
    }
}
