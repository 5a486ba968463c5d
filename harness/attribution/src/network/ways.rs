//! Ways between nodes, and what becomes of each size on them.

use crate::world::{Path, Series, World, age};
use loopdrill_model::{Timestamp, signal::*};
use std::collections::BTreeMap;

/// How one size fares on one way, by the latest answers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Fate {
    /// Passes now.
    Passes,
    /// Lost at least twice in a row, so often, since then.
    Vanishes(Timestamp, usize),
    /// Some pass and some are lost.
    Mixed,
    /// Refused with a reason: no black hole.
    Answered,
    /// Nothing recent is known.
    Unknown,
}

/// Seconds after which an answer says nothing about now.
const FRESH: f64 = 8.0;

/// A way with the fate of each size.
pub(super) struct Way<'w> {
    pub(super) path: &'w Path,
    pub(super) fates: Vec<(u32, Fate)>,
    /// Share lost of the last answers at all sizes, and their number.
    pub(super) loss: (f64, u32),
    /// A packet of the smallest size was lost within the last ten seconds.
    lost_small: bool,
    /// When the newest answer at the smallest size was known, or that there is none.
    known_at: Option<Timestamp>,
}

impl Way<'_> {
    pub(super) fn smallest(&self) -> Fate {
        self.fates.first().map_or(Fate::Unknown, |f| f.1)
    }

    /// Whether small ones pass, also after `since`.
    pub(super) fn passes_after(&self, since: Timestamp) -> bool {
        self.smallest() == Fate::Passes && self.known_at.is_some_and(|at| at > since)
    }

    pub(super) fn all(&self, wanted: impl Fn(Fate) -> bool) -> bool {
        !self.fates.is_empty() && self.fates.iter().all(|f| wanted(f.1))
    }

    /// Whether what was lost lately is too little to be called anything yet: a few seconds more may tell.
    pub(super) fn may_become(&self) -> bool {
        let few = |f: &(u32, Fate)| matches!(f.1, Fate::Mixed | Fate::Vanishes(_, 1..=4));
        self.path.from != self.path.to && (self.lost_small || self.fates.iter().any(few))
    }

    /// The first size that vanishes although all smaller ones pass.
    pub(super) fn black_hole(&self) -> Option<(u32, u32, Timestamp)> {
        let first = self.fates.iter().position(|f| f.1 != Fate::Passes)?;
        let passes = self.fates.get(first.checked_sub(1)?)?.0;
        match self.fates[first] {
            // Random loss, or a machine that stands still, can look like this for a moment.
            (bytes, Fate::Vanishes(since, run)) if run >= if self.lost_small { 5 } else { 2 } => {
                let above = |f: &(u32, Fate)| matches!(f.1, Fate::Vanishes(..) | Fate::Unknown);
                self.fates[first..].iter().all(above).then_some((passes, bytes, since))
            }
            _ => None,
        }
    }
}

pub(super) fn way<'w>(
    world: &World,
    path: &'w Path,
    sizes: &'w BTreeMap<u32, Series<ProbeResult>>,
) -> Way<'w> {
    let fates = sizes.iter().map(|(bytes, answers)| (*bytes, fate(world, answers))).collect();
    let recent = sizes.values().flat_map(|s| s.iter().rev().filter(|(t, _)| world.age(*t) < 30.0));
    let (mut lost, mut asked) = (0_u32, 0_u32);
    for (_, answer) in recent {
        match answer {
            ProbeResult::Lost => (lost, asked) = (lost + 1, asked + 1),
            ProbeResult::Passed { .. } => asked += 1,
            _ => {}
        }
    }
    let small = sizes.values().next().into_iter().flat_map(|s| s.iter().rev());
    let lost_small = small
        .take_while(|(t, _)| world.age(*t) < 10.0)
        .any(|(_, answer)| matches!(answer, ProbeResult::Lost));
    let known_at = sizes.values().next().and_then(Series::last).map(|(t, _)| *t);
    Way { path, fates, loss: (f64::from(lost) / f64::from(asked.max(1)), asked), lost_small, known_at }
}

