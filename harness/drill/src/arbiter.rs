//! Who may run beside whom: drills whose footprints do not overlap.

use loopdrill_faults::Footprint;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Drills that run at once at most. Each makes a namespace, its objects and its pods, and a cluster that is busy with twenty
/// of them is slow by itself: what is measured then is the crowd.
const SIDE_BY_SIDE: usize = 10;

/// Hands out permits to drills, in the order in which they asked where they overlap.
#[derive(Debug, Default)]
pub struct Arbiter {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    running: Vec<(u64, Footprint)>,
    waiting: Vec<(u64, Footprint)>,
}

impl State {
    /// A drill starts when it overlaps with none that runs and none that asked before it, and there is a place for it.
    fn may_start(&self, id: u64) -> bool {
        if self.running.len() >= SIDE_BY_SIDE {
            return false;
        }
        let Some(position) = self.waiting.iter().position(|(other, _)| *other == id) else { return false };
        let mine = &self.waiting[position].1;
        let earlier = self.waiting[..position].iter();
        self.running.iter().chain(earlier).all(|(_, other)| !other.overlaps(mine))
    }
}

/// The right to run with a footprint; given back on drop.
#[derive(Debug)]
pub struct Permit {
    arbiter: Arc<Arbiter>,
    id: u64,
}

impl Arbiter {
    /// Waits until a drill with `footprint` may run. Dropping the future gives up the place in the queue.
    pub async fn acquire(self: &Arc<Self>, footprint: Footprint) -> Permit {
        let permit = {
            let mut state = self.lock();
            state.next += 1;
            let id = state.next;
            state.waiting.push((id, footprint));
            Permit { arbiter: Arc::clone(self), id }
        };
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            if self.start(permit.id) {
                return permit;
            }
            changed.await;
        }
    }

    fn start(&self, id: u64) -> bool {
        let mut state = self.lock();
        if !state.may_start(id) {
            return false;
        }
        let position = state.waiting.iter().position(|(other, _)| *other == id).unwrap_or_default();
        let entry = state.waiting.remove(position);
        state.running.push(entry);
        true
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = self.arbiter.lock();
        state.running.retain(|(id, _)| *id != self.id);
        state.waiting.retain(|(id, _)| *id != self.id);
        drop(state);
        self.arbiter.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;
    use loopdrill_faults::Resource;

    fn breaks(node: &str) -> Footprint {
        Footprint::default().breaks(Resource::NodeLife(node.into()))
    }

    fn blocked(arbiter: &Arc<Arbiter>, footprint: Footprint) -> bool {
        arbiter.acquire(footprint).now_or_never().is_none()
    }

    #[tokio::test]
    async fn overlapping_drills_wait_and_others_do_not() {
        let arbiter = Arc::new(Arbiter::default());
        let first = arbiter.acquire(breaks("n1")).await;
        assert!(blocked(&arbiter, breaks("n1")));
        assert!(!blocked(&arbiter, breaks("n2")));
        drop(first);
        assert!(!blocked(&arbiter, breaks("n1")));
    }

    #[tokio::test]
    async fn a_crowd_waits_and_each_that_ends_lets_one_in() {
        let arbiter = Arc::new(Arbiter::default());
        let mut running = Vec::new();
        for n in 0..SIDE_BY_SIDE {
            running.push(arbiter.acquire(breaks(&n.to_string())).await);
        }
        assert!(blocked(&arbiter, breaks("one more")));
        running.pop();
        assert!(!blocked(&arbiter, breaks("one more")));
    }

    #[tokio::test]
    async fn a_waiting_drill_is_not_overtaken() {
        let arbiter = Arc::new(Arbiter::default());
        let first = arbiter.acquire(breaks("n1")).await;
        let both = breaks("n1").breaks(Resource::NodeLife("n2".into()));
        let second = tokio::spawn({
            let arbiter = Arc::clone(&arbiter);
            async move { arbiter.acquire(both).await }
        });
        tokio::task::yield_now().await;
        assert!(blocked(&arbiter, breaks("n2")), "n2 is promised to the one that waits");
        drop(first);
        let second = second.await.expect("no panic");
        assert!(blocked(&arbiter, breaks("n2")));
        drop(second);
        assert!(!blocked(&arbiter, breaks("n2")));
    }
}
