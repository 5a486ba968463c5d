//! The document that a command prints, read leniently where a rival cannot know better and strictly where it
//! contradicts itself.

use loopdrill_model::{Cause, ChainLink, Diagnosis, Evidence, Loop, Source, Subject, Timestamp};
use serde::Deserialize;

/// The largest document that is read.
pub(super) const LIMIT: usize = 4 << 20;

/// A loop, or the word for "nothing is wrong".
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Blamed {
    Identity,
    Compute,
    Network,
    Storage,
    ControlPlane,
    Workload,
    None,
}

impl Blamed {
    fn control_loop(self) -> Option<Loop> {
        match self {
            Blamed::Identity => Some(Loop::Identity),
            Blamed::Compute => Some(Loop::Compute),
            Blamed::Network => Some(Loop::Network),
            Blamed::Storage => Some(Loop::Storage),
            Blamed::ControlPlane => Some(Loop::ControlPlane),
            Blamed::Workload => Some(Loop::Workload),
            Blamed::None => None,
        }
    }
}

#[derive(Debug, Deserialize)]
struct Document {
    diagnoses: Vec<Finding>,
}

#[derive(Debug, Deserialize)]
struct Finding {
    #[serde(rename = "loop")]
    blamed: Blamed,
    #[serde(default)]
    cause: Option<Cause>,
    #[serde(default)]
    subjects: Vec<Subject>,
    #[serde(default = "half")]
    confidence: f64,
    #[serde(default)]
    evidence: Vec<Fact>,
    #[serde(default)]
    chain: Vec<ChainLink>,
    #[serde(default)]
    first_evidence_at: Option<Timestamp>,
}

#[derive(Debug, Deserialize)]
struct Fact {
    signal: String,
    value: String,
    #[serde(default)]
    at: Option<Timestamp>,
    #[serde(default)]
    source: Option<Source>,
}

fn half() -> f64 {
    0.5
}

impl Finding {
    fn diagnosis(self, now: Timestamp) -> Result<Option<Diagnosis>, String> {
        let Some(control_loop) = self.blamed.control_loop() else { return Ok(None) };
        if let Some(cause) = self.cause.filter(|c| c.control_loop() != control_loop) {
            return Err(format!(
                "cause {cause} lies in loop {}, not in {control_loop}",
                cause.control_loop()
            ));
        }
        let evidence = self.evidence.into_iter().map(|fact| {
            let source = fact.source.unwrap_or_else(|| Source::other("exec"));
            Evidence::new(fact.signal, fact.value, fact.at.unwrap_or(now).min(now), source)
        });
        let evidence: Vec<_> = evidence.collect();
        let first = self.first_evidence_at.or_else(|| evidence.iter().map(|e| e.at).min());
        Ok(Some(Diagnosis {
            control_loop,
            cause: self.cause,
            subjects: self.subjects,
            confidence: self.confidence.clamp(0.0, 1.0),
            evidence,
            chain: self.chain,
            // A rival's clock may be ahead of ours.
            first_evidence_at: first.unwrap_or(now).min(now),
            diagnosed_at: now,
        }))
    }
}

/// What has been printed and not yet been read as a whole document.
#[derive(Debug, Default)]
pub(super) struct Reader {
    pending: Vec<u8>,
}

impl Reader {
    /// Takes in more of the output. Returns the newest whole document in it.
    ///
    /// # Errors
    /// Why the output cannot be read any further.
    pub(super) fn feed(&mut self, more: &[u8], now: Timestamp) -> Result<Option<Vec<Diagnosis>>, String> {
        self.pending.extend_from_slice(more);
        let mut documents = serde_json::Deserializer::from_slice(&self.pending).into_iter::<Document>();
        let mut newest = None;
        let mut end = 0;
        loop {
            match documents.next() {
                Some(Ok(document)) => newest = Some(document),
                Some(Err(e)) if e.is_eof() || is_cut(&e, &self.pending) => break,
                Some(Err(e)) => return Err(format!("it printed what is no document of diagnoses: {e}")),
                None => {
                    end = self.pending.len();
                    break;
                }
            }
            end = documents.byte_offset();
        }
        self.pending.drain(..end);
        if self.pending.len() > LIMIT {
            return Err(format!("it printed more than {} MiB without an end of the document", LIMIT >> 20));
        }
        let Some(document) = newest else { return Ok(None) };
        let found: Result<Vec<_>, _> =
            document.diagnoses.into_iter().filter_map(|f| f.diagnosis(now).transpose()).collect();
        let mut found = found.map_err(|why| format!("it contradicts itself: {why}"))?;
        found.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
        Ok(Some(found))
    }

    /// Whether half a document is left.
    pub(super) fn is_broken_off(&self) -> bool {
        !self.pending.iter().all(u8::is_ascii_whitespace)
    }
}

