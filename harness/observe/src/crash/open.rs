//! How many questions are still open, so that whoever judges once can wait for their answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts the questions that were raised and not answered yet.
#[derive(Debug, Clone, Default)]
pub struct OpenQuestions(Arc<AtomicUsize>);

/// One open question; it is answered, or given up, when it is dropped.
#[derive(Debug)]
pub(crate) struct Question(Arc<AtomicUsize>);

impl OpenQuestions {
    /// How many are open now.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.load(Ordering::Acquire)
    }

    /// A new one.
    pub(crate) fn raise(&self) -> Question {
        self.0.fetch_add(1, Ordering::AcqRel);
        Question(self.0.clone())
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_open_until_it_is_dropped() {
        let open = OpenQuestions::default();
        let (one, two) = (open.raise(), open.clone().raise());
        assert_eq!(open.count(), 2);
        drop(one);
        assert_eq!(open.count(), 1);
        drop(two);
        assert_eq!(open.count(), 0);
    }
}
