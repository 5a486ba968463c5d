//! The recordings, and what a replay of one amounts to.

use loopdrill_detect::{Player, Scored, Scorer};
use loopdrill_model::{Diagnosis, Loop, Subject};
use loopdrill_observe::record::{Entry, Header, read};
use std::{collections::BTreeSet, fmt, fs, io::Cursor, path::PathBuf, sync::LazyLock};

/// A recording from `tests/recordings`.
pub(crate) struct Recording {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) header: Header,
    pub(crate) entries: Vec<Entry>,
}

impl Recording {
    /// Plays it, and scores what it is of: the detector that watched, or its one look at a drill.
    pub(crate) fn play(&self) -> Played {
        play_to(Scorer::of_recording(&self.header), &self.entries)
    }

    /// What random choices start from; `LOOPDRILL_SEED` tries another one.
    pub(crate) fn seed(&self) -> u64 {
        static SEED: LazyLock<u64> =
            LazyLock::new(|| std::env::var("LOOPDRILL_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(7));
        *SEED
    }
}

pub(crate) static RECORDINGS: LazyLock<Vec<Recording>> = LazyLock::new(|| {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/recordings");
    let files = fs::read_dir(&dir).expect("the folder of recordings").map(|f| f.expect("a file").path());
    let mut files: Vec<_> = files.filter(|f| f.extension().is_some_and(|e| e == "gz")).collect();
    files.sort();
    files.into_iter().map(load).collect()
});

fn load(file: PathBuf) -> Recording {
    let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let bytes = fs::read(&file).expect("a file that can be read");
    let replay = read(Cursor::new(bytes.clone())).unwrap_or_else(|e| panic!("{name}: {e}"));
    let header = replay.header().clone();
    let entries = replay.collect::<Result<_, _>>().unwrap_or_else(|e| panic!("{name}: {e}"));
    Recording { name, bytes, header, entries }
}

/// A finding without what may vary: times, the words of its evidence.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Answer {
    pub(crate) control_loop: Loop,
    cause: String,
    sure: u32,
    chain: Vec<Loop>,
    pub(crate) subjects: BTreeSet<Subject>,
}

impl Answer {
    fn of(d: &Diagnosis) -> Self {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 100")]
        let sure = (d.confidence * 100.0).round() as u32;
        Self {
            control_loop: d.control_loop,
            cause: d.cause.map_or("-", |c| c.name()).into(),
            sure,
            chain: d.chain.iter().map(|link| link.control_loop).collect(),
            subjects: d.subjects.iter().cloned().collect(),
        }
    }

    pub(crate) fn cause(&self) -> (Loop, String) {
        (self.control_loop, self.cause.clone())
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds: BTreeSet<_> = self.subjects.iter().map(|s| s.kind.as_str()).collect();
        let kinds: Vec<_> = kinds.into_iter().collect();
        write!(f, "{} → {}, {} %, about {}", self.control_loop, self.cause, self.sure, kinds.join(", "))?;
        let chain: Vec<_> = self.chain.iter().map(|l| l.name()).collect();
        if chain.is_empty() { Ok(()) } else { write!(f, ", chain {}", chain.join(" → ")) }
    }
}

/// A replay.
pub(crate) struct Played {
    pub(crate) moments: Vec<Vec<Answer>>,
    /// Every document, as JSON.
    pub(crate) documents: Vec<String>,
    pub(crate) differing: usize,
    pub(crate) scored: Vec<Scored>,
    pub(crate) false_alarms: Vec<Diagnosis>,
}

/// Plays them, whatever they are of.
pub(crate) fn play(entries: &[Entry]) -> Played {
    play_to(Scorer::new("builtin"), entries)
}

fn play_to(mut scorer: Scorer, entries: &[Entry]) -> Played {
    let mut player = Player::default();
    let (mut moments, mut documents, mut differing) = (Vec::new(), Vec::new(), 0);
    for entry in entries {
        if let Entry::Mark(mark) = entry {
            scorer.mark(mark);
        }
        let Some(moment) = player.play(entry) else { continue };
        differing += usize::from(!moment.is_as_recorded);
        let found = moment.document.as_ref().map(|d| d.diagnoses.as_slice()).unwrap_or_default();
        let mut answers: Vec<_> = found.iter().map(Answer::of).collect();
        answers.sort();
        moments.push(answers);
        if let Some(document) = moment.document {
            documents.push(serde_json::to_string(&document).expect("plain data"));
            scorer.document(&document, moment.at);
        }
    }
    let (scored, false_alarms) = scorer.finish();
    Played { moments, documents, differing, scored, false_alarms }
}

/// What is found at each moment.
pub(crate) fn answers(entries: &[Entry]) -> Vec<Vec<Answer>> {
    play(entries).moments
}

/// The same findings at the same moments.
pub(crate) fn assert_same(recording: &Recording, expected: &[Vec<Answer>], found: &[Vec<Answer>]) {
    let (name, seed) = (&recording.name, recording.seed());
    assert_eq!(expected.len(), found.len(), "{name}");
    for (n, (e, f)) in expected.iter().zip(found).enumerate() {
        assert_eq!(e, f, "{name}: judgement {n} of {} (LOOPDRILL_SEED={seed})", expected.len());
    }
}
