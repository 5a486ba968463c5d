//! A case of the matrix: at which moment who is killed, and in which weather what is left is undone.

use std::{fmt, time::Duration};

/// How far a harness has come, by its journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Moment {
    /// A change is announced; it may be applied this very moment.
    Intent,
    /// A change is applied; others may follow.
    Applied,
    /// All changes were read back.
    InForce,
    /// The undo of a change has begun.
    Undo,
    /// The undo of a change is done; others may follow.
    Undone,
}

/// Who gets SIGKILL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Killed {
    Harness,
    /// What holds the change on the node. The harness lives on, and undoes.
    Holder,
    Both,
}

/// What else is wrong while it is undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Weather {
    Calm,
    /// The API server is stopped, and answers nobody.
    NoApi,
    /// Nothing gets into or out of any node.
    NoNetwork,
    /// The container runtime of the touched nodes is restarted.
    NewRuntime,
}

impl Moment {
    pub(crate) const ALL: [Self; 5] = [Self::Intent, Self::Applied, Self::InForce, Self::Undo, Self::Undone];

    /// Only a harness that goes on to its undo comes there.
    pub(crate) fn is_of_undo(self) -> bool {
        self >= Self::Undo
    }
}

impl Killed {
    pub(crate) const ALL: [Self; 3] = [Self::Harness, Self::Holder, Self::Both];

    pub(crate) fn has_harness(self) -> bool {
        self != Self::Holder
    }

    pub(crate) fn has_holder(self) -> bool {
        self != Self::Harness
    }
}

impl Weather {
    pub(crate) const ALL: [Self; 4] = [Self::Calm, Self::NoApi, Self::NoNetwork, Self::NewRuntime];
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Intent => "intent written",
            Self::Applied => "applied",
            Self::InForce => "read back",
            Self::Undo => "undo begun",
            Self::Undone => "undone",
        })
    }
}

impl fmt::Display for Killed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Harness => "harness",
            Self::Holder => "holder",
            Self::Both => "both",
        })
    }
}

impl fmt::Display for Weather {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Calm => "nothing else",
            Self::NoApi => "API server stopped",
            Self::NoNetwork => "network cut",
            Self::NewRuntime => "runtime restarted",
        })
    }
}

/// One kill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Case {
    pub(crate) moment: Moment,
    /// Of which change, counted from one.
    pub(crate) nth: usize,
    /// So long after that moment.
    pub(crate) delay: Duration,
    pub(crate) killed: Killed,
    pub(crate) weather: Weather,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Case { moment, nth, delay, killed, weather } = self;
        write!(f, "{killed} killed {} ms after `{moment}` of change {nth}, {weather}", delay.as_millis())
    }
}

impl Case {
    /// The case of that index for a plan of so many changes. 5 moments, 4 weathers and 3 victims have no common divisor:
    /// 60 cases in a row are all there are, and any 20 have every pair of moment and weather.
    pub(crate) fn of(index: usize, changes: usize, held: bool, dice: &mut Dice) -> Self {
        let spread = if held { 400 } else { 40 };
        // At once, or at some moment until the next one.
        let delay = if dice.below(2) == 0 { 0 } else { dice.below(spread) };
        Case {
            moment: Moment::ALL[index % 5],
            nth: 1 + dice.below(changes),
            delay: Duration::from_millis(delay as u64),
            killed: if held { Killed::ALL[index % 3] } else { Killed::Harness },
            weather: Weather::ALL[index % 4],
        }
    }
}

/// Numbers by chance that come again with the same seed (splitmix64).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    /// A number from 0 to below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % end.max(1) as u64) as usize
    }
}

/// How many of `kills` fall to each variant, by its weight, and never fewer than one of each moment.
pub(crate) fn shares(kills: usize, weights: &[usize]) -> Vec<usize> {
    let all = weights.iter().sum::<usize>().max(1);
    weights.iter().map(|weight| (kills * weight).div_ceil(all).max(Moment::ALL.len())).collect()
}

#[test]
fn sixty_cases_in_a_row_are_all_there_are() {
    let mut dice = Dice(1);
    let cases: Vec<Case> = (0..60).map(|index| Case::of(index, 3, true, &mut dice)).collect();
    let mut kinds: Vec<_> = cases.iter().map(|c| (c.moment, c.killed, c.weather)).collect();
    kinds.sort();
    kinds.dedup();
    assert_eq!(kinds.len(), Moment::ALL.len() * Killed::ALL.len() * Weather::ALL.len());
    assert!((1..=3).all(|nth| cases.iter().any(|c| c.nth == nth)) && cases.iter().all(|c| c.nth <= 3));
    let mut free = (0..60).map(|index| Case::of(index, 1, false, &mut dice));
    assert!(free.all(|c| c.killed == Killed::Harness && c.nth == 1));
}

#[test]
fn every_variant_gets_its_share_and_the_sum_is_what_was_asked_for() {
    assert_eq!(shares(100, &[1, 3]), [25, 75]);
    assert_eq!(shares(5, &[1, 1, 1]), [5, 5, 5], "each moment once");
    assert!(shares(500, &[1; 43]).iter().sum::<usize>() >= 500);
}