/// Whether more output may mend what was read so far: where the output is cut in the middle of a number that nobody
/// reads, the number is told to be wrong, and not to be cut.
fn is_cut(error: &serde_json::Error, text: &[u8]) -> bool {
    let line = text.iter().filter(|byte| **byte == b'\n').count() + 1;
    let column = text.iter().rev().take_while(|byte| **byte != b'\n').count();
    error.is_syntax() && (error.line(), error.column()) == (line, column)
}

#[cfg(test)]
mod tests {
    use super::*;
    use loopdrill_model::Diagnoses;
    use proptest::prelude::*;

    fn now() -> Timestamp {
        Timestamp::from_second(1_800_000_000).expect("in range")
    }

    #[test]
    fn a_loop_is_enough_and_none_is_no_finding() {
        let text = br#"{"diagnoses":[{"loop":"none"},{"loop":"storage"},{"loop":"network","confidence":7}]}"#;
        let found = Reader::default().feed(text, now()).expect("readable").expect("whole");
        assert_eq!(found.iter().map(|d| d.control_loop).collect::<Vec<_>>(), [Loop::Network, Loop::Storage]);
        assert_eq!((found[0].confidence, found[1].confidence), (1.0, 0.5));
        assert_eq!(found[1].first_evidence_at, now());
    }

    #[test]
    fn what_our_own_diagnose_prints_is_read_as_it_was() {
        let text = r#"{"diagnoses":[{"loop":"identity","cause":"rbac-denied","subjects":[{"kind":"Pod","namespace":"n","name":"p"}],
            "confidence":0.9,"evidence":[{"signal":"s","value":"v","at":"2026-11-24T12:00:00Z","source":"api:pods"}],
            "chain":[{"loop":"identity","what":"denied","subjects":[]}],"first_evidence_at":"2026-11-24T12:00:00Z",
            "diagnosed_at":"2026-11-24T12:00:01Z"}],"as_of":"2026-11-24T12:00:01Z"}"#;
        let theirs: Diagnoses = serde_json::from_str(text).expect("our own form");
        let found = Reader::default().feed(text.as_bytes(), now()).expect("readable").expect("whole");
        assert_eq!(found, [Diagnosis { diagnosed_at: now(), ..theirs.diagnoses[0].clone() }]);
    }

    #[test]
    fn garbage_contradictions_and_floods_are_told_apart() {
        let told = |text: &[u8]| Reader::default().feed(text, now()).expect_err("unreadable");
        for garbage in
            [&b"hello"[..], b"[]", b"{\"results\": []}", b"\xff\xfe", b"{\"diagnoses\":[{\"loop\":\"dns\"}]}"]
        {
            assert!(told(garbage).contains("no document of diagnoses"), "{garbage:?}");
        }
        let wrong = br#"{"diagnoses":[{"loop":"network","cause":"rbac-denied"}]}"#;
        assert_eq!(
            told(wrong),
            "it contradicts itself: cause rbac-denied lies in loop identity, not in network"
        );
        let mut flood = Reader::default();
        let mut told = Ok(None);
        for _ in 0..=LIMIT / (1 << 16) {
            told = flood.feed(&[b' '; 1 << 16], now());
            if told.is_err() {
                break;
            }
        }
        assert!(told.is_ok(), "white space is no document, and need not be kept");
        let mut flood = Reader::default();
        flood.feed(b"{\"diagnoses\":[", now()).expect("so far so good");
        let told = (0..=LIMIT / (1 << 20)).find_map(|_| flood.feed(&[b' '; 1 << 20], now()).err());
        assert_eq!(told.as_deref(), Some("it printed more than 4 MiB without an end of the document"));
    }

    proptest! {
        #[test]
        fn documents_are_read_however_the_output_is_cut(cuts in prop::collection::vec(1usize..40, 0..20)) {
            let text = b"{\"diagnoses\":[]}\n{\"diagnoses\":[{\"loop\":\"compute\",\"score\":-0.5e-3}]}\n \n{\"diagnoses\":[{\"loop\":\"storage\"}]}";
            let mut reader = Reader::default();
            let (mut rest, mut last) = (&text[..], None);
            for cut in cuts.into_iter().chain([text.len()]) {
                let (now_fed, later) = rest.split_at(cut.min(rest.len()));
                rest = later;
                last = reader.feed(now_fed, now()).expect("readable").or(last);
            }
            prop_assert!(!reader.is_broken_off());
            prop_assert_eq!(last.expect("a document")[0].control_loop, Loop::Storage);
        }

        #[test]
        fn garbage_is_garbage_however_it_is_cut(cut in 1usize..16) {
            let mut reader = Reader::default();
            let told = b"{\"diagnoses\": -x}".chunks(cut).find_map(|part| reader.feed(part, now()).err());
            prop_assert!(told.is_some_and(|why| why.contains("no document of diagnoses")));
        }

        #[test]
        fn no_output_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Reader::default().feed(&bytes, now());
        }
    }
}
