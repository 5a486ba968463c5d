//! Every entry of every table, and names that must not speak.

use super::{nameless::nameless, *};
use proptest::prelude::*;

const TOPICS: &[Topic] = &[
    Topic::Pull,
    Topic::Mount,
    Topic::Secrets,
    Topic::Claim,
    Topic::Sandbox,
    Topic::Container,
    Topic::Refusal,
    Topic::Status,
    Topic::Service,
    Topic::Schedule,
];

fn entries() -> Vec<(Topic, &'static Phrase)> {
    TOPICS.iter().flat_map(|t| phrases(*t).map(|p| (*t, p))).collect()
}

#[test]
fn every_example_says_its_phrase_and_means_its_cause() {
    let mut wrong = Vec::new();
    for (topic, phrase) in entries() {
        let text = nameless(phrase.example, &[]);
        if !Reading::of(phrase.example, &[]).says(phrase.words) {
            wrong.push(format!("{topic:?} {:?} is not said in {text:?}", phrase.words));
        }
        let read = read(topic, phrase.example, &[]);
        if read.is_none_or(|p| p.cause != phrase.cause) {
            wrong.push(format!(
                "{topic:?} {:?} is read as {:?} in {text:?}",
                phrase.words,
                read.map(|p| p.words)
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn there_are_enough_of_them_each_once_and_with_a_source() {
    let all = entries();
    assert!(all.len() >= 150, "{} phrases", all.len());
    for (i, (topic, phrase)) in all.iter().enumerate() {
        assert!(phrase.source.starts_with("https://"), "{}", phrase.words);
        assert_eq!(phrase.words, phrase.words.to_lowercase());
        let twice = all[..i].iter().any(|(t, p)| t == topic && p.words == phrase.words);
        assert!(!twice, "{topic:?} {:?} is there twice", phrase.words);
    }
}

/// Neutral messages with a place for a name.
const TEMPLATES: &[&str] = &[
    "Back-off pulling image \"{}\"",
    "Back-off pulling image \"registry.example/{}:1\"",
    "Failed to pull image \"{}/app:1\": rpc error: code = Unknown desc = it went wrong with {}/app:1",
    "MountVolume.SetUp failed for volume \"{}\" : rpc error: code = Unknown desc = it went wrong",
    "error syncing pod {}/{}, skipping",
    "it went wrong at https://{}.example.com/v2/{}/manifests/1",
    "it went wrong at {}.svc.cluster.local:443",
    "it went wrong with '{}' and `{}` on node \"{}\"",
    "exec: \"{}\": it went wrong",
    "lookup {} on 10.0.0.2:53: it went wrong",
    "name@{} went wrong",
    "{} went wrong",
];

/// A phrase as somebody could name an image, a pod, a namespace or a host.
fn as_name(words: &str) -> String {
    let name: String = words.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    name.trim_matches('-').to_owned()
}

proptest! {
    #[test]
    fn names_do_not_speak(entry in 0..entries().len(), template in 0..TEMPLATES.len(), topic in 0..TOPICS.len()) {
        let name = as_name(entries()[entry].1.words);
        let message = TEMPLATES[template].replace("{}", &name);
        let bare = read(TOPICS[topic], &message, &[&name]);
        prop_assert!(bare.is_none(), "{message:?} is read as {:?}", bare.map(|p| p.words));
    }

    #[test]
    fn any_text_is_read(text in "\\PC{0,200}", name in "[a-z\"']{0,6}") {
        for topic in TOPICS {
            let _ = read(*topic, &text, &[&name]);
        }
    }
}

#[test]
fn single_words_that_are_names_do_not_speak_without_being_known() {
    for template in &TEMPLATES[..TEMPLATES.len() - 1] {
        for name in ["unauthorized", "eof", "forbidden", "insufficient", "toomanyrequests", "volumeinuse"] {
            let message = template.replace("{}", name);
            for topic in TOPICS {
                assert!(read(*topic, &message, &[]).is_none(), "{topic:?} {message}");
            }
        }
    }
}

#[test]
fn the_answer_beats_the_try_before_it_and_the_words_around_it() {
    let cause = |text: &str| read(Topic::Pull, text, &[]).and_then(|p| p.cause);
    let two = "[rpc error: desc = received unexpected HTTP status: 500 Internal Server Error, rpc error: desc = \
               Get https://c.azurecr.io/v2/: unauthorized: authentication required]";
    assert_eq!(cause(two), Some(Cause::PullUnauthorized));
    let around = "failed to authorize: failed to fetch oauth token: Post \"https://r/token\": dial tcp: lookup r: no \
                  such host";
    assert_eq!(cause(around), Some(Cause::RegistryUnreachable));
}

#[test]
fn quoted_speech_is_heard_and_quoted_names_are_not() {
    let speech =
        "Service returned an error. Status= Code=\"OperationNotAllowed\" Message=\"Cannot resize disk d\"";
    assert_eq!(
        nameless(speech, &[]),
        "service returned an error. status= code= operationnotallowed message= cannot resize disk d"
    );
    let json = "RawError: {\\\"error\\\": {\\\"message\\\": \\\"the disk is full\\\"}}";
    assert!(Reading::of(json, &[]).says("the disk is full"));
    assert_eq!(nameless("volume \"the-disk-is-full\" didn't 'come up' today", &[]), "volume didn't today");
}

#[test]
fn an_error_in_quotes_may_quote_names_and_they_do_not_speak() {
    let passed_on = r#"with KillPodSandboxError: "rpc error: cannot stop \"the-disk-is-full\": plugin \"unauthorized\" failed: no""#;
    assert_eq!(
        nameless(passed_on, &[]),
        "with killpodsandboxerror: rpc error: cannot stop : plugin failed: no"
    );
    assert_eq!(nameless(r#"with SomeError: "unauthorized", caused "eof""#, &[]), "with someerror: , caused");
    assert_eq!(nameless(r#"desc = "cannot pull \"unauthorized\" image""#, &[]), "desc = cannot pull image");
    assert_eq!(nameless("the file ‘forbidden’ is “denied”", &[]), "the file is");
}
