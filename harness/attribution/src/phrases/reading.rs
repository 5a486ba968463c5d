//! Messages as they were read. A message stands for many judgements, and what it says is looked for once.
//!
//! Invariant: a reading follows from the message and the names alone, so it does not matter who asked for it before.

use super::{Phrase, Topic, last_end, nameless::nameless, phrases};
use std::{
    cell::{OnceCell, RefCell},
    collections::HashMap,
    iter,
    rc::Rc,
};

/// Readings that are kept; where there are more, all are forgotten and made anew.
const MOST: usize = 4_000;

thread_local! {
    /// By message, and the names that were taken out of it.
    static KEPT: RefCell<HashMap<Vec<Box<str>>, Rc<Reading>>> = RefCell::default();
}

/// A message without names, and which phrases it holds.
pub(crate) struct Reading {
    text: String,
    /// By topic: the phrases, and where each of them ends.
    held: [OnceCell<Vec<(&'static Phrase, usize)>>; Topic::COUNT],
}

impl Reading {
    /// The message, without what looks like a name and without these.
    pub(crate) fn of(message: &str, names: &[&str]) -> Rc<Self> {
        let key: Vec<Box<str>> = iter::once(message).chain(names.iter().copied()).map(Box::from).collect();
        KEPT.with_borrow_mut(|kept| {
            if kept.len() >= MOST && !kept.contains_key(&key) {
                kept.clear();
            }
            let read = || Rc::new(Self { text: nameless(message, names), held: Default::default() });
            Rc::clone(kept.entry(key).or_insert_with(read))
        })
    }

    /// Whether it says these words.
    pub(crate) fn says(&self, words: &str) -> bool {
        last_end(&self.text, words).is_some()
    }

    /// Whether it says any of these.
    pub(crate) fn says_any(&self, all: &[&str]) -> bool {
        all.iter().any(|words| self.says(words))
    }

    /// All phrases of the topic that it holds, and where each of them ends.
    pub(crate) fn held(&self, topic: Topic) -> &[(&'static Phrase, usize)] {
        let find = || phrases(topic).filter_map(|p| Some((p, last_end(&self.text, p.words)?))).collect();
        self.held[topic as usize].get_or_init(find)
    }
}
