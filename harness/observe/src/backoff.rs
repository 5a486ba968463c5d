//! How long to wait before something is done again.

use std::time::Duration;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

const FIRST: Duration = Duration::from_millis(150);
const LONGEST: Duration = Duration::from_millis(1500);

/// Doubles from 0.15 s to 1.5 s: a control plane that comes back is seen soon, and one that is down is not
/// hammered.
#[derive(Debug)]
pub(crate) struct Backoff(Duration);

impl Default for Backoff {
    fn default() -> Self {
        Self(FIRST)
    }
}

impl Backoff {
    /// The next pause.
    pub(crate) fn next(&mut self) -> Duration {
        let pause = self.0;
        self.0 = (pause * 2).min(LONGEST);
        pause
    }

    /// It worked: start over.
    pub(crate) fn reset(&mut self) {
        self.0 = FIRST;
    }

    /// Waits for the next pause.
    pub(crate) async fn wait(&mut self) {
        tokio::time::sleep(self.next()).await;
    }
}

/// A clock that ticks every `period`, at once for the first time, and never twice to catch up.
pub(crate) fn every(period: Duration) -> Interval {
    let mut clock = interval_at(Instant::now(), period.max(Duration::from_millis(50)));
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    clock
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_to_its_limit_and_starts_over() {
        let mut backoff = Backoff::default();
        let all: Vec<_> = (0..6).map(|_| backoff.next()).collect();
        assert!(all.is_sorted());
        assert_eq!(all.last(), Some(&LONGEST));
        backoff.reset();
        assert_eq!(backoff.next(), FIRST);
    }
}
