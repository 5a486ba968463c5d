//! `loopdrill replay`: the built-in detector again, from recordings. Needs no cluster.

mod demo;
mod score;

use crate::{
    Failure,
    names::OutputFormat,
    show::{print_change, print_document},
};
use loopdrill_detect::{Player, Scored, Scorer};
use loopdrill_model::{Diagnosis, ExitStatus, Signal};
use loopdrill_observe::record::{self, Entry, Header, ReplayError};
use loopdrill_report::{Change, Timeline};
use std::path::{Path, PathBuf};

/// Options of `loopdrill replay`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Recordings of `loopdrill run` or `loopdrill diagnose --record`; with --score also folders of them
    #[arg(value_name = "FILE", required_unless_present = "demo")]
    files: Vec<PathBuf>,
    /// Compare the answers with what was really done to the cluster
    #[arg(long)]
    score: bool,
    /// The five canonical drills in two seconds, from a recording that comes with this program
    #[arg(long, conflicts_with_all = ["files", "score", "output"])]
    demo: bool,
    /// How to print it
    #[arg(long, value_enum, default_value_t)]
    output: OutputFormat,
}

const EXAMPLES: &str = "\
Examples:
  loopdrill replay --demo                       what all this is about
  loopdrill replay report/recording.gz          what the built-in detector said during the last run
  loopdrill replay --score tests/recordings     right or wrong, drill by drill

Exit codes: 0 no finding (with --score: every answer is right), 1 findings (a wrong answer), 2 no such recording";

pub(crate) fn main(args: &Args) -> Result<ExitStatus, Failure> {
    if args.demo {
        return demo::main();
    }
    if args.score {
        return score::main(&args.files, args.output);
    }
    let mut exit = ExitStatus::Ready;
    for file in &args.files {
        exit = exit.worst(show(file, args.output)?);
    }
    Ok(exit)
}

fn show(file: &Path, output: OutputFormat) -> Result<ExitStatus, Failure> {
    let human = output == OutputFormat::Human;
    let played = play(file, |change| {
        if human {
            print_change(change);
        }
    })?;
    if human {
        say_how_it_ended(&played);
    } else {
        print_document(&played.timeline)?;
    }
    if let Some(error) = played.broke_off {
        return Err(bad(file, &error));
    }
    Ok(if played.timeline.found() { ExitStatus::NotReady } else { ExitStatus::Ready })
}

fn say_how_it_ended(played: &Played) {
    if played.timeline.as_of().is_none() {
        eprintln!("nothing was judged in this recording, so its silence proves nothing");
    } else if !played.timeline.found() {
        println!("no finding");
    }
    match played.differing {
        0 => eprintln!("{} judgements, each byte for byte as they were made", played.judged),
        n => eprintln!(
            "{n} of {} judgements differ from those that were made: loopdrill {} judged otherwise",
            played.judged, played.by
        ),
    }
}

/// A recording, played to its end.
struct Played {
    timeline: Timeline,
    scored: Vec<Scored>,
    false_alarms: Vec<Diagnosis>,
    /// Judgements, and how many of them give another document than they gave then.
    judged: usize,
    differing: usize,
    /// Who recorded it.
    by: String,
    /// Why its end is missing.
    broke_off: Option<ReplayError>,
}

/// Plays a recording as far as it goes.
fn play(file: &Path, each: impl FnMut(&Change)) -> Result<Played, Failure> {
    let replay = record::open(file).map_err(|e| bad(file, &e))?;
    let header = replay.header().clone();
    Ok(play_entries(replay, &header, each))
}

fn play_entries(
    entries: impl Iterator<Item = Result<Entry, ReplayError>>,
    header: &Header,
    mut each: impl FnMut(&Change),
) -> Played {
    let (mut player, mut scorer, mut timeline) =
        (Player::default(), Scorer::of_recording(header), Timeline::default());
    let (mut judged, mut differing, mut broke_off) = (0, 0, None);
    for entry in entries {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                broke_off = Some(error);
                break;
            }
        };
        match &entry {
            Entry::Mark(mark) => scorer.mark(mark),
            Entry::Seen(seen) => {
                if let Signal::SourceState(state) = &seen.signal {
                    timeline.source(state);
                }
            }
            Entry::Judged(_) => {}
        }
        if let Some(moment) = player.play(&entry) {
            judged += 1;
            differing += usize::from(!moment.is_as_recorded);
            if let Some(document) = moment.document {
                scorer.document(&document, moment.at);
                timeline.take(&document).iter().for_each(&mut each);
            }
        }
    }
    let (scored, false_alarms) = scorer.finish();
    let by = header.loopdrill.clone();
    Played { timeline, scored, false_alarms, judged, differing, by, broke_off }
}

fn bad(file: &Path, error: &ReplayError) -> Failure {
    Failure::new(ExitStatus::Usage, error).before(&file.display().to_string())
}
