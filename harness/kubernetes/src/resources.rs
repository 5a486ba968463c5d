//! Amounts of every resource that the scheduler counts.

use crate::quantity::{self, millis, units};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt, iter, ops::AddAssign};

/// CPU, by its name in the API.
pub(crate) const CPU: &str = "cpu";
const MEMORY: &str = "memory";
const PODS: &str = "pods";
const EPHEMERAL_STORAGE: &str = "ephemeral-storage";
pub(crate) const HUGE_PAGES: &str = "hugepages-";

/// Amounts of resources. What is not named is nothing.
///
/// The resources that every pod has are fields, so that an amount for each of very many pods stays small; all others
/// (`ephemeral-storage`, `hugepages-2Mi`, `nvidia.com/gpu`, …) are in a map. The aliases are names in older snapshots.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Resources {
    /// Thousandths of a core.
    #[serde(alias = "c")]
    pub cpu_millis: u64,
    /// Bytes of memory.
    #[serde(alias = "m")]
    pub memory_bytes: u64,
    /// Pods: a pod takes one, a node gives as many as its kubelet runs.
    #[serde(skip_serializing_if = "is_nothing")]
    pub pods: u64,
    /// All others by their name in the API, in whole units.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub others: BTreeMap<String, u64>,
}

fn is_nothing(amount: &u64) -> bool {
    *amount == 0
}

impl Resources {
    /// The amounts that are written in the API's notation; what is no quantity is nothing.
    pub fn of<'a>(amounts: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut resources = Self::default();
        for (name, text) in amounts {
            let amount = if name == CPU { millis(text) } else { units(text) };
            resources.set(name, amount.unwrap_or(0));
        }
        resources
    }

    /// How much of a resource this is: thousandths of CPU, whole units of all others.
    #[must_use]
    pub fn get(&self, name: &str) -> u64 {
        match name {
            CPU => self.cpu_millis,
            MEMORY => self.memory_bytes,
            PODS => self.pods,
            other => self.others.get(other).copied().unwrap_or(0),
        }
    }

    /// Sets how much of a resource this is.
    pub fn set(&mut self, name: &str, amount: u64) {
        match name {
            CPU => self.cpu_millis = amount,
            MEMORY => self.memory_bytes = amount,
            PODS => self.pods = amount,
            other if amount == 0 => _ = self.others.remove(other),
            other => _ = self.others.insert(other.into(), amount),
        }
    }

    /// All resources with their amounts, CPU and memory first.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        let usual = [(CPU, self.cpu_millis), (MEMORY, self.memory_bytes), (PODS, self.pods)];
        usual.into_iter().chain(self.others.iter().map(|(name, amount)| (name.as_str(), *amount)))
    }

    /// Whether it is nothing.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.iter().all(|(_, amount)| amount == 0)
    }

    /// Whether a pod with these requests asks for nothing but its place among a node's pods.
    #[must_use]
    pub fn is_best_effort(&self) -> bool {
        self.iter().all(|(name, amount)| amount == 0 || name == PODS)
    }

    /// Whether `wanted` is within this. What is not wanted need not be there.
    #[must_use]
    pub fn covers(&self, wanted: &Self) -> bool {
        let others = |(name, amount): (&String, &u64)| self.others.get(name).copied().unwrap_or(0) >= *amount;
        self.cpu_millis >= wanted.cpu_millis
            && self.memory_bytes >= wanted.memory_bytes
            && self.pods >= wanted.pods
            && wanted.others.iter().all(others)
    }

    /// The resources of which `wanted` is more than this.
    pub fn lacking<'a>(&'a self, wanted: &'a Self) -> impl Iterator<Item = &'a str> {
        wanted.iter().filter(|(name, amount)| self.get(name) < *amount).map(|(name, _)| name)
    }

    /// The sum.
    #[must_use]
    pub fn plus(mut self, other: &Self) -> Self {
        self += other;
        self
    }

    /// What is left after taking `other`.
    #[must_use]
    pub fn minus(mut self, other: &Self) -> Self {
        self.each(other, u64::saturating_sub);
        self
    }

    /// The larger of each.
    #[must_use]
    pub fn max(mut self, other: &Self) -> Self {
        self.each(other, u64::max);
        self
    }

    fn each(&mut self, other: &Self, f: fn(u64, u64) -> u64) {
        self.cpu_millis = f(self.cpu_millis, other.cpu_millis);
        self.memory_bytes = f(self.memory_bytes, other.memory_bytes);
        self.pods = f(self.pods, other.pods);
        for (name, amount) in &other.others {
            let result = f(self.get(name), *amount);
            self.set(name, result);
        }
    }
}

impl AddAssign<&Self> for Resources {
    fn add_assign(&mut self, other: &Self) {
        self.each(other, u64::saturating_add);
    }
}

impl<'a> iter::Sum<&'a Resources> for Resources {
    fn sum<I: Iterator<Item = &'a Resources>>(all: I) -> Self {
        all.fold(Self::default(), Self::plus)
    }
}

/// An amount of one resource for people: `1900m`, `512Mi`, `4`.
fn show(name: &str, amount: u64) -> String {
    match name {
        CPU => quantity::cpu(amount),
        MEMORY | EPHEMERAL_STORAGE => quantity::bytes(amount),
        huge if huge.starts_with(HUGE_PAGES) => quantity::bytes(amount),
        _ => amount.to_string(),
    }
}

/// `1900m CPU, 512Mi memory, 1 nvidia.com/gpu`. The number of pods is left out: it is one for every pod.
impl fmt::Display for Resources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} CPU, {} memory", show(CPU, self.cpu_millis), show(MEMORY, self.memory_bytes))?;
        for (name, amount) in &self.others {
            write!(f, ", {} {name}", show(name, *amount))?;
        }
        Ok(())
    }
}
