//! What Kubernetes, runtimes, drivers, network plugins, clouds and registries say when something fails: one table of
//! phrases a topic, each with its cause, where it was seen, and an example.
//!
//! # Invariants
//! - A phrase is looked for in [`nameless`] text, between whole words: nobody is blamed for what he called something.
//! - Where a message holds several phrases, the heaviest counts, and of those the last: who passes an error on puts his
//!   own words before it, and who tries again tells the first try first.
//! - What no phrase knows has no cause here; the rules decide what silence of the table means.

mod claim;
mod cloud;
mod container;
mod mount;
mod nameless;
mod pull;
mod reading;
mod refusal;
mod registry;
mod sandbox;
mod schedule;
mod secrets;
mod service;
mod status;

pub(crate) use reading::Reading;

use loopdrill_model::Cause;

/// What a message is about. It decides what the same words mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Topic {
    /// An image is pulled.
    Pull,
    /// A volume is attached to a node, or mounted there.
    Mount,
    /// Secrets of a store outside are mounted as files.
    Secrets,
    /// A claim is provisioned or resized.
    Claim,
    /// A pod's sandbox is made, with its network.
    Sandbox,
    /// A container is made and started.
    Container,
    /// A controller wants a pod, and the API server refuses it.
    Refusal,
    /// The kubelet gives up a pod or a node.
    Status,
    /// A load balancer is made for a Service or an Ingress.
    Service,
    /// The scheduler looks for a node.
    Schedule,
}

impl Topic {
    /// How many there are.
    const COUNT: usize = Self::Schedule as usize + 1;
}

/// How much a phrase counts beside others in the same message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Weight {
    /// Words around an error, which say who failed and not why.
    Wrapper,
    /// Something that the next try may not meet.
    Transient,
    /// A plain answer.
    Plain,
    /// An answer that leaves no other reading.
    Strong,
}

/// Words that somebody says when something fails.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Phrase {
    /// In lower case, without names, single spaces between words.
    pub(crate) words: &'static str,
    /// What they mean; nothing, where they are said of what is well.
    pub(crate) cause: Option<Cause>,
    pub(crate) weight: Weight,
    /// Where they were seen, or are made.
    #[cfg_attr(not(test), expect(dead_code, reason = "for whoever reads or checks the tables"))]
    source: &'static str,
    /// A message that holds them.
    #[cfg_attr(not(test), expect(dead_code, reason = "for whoever reads or checks the tables"))]
    example: &'static str,
}

impl Phrase {
    /// A plain answer.
    const fn new(words: &'static str, cause: Cause, source: &'static str, example: &'static str) -> Self {
        Self { words, cause: Some(cause), weight: Weight::Plain, source, example }
    }

    const fn wrapper(words: &'static str, cause: Cause, source: &'static str, example: &'static str) -> Self {
        Self { weight: Weight::Wrapper, ..Self::new(words, cause, source, example) }
    }

    const fn transient(
        words: &'static str,
        cause: Cause,
        source: &'static str,
        example: &'static str,
    ) -> Self {
        Self { weight: Weight::Transient, ..Self::new(words, cause, source, example) }
    }

    const fn strong(words: &'static str, cause: Cause, source: &'static str, example: &'static str) -> Self {
        Self { weight: Weight::Strong, ..Self::new(words, cause, source, example) }
    }

    const fn harmless(words: &'static str, source: &'static str, example: &'static str) -> Self {
        Self { words, cause: None, weight: Weight::Strong, source, example }
    }
}

/// The tables of a topic. What a cloud says is the same to all who work there.
fn tables(topic: Topic) -> &'static [&'static [Phrase]] {
    match topic {
        Topic::Pull => &[pull::TABLE, registry::TABLE],
        Topic::Mount => &[mount::TABLE, cloud::TABLE],
        Topic::Secrets => &[secrets::TABLE],
        Topic::Claim => &[claim::TABLE, cloud::TABLE],
        Topic::Sandbox => &[sandbox::TABLE],
        Topic::Container => &[container::TABLE],
        Topic::Refusal => &[refusal::TABLE],
        Topic::Status => &[status::TABLE],
        Topic::Service => &[service::TABLE, cloud::TABLE],
        Topic::Schedule => &[schedule::TABLE],
    }
}

/// The phrases of a topic.
fn phrases(topic: Topic) -> impl Iterator<Item = &'static Phrase> {
    tables(topic).iter().copied().flatten()
}

/// The phrase that decides what `message` means, where the table knows one. `names` are those that somebody gave to
/// the objects that the message is about.
pub(crate) fn read(topic: Topic, message: &str, names: &[&str]) -> Option<&'static Phrase> {
    let reading = Reading::of(message, names);
    let weigh = |(p, end): &&(&'static Phrase, usize)| (p.weight, *end, p.words.len());
    reading.held(topic).iter().max_by_key(weigh).map(|(p, _)| *p)
}

/// Where the words end that are said last, if they are said at all. Parts of longer words are not said.
fn last_end(text: &str, words: &str) -> Option<usize> {
    let is_part = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
    let (first, last) = (words.chars().next()?, words.chars().next_back()?);
    let begins = |at: usize| !is_part(first) || !text[..at].ends_with(is_part);
    let ends = |at: usize| !is_part(last) || !text[at..].starts_with(is_part);
    let places = text.rmatch_indices(words).map(|(at, _)| (at, at + words.len()));
    places.filter(|(from, to)| begins(*from) && ends(*to)).map(|(_, to)| to).next()
}

#[cfg(test)]
mod tests;
