use super::*;
use jiff::Timestamp;
use loopdrill_model::signal::{Metric, Usage};
use loopdrill_model::{DrillMark, Expectation, FaultId, Mark, Scope, Signal, Source};

fn entries() -> Vec<Entry> {
    let at = Timestamp::UNIX_EPOCH;
    let usage = Signal::Usage(Usage { node: "n".into(), cpu_millis: 1 });
    let metric = Metric { name: "m".into(), labels: Default::default(), value: 0.1 + 0.2 };
    let seen = |signal| Entry::Seen(Observation { at, source: Source::node("n"), signal });
    let mark = |what| Entry::Mark(Mark { at, drill: FaultId::new("f", "v"), what });
    let scope = Scope { namespace: "ns".into(), ..Scope::default() };
    vec![
        mark(DrillMark::Start { expected: Expectation::default(), scope }),
        seen(Signal::Tick),
        seen(usage),
        mark(DrillMark::Inject),
        seen(Signal::Metric(metric)),
        Entry::Judged(Judged { at, document: Some(7), partial: false }),
        Entry::Judged(Judged { at, document: None, partial: true }),
    ]
}

fn recording() -> Vec<u8> {
    let mut recorder = Recorder::new(Vec::new()).expect("memory");
    for entry in entries() {
        recorder.write(&entry).expect("memory");
    }
    recorder.finish().expect("memory")
}

fn all(bytes: Vec<u8>) -> Vec<Result<Entry, ReplayError>> {
    read(io::Cursor::new(bytes)).expect("a recording").collect()
}

fn on_tape() -> Vec<u8> {
    let dir = tempfile::tempdir().expect("a directory");
    let recording = RecordingWriter::create(&dir.path().join("r.gz")).expect("a file");
    entries().into_iter().for_each(|e| recording.say(e));
    recording.finish().expect("room on the disk");
    recording.finish().expect("finished is finished");
    std::fs::read(recording.path()).expect("a file")
}

#[test]
fn what_is_recorded_replays() {
    let bytes = recording();
    let replay = replay(&bytes[..]).expect("a recording");
    assert_eq!(replay.header().version, VERSION);
    assert_eq!(replay.collect::<Result<Vec<_>, _>>().expect("complete"), entries());
    let back: Result<Vec<_>, _> = all(on_tape()).into_iter().collect();
    assert_eq!(back.expect("complete"), entries());
}

#[test]
fn marks_are_no_observations() {
    let seen = replay(io::Cursor::new(recording())).expect("a recording").observations();
    assert_eq!(seen.count(), 3);
}

#[test]
fn version_1_is_read_for_ever() {
    let text = "{\"format\":\"loopdrill-recording\",\"version\":1,\"loopdrill\":\"0.1.0\"}\n\
                {\"at\":\"1970-01-01T00:00:00Z\",\"source\":\"clock\",\"signal\":{\"type\":\"tick\"}}\n\
                {\"at\":\"1970-01-01T00:00:00Z\",\"source\":\"x\",\"signal\":{\"type\":\"metric\",\
                \"name\":\"m\",\"labels\":{},\"value\":0.25}}\n";
    let all = all(text.into());
    assert!(matches!(&all[0], Ok(Entry::Seen(o)) if o.signal == Signal::Tick), "{all:?}");
    assert!(
        matches!(&all[1], Ok(Entry::Seen(o)) if matches!(&o.signal, Signal::Metric(m) if m.value == 0.25))
    );
}

#[test]
fn a_bad_recording_is_said_to_be_so() {
    let open = |bytes: &[u8]| read(io::Cursor::new(bytes.to_vec())).err();
    for foreign in
        [&b""[..], b"\x28\xb5\x2f\xfd", b"\x1f\x8b", b"\x1f\x8bnonsense", b"{}\n", b"apiVersion: v1\n"]
    {
        assert!(matches!(open(foreign), Some(ReplayError::NotARecording)), "{foreign:?}");
    }
    let newer = b"{\"format\":\"loopdrill-recording\",\"version\":99,\"loopdrill\":\"9.0.0\"}\n";
    assert!(matches!(open(newer), Some(ReplayError::Newer { found: 99, .. })));
    let whole = recording();
    let cut = all(whole[..whole.len() - 5].to_vec());
    assert!(matches!(cut.last(), Some(Err(ReplayError::CutOff { line: 8 }))), "{cut:?}");
    let broken = all([&whole[..], b"{}\n"].concat());
    assert!(matches!(broken.last(), Some(Err(ReplayError::Broken { line: 9, .. }))), "{broken:?}");
}

#[test]
fn a_compressed_recording_may_be_cut_off_or_damaged_anywhere() {
    let whole = on_tape();
    for end in 0..whole.len() {
        let Ok(replay) = read(io::Cursor::new(whole[..end].to_vec())) else { continue };
        let last = replay.last();
        assert!(matches!(last, Some(Err(ReplayError::CutOff { .. }))), "cut at {end}: {last:?}");
    }
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x55;
        // Whatever it is, it is an error or a line, and never a panic.
        let lines = read(io::Cursor::new(bytes)).map_or(0, Iterator::count);
        assert!(lines < 1000);
    }
}
