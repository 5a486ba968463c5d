//! One memory of a victim: whether it was ever seen broken in this drill.

use super::{Look, look::seen};
use loopdrill_model::Evidence;
use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

/// Turns [`Look`]s into the two answers of [`crate::Fault::symptom`].
///
/// Before the symptom has shown, a victim on its way says nothing: `None`, so that no half-started pod passes
/// for a symptom. After it has shown, only a well victim says `None`, so that no half-started pod passes for
/// a recovery.
#[derive(Debug, Default)]
pub struct Latch {
    shown: AtomicBool,
    /// What the last look saw of a victim that is neither well nor broken.
    on_its_way: Mutex<Option<String>>,
}

impl Latch {
    /// Forgets what was seen: a new drill begins.
    pub fn reset(&self) {
        self.shown.store(false, Ordering::Relaxed);
        self.remember(None);
    }

    /// Whether the symptom has shown.
    #[must_use]
    pub fn has_shown(&self) -> bool {
        self.shown.load(Ordering::Relaxed)
    }

    /// What kept the victim from being well at the last look, where that was no symptom.
    #[must_use]
    pub fn on_its_way(&self) -> Option<String> {
        self.on_its_way.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn remember(&self, what: Option<String>) {
        *self.on_its_way.lock().unwrap_or_else(PoisonError::into_inner) = what;
    }

    /// The symptom, by what is seen now and what was seen before.
    pub fn judge(&self, look: Look) -> Option<Vec<Evidence>> {
        self.remember(match &look {
            Look::Settling(what) => Some(what.clone()),
            Look::Broken(_) | Look::Well => None,
        });
        match look {
            Look::Broken(evidence) => {
                self.shown.store(true, Ordering::Relaxed);
                Some(evidence)
            }
            Look::Settling(what) if self.has_shown() => Some(vec![seen("victim not well yet", what)]),
            Look::Settling(_) | Look::Well => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_victim_on_its_way_is_neither_broken_nor_recovered() {
        let latch = Latch::default();
        let settling = || Look::Settling("starting".into());
        assert!(latch.judge(settling()).is_none());
        assert_eq!(latch.on_its_way().as_deref(), Some("starting"), "it is not well, either");
        assert!(latch.judge(Look::Broken(vec![])).is_some());
        assert!(latch.judge(settling()).is_some());
        assert!(latch.judge(Look::Well).is_none());
        assert_eq!(latch.on_its_way(), None);
        latch.reset();
        assert!(latch.judge(settling()).is_none());
    }
}
