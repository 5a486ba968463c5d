//! What fuzzing tries of policy documents.

use crate::{
    condition::Keys,
    element::glob,
    policy::{Asked, Document, Verdict, verdict},
};

/// A policy document, judged for a request of a session and for one of a web identity.
///
/// # Panics
/// When the order of documents counts, when an `Allow` outweighs a `Deny` of everything, or when a document alone allows
/// what it does not beside another that allows nothing.
pub fn policy(text: &[u8]) {
    let Ok(text) = std::str::from_utf8(text) else { return };
    patterns(text);
    let Ok(document) = Document::parse(text) else { return };
    let read = |text| Document::parse(text).expect("ours");
    for (asked, nothing, everything) in [
        (
            session(),
            read(r#"{"Statement":[]}"#),
            read(r#"{"Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}"#),
        ),
        (
            identity(),
            read(r#"{"Statement":[]}"#),
            read(r#"{"Statement":{"Effect":"Deny","Action":"*","Principal":"*"}}"#),
        ),
    ] {
        let judge = |all: [&Document; 2]| verdict(&all.map(Clone::clone), &asked);
        let alone = verdict(std::slice::from_ref(&document), &asked);
        assert_eq!(judge([&document, &nothing]), alone);
        assert_eq!(judge([&nothing, &document]), alone);
        assert_eq!(judge([&document, &document]), alone);
        assert_eq!(judge([&document, &everything]), Verdict::Denied);
        assert_eq!(judge([&everything, &document]), Verdict::Denied);
    }
    let _ = document.is_conditional();
}

fn session() -> Asked {
    let mut keys = Keys::default();
    keys.set("aws:TokenIssueTime", "2026-01-01T10:00:00Z");
    let resource = Some("arn:aws:s3:::b/probe".into());
    Asked { action: "s3:GetObject".into(), resource, federated: None, keys }
}

fn identity() -> Asked {
    let mut keys = Keys::default();
    keys.set("idp:sub", "system:serviceaccount:drill-1:app");
    keys.set_all("idp:aud", vec!["a".into(), "sts.amazonaws.com".into()]);
    let federated = Some("arn:aws:iam::123456789012:oidc-provider/idp".into());
    Asked { action: "sts:AssumeRoleWithWebIdentity".into(), resource: None, federated, keys }
}

/// The first line as a pattern, the second as a text: the quick comparison says what the plain one says.
fn patterns(text: &str) {
    let mut lines = text.lines();
    let (pattern, text) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    if pattern.len() * text.len() <= 1 << 10 {
        assert_eq!(glob(pattern, text), plainly(pattern.as_bytes(), text.as_bytes()), "{pattern:?} {text:?}");
    }
}

/// Column by column: which beginnings of the pattern match the text so far.
fn plainly(pattern: &[u8], text: &[u8]) -> bool {
    let free = |ends: &mut Vec<bool>| {
        for (at, _) in pattern.iter().enumerate().filter(|(_, c)| **c == b'*') {
            ends[at + 1] |= ends[at];
        }
    };
    let mut ends = vec![false; pattern.len() + 1];
    ends[0] = true;
    free(&mut ends);
    for byte in text {
        let mut next = vec![false; pattern.len() + 1];
        for (at, c) in pattern.iter().enumerate() {
            match c {
                b'*' => next[at + 1] |= ends[at + 1],
                b'?' => next[at + 1] |= ends[at],
                _ => next[at + 1] |= ends[at] && c == byte,
            }
        }
        free(&mut next);
        ends = next;
    }
    ends[pattern.len()]
}

#[cfg(test)]
#[path = "../../../tests/fuzz/replay.rs"]
mod replay;

#[cfg(test)]
#[test]
fn the_corpus_of_policies() {
    replay::replay("policy", policy);
}
