//! How far the API server's clock is behind the observer's, learnt from leases.

/// Leases by which a clock can be told without seeing one renewed: who holds them does so every ten seconds or sooner.
const MANY_LEASES: u32 = 3;
/// Seconds behind which no lease of a living cluster is.
const FAR_BEHIND: f64 = 60.0;

/// What the leases have shown.
#[derive(Debug, Clone, Default)]
pub(super) struct Skew {
    least_behind: Option<f64>,
    renewals: u32,
    /// Leases as they were first seen, and how far the freshest of them was behind.
    leases: u32,
    freshest_behind: Option<f64>,
}

impl Skew {
    /// A lease is seen for the first time; its renewal is so many seconds old.
    pub(super) fn first_seen(&mut self, behind: f64) {
        self.leases += 1;
        self.freshest_behind = Some(self.freshest_behind.map_or(behind, |b| b.min(behind)));
    }

    /// A lease was renewed, so many seconds before that was seen.
    pub(super) fn renewed(&mut self, behind: f64) {
        self.least_behind = Some(self.least_behind.map_or(behind, |b| b.min(behind)));
        self.renewals += 1;
    }

    /// By how many seconds the API server's clock is behind; 0 within what transport and rounding explain.
    pub(super) fn seconds(&self) -> f64 {
        match self.least_behind {
            Some(behind) if behind < -2.0 || (behind > 3.0 && self.renewals >= 5) => behind,
            Some(_) => 0.0,
            None => self.at_first_sight(),
        }
    }

    /// The same where no lease was seen to be renewed: only clocks that are far apart show.
    fn at_first_sight(&self) -> f64 {
        match self.freshest_behind {
            Some(behind) if self.leases >= MANY_LEASES && behind.abs() > FAR_BEHIND => behind,
            _ => 0.0,
        }
    }
}