fn fate(world: &World, answers: &Series<ProbeResult>) -> Fate {
    let mut latest = answers.iter().rev().take_while(|(t, _)| world.age(*t) < 30.0).peekable();
    if latest.peek().is_none_or(|(t, _)| world.age(*t) >= FRESH) {
        return Fate::Unknown;
    }
    let latest: Vec<_> = latest.collect();
    let lost = |a: &ProbeResult| matches!(a, ProbeResult::Lost);
    let run = latest.iter().take_while(|(_, a)| lost(a)).count();
    match (&latest[0].1, run) {
        (ProbeResult::Lost, 1) => Fate::Mixed,
        (ProbeResult::Lost, _) => Fate::Vanishes(latest[run - 1].0, run),
        (ProbeResult::Passed { .. }, _) => {
            // One that gets through among lost ones is luck, not health.
            let luck = latest.iter().take(3).skip(1).any(|(_, a)| lost(a))
                && latest.iter().skip(3).take(8).any(|(_, a)| matches!(a, ProbeResult::Passed { .. }))
                && latest.iter().skip(3).take(8).any(|(_, a)| lost(a));
            if luck { Fate::Mixed } else { Fate::Passes }
        }
        _ => Fate::Answered,
    }
}

fn ready(world: &World, node: &str) -> bool {
    world.nodes.find("", node).is_none_or(|n| n.ready == "True")
}

/// A way between two nodes that both report, whose far end answers within its own node.
pub(super) fn judged<'a>(world: &World, ways: &'a [Way<'a>], way: &Way<'_>, path: ProbePath) -> bool {
    let (from, to) = (&way.path.from, &way.path.to);
    let deaf = |w: &&Way<'_>| {
        w.path.path == ProbePath::Overlay
            && w.path.from == *to
            && w.path.to == *to
            && matches!(w.smallest(), Fate::Vanishes(..) | Fate::Answered)
    };
    way.path.path == path
        && from != to
        && ready(world, from)
        && ready(world, to)
        && !ways.iter().any(|w| deaf(&w))
}

/// Turns from lost to through or back that make a pattern.
const TURNS: usize = 4;

/// Small ones get lost and through by turns, also in the last seconds. A way that was cut and is silent, or
/// that is whole again, turned once; and what was over for some seconds is no part of what comes later.
///
/// Says since when: one packet that is lost is nothing yet.
pub(super) fn turns_since(world: &World, way: &Way<'_>) -> Option<Timestamp> {
    let sizes = world.probes.paths().find(|(p, _)| *p == way.path).map(|(_, s)| s);
    let small = sizes.and_then(|s| s.values().next())?;
    let (mut turns, mut fourth) = (0, None);
    let (mut before, mut last_lost) = (None, None);
    for (at, answer) in small.iter().filter(|(t, _)| world.age(*t) < 30.0) {
        let lost = matches!(answer, ProbeResult::Lost);
        if lost && last_lost.is_some_and(|last| age(*at, last) >= FRESH) {
            (turns, fourth) = (0, None);
        }
        if before.is_some_and(|b| b != lost) {
            turns += 1;
            if turns == TURNS {
                fourth = Some(*at);
            }
        }
        before = Some(lost);
        last_lost = if lost { Some(*at) } else { last_lost };
    }
    fourth.filter(|_| last_lost.is_some_and(|at| world.age(at) < FRESH))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clean_split_by_size_is_a_black_hole() {
        let t = Timestamp::UNIX_EPOCH;
        let path = Path { from: "a".into(), to: "b".into(), path: ProbePath::Overlay };
        let way = |fates: &[Fate], lost_small| Way {
            path: &path,
            fates: fates
                .iter()
                .enumerate()
                .map(|(i, f)| (u32::try_from(i).expect("few") * 100, *f))
                .collect(),
            loss: (0.0, 0),
            lost_small,
            known_at: None,
        };
        use Fate::*;
        let hole = |fates: &[Fate]| way(fates, false).black_hole();
        let gone = Vanishes(t, 2);
        assert_eq!(hole(&[Passes, gone]), Some((0, 100, t)));
        assert_eq!(hole(&[Passes, Passes, gone, gone]), Some((100, 200, t)));
        assert_eq!(hole(&[Passes, Answered]), None);
        assert_eq!(hole(&[gone, gone]), None);
        assert_eq!(hole(&[Passes, gone, Passes]), None);
        assert_eq!(hole(&[Passes, Passes]), None);
        assert_eq!(hole(&[Unknown, gone]), None);
        assert_eq!(way(&[Passes, gone], true).black_hole(), None, "small ones get lost, too");
        assert_eq!(way(&[Passes, Vanishes(t, 5)], true).black_hole(), Some((0, 100, t)));
    }
}
