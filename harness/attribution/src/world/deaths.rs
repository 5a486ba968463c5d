//! How containers ended, life by life: a status tells the last two ends only, and a restart count has no time.

use super::{age, clock::FRESH};
use loopdrill_model::{Timestamp, signal::*};
use std::collections::BTreeMap;

/// One end of a container.
#[derive(Debug, Clone)]
struct End {
    seen_at: Timestamp,
    finished_at: Option<Timestamp>,
    out_of_memory: bool,
    never_ran: bool,
}

/// Ends by pod's uid and container, then by life: the restart count before it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Deaths {
    ends: BTreeMap<(String, String), BTreeMap<u32, End>>,
}

/// What the kubelet calls an end for lack of memory.
pub(crate) const OUT_OF_MEMORY: &str = "OOMKilled";

/// Whether the container never ran: the runtime could not start it.
pub(crate) fn never_ran(end: &Terminated) -> bool {
    matches!(end.reason.as_str(), "StartError" | "ContainerCannotRun" | "RunContainerError")
}

/// Lives remembered of one container.
const MOST_LIVES: usize = 8;
/// Seconds between two ends that belong to one streak: a back-off grows to five minutes.
const STREAK: f64 = 400.0;

/// Ends that follow each other closely.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Streak {
    pub(crate) ends: u32,
    /// When the first of them was seen.
    pub(crate) since: Timestamp,
    /// When the second of them was seen, which made it a row.
    pub(crate) again_at: Option<Timestamp>,
    /// When the last of them was seen.
    pub(crate) last_at: Timestamp,
    /// The container had ended before, and nobody knows when.
    pub(crate) goes_back: bool,
    /// One of them was for lack of memory.
    pub(crate) out_of_memory: bool,
    /// How many of them were seen that were no lives at all: the runtime could not start it.
    pub(crate) never_ran: u32,
}

impl Deaths {
    pub(crate) fn note(&mut self, pod: &Pod, at: Timestamp) {
        for c in &pod.containers {
            let now = match &c.state {
                ContainerState::Terminated(t) => Some((c.restarts, t)),
                _ => None,
            };
            let last = c.last.as_ref().and_then(|t| Some((c.restarts.checked_sub(1)?, t)));
            for (life, end) in now.into_iter().chain(last) {
                let end = End {
                    seen_at: at,
                    finished_at: end.finished_at,
                    out_of_memory: end.reason == OUT_OF_MEMORY,
                    never_ran: never_ran(end),
                };
                self.put((pod.uid.clone(), c.name.clone()), life, end);
            }
        }
    }

    fn put(&mut self, key: (String, String), life: u32, end: End) {
        let lives = self.ends.entry(key).or_default();
        let known = lives.entry(life).or_insert_with(|| end.clone());
        known.seen_at = known.seen_at.min(end.seen_at);
        while lives.len() > MOST_LIVES {
            lives.pop_first();
        }
    }

    /// Forgets containers whose last end was seen before `before`.
    pub(crate) fn prune(&mut self, before: Timestamp) {
        self.ends.retain(|_, lives| lives.values().any(|e| e.seen_at >= before));
    }

    /// The container's present streak. `local` turns the cluster's times into the observer's.
    pub(crate) fn streak(
        &self,
        uid: &str,
        container: &str,
        local: impl Fn(Timestamp) -> Timestamp,
    ) -> Option<Streak> {
        let lives = self.ends.get(&(uid.to_owned(), container.to_owned()))?;
        // What ended long before it was seen ended when it says; the cluster's clock has whole seconds only.
        let when = |end: &End| match end.finished_at.map(&local) {
            Some(finished) if age(end.seen_at, finished) > FRESH => finished,
            _ => end.seen_at,
        };
        let mut ends = lives.iter().rev();
        let (newest, end) = ends.next()?;
        let mut streak = Streak {
            ends: 1,
            since: when(end),
            again_at: None,
            last_at: when(end),
            goes_back: *newest > 0,
            out_of_memory: end.out_of_memory,
            never_ran: end.never_ran.into(),
        };
        for (life, end) in ends {
            if age(streak.since, when(end)) > STREAK {
                streak.goes_back = false;
                break;
            }
            streak.goes_back = *life > 0;
            streak.ends = newest - life + 1;
            streak.out_of_memory |= end.out_of_memory;
            streak.never_ran += u32::from(end.never_ran);
            streak.again_at = Some(streak.since);
            streak.since = when(end);
        }
        Some(streak)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).expect("in range")
    }

    fn streak(ends: &[(u32, i64, i64)]) -> Option<Streak> {
        let mut deaths = Deaths::default();
        for (life, finished, seen) in ends {
            let end = End {
                seen_at: at(*seen),
                finished_at: Some(at(*finished)),
                out_of_memory: false,
                never_ran: false,
            };
            deaths.put(("uid".into(), "c".into()), *life, end);
        }
        deaths.streak("uid", "c", |t| t)
    }

    #[test]
    fn ends_that_follow_each_other_are_a_streak_in_any_order() {
        let wanted = Some(Streak {
            ends: 3,
            since: at(1),
            again_at: Some(at(31)),
            last_at: at(61),
            goes_back: true,
            out_of_memory: false,
            never_ran: 0,
        });
        assert_eq!(streak(&[(4, 0, 1), (5, 30, 31), (6, 60, 61)]), wanted);
        assert_eq!(streak(&[(6, 60, 61), (4, 0, 1), (5, 30, 31)]), wanted);
    }

    #[test]
    fn an_end_of_long_ago_belongs_to_none() {
        let wanted = Some(Streak {
            ends: 1,
            since: at(5001),
            again_at: None,
            last_at: at(5001),
            goes_back: false,
            out_of_memory: false,
            never_ran: 0,
        });
        assert_eq!(streak(&[(0, 0, 5000), (1, 5000, 5001)]), wanted);
    }
}
